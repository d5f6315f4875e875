"""All that a bot has for one workspace: its client, its people, its answers, its listeners.

Nothing here knows another workspace. What workspaces share, such as the store, the clones and the
daily caps, is in `Shared`.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any

import structlog

from bot.answer.dependencies import Dependencies
from bot.answer.feedback import Opinions
from bot.answer.queue import AnswerQueue
from bot.answer.service import Answerer
from bot.answer.speculative.drafts import Drafts
from bot.answer.thread.cache import Threads
from bot.answer.thread.message import BotIdentity
from bot.app.adapters import AuditLog, SpendingLimits
from bot.app.attachments import SCOPE as FILES_SCOPE
from bot.app.attachments import SlackAttachments
from bot.app.channel_check import unusable_channels
from bot.app.contexts.clones import Clones
from bot.app.contexts.registry import ContextRegistry
from bot.app.contexts.shown_status import ContextStatus
from bot.app.contexts.slack_contexts import SlackContexts
from bot.app.data_removal import DataRemoval
from bot.app.excerpts import ExcerptSearch
from bot.app.inbox import QuestionInbox
from bot.app.opinions import judged_since
from bot.app.replica_actions import SharedAnswers
from bot.app.shared_memory import SharedMemory, SharedQuotas
from bot.app.spending import CappedModel
from bot.app.takeover import Takeovers
from bot.app.warmth import Warmth
from bot.app.workspaces.heard_messages import HeardMessages
from bot.claude.client import ClaudeClient
from bot.clock import Now
from bot.context.config.load import LoadedContexts
from bot.delivery.citations.filter import Checkers
from bot.delivery.delivery import Deliveries
from bot.delivery.rate_limit.limiter import RateLimiter
from bot.settings import Settings
from bot.slack.app import Services, SlackSide
from bot.slack.client import SlackClients
from bot.slack.identity import Identity
from bot.slack.manifest import missing_scopes
from bot.slack.people.directory import People
from bot.slack.people.gate import Gate
from bot.slack.people.quotas import LocalQuotas
from bot.slack.web_api import WebCalls, failure_counts
from bot.store.store import Store
from bot.tasks import Tasks
from bot.telemetry.journal import Journal
from bot.telemetry.projections import LiveProjections

log = structlog.get_logger(__name__)

OAUTH_STATES = "oauth_state"
"""The kind under which the store keeps the states of installations that were begun."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """The parts that the workspaces of a process use together.

    `dropped` is called with the name of a context that is taken away, `problems` returns what is
    wrong with the context files.
    """

    settings: Settings
    store: Store
    journal: Journal
    live: LiveProjections
    inbox: QuestionInbox
    claude: ClaudeClient
    model: CappedModel
    library: ContextRegistry
    clones: Clones
    warmth: Warmth
    excerpts: ExcerptSearch
    limits: SpendingLimits
    pacer: RateLimiter
    queue: AnswerQueue
    executor: Executor
    tasks: Tasks
    dropped: Callable[[str], None]
    problems: Callable[[], Sequence[str]]
    now: Now
    checkers: Checkers = field(default_factory=Checkers)
    failures: Counter[str] = field(default_factory=failure_counts)


class Workspace:
    """One workspace of the bot, built whole.

    `owner` is its id if the app is installed with OAuth, and empty if it is the only workspace.
    `halt` is called when the app was removed from it.
    """

    def __init__(
        self,
        shared: Shared,
        clients: SlackClients,
        me: Identity,
        halt: Callable[[Workspace], Awaitable[None]],
        *,
        owner: str = "",
    ) -> None:
        self._shared = shared
        self._halt = halt
        self.clients = clients
        self.me = me
        self.owner = owner
        self.library = shared.library.of(owner) if owner else shared.library
        self._loops: list[asyncio.Task[None]] = []
        self.slack_contexts = SlackContexts(
            shared.settings,
            shared.store,
            self.library,
            me.workspace,
            shared.dropped,
            shared.clones.trust,
            owner=owner,
        )
        self._build_answers()
        self._build_edge()
        if missing := [ask.name for ask in missing_scopes(me.scopes)]:
            log.warning(
                "scopes_missing",
                workspace=me.workspace,
                scopes=missing,
                why="the app was installed with an older manifest; run `forewarm check`",
            )

    def __repr__(self) -> str:
        return f"<Workspace {self.me.workspace}>"

    def _build_answers(self) -> None:
        s, me, store = self._shared, self.me, self._shared.store
        limited = bool(self.owner) and s.settings.limited_history
        calls = WebCalls(self.clients, s.failures, limited=limited)
        own = BotIdentity(me.user, me.bot, me.workspace, me.organisation or None)
        stored = HeardMessages(store.state) if limited else None
        self.threads = Threads(calls, own, shared=store.shared, stored=stored)
        self.people = People(
            self.clients.reads, team=me.workspace, organisation=me.organisation, now=s.now
        )
        audit = AuditLog(store, me.workspace, s.tasks)
        prefix = f"{self.owner}:" if self.owner else ""
        quotas = SharedQuotas(store.state, prefix) if store.shared else LocalQuotas()
        self.gate = Gate(self.people, s.limits, audit, quotas, s.now)
        parts = Dependencies(
            calls=calls,
            model=s.model,
            sources=self.library,
            warmth=s.warmth,
            turns=store.turns,
            inbox=s.inbox,
            journal=s.journal,
            threads=self.threads,
            deliver=Deliveries(calls, s.pacer, s.now, s.checkers),
            queue=s.queue,
            executor=s.executor,
            now=s.now,
            gate=self.gate,
            people=self.people,
            excerpts=s.excerpts,
            uses=s.clones.uses,
            attachments=SlackAttachments(
                self.clients.reads,
                self.clients.session,
                s.settings.slack_api_url,
                may_read=FILES_SCOPE in me.scopes or not me.scopes,
            ),
            window=lambda model: s.claude.known_capabilities(model).max_input_tokens,
            takes_images=lambda model: s.claude.known_capabilities(model).images,
        )
        self.answerer = Answerer(parts, Drafts(parts, s.warmth))
        self.answers = SharedAnswers(self.answerer, s.inbox, s.now)

    def _build_edge(self) -> None:
        s, store, settings = self._shared, self._shared.store, self._shared.settings
        self.removal = DataRemoval(
            store,
            self.library,
            self.slack_contexts,
            s.warmth,
            s.journal,
            (self.answerer, self.threads, self.people),
            self._stop_for_good,
            s.dropped,
            s.excerpts,
            workspace=self.me.workspace,
            is_only=not self.owner,
            home=settings.home,
            now=s.now,
        )
        services = Services(
            contexts=self.library,
            inbox=s.inbox,
            warmth=s.warmth,
            answers=self.answers if store.shared else self.answerer,
            opinions=Opinions(store.feedback, s.journal, s.now),
            people=self.people,
            gate=self.gate,
            # The names of files may tell of other workspaces.
            standing=ContextStatus(
                s.live,
                s.now,
                (lambda: ()) if self.owner else s.problems,
                lambda since: judged_since(store, since),
                shares=bool(self.owner),
            ),
            forgetting=self.removal,
            editor=self.slack_contexts,
            heard=self.threads,
            memory=SharedMemory(store.state) if store.shared else None,
            pacer=s.pacer,
        )
        secret = settings.slack_signing_secret
        self.edge = SlackSide(
            self.clients,
            self.me,
            services,
            signing_secret=None
            if settings.socket_mode or secret is None
            else secret.get_secret_value(),
            now=s.now,
            installed=bool(self.owner),
        )
        self.removal.include(self.edge.desk)
        self.takeovers = Takeovers(
            s.inbox, self.library, self.answerer, self.edge, self.gate, self.threads, s.now
        )

    # --- running --------------------------------------------------------------------------------

    async def start(self, loaded: LoadedContexts) -> None:
        """Take over the contexts and begin to follow the other replicas."""
        own = self.own_files(loaded)
        await self.slack_contexts.load(own.contexts)
        await self.removal.begin()
        self._shared.tasks.start(self._log_unusable_channels(own))
        if self._shared.store.shared:
            self._run(self.answers.keep_listening(self.edge.desk.tasks.start))
            self._run(self.slack_contexts.keep_following())

    def own_files(self, loaded: LoadedContexts) -> LoadedContexts:
        """Return what the files say about this workspace."""
        if not self.owner:
            return loaded
        own = tuple(one for one in loaded.contexts if one.workspace == self.owner)
        return LoadedContexts(own, loaded.problems)

    def works_on(self, question_id: str) -> bool:
        """Tell whether a question is being answered, refused or taken over here."""
        return (
            self.answerer.answers(question_id)
            or self.edge.desk.works_on(question_id)
            or self.takeovers.works_on(question_id)
        )

    async def stop(self, seconds: float) -> None:
        """End the work: answers get some seconds to finish."""
        await self.edge.desk.tasks.drain(seconds)
        await self._stop_loops()

    async def _stop_for_good(self) -> None:
        await self._stop_loops()
        await self._halt(self)

    async def _stop_loops(self) -> None:
        here = asyncio.current_task()
        loops = [task for task in self._loops if task is not here]
        for task in loops:
            task.cancel()
        await asyncio.gather(*loops, return_exceptions=True)

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._loops.append(task)
        task.add_done_callback(log_end)

    async def _log_unusable_channels(self, loaded: LoadedContexts) -> None:
        for context in loaded.contexts:
            for problem in await unusable_channels(self.clients.reads, context):
                log.warning("channel_unusable", context=context.name, why=problem)


def log_end(task: asyncio.Task[None]) -> None:
    """Log the error of a task that runs for ever."""
    if not task.cancelled() and task.exception() is not None:
        log.error("background_task_died", exc_info=task.exception())
