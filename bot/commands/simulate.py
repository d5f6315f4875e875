"""`forewarm simulate`: traces replayed through the governor that the bot runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

from bot.errors import ForewarmError
from bot.stored import dump

if TYPE_CHECKING:
    from bot.warm.economics.costs import Costs
    from bot.warm.replay.baselines import Bill
    from bot.warm.replay.replay import RequestLine
    from bot.warm.replay.traces import Event, Hints


TOKENS, PREFILL_SECONDS, WARM_TTFT = 150_000, 18.93, 1.94
"""Tokens, seconds of a cold prefill and seconds to the first token of a warm request.

Source: docs/platform/claude.md#anthropics-notebook.
"""

NOTEBOOK_NAME = "Anthropic's notebook: warming at typing"
_FIRST_NAME = "seed"
NOTEBOOK_KEY = f"the {_FIRST_NAME}'s warming at typing"
"""The first version's name for the same strategy. It stays the key in the output of `--json`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """Settings of a simulation. Tokens, seconds, USD an hour."""

    tokens: int
    model: str
    prefill: float
    warm: float
    wait_cost: float
    hints: Hints
    keep: float
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One trace's figures. Waits in seconds, money in USD; `ratio` is total by optimum.

    `baselines` holds each other strategy's total; `best_fixed` names the best of the fixed ones in
    hindsight and `against_best` is the governor's total by its.
    """

    trace: str
    questions: int
    api_usd: float
    wait_p50: float | None
    wait_p95: float | None
    wait_mean: float | None
    total_usd: float
    optimum_usd: float
    ratio: float | None
    baselines: dict[str, float]
    best_fixed: str
    against_best: float | None


def simulate(
    traces: Annotated[list[Path], typer.Argument(help="Traces: JSON lines, gzip or plain.")],
    tokens: Annotated[int, typer.Option(min=1, help="Tokens of the prefix.")] = TOKENS,
    model: Annotated[str, typer.Option(help="Whose prices are paid.")] = "claude-sonnet-5-5",
    prefill: Annotated[
        float,
        typer.Option(
            "--prefill-seconds", min=0, max=3600, help="What a cold question waits longer."
        ),
    ] = PREFILL_SECONDS,
    warm: Annotated[
        float,
        typer.Option(
            "--warm-ttft", min=0, max=3600, help="Seconds to a warm question's first words."
        ),
    ] = WARM_TTFT,
    wait_cost: Annotated[
        float,
        typer.Option("--wait-cost", min=0, max=1e6, help="What an hour of waiting is worth, USD."),
    ] = 100.0,
    typing: Annotated[
        bool, typer.Option("--typing", help="A signal at the start of each question's typing.")
    ] = False,
    noisy_typing: Annotated[
        bool,
        typer.Option("--noisy-typing", help="The same, and before openings that do not ask."),
    ] = False,
    keep: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Keep each thread with this probability.")
    ] = 1.0,
    seed: Annotated[int, typer.Option(help="Of that choice.")] = 1,
    log: Annotated[
        Path | None, typer.Option(help="Write a JSON line for each request.", dir_okay=False)
    ] = None,
    as_document: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    plot: Annotated[
        Path | None, typer.Option(help="Write a chart to this file.", dir_okay=False)
    ] = None,
) -> None:
    """Replay traces and compare the governor with fixed strategies and the optimum."""
    from bot.commands.outputs import require_writable

    if typing and noisy_typing:
        raise ForewarmError("--typing and --noisy-typing exclude each other: choose one.")
    hints: Hints = "typing" if typing else "noisy" if noisy_typing else "none"
    setup = Setup(
        tokens=tokens,
        model=model,
        prefill=prefill,
        warm=warm,
        wait_cost=wait_cost,
        hints=hints,
        keep=keep,
        seed=seed,
    )
    require_writable(log=log, plot=plot)
    outcomes = _run_all(traces, setup, log, show=not as_document)
    if plot is not None:
        _plot(outcomes, plot)
    if as_document:
        typer.echo(json.dumps([dump(outcome) for outcome in outcomes], indent=2))
    else:
        _print(outcomes)


def _run_all(
    traces: Sequence[Path], setup: Setup, log: Path | None, *, show: bool
) -> list[Outcome]:
    from rich.progress import Progress

    with Progress(transient=True, disable=not show) as bar:
        task = bar.add_task("replaying", total=len(traces))
        outcomes = []
        output = log.open("w", encoding="utf-8") if log is not None else None
        try:
            for path in traces:
                outcomes.append(run(path, setup, output))
                bar.advance(task)
        finally:
            if output is not None:
                output.close()
    return outcomes


def run(path: Path, setup: Setup, output: IO[str] | None = None) -> Outcome:
    """Replay one trace; write its requests to `output`. Raises `TraceError`."""
    from bot.warm.economics.costs import costs_for
    from bot.warm.replay.baselines import fixed_strategies, replay_fixed
    from bot.warm.replay.optimum import optimum_usd
    from bot.warm.replay.replay import Replay
    from bot.warm.replay.traces import events, read_trace, thin_out
    from bot.warm.types import PrefixFacts

    timeline = events(thin_out(read_trace(path), setup.keep, setup.seed), setup.hints)
    costs = costs_for(setup.model, setup.tokens, setup.prefill, setup.wait_cost)
    facts = PrefixFacts(
        key="trace",
        fingerprint="trace",
        base_fingerprint="trace",
        tokens=setup.tokens,
        base_tokens=setup.tokens,
        model=setup.model,
        context="trace",
        wait_cost_per_hour=setup.wait_cost,
        daily_limit_usd=float("inf"),
        prefill_seconds=setup.prefill,
    )

    def write(line: RequestLine) -> None:
        if output is not None:
            output.write(json.dumps(dump(line)) + "\n")

    bill = Replay(facts, costs, setup.warm, log=write).run(timeline)
    asked = [event.at for event in timeline if event.kind == "question"]
    fixed = {
        strategy.name: replay_fixed(strategy, timeline, costs).total(costs, setup.warm)
        for strategy in fixed_strategies(setup.hints != "none")
    }
    best = min(fixed, key=lambda name: fixed[name])
    optimum = optimum_usd(asked, costs, setup.warm)
    return _outcome(path, setup, costs, bill, optimum, _named(timeline, costs, setup), best, fixed)


def _named(timeline: Sequence[Event], costs: Costs, setup: Setup) -> dict[str, float]:
    """Return the totals of the usual strategies."""
    from bot.warm.replay.baselines import ALWAYS_ON, NOTEBOOK, PINGER, PROMPT_CACHING, replay_fixed

    named = {
        "prompt caching alone": PROMPT_CACHING,
        NOTEBOOK_KEY: NOTEBOOK,
        "always on": ALWAYS_ON,
        "5-minute pinger": PINGER,
    }
    return {
        name: replay_fixed(strategy, timeline, costs).total(costs, setup.warm)
        for name, strategy in named.items()
    }


def _outcome(
    path: Path,
    setup: Setup,
    costs: Costs,
    bill: Bill,
    optimum: float,
    baselines: dict[str, float],
    best: str,
    fixed: dict[str, float],
) -> Outcome:
    waits = sorted(wait + setup.warm for wait in bill.waits)
    total = bill.total(costs, setup.warm)
    return Outcome(
        trace=path.name,
        questions=len(waits),
        api_usd=bill.api_usd,
        wait_p50=_quantile(waits, 0.5),
        wait_p95=_quantile(waits, 0.95),
        wait_mean=sum(waits) / len(waits) if waits else None,
        total_usd=total,
        optimum_usd=optimum,
        ratio=total / optimum if optimum else None,
        baselines={**baselines, "best fixed in hindsight": fixed[best]},
        best_fixed=best,
        against_best=total / fixed[best] if fixed[best] else None,
    )


def _shown_name(key: str) -> str:
    return NOTEBOOK_NAME if key == NOTEBOOK_KEY else key


def _quantile(values: Sequence[float], share: float) -> float | None:
    return values[min(len(values) - 1, int(share * len(values)))] if values else None


def _print(outcomes: Sequence[Outcome]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    for one in outcomes:
        table = Table(
            "strategy", "total $", "by optimum", title=f"{one.trace}: {one.questions} questions"
        )
        baselines = {_shown_name(name): total for name, total in one.baselines.items()}
        rows: dict[str, Any] = {"the governor": one.total_usd, **baselines}
        rows["the clairvoyant optimum"] = one.optimum_usd
        for name, total in rows.items():
            share = f"{total / one.optimum_usd:.3f}" if one.optimum_usd else "-"
            table.add_row(name, f"{total:.2f}", share)
        console.print(table)
        if one.wait_p50 is not None:
            console.print(
                f"API ${one.api_usd:.2f}; simulated wait p50 {one.wait_p50:.2f} s,"
                f" p95 {one.wait_p95:.2f} s, mean {one.wait_mean:.2f} s;"
                f" {one.against_best:.3f} of the best fixed ({one.best_fixed})",
                highlight=False,
            )


def _plot(outcomes: Sequence[Outcome], path: Path) -> None:
    try:
        import matplotlib
    except ImportError:
        raise ForewarmError(
            "Charts need matplotlib, which is not installed: pip install 'forewarm-bot[plot]'."
        ) from None
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    names = ["governor", *outcomes[0].baselines]
    figure, axes = plt.subplots(figsize=(9, 4))
    width = 0.8 / len(names)
    for at, name in enumerate(names):
        shares = [
            (one.total_usd if name == "governor" else one.baselines[name])
            / (one.optimum_usd or 1.0)
            for one in outcomes
        ]
        places = [n + at * width for n in range(len(outcomes))]
        axes.bar(places, shares, width, label=_shown_name(name))
    axes.set_xticks(
        [n + 0.4 - width / 2 for n in range(len(outcomes))], [one.trace for one in outcomes]
    )
    axes.axhline(1.0, color="black", linewidth=0.8)
    axes.set_ylabel("total cost by the clairvoyant optimum")
    axes.set_yscale("log")
    axes.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path)
