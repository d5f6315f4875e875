"""The command line of the playground alone: `python -m forewarm_playground local-slack`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from forewarm_playground.commands import (
    CLAUDE_PORT,
    SLACK_PORT,
    ServerOptions,
    run_claude,
    run_slack,
)
from forewarm_playground.errors import PlaygroundError

PROGRAM = "forewarm-playground"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command. An error that a user can fix is one sentence on stderr, and exit status 1."""
    parsed = _parser().parse_args(arguments)
    options = ServerOptions(
        port=parsed.port,
        config=parsed.config,
        host=parsed.host,
        manual_clock=parsed.manual_clock,
        as_json=parsed.json,
    )
    try:
        parsed.run(options)
    except PlaygroundError as error:
        sys.stderr.write(f"{PROGRAM}: {error}\n")
        raise SystemExit(1) from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=PROGRAM, description="A local Slack and a local Claude, for tests of Slack bots."
    )
    parser.add_argument("--version", action="version", version=version(PROGRAM))
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    slack = commands.add_parser("local-slack", help="run the local Slack")
    _add_options(slack, SLACK_PORT, "the app, workspaces, users and channels")
    slack.add_argument(
        "--movable-clock",
        dest="manual_clock",
        action="store_true",
        help="let POST /_control/clock put time forward",
    )
    slack.set_defaults(run=run_slack)
    claude = commands.add_parser("local-claude", help="run the local Claude")
    _add_options(claude, CLAUDE_PORT, "keys, latency, limits, chaos and models")
    claude.add_argument(
        "--virtual-clock",
        dest="manual_clock",
        action="store_true",
        help="let latency pass at once; POST /_control/clock moves the time",
    )
    claude.set_defaults(run=run_claude)
    return parser


def _add_options(parser: argparse.ArgumentParser, port: int, content: str) -> None:
    parser.add_argument(
        "--port", type=int, default=port, help=f"port to listen on; 0 picks a free one ({port})"
    )
    parser.add_argument("--config", type=Path, help=f"TOML file with {content}")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    parser.add_argument("--json", action="store_true", help="print the addresses as a JSON object")


if __name__ == "__main__":
    main()
