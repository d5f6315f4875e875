"""Answers begun on drafts, out of sight, and handed over when the draft is submitted unchanged."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import structlog

from bot.answer.dependencies import Dependencies
from bot.answer.loop import Asked, Loop
from bot.answer.prepare import Prepared, prepare_draft
from bot.answer.question import Question
from bot.answer.result import Ending
from bot.answer.speculative.buffer import Relay
from bot.answer.speculative.policy import ANSWER_TOKENS, Draft, Odds, is_worth, same
from bot.answer.thread.prompt import Conversation
from bot.claude.prefix import Prefix
from bot.claude.prices import price_of
from bot.context.config.load import ContextConfig
from bot.errors import ForewarmError
from bot.log_context import about_question

log = structlog.get_logger(__name__)

LOOKS, LOOK_SECONDS = 60, 0.5
"""How often a paused draft is looked at again while its prefix is still being warmed."""
MODALS = 500
SAVED_SECONDS = 2.0
"""The saving of a draft's answer before anything was measured: a warm answer's first words."""


class SpendingLedger(Protocol):
    """The governor, as drafts meet it."""

    def is_warm(self, prefix: Prefix) -> bool:
        """Whether the prefix is believed cached now: on a cold one a draft is never begun."""

    def may_spend(self, context: ContextConfig, usd: float) -> bool:
        """Whether the context's and the installation's caps leave this much for drafts."""


@dataclass(slots=True)
class SpeculativeAnswer:
    """An answer that is being given to a draft; hand `relay` a screen to show it."""

    question: Question
    prepared: Prepared
    talk: Conversation
    loop: Loop
    relay: Relay
    running: asyncio.Task[Ending]


@dataclass(slots=True)
class _Modal:
    question: Question
    context: ContextConfig
    draft: Draft = field(default_factory=Draft)
    watch: asyncio.Task[None] | None = None
    begun: SpeculativeAnswer | None = None


class Drafts:
    """Watches what is typed into ask-modals of the contexts that allow it.

    A modal is known by its question's id. Off unless the context turns it on: a draft is sent to
    Claude before its author has sent it.
    """

    def __init__(self, parts: Dependencies, ledger: SpendingLedger) -> None:
        self._parts = parts
        self._ledger = ledger
        self._modals: OrderedDict[str, _Modal] = OrderedDict()
        self._odds: dict[str, Odds] = {}

    def __repr__(self) -> str:
        begun = sum(modal.begun is not None for modal in self._modals.values())
        return f"<Drafts: {len(self._modals)} modals, {begun} answers begun>"

    def typed(self, question: Question, context: ContextConfig, order: str = "") -> None:
        """Take a draft as the question that it would be if it were submitted now.

        `order` is the key event's `action_ts`.
        """
        if not context.answer_drafts:
            return
        modal = self._modal(question, context)
        now = asyncio.get_running_loop().time()
        if not modal.draft.typed(question.text, order, now):
            return
        modal.question = question
        if modal.begun is not None and not same(modal.begun.question.text, question.text):
            self._drop(modal)
        if modal.watch is None or modal.watch.done():
            modal.watch = asyncio.ensure_future(self._watch(modal))

    def closed(self, question: str) -> None:
        """Drop what was begun: the modal was closed without asking."""
        modal = self._modals.pop(question, None)
        if modal is not None:
            self._drop(modal)
            self._end_watch(modal)

    def clear(self) -> None:
        """Drop everything that was begun."""
        for question in tuple(self._modals):
            self.closed(question)

    def take(self, question: Question, context: ContextConfig) -> SpeculativeAnswer | None:
        """Return the answer begun on this very question; None if it has to begin now."""
        modal = self._modals.pop(question.id, None)
        if modal is None:
            return None
        self._end_watch(modal)
        begun = modal.begun
        if begun is None:
            return None
        kept = modal.context.name == context.name and _fits(begun, question)
        self._count(modal.context, kept)
        if not kept:
            begun.running.cancel()
            return None
        return begun

    async def stop(self) -> None:
        """Drop everything; returns when nothing runs any more."""
        modals = tuple(self._modals.items())
        tasks: list[asyncio.Task[Any] | None] = [modal.watch for _, modal in modals]
        tasks += [modal.begun.running for _, modal in modals if modal.begun is not None]
        for id, _ in modals:
            self.closed(id)
        await asyncio.gather(*filter(None, tasks), return_exceptions=True)

    # --- watching -------------------------------------------------------------------------------

    def _modal(self, question: Question, context: ContextConfig) -> _Modal:
        modal = self._modals.get(question.id)
        if modal is None or modal.context.name != context.name:
            if modal is not None:
                self.closed(question.id)
            modal = self._modals[question.id] = _Modal(question, context)
        if len(self._modals) > MODALS:
            self.closed(next(iter(self._modals)))
        return modal

    async def _watch(self, modal: _Modal) -> None:
        """Look at the draft until an answer to it is begun, or there is nothing to wait for."""
        loop = asyncio.get_running_loop()
        for _ in range(LOOKS):
            step = modal.draft.step(loop.time())
            if step == "nothing":
                return
            if step == "begin" and await self._begin(modal):
                return
            rest = modal.draft.due - loop.time()
            await asyncio.sleep(rest if rest > 0 else LOOK_SECONDS)

    async def _begin(self, modal: _Modal) -> bool:
        """Begin an answer; return False if it is too early, since the prefix is not warm yet."""
        with about_question(modal.question.id):
            return await self._prepare(modal)

    async def _prepare(self, modal: _Modal) -> bool:
        question, context = modal.question, modal.context
        try:
            prefix = (await self._parts.sources.current(context.name)).prefix
            if not self._ledger.is_warm(prefix):
                return False
            prepared = await prepare_draft(self._parts, question, context)
        except ForewarmError as error:
            log.info("draft_not_prepared", why=type(error).__name__)
            return True
        if modal.question is not question:
            return False
        if self._is_worth(context, prefix):
            modal.draft.begin()
            modal.begun = self._generate(question, context, prepared)
        return True

    def _is_worth(self, context: ContextConfig, prefix: Prefix) -> bool:
        price = price_of(prefix.model, prefix.tokens)
        usd = (prefix.tokens * price.read + ANSWER_TOKENS * price.output) / 1_000_000
        odds = self._odds.get(context.name, Odds())
        worth = is_worth(odds, SAVED_SECONDS, context.warm.wait_cost_per_hour, usd)
        return worth and self._ledger.may_spend(context, usd)

    def _generate(
        self, question: Question, context: ContextConfig, prepared: Prepared
    ) -> SpeculativeAnswer:
        relay = Relay()
        limits = prepared.limits(self._parts.limits)
        talk = prepared.conversation(question, context, limits)
        asked = Asked(
            id=question.id,
            context=context.name,
            prefix=prepared.current.prefix,
            ticket=prepared.ticket,
            messages=talk.messages,
            snapshot=prepared.current.snapshot,
            is_permitted=partial(self._parts.gate.permits, question.user, question, context),
            code=prepared.code,
            purpose="draft",
        )
        loop = Loop(
            self._parts.model,
            asked,
            relay,
            executor=self._parts.executor,
            now=self._parts.now,
            allowance=prepared.allowance(self._parts.allowance),
        )
        running = asyncio.ensure_future(_answered(loop, question.id))
        running.add_done_callback(_retrieved)
        return SpeculativeAnswer(question, prepared, talk, loop, relay, running)

    # --- ending ---------------------------------------------------------------------------------

    def _drop(self, modal: _Modal) -> None:
        if modal.begun is not None:
            self._count(modal.context, kept=False)
            modal.begun.running.cancel()
            modal.begun = modal.draft.begun_on = None

    def _end_watch(self, modal: _Modal) -> None:
        if modal.watch is not None:
            modal.watch.cancel()

    def _count(self, context: ContextConfig, kept: bool) -> None:
        self._odds[context.name] = self._odds.get(context.name, Odds()).after(kept)


async def _answered(loop: Loop, question: str) -> Ending:
    with about_question(question):
        return await loop.run()


def _fits(begun: SpeculativeAnswer, question: Question) -> bool:
    """Whether an answer to the draft is an answer to the question, in the same conversation."""
    draft = begun.question
    there = draft.in_thread == question.in_thread and (
        not question.in_thread or draft.thread == question.thread
    )
    return there and same(draft.text, question.text) and not _failed(begun)


def _failed(begun: SpeculativeAnswer) -> bool:
    running = begun.running
    if not running.done():
        return False
    return running.cancelled() or running.exception() is not None or _useless(running.result())


def _useless(ending: Ending) -> bool:
    return ending.kind not in ("complete", "length", "window")


def _retrieved(task: asyncio.Task[Ending]) -> None:
    """Ignore the failure of an answer for which no user waited."""
    if not task.cancelled():
        task.exception()
