"""The commands `local-slack` and `local-claude`, for a client in any language.

They are shared by `python -m forewarm_playground` and by `forewarm`, which parses its own options.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

from forewarm_playground.errors import PlaygroundError

SLACK_PORT = 3900
CLAUDE_PORT = 3901


class ListenError(PlaygroundError):
    """The server cannot listen, because the port is taken or the address is not local."""

    def __init__(self, host: str, port: int, reason: str) -> None:
        super().__init__(f"Cannot listen on {host}:{port} ({reason}); choose another with --port.")
        self.host = host
        self.port = port


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """Options of both servers. `port` 0 picks a free one; `config` is a TOML file.

    With `manual_clock` the server's time moves only by `POST /_control/clock`.
    """

    port: int
    config: Path | None = None
    host: str = "127.0.0.1"
    manual_clock: bool = False
    as_json: bool = False


def slack_addresses(url: str, api_url: str) -> dict[str, str]:
    """Return the JSON object that `local-slack --json` prints."""
    return {"url": url, "api_url": api_url}


def claude_addresses(url: str) -> dict[str, str]:
    """Return the JSON object that `local-claude --json` prints."""
    return {"url": url}


def run_slack(options: ServerOptions) -> None:
    """Run a local Slack until SIGINT or SIGTERM. Raises `PlaygroundError`."""
    from forewarm_playground.slack import LocalSlack, SlackConfig
    from forewarm_playground.slack.timers import MovableClock

    settings = SlackConfig.load(options.config) if options.config else SlackConfig()

    async def serve() -> None:
        slack = LocalSlack(settings, timers=MovableClock() if options.manual_clock else None)
        await _serve_until_stopped(
            slack.serve(options.port, options.host),
            options,
            lambda url: (
                slack_addresses(url, slack.api_url),
                f"The local Slack listens at {url}\n"
                f"SLACK_API_URL={slack.api_url}, control {url}/_control/",
            ),
        )

    _run(serve(), options)


def run_claude(options: ServerOptions) -> None:
    """Run a local Claude until SIGINT or SIGTERM. Raises `PlaygroundError`."""
    from forewarm_playground.claude import Config, LocalClaude, ManualClock
    from forewarm_playground.claude.config import load

    settings = load(options.config) if options.config else Config()

    async def serve() -> None:
        claude = LocalClaude(settings, clock=ManualClock() if options.manual_clock else None)
        await _serve_until_stopped(
            claude.serve(options.port, options.host),
            options,
            lambda url: (
                claude_addresses(url),
                f"The local Claude listens at {url}\n"
                f"ANTHROPIC_BASE_URL={url}, control {url}/_control/",
            ),
        )

    _run(serve(), options)


async def _serve_until_stopped(
    server: AbstractAsyncContextManager[str],
    options: ServerOptions,
    describe: Callable[[str], tuple[Mapping[str, str], str]],
) -> None:
    stopped = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stopped.set)
    async with server as url:
        addresses, text = describe(url)
        # A client waits for this line, so it must not stay in the buffer of a pipe.
        sys.stdout.write((json.dumps(addresses) if options.as_json else text) + "\n")
        sys.stdout.flush()
        await stopped.wait()


def _run(serving: Coroutine[None, None, None], options: ServerOptions) -> None:
    try:
        asyncio.run(serving)
    except OSError as error:
        reason = (error.strerror or str(error)).rpartition(": ")[2]
        raise ListenError(options.host, options.port, reason) from error
