"""Append, fold or rebuild: the decision a push calls for. Pure; sizes in tokens.

Every token that the prefix carries beyond a fresh pack costs a little at each push that follows
(it is read, and fills the window), and a rebuild costs a full write. A rule that does not know the
future rents until the rent paid equals the price, and then buys: a base is rebuilt once the carried
excess, summed over pushes, has cost as much as the rebuild. The same rule, with the smaller price
of rewriting the overlays alone (the base stays cached at its own marker), folds many overlays into
one. `RENT` and `MOST_GROWTH` were set on the first-parent histories that `benchmarks push`
replays; the rule has no setting that depends on the repository.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

RENT = 0.12
"""The cost of carrying one token of excess past one push, in tokens written."""
MOST_GROWTH = 0.20
"""The largest excess over a fresh pack, as a share of it."""

_WORTHWHILE = 0.75

Act = Literal["keep", "append", "fold", "rebuild"]


@dataclass(frozen=True, slots=True)
class Part:
    """One repository in the prefix, in the order of the bases. Tokens.

    `base` and `overlays` stand there now, `append` is the block that the push would add, `fresh`
    what a new base would take. `carried` and `pushes` are the ledger: rent paid since the base was
    built, and pushes told since the overlays were last folded or weighed.
    """

    base: int
    overlays: int
    append: int
    fresh: int
    carried: float = 0.0
    pushes: int = 0

    @property
    def excess(self) -> int:
        return max(0, self.base + self.overlays + self.append - self.fresh)


@dataclass(frozen=True, slots=True)
class Decision:
    """An act and its reason. A rebuild renews the bases from index `start` on. They follow each
    other in the prefix, so those after a renewed one are written again anyway. `parts` is the
    ledger for next time, with the sizes after the act.
    """

    act: Act
    reason: str
    parts: tuple[Part, ...]
    start: int = 0


def decide(
    parts: Sequence[Part],
    *,
    room: int | None,
    cold: bool,
    folded: Callable[[], int],
) -> Decision:
    """Decide for one push over all repositories of a context.

    `room` is the budget in tokens (None: no bound); `cold` says that nothing is cached, so that a
    rebuild costs nothing extra; `folded` measures the overlays written anew as one per repository,
    and is only called when that could pay.
    """
    parts = tuple(parts)
    stale = any(part.overlays or part.append for part in parts)
    if cold and stale:
        return _rebuild(parts, 0, "the cache is cold, so a new base costs nothing extra")
    if not any(part.append for part in parts):
        return Decision("keep", "nothing that is shown has changed", parts)
    start = _best_start(parts)
    total = sum(part.base + part.overlays + part.append for part in parts)
    if room is not None and total > room:
        return _squeeze(parts, room, folded)
    growth = sum(part.excess for part in parts) / max(1, sum(part.fresh for part in parts))
    if growth > MOST_GROWTH:
        return _rebuild(parts, start, f"the prefix would be {growth:.0%} larger than a fresh one")
    if _rent(parts, start) >= _price(parts, start):
        return _rebuild(parts, start, "carrying the updates has cost as much as a new base")
    return _fold_or_append(parts, folded)


def _squeeze(parts: tuple[Part, ...], room: int, folded: Callable[[], int]) -> Decision:
    overlays = folded()
    # Folding that frees little would be called for again at the next push.
    if sum(part.base for part in parts) + overlays <= room and _folding_helps(
        parts, overlays, _WORTHWHILE
    ):
        return _fold(parts, overlays, "the updates would not fit the budget one by one")
    return _rebuild(parts, 0, "the updates no longer fit the budget")


def _fold_or_append(parts: tuple[Part, ...], folded: Callable[[], int]) -> Decision:
    pushes = max(part.pushes for part in parts) + 1
    overlays = sum(part.overlays + part.append for part in parts)
    if pushes >= 1 / RENT:
        small = folded()
        # Excess that folding would take away has grown about evenly, from nothing, over the pushes.
        if RENT * pushes * (overlays - small) / 2 >= small and _folding_helps(parts, small):
            return _fold(parts, small, "many updates say less than one would")
    carried = tuple(
        replace(
            part,
            overlays=part.overlays + part.append,
            append=0,
            carried=part.carried + RENT * part.excess,
            pushes=0 if pushes >= 2 / RENT else pushes,
        )
        for part in parts
    )
    return Decision("append", "the push fits behind what is cached", carried)


def _folding_helps(parts: Sequence[Part], folded: int, share: float = 1.0) -> bool:
    return folded < share * sum(part.overlays + part.append for part in parts)


def _fold(parts: tuple[Part, ...], overlays: int, reason: str) -> Decision:
    """The caller keeps overlays per repository; the ledger shares them out."""
    before = max(1, sum(part.overlays + part.append for part in parts))
    after = tuple(
        replace(
            part,
            overlays=round(overlays * (part.overlays + part.append) / before),
            append=0,
            carried=part.carried + RENT * part.excess,
            pushes=0,
        )
        for part in parts
    )
    return Decision("fold", reason, after)


def _rebuild(parts: tuple[Part, ...], start: int, reason: str) -> Decision:
    kept = tuple(
        replace(part, overlays=part.overlays + part.append, append=0) for part in parts[:start]
    )
    renewed = tuple(Part(part.fresh, 0, 0, part.fresh) for part in parts[start:])
    return Decision("rebuild", reason, (*kept, *renewed), start)


def _price(parts: Sequence[Part], start: int) -> int:
    """Return the tokens that a renewal from `start` on writes, with the overlays before it."""
    kept = sum(part.overlays + part.append for part in parts[:start])
    return kept + sum(part.fresh for part in parts[start:])


def _rent(parts: Sequence[Part], start: int) -> float:
    return sum(part.carried + RENT * part.excess for part in parts[start:])


def _best_start(parts: Sequence[Part]) -> int:
    """Return the first base of the rebuild that takes away the most excess for its price."""
    return max(
        range(len(parts)),
        key=lambda start: (
            sum(part.excess for part in parts[start:]) / max(1, _price(parts, start)),
            -start,
        ),
    )
