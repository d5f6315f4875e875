"""What the questions to come make of a prefix: worked out once, kept while nothing changes it.

Between the arrivals, which say when questions come, and the choice, which acts on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from bot.claude.usage import TTL_SECONDS, Ttl
from bot.warm.economics.costs import Costs
from bot.warm.economics.value import Worth, best_start, blocks, held, worth_of
from bot.warm.forecast.arrivals import Arrivals

HOUR = 3600.0
WORTH_LASTS = HOUR
LATER_LASTS = 900.0
PLANNED_HOURS = 96
"""A weekend and its two nights lie within."""
PLAN_LASTS = 6 * HOUR
"""Seconds after which a cold prefix is looked at again though nothing happened."""
FARTHEST_PLAN = 12 * HOUR
"""Seconds ahead that a plan is kept: what lies farther is known less finely."""
SOON = 60.0
"""Seconds: an hour to write for that begins sooner has begun."""


class Prospects:
    """Figures of one prefix, each as old as its lasting allows.

    `plan_at` is when a cold prefix is looked at again, None before a plan was made; `waiting` is
    what waiting until then is worth, in USD.
    """

    __slots__ = (
        "_arrivals",
        "_heard_at",
        "_later",
        "_later_until",
        "_worth",
        "_worth_until",
        "plan_at",
        "waiting",
    )

    def __init__(self, arrivals: Arrivals) -> None:
        self._arrivals = arrivals
        self._worth: Worth | None = None
        self._worth_until = self._heard_at = self._later_until = float("-inf")
        self._later: dict[Ttl, float] = {}
        self.plan_at: float | None = None
        self.waiting = 0.0

    def __repr__(self) -> str:
        plan = "none" if self.plan_at is None else f"{self.plan_at:.0f}"
        return f"<Prospects: writes {self.writes}, plan {plan}>"

    @property
    def writes(self) -> Ttl:
        """The life that a write should have, as far as is known."""
        return self._worth.writes if self._worth else "5m"

    def heard(self, at: float) -> None:
        """Somebody asked, or wrote in an open thread."""
        self._heard_at, self._later_until = at, float("-inf")

    def worth(self, at: float, costs: Costs, place: str | None = None) -> Worth:
        """Return what warmth is worth to questions to come, the first of them in `place`."""
        if self._worth is None or at > self._worth_until:
            place = place or next(reversed(self._arrivals.channels), None)
            short = self.silence(at, "5m", after=place)
            long = self.silence(at, "1h", after=place)
            self._worth = worth_of(costs, self._cold_5m(costs), short, long)
            self._worth_until = at + WORTH_LASTS
        return self._worth

    def unforetold(self, at: float, costs: Costs) -> dict[Ttl, float]:
        """Return what a fresh entry of each life is worth to questions that no signal foretells.

        It changes about as the silence grows, so it is worked out anew with every fourth of it.
        """
        if at >= self._later_until:
            worth = self.worth(at, costs)
            for ttl in TTL_SECONDS:
                silence = self.silence(at, ttl, signals=False)
                self._later[ttl] = held(silence, ttl, worth.benefit(ttl), costs.read, True)
            self._later_until = at + min(LATER_LASTS, (at - self._heard_at) / 4)
        return self._later

    def planned(self, at: float) -> bool:
        """Tell whether a plan was made whose time has not come."""
        return self.plan_at is not None and at < self.plan_at

    def plan(self, at: float, costs: Costs) -> float:
        """Set when to look at a cold prefix again: ahead of the hour that is worth writing for.

        Returns what writing is worth at the best time, be it now.
        """
        hour = (at // HOUR + 1) * HOUR
        starts = [hour + HOUR * number for number in range(PLANNED_HOURS)]
        silence = self._arrivals.silence(at, starts, signals=False)
        benefit = self.worth(at, costs).benefit("1h")
        start, value = best_start(silence, benefit, costs.write_1h, costs.read)
        ahead = starts[start - 1] - at - costs.prefill if start else 0.0
        if ahead > SOON:
            self.plan_at, self.waiting = at + min(FARTHEST_PLAN, ahead), value
        else:
            self.plan_at, self.waiting = at + PLAN_LASTS, 0.0
        return value

    def silence(
        self,
        at: float,
        ttl: Ttl,
        *,
        only: int | None = None,
        after: str | None = None,
        signals: bool = True,
    ) -> Sequence[float]:
        """Return how surely no question comes: now, and until the end of each block of lives."""
        life = TTL_SECONDS[ttl]
        ends = [at + life * lives for lives in accumulate(blocks(ttl)[:only])]
        return self._arrivals.silence(at, ends, after_question=after, signals=signals)

    def _cold_5m(self, costs: Costs) -> float:
        """Return what a cold question costs that writes for 5 minutes, its signals considered."""
        conversions = self._arrivals.conversions
        share = conversions.signalled_share
        unwarned = costs.write_5m + costs.second * costs.prefill
        left = costs.second * conversions.waiting_left(costs.prefill)
        warned = costs.write_5m / max(0.05, conversions.typical()) + costs.read + left
        return (1 - share) * unwarned + share * min(unwarned, warned)
