"""The shape of a channel's week: at which hours threads are opened, learned with forgetting.

Hours are those of UTC weeks, so that any time zone and any habit shows by itself. What has been
seen is little at first: each level of detail is drawn towards the coarser one by so many threads'
worth, as a gamma prior of that weight would, and neighbouring hours speak for each other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from itertools import accumulate
from typing import Any

HOUR = 3600.0
DAY = 24 * HOUR
DAY_HOURS = 24
HOURS = 7 * DAY_HOURS
MONDAY = 4 * DAY
"""Unix time began on a Thursday."""
MEMORY = 10 * 7 * DAY
"""Half-life of what was seen, in seconds."""
NEWS = 0.05
"""The part of all that was seen which has to be new for the shapes to be drawn again."""
SURE = 0.7
"""The log-likelihood by which another start of the weekend must beat that at midnight UTC."""
FLAT, SMOOTH, SHARP = 0, 1, 2
SHAPES = (FLAT, SMOOTH, SHARP)


def hour_of_week(at: float) -> int:
    """Return the hour of the UTC week, 0 to 167; Monday midnight is 0."""
    return int((at - MONDAY) // HOUR) % HOURS


def _spot(at: float) -> tuple[float, int, float]:
    """Return the hours of whole weeks before `at`, the hour of its week, and the part of that."""
    hours = (at - MONDAY) / HOUR
    weeks = hours // HOURS * HOURS
    rest = hours - weeks
    hour = int(rest)
    return weeks, hour, rest - hour


class Week:
    """How much busier than its mean each hour of the week is; three shapes of rising detail.

    `FLAT` knows no hours; `SMOOTH` tells weekdays from weekends and the rough course of a day;
    `SHARP` knows every hour of the week.
    """

    __slots__ = ("_began", "_counts", "_fresh", "_hours", "_seen_at", "_shaped", "_sums", "_turn")

    def __init__(self, at: float) -> None:
        self._counts = [0.0] * HOURS
        self._hours = [0.0] * HOURS
        self._began = self._seen_at = at
        self._turn = self._shaped = -1
        self._fresh = 0.0
        self._sums = _shapes(self._counts, self._hours)

    def saw(self, at: float, weight: float = 1.0) -> None:
        """Note that a thread was opened."""
        self._pass(at)
        self._counts[hour_of_week(at)] += weight * self._growth()
        self._fresh += weight

    def load(self, shape: int, start: float, end: float) -> float:
        """Return the integral of a shape from `start` to `end`, in hours of mean traffic."""
        if shape == FLAT:
            return (end - start) / HOUR
        return self._until(shape, end) - self._until(shape, start)

    def loads(
        self, shapes: Collection[int], start: float, ends: Sequence[float]
    ) -> dict[int, list[float]]:
        """Return `load` from `start` to each of the ends, in each of the shapes."""
        found: dict[int, list[float]] = {}
        if FLAT in shapes:
            found[FLAT] = [(end - start) / HOUR for end in ends]
        if len(shapes) > len(found):
            spots = [_spot(end) for end in ends]
            for shape in (SMOOTH, SHARP):
                if shape in shapes:
                    found[shape] = self._loads(shape, start, spots)
        return found

    def _loads(
        self, shape: int, start: float, spots: Sequence[tuple[float, int, float]]
    ) -> list[float]:
        sums, begun = self._sums[shape], self._until(shape, start)
        return [
            weeks + sums[hour] + part * (sums[hour + 1] - sums[hour]) - begun
            for weeks, hour, part in spots
        ]

    def level(self, shape: int, at: float) -> float:
        """Return how busy the hour at `at` is, 1 being the mean."""
        sums, hour = self._sums[shape], hour_of_week(at)
        return sums[hour + 1] - sums[hour]

    def refresh(self, at: float) -> None:
        """Bring the shapes up to date: at most once a day, and once what is new would show."""
        turn = int(at // DAY)
        if turn == self._turn:
            return
        self._turn = turn
        self._pass(at)
        if self._fresh * self._growth() > NEWS * sum(self._counts) or turn >= self._shaped + 7:
            self._fresh, self._shaped = 0.0, turn
            self._sums = _shapes(*self._remembered())

    def snapshot(self) -> dict[str, Any]:
        counts, hours = self._remembered()
        return {"counts": counts, "hours": hours, "seen_at": self._seen_at}

    @classmethod
    def restored(cls, saved: dict[str, Any]) -> Week:
        week = cls(float(saved["seen_at"]))
        week._counts = [float(n) for n in saved["counts"]]
        week._hours = [float(n) for n in saved["hours"]]
        return week

    def _until(self, shape: int, at: float) -> float:
        weeks, hour, part = _spot(at)
        sums = self._sums[shape]
        return weeks + sums[hour] + part * (sums[hour + 1] - sums[hour])

    def _pass(self, at: float) -> None:
        """Let time pass: count the hours that were watched."""
        if at - self._seen_at < HOUR:
            return
        first = int(self._seen_at // HOUR)
        self._seen_at = math.floor(at / HOUR) * HOUR
        growth = self._growth()
        for hour in range(first, min(int(at // HOUR), first + 8 * HOURS)):
            self._hours[hour_of_week(hour * HOUR)] += growth

    def _growth(self) -> float:
        """What is new counts for more and more, so that nothing old has to be made less."""
        return float(2.0 ** ((self._seen_at - self._began) / MEMORY))

    def _remembered(self) -> tuple[list[float], list[float]]:
        """Return what was seen, and in how many hours, as both count by now."""
        kept = 1.0 / self._growth()
        return [count * kept for count in self._counts], [hours * kept for hours in self._hours]


Gather = Callable[[list[float]], list[float]]
"""Puts in each place what the places that speak for it have together."""


def _shapes(counts: list[float], hours: list[float]) -> tuple[list[float], ...]:
    """Return running sums of the three shapes, by what came in each hour, watched so long."""
    total, watched = sum(counts), sum(hours)
    if not watched or not total:
        sums = _sums([1.0] * HOURS)
        return sums, sums, sums
    monday = _weekend(counts, hours)
    counts = _turned(counts, monday)
    expected = [hour * total / watched for hour in _turned(hours, monday)]
    came, foretold = _by_kind_and_hour(counts), _by_kind_and_hour(expected)
    smooth = [1.0] * (2 * DAY_HOURS)
    for gather, pull in ((_each_day, 0.5), (_far, 0.25), (_near, 0.5)):
        smooth = _refined(smooth, came, foretold, gather, pull)
    daily = _refined(smooth, came, foretold, None, 2.0)
    sharp = _refined(_spelled(daily), counts, expected, _each_day, 2.0)
    sharp = _refined(sharp, counts, expected, _next_to, 4.0)
    shaped = (_turned(levels, -monday) for levels in (_spelled(smooth), sharp))
    return _sums([1.0] * HOURS), *map(_sums, shaped)


def _refined(
    levels: list[float],
    came: list[float],
    expected: list[float],
    gather: Gather | None,
    pull: float,
) -> list[float]:
    """Return the levels with more detail: what came against what they had led to expect.

    `pull` is how many threads the coarser levels are worth.
    """
    foretold = [e * level for e, level in zip(expected, levels, strict=True)]
    if gather is not None:
        came, foretold = gather(came), gather(foretold)
    return [
        level * (c + pull) / (f + pull) for level, c, f in zip(levels, came, foretold, strict=True)
    ]


def _turned(values: list[float], first: int) -> list[float]:
    """Return a week's hours from another one on."""
    return values[first:] + values[:first]


