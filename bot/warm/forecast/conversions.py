"""How often each kind of signal has turned into a question, and how far ahead it came.

Signals are watched until their user posts in that place, or for `WATCHED` seconds. What is known
before anything was seen is a beta prior per kind; in an open thread a kind is counted apart, since
who types into a thread has decided more than who opens a window.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from bot.warm.signals import SignalKind

WATCHED = 600.0
MOST_WATCHED = 256
PRIOR_WEIGHT = 8.0
PRIORS: dict[SignalKind, float] = {
    "modal_opened": 0.6,
    "modal_typing": 0.7,
    "bare_mention": 0.6,
    "composer_link": 0.4,
    "dm_opened": 0.3,
    "link_posted": 0.2,
    "context_changed": 0.1,
    "reaction": 0.05,
    "bot_joined": 0.3,
    "person_joined": 0.02,
}
"""Kinds that somebody about to ask gives, and how often that came to a question at first."""
FORGET = 0.995
"""What each new outcome leaves of the weight of those before it."""

LEADS = (3.0, 6.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0, 240.0, WATCHED)
"""Ends of the bins of the time from a signal to its question, in seconds."""

Kind = tuple[SignalKind, bool]
"""A kind of signal, and whether it came from within a thread."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A signal whose outcome is open. `at` is its first time, `latest` its last."""

    kind: Kind
    place: str
    at: float
    latest: float


class Conversions:
    """What signals on one prefix were worth, and those that are still open."""

    __slots__ = ("_came", "_leads", "_led", "_questions", "_signalled", "_total", "open")

    def __init__(self) -> None:
        self._came: dict[Kind, float] = {}
        self._total: dict[Kind, float] = {}
        self._set_leads([0.25] * len(LEADS))
        self._questions = 0.0
        self._signalled = 0.0
        self.open: OrderedDict[str, Watched] = OrderedDict()

    def signalled(self, user: str, place: str, kind: SignalKind, threaded: bool, at: float) -> None:
        """Watch a signal of a kind that leads to questions."""
        self.expire(at)
        old = self.open.pop(user, None)
        first = old.at if old else at
        self.open[user] = Watched((kind, threaded), place, first, at)
        if len(self.open) > MOST_WATCHED:
            self.open.popitem(last=False)

    def posted(self, user: str, place: str, asked: bool, at: float) -> None:
        """The user asked, wherever it was; or said something else where the signal came from."""
        self.expire(at)
        watched = self.open.get(user)
        if watched is not None and not asked and watched.place != place:
            return
        if watched is not None:
            del self.open[user]
            self._outcome(watched.kind, asked)
        if asked:
            self._questions = self._questions * FORGET + 1.0
            self._signalled = self._signalled * FORGET + (1.0 if watched else 0.0)
            if watched is not None:
                self._lead(at - watched.at)

    def cancelled(self, user: str) -> None:
        """The signal was taken back."""
        watched = self.open.pop(user, None)
        if watched is not None:
            self._outcome(watched.kind, False)

    def expire(self, at: float) -> None:
        """Take signals that nothing came of as answered."""
        while self.open:
            key, watched = next(iter(self.open.items()))
            if at - watched.latest <= WATCHED:
                return
            del self.open[key]
            self._outcome(watched.kind, False)

    def probability(self, kind: Kind) -> float:
        """Return how likely a signal of this kind is to become a question."""
        prior = PRIORS.get(kind[0], 0.0)
        came, total = self._came.get(kind, 0.0), self._total.get(kind, 0.0)
        return (came + prior * PRIOR_WEIGHT) / (total + PRIOR_WEIGHT)

    @property
    def signalled_share(self) -> float:
        """The part of all questions that a signal foretells; one half is Jeffreys' prior."""
        return (self._signalled + 0.5) / (self._questions + 1.0)

    def typical(self) -> float:
        """Return how likely signals were on the whole to become questions."""
        came, total = sum(self._came.values()), sum(self._total.values())
        return (came + 0.7 * PRIOR_WEIGHT) / (total + PRIOR_WEIGHT)

    def pending(self, at: float, until: float) -> float:
        """Return the probability that an open signal brings its question between the times."""
        none = 1.0
        for watched in self.open.values():
            p = self.probability(watched.kind)
            left = 1.0 - self._led_by(at - watched.at)
            then = 1.0 - self._led_by(until - watched.at)
            still = p * left
            none *= 1.0 - (p * (left - then)) / (still + 1.0 - p + 1e-12)
        return 1.0 - none

    def waiting_left(self, prefill: float) -> float:
        """Return the expected seconds still to wait at a question warmed for at its signal."""
        total = sum(self._leads)
        seconds, low = 0.0, 0.0
        for weight, high in zip(self._leads, LEADS, strict=True):
            if low >= prefill:
                break
            seconds += weight * max(0.0, prefill - 0.5 * (low + min(high, 2 * prefill)))
            low = high
        return seconds / total

    def snapshot(self) -> dict[str, Any]:
        return {
            "kinds": [[*kind, self._came[kind], n] for kind, n in self._total.items()],
            "leads": self._leads,
            "questions": self._questions,
            "signalled": self._signalled,
        }

    @classmethod
    def restored(cls, saved: dict[str, Any]) -> Conversions:
        """Take back what was learned; signals that were open are forgotten."""
        conversions = cls()
        for name, threaded, came, total in saved["kinds"]:
            conversions._came[name, bool(threaded)] = float(came)
            conversions._total[name, bool(threaded)] = float(total)
        conversions._set_leads([float(n) for n in saved["leads"]])
        conversions._questions = float(saved["questions"])
        conversions._signalled = float(saved["signalled"])
        return conversions

    def _lead(self, lead: float) -> None:
        leads = [weight * FORGET for weight in self._leads]
        leads[min(bisect_right(LEADS, lead), len(LEADS) - 1)] += 1.0
        self._set_leads(leads)

    def _set_leads(self, leads: list[float]) -> None:
        self._leads, self._led = leads, [0.0, *accumulate(leads)]

    def _led_by(self, age: float) -> float:
        """Return the part of all leads that are shorter than `age`."""
        if age >= WATCHED:
            return 1.0
        at = bisect_right(LEADS, age)
        start = LEADS[at - 1] if at else 0.0
        before, weight = self._led[at], self._leads[at]
        done = before + weight * max(0.0, age - start) / (LEADS[at] - start)
        return done / self._led[-1]

    def _outcome(self, kind: Kind, asked: bool) -> None:
        self._came[kind] = self._came.get(kind, 0.0) * FORGET + (1.0 if asked else 0.0)
        self._total[kind] = self._total.get(kind, 0.0) * FORGET + 1.0
