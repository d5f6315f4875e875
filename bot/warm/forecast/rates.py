"""How often a channel opens threads with a question: a Bayesian filter over rates that drift.

New questions of a channel are a Poisson process with rate λ · level(t). `level` is the shape of
the week (`week.py`), with mean 1. λ is not known and changes over time. The belief about it is a
mixture of 15 components. Component i has

    a gamma belief    shape a = prior_count + count, rate b = prior_hours + hours
    a shape           flat, smooth or sharp
    a half-life       after which what it saw counts half
    a weight w        how well it has forecast so far

The mean rate is a / b, in questions per hour of mean traffic. With L the load of a span (the
integral of the level, in hours), the three operations are

    silence over L    w · (b / (b + L)) ** a,  then hours + L
    a question        w · a / b · level,    then count + 1
    forecast          P(silence over L) = Σ w · (1 + L / b) ** -a

Weights are scaled to a sum of 1 after each. These are exact for a gamma mixture, apart from the
forgetting. See docs/governor.md#rate-of-new-questions.

Why a mixture. A single rate must trade a fast start against a steady estimate. Here the lasting
components start from priors an order of magnitude apart, so that the first questions choose the
scale. The recent ones forget within days and fall back on the lasting rate, so that a burst or a
quiet week raises their weight and nothing has to be tuned for a channel.

It breaks if a weight reaches zero, since its component could never return (hence
`REDEAL_PER_DAY`), and if a step is so long that count and hours decay much before the load is
compared with them (hence `LONGEST_STEP`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from bot.warm.forecast.week import DAY, HOUR, SHAPES, Week

LASTING_HALF_LIFE = 60 * DAY
PRIOR_HOURS = (35.0, 150.0, 600.0)
"""Priors of the lasting components: one question in so many hours, with the weight of one."""
RECENT_HALF_LIVES = (2 * DAY, 7 * DAY)
RECENT_PRIOR_COUNT = 4.0
"""Questions that the lasting rate is worth to a recent component."""
REDEAL_PER_DAY = 0.003
"""Share of all weight that is dealt out evenly each day, so that no component is ever lost."""
LEAST_WEIGHT = 0.02
"""Weight below which a component is left out of the forecast: it would change nothing visible."""
LONGEST_STEP = 12 * HOUR


class _Component:
    """One gamma belief: `count` questions in `hours` of mean traffic, on top of its prior."""

    __slots__ = (
        "count",
        "decay",
        "hours",
        "is_lasting",
        "prior_count",
        "prior_hours",
        "shape",
        "weight",
    )

    def __init__(self, half_life: float, shape: int, count: float, hours: float) -> None:
        self.decay = math.log(2) / half_life
        self.is_lasting = half_life == LASTING_HALF_LIFE
        self.shape = shape
        self.prior_count = count
        self.prior_hours = hours
        self.count = self.hours = self.weight = 0.0

    @property
    def mean(self) -> float:
        """Expected questions per hour of mean traffic."""
        return (self.prior_count + self.count) / (self.prior_hours + self.hours)


class QuestionRate:
    """Belief about the rate of one channel's new questions, as of `at` (Unix seconds)."""

    __slots__ = ("_components", "_since", "at", "week")

    def __init__(self, at: float) -> None:
        self.at = self._since = at
        self.week = Week(at)
        self._components = [
            *(
                _Component(LASTING_HALF_LIFE, shape, 1.0, hours)
                for shape in SHAPES
                for hours in PRIOR_HOURS
            ),
            *(
                _Component(half_life, shape, RECENT_PRIOR_COUNT, 1.0)
                for shape in SHAPES
                for half_life in RECENT_HALF_LIVES
            ),
        ]
        for component in self._components:
            component.weight = 1 / len(self._components)
        self._update_recent_priors()

    def advance(self, at: float) -> None:
        """Take in that no new question came until `at`."""
        while self.at < at:
            self._take_silence(min(at, self.at + LONGEST_STEP))
        self.week.refresh(at)

    def record_question(self, at: float) -> None:
        """Take in a new question.

        A question at the very start is ignored. It is the reason why the watch began, so it says
        nothing about the rate.
        """
        if at <= self._since:
            return
        self.advance(at)
        # The likelihood of a question now is the rate as it was believed before the question.
        for component in self._components:
            component.weight *= component.mean * self.week.level(component.shape, at)
        for component in self._components:
            component.count += 1.0
        self._normalise(0.0)

    def cumulative_hazard(self, times: Sequence[float]) -> list[float]:
        """Return -ln of the probability that no question comes from `at` until each time."""
        # Most components soon have next to no weight. They are left out to save time.
        used = [c for c in self._components if c.weight >= LEAST_WEIGHT]
        weight = sum([c.weight for c in used])
        loads = self.week.loads({c.shape for c in used}, self.at, times)
        # The probabilities of silence are mixed, not the hazards: a mixture of long silences
        # becomes surer of the slow components, as the filter does when the silence happens.
        silence = [0.0] * len(times)
        for c in used:
            minus_alpha = -(c.prior_count + c.count)
            share, scale = c.weight / weight, 1.0 / (c.prior_hours + c.hours)
            silence = [
                so_far + share * (1.0 + scale * load) ** minus_alpha
                for so_far, load in zip(silence, loads[c.shape], strict=True)
            ]
        return [-math.log(probability) for probability in silence]

    def snapshot(self) -> dict[str, Any]:
        """Return the belief as JSON."""
        paces = [[c.weight, c.count, c.hours] for c in self._components]
        return {"at": self.at, "week": self.week.snapshot(), "paces": paces}

    @classmethod
    def from_snapshot(cls, state: dict[str, Any]) -> QuestionRate:
        """Return the belief that `snapshot` returned."""
        rate = cls(float(state["at"]))
        rate.week = Week.from_snapshot(state["week"])
        for component, row in zip(rate._components, state["paces"], strict=True):
            component.weight, component.count, component.hours = map(float, row)
        rate._update_recent_priors()
        return rate

    def _take_silence(self, at: float) -> None:
        elapsed = at - self.at
        loads = [self.week.load(shape, self.at, at) for shape in SHAPES]
        for c in self._components:
            load = loads[c.shape]
            beta = c.prior_hours + c.hours
            # The probability of silence under the gamma belief, integrated over the rate.
            c.weight *= (beta / (beta + load)) ** (c.prior_count + c.count)
            kept = math.exp(-c.decay * elapsed)
            c.count *= kept
            # The new hours decay within the step too: the mean of exp(-decay · s) over the step.
            c.hours = c.hours * kept + load * (1 - kept) / (c.decay * elapsed)
        self.at = at
        self._normalise(REDEAL_PER_DAY * elapsed / DAY)

    def _normalise(self, redeal: float) -> None:
        """Scale the weights to a sum of 1, and deal out the share `redeal` of them evenly."""
        total = sum(c.weight for c in self._components)
        even = redeal / len(self._components)
        for c in self._components:
            c.weight = (1 - redeal) * c.weight / total + even
        self._update_recent_priors()

    def _update_recent_priors(self) -> None:
        """Let the recent components fall back on the mean rate of the lasting ones."""
        lasting = [c for c in self._components if c.is_lasting]
        weight = sum(c.weight for c in lasting)
        mean = sum(c.weight * c.mean for c in lasting) / weight
        for c in self._components:
            if not c.is_lasting:
                c.prior_hours = RECENT_PRIOR_COUNT / mean
