"""Value of a live cache entry: when to stop holding it, which life to write, when to write.

All values are USD, as the difference from leaving the prefix cold until the next question. Three
problems are solved here. All take the forecast as S, the probability that no question comes.

Holding (`holding_value`, optimal stopping). A question that finds a live entry saves b. Keeping
the entry alive for another life costs one read R. The entry is held for the number of lives with
the largest expected gain, decided in advance for the case that nothing comes:

    V = max over k of  Σ_{j ≤ k} [ b · (S_{j-1} - S_j) - R · S_{j-1} ]

Lives are taken in blocks that grow with their distance, since a far forecast is coarse.

Which life (`solve_entry_value`, a fixed point). Let A be how much more a 1 h entry is worth than a
5 min entry after a question, and D how much more it costs to write. A question that finds nothing
pays K and writes the better of the two. So the savings of a question that finds a live entry are

    b_5m = K - R - max(0, A - D)
    b_1h = K - R + min(A, D)

and A = V_1h(b_1h) - V_5m(b_5m) depends on itself. The right side grows more slowly than A: its
slope is the probability that a question finds the entry. So there is one solution, and halving an
interval finds it. A write takes an hour if A > D.

When to write (`best_write_hour`, backward induction). Written at hour k, an entry serves hour k and
then as many further hours as pay. From the last hour backwards, `tail` is the value of still
holding an entry through the hours that follow.

docs/governor.md#value-of-an-entry derives the formulas.

It breaks if b and S belong to different futures. The silence for `solve_entry_value` is that after
a question. The silence for `holding_value` in a decision is that of now.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.claude.usage import Ttl
from bot.warm.economics.costs import Costs

SHORT_BLOCKS = (1, 1, 1, 1, 2, 2, 4, 4, 8, 12)
"""Lives of 5 minutes that are taken together: 3 hours in all."""
LONG_BLOCKS = (1, 1, 1, 1, 2, 2, 4, 4, 8, 12, 18, 18)
"""Lives of an hour that are taken together: 3 days in all, longer than a weekend."""
HALVINGS = 9
"""The advantage is known to a five hundred and twelfth of what a cold question costs."""


@dataclass(frozen=True, slots=True)
class EntryValue:
    """Savings of questions by warmth, in USD.

    `cold_cost` is the whole cost of a question that finds nothing and writes for 5 minutes.
    `extra_write` is what writing for an hour costs more, `advantage` what it is worth more.
    """

    cold_cost: float
    extra_write: float
    read: float
    advantage: float

    @property
    def preferred_ttl(self) -> Ttl:
        """The life that pays if the entry has to be written anyway."""
        return "1h" if self.advantage > self.extra_write else "5m"

    def reason(self) -> str:
        """Say in words and numbers why a write gets its life."""
        if not self.extra_write:
            return "cold: write for 5m, the only life of entries at this provider"
        return (
            f"cold: write for {self.preferred_ttl}, since an hour's life is worth"
            f" ${self.advantage:.3f} more and costs ${self.extra_write:.3f} more"
        )

    def saving(self, ttl: Ttl, cold_cost: float | None = None) -> float:
        """Return what a question saves that finds an entry of this life alive."""
        base = (self.cold_cost if cold_cost is None else cold_cost) - self.read
        if ttl == "5m":
            return base - max(0.0, self.advantage - self.extra_write)
        return base + min(self.advantage, self.extra_write)


def lives_in_blocks(ttl: Ttl) -> tuple[int, ...]:
    """Return how many lives each block of the future has: the farther, the more."""
    return SHORT_BLOCKS if ttl == "5m" else LONG_BLOCKS


def holding_value(
    silence: Sequence[float], ttl: Ttl, saving: float, read: float, first_is_paid: bool
) -> float:
    """Return the value of holding an entry for the best number of blocks, at least 0.

    `silence` is the probability that no question comes: now, and until the end of each block.
    `saving` and `read` are in USD. `first_is_paid` tells that the first life costs no read.
    """
    best = total = 0.0
    before = silence[0]
    paid = read if first_is_paid else 0.0
    for lives, after in zip(lives_in_blocks(ttl), silence[1:], strict=False):
        # A read is due at the start of each life if nothing has come by then. Within a block the
        # probability of that falls about evenly, so its mean stands for all of them.
        still_silent = before - (before - after) * (lives - 1) / (2 * lives)
        total += saving * (before - after) - read * lives * still_silent + paid
        paid = 0.0
        before = after
        if total > best:
            best = total
        elif total + saving * after <= best:
            # Not even a certain question in the next block would beat the best so far.
            break
    return best


def best_write_hour(
    silence: Sequence[float], saving: float, write: float, read: float
) -> tuple[int, float]:
    """Return at which hour to write a 1 h entry ahead of questions, and the value of that in USD.

    `silence[k]` is the probability that no question comes within k hours. The value is 0 if it is
    best to wait for the question.
    """
    best, start, tail = 0.0, 0, 0.0
    for hour in range(len(silence) - 2, -1, -1):
        saved = saving * (silence[hour] - silence[hour + 1])
        value = saved + tail - write * silence[hour]
        if value > best:
            best, start = value, hour
        # An entry that was written earlier is held through this hour only if that pays.
        tail = max(0.0, saved + tail - read * silence[hour])
    return start, best


def solve_entry_value(
    costs: Costs, cold_cost: float, short: Sequence[float], long: Sequence[float]
) -> EntryValue:
    """Solve for the advantage of the longer life.

    `short` and `long` are the silences after a question, in blocks of 5 minutes and of an hour. If
    the provider has no 1 h entries, the advantage is 0.
    """
    if "1h" not in costs.lives:
        return EntryValue(cold_cost, 0.0, costs.read, 0.0)
    extra_write = costs.write_1h - costs.write_5m
    low, high = 0.0, cold_cost + extra_write
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        trial = EntryValue(cold_cost, extra_write, costs.read, middle)
        gap = holding_value(long, "1h", trial.saving("1h"), costs.read, True) - holding_value(
            short, "5m", trial.saving("5m"), costs.read, True
        )
        if gap > middle:
            low = middle
        else:
            high = middle
    return EntryValue(cold_cost, extra_write, costs.read, 0.5 * (low + high))
