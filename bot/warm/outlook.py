"""How surely no new question comes, as one curve of all channels, worked out once and read often.

The curve holds, at the points of a grid, the negative logarithm of the probability of silence from
some moment on. Silence until `b`, given that nothing came until `a`, is the difference of two of
its points: so it stays right while nothing comes, and only the channel that a question came in has
to be worked out anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, chain, repeat

MINUTE = 60.0
HOUR = 3600.0
FINE, MIDDLE, COARSE, FAR = 12, 20, 24, 40
"""Steps of 5 minutes, of a quarter of an hour, of an hour and of two."""
_WIDTHS = ((300.0, FINE), (900.0, MIDDLE), (HOUR, COARSE), (2 * HOUR, FAR))
STEPS = tuple(accumulate(chain.from_iterable(repeat(width, n) for width, n in _WIDTHS)))
FINE_UNTIL, MIDDLE_UNTIL = STEPS[FINE - 1], STEPS[FINE + MIDDLE - 1]
COARSE_UNTIL = STEPS[FINE + MIDDLE + COARSE - 1]
LASTS = 6 * HOUR
"""Seconds after which the grid is laid anew: beyond, it would be too coarse, and its rates old."""


class Grid:
    """Times at which curves are known: close at first, two hours apart in the end."""

    __slots__ = ("at", "times")

    def __init__(self, at: float) -> None:
        self.at = at
        self.times = [at, *(at + step for step in STEPS)]

    def is_old(self, now: float) -> bool:
        return now - self.at >= LASTS

    def place(self, at: float) -> int:
        """Return the number of the point at or before `at`."""
        since = at - self.at
        if since < FINE_UNTIL:
            return max(0, int(since / 300.0))
        if since < MIDDLE_UNTIL:
            return FINE + int((since - FINE_UNTIL) / 900.0)
        if since < COARSE_UNTIL:
            return FINE + MIDDLE + int((since - MIDDLE_UNTIL) / HOUR)
        far = int((since - COARSE_UNTIL) / (2 * HOUR))
        return min(FINE + MIDDLE + COARSE + far, len(STEPS) - 1)


class Outlook:
    """The sum of the channels' curves over one grid."""

    __slots__ = ("_curves", "_sum", "grid")

    def __init__(self, at: float) -> None:
        self.grid = Grid(at)
        self._curves: dict[str, list[float]] = {}
        self._sum = [0.0] * len(self.grid.times)

    def put(self, place: str, now: float, ahead: Sequence[float]) -> None:
        """Set a channel's curve, known at the points after `now`, which bring `ahead`.

        The point before is set so that the line through it is 0 at `now`.
        """
        first = len(self.grid.times) - len(ahead)
        slope = ahead[0] / (self.grid.times[first] - now)
        before = slope * (self.grid.times[first - 1] - now)
        curve = [*repeat(before, first), *ahead]
        old = self._curves.pop(place, None)
        self._curves[place] = curve
        if old is None:
            self._sum = [have + new for have, new in zip(self._sum, curve, strict=True)]
        else:
            self._sum = [
                have - gone + new for have, gone, new in zip(self._sum, old, curve, strict=True)
            ]

    def after(self, now: float) -> list[float]:
        """Return the grid's points that lie after `now`."""
        return self.grid.times[self.grid.place(now) + 1 :]

    def until(self, at: float) -> float:
        """Return the curve's value at a time, from which differences are taken."""
        grid, values = self.grid, self._sum
        low = grid.place(at)
        start, end = grid.times[low], grid.times[low + 1]
        return values[low] + (values[low + 1] - values[low]) * (at - start) / (end - start)

    def __repr__(self) -> str:
        return f"<Outlook of {len(self._curves)} channels, laid at {self.grid.at:.0f}>"
