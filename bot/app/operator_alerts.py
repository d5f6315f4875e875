"""Direct messages to operators about what only they can repair, limited in number.

Each matter is told once a day, and at most `MOST_A_DAY` matters are. What was told is kept in the
store, so that replicas together keep to that. With OAuth, the operators of each workspace are told
of its own matters alone, by its own bot.
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
class Audience:
    """Operators who are told the same: their ids, the client that reaches them, their matters.

    `workspace` is empty if there is only one.
    """

    client: AsyncWebClient
    users: Sequence[str]
    caps: Sequence[CapState]
    stale: Sequence[StaleContext]
    workspace: str = ""


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
        state: State,
        audiences: Callable[[], Iterable[Audience]],
        now: Now,
    ) -> None:
        self._state, self._audiences, self._now = state, audiences, now
        self._refusals: dict[str, float] = {}

    def observe(self, record: RequestEnded) -> None:
        """Take in that a request ended: a key that was refused is for operators."""
        if record.error in REFUSALS:
            self._refusals[record.error] = record.at
        elif record.error is None:
            self._refusals.clear()

    async def keep_looking(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self.look()
            except ForewarmError as error:
                log.warning("operators_not_alerted", why=str(error))

    async def look(self) -> None:
        """Tell what is due and was not told today. Raises `StoreError`."""
        for audience in self._audiences():
            if audience.users:
                await self._tell(audience)

    async def _tell(self, audience: Audience) -> None:
        for alert in due_alerts(self._now(), audience.caps, audience.stale, self._refusals):
            # The keys of a workspace's state begin with its id, so that they are erased with it.
            place = f"{audience.workspace}:" if audience.workspace else ""
            if await self._is_first(f"{place}{day_of(self._now())}:", alert.key):
                log.warning("operators_alerted", about=f"{place}{alert.key}")
                for user in audience.users:
                    sent = audience.client.chat_postMessage(
                        channel=user, text=alert.text, unfurl_links=False, unfurl_media=False
                    )
                    await best_effort("alert", sent)

    async def _is_first(self, day: str, key: str) -> bool:
        told = [name for name in await self._state.all(ALERTS) if name.startswith(day)]
        name = f"{day}{key}"
        if name in told or len(told) >= MOST_A_DAY:
            return False
        return await self._state.swap(ALERTS, name, b"1", None)
