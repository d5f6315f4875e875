"""When the next question on a prefix will come: channels' rates, open threads, open signals.

Everything direct (messages to the bot, the ask-modal) is one channel: many people who each ask
rarely are together as regular as a channel is.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence
from itertools import takewhile
from typing import Any

from bot.warm.forecast.conversions import Conversions
from bot.warm.forecast.followups import OLDEST, SINCE_MESSAGE, SINCE_QUESTION, FollowUps
from bot.warm.forecast.rates import Rates
from bot.warm.forecast.survival import Outlook

DIRECT = "direct"
SETTLED = 2 * 3600.0
"""Seconds of silence after which a thread's hazard is smooth enough for the curve's grid."""
MOST_CHANNELS = 64
MOST_THREADS = 128


def place_of(channel: str | None) -> str:
    """Return the name under which a channel's arrivals are counted."""
    return DIRECT if channel is None or channel.startswith("D") else channel


def _sums(one: Sequence[float], other: Sequence[float]) -> list[float]:
    return [a + b for a, b in zip(one, other, strict=True)]


class Channel:
    """One channel's new questions and its open threads, the longest silent first.

    `moved` tells that the curve of new questions was worked out before the latest of them.
    """

    __slots__ = (
        "_settled_at",
        "_spoke_at",
        "asked_at",
        "followups",
        "moved",
        "rates",
        "returns",
        "threads",
    )

    def __init__(self, at: float) -> None:
        self.rates = Rates(at)
        self.followups = FollowUps(SINCE_MESSAGE)
        self.returns = FollowUps(SINCE_QUESTION)
        self.asked_at: dict[str, float] = {}
        self.threads: OrderedDict[str, float] = OrderedDict()
        self.moved = True
        self._settled_at: float | None = None
        self._spoke_at = -math.inf

    def opened(self, at: float) -> None:
        """A thread was opened, with a question or without."""
        self.rates.week.saw(at)

    def spoke(self, thread: str, asked: bool, at: float) -> bool:
        """Somebody wrote in a thread; return whether it was open."""
        last = self.threads.pop(thread, None)
        if last is None:
            return False
        self.followups.passed(at - last, asked)
        self.threads[thread] = self._spoke_at = at
        if self._settled_at is not None and last <= self._settled_at:
            self._settled_at = None
        if asked:
            self.returns.passed(at - self.asked_at[thread], True)
            self.asked_at[thread] = at
        return True

    def asked_anew(self, thread: str | None, at: float) -> None:
        """A question opened a thread."""
        self.rates.asked(at)
        self.moved = True
        if thread is not None:
            self.threads[thread] = self.asked_at[thread] = self._spoke_at = at
            self.close(at)

    def close(self, at: float) -> None:
        """Forget threads that are too old to matter, or too many."""
        while self.threads:
            thread, last = next(iter(self.threads.items()))
            if at - last < OLDEST and len(self.threads) <= MOST_THREADS:
                return
            del self.threads[thread]
            self.followups.passed(at - last, False)
            self.returns.passed(at - self.asked_at.pop(thread), False)

    def newly(self, now: float, times: Sequence[float]) -> list[float]:
        """Return what new questions add to the curve until each time.

        The value at a time is the negative logarithm of the probability of silence until then.
        """
        self.rates.advance(now)
        self.moved = False
        return self.rates.ahead(times)

    def is_settled(self, now: float) -> bool:
        """Tell whether the curve of threads long silent holds as many as it could."""
        return self._settled_at is not None and not (
            self._settled_at < self._spoke_at <= now - SETTLED
        )

    def settled(self, now: float, times: Sequence[float]) -> list[float]:
        """Return what threads that have long been silent add to the curve until each time."""
        settled_at = self._settled_at = now - SETTLED
        silent = takewhile(lambda last: last <= settled_at, self.threads.values())
        return self.followups.expected([now - last for last in silent], [t - now for t in times])

    @property
    def follows(self) -> bool:
        """Whether a thread has spoken that no curve holds."""
        return self._settled_at is None or self._spoke_at > self._settled_at

    def follow(self, now: float, spans: Sequence[float]) -> list[float]:
        """Return the follow-ups to expect, within each span, of the threads that no curve holds."""
        until = -math.inf if self._settled_at is None else self._settled_at
        recent = takewhile(lambda last: last > until, reversed(self.threads.values()))
        return self.followups.expected([now - last for last in recent], spans)

    def snapshot(self) -> dict[str, Any]:
        return {
            "rates": self.rates.snapshot(),
            "followups": self.followups.snapshot(),
            "returns": self.returns.snapshot(),
            "threads": [[t, at, self.asked_at[t]] for t, at in self.threads.items()],
        }

    @classmethod
    def restored(cls, saved: dict[str, Any]) -> Channel:
        channel = cls(0.0)
        channel.rates = Rates.restored(saved["rates"])
        channel.followups = FollowUps.restored(saved["followups"])
        channel.returns = FollowUps.restored(saved["returns"])
        for thread, at, asked_at in saved["threads"]:
            channel.threads[thread], channel.asked_at[thread] = float(at), float(asked_at)
            channel._spoke_at = float(at)
        return channel


