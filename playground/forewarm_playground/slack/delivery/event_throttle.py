"""How much Slack sends to one app, and when it stops (docs/platform/slack.md#http-delivery)."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from forewarm_playground.slack.delivery.types import Delivery
from forewarm_playground.slack.ids import Json
from forewarm_playground.slack.web_api.rate_limits import Window

_HOUR = 3600.0
_FAILING = 0.95
_BUSY = 1000
"""Apps with fewer deliveries an hour than this are never switched off."""


@dataclass(slots=True, frozen=True)
class Verdict:
    """Whether an event may be sent, and the notice that goes out instead of the first refused."""

    admitted: bool
    notice: Delivery | None = None


class EventThrottle:
    """Counts the events of each workspace and the deliveries that failed."""

    def __init__(self, app_id: str, token: str, per_hour: int) -> None:
        self._app_id = app_id
        self._token = token
        self._per_hour = per_hour
        self._windows: dict[str, Window] = {}
        self._noticed: dict[str, int] = {}
        self._recent: deque[tuple[float, bool]] = deque()
        self._failed = 0
        self.enabled = True

    def __repr__(self) -> str:
        state = "enabled" if self.enabled else "disabled"
        return f"<EventThrottle [{state} | {self._failed} of {len(self._recent)} failed]>"

    def admit(self, team: str, at: float) -> Verdict:
        """Count an event for a workspace."""
        if not self.enabled:
            return Verdict(admitted=False)
        if team not in self._windows:
            self._windows[team] = Window(self._per_hour, _HOUR)
        if not self._windows[team].take(at):
            return Verdict(admitted=True)
        minute = int(at) // 60 * 60
        if self._noticed.get(team) == minute:
            return Verdict(admitted=False)
        self._noticed[team] = minute
        return Verdict(admitted=False, notice=self._notice(team, minute))

    def _notice(self, team: str, minute: int) -> Delivery:
        payload: Json = {
            "token": self._token,
            "type": "app_rate_limited",
            "team_id": team,
            "minute_rate_limited": minute,
            "api_app_id": self._app_id,
        }
        return Delivery("events_api", "app_rate_limited", payload, team)

    def note(self, at: float, *, failed: bool) -> None:
        """Count an attempt; nearly all failing for an hour switches the subscription off."""
        self._recent.append((at, failed))
        self._failed += failed
        while self._recent[0][0] <= at - _HOUR:
            self._failed -= self._recent.popleft()[1]
        count = len(self._recent)
        if count >= _BUSY and self._failed > _FAILING * count:
            self.enabled = False

    def enable(self) -> None:
        """Switch the subscription on again, as the app's owner can."""
        self._recent.clear()
        self._failed = 0
        self.enabled = True
