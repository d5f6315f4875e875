"""Benchmark: what the bot itself costs, with a model and a Slack that cost nothing.

Model and Slack run in a process of their own and stamp what reaches them; the stamps are of the
system's monotonic clock, which both processes share. The store is memory here: what it costs is
`python -m benchmarks store`'s to say.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.progress import Progress

    from benchmarks.answer_rig import Ground
    from bot.claude.prefix import Prefix

PREFIX_BYTES = 400_000
CODE_BYTES, CODE_TOKENS, EXCERPT_TOKENS = 4_000_000, 30_000, 8_000
"""A repository that does not fit into its prefix, so that its questions get excerpts."""
TOKENS, PER_SECOND, FIRST_AFTER = 200, 50.0, 0.5
ARRIVING = 3.0
"""Seconds within which the questions of one measurement come: all of them run at once then."""
SAMPLE_TOKENS, SAMPLE_FIRST = 400, 0.5
GAP = 0.05
"""Seconds between two questions of those that are asked one after another."""
WARM_UP = 10
"""Questions before the measured ones: connections are opened and code is imported by then."""


def overhead(
    questions: Annotated[int, typer.Option(help="Questions asked one after another.")] = 200,
    running: Annotated[
        str, typer.Option(help="Answers streaming at once, one measurement for each number.")
    ] = "1,50,200",
    sample: Annotated[
        bool, typer.Option(help="Compare the first visible word with Slack's sample agent.")
    ] = True,
    drafts: Annotated[
        int, typer.Option(help="Questions that are answered before Enter; 0 for none.")
    ] = 5,
    code: Annotated[
        int, typer.Option(min=400_000, help="Bytes of the code that excerpts are taken from.")
    ] = CODE_BYTES,
    as_document: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure event to request, token to Slack, throughput, memory, drafts; compare the sample."""
    import json
    import logging

    import structlog
    from rich.console import Console
    from rich.progress import Progress

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    numbers = [int(number) for number in running.split(",")]
    with Progress(console=Console(stderr=True), transient=True) as progress:
        result = asyncio.run(_measure(questions, numbers, sample, drafts, code, progress))
    if as_document:
        typer.echo(json.dumps(result, indent=2))
    else:
        _print(result)


async def _measure(
    questions: int,
    running: Sequence[int],
    sample: bool,
    drafts: int,
    code: int,
    progress: Progress,
) -> dict[str, Any]:
    from benchmarks.answer_rig import ground
    from benchmarks.overhead_draft import draft_waits
    from bot.garbage_collection import set_aside_start_up

    standing = ground(PREFIX_BYTES)
    result: dict[str, Any] = {"prefix_bytes": PREFIX_BYTES, "streaming": []}
    with _ends() as url:
        step = progress.add_task("one after another", total=3 + len(running) + sample)
        result["event_to_request_ms"] = await _one_by_one(url, questions)
        result["excerpts_ms"] = await _excerpts(url, questions, code)
        set_aside_start_up()
        for number in running:
            progress.update(step, advance=1, description=f"{number} at once")
            result["streaming"].append(await _at_once(url, standing, number))
        if sample:
            progress.update(step, advance=1, description="Slack's sample")
            result["first_visible_word_s"] = await _beside_sample(url, standing)
    if drafts:
        progress.update(step, advance=1, description="drafts")
        waits = await draft_waits(drafts, PREFIX_BYTES)
        result["draft_wait_ms"] = _spread([seconds * 1000 for seconds in waits])
    return result


@contextmanager
def _ends() -> Iterator[str]:
    command = [sys.executable, "-m", "benchmarks.fake_services"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().decode().strip()}"
        finally:
            process.stdin.close()


# --- what is measured ---------------------------------------------------------------------------


async def _one_by_one(url: str, questions: int) -> dict[str, Any]:
    """Return the milliseconds from Slack's event to the request, and those of the bare SDK.

    The whole bot runs: signed events over HTTP, the question stored in SQLite before it is
    acknowledged, access, thread, prefix.
    """
    from benchmarks.overhead_bot import running_bot
    from bot.garbage_collection import set_aside_start_up

    numbers = range(questions + WARM_UP)
    async with running_bot(url, PREFIX_BYTES) as (address, prefix):
        set_aside_start_up()
        ours = await _asked(url, address, numbers)
        async with _scripted(url, numbers, Script(1, 0.0, 0.0)) as seen:
            bare = _delays(await _bare(url, prefix, numbers), await seen(), "requested")[WARM_UP:]
    above = [value - _quantile(bare, 0.5) for value in ours]
    return {
        "bot": _spread(ours),
        "bare_sdk": _spread(bare),
        "above_the_bare_sdk": _spread(above),
    }