class Arrivals:
    """Everything that may bring a question to one prefix."""

    __slots__ = ("_outlook", "channels", "conversions")

    def __init__(self) -> None:
        self._outlook: Outlook | None = None
        self.channels: OrderedDict[str, Channel] = OrderedDict()
        self.conversions = Conversions()

    def channel(self, place: str, at: float) -> Channel:
        """Return a channel, made at its first sight; the one silent for longest makes room."""
        found = self.channels.get(place)
        if found is None:
            found = self.channels[place] = Channel(at)
            if len(self.channels) > MOST_CHANNELS:
                self.channels.popitem(last=False)
                self._outlook = None
        self.channels.move_to_end(place)
        return found

    def silence(
        self,
        now: float,
        ends: Sequence[float],
        *,
        after_question: str | None = None,
        signals: bool = True,
    ) -> list[float]:
        """Return the probability, starting with 1 for now, that no question comes until each end.

        With `after_question`, a channel's name: as it would be had that channel just asked. Open
        signals count unless told otherwise.
        """
        here, *there = self._ahead(now).until((now, *ends))
        total = [value - here for value in there]
        spans = [end - now for end in ends]
        for place, channel in self.channels.items():
            if place == after_question:
                total = _sums(total, channel.returns.expected([0.0], spans))
            elif channel.follows:
                total = _sums(total, channel.follow(now, spans))
        quiet = [math.exp(-count) for count in total]
        if after_question is None and signals and self.conversions.open:
            for at, end in enumerate(ends):
                quiet[at] *= 1.0 - self.conversions.pending(now, end)
        return [1.0, *quiet]

    def _ahead(self, now: float) -> Outlook:
        """Return the curve of what is to come; what has changed in it is put right."""
        outlook = self._outlook
        anew = outlook is None or outlook.grid.is_old(now)
        if outlook is None or anew:
            outlook = self._outlook = Outlook(now)
        for place, channel in self.channels.items():
            moved = anew or channel.moved
            if moved:
                outlook.put((place, "new"), now, channel.newly(now, outlook.after(now)))
            if moved or not channel.is_settled(now):
                outlook.put((place, "open"), now, channel.settled(now, outlook.after(now)))
        return outlook

    def snapshot(self) -> dict[str, Any]:
        return {
            "channels": {place: channel.snapshot() for place, channel in self.channels.items()},
            "conversions": self.conversions.snapshot(),
        }

    @classmethod
    def restored(cls, saved: dict[str, Any]) -> Arrivals:
        arrivals = cls()
        for place, channel in saved["channels"].items():
            arrivals.channels[place] = Channel.restored(channel)
        arrivals.conversions = Conversions.restored(saved["conversions"])
        return arrivals
