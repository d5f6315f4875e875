"""Joining and leaving: what the bot says and forgets when its place in Slack changes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Protocol

import structlog

from bot.delivery.slack_api import SlackCallError, SlackCalls, Target
from bot.slack import texts
from bot.slack.events.parse import read_signal, workspace_of
from bot.slack.identity import Identity
from bot.slack.interfaces import Contexts
from bot.slack.people.directory import People
from bot.slack.router import Router

_STAMP = re.compile(r"[0-9]{10}\.[0-9]{6}", re.ASCII)
log = structlog.get_logger(__name__)


class Forgetting(Protocol):
    """Stops work and erases what was kept for a channel or for the workspace."""

    @property
    def removed(self) -> bool:
        """Tell whether the app was removed from the workspace."""

    async def forget_channel(self, channel: str, until: str) -> None:
        """Forget what happened in a channel until a time stamp of Slack; all of it if empty."""

    async def forget_everything(self) -> None: ...


class Lifecycle:
    """Greets, warms, stops, forgets."""

    def __init__(
        self,
        calls: SlackCalls,
        desk: Router,
        people: People,
        contexts: Contexts,
        forgetting: Forgetting,
        me: Identity,
    ) -> None:
        self._calls = calls
        self._desk = desk
        self._people = people
        self._contexts = contexts
        self._forgetting = forgetting
        self._me = me

    async def joined(self, body: Mapping[str, Any], me: str) -> None:
        """Note who joined; if it was the bot, greet in one sentence, then warm."""
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
            text = texts.NO_CONTEXT
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
            await self._forget(event)

    async def archived(self, body: Mapping[str, Any]) -> None:
        """A channel was archived or deleted: erase what was kept for it."""
        await self._forget(body["event"])

    async def uninstalled(self, body: Mapping[str, Any]) -> None:
        """The app was removed from a workspace: stop and erase, if that workspace is ours."""
        if workspace_of(body) == self._me.workspace:
            log.warning("app_uninstalled", workspace=self._me.workspace)
            await self._forgetting.forget_everything()

    async def tokens_revoked(self, body: Mapping[str, Any]) -> None:
        """Tokens were revoked: only that of our bot user, in our workspace, ends the work.

        Users revoke their own tokens at any time, and the event names them under `oauth`.
        https://docs.slack.dev/reference/events/tokens_revoked
        """
        tokens = body["event"].get("tokens")
        revoked = tokens.get("bot") if isinstance(tokens, Mapping) else None
        is_ours = isinstance(revoked, list) and self._me.user in revoked
        if workspace_of(body) == self._me.workspace and is_ours:
            log.warning("bot_token_revoked", workspace=self._me.workspace)
            await self._forgetting.forget_everything()

    async def _forget(self, event: Mapping[str, Any]) -> None:
        channel = str(event["channel"])
        log.info("channel_left", channel=channel)
        self._people.forget_channel(channel)
        await self._forgetting.forget_channel(channel, _stamp(event.get("event_ts")))


def _stamp(value: object) -> str:
    """Return a time stamp of Slack, empty if it is none."""
    return value if isinstance(value, str) and _STAMP.fullmatch(value) else ""
