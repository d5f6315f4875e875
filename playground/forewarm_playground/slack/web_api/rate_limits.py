"""Rate limits: per method and workspace, and one message per second and channel."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from math import ceil

TIERS = {1: 1, 2: 20, 3: 50, 4: 100}
"""Calls a minute by tier (D:apis/web-api/rate-limits)."""

SPECIAL = 600
"""Calls a minute of a method whose limit Slack calls special: several a second."""

_MINUTE = 60.0


class Window:
    """At most `most` calls within any `span` seconds."""

    __slots__ = ("_calls", "_most", "_span")

    def __init__(self, most: int, span: float = _MINUTE) -> None:
        self._most = most
        self._span = span
        self._calls: deque[float] = deque()

    def __repr__(self) -> str:
        return f"<Window [{len(self._calls)} of {self._most} in {self._span:g} s]>"

    def take(self, at: float) -> float:
        """Count a call at `at` and return 0, or return the seconds until one is free."""
        while self._calls and self._calls[0] + self._span <= at:
            self._calls.popleft()
        if len(self._calls) >= self._most:
            return self._calls[0] + self._span - at
        self._calls.append(at)
        return 0.0


class Bucket:
    """`rate` calls a second in the long run, `burst` at once."""

    __slots__ = ("_at", "_burst", "_left", "_rate")

    def __init__(self, rate: float, burst: int) -> None:
        self._rate = rate
        self._burst = burst
        self._left = float(burst)
        self._at = float("-inf")

    def __repr__(self) -> str:
        return f"<Bucket [{self._left:.1f} of {self._burst} left]>"

    def take(self, at: float) -> float:
        """Count a call at `at` and return 0, or return the seconds until one is free."""
        if self._at != float("-inf"):
            self._left = min(self._burst, self._left + (at - self._at) * self._rate)
        self._at = at
        if self._left < 1.0 - 1e-9:
            return (1.0 - self._left) / self._rate
        self._left -= 1.0
        return 0.0


class Limiter:
    """Counts the calls of one app; `overrides` sets calls a minute for methods by name."""

    def __init__(self, *, enabled: bool, post_burst: int, overrides: Mapping[str, int]) -> None:
        self.enabled = enabled
        self._post_burst = post_burst
        self._overrides = dict(overrides)
        self._windows: dict[tuple[str, str], Window] = {}
        self._channels: dict[str, Bucket] = {}

    def __repr__(self) -> str:
        state = "on" if self.enabled else "off"
        counted = f"{len(self._windows)} methods | {len(self._channels)} channels"
        return f"<Limiter [{state} | {counted}]>"

    def call(self, method: str, team: str, per_minute: int, at: float) -> int:
        """Count a call; return the whole seconds of `Retry-After` if it is one too many, else 0."""
        if not self.enabled:
            return 0
        key = (method, team)
        if key not in self._windows:
            self._windows[key] = Window(self._overrides.get(method, per_minute))
        return ceil(self._windows[key].take(at))

    def post(self, channel: str, at: float) -> int:
        """Count a message to a channel, as `call` counts calls."""
        if not self.enabled:
            return 0
        if channel not in self._channels:
            self._channels[channel] = Bucket(1.0, self._post_burst)
        return ceil(self._channels[channel].take(at))
