"""The shape of a channel's week: at which hours threads are opened, learned with forgetting.

Hours are those of UTC weeks, so that any time zone and any habit shows by itself. What has been
seen is little at first: each level of detail is drawn towards the coarser one by so many threads'
worth, as a gamma prior of that weight would, and neighbouring hours speak for each other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

HOUR = 3600.0
DAY = 24 * HOUR
HOURS = 168
MONDAY = 4 * DAY
"""Unix time began on a Thursday."""
MEMORY = 10 * 7 * DAY
"""Half-life of what was seen, in seconds."""
FLAT, SMOOTH, SHARP = 0, 1, 2
SHAPES = (FLAT, SMOOTH, SHARP)


def hour_of_week(at: float) -> int:
    """Return the hour of the UTC week, 0 to 167; Monday midnight is 0."""
    return int((at - MONDAY) // HOUR) % HOURS


class Week:
    """How much busier than its mean each hour of the week is; three shapes of rising detail.

    `FLAT` knows no hours; `SMOOTH` tells weekdays from weekends and the rough course of a day;
    `SHARP` knows every hour of the week.
    """

    __slots__ = ("_counts", "_hours", "_seen_at", "_sums", "_turn")

    def __init__(self, at: float) -> None:
        self._counts = [0.0] * HOURS
        self._hours = [0.0] * HOURS
        self._seen_at = at
        self._turn = -1
        self._sums = _shapes(self._counts, self._hours)

    def saw(self, at: float, weight: float = 1.0) -> None:
        """Note that a thread was opened."""
        self._pass(at)
        self._counts[hour_of_week(at)] += weight

    def load(self, shape: int, start: float, end: float) -> float:
        """Return the integral of a shape from `start` to `end`, in hours of mean traffic."""
        if shape == FLAT:
            return (end - start) / HOUR
        return self._until(shape, end) - self._until(shape, start)

    def loads(self, shape: int, start: float, ends: Sequence[float]) -> list[float]:
        """Return `load` from `start` to each of the ends."""
        if shape == FLAT:
            return [(end - start) / HOUR for end in ends]
        begun = self._until(shape, start)
        return [self._until(shape, end) - begun for end in ends]

    def level(self, shape: int, at: float) -> float:
        """Return how busy the hour at `at` is, 1 being the mean."""
        sums, hour = self._sums[shape], hour_of_week(at)
        return sums[hour + 1] - sums[hour]

    def refresh(self, at: float) -> None:
        """Bring the shapes up to date, at most once a day."""
        turn = int(at // DAY)
        if turn != self._turn:
            self._pass(at)
            self._turn = turn
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
        sums = self._sums[shape]
        weeks, rest = divmod((at - MONDAY) / HOUR, HOURS)
        hour = int(rest)
        low = sums[hour]
        return weeks * sums[HOURS] + low + (rest - hour) * (sums[hour + 1] - low)

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
    smooth = flat
    for reach, key, pull in ((0, _KIND, 0.5), (6, _KIND_HOUR, 0.25), (2, _KIND_HOUR, 0.5)):
        smooth = _refined(smooth, counts, expected, reach, key, pull)
    sharp = smooth
    for reach, key, pull in ((0, _KIND_HOUR, 2.0), (0, _DAY, 2.0), (2, _HOUR, 4.0)):
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
    pools = [0.0] * (max(key) + 1)
    for value, k in zip(values, key, strict=True):
        pools[k] += value
    return pools


def _spread(values: list[float], reach: int) -> list[float]:
    if not reach:
        return values
    weights = [reach + 1 - abs(step) for step in range(-reach, reach + 1)]
    whole = sum(weights)
    around = values[-reach:] + values + values[:reach]
    return [
        sum([w * v for w, v in zip(weights, around[h : h + len(weights)], strict=True)]) / whole
        for h in range(HOURS)
    ]


_HOUR = list(range(HOURS))
_DAY = [hour // 24 for hour in _HOUR]
_KIND = [int(day >= 5) for day in _DAY]
"""Weekday or weekend."""
_KIND_HOUR = [hour % 24 + 24 * kind for hour, kind in zip(_HOUR, _KIND, strict=True)]


def _sums(levels: list[float]) -> list[float]:
    """Return running sums of the levels, their mean made 1."""
    scale = HOURS / sum(levels)
    sums = [0.0]
    for level in levels:
        sums.append(sums[-1] + level * scale)
    return sums
