"""How likely an open thread is to bring another question, by how long it has been silent.

The hazard falls about as one over the age. It is learned per channel in bins of age, each a gamma
belief about a rate; before anything was seen it is that of public developer channels, held lightly.
Sources of the priors: the bins' mean rates in three public channels, rounded.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

EDGES = (30.0, 60.0, 120.0, 240.0, 480.0, 960.0, 1920.0, 3840.0, 7680.0, 15360.0, 61440.0)
"""Ages in seconds at which one bin ends and the next begins."""
OLDEST = 86_400.0
"""Beyond this age a thread is closed."""
ENDS = (*EDGES, OLDEST)
PRIOR_COUNT = 4.0
"""Follow-ups that the prior is worth, in each bin."""


Prior = tuple[float, float, float]
"""The hazard at once, per hour; the age in seconds at which it has halved; its power of decay."""
SINCE_MESSAGE: Prior = (2.2, 80.0, 1.35)
SINCE_QUESTION: Prior = (3.0, 140.0, 1.2)


def _prior_rates(prior: Prior) -> list[float]:
    """Return questions per second in each bin."""
    at_once, half, power = prior
    middles = [(low * high) ** 0.5 for low, high in zip((15.0, *EDGES), ENDS, strict=True)]
    return [at_once / 3600 / (1 + (age / half) ** power) for age in middles]


class FollowUps:
    """The belief about follow-ups in one channel, by one way of counting a thread's age."""

    __slots__ = ("_counts", "_hazards", "_rises", "_seconds")

    def __init__(self, prior: Prior) -> None:
        self._counts = [PRIOR_COUNT] * (len(EDGES) + 1)
        self._seconds = [PRIOR_COUNT / rate for rate in _prior_rates(prior)]
        self._hazards: list[float] = []
        self._rises: list[tuple[float, float]] = []
        self._resum()

    def passed(self, age: float, asked: bool) -> None:
        """A thread was silent up to this age; then it brought a question, or something else."""
        low = 0.0
        for at, high in enumerate(ENDS):
            if age <= low:
                break
            self._seconds[at] += min(high, age) - low
            low = high
        if asked and age < OLDEST:
            self._counts[bisect_right(EDGES, age)] += 1.0
            self._resum()

    def expected(self, ages: Iterable[float], spans: Sequence[float]) -> list[float]:
        """Return the follow-ups to expect, within each span of seconds, of threads of these ages.

        The spans are in rising order.
        """
        rises = [rise for age in ages for rise in self._rises_after(age)]
        rises.sort()
        coming = iter([*rises, (math.inf, 0.0)])
        when, rise = next(coming)
        found: list[float] = []
        count = hazard = at = 0.0
        for span in spans:
            while when <= span:
                count += hazard * (when - at)
                hazard += rise
                at = when
                when, rise = next(coming)
            count += hazard * (span - at)
            at = span
            found.append(count)
        return found

    def snapshot(self) -> dict[str, Any]:
        return {"counts": self._counts, "seconds": self._seconds}

    @classmethod
    def restored(cls, saved: dict[str, Any]) -> FollowUps:
        followups = cls(SINCE_MESSAGE)
        followups._counts = [float(n) for n in saved["counts"]]
        followups._seconds = [float(n) for n in saved["seconds"]]
        followups._resum()
        return followups

    def _rises_after(self, age: float) -> list[tuple[float, float]]:
        """Return in how many seconds the hazard of a thread changes, and by how much."""
        if age >= OLDEST:
            return []
        at = bisect_right(EDGES, age)
        later = [(edge - age, rise) for edge, rise in self._rises[at:]]
        return [(0.0, self._hazards[at]), *later]

    def _resum(self) -> None:
        self._hazards = [c / s for c, s in zip(self._counts, self._seconds, strict=True)]
        rises = [b - a for a, b in pairwise([*self._hazards, 0.0])]
        self._rises = list(zip(ENDS, rises, strict=True))
