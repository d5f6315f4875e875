"""How likely an open thread is to bring another question, by how long it has been silent.

The hazard of a thread is the rate, in questions per second, at which it brings its next question.
It falls about as one over the thread's age. One channel's hazard is piecewise constant: one rate
for each bin of age, and each rate is a gamma belief,

    hazard_j = count_j / seconds_j

from `count_j` questions in `seconds_j` seconds that threads of the channel spent at such an age.
Until follow-ups were seen, the belief is a prior worth `PRIOR_COUNT` questions in each bin. Its
rates are those of three public developer channels, rounded:

    rate(age) = at_once / (1 + (age / half) ** power)

Two clocks exist. `SINCE_MESSAGE` counts a thread's age from its last message, by any author: it
forecasts threads that are open now. `SINCE_QUESTION` counts from the last question: it forecasts a
thread that a question has just opened, before any reply. See docs/governor.md#follow-ups.

A thread older than `CLOSED_AGE` brings nothing. Without that end, the sum over all old threads of
a busy channel would grow for ever.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

EDGES = (30.0, 60.0, 120.0, 240.0, 480.0, 960.0, 1920.0, 3840.0, 7680.0, 15360.0, 61440.0)
"""Ages in seconds at which one bin ends and the next begins."""
CLOSED_AGE = 86_400.0
"""Age in seconds from which a thread counts as closed: the end of the last bin."""
BIN_ENDS = (*EDGES, CLOSED_AGE)
PRIOR_COUNT = 4.0
"""Questions that the prior is worth in each bin."""


Prior = tuple[float, float, float]
"""Hazard at age 0 (questions per hour), age at which it has halved (seconds), power of decay."""
SINCE_MESSAGE: Prior = (2.2, 80.0, 1.35)
SINCE_QUESTION: Prior = (3.0, 140.0, 1.2)


def _prior_rates(prior: Prior) -> list[float]:
    """Return the prior's questions per second in each bin."""
    at_once, half, power = prior
    # A bin spans a factor of two or more, so its middle is the geometric mean of its ends. The
    # first bin begins at 0, which has no geometric mean: 15 s stands for it.
    middles = [(low * high) ** 0.5 for low, high in zip((15.0, *EDGES), BIN_ENDS, strict=True)]
    return [at_once / 3600 / (1 + (age / half) ** power) for age in middles]


class FollowUps:
    """Belief about the follow-ups of one channel, with one of the two clocks."""

    __slots__ = ("_counts", "_hazards", "_seconds", "_steps")

    def __init__(self, prior: Prior) -> None:
        self._counts = [PRIOR_COUNT] * (len(EDGES) + 1)
        # So many seconds make the belief's mean equal to the prior's rate.
        self._seconds = [PRIOR_COUNT / rate for rate in _prior_rates(prior)]
        self._hazards: list[float] = []
        self._steps: list[tuple[float, float]] = []
        self._update_hazards()

    def record(self, age: float, is_question: bool) -> None:
        """Record that a thread was silent up to `age`, and whether a question ended the silence."""
        low = 0.0
        for bin_index, high in enumerate(BIN_ENDS):
            if age <= low:
                break
            self._seconds[bin_index] += min(high, age) - low
            low = high
        if is_question and age < CLOSED_AGE:
            self._counts[bisect_right(EDGES, age)] += 1.0
            # Silence alone changes the hazards little, and messages are many. So the hazards are
            # computed anew only here.
            self._update_hazards()

    def expected_count(self, ages: Iterable[float], spans: Sequence[float]) -> list[float]:
        """Return the expected follow-ups of threads of these ages, within each span of seconds.

        The spans are in rising order. The result is a sum of integrals, one for each thread, of
        the hazard from its age on.
        """
        # All threads together have one piecewise constant hazard. Its steps, sorted by time, are
        # swept once for all spans: work grows with the steps, not with steps times spans.
        steps = [step for age in ages for step in self._steps_after(age)]
        steps.sort()
        coming = iter([*steps, (math.inf, 0.0)])
        when, change = next(coming)
        counts: list[float] = []
        count = hazard = now = 0.0
        for span in spans:
            while when <= span:
                count += hazard * (when - now)
                hazard += change
                now = when
                when, change = next(coming)
            count += hazard * (span - now)
            now = span
            counts.append(count)
        return counts

    def snapshot(self) -> dict[str, Any]:
        """Return the belief as JSON."""
        return {"counts": self._counts, "seconds": self._seconds}

    @classmethod
    def from_snapshot(cls, state: dict[str, Any]) -> FollowUps:
        """Return the belief that `snapshot` returned."""
        followups = cls(SINCE_MESSAGE)
        followups._counts = [float(n) for n in state["counts"]]
        followups._seconds = [float(n) for n in state["seconds"]]
        followups._update_hazards()
        return followups

    def _steps_after(self, age: float) -> list[tuple[float, float]]:
        """Return in how many seconds the hazard of a thread changes, and by how much."""
        if age >= CLOSED_AGE:
            return []
        bin_index = bisect_right(EDGES, age)
        later = [(edge - age, change) for edge, change in self._steps[bin_index:]]
        return [(0.0, self._hazards[bin_index]), *later]

    def _update_hazards(self) -> None:
        self._hazards = [c / s for c, s in zip(self._counts, self._seconds, strict=True)]
        changes = [b - a for a, b in pairwise([*self._hazards, 0.0])]
        self._steps = list(zip(BIN_ENDS, changes, strict=True))