async def _excerpts(url: str, questions: int, code: int) -> dict[str, Any]:
    """Return the milliseconds from event to request, with and without excerpts of a repository.

    The bot runs twice on the same code, and each run is asked the same questions.
    """
    from benchmarks.overhead_bot import running_bot

    found: dict[str, list[float]] = {}
    for name, tokens in (("without", 0), ("with", EXCERPT_TOKENS)):
        running = running_bot(url, code, budget=CODE_TOKENS, excerpts=tokens)
        async with running as (address, _):
            found[name] = await _asked(url, address, range(questions + WARM_UP))
    added = _quantile(found["with"], 0.5) - _quantile(found["without"], 0.5)
    return {**{name: _spread(waits) for name, waits in found.items()}, "added_p50": round(added, 2)}


async def _asked(url: str, address: str, numbers: Sequence[int]) -> list[float]:
    """Ask the bot at `address` one question after another; return the milliseconds to each request.

    The first ones are left out.
    """
    import aiohttp

    async with _scripted(url, numbers, Script(1, 0.0, 0.0)) as seen:
        told = {"url": address, "numbers": list(numbers)}
        patient = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout())
        async with patient as session, session.post(f"{url}/bench/ask", json=told) as reply:
            reply.raise_for_status()
        found = await seen()
    began = {number: found[number]["asked"] for number in numbers}
    return _delays(began, found, "requested")[WARM_UP:]


async def _bare(url: str, prefix: Prefix, numbers: Sequence[int]) -> dict[int, float]:
    """Send the same bodies with the SDK alone."""
    import anthropic

    from benchmarks.answer_rig import question
    from bot.answer.thread.prompt import conversation
    from bot.claude.request import question_request

    began: dict[int, float] = {}
    http = anthropic.DefaultAioHttpClient()
    async with anthropic.AsyncAnthropic(api_key="x", base_url=url, http_client=http) as client:
        for number in numbers:
            talk = conversation([], [], question(number))
            body = question_request(prefix, "5m", talk.messages).body()
            await asyncio.sleep(GAP)
            began[number] = time.monotonic()
            async for _ in await client.messages.create(**body):
                pass
    return began


async def _at_once(url: str, standing: Ground, running: int) -> dict[str, Any]:
    """Stream `running` answers at once; check every byte of them."""
    from benchmarks.answer_rig import ask_all, room
    from benchmarks.fake_services import answer_pieces

    numbers = range(1, running + 1)
    scripted = _scripted(url, numbers, Script(TOKENS, PER_SECOND, FIRST_AFTER))
    async with scripted as seen, room(url, standing) as (answerer, around):
        started, cpu = time.monotonic(), time.process_time()
        await ask_all(answerer, numbers, within=ARRIVING)
        seconds, used = time.monotonic() - started, time.process_time() - cpu
        found = await seen()
    exact = sum(
        "".join(found[number]["shown"].values()).strip()
        == "".join(answer_pieces(number, TOKENS)).strip()
        for number in numbers
    )
    waits = [
        (found[number]["first_words"] - found[number]["first_token"]) * 1000 for number in numbers
    ]
    return {
        "running": running,
        "complete": around.outcomes.count("answered"),
        "byte_for_byte": exact,
        "first_token_to_slack_ms": _spread(sorted(waits)),
        "tokens_per_second": round(running * TOKENS / seconds),
        "seconds": round(seconds, 2),
        "cpu_seconds": round(used, 2),
        "memory_mb": _memory(),
    }


async def _beside_sample(url: str, standing: Ground) -> dict[str, Any]:
    """Return the seconds to the first visible word: ours, and those of Slack's sample agent."""
    from benchmarks.answer_rig import ask_all, room

    numbers = range(1, 6)
    script = Script(SAMPLE_TOKENS, PER_SECOND, SAMPLE_FIRST)
    async with _scripted(url, numbers, script) as seen:
        async with room(url, standing) as (answerer, _):
            began = await ask_all(answerer, numbers)
        ours = _delays(began, await seen(), "first_words")
    async with _scripted(url, numbers, script) as seen:
        began = await _sample_all(url, standing, numbers)
        sample = _delays(began, await seen(), "first_words")
    mine, theirs = _quantile(ours, 0.5) / 1000, _quantile(sample, 0.5) / 1000
    return {
        "forewarm": round(mine, 3),
        "sample": round(theirs, 3),
        "ratio": round(mine / theirs, 4),
    }


