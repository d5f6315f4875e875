"""`forewarm bench ttft`: the comparison of Anthropic's notebook, with waits as users have them.

Anthropic's notebook (docs/platform/claude.md#anthropics-notebook) starts its clock after the
warm-up was awaited. Here every number is the wait of a user: (a) and (b) are simulated waits (join
and model only), (c) is the perceived wait of the whole product, from Slack's time stamp to the
first words on screen.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.errors import ForewarmError
from bot.stored import dump

if TYPE_CHECKING:
    from bot.claude.client import ClaudeClient
    from bot.claude.prefix import Prefix
    from bot.claude.usage import Usage
    from bot.commands.local.demo_stack import Demo

QUESTION = "What does this code do?"
ASK_SECONDS = 180.0
PARTS = ("delivery", "queue", "join", "prefill", "thinking", "paint")
TITLES = {
    "caching": "(a) prompt caching alone: the first question",
    "caching_again": "(a) prompt caching alone: a second question",
    "seed": "(b) warm at the first key, by the notebook clock",
    "typing": "(b) warm at the first key, as the user waits",
    "cold": "(c) the product, cache forgotten",
    "modal": "(c) Forewarm: the ask-modal typed into",
    "dm": "(c) Forewarm: the DM opened {lead:g} s before",
    "kept": "(c) Forewarm: kept warm",
}


@dataclass(frozen=True, slots=True)
class Run:
    """One timed question. Seconds and tokens; `parts` splits a perceived wait.

    `ack` is the longest that Slack waited for an acknowledgement, as its own log has it.
    """

    strategy: str
    wait: float
    read: int
    written: int
    uncached: int
    parts: dict[str, float | None] | None = None
    ack: float | None = None


def ttft(
    url: Annotated[
        str | None, typer.Option(help="A Messages API; without one the local model is started.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="The model to ask.")] = None,
    runs: Annotated[int, typer.Option(min=1, help="Runs of each strategy.")] = 3,
    tokens: Annotated[int, typer.Option(min=500, help="Size of the codebase, in tokens.")] = 1_600,
    typing: Annotated[float, typer.Option(help="Seconds from the first key to sending.")] = 3.0,
    lead: Annotated[float, typer.Option(help="Seconds from opening the DM to sending.")] = 15.0,
    repository: Annotated[
        Path | None, typer.Option(help="The code to ask about; this project's by default.")
    ] = None,
    as_document: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    plot: Annotated[
        Path | None, typer.Option("--plot", help="Write a chart to this file.", dir_okay=False)
    ] = None,
) -> None:
    """Compare the wait for the first words: caching alone, warming at typing, and Forewarm."""
    from bot.commands.outputs import require_writable

    require_writable(plot=plot)
    place = str((repository or Path(__file__).parents[2]).resolve())
    found = asyncio.run(_measure(url, model, runs, tokens, typing, lead, place, not as_document))
    summary = summarise(found, lead)
    if plot is not None:
        _plot(found, lead, plot)
    if as_document:
        typer.echo(json.dumps({"runs": [dump(r) for r in found], "summary": summary}, indent=2))
    else:
        _print(found, summary)


def summarise(runs: list[Run], lead: float) -> dict[str, dict[str, Any]]:
    """Return median and p95 of each strategy's waits, in seconds, and the ratio cold to kept."""
    found: dict[str, dict[str, Any]] = {}
    for strategy, title in TITLES.items():
        waits = sorted(run.wait for run in runs if run.strategy == strategy)
        if waits:
            found[strategy] = {
                "title": title.format(lead=lead),
                "runs": len(waits),
                "median": waits[len(waits) // 2],
                "p95": waits[min(len(waits) - 1, int(0.95 * len(waits)))],
            }
    if "cold" in found and "kept" in found:
        found["kept"]["share_of_cold"] = found["kept"]["median"] / found["cold"]["median"]
    return found


# --- measuring ----------------------------------------------------------------------------------


async def _measure(
    url: str | None,
    model: str | None,
    runs: int,
    tokens: int,
    typing: float,
    lead: float,
    repository: str,
    show: bool,
) -> list[Run]:
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    async with AsyncExitStack() as stack:
        bar = stack.enter_context(Progress(*columns, transient=True, disable=not show))
        task = bar.add_task("starting…")

        def tell(words: str) -> None:
            bar.update(task, description=words)

        if url is None:
            url, model = await _local_model(stack, tell)
        if model is None:
            raise ForewarmError("Name the model to ask at that address with --model.")
        tell("building the codebase")
        bench = _Bench(url, model, tokens, typing, lead, repository, tell)
        return [*await bench.simulated(runs), *await bench.product(runs)]


async def _local_model(stack: AsyncExitStack, tell: Callable[[str], None]) -> tuple[str, str]:
    from forewarm_playground.model import LocalModel, ModelOptions

    local = LocalModel(options=ModelOptions())
    url = await local.start(tell)
    stack.push_async_callback(local.stop)
    return url, local.name


class _Bench:
    def __init__(
        self,
        url: str,
        model: str,
        tokens: int,
        typing: float,
        lead: float,
        repository: str,
        tell: Callable[[str], None],
    ) -> None:
        self._url = url
        self._model = model
        self._tokens = tokens
        self._typing = typing
        self._lead = lead
        self._repository = repository
        self._tell = tell

    # (a) and (b): join and model only

    async def simulated(self, runs: int) -> list[Run]:
        from bot.claude.client import ClaudeClient

        key = os.environ.get("ANTHROPIC_API_KEY")
        found: list[Run] = []
        async with ClaudeClient.connect(api_key=key, base_url=self._url) as client:
            for n in range(runs):
                self._tell(f"prompt caching alone, run {n + 1} of {runs}")
                prefix = await self._prefix(client)
                found.append(await self._timed(client, prefix, "caching"))
                found.append(await self._timed(client, prefix, "caching_again"))
                self._tell(f"warm at the first key, run {n + 1} of {runs}")
                found += await self._typed(client, await self._prefix(client))
        return found

    async def _prefix(self, client: ClaudeClient) -> Prefix:
        from bot.app.contexts.prefixes import Prefixes
        from bot.clock import system_now
        from bot.context.codebase import Codebase
        from bot.context.config.load import ContextConfig
        from bot.context.git.clone import Sources

        config = ContextConfig.model_validate(
            {
                "name": "bench",
                "model": self._model,
                "budget_tokens": self._tokens,
                "repositories": [{"url": self._repository}],
            }
        )
        with tempfile.TemporaryDirectory() as home:
            allowed = Sources(local=(Path(self._repository),))
            source = Codebase(config, Path(home), now=system_now, sources=allowed)
            await source.sync()
            pack = await source.pack()
        return await Prefixes(client).build(config, pack, secrets.token_hex(4))

    async def _timed(
        self, client: ClaudeClient, prefix: Prefix, strategy: str, since: float | None = None
    ) -> Run:
        begun = time.monotonic() if since is None else since
        words, usage = await _ask(client, prefix)
        return Run(strategy, words - begun, usage.cache_read, usage.written, usage.input)

    async def _typed(self, client: ClaudeClient, prefix: Prefix) -> list[Run]:
        """Warm at the first key; return the question's wait by the notebook clock and by ours."""
        warming = asyncio.ensure_future(client.warm(prefix))
        await asyncio.sleep(self._typing)
        sent = time.monotonic()
        await warming
        after = time.monotonic()
        words, usage = await _ask(client, prefix)
        used = (usage.cache_read, usage.written, usage.input)
        return [Run("seed", words - after, *used), Run("typing", words - sent, *used)]

    # (c): the whole product

    async def product(self, runs: int) -> list[Run]:
        found: list[Run] = []
        async with self._running_demo() as demo:
            person = demo.slack.user("U0YOU")
            for n in range(runs):
                self._tell(f"the product, cold, run {n + 1} of {runs}")
                await demo.forget()
                found.append(await _ask_in_slack(demo, "cold", lambda: person.dm(QUESTION)))
                self._tell(f"the product, kept warm, run {n + 1} of {runs}")
                found.append(await _ask_in_slack(demo, "kept", lambda: person.dm(QUESTION)))
                self._tell(f"the product, DM opened, run {n + 1} of {runs}")
                await demo.forget()
                person.open_dm()
                await asyncio.sleep(self._lead)
                found.append(await _ask_in_slack(demo, "dm", lambda: person.dm(QUESTION)))
                self._tell(f"the product, modal typed into, run {n + 1} of {runs}")
                await demo.forget()
                found.append(await self._modal(demo))
        return found

    async def _modal(self, demo: Demo) -> Run:
        from bot.commands.local.demo_stack import CHANNEL

        person = demo.slack.user("U0YOU")
        await person.open_modal(CHANNEL, "/ask")
        await demo.slack.until(lambda: "submit" in person.modal.content, "the modal")
        await person.type(QUESTION, per_key=self._typing / len(QUESTION))
        return await _ask_in_slack(demo, "modal", lambda: asyncio.ensure_future(person.submit()))

    @asynccontextmanager
    async def _running_demo(self) -> AsyncIterator[Demo]:
        from bot.commands.local.demo_stack import DemoConfig, running_demo

        with tempfile.TemporaryDirectory() as home:
            config = DemoConfig(
                home=Path(home),
                repository=self._repository,
                model=self._model,
                model_url=self._url,
                budget_tokens=self._tokens,
                instructions="",
                single_slot=True,
                environment={"ANTHROPIC_API_KEY": os.environ.get("ANTHROPIC_API_KEY", "none")},
            )
            async with running_demo(config, self._tell) as demo:
                yield demo


async def _ask(client: ClaudeClient, prefix: Prefix) -> tuple[float, Usage]:
    """Ask; return the monotonic time of the first words and the usage of the whole reply."""
    from bot.claude.request import question_request
    from bot.claude.stream import Ended, Text

    message = {"role": "user", "content": [{"type": "text", "text": QUESTION}]}
    first: float | None = None
    async for event in client.stream(question_request(prefix, "5m", [message], max_tokens=24)):
        if isinstance(event, Text) and first is None:
            first = time.monotonic()
        if isinstance(event, Ended):
            if first is None:
                raise ForewarmError("The model said nothing, so no wait could be timed.")
            return first, event.usage
    raise ForewarmError("The model's reply did not end, so no wait could be timed.")


async def _ask_in_slack(demo: Demo, strategy: str, ask: Callable[[], object]) -> Run:
    """Ask through the local Slack; read the wait off the bot's own state."""
    known = set((await demo.state())["questions"])
    before = len(demo.slack.log.deliveries)
    ask()
    deadline = time.monotonic() + ASK_SECONDS
    while time.monotonic() < deadline:
        state = await demo.state()
        new = [q for id, q in state["questions"].items() if id not in known]
        if new and new[0]["stage"] == "ended":
            if new[0]["wait"] is None:
                raise ForewarmError(f"A question ended without words ({new[0]['outcome']}).")
            told = list(demo.slack.log.deliveries)[before:]
            acks = [d.latency for d in told if d.latency is not None]
            return replace(_run(strategy, new[0], state), ack=max(acks, default=None))
        await asyncio.sleep(0.1)
    raise ForewarmError(f"A question was not answered within {ASK_SECONDS:.0f} s.")


def _run(strategy: str, question: dict[str, Any], state: dict[str, Any]) -> Run:
    prefix = state["prefixes"].get(question["prefix"] or "", {})
    uncached = max(0, int(prefix.get("tokens", 0)) - question["read"] - question["written"])
    parts = {part: question["wait"][part] for part in PARTS}
    return Run(
        strategy,
        question["wait"]["total"],
        question["read"],
        question["written"],
        uncached,
        parts,
    )


# --- showing ------------------------------------------------------------------------------------


def _print(runs: list[Run], summary: dict[str, dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table("strategy", "runs", "median", "p95", title="Wait for the first words, seconds")
    for row in summary.values():
        table.add_row(row["title"], str(row["runs"]), f"{row['median']:.2f}", f"{row['p95']:.2f}")
    console.print(table)
    detail = Table("strategy", "wait", "read", "written", "split", title="Every request")
    for run in runs:
        split = ", ".join(
            f"{part} {value:.2f}" for part, value in (run.parts or {}).items() if value
        )
        detail.add_row(run.strategy, f"{run.wait:.2f}", str(run.read), str(run.written), split)
    console.print(detail)
    share = summary.get("kept", {}).get("share_of_cold")
    if share:
        console.print(f"Kept warm, the wait is 1/{1 / share:.0f} of the cold one.")
    kept = [run for run in runs if run.strategy == "kept" and run.parts]
    acks = [run.ack for run in kept if run.ack is not None]
    paints = [run.parts["paint"] or 0.0 for run in kept if run.parts]
    if acks and paints:
        console.print(
            f"Warm questions: acknowledged within {1000 * max(acks):.0f} ms; first words on screen"
            f" within {1000 * max(paints):.0f} ms of the model's first."
        )
    console.print("(a) and (b) are simulated waits: join and model only.", style="dim")


def _plot(runs: list[Run], lead: float, path: Path) -> None:
    try:
        import matplotlib
    except ImportError:
        raise ForewarmError(
            "Charts need matplotlib, which is not installed: pip install 'forewarm-bot[plot]'."
        ) from None
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    summary = summarise(runs, lead)
    rows = list(summary.values())[::-1]
    figure, axes = plt.subplots(figsize=(9, 0.5 * len(rows) + 1.2))
    colours = ["#d1432a" if "Forewarm" in row["title"] else "#5b7fa6" for row in rows]
    bars = axes.barh([row["title"] for row in rows], [row["median"] for row in rows], color=colours)
    axes.bar_label(bars, labels=[f"{row['median']:.2f} s" for row in rows], padding=3)
    axes.set_xlabel("seconds to the first words, median")
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(x=0.12)
    figure.tight_layout()
    figure.savefig(path)
