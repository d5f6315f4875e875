"""When the next question on a prefix comes: the forecasts of all its channels, put together.

The probability that no question comes from now until t is

    S(t) = exp(-Σ over channels [ H_new(t) + H_threads(t) ]) · (1 - pending(t))

H_new comes from the channel's rate of new questions (`rates.py`), H_threads from its open threads
(`followups.py`), `pending` from the open signals (`conversions.py`). Channels are taken as
independent, so their hazards add up. See docs/governor.md#probability-of-silence.

Most of H changes slowly, and decisions are frequent. So it is kept as a curve (`survival.py`) and
only read. A channel's part of the curve is computed anew in four cases:

    a new question came           its rate has changed               `Channel.is_stale`
    a thread has grown old        it moves from below into the curve `Channel.is_curve_current`
    an old thread spoke           it must leave the curve            `Channel.record_message`
    the grid is old               for all channels                   `Grid.is_old`

Threads that spoke within the last `OLD_THREAD` seconds are not in the curve, because their hazard
changes within seconds. Their part is computed exactly at each reading.

All direct messages and modals are one channel, `DIRECT`. Many people who each ask rarely are
together as regular as a channel, and a belief for each of them would never learn anything.

It breaks if a thread is both in the curve and added at the reading, or in neither.
`Channel._curve_until` is the one border between the two: the last message of a thread lies before
it (in the curve) or after it (added).
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence
from itertools import takewhile
from typing import Any

from bot.warm.forecast.conversions import Conversions
from bot.warm.forecast.followups import CLOSED_AGE, SINCE_MESSAGE, SINCE_QUESTION, FollowUps
from bot.warm.forecast.rates import QuestionRate
from bot.warm.forecast.survival import HazardCurve

DIRECT = "direct"
OLD_THREAD = 2 * 3600.0
"""Seconds of silence after which a thread's hazard is smooth enough for the curve's grid."""
MOST_CHANNELS = 64
MOST_THREADS = 128


def key_of_channel(channel: str | None) -> str:
    """Return the name under which a channel's questions are counted."""
    return DIRECT if channel is None or channel.startswith("D") else channel


def _add(one: Sequence[float], other: Sequence[float]) -> list[float]:
    return [a + b for a, b in zip(one, other, strict=True)]


class Channel:
    """Forecast of one channel: its rate of new questions and its open threads.

    `threads` holds the time of each open thread's last message, the oldest first. `asked_at` holds
    the time of its last question. `is_stale` tells that a new question has changed the rate since
    its part of the curve was computed.
    """

    __slots__ = (
        "_curve_until",
        "_latest_at",
        "asked_at",
        "followups",
        "is_stale",
        "rate",
        "returns",
        "threads",
    )

    def __init__(self, at: float) -> None:
        self.rate = QuestionRate(at)
        self.followups = FollowUps(SINCE_MESSAGE)
        self.returns = FollowUps(SINCE_QUESTION)
        self.asked_at: dict[str, float] = {}
        self.threads: OrderedDict[str, float] = OrderedDict()
        self.is_stale = True
        self._curve_until: float | None = None
        self._latest_at = -math.inf

    def record_opening(self, at: float) -> None:
        """Record that a thread was opened, with a question or without: the week's shape."""
        self.rate.week.record_opening(at)

    def record_message(self, thread: str, is_question: bool, at: float) -> bool:
        """Record a message in a thread. Return False if the thread is not open here."""
        # Removed and added again below, so that the order stays that of the last messages.
        last = self.threads.pop(thread, None)
        if last is None:
            return False
        self.followups.record(at - last, is_question)
        self.threads[thread] = self._latest_at = at
        if self._curve_until is not None and last <= self._curve_until:
            # The curve holds this thread with its old age: it has to be computed anew.
            self._curve_until = None
        if is_question:
            self.returns.record(at - self.asked_at[thread], True)
            self.asked_at[thread] = at
        return True

    def record_new_question(self, thread: str | None, at: float) -> None:
        """Record a question that opened a thread."""
        self.rate.record_question(at)
        self.is_stale = True
        if thread is not None:
            self.threads[thread] = self.asked_at[thread] = self._latest_at = at
            self.close_threads(at)

    def close_threads(self, at: float) -> None:
        """Close the threads that are too old to matter, and the oldest if there are too many.

        Their long silence is recorded: without it, only threads that spoke again would teach the
        hazard, and it would be far too high.
        """
        while self.threads:
            thread, last = next(iter(self.threads.items()))
            if at - last < CLOSED_AGE and len(self.threads) <= MOST_THREADS:
                return
            del self.threads[thread]
            self.followups.record(at - last, False)
            self.returns.record(at - self.asked_at.pop(thread), False)

    def new_question_hazard(self, now: float, times: Sequence[float]) -> list[float]:
        """Return the cumulative hazard of new questions from now until each time."""
        self.rate.advance(now)
        self.is_stale = False
        return self.rate.cumulative_hazard(times)

    def is_curve_current(self, now: float) -> bool:
        """Tell whether the curve holds all threads that are old enough for it."""
        # The latest message decides. If it is too young for the curve, its thread is added at each
        # reading anyway, and so are all that are younger than the border.
        return self._curve_until is not None and not (
            self._curve_until < self._latest_at <= now - OLD_THREAD
        )

    def old_thread_hazard(self, now: float, times: Sequence[float]) -> list[float]:
        """Return the cumulative hazard of old threads from now until each time, for the curve."""
        until = self._curve_until = now - OLD_THREAD
        # The oldest come first, so the first young thread ends the search.
        old = takewhile(lambda last: last <= until, self.threads.values())
        return self.followups.expected_count([now - last for last in old], [t - now for t in times])

    @property
    def has_recent_threads(self) -> bool:
        """Whether a thread has spoken that the curve does not hold."""
        return self._curve_until is None or self._latest_at > self._curve_until

    def recent_thread_hazard(self, now: float, spans: Sequence[float]) -> list[float]:
        """Return the cumulative hazard, within each span, of threads that the curve omits."""
        until = -math.inf if self._curve_until is None else self._curve_until
        recent = takewhile(lambda last: last > until, reversed(self.threads.values()))
        return self.followups.expected_count([now - last for last in recent], spans)

    def snapshot(self) -> dict[str, Any]:
        """Return the forecast as JSON."""
        return {
            "rates": self.rate.snapshot(),
            "followups": self.followups.snapshot(),
            "returns": self.returns.snapshot(),
            "threads": [[t, at, self.asked_at[t]] for t, at in self.threads.items()],
        }

    @classmethod
    def from_snapshot(cls, state: dict[str, Any]) -> Channel:
        """Return the forecast that `snapshot` returned."""
        channel = cls(0.0)
        channel.rate = QuestionRate.from_snapshot(state["rates"])
        channel.followups = FollowUps.from_snapshot(state["followups"])
        channel.returns = FollowUps.from_snapshot(state["returns"])
        for thread, at, asked_at in state["threads"]:
            channel.threads[thread], channel.asked_at[thread] = float(at), float(asked_at)
            channel._latest_at = float(at)
        return channel


