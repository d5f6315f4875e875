"""Shape of a channel's week: in which hours threads are opened, learned with forgetting.

For each of the 168 hours of the UTC week two numbers are kept: threads that were opened, and hours
that were watched. Both lose half their weight in `HALF_LIFE`. Time zones need no setting, because
any habit shows by itself in UTC.

Three shapes of rising detail are computed from them. A shape is a level for each hour with mean 1.

    FLAT      no detail
    SMOOTH    weekdays and weekend, and the rough course of a day in each of both
    SHARP     every hour of the week

168 numbers cannot be learned from thirty threads. So each level of detail is a correction of the
coarser one, drawn towards it by a gamma prior worth `pull` threads:

    level ← level · (G(came) + pull) / (G(expected · level) + pull)

G gathers the neighbours that speak for an hour: a whole day, or a triangle of hours around it.
If nothing was seen in an hour, its coarser level stays. All steps are listed in
docs/governor.md#shape-of-the-week.

The mixture in `rates.py` decides how much each shape counts, by how well it forecast. So a channel
without habits is served by FLAT, and SHARP costs nothing before it is earned.

It breaks with fixed weekends: an office whose Friday evening is UTC's Saturday would mix work with
rest. So the start of the weekend is searched (`_find_weekend`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from itertools import accumulate
from typing import Any

HOUR = 3600.0
DAY = 24 * HOUR
DAY_HOURS = 24
WEEK_HOURS = 7 * DAY_HOURS
FIRST_MONDAY = 4 * DAY
"""Unix time of the first Monday: Unix time began on a Thursday."""
HALF_LIFE = 10 * 7 * DAY
"""Seconds after which an observation has half its weight."""
REFRESH_SHARE = 0.05
"""Share of new threads in all threads from which the shapes are computed anew."""
REFRESH_DAYS = 7
MOST_WATCHED = 8 * WEEK_HOURS
"""Hours that are counted as watched between two observations, at most."""
WEEKEND_EVIDENCE = 0.7
"""Log-likelihood by which another start of the weekend must beat that at midnight UTC."""
FLAT, SMOOTH, SHARP = 0, 1, 2
SHAPES = (FLAT, SMOOTH, SHARP)


def hour_of_week(at: float) -> int:
    """Return the hour of the UTC week, 0 to 167. Monday midnight is 0."""
    return int((at - FIRST_MONDAY) // HOUR) % WEEK_HOURS


def _split_time(at: float) -> tuple[float, int, float]:
    """Return the hours in whole weeks before `at`, the hour of the week, and the part of it."""
    hours = (at - FIRST_MONDAY) / HOUR
    weeks = hours // WEEK_HOURS * WEEK_HOURS
    rest = hours - weeks
    hour = int(rest)
    return weeks, hour, rest - hour


class Week:
    """How much busier than its mean each hour of the week is, in three shapes."""

    __slots__ = (
        "_began",
        "_computed_on",
        "_counts",
        "_day",
        "_new",
        "_sums",
        "_watched",
        "_watched_until",
    )

    def __init__(self, at: float) -> None:
        self._counts = [0.0] * WEEK_HOURS
        self._watched = [0.0] * WEEK_HOURS
        self._began = self._watched_until = at
        self._day = self._computed_on = -1
        self._new = 0.0
        self._sums = _compute_shapes(self._counts, self._watched)

    def record_opening(self, at: float, weight: float = 1.0) -> None:
        """Record that a thread was opened."""
        # Hours first: the growth below is that of the hour in which the thread was opened.
        self._record_watched(at)
        self._counts[hour_of_week(at)] += weight * self._growth()
        self._new += weight

    def load(self, shape: int, start: float, end: float) -> float:
        """Return the integral of a shape from `start` to `end`, in hours of mean traffic."""
        if shape == FLAT:
            return (end - start) / HOUR
        return self._integral(shape, end) - self._integral(shape, start)

    def loads(
        self, shapes: Collection[int], start: float, ends: Sequence[float]
    ) -> dict[int, list[float]]:
        """Return `load` from `start` to each of the ends, in each of the shapes."""
        found: dict[int, list[float]] = {}
        if FLAT in shapes:
            found[FLAT] = [(end - start) / HOUR for end in ends]
        if len(shapes) > len(found):
            # The same times are looked up in two shapes: split them once.
            times = [_split_time(end) for end in ends]
            for shape in (SMOOTH, SHARP):
                if shape in shapes:
                    found[shape] = self._shape_loads(shape, start, times)
        return found

    def level(self, shape: int, at: float) -> float:
        """Return how busy the hour at `at` is. The mean is 1."""
        sums, hour = self._sums[shape], hour_of_week(at)
        return sums[hour + 1] - sums[hour]

    def refresh(self, at: float) -> None:
        """Compute the shapes anew if enough is new. Does so at most once a UTC day."""
        day = int(at // DAY)
        if day == self._day:
            return
        self._day = day
        self._record_watched(at)
        # Computing the shapes costs more than a decision, and a few threads hardly move them.
        is_new = self._new * self._growth() > REFRESH_SHARE * sum(self._counts)
        if is_new or day >= self._computed_on + REFRESH_DAYS:
            self._new, self._computed_on = 0.0, day
            self._sums = _compute_shapes(*self._decayed())

    def snapshot(self) -> dict[str, Any]:
        """Return what was observed as JSON."""
        counts, hours = self._decayed()
        return {"counts": counts, "hours": hours, "seen_at": self._watched_until}

    @classmethod
    def from_snapshot(cls, state: dict[str, Any]) -> Week:
        """Return the week that `snapshot` returned."""
        week = cls(float(state["seen_at"]))
        week._counts = [float(n) for n in state["counts"]]
        week._watched = [float(n) for n in state["hours"]]
        return week

    def _shape_loads(
        self, shape: int, start: float, times: Sequence[tuple[float, int, float]]
    ) -> list[float]:
        sums, begun = self._sums[shape], self._integral(shape, start)
        return [
            weeks + sums[hour] + part * (sums[hour + 1] - sums[hour]) - begun
            for weeks, hour, part in times
        ]

    def _integral(self, shape: int, at: float) -> float:
        """Return the integral of a shape from the first Monday to `at`, in hours."""
        weeks, hour, part = _split_time(at)
        sums = self._sums[shape]
        return weeks + sums[hour] + part * (sums[hour + 1] - sums[hour])

    def _record_watched(self, at: float) -> None:
        """Count the hours that were watched until `at`."""
        if at - self._watched_until < HOUR:
            return
        first = int(self._watched_until // HOUR)
        self._watched_until = math.floor(at / HOUR) * HOUR
        growth = self._growth()
        for hour in range(first, min(int(at // HOUR), first + MOST_WATCHED)):
            self._watched[hour_of_week(hour * HOUR)] += growth

    def _growth(self) -> float:
        """Return the weight of an observation made now.

        New observations count for more and more. That is the same as letting old ones decay, but
        touches one number instead of 336.
        """
        return float(2.0 ** ((self._watched_until - self._began) / HALF_LIFE))

    def _decayed(self) -> tuple[list[float], list[float]]:
        """Return the threads and the watched hours of each hour, with their weight of now."""
        kept = 1.0 / self._growth()
        return [count * kept for count in self._counts], [hours * kept for hours in self._watched]


Gather = Callable[[list[float]], list[float]]
"""Returns for each hour the sum of the hours that speak for it."""


def _compute_shapes(counts: list[float], watched: list[float]) -> tuple[list[float], ...]:
    """Return the running sums of the three shapes."""
    total, all_watched = sum(counts), sum(watched)
    if not all_watched or not total:
        flat = _running_sums([1.0] * WEEK_HOURS)
        return flat, flat, flat
    # From here on hours are counted from the start of the working week, not from Monday UTC.
    shift = _find_weekend(counts, watched)
    counts = _rotate(counts, shift)
    expected = [hours * total / all_watched for hours in _rotate(watched, shift)]
    day_counts, day_expected = _sum_by_day_kind(counts), _sum_by_day_kind(expected)
    # From coarse to fine: weekdays against the weekend, the rough course of a day, its hours.
    smooth = [1.0] * (2 * DAY_HOURS)
    for gather, pull in ((_sum_day, 0.5), (_wide_triangle, 0.25), (_narrow_triangle, 0.5)):
        smooth = _refine(smooth, day_counts, day_expected, gather, pull)
    hourly = _refine(smooth, day_counts, day_expected, None, 2.0)
    # Then each day by itself, and at last each hour of the week.
    sharp = _refine(_expand_to_week(hourly), counts, expected, _sum_day, 2.0)
    sharp = _refine(sharp, counts, expected, _week_triangle, 4.0)
    shapes = (_rotate(levels, -shift) for levels in (_expand_to_week(smooth), sharp))
    return _running_sums([1.0] * WEEK_HOURS), *map(_running_sums, shapes)


def _refine(
    levels: list[float],
    came: list[float],
    expected: list[float],
    gather: Gather | None,
    pull: float,
) -> list[float]:
    """Return the levels corrected by the ratio of what came to what they led to expect.

    `pull` is the number of threads that the coarser levels are worth.
    """
    predicted = [e * level for e, level in zip(expected, levels, strict=True)]
    if gather is not None:
        came, predicted = gather(came), gather(predicted)
    return [
        level * (c + pull) / (p + pull) for level, c, p in zip(levels, came, predicted, strict=True)
    ]


def _rotate(values: list[float], first: int) -> list[float]:
    """Return the values in a circle from index `first` on, which may be negative."""
    return values[first:] + values[:first]


def _sum_by_day_kind(values: list[float]) -> list[float]:
    """Return 48 sums: each hour over the five weekdays, then each hour over the weekend."""
    days = [values[hour : hour + DAY_HOURS] for hour in range(0, WEEK_HOURS, DAY_HOURS)]
    return [*map(sum, zip(*days[:5], strict=True)), *map(sum, zip(*days[5:], strict=True))]


def _expand_to_week(values: list[float]) -> list[float]:
    """Return a week of five equal weekdays and two equal days of the weekend."""
    return values[:DAY_HOURS] * 5 + values[DAY_HOURS:] * 2


def _sum_day(values: list[float]) -> list[float]:
    sums = (sum(values[hour : hour + DAY_HOURS]) for hour in range(0, len(values), DAY_HOURS))
    return [total for total in sums for _ in range(DAY_HOURS)]


def _week_triangle(values: list[float]) -> list[float]:
    return _triangle(values, 2)


def _narrow_triangle(values: list[float]) -> list[float]:
    return _triangle(values[:DAY_HOURS], 2) + _triangle(values[DAY_HOURS:], 2)


def _wide_triangle(values: list[float]) -> list[float]:
    return _triangle(values[:DAY_HOURS], 6) + _triangle(values[DAY_HOURS:], 6)


def _triangle(values: list[float], reach: int) -> list[float]:
    """Return the mean around each hour, in a circle, with weights that fall to 0 past `reach`."""
    # Two even windows, one after the other, make the triangle.
    return _moving_mean(_moving_mean(values, reach + 1, 0), reach + 1, reach)


def _moving_mean(values: list[float], width: int, back: int) -> list[float]:
    """Return the mean of `width` hours for each hour, from `back` hours before it on."""
    count = len(values)
    around = [*values[count - back :], *values, *values[:width]]
    sums = [0.0, *accumulate(around)]
    return [(high - low) / width for low, high in zip(sums[:count], sums[width:], strict=False)]


_SATURDAY = 5 * DAY_HOURS
_SHIFTS = sorted(range(-14, 13), key=abs)
"""Hours after Saturday midnight UTC at which a weekend may begin; the likeliest first."""


def _find_weekend(counts: list[float], watched: list[float]) -> int:
    """Return when weekends begin, in hours after Saturday midnight UTC.

    Of all 48-hour windows that a time zone could make a weekend, it is the one that differs most
    from the rest of the week, by the likelihood of two rates instead of one.
    """
    # The week twice, so that no window wraps round its end.
    counted, hours = ([0.0, *accumulate(values * 2)] for values in (counts, watched))
    gains = {}
    for shift in _SHIFTS:
        low = _SATURDAY + shift
        came, seen = counted[low + 48] - counted[low], hours[low + 48] - hours[low]
        gains[shift] = _log_likelihood(came, seen) + _log_likelihood(
            counted[WEEK_HOURS] - came, hours[WEEK_HOURS] - seen
        )
    start = max(gains, key=lambda shift: gains[shift])
    # Little data finds a weekend anywhere. Midnight UTC stays until the evidence is clear.
    return start if gains[start] > gains[0] + WEEKEND_EVIDENCE else 0


def _log_likelihood(came: float, hours: float) -> float:
    """Return the log-likelihood of so many threads in so many hours at their own mean rate."""
    return came * math.log(came / hours) if came > 0 and hours > 0 else 0.0


def _running_sums(levels: list[float]) -> list[float]:
    """Return the running sums of the levels, scaled so that their mean is 1."""
    scale = WEEK_HOURS / sum(levels)
    sums = [0.0]
    for level in levels:
        sums.append(sums[-1] + level * scale)
    return sums
