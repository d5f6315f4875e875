"""Cumulative hazard of new questions, summed over all channels of a prefix, as one curve.

With S(t) the probability that no question comes until t, the cumulative hazard is H(t) = -ln S(t).
It has two properties that make one curve enough:

- It adds up. Channels are independent, so the hazards of all channels of a prefix are summed.
- It is memoryless in the right sense. Silence until b, if nothing came until a, has probability
  exp(-(H(b) - H(a))). So a curve stays right while nothing comes, and a decision only reads
  differences. A question changes only the part of its own channel.

The curve is known at the points of a grid and linear between them. The grid has whole hours,
because the shape of the week is known by the hour, and steps of 4 hours beyond 30 hours, because a
far forecast is coarse anyway. Beyond the last point the last slope continues.

The curve holds smooth parts only: new questions, and threads silent for hours. A thread that spoke
a minute ago has a hazard that falls within seconds. `arrivals.py` adds those exactly.

It breaks if a part is computed from another moment than the reader's. So each part is set with its
own `now`, from which the line is extended backwards. And after `LASTS` seconds the whole grid is
computed anew, since the belief about a rate changes with silence too.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import accumulate, chain, repeat

HOUR = 3600.0
NEAR_STEPS, FAR_STEPS = 30, 20
"""Number of steps of one hour, and of `FAR_STEP` seconds after them."""
FAR_STEP = 4 * HOUR
OFFSETS = (0.0, *accumulate(chain(repeat(HOUR, NEAR_STEPS), repeat(FAR_STEP, FAR_STEPS))))
"""Seconds from the first whole hour to each point of the grid."""
NEAR_UNTIL = OFFSETS[NEAR_STEPS]
LASTS = 6 * HOUR
"""Seconds after which the grid is laid anew."""


class Grid:
    """Points in time at which the curve is known: `at`, and whole hours after it."""

    __slots__ = ("at", "first_hour", "times")

    def __init__(self, at: float) -> None:
        self.at = at
        self.first_hour = (at // HOUR + 1) * HOUR
        self.times = [at, *(self.first_hour + offset for offset in OFFSETS)]

    def is_old(self, now: float) -> bool:
        """Tell whether the grid is to be laid anew."""
        return now - self.at >= LASTS

    def index_at(self, at: float) -> int:
        """Return the index of the point at or before `at`; at most that of the last but one."""
        since = at - self.first_hour
        if since < 0:
            return 0
        if since < NEAR_UNTIL:
            return 1 + int(since / HOUR)
        far = int((since - NEAR_UNTIL) / FAR_STEP)
        return min(1 + NEAR_STEPS + far, len(OFFSETS) - 1)


class HazardCurve:
    """Sum of the parts of a cumulative hazard over one grid. Only differences have a meaning."""

    __slots__ = ("_parts", "_sum", "grid")

    def __init__(self, at: float) -> None:
        self.grid = Grid(at)
        self._parts: dict[Hashable, list[float]] = {}
        self._sum = [0.0] * len(self.grid.times)

    def set_part(self, name: Hashable, now: float, ahead: Sequence[float]) -> None:
        """Set or replace one part: its hazard from `now` until each point after `now`."""
        first = len(self.grid.times) - len(ahead)
        # A part is 0 at `now`, which lies between two points. The point before gets the value at
        # which the line through both is 0 at `now`.
        slope = ahead[0] / (self.grid.times[first] - now)
        before = slope * (self.grid.times[first - 1] - now)
        part = [*repeat(before, first), *ahead]
        old = self._parts.pop(name, None)
        self._parts[name] = part
        if old is None:
            self._sum = [total + new for total, new in zip(self._sum, part, strict=True)]
        else:
            self._sum = [
                total - gone + new for total, gone, new in zip(self._sum, old, part, strict=True)
            ]

    def points_after(self, now: float) -> list[float]:
        """Return the points of the grid after `now`."""
        return self.grid.times[self.grid.index_at(now) + 1 :]

    def values_at(self, times: Sequence[float]) -> list[float]:
        """Return the curve at times in rising order."""
        points, values = self.grid.times, self._sum
        low, last = self.grid.index_at(times[0]), len(points) - 2
        start, end, value = points[low], points[low + 1], values[low]
        slope = (values[low + 1] - value) / (end - start)
        found = []
        for at in times:
            # The times rise, so the segment only moves forward: one pass for all of them.
            if at >= end and low < last:
                while at >= points[low + 1] and low < last:
                    low += 1
                start, end, value = points[low], points[low + 1], values[low]
                slope = (values[low + 1] - value) / (end - start)
            found.append(value + slope * (at - start))
        return found