async def _sample_all(url: str, standing: Ground, numbers: Sequence[int]) -> dict[int, float]:
    began = await asyncio.gather(*(_sample(url, standing, number) for number in numbers))
    return dict(zip(numbers, began, strict=True))


async def _sample(url: str, standing: Ground, number: int) -> float:
    """Answer as Slack's Bolt sample agents do: await all of the text, append it once, stop.

    (slack-samples/bolt-python-support-agent, its message handlers.)
    """
    import anthropic
    from slack_sdk.web.async_client import AsyncWebClient

    from benchmarks.answer_rig import question, thread
    from bot.answer.thread.prompt import conversation
    from bot.claude.request import question_request

    asked = question(number)
    body = question_request(standing.prefix, "5m", conversation([], [], asked).messages).body()
    began = time.monotonic()
    http = anthropic.DefaultAioHttpClient()
    async with anthropic.AsyncAnthropic(api_key="x", base_url=url, http_client=http) as client:
        slack = AsyncWebClient(token="xoxb-bench", base_url=f"{url}/api/")  # noqa: S106 - made up
        text = ""
        async for event in await client.messages.create(**body):
            if event.type == "content_block_delta":
                text += event.delta.text
        streamer = await slack.chat_stream(
            channel=asked.channel,
            thread_ts=thread(number),
            recipient_user_id=asked.user,
            recipient_team_id=asked.workspace,
        )
        await streamer.append(markdown_text=text)
        await streamer.stop()
    return began


# --- the ends' side -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Script:
    """The model's reply: tokens, tokens a second, and seconds before the first."""

    tokens: int
    per_second: float
    first_after: float


@asynccontextmanager
async def _scripted(url: str, numbers: Sequence[int], script: Script) -> AsyncIterator[Any]:
    """Script the model for these questions; yields what the ends have seen of them, on call."""
    import aiohttp

    from benchmarks.answer_rig import thread

    threads = [[thread(number), number] for number in numbers]
    told = {**asdict(script), "threads": threads}

    async with aiohttp.ClientSession() as session:

        async def seen() -> dict[int, Any]:
            async with session.get(f"{url}/bench/seen") as reply:
                return {int(number): what for number, what in (await reply.json()).items()}

        async with session.post(f"{url}/bench/configure", json=told):
            yield seen


def _delays(began: dict[int, float], seen: dict[int, Any], what: str) -> list[float]:
    """Return the milliseconds between asking and seeing, in the order of the questions."""
    return [(seen[number][what] - at) * 1000 for number, at in began.items()]


def _quantile(values: Sequence[float], part: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {
        "p50": round(_quantile(values, 0.5), 2),
        "p99": round(_quantile(values, 0.99), 2),
        "most": round(max(values), 2),
    }


def _memory() -> float:
    """Return the most memory this process has had resident, in MB."""
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(most / (1024 * 1024 if sys.platform == "darwin" else 1024), 1)


# --- printing -----------------------------------------------------------------------------------


def _print(result: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table("from Slack's event to the request, ms", "p50", "p99", "most")
    for who, spread in result["event_to_request_ms"].items():
        table.add_row(who.replace("_", " "), *(f"{value:.2f}" for value in spread.values()))
    for who in ("without", "with"):
        values = (f"{value:.2f}" for value in result["excerpts_ms"][who].values())
        table.add_row(f"bot, {who} excerpts", *values)
    console.print(table)
    columns = ("running", "complete", "exact", "token to Slack p50", "p99", "tokens/s", "CPU s")
    table = Table(*columns, "memory MB")
    for row in result["streaming"]:
        spread = row["first_token_to_slack_ms"]
        waits = (spread["p50"], spread["p99"])
        costs = (row["tokens_per_second"], row["cpu_seconds"], row["memory_mb"])
        table.add_row(
            *map(str, (row["running"], row["complete"], row["byte_for_byte"], *waits, *costs))
        )
    console.print(table)
    if "first_visible_word_s" in result:
        first = result["first_visible_word_s"]
        console.print(
            f"first visible word: {first['forewarm']} s; Slack's sample {first['sample']} s"
            f" ({first['ratio']:.2f} of it)"
        )
    if "draft_wait_ms" in result:
        wait = result["draft_wait_ms"]
        console.print(
            f"a draft submitted unchanged after 2 s, a model of 2 s: {wait['p50']:.0f} ms (p50),"
            f" {wait['most']:.0f} ms at most"
        )
