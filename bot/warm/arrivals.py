"""When the next question on a prefix will come: channels' rates, open threads, open signals.

Everything direct (messages to the bot, the ask-modal) is one channel: many people who each ask
rarely are together as regular as a channel is.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from bot.warm.conversions import Conversions
from bot.warm.followups import OLDEST, SINCE_MESSAGE, SINCE_QUESTION, FollowUps
from bot.warm.rates import Rates

DIRECT = "direct"
MOST_CHANNELS = 64
MOST_THREADS = 128


def place_of(channel: str | None) -> str:
    """Return the name under which a channel's arrivals are counted."""
    return DIRECT if channel is None or channel.startswith("D") else channel


class Channel:
    """One channel's new questions and its open threads, the longest silent first."""

    __slots__ = ("asked_at", "followups", "rates", "returns", "threads")

    def __init__(self, at: float) -> None:
        self.rates = Rates(at)
        self.followups = FollowUps(SINCE_MESSAGE)
        self.returns = FollowUps(SINCE_QUESTION)
        self.asked_at: dict[str, float] = {}
        self.threads: OrderedDict[str, float] = OrderedDict()

    def opened(self, at: float) -> None:
        """A thread was opened, with a question or without."""
        self.rates.week.saw(at)

    def spoke(self, thread: str, asked: bool, at: float) -> bool:
        """Somebody wrote in a thread; return whether it was open."""
        last = self.threads.pop(thread, None)
        if last is None:
            return False
        self.followups.passed(at - last, asked)
        self.threads[thread] = at
        if asked:
            self.returns.passed(at - self.asked_at[thread], True)
            self.asked_at[thread] = at
        return True

    def asked_anew(self, thread: str | None, at: float) -> None:
        """A question opened a thread."""
        self.rates.asked(at)
        if thread is not None:
            self.threads[thread] = self.asked_at[thread] = at
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

    def silence(self, now: float, ends: Sequence[float], fresh: bool) -> list[float]:
        """Return the probability that no question comes until each end.

        `fresh` looks at the time after a question that was asked just now, instead of at the
        threads that are open.
        """
        self.rates.advance(now)
        quiet = self.rates.silence(ends)
        spans = [end - now for end in ends]
        total = [0.0] * len(ends)
        if fresh:
            total = self.returns.expected(0.0, spans)
        for last in () if fresh else self.threads.values():
            for at, count in enumerate(self.followups.expected(now - last, spans)):
                total[at] += count
        return [still * math.exp(-count) for still, count in zip(quiet, total, strict=True)]

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
        return channel


class Arrivals:
    """Everything that may bring a question to one prefix."""

    __slots__ = ("channels", "conversions")

    def __init__(self) -> None:
        self.channels: OrderedDict[str, Channel] = OrderedDict()
        self.conversions = Conversions()

    def channel(self, place: str, at: float) -> Channel:
        """Return a channel, made at its first sight; the one silent for longest makes room."""
        found = self.channels.get(place)
        if found is None:
            found = self.channels[place] = Channel(at)
            if len(self.channels) > MOST_CHANNELS:
                self.channels.popitem(last=False)
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
        total = [1.0] * len(ends)
        for place, channel in self.channels.items():
            fresh = place == after_question
            for at, quiet in enumerate(channel.silence(now, ends, fresh)):
                total[at] *= quiet
        if after_question is None and signals and self.conversions.open:
            for at, end in enumerate(ends):
                total[at] *= 1.0 - self.conversions.pending(now, end)
        return [1.0, *total]

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
