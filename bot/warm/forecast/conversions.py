"""How often each kind of signal becomes a question, and how far ahead of it the signal comes.

A signal (a direct message is opened, the modal is typed into) is open until its user asks, posts
something else in the same place, cancels, or gives no sign for `WATCH_SECONDS`. Its outcome
teaches two things.

- The probability p of its kind: a beta belief with a prior worth `PRIOR_WEIGHT` outcomes. Signals
  from within a thread are a kind of their own, since a user who types into a thread has decided
  more than one who opens a window.
- The distribution F of the lead, the time from the signal to the question: a histogram, linear
  within a bin, of all kinds together.

A signal of age x that has not become a question is less likely to do so with every second. The
probability that it brings its question by age y is

    p · (F(y) - F(x)) / (p · (1 - F(x)) + 1 - p)

which is Bayes' rule: the denominator is the probability that it has brought nothing so far. Old
outcomes are forgotten at the rate `DECAY` for each new one. See docs/governor.md#signals.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from bot.warm.signals import SignalKind

WATCH_SECONDS = 600.0
MOST_OPEN = 256
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
"""Kinds that lead to questions, and the share of them that does until outcomes were seen."""
PRIOR_MEAN = 0.7
"""The same for all signals together."""
DECAY = 0.995
"""Weight that each new outcome leaves to those before it."""

LEAD_BIN_ENDS = (
    3.0,
    6.0,
    10.0,
    15.0,
    20.0,
    30.0,
    45.0,
    60.0,
    90.0,
    120.0,
    240.0,
    WATCH_SECONDS,
)
"""Ends of the bins of the time from a signal to its question, in seconds."""

Kind = tuple[SignalKind, bool]
"""A kind of signal, and whether it came from within a thread."""


@dataclass(frozen=True, slots=True)
class OpenSignal:
    """A signal without an outcome. `at` is its first time, `latest_at` its last (Unix seconds)."""

    kind: Kind
    channel_key: str
    at: float
    latest_at: float


class Conversions:
    """Outcomes of the signals on one prefix, and the signals that are open. One for each user."""

    __slots__ = (
        "_lead_sums",
        "_leads",
        "_outcomes",
        "_questions",
        "_signalled",
        "_successes",
        "open",
    )

    def __init__(self) -> None:
        self._successes: dict[Kind, float] = {}
        self._outcomes: dict[Kind, float] = {}
        self._set_leads([0.25] * len(LEAD_BIN_ENDS))
        self._questions = 0.0
        self._signalled = 0.0
        self.open: OrderedDict[str, OpenSignal] = OrderedDict()

    def record_signal(
        self, user: str, channel_key: str, kind: SignalKind, in_thread: bool, at: float
    ) -> None:
        """Open a signal of a kind that leads to questions, or renew the user's open one."""
        self.expire(at)
        old = self.open.pop(user, None)
        # The lead counts from the user's first sign, not from the signs that follow it.
        first = old.at if old else at
        self.open[user] = OpenSignal((kind, in_thread), channel_key, first, at)
        if len(self.open) > MOST_OPEN:
            # It has no outcome: neither success nor failure was seen.
            self.open.popitem(last=False)

    def record_post(self, user: str, channel_key: str, is_question: bool, at: float) -> None:
        """Close the user's signal: with success at a question, in any channel.

        Another message closes it without success, but only in the channel of the signal: a user
        who chats elsewhere may still be about to ask.
        """
        self.expire(at)
        signal = self.open.get(user)
        if signal is not None and not is_question and signal.channel_key != channel_key:
            return
        if signal is not None:
            del self.open[user]
            self._record_outcome(signal.kind, is_question)
        if is_question:
            self._questions = self._questions * DECAY + 1.0
            self._signalled = self._signalled * DECAY + (1.0 if signal else 0.0)
            if signal is not None:
                self._record_lead(at - signal.at)

    def cancel(self, user: str) -> None:
        """Close the user's signal without success."""
        signal = self.open.pop(user, None)
        if signal is not None:
            self._record_outcome(signal.kind, False)

    def expire(self, at: float) -> None:
        """Close without success the signals whose last sign is too old."""
        # A renewed signal moves to the end, so the first one has the oldest last sign.
        while self.open:
            user, signal = next(iter(self.open.items()))
            if at - signal.latest_at <= WATCH_SECONDS:
                return
            del self.open[user]
            self._record_outcome(signal.kind, False)

    def probability(self, kind: Kind) -> float:
        """Return the probability that a signal of this kind becomes a question."""
        prior = PRIORS.get(kind[0], 0.0)
        successes, outcomes = self._successes.get(kind, 0.0), self._outcomes.get(kind, 0.0)
        return (successes + prior * PRIOR_WEIGHT) / (outcomes + PRIOR_WEIGHT)

    @property
    def share_of_questions_after_a_signal(self) -> float:
        """Share of all questions that had a signal, with Jeffreys' prior of one half."""
        return (self._signalled + 0.5) / (self._questions + 1.0)

    def mean_probability(self) -> float:
        """Return the probability that a signal of any kind becomes a question."""
        successes, outcomes = sum(self._successes.values()), sum(self._outcomes.values())
        return (successes + PRIOR_MEAN * PRIOR_WEIGHT) / (outcomes + PRIOR_WEIGHT)

    def pending_probability(self, at: float, until: float) -> float:
        """Return the probability that an open signal brings its question between the times."""
        # Users decide independently, so the chances that none of them asks multiply.
        none = 1.0
        for signal in self.open.values():
            p = self.probability(signal.kind)
            left_now = 1.0 - self._lead_share(at - signal.at)
            left_then = 1.0 - self._lead_share(until - signal.at)
            # The tiny term keeps a certain signal (p = 1) whose lead has passed from dividing 0.
            none *= 1.0 - (p * (left_now - left_then)) / (p * left_now + 1.0 - p + 1e-12)
        return 1.0 - none

    def remaining_wait(self, prefill: float) -> float:
        """Return the expected seconds that a question waits whose prefill began at its signal.

        It is the mean, over the leads, of the part of `prefill` that the lead leaves.
        """
        total = sum(self._leads)
        seconds, low = 0.0, 0.0
        for weight, high in zip(self._leads, LEAD_BIN_ENDS, strict=True):
            if low >= prefill:
                break
            # The mean lead of a bin is its middle. A bin far longer than the prefill is cut, so
            # that its middle does not hide the short leads in it.
            seconds += weight * max(0.0, prefill - 0.5 * (low + min(high, 2 * prefill)))
            low = high
        return seconds / total

    def snapshot(self) -> dict[str, Any]:
        """Return what was learned as JSON, without the open signals."""
        return {
            "kinds": [[*kind, self._successes[kind], n] for kind, n in self._outcomes.items()],
            "leads": self._leads,
            "questions": self._questions,
            "signalled": self._signalled,
        }

    @classmethod
    def from_snapshot(cls, state: dict[str, Any]) -> Conversions:
        """Return what `snapshot` returned, with no open signal."""
        conversions = cls()
        for name, in_thread, successes, outcomes in state["kinds"]:
            conversions._successes[name, bool(in_thread)] = float(successes)
            conversions._outcomes[name, bool(in_thread)] = float(outcomes)
        conversions._set_leads([float(n) for n in state["leads"]])
        conversions._questions = float(state["questions"])
        conversions._signalled = float(state["signalled"])
        return conversions

    def _record_lead(self, lead: float) -> None:
        leads = [weight * DECAY for weight in self._leads]
        leads[min(bisect_right(LEAD_BIN_ENDS, lead), len(LEAD_BIN_ENDS) - 1)] += 1.0
        self._set_leads(leads)

    def _set_leads(self, leads: list[float]) -> None:
        self._leads, self._lead_sums = leads, [0.0, *accumulate(leads)]

    def _lead_share(self, age: float) -> float:
        """Return the share of all leads that are shorter than `age`: F in the formula above."""
        if age >= WATCH_SECONDS:
            return 1.0
        at = bisect_right(LEAD_BIN_ENDS, age)
        start = LEAD_BIN_ENDS[at - 1] if at else 0.0
        before, weight = self._lead_sums[at], self._leads[at]
        done = before + weight * max(0.0, age - start) / (LEAD_BIN_ENDS[at] - start)
        return done / self._lead_sums[-1]

    def _record_outcome(self, kind: Kind, is_question: bool) -> None:
        self._successes[kind] = self._successes.get(kind, 0.0) * DECAY + float(is_question)
        self._outcomes[kind] = self._outcomes.get(kind, 0.0) * DECAY + 1.0
