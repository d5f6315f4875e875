"""How surely no new question comes, as one curve of all channels, worked out once and read often.

The curve holds, at the points of a grid, the negative logarithm of the probability of silence from
some moment on. Silence until `b`, given that nothing came until `a`, is the difference of two of
its points: so it stays right while nothing comes, and only the channel that a question came in has
to be worked out anew.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import accumulate, chain, repeat

HOUR = 3600.0
CLOSE, FAR = 30, 20
"""Steps of an hour, which is how finely a week is known, and of `WIDE` seconds."""
WIDE = 4 * HOUR
STEPS = (0.0, *accumulate(chain(repeat(HOUR, CLOSE), repeat(WIDE, FAR))))
CLOSE_UNTIL = STEPS[CLOSE]
LASTS = 6 * HOUR
"""Seconds after which the grid is laid anew: beyond, its rates would be too old."""


class Grid:
    """Times at which curves are known: its own, and whole hours after it."""

    __slots__ = ("at", "hour", "times")

    def __init__(self, at: float) -> None:
        self.at = at
        self.hour = (at // HOUR + 1) * HOUR
        self.times = [at, *(self.hour + step for step in STEPS)]

    def is_old(self, now: float) -> bool:
        return now - self.at >= LASTS

    def place(self, at: float) -> int:
        """Return the number of the point at or before `at`."""
        since = at - self.hour
        if since < 0:
            return 0
        if since < CLOSE_UNTIL:
            return 1 + int(since / HOUR)
        far = int((since - CLOSE_UNTIL) / WIDE)
        return min(1 + CLOSE + far, len(STEPS) - 1)


class Outlook:
    """The sum of curves over one grid."""

    __slots__ = ("_curves", "_sum", "grid")

    def __init__(self, at: float) -> None:
        self.grid = Grid(at)
        self._curves: dict[Hashable, list[float]] = {}
        self._sum = [0.0] * len(self.grid.times)

    def put(self, name: Hashable, now: float, ahead: Sequence[float]) -> None:
        """Set one of the curves, known at the points after `now`, which bring `ahead`.

        The point before is set so that the line through it is 0 at `now`.
        """
        first = len(self.grid.times) - len(ahead)
        slope = ahead[0] / (self.grid.times[first] - now)
        before = slope * (self.grid.times[first - 1] - now)
        curve = [*repeat(before, first), *ahead]
        old = self._curves.pop(name, None)
        self._curves[name] = curve
        if old is None:
            self._sum = [have + new for have, new in zip(self._sum, curve, strict=True)]
        else:
            self._sum = [
                have - gone + new for have, gone, new in zip(self._sum, old, curve, strict=True)
            ]

    def after(self, now: float) -> list[float]:
        """Return the grid's points that lie after `now`."""
        return self.grid.times[self.grid.place(now) + 1 :]

    def until(self, times: Sequence[float]) -> list[float]:
        """Return the curve's value at each of the rising times; differences of them are taken."""
        points, values = self.grid.times, self._sum
        low, last = self.grid.place(times[0]), len(points) - 2
        start, end, value = points[low], points[low + 1], values[low]
        slope = (values[low + 1] - value) / (end - start)
        found = []
        for at in times:
            if at >= end and low < last:
                while at >= points[low + 1] and low < last:
                    low += 1
                start, end, value = points[low], points[low + 1], values[low]
                slope = (values[low + 1] - value) / (end - start)
            found.append(value + slope * (at - start))
        return found

    def __repr__(self) -> str:
        return f"<Outlook of {len(self._curves)} curves, laid at {self.grid.at:.0f}>"