class Arrivals:
    """Forecast of the questions on one prefix."""

    __slots__ = ("_curve", "channels", "conversions")

    def __init__(self) -> None:
        self._curve: HazardCurve | None = None
        self.channels: OrderedDict[str, Channel] = OrderedDict()
        self.conversions = Conversions()

    def channel(self, channel_key: str, at: float) -> Channel:
        """Return a channel, new if it was not known. The one unused for longest makes room."""
        found = self.channels.get(channel_key)
        if found is None:
            found = self.channels[channel_key] = Channel(at)
            if len(self.channels) > MOST_CHANNELS:
                self.channels.popitem(last=False)
                # The curve still holds the channel that has gone.
                self._curve = None
        self.channels.move_to_end(channel_key)
        return found

    def silence(
        self,
        now: float,
        ends: Sequence[float],
        *,
        after_question: str | None = None,
        signals: bool = True,
    ) -> list[float]:
        """Return the probability that no question comes until each end; first 1, for now.

        The ends are in rising order. `after_question` names a channel that is taken to have just
        asked in a new thread; open signals do not count then. Otherwise they count if `signals`.
        """
        start, *values = self._current_curve(now).values_at((now, *ends))
        hazard = [value - start for value in values]
        spans = [end - now for end in ends]
        for channel_key, channel in self.channels.items():
            if channel_key == after_question:
                # The thread that the question opens is the likeliest to bring the next one. It
                # stands for the channel's other recent threads.
                hazard = _add(hazard, channel.returns.expected_count([0.0], spans))
            elif channel.has_recent_threads:
                hazard = _add(hazard, channel.recent_thread_hazard(now, spans))
        silence = [math.exp(-h) for h in hazard]
        # A signal brings one question at most, so its probability is bounded, and it multiplies
        # the silence instead of adding to the hazard. After a question its user has asked already.
        if after_question is None and signals and self.conversions.open:
            for index, end in enumerate(ends):
                silence[index] *= 1.0 - self.conversions.pending_probability(now, end)
        return [1.0, *silence]

    def _current_curve(self, now: float) -> HazardCurve:
        """Return the curve with the parts that changed computed anew."""
        curve = self._curve
        is_new = curve is None or curve.grid.is_old(now)
        if curve is None or is_new:
            curve = self._curve = HazardCurve(now)
        for channel_key, channel in self.channels.items():
            # The belief about threads may have changed with the question too, so both parts follow.
            is_stale = is_new or channel.is_stale
            if is_stale:
                hazard = channel.new_question_hazard(now, curve.points_after(now))
                curve.set_part((channel_key, "new"), now, hazard)
            if is_stale or not channel.is_curve_current(now):
                hazard = channel.old_thread_hazard(now, curve.points_after(now))
                curve.set_part((channel_key, "open"), now, hazard)
        return curve

    def snapshot(self) -> dict[str, Any]:
        """Return the forecast as JSON."""
        return {
            "channels": {key: channel.snapshot() for key, channel in self.channels.items()},
            "conversions": self.conversions.snapshot(),
        }

    @classmethod
    def from_snapshot(cls, state: dict[str, Any]) -> Arrivals:
        """Return the forecast that `snapshot` returned."""
        arrivals = cls()
        for key, channel in state["channels"].items():
            arrivals.channels[key] = Channel.from_snapshot(channel)
        arrivals.conversions = Conversions.from_snapshot(state["conversions"])
        return arrivals