def _by_kind_and_hour(values: list[float]) -> list[float]:
    """Return the sums of each hour of the five weekdays, then of each of the weekend."""
    days = [values[hour : hour + DAY_HOURS] for hour in range(0, HOURS, DAY_HOURS)]
    return [*map(sum, zip(*days[:5], strict=True)), *map(sum, zip(*days[5:], strict=True))]


def _spelled(values: list[float]) -> list[float]:
    """Return a week in which each weekday and each day of the weekend is like the others."""
    return values[:DAY_HOURS] * 5 + values[DAY_HOURS:] * 2


def _each_day(values: list[float]) -> list[float]:
    sums = (sum(values[hour : hour + DAY_HOURS]) for hour in range(0, len(values), DAY_HOURS))
    return [total for total in sums for _ in range(DAY_HOURS)]


def _next_to(values: list[float]) -> list[float]:
    return _spread(values, 2)


def _near(values: list[float]) -> list[float]:
    return _spread(values[:DAY_HOURS], 2) + _spread(values[DAY_HOURS:], 2)


def _far(values: list[float]) -> list[float]:
    return _spread(values[:DAY_HOURS], 6) + _spread(values[DAY_HOURS:], 6)


def _spread(values: list[float], reach: int) -> list[float]:
    """Return the values with each hour's dealt out around it, less the farther: a triangle."""
    # Two even windows, one after the other, make the triangle.
    return _windows(_windows(values, reach + 1, 0), reach + 1, reach)


def _windows(values: list[float], width: int, back: int) -> list[float]:
    """Return the mean of `width` hours for each hour, from `back` hours before it on."""
    count = len(values)
    around = [*values[count - back :], *values, *values[:width]]
    sums = [0.0, *accumulate(around)]
    return [(high - low) / width for low, high in zip(sums[:count], sums[width:], strict=False)]


_SATURDAY = 5 * DAY_HOURS
_ZONES = sorted(range(-14, 13), key=abs)
"""By how many hours a weekend may begin later than at Saturday midnight UTC; likeliest first."""


def _weekend(counts: list[float], hours: list[float]) -> int:
    """Return when weekends begin, in hours after Saturday midnight UTC.

    Of all 48-hour windows the one is taken that differs most from the rest of the week, by the
    likelihood of two rates: where a team works in the evening by UTC, its Friday ends on Saturday.
    """
    counted, watched = ([0.0, *accumulate(values * 2)] for values in (counts, hours))
    gains = {}
    for zone in _ZONES:
        low = _SATURDAY + zone
        came, seen = counted[low + 48] - counted[low], watched[low + 48] - watched[low]
        gains[zone] = _told(came, seen) + _told(counted[HOURS] - came, watched[HOURS] - seen)
    start = max(gains, key=lambda zone: gains[zone])
    return start if gains[start] > gains[0] + SURE else 0


def _told(came: float, seen: float) -> float:
    """Return the log-likelihood of so many arrivals in so many hours at their own rate."""
    return came * math.log(came / seen) if came > 0 and seen > 0 else 0.0


def _sums(levels: list[float]) -> list[float]:
    """Return running sums of the levels, their mean made 1."""
    scale = HOURS / sum(levels)
    sums = [0.0]
    for level in levels:
        sums.append(sums[-1] + level * scale)
    return sums
