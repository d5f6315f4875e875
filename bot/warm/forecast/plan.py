"""Value of warmth on one prefix, and when to look at it again while it is cold.

Between the forecast of arrivals, which says when questions come, and the choice in
`prefix_state.py`, which acts on it. Three figures are computed from the forecast. Each is kept for
as long as it can be trusted, since a decision is made at every event and each figure costs an
integration over hours or days.

    value of an entry      `EntryValue`, a fixed point           for an hour
    value_without_signals  of a fresh entry of each life         for a quarter of the silence so far
    plan                   the best hour to write a 1 h entry    until that hour, 12 hours at most

The plan exists because a cold entry may be worth nothing now and much before 9 o'clock. The best
hour ahead is found by backward induction over the next 96 hours (`best_write_hour`). A signal in
the meantime must be worth more than waiting for that hour. See
docs/governor.md#plan-for-a-cold-prefix.

It breaks if a prefix is never looked at again. A prefix without a good hour is looked at after
`PLAN_LASTS` all the same, because the belief changes with silence.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from bot.claude.usage import TTL_SECONDS, Ttl
from bot.warm.economics.costs import Costs
from bot.warm.economics.value import (
    EntryValue,
    best_write_hour,
    holding_value,
    lives_in_blocks,
    solve_entry_value,
)
from bot.warm.forecast.arrivals import Arrivals

HOUR = 3600.0
VALUE_LASTS = HOUR
VALUE_WITHOUT_SIGNALS_LASTS = 900.0
PLANNED_HOURS = 96
"""A weekend with the night before and the night after it."""
PLAN_LASTS = 6 * HOUR
"""Seconds after which a cold prefix is looked at again although nothing happened."""
FARTHEST_PLAN = 12 * HOUR
"""Seconds ahead that a plan is kept, since the far future is known less well."""
SOON = 60.0
"""Seconds: an hour that begins sooner is taken to have begun."""
LEAST_PROBABILITY = 0.05
"""Signals are taken to become questions at least this often, so that no cost is infinite."""


class WarmthPlan:
    """Figures of one prefix, each kept until it is too old.

    `look_at` is when to look at the cold prefix again, None before a plan was made.
    `waiting_value` is what waiting until then is worth, in USD.
    """

    __slots__ = (
        "_active_at",
        "_arrivals",
        "_unsignalled",
        "_unsignalled_until",
        "_value",
        "_value_until",
        "look_at",
        "waiting_value",
    )

    def __init__(self, arrivals: Arrivals) -> None:
        self._arrivals = arrivals
        self._value: EntryValue | None = None
        self._value_until = self._active_at = self._unsignalled_until = float("-inf")
        self._unsignalled: dict[Ttl, float] = {}
        self.look_at: float | None = None
        self.waiting_value = 0.0

    @property
    def preferred_ttl(self) -> Ttl:
        """Life that a write should have, by the latest value."""
        return self._value.preferred_ttl if self._value else "5m"

    def record_activity(self, at: float) -> None:
        """Take in that a question came, or a message in an open thread: a follow-up is likely."""
        self._active_at, self._unsignalled_until = at, float("-inf")

    def value(self, at: float, costs: Costs, channel_key: str | None = None) -> EntryValue:
        """Return the value of an entry after a question in the channel, by default the latest."""
        if self._value is None or at > self._value_until:
            # The channel used last comes last: the next question is likeliest there.
            asking = channel_key or next(reversed(self._arrivals.channels), None)
            short = self.silence(at, "5m", after_question=asking)
            long = self.silence(at, "1h", after_question=asking)
            self._value = solve_entry_value(costs, self._cold_cost(costs), short, long)
            self._value_until = at + VALUE_LASTS
        return self._value

    def value_without_signals(self, at: float, costs: Costs) -> dict[Ttl, float]:
        """Return the value of a fresh entry of each life to questions without a signal, in USD."""
        if at >= self._unsignalled_until:
            value = self.value(at, costs)
            for ttl in costs.lives:
                silence = self.silence(at, ttl, signals=False)
                self._unsignalled[ttl] = holding_value(
                    silence, ttl, value.saving(ttl), costs.read, first_is_paid=True
                )
            # The hazard of a follow-up falls about as one over the silence. So the figure changes
            # by a constant factor each time that the silence grows by a constant factor.
            self._unsignalled_until = at + min(
                VALUE_WITHOUT_SIGNALS_LASTS, (at - self._active_at) / 4
            )
        return self._unsignalled

    def is_pending(self, at: float) -> bool:
        """Tell whether a plan exists whose time has not come."""
        return self.look_at is not None and at < self.look_at

    def make(self, at: float, costs: Costs) -> float:
        """Set when to look at a cold prefix again: ahead of the best hour to write.

        Return the value of writing at the best time, which may be now, in USD.
        """
        if "1h" not in costs.lives:
            # An entry of 5 minutes is written at a signal, never ahead of an hour.
            self.look_at, self.waiting_value = at + PLAN_LASTS, 0.0
            return 0.0
        # Whole hours, since the shape of the week is known by the hour.
        hour = (at // HOUR + 1) * HOUR
        starts = [hour + HOUR * number for number in range(PLANNED_HOURS)]
        silence = self._arrivals.silence(at, starts, signals=False)
        saving = self.value(at, costs).saving("1h")
        start, value = best_write_hour(silence, saving, costs.write_1h, costs.read)
        # The entry must be readable when the hour begins, so the write begins a prefill earlier.
        ahead = starts[start - 1] - at - costs.prefill if start else 0.0
        if ahead > SOON:
            self.look_at, self.waiting_value = at + min(FARTHEST_PLAN, ahead), value
        else:
            self.look_at, self.waiting_value = at + PLAN_LASTS, 0.0
        return value

    def silence(
        self,
        at: float,
        ttl: Ttl,
        *,
        blocks: int | None = None,
        after_question: str | None = None,
        signals: bool = True,
    ) -> Sequence[float]:
        """Return the probability of silence now and until the end of each block of lives.

        `blocks` limits how many blocks are returned. The other options are those of
        `Arrivals.silence`.
        """
        life = TTL_SECONDS[ttl]
        ends = [at + life * lives for lives in accumulate(lives_in_blocks(ttl)[:blocks])]
        return self._arrivals.silence(at, ends, after_question=after_question, signals=signals)

    def _cold_cost(self, costs: Costs) -> float:
        """Return the expected cost of a cold question that writes for 5 minutes, in USD.

        A question without a signal waits for the whole prefill. One with a signal finds the entry
        under way: it waits for the rest only, but pays its share of the warm-ups for signals that
        became no question. The governor warms at signals only if that is cheaper.
        """
        conversions = self._arrivals.conversions
        share = conversions.share_of_questions_after_a_signal
        unwarned = costs.write_5m + costs.second * costs.prefill
        left = costs.second * conversions.remaining_wait(costs.prefill)
        writes = costs.write_5m / max(LEAST_PROBABILITY, conversions.mean_probability())
        warned = writes + costs.read + left
        return (1 - share) * unwarned + share * min(unwarned, warned)
