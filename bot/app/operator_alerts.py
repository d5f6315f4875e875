"""Direct messages to operators about what only they can repair, limited in number.

Each matter is told once a day, and at most `MOST_A_DAY` matters are. What was told is kept in the
store, so that replicas together keep to that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import structlog
from slack_sdk.web.async_client import AsyncWebClient

from bot.claude.events import RequestEnded
from bot.clock import Now, length_of_time
from bot.errors import ForewarmError
from bot.slack.web_api import best_effort
from bot.store.key_value import State
from bot.telemetry.figures.money import day_of

ALERTS = "operator_alert"
"""The kind of state under which it is noted what was told."""
LOOK_SECONDS = 60.0
MOST_A_DAY = 10
CAP_SHARE = 0.8
STALE_SECONDS = 3600.0
REFUSALS = ("authentication", "permission")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class CapState:
    """A day's cap and what of it is spent, in USD. `name` is for people."""

    name: str
    cap: float
    spent: float


@dataclass(frozen=True, slots=True)
class StaleContext:
    """A repository that cannot be fetched: since when, why, and if a token was refused."""

    context: str
    repository: str
    since: float
    reason: str
    is_refused: bool


@dataclass(frozen=True, slots=True)
class Alert:
    """A matter for operators. `key` names it within a day."""

    key: str
    text: str


def due_alerts(
    now: float,
    caps: Iterable[CapState],
    stale: Iterable[StaleContext],
    claude_refusals: Mapping[str, float],
) -> Iterator[Alert]:
    """Return what operators should know now. `claude_refusals` are kinds with their last time."""
    for cap in caps:
        if cap.cap > 0 and cap.spent >= CAP_SHARE * cap.cap:
            yield Alert(
                f"cap:{cap.name}",
                f"{cap.spent / cap.cap:.0%} of today's limit for {cap.name} is spent"
                f" (${cap.spent:.2f} of ${cap.cap:.2f}). At the limit it stops until midnight UTC.",
            )
    for one in stale:
        if one.is_refused or now - one.since >= STALE_SECONDS:
            yield Alert(
                f"stale:{one.context}:{one.repository}",
                f"{one.repository} of the context {one.context} could not be fetched for"
                f" {length_of_time(now - one.since)}, so answers are from older code: {one.reason}",
            )
    for kind, at in claude_refusals.items():
        if day_of(at) == day_of(now):
            yield Alert(
                f"claude:{kind}",
                "Claude refuses ANTHROPIC_API_KEY, so no question is answered: `forewarm check`"
                " says what to do.",
            )


class OperatorAlerts:
    """Looks once a minute, and tells each operator."""

    def __init__(
        self,
        client: AsyncWebClient,
        state: State,
        operators: Sequence[str],
        caps: Callable[[], Iterable[CapState]],
        stale: Callable[[], Iterable[StaleContext]],
        now: Now,
    ) -> None:
        self._client, self._state, self._operators = client, state, operators
        self._caps, self._stale, self._now = caps, stale, now
        self._refusals: dict[str, float] = {}

    def observe(self, record: RequestEnded) -> None:
        """Take in that a request ended: a key that was refused is for operators."""
        if record.error in REFUSALS:
            self._refusals[record.error] = record.at
        elif record.error is None:
            self._refusals.clear()

    async def keep_looking(self) -> None:
        while self._operators:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self.look()
            except ForewarmError as error:
                log.warning("operators_not_alerted", why=str(error))

    async def look(self) -> None:
        """Tell what is due and was not told today. Raises `StoreError`."""
        day = day_of(self._now())
        for alert in due_alerts(self._now(), self._caps(), self._stale(), self._refusals):
            if await self._is_first(day, alert.key):
                log.warning("operators_alerted", about=alert.key)
                for user in self._operators:
                    sent = self._client.chat_postMessage(
                        channel=user, text=alert.text, unfurl_links=False, unfurl_media=False
                    )
                    await best_effort("alert", sent)

    async def _is_first(self, day: str, key: str) -> bool:
        told = [name for name in await self._state.all(ALERTS) if name.startswith(f"{day}:")]
        name = f"{day}:{key}"
        if name in told or len(told) >= MOST_A_DAY:
            return False
        return await self._state.swap(ALERTS, name, b"1", None)
