"""The shape of a channel's week: at which hours threads are opened, learned with forgetting.

Hours are those of UTC weeks, so that any time zone and any habit shows by itself. What has been
seen is little at first: each level of detail is drawn towards the coarser one by so many threads'
worth, as a gamma prior of that weight would, and neighbouring hours speak for each other.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Any

HOUR = 3600.0
DAY = 24 * HOUR
HOURS = 168
MONDAY = 4 * DAY
"""Unix time began on a Thursday."""
MEMORY = 10 * 7 * DAY
"""Half-life of what was seen, in seconds."""
NEWS = 0.01
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

    __slots__ = ("_counts", "_fresh", "_hours", "_seen_at", "_shaped", "_sums", "_turn")

    def __init__(self, at: float) -> None:
        self._counts = [0.0] * HOURS
        self._hours = [0.0] * HOURS
        self._seen_at = at
        self._turn = self._shaped = -1
        self._fresh = 0.0
        self._sums = _shapes(self._counts, self._hours)

    def saw(self, at: float, weight: float = 1.0) -> None:
        """Note that a thread was opened."""
        self._pass(at)
        self._counts[hour_of_week(at)] += weight
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
        if self._fresh > NEWS * sum(self._counts) or turn >= self._shaped + 7:
            self._fresh, self._shaped = 0.0, turn
            self._sums = _shapes(self._counts, self._hours)

    def snapshot(self) -> dict[str, Any]:
        return {"counts": self._counts, "hours": self._hours, "seen_at": self._seen_at}

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
        """Let time pass: forget a little, count the hours that were watched."""
        elapsed = at - self._seen_at
        if elapsed < HOUR:
            return
        kept = 0.5 ** (elapsed / MEMORY)
        self._counts = [count * kept for count in self._counts]
        self._hours = [hours * kept for hours in self._hours]
        first = int(self._seen_at // HOUR)
        for hour in range(first, min(int(at // HOUR), first + 8 * HOURS)):
            self._hours[hour_of_week(hour * HOUR)] += 1.0
        self._seen_at = math.floor(at / HOUR) * HOUR


def _shapes(counts: list[float], hours: list[float]) -> tuple[list[float], ...]:
    total, watched = sum(counts), sum(hours)
    flat = [1.0] * HOURS
    if not watched or not total:
        sums = _sums(flat)
        return sums, sums, sums
    expected = [hour * total / watched for hour in hours]
    keys = _keys(_weekend(counts, hours))
    smooth = flat
    for reach, key, pull in (
        (0, keys.kind, 0.5),
        (6, keys.kind_hour, 0.25),
        (2, keys.kind_hour, 0.5),
    ):
        smooth = _refined(smooth, counts, expected, reach, key, pull)
    sharp = smooth
    for reach, key, pull in ((0, keys.kind_hour, 2.0), (0, keys.day, 2.0), (2, _HOUR, 4.0)):
        sharp = _refined(sharp, counts, expected, reach, key, pull)
    return _sums(flat), _sums(smooth), _sums(sharp)


def _refined(
    levels: list[float],
    counts: list[float],
    expected: list[float],
    reach: int,
    key: list[int],
    pull: float,
) -> list[float]:
    """Return the levels with more detail: what came against what they had led to expect.

    Hours with the same key speak together, and each `reach` hours far for its neighbours, the less
    the farther. `pull` is how many threads the coarser levels are worth.
    """
    came = _pooled(_spread(counts, reach), key)
    foretold = [e * level for e, level in zip(expected, levels, strict=True)]
    foretold = _pooled(_spread(foretold, reach), key)
    return [
        level * (came[k] + pull) / (foretold[k] + pull)
        for level, k in zip(levels, key, strict=True)
    ]


def _pooled(values: list[float], key: list[int]) -> list[float]:
    if key is _HOUR:
        return values
    pools = [0.0] * (max(key) + 1)
    for value, k in zip(values, key, strict=True):
        pools[k] += value
    return pools


def _spread(values: list[float], reach: int) -> list[float]:
    """Return the values with each hour's dealt out around it, less the farther: a triangle."""
    if not reach:
        return values
    # Two even windows, one after the other, make the triangle.
    once = _windows(values, reach + 1, 0)
    return _windows(once, reach + 1, reach)


def _windows(values: list[float], width: int, back: int) -> list[float]:
    """Return the mean of `width` hours for each hour, from `back` hours before it on."""
    first = HOURS - back
    around = [*values, *values, *values[:width]]
    sums = [0.0, *accumulate(around)]
    return [
        (high - low) / width
        for low, high in zip(sums[first : first + HOURS], sums[first + width :], strict=False)
    ]


_HOUR = list(range(HOURS))
_SATURDAY = 5 * 24
_ZONES = sorted(range(-14, 13), key=abs)
"""By how many hours a weekend may begin later than at Saturday midnight UTC; likeliest first."""


@dataclass(frozen=True, slots=True)
class _Keys:
    """Which hours of the week belong together: weekday or weekend, that by hour of day, days."""

    kind: list[int]
    kind_hour: list[int]
    day: list[int]


@lru_cache(maxsize=len(_ZONES))
def _keys(weekend: int) -> _Keys:
    """Return the keys for weekends that begin so many hours after Saturday midnight UTC."""
    day = [(hour - weekend) % HOURS // 24 for hour in _HOUR]
    kind = [int(number >= 5) for number in day]
    kind_hour = [hour % 24 + 24 * k for hour, k in zip(_HOUR, kind, strict=True)]
    return _Keys(kind, kind_hour, day)


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
