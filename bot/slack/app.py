"""The whole Slack edge, put together: one Bolt app with every listener, ready for a transport."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from slack_bolt.async_app import AsyncApp, AsyncBoltContext
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.middleware.ignoring_self_events.async_ignoring_self_events import (
    AsyncIgnoringSelfEvents,
)

from bot.clock import Now
from bot.delivery.notices import Notices
from bot.delivery.rate_limit.limiter import RateLimiter
from bot.slack.answer_buttons import AnswerButtons
from bot.slack.ask.ask import AskForm
from bot.slack.ask.ask import Parts as AskingParts
from bot.slack.client import SlackClients, quiet_logger, without_token
from bot.slack.codebase.command import Codebase, ContextEditor
from bot.slack.codebase.listeners import register_codebase
from bot.slack.events.intake import Intake
from bot.slack.home.home import Home, Standing
from bot.slack.identity import Identity
from bot.slack.interfaces import Answers, Contexts, Inbox, Opinions, ThreadListener, Warmth
from bot.slack.lifecycle import Forgetting, Lifecycle
from bot.slack.listeners import (
    register_answers,
    register_asking,
    register_intake,
    register_judging,
    register_messages,
    register_rest,
    register_signals,
)
from bot.slack.manifest import missing_scopes
from bot.slack.people.context_choice import Memory
from bot.slack.people.directory import People
from bot.slack.people.gate import Gate
from bot.slack.people.reply_limits import ReplyLimits
from bot.slack.router import Parts as DeskParts
from bot.slack.router import Router
from bot.slack.web_api import WebCalls


@dataclass(frozen=True, slots=True)
class Services:
    """The rooms that the Slack edge hands over to."""

    contexts: Contexts
    inbox: Inbox
    warmth: Warmth
    answers: Answers
    opinions: Opinions
    people: People
    gate: Gate
    standing: Standing
    forgetting: Forgetting
    editor: ContextEditor
    heard: ThreadListener
    memory: Memory | None = None
    pacer: RateLimiter = field(default_factory=RateLimiter)


class SlackSide:
    """Slack's side of the bot."""

    def __init__(
        self,
        clients: SlackClients,
        me: Identity,
        neighbours: Services,
        *,
        signing_secret: str | None,
        now: Now,
        installed: bool = False,
    ) -> None:
        """`installed` with OAuth: then `me` says who the bot is, and Slack is not asked."""
        n = neighbours
        self.calls = WebCalls(clients)
        self.people = n.people
        self._me = me
        self.desk = Router(
            DeskParts(
                calls=self.calls,
                notices=Notices(self.calls, n.pacer),
                gate=n.gate,
                limits=ReplyLimits(n.inbox, now),
                contexts=n.contexts,
                inbox=n.inbox,
                warmth=n.warmth,
                answers=n.answers,
                now=now,
                team=me.workspace,
                memory=n.memory,
            )
        )
        self.app = _bolt(clients, signing_secret, me if installed else None)
        self._register(clients, n, now)

    def _register(self, clients: SlackClients, n: Services, now: Now) -> None:
        desk, writes = self.desk, clients.writes
        parts = AskingParts(writes, desk, self.people, n.gate, n.contexts, n.inbox, n.answers, now)
        self.asking = asking = AskForm(parts)
        self.home = home = Home(
            writes,
            desk,
            self.people,
            n.standing,
            n.editor.operators,
            missing_scopes(self._me.scopes),
        )
        self.lifecycle = lifecycle = Lifecycle(
            self.calls, desk, self.people, n.contexts, n.forgetting, self._me
        )
        register_intake(self.app, Intake(n.inbox, n.contexts, now=now), n.heard, n.forgetting)
        register_messages(self.app, desk)
        register_signals(self.app, desk, home, lifecycle)
        register_asking(self.app, asking)
        register_answers(self.app, desk)
        register_judging(
            self.app, AnswerButtons(writes, desk, n.answers, n.opinions, n.contexts, n.gate)
        )
        register_codebase(self.app, Codebase(writes, self.people, n.contexts, n.editor), desk)
        register_rest(self.app)


class _OwnEvents(AsyncIgnoringSelfEvents):
    """Ignores the bot's own events, but for deletions: others may delete its messages."""

    @classmethod
    def _is_self_event(
        cls,
        auth_result: AuthorizeResult,
        user_id: str | None,
        bot_id: str | None,
        body: Mapping[str, Any],
    ) -> bool:
        event = body.get("event")
        if isinstance(event, Mapping) and event.get("subtype") == "message_deleted":
            return False
        return bool(super()._is_self_event(auth_result, user_id, bot_id, dict(body)))


def _bolt(clients: SlackClients, signing_secret: str | None, known: Identity | None) -> AsyncApp:
    logger = quiet_logger()
    # Bolt reads SLACK_BOT_TOKEN by itself, and warns that our client comes before it.
    logger.setLevel(logging.ERROR)

    async def authorize(
        context: AsyncBoltContext, enterprise_id: str | None, team_id: str | None
    ) -> AuthorizeResult:
        assert known is not None
        return AuthorizeResult(
            enterprise_id=enterprise_id,
            team_id=team_id,
            bot_user_id=known.user,
            bot_id=known.bot,
            # Read anew for every request: the token may have been rotated.
            bot_token=clients.reads.token,
        )

    app = AsyncApp(
        # Without a name Bolt looks for one through the whole stack, which takes 0.1 s.
        name="forewarm",
        client=clients.reads if known is None else without_token(clients),
        authorize=None if known is None else authorize,
        # Socket Mode carries no signatures; Bolt still wants a secret to build its middleware.
        signing_secret=signing_secret or "unused-over-sockets",
        request_verification_enabled=signing_secret is not None,
        ignoring_self_events_enabled=False,
        # `register_rest` acknowledges what no listener takes.
        raise_error_for_unhandled_request=True,
        logger=logger,
    )
    logger.setLevel(logging.WARNING)
    app.middleware(_OwnEvents(logger))
    return app
