"""Joining and leaving: what the bot says and forgets when its place in Slack changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import structlog

from bot.delivery.slack_api import SlackCallError, SlackCalls, Target
from bot.slack import texts
from bot.slack.events.parse import read_signal, workspace_of
from bot.slack.interfaces import Contexts
from bot.slack.people.directory import People
from bot.slack.router import Desk

log = structlog.get_logger(__name__)


class Forgetting(Protocol):
    """Lets go of what was kept for a channel or for everything."""

    def forget_channel(self, channel: str) -> None: ...

    def forget_everything(self) -> None: ...


class Lifecycle:
    """Greets, warms, stops, forgets."""

    def __init__(
        self,
        calls: SlackCalls,
        desk: Desk,
        people: People,
        contexts: Contexts,
        forgetting: Forgetting,
    ) -> None:
        self._calls = calls
        self._desk = desk
        self._people = people
        self._contexts = contexts
        self._forgetting = forgetting

    async def joined(self, body: Mapping[str, Any], me: str) -> None:
        """Note who joined; where it was the bot, say one short thing, then warm."""
        event = body["event"]
        channel, user = str(event["channel"]), str(event["user"])
        self._people.joined(channel, user)
        if user == me:
            await self._greet(workspace_of(body), channel)
        signal = read_signal(body, me)
        if signal is not None:
            await self._desk.signalled(signal)

    async def _greet(self, workspace: str, channel: str) -> None:
        context = self._contexts.for_channel(channel)
        if context is None:
            text = texts.no_context(channel)
        else:
            names = ", ".join(repository.name for repository in context.repositories)
            text = texts.GREETING.format(names=names)
        try:
            await self._calls.post(Target(workspace, channel, None, "", ""), text)
        except SlackCallError as error:
            log.warning("not_greeted", channel=channel, error=error.error)

    async def left(self, body: Mapping[str, Any], me: str) -> None:
        event = body["event"]
        channel, user = str(event["channel"]), str(event["user"])
        self._people.left(channel, user)
        if user == me:
            self._forget(channel)

    async def ended(self, body: Mapping[str, Any], event: Mapping[str, Any]) -> None:
        """Forget a channel that was archived, or everything if the app was removed."""
        log.warning("installation_ended", kind=event.get("type"))
        if event.get("channel"):
            self._forget(str(event["channel"]))
        else:
            self._forgetting.forget_everything()

    def _forget(self, channel: str) -> None:
        self._people.forget_channel(channel)
        self._forgetting.forget_channel(channel)
