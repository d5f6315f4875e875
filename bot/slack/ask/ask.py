"""The ways to ask that open a modal: `/ask`, the global and the message shortcut.

A trigger lives three seconds and is good once, so the modal opens with the facts at hand
and is filled in after the look-ups.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import aiohttp
import structlog
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.answer.question import Question, Quoted
from bot.clock import Now
from bot.context.config.load import ContextConfig
from bot.slack import texts
from bot.slack.ask import modal
from bot.slack.escape import escape_mrkdwn
from bot.slack.interfaces import Answers, Contexts, Inbox
from bot.slack.people.directory import People
from bot.slack.people.gate import Gate
from bot.slack.router import Router
from bot.slack.web_api import best_effort, failure_of
from bot.warm.signals import Signal, SignalKind

log = structlog.get_logger(__name__)

_FOR_GOOD = frozenset({"gone", "forbidden", "refused", "other"})
"""Failures that another try would meet again."""
SKEW_SECONDS = 5.0
"""How far Slack's clock may be behind ours."""


@dataclass(frozen=True, slots=True)
class Parts:
    client: AsyncWebClient
    desk: Router
    people: People
    gate: Gate
    contexts: Contexts
    inbox: Inbox
    answers: Answers
    now: Now


class AskForm:
    """Opens the ask-modal, watches it being typed into, and takes its submission."""

    def __init__(self, parts: Parts) -> None:
        self._p = parts

    async def open(
        self, workspace: str, user: str, trigger: str, origin: modal.Origin, draft: str = ""
    ) -> None:
        """Open the modal and warm what it will most likely be asked about."""
        first = modal.skeleton(origin)
        opened = await best_effort("ask", self._p.client.views_open(trigger_id=trigger, view=first))
        if opened is None:
            return
        view = await self._filled(workspace, user, origin, draft)
        shown = opened["view"]["id"]
        await best_effort("ask", self._p.client.views_update(view_id=shown, view=view))

    async def _filled(
        self, workspace: str, user: str, origin: modal.Origin, draft: str
    ) -> modal.View:
        askable = await self._p.desk.askable(user)
        own = self._p.contexts.for_channel(origin.channel) if origin.channel else None
        chosen = own or (await self._p.desk.choice(workspace, user)).context
        offered = list(askable)
        if own is not None and own not in offered:
            offered.insert(0, own)
        if not offered:
            return modal.nothing_to_ask(origin)
        chosen = chosen or offered[0]
        await self._signal("modal_opened", workspace, user, chosen, origin.channel)
        name = (await self._p.people.channel(origin.channel)).name if origin.channel else None
        return modal.ask(
            origin,
            [(context.name, context.name) for context in offered],
            chosen.name,
            channel_name=name if own is not None else None,
            draft=draft,
            drafts_are_sent=chosen.answer_drafts,
        )

    async def typed(self, workspace: str, user: str, view: Mapping[str, Any], order: str) -> None:
        """A character was typed, or another context chosen: a question is near.

        `order` is the key's `action_ts`: keys may arrive out of order (§1.10).
        """
        question = self._question(workspace, None, user, view)
        context = self._p.contexts.named(question.context) if question.context else None
        if context is not None and await self._p.gate.permits(user, question, context):
            self._p.answers.typed(question, context, order)
        await self._signal_view("modal_typing", workspace, user, view)

    async def closed(self, workspace: str, user: str, view: Mapping[str, Any]) -> None:
        self._p.answers.closed(question_id(workspace, view))
        await self._signal_view("modal_closed", workspace, user, view)

    async def submitted(
        self, workspace: str, enterprise: str | None, user: str, view: Mapping[str, Any]
    ) -> Question | None:
        """Record the question before it is acknowledged. Return None if it was recorded before.

        It has no place yet: an empty channel means the asker's DM.
        """
        question = self._question(workspace, enterprise, user, view)
        return question if await self._p.inbox.record(question) else None

    def _question(
        self, workspace: str, enterprise: str | None, user: str, view: Mapping[str, Any]
    ) -> Question:
        """Return the question that the modal would ask if it were submitted as it stands."""
        origin, held = modal.origin_of(view), modal.entered(view)
        context = self._p.contexts.named(held.context) if held.context else None
        own = self._p.contexts.for_channel(origin.channel) if origin.channel else None
        public = origin.thread is not None or (own is not None and not held.privately)
        return Question(
            id=question_id(workspace, view),
            workspace=workspace,
            channel=(origin.channel or "") if public else "",
            ts=str(view["id"]),
            thread=origin.thread,
            user=user,
            text=held.question,
            quoted=_quoted(origin),
            surface="shortcut" if origin.thread else "modal",
            received_at=self._p.now(),
            asked_at=None,
            in_thread=origin.thread is not None,
            context=context.name if context else None,
            enterprise=enterprise,
        )

    def begin(self, question: Question) -> None:
        """Have the question answered beside everything else."""
        self._p.desk.tasks.start(self._answer(question), question.id)

    async def _answer(self, question: Question) -> None:
        placed = question if question.thread is not None else await self.place(question)
        if placed is not None:
            await self._p.desk.converse(placed)

    async def place(self, question: Question, *, anew: bool = True) -> Question | None:
        """Post a question that has no place yet; that message opens its thread.

        Unless it is `anew`, another process may have posted it and died: it is looked for first.
        Return None if Slack takes it nowhere. Then it is ended, or left for another try.
        """
        try:
            placed = await self._placed(question, anew=anew)
        except (TimeoutError, SlackApiError, aiohttp.ClientError, OSError) as error:
            failed = failure_of(error)
            log.warning("question_not_placed", question=question.id, error=failed.error)
            if failed.failure in _FOR_GOOD:
                await self._p.inbox.finish(question.id, "failed")
            return None
        await self._p.inbox.revise(placed)
        return placed

    async def _placed(self, question: Question, *, anew: bool) -> Question:
        channel = question.channel
        if not channel:
            opened = await self._p.client.conversations_open(users=question.user)
            channel = str(opened["channel"]["id"])
        quoted = "\n".join(f"> {line}" for line in escape_mrkdwn(question.text).splitlines())
        name = escape_mrkdwn(question.context or "the code")
        text = f"{texts.ASKED_BY.format(user=question.user, name=name)}\n{quoted}"[:39_000]
        ts = None if anew else await self._standing(channel, text, question.received_at)
        if ts is None:
            posted = await self._p.client.chat_postMessage(
                channel=channel,
                text=text,
                # Text that a user typed makes no links under our name.
                parse="none",
                unfurl_links=False,
                unfurl_media=False,
            )
            ts = str(posted["ts"])
        return replace(question, channel=channel, thread=ts)

    async def _standing(self, channel: str, text: str, since: float) -> str | None:
        """Return the message in which a question was posted by one who died, if it stands."""
        oldest = f"{since - SKEW_SECONDS:.6f}"
        found = await best_effort(
            "find a question",
            self._p.client.conversations_history(channel=channel, oldest=oldest, limit=200),
        )
        # Slack returns the text with `&`, `<` and `>` escaped.
        wanted = html.unescape(text)
        for message in (found or {}).get("messages", ()):
            if message.get("bot_id") and html.unescape(str(message.get("text"))) == wanted:
                return str(message["ts"])
        return None

    async def _signal_view(
        self, kind: SignalKind, workspace: str, user: str, view: Mapping[str, Any]
    ) -> None:
        chosen = modal.entered(view).context
        context = self._p.contexts.named(chosen) if chosen else None
        await self._signal(kind, workspace, user, context, modal.origin_of(view).channel)

    async def _signal(
        self,
        kind: SignalKind,
        workspace: str,
        user: str,
        context: ContextConfig | None,
        channel: str | None,
    ) -> None:
        signal = Signal(
            kind=kind, workspace=workspace, at=self._p.now(), channel=channel, user=user
        )
        await self._p.desk.signalled(signal, context)


def _quoted(origin: modal.Origin) -> tuple[Quoted, ...]:
    """Return the message that the shortcut was opened on, as words that are not the asker's."""
    if not origin.quote:
        return ()
    return (Quoted(kind="shortcut", text=origin.quote, user=origin.author),)


def question_id(workspace: str, view: Mapping[str, Any]) -> str:
    """Return the id of the question that a modal's submission asks."""
    return f"{workspace}-{view['id']}"
