"""How often new threads with a question come: a Bayesian filter over rates that drift.

Each `_Pace` is a gamma belief about a rate, in questions per hour of mean traffic, over one shape
of the week. Lasting paces start from priors an order of magnitude apart; passing ones forget
within days and fall back on what lasts. Their weights follow from how well each has foretold what
came, so a burst, a quiet week or a new time zone each make another pace speak louder, and nothing
is tuned per channel.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from bot.warm.forecast.week import DAY, HOUR, SHAPES, Week

LASTING = 60 * DAY
PRIOR_HOURS = (35.0, 150.0, 600.0)
"""Before anything was seen: one question in so many hours, held as lightly as one question is."""
PASSING = (2 * DAY, 7 * DAY)
"""Half-lives of the paces that forget."""
TIED = 4.0
"""Questions that the lasting rate is worth to a passing pace."""
SHARE = 0.003
"""The part of all weight that is dealt out anew each day, so that no pace is ever lost."""
UNHEARD = 0.02
"""The weight below which a pace is not asked about the future."""
LONGEST_STEP = 12 * HOUR


class _Pace:
    """`count` and `hours` were seen; `prior_count` and `prior_hours` are what it falls back on."""

    __slots__ = (
        "count",
        "decay",
        "hours",
        "lasts",
        "prior_count",
        "prior_hours",
        "shape",
        "weight",
    )

    def __init__(self, half_life: float, shape: int, count: float, hours: float) -> None:
        self.decay = math.log(2) / half_life
        self.lasts = half_life == LASTING
        self.shape = shape
        self.prior_count = count
        self.prior_hours = hours
        self.count = self.hours = self.weight = 0.0

    @property
    def mean(self) -> float:
        """The expected questions per hour of mean traffic."""
        return (self.prior_count + self.count) / (self.prior_hours + self.hours)


class Rates:
    """The belief about one channel's new questions, as of `at`."""

    __slots__ = ("_paces", "_since", "at", "week")

    def __init__(self, at: float) -> None:
        self.at = self._since = at
        self.week = Week(at)
        self._paces = [
            *(_Pace(LASTING, shape, 1.0, hours) for shape in SHAPES for hours in PRIOR_HOURS),
            *(_Pace(life, shape, TIED, 1.0) for shape in SHAPES for life in PASSING),
        ]
        for pace in self._paces:
            pace.weight = 1 / len(self._paces)
        self._tie()

    def advance(self, at: float) -> None:
        """Let time pass in which no new question came."""
        while self.at < at:
            self._step(min(at, self.at + LONGEST_STEP))
        self.week.refresh(at)

    def asked(self, at: float) -> None:
        """Note a new question.

        One at the very beginning says nothing of the rate: it is why the watch began.
        """
        if at <= self._since:
            return
        self.advance(at)
        for pace in self._paces:
            pace.weight *= pace.mean * self.week.level(pace.shape, at)
        for pace in self._paces:
            pace.count += 1.0
        self._normalise(0.0)

    def ahead(self, times: Sequence[float]) -> list[float]:
        """Return the negative logarithm of the probability of silence until each of the times."""
        heard = [pace for pace in self._paces if pace.weight >= UNHEARD]
        weight = sum([pace.weight for pace in heard])
        loads = self.week.loads({pace.shape for pace in heard}, self.at, times)
        total = [0.0] * len(times)
        for pace in heard:
            base, count = pace.prior_hours + pace.hours, -(pace.prior_count + pace.count)
            share, scale = pace.weight / weight, 1.0 / base
            total = [
                have + share * (1.0 + scale * load) ** count
                for have, load in zip(total, loads[pace.shape], strict=True)
            ]
        return [-math.log(quiet) for quiet in total]

    def snapshot(self) -> dict[str, Any]:
        paces = [[pace.weight, pace.count, pace.hours] for pace in self._paces]
        return {"at": self.at, "week": self.week.snapshot(), "paces": paces}

    @classmethod
    def restored(cls, saved: dict[str, Any]) -> Rates:
        rates = cls(float(saved["at"]))
        rates.week = Week.restored(saved["week"])
        for pace, row in zip(rates._paces, saved["paces"], strict=True):
            pace.weight, pace.count, pace.hours = map(float, row)
        rates._tie()
        return rates

    def _step(self, at: float) -> None:
        elapsed = at - self.at
        loads = [self.week.load(shape, self.at, at) for shape in SHAPES]
        for pace in self._paces:
            load = loads[pace.shape]
            base = pace.prior_hours + pace.hours
            pace.weight *= (base / (base + load)) ** (pace.prior_count + pace.count)
            kept = math.exp(-pace.decay * elapsed)
            pace.count *= kept
            pace.hours = pace.hours * kept + load * (1 - kept) / (pace.decay * elapsed)
        self.at = at
        self._normalise(SHARE * elapsed / DAY)

    def _normalise(self, share: float) -> None:
        total = sum(pace.weight for pace in self._paces)
        even = share / len(self._paces)
        for pace in self._paces:
            pace.weight = (1 - share) * pace.weight / total + even
        self._tie()

    def _tie(self) -> None:
        """Let what passes fall back on the rate that lasts."""
        lasting = [pace for pace in self._paces if pace.lasts]
        weight = sum(pace.weight for pace in lasting)
        mean = sum(pace.weight * pace.mean for pace in lasting) / weight
        for pace in self._paces:
            if not pace.lasts:
                pace.prior_hours = TIED / mean
