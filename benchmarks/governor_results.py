"""Replays traces many times over, thinned by chance, and holds the governor against hindsight."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from bot.commands.simulate import Outcome, Setup, run
from bot.warm.replay.traces import Hints

HINTS: tuple[Hints, ...] = ("typing", "noisy", "none")
KEEPS = (1.0, 0.2, 0.05, 0.0125)
LEAST, TELLING = 8, 20
"""Questions that a replay must have to count for a mean; and to count for the worst."""


@dataclass(frozen=True, slots=True)
class Cell:
    """Replays of all traces with one kind of hint and one part of the threads.

    `mean` and `worst` are the governor's total cost by that of the best fixed strategy chosen in
    hindsight for the same replay; `beyond_caching` is the most by which it exceeds that of prompt
    caching alone, as a part of that; `wait_p95` is the worst replay's, in seconds.
    """

    hints: Hints
    keep: float
    replays: int
    mean: float | None
    worst: float | None
    beyond_caching: float | None
    wait_p95: float | None


def table(
    traces: Sequence[Path], setup: Setup, seeds: int, step: Callable[[], Any]
) -> Iterator[Cell]:
    """Yield a cell for each kind of hint and part of the threads; `step` follows each replay."""
    for hints in HINTS:
        for keep in KEEPS:
            yield _cell(hints, keep, list(_replays(traces, setup, hints, keep, seeds, step)))


def replays(traces: int, seeds: int) -> int:
    """Return how many replays a table takes."""
    return len(HINTS) * traces * (1 + (len(KEEPS) - 1) * seeds)


def as_json(cells: Sequence[Cell]) -> list[dict[str, Any]]:
    return [asdict(cell) for cell in cells]


def _replays(
    traces: Sequence[Path],
    setup: Setup,
    hints: Hints,
    keep: float,
    seeds: int,
    step: Callable[[], Any],
) -> Iterator[Outcome]:
    for path in traces:
        # With every thread kept there is nothing to draw.
        for seed in range(1, seeds + 1) if keep < 1.0 else (1,):
            yield run(path, replace(setup, hints=hints, keep=keep, seed=seed))
            step()


def _cell(hints: Hints, keep: float, outcomes: Sequence[Outcome]) -> Cell:
    ratios = [o.against_best for o in outcomes if o.questions >= LEAST and o.against_best]
    telling = [o.against_best for o in outcomes if o.questions >= TELLING and o.against_best]
    alone = [
        (o.total_usd, o.baselines["prompt caching alone"])
        for o in outcomes
        if o.questions >= TELLING
    ]
    beyond = [total / caching - 1.0 for total, caching in alone if caching]
    waits = [o.wait_p95 for o in outcomes if o.wait_p95 is not None]
    return Cell(
        hints,
        keep,
        len(outcomes),
        sum(ratios) / len(ratios) if ratios else None,
        max(telling, default=None),
        max(beyond, default=None),
        max(waits, default=None),
    )
