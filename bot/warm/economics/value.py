"""What a live cache entry is worth: the fixed point between lives, and when to stop holding.

All values are USD relative to leaving the prefix cold until the next question. A question that
finds a live entry saves `benefit`; holding an entry for another life costs one read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.claude.usage import Ttl
from bot.warm.economics.costs import Costs

SHORT_BLOCKS = (1, 1, 1, 1, 2, 2, 4, 4, 8, 12)
LONG_BLOCKS = (1, 1, 1, 1, 2, 2, 4, 4, 8, 12, 18, 18)
"""Lives of 5 minutes and of an hour that are looked at together: 3 hours, 3 days in all."""


@dataclass(frozen=True, slots=True)
class Worth:
    """What questions pay for warmth. `advantage` is how much more a fresh 1 h entry is worth.

    `cold_5m` is what a question costs that finds nothing and writes for 5 minutes, all told.
    """

    cold_5m: float
    dearer: float
    read: float
    advantage: float

    @property
    def writes(self) -> Ttl:
        """The life that pays when the entry has to be written anyway."""
        return "1h" if self.advantage > self.dearer else "5m"

    def reason(self) -> str:
        """Say in words and numbers why a write should have the life that it gets."""
        return (
            f"cold: write for {self.writes}, an hour's life being worth ${self.advantage:.3f} more "
            f"and costing ${self.dearer:.3f} more"
        )

    def benefit(self, life: Ttl, cold_5m: float | None = None) -> float:
        """Return what a question saves that finds an entry of this life alive."""
        base = (self.cold_5m if cold_5m is None else cold_5m) - self.read
        if life == "5m":
            return base - max(0.0, self.advantage - self.dearer)
        return base + min(self.advantage, self.dearer)


def blocks(ttl: Ttl) -> tuple[int, ...]:
    """Return into how many lives each block of the future falls: the farther, the coarser."""
    return SHORT_BLOCKS if ttl == "5m" else LONG_BLOCKS


def held(
    silence: Sequence[float], ttl: Ttl, benefit: float, read: float, first_free: bool
) -> float:
    """Return the value of holding an entry for as many lives as pay best.

    `silence` is the probability that no question comes: now, and until the end of each block of
    lives. The first life is paid for already where `first_free`.
    """
    best = total = 0.0
    before = silence[0]
    paid = read if first_free else 0.0
    for lives, after in zip(blocks(ttl), silence[1:], strict=False):
        # Within a block, refreshes are due with a chance that falls about evenly.
        still = before - (before - after) * (lives - 1) / (2 * lives)
        total += benefit * (before - after) - read * lives * still + paid
        paid = 0.0
        before = after
        if total > best:
            best = total
        elif total + benefit * after <= best:
            break
    return best


def best_start(
    silence: Sequence[float], benefit: float, write: float, read: float
) -> tuple[int, float]:
    """Return at which hour to write a 1 h entry ahead of questions, and what that is worth.

    `silence[k]` is the probability that no question comes within `k` hours. The value is 0 where
    it is best to wait for the question.
    """
    best, start, tail = 0.0, 0, 0.0
    for hour in range(len(silence) - 2, -1, -1):
        saved = benefit * (silence[hour] - silence[hour + 1])
        value = saved + tail - write * silence[hour]
        if value > best:
            best, start = value, hour
        # What holding it through this hour adds to an entry written before.
        tail = max(0.0, saved + tail - read * silence[hour])
    return start, best


def worth_of(costs: Costs, cold_5m: float, short: Sequence[float], long: Sequence[float]) -> Worth:
    """Solve for the advantage of the longer life.

    A question's saving depends on what its entry is worth afterwards, and that on the savings of
    questions to come. `short` and `long` are the silences after a question, in lives of 5 minutes
    and of an hour.
    """
    dearer = costs.write_1h - costs.write_5m
    low, high = 0.0, cold_5m + dearer
    for _ in range(9):
        middle = 0.5 * (low + high)
        trial = Worth(cold_5m, dearer, costs.read, middle)
        gap = held(long, "1h", trial.benefit("1h"), costs.read, True) - held(
            short, "5m", trial.benefit("5m"), costs.read, True
        )
        if gap > middle:
            low = middle
        else:
            high = middle
    return Worth(cold_5m, dearer, costs.read, 0.5 * (low + high))
