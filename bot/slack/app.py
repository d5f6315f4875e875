"""The whole Slack edge, put together: one Bolt app with every listener, ready for a transport."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError

from bot.clock import Now
from bot.slack.ask.ask import Asking
from bot.slack.ask.ask import Parts as AskingParts
from bot.slack.client import SlackClients, quiet_logger
from bot.slack.codebase.command import Codebase, Shelf
from bot.slack.codebase.listeners import register_codebase
from bot.slack.events.intake import Intake
from bot.slack.feedback import Judging
from bot.slack.home.home import Home, Standing
from bot.slack.interfaces import Answers, Contexts, Heard, Inbox, Opinions, SpendingLimits, Warmth
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
from bot.slack.people.directory import People
from bot.slack.router import Audit, Desk
from bot.slack.router import Parts as DeskParts
from bot.slack.transport import ConnectionRefused
from bot.slack.web_api import WebCalls


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the bot is in its workspace, as `auth.test` says; `scopes` are those granted."""

    workspace: str
    workspace_name: str
    user: str
    bot: str
    scopes: frozenset[str]


async def identify(clients: SlackClients) -> Identity:
    """Ask Slack who we are. Raises `ConnectionRefused` where the token is no good."""
    try:
        answer = await clients.reads.auth_test()
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise ConnectionRefused(
            type(error).__name__,
            "every connection",
            f"nothing answers at {clients.reads.base_url}; check the network, a proxy, and"
            " SLACK_API_URL.",
        ) from None
    except SlackApiError as error:
        raise ConnectionRefused(
            str(error.response.get("error")),
            "SLACK_BOT_TOKEN",
            "copy the Bot User OAuth Token from your app's OAuth & Permissions page.",
        ) from None
    headers: Mapping[str, str] = answer.headers
    granted = next((v for k, v in headers.items() if k.lower() == "x-oauth-scopes"), "")
    return Identity(
        workspace=str(answer["team_id"]),
        workspace_name=str(answer.get("team") or ""),
        user=str(answer["user_id"]),
        bot=str(answer.get("bot_id") or ""),
        scopes=frozenset(scope.strip() for scope in granted.split(",") if scope.strip()),
    )


@dataclass(frozen=True, slots=True)
class Services:
    """The rooms that the Slack edge hands over to."""

    contexts: Contexts
    inbox: Inbox
    warmth: Warmth
    answers: Answers
    opinions: Opinions
    purse: SpendingLimits
    audit: Audit
    standing: Standing
    forgetting: Forgetting
    shelf: Shelf
    heard: Heard


class Edge:
    """Slack's side of the bot."""

    def __init__(
        self,
        clients: SlackClients,
        me: Identity,
        neighbours: Services,
        *,
        signing_secret: str | None,
        now: Now,
    ) -> None:
        n = neighbours
        self.calls = WebCalls(clients)
        self.people = People(clients.reads, team=me.workspace, now=now)
        self.desk = Desk(
            DeskParts(
                calls=self.calls,
                people=self.people,
                contexts=n.contexts,
                inbox=n.inbox,
                warmth=n.warmth,
                answers=n.answers,
                purse=n.purse,
                audit=n.audit,
                now=now,
                team=me.workspace,
            )
        )
        self.app = _bolt(clients, signing_secret)
        self._register(clients, n, now)

    def __repr__(self) -> str:
        return f"<Edge {self.desk!r}, {self.people!r}>"

    def _register(self, clients: SlackClients, n: Services, now: Now) -> None:
        desk, writes = self.desk, clients.writes
        parts = AskingParts(writes, desk, self.people, n.contexts, n.inbox, n.answers, now)
        self.asking = asking = Asking(parts)
        home = Home(writes, desk, self.people, n.standing, n.shelf.operators)
        lifecycle = Lifecycle(self.calls, desk, self.people, n.contexts, n.forgetting)
        register_intake(self.app, Intake(n.inbox, n.contexts, now=now), n.heard)
        register_messages(self.app, desk)
        register_signals(self.app, desk, home, lifecycle)
        register_asking(self.app, asking)
        register_answers(self.app, desk)
        register_judging(self.app, Judging(writes, desk, n.answers, n.opinions))
        register_codebase(self.app, Codebase(writes, self.people, n.contexts, n.shelf), desk)
        register_rest(self.app)


def _bolt(clients: SlackClients, signing_secret: str | None) -> AsyncApp:
    logger = quiet_logger()
    logger.setLevel(logging.WARNING)
    return AsyncApp(
        # Without a name Bolt looks for one through the whole stack, which takes 0.1 s.
        name="forewarm",
        client=clients.reads,
        # Socket Mode carries no signatures; Bolt still wants a secret to build its middleware.
        signing_secret=signing_secret or "unused-over-sockets",
        request_verification_enabled=signing_secret is not None,
        logger=logger,
    )
