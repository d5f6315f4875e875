"""How likely an open thread is to bring another question, by how long it has been silent.

The hazard falls about as one over the age. It is learned per channel in bins of age, each a gamma
belief about a rate; before anything was seen it is that of public developer channels, held lightly.
Sources of the priors: the bins' mean rates in three public channels, rounded.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate, repeat
from typing import Any

EDGES = (30.0, 60.0, 120.0, 240.0, 480.0, 960.0, 1920.0, 3840.0, 7680.0, 15360.0, 61440.0)
"""Ages in seconds at which one bin ends and the next begins."""
STARTS = (0.0, *EDGES)
OLDEST = 86_400.0
"""Beyond this age a thread is closed."""
PRIOR_COUNT = 4.0
"""Follow-ups that the prior is worth, in each bin."""


Prior = tuple[float, float, float]
"""The hazard at once, per hour; the age in seconds at which it has halved; its power of decay."""
SINCE_MESSAGE: Prior = (2.2, 80.0, 1.35)
SINCE_QUESTION: Prior = (3.0, 140.0, 1.2)


def _prior_rates(prior: Prior) -> list[float]:
    """Return questions per second in each bin."""
    at_once, half, power = prior
    ends = (*EDGES, OLDEST)
    middles = [(low * high) ** 0.5 for low, high in zip((15.0, *EDGES), ends, strict=True)]
    return [at_once / 3600 / (1 + (age / half) ** power) for age in middles]


class FollowUps:
    """The belief about follow-ups in one channel, by one way of counting a thread's age."""

    __slots__ = ("_counts", "_hazards", "_seconds", "_sums")

    def __init__(self, prior: Prior) -> None:
        self._counts = [PRIOR_COUNT] * (len(EDGES) + 1)
        self._seconds = [PRIOR_COUNT / rate for rate in _prior_rates(prior)]
        self._sums: list[float] = []
        self._hazards: list[float] = []
        self._resum()

    def passed(self, age: float, asked: bool) -> None:
        """A thread was silent up to this age; then it brought a question, or something else."""
        low = 0.0
        for at, high in enumerate((*EDGES, OLDEST)):
            if age <= low:
                break
            self._seconds[at] += min(high, age) - low
            low = high
        if asked and age < OLDEST:
            self._counts[bisect_right(EDGES, age)] += 1.0
            self._resum()

    def expected(self, age: float, spans: Sequence[float]) -> list[float]:
        """Return the follow-ups to expect of a thread of this age within each span of seconds.

        The spans are in rising order.
        """
        so_far = self._until(age)
        sums, hazards = self._sums, self._hazards
        found: list[float] = []
        at = bisect_right(EDGES, age)
        for span in spans:
            then = age + span
            if then >= OLDEST:
                break
            while at < len(EDGES) and EDGES[at] <= then:
                at += 1
            found.append(sums[at] + (then - STARTS[at]) * hazards[at] - so_far)
        found.extend(repeat(sums[-1] - so_far, len(spans) - len(found)))
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

    def _until(self, age: float) -> float:
        if age >= OLDEST:
            return self._sums[-1]
        at = bisect_right(EDGES, age)
        return self._sums[at] + (age - STARTS[at]) * self._hazards[at]

    def _resum(self) -> None:
        widths = [b - a for a, b in zip((0.0, *EDGES), (*EDGES, OLDEST), strict=True)]
        self._hazards = [c / s for c, s in zip(self._counts, self._seconds, strict=True)]
        self._sums = [0.0, *accumulate(h * w for h, w in zip(self._hazards, widths, strict=True))]
