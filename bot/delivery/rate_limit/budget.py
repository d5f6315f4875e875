"""How many calls of one method a workspace still has. Pure; time comes in as seconds.

Slack counts calls per method, workspace and app (docs/platform/slack.md#rate-limits). Whether by
sliding minute or by bucket is not documented, so a budget satisfies both: a bucket whose burst and
refill together stay below the tier in any sixty seconds.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

MINUTE = 60.0
MARGIN = 0.95
"""The part of a tier that is used; the rest is for clocks that differ from Slack's."""
_LEARNING = 0.85
_LEAST = 0.3
_RECOVERY = 0.05


@dataclass(frozen=True, slots=True)
class Rate:
    """Calls a minute, and the share of them that may come at once."""

    per_minute: float
    burst: float = 1.0


@dataclass(frozen=True, slots=True)
class Rates:
    """The rates that Slack allows an app in one workspace (docs/platform/slack.md#rate-limits).

    Appends and updates keep most of their budget for an even flow; the others are spent as they
    come. `post_channel` is what one channel takes on top of the workspace's `post`.
    """

    start: Rate = field(default=Rate(20))
    append: Rate = field(default=Rate(100, burst=0.15))
    stop: Rate = field(default=Rate(20))
    update: Rate = field(default=Rate(50, burst=0.25))
    post: Rate = field(default=Rate(300))
    post_channel: Rate = field(default=Rate(60, burst=0.05))
    delete: Rate = field(default=Rate(50))
    read: Rate = field(default=Rate(50))


class Budget:
    """The calls of one method that may be made, and from when on."""

    __slots__ = ("_at", "_blocked", "_calls", "_level", "_rate", "_trust", "_trusted_at")

    def __init__(self, rate: Rate, now: float) -> None:
        self._rate = rate
        self._calls: deque[float] = deque()
        self._trust = 1.0
        self._trusted_at = now
        self._level = self.burst
        self._at = now
        self._blocked = now

    @property
    def most(self) -> float:
        """Calls in any sixty seconds."""
        return max(1.0, self._rate.per_minute * MARGIN * self._trust)

    @property
    def _in_window(self) -> int:
        """Whole calls in any sixty seconds, at most."""
        return max(1, int(self.most))

    @property
    def burst(self) -> float:
        return max(1.0, self.most * self._rate.burst)

    @property
    def per_second(self) -> float:
        """Calls a second in the long run, so that burst and refill stay within `most`."""
        even = self.most if self._rate.burst >= 1.0 else self.most - self.burst
        return max(even, 0.5) / MINUTE

    def level(self, now: float) -> float:
        """Return how many calls may be made at once."""
        self._advance(now)
        if now < self._blocked:
            return 0.0
        return min(self._level, float(self._in_window - len(self._calls)))

    def ready_at(self, now: float) -> float:
        """Return when the next call may be made: `now` or later."""
        self._advance(now)
        times = [now, self._blocked]
        if self._level < 1.0:
            times.append(now + (1.0 - self._level) / self.per_second)
        over = len(self._calls) + 1 - self._in_window
        if over > 0:
            times.append(self._calls[over - 1] + MINUTE)
        return max(times)

    def take(self, now: float) -> None:
        self._advance(now)
        self._level -= 1.0
        self._calls.append(now)

    def give_back(self, now: float) -> None:
        """The call that was last taken has not been made."""
        self._advance(now)
        self._level = min(self._level + 1.0, self.burst)
        if self._calls:
            self._calls.pop()

    def refuse(self, now: float, retry_after: float) -> None:
        """Slack has answered 429: pause, and count on less for some minutes."""
        self._advance(now)
        self._blocked = max(self._blocked, now + retry_after)
        self._trust = max(_LEAST, self._trust * _LEARNING)
        self._trusted_at = now
        self._level = min(self._level, 1.0)

    def _advance(self, now: float) -> None:
        while self._calls and self._calls[0] <= now - MINUTE:
            self._calls.popleft()
        minutes = int((now - self._trusted_at) / MINUTE)
        if self._trust < 1.0 and minutes > 0:
            self._trust = min(1.0, self._trust + _RECOVERY * minutes)
            self._trusted_at = now
        if now > self._at:
            self._level = min(self.burst, self._level + (now - self._at) * self.per_second)
            self._at = now
