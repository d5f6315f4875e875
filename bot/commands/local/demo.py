"""`forewarm demo`: the whole product on this machine, with a page to try it on."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated

import typer

from bot.errors import ForewarmError

LOCAL_BUDGET = 1_100
LOCAL_WAIT = 1.0
"""Seconds to the first words that excerpts must keep to: the demo promises one second."""
CLAUDE_BUDGET = 150_000
CLAUDE_MODEL = "claude-sonnet-5-5"
CLAUDE_INSTRUCTIONS = "Answer in a few sentences."
"""The small model gets none: it does not follow them, and a question would wait to read them."""
LOCAL_NOTICE = (
    "A small model (135 million parameters) answers here, on this machine's own processor. Its"
    " waits and its prompt cache are real. Its answers are weak and end after about 120 words. Set"
    " ANTHROPIC_API_KEY to have Claude answer instead."
)
CLAUDE_NOTICE = "Claude answers here, with your key: every question and every warm-up costs money."
OWN_QUESTIONS = (
    "What does system_now return?",
    "What is ForewarmError?",
    "Where is the prompt cache warmed?",
)
"""Questions about this repository, which is asked about by default."""
QUESTIONS = (
    "What does this repository do?",
    "Which files should I read first?",
    "How are errors handled here?",
)


def demo(
    port: Annotated[int, typer.Option(min=0, max=65535, help="The page's port.")] = 8000,
    repository: Annotated[
        Path | None, typer.Option(help="A git repository to ask about; this clone's by default.")
    ] = None,
    home: Annotated[Path, typer.Option(help="Where the demo keeps its files.")] = Path(
        ".forewarm/demo"
    ),
) -> None:
    """Run bot, local Slack and local model; open the page that it names."""
    asyncio.run(_run(port, _repository(repository), home.resolve()))


def _repository(wanted: Path | None) -> str:
    """Return the repository to ask about: the named one, this clone, or the current folder."""
    if wanted is not None:
        return _require_repository(wanted.resolve(), f"{wanted} is not a git repository")
    own = _own_clone()
    if own is not None:
        return own
    return _require_repository(Path.cwd(), "The current folder is not a git repository")


def _own_clone() -> str | None:
    """Return the clone that this package runs from, if it does."""
    clone = Path(__file__).parents[3]
    return str(clone) if (clone / "pyproject.toml").exists() and _is_repository(clone) else None


def _require_repository(place: Path, fault: str) -> str:
    if not _is_repository(place):
        raise ForewarmError(
            f"{fault}, so there is nothing to ask about: clone one, and name its folder with"
            " --repository."
        )
    return str(place)


def _is_repository(place: Path) -> bool:
    return (place / ".git").exists() or (place / "HEAD").is_file()


async def _run(port: int, repository: str, home: Path) -> None:
    from forewarm_playground.model import LocalModel, ModelOptions, limited
    from rich.console import Console

    from bot.commands.local.demo_stack import DemoConfig, require_port, running_demo

    console = Console()
    require_port(port)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    key = bool(os.environ.get("ANTHROPIC_API_KEY"))
    async with AsyncExitStack() as stack:
        with console.status("starting…") as status:

            def tell(words: str) -> None:
                status.update(words + "…")

            model, url, speed = CLAUDE_MODEL, os.environ.get("ANTHROPIC_BASE_URL"), None
            if not key:
                local = LocalModel(options=ModelOptions())
                url = await local.start(tell)
                stack.push_async_callback(local.stop)
                tell("measuring the model's speed")
                model, speed = local.name, await local.prefill_speed()
                url = await stack.enter_async_context(limited(url))
            config = DemoConfig(
                home=home,
                repository=repository,
                model=model,
                model_url=url,
                budget_tokens=CLAUDE_BUDGET if key else LOCAL_BUDGET,
                instructions=CLAUDE_INSTRUCTIONS if key else "",
                notice=CLAUDE_NOTICE if key else LOCAL_NOTICE,
                questions=OWN_QUESTIONS if repository == _own_clone() else QUESTIONS,
                prefill_speed=speed,
                max_wait=None if key else LOCAL_WAIT,
                show_places=not key,
                port=port,
                single_slot=not key,
            )
            running = await stack.enter_async_context(running_demo(config, tell))
        console.print(f"Open [bold]{running.url}/[/bold] and ask. Ctrl+C ends everything.")
        console.print(f"The bot's log: {home / 'bot.log'}", style="dim")
        ended = asyncio.ensure_future(running.bot.wait())
        waiting = asyncio.ensure_future(stop.wait())
        await asyncio.wait({ended, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if ended.done():
            raise ForewarmError(f"The bot ended by itself; its log is {home / 'bot.log'}.")
        console.print("stopping…", style="dim")
