"""The composition root: builds each part once, wires them, owns start and stop."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Coroutine, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
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
from bot.app.cache_facts import FACTS, StoredFacts
from bot.app.channel_check import unusable_channels
from bot.app.contexts.clones import Clones
from bot.app.contexts.folder import ContextFiles
from bot.app.contexts.journal_records import note_built, note_dropped
from bot.app.contexts.prefixes import Prefixes
from bot.app.contexts.readiness import Readiness
from bot.app.contexts.registry import ContextRegistry
from bot.app.contexts.shown_status import ContextStatus
from bot.app.contexts.slack_contexts import DRAFTS, SlackContexts
from bot.app.data_removal import DataRemoval
from bot.app.excerpts import ExcerptSearch
from bot.app.home_folder import prepare_home
from bot.app.inbox import QuestionInbox
from bot.app.operator_alerts import ALERTS, CapState, OperatorAlerts, StaleContext
from bot.app.opinions import judged_since
from bot.app.replica_actions import INTERRUPTIONS, SharedAnswers
from bot.app.shared_memory import QUOTAS, SharedMemory, SharedQuotas
from bot.app.spending import CappedModel, SpendingLedger
from bot.app.takeover import Takeovers
from bot.app.warmth import Warmth
from bot.app.web import WebServer, forget_route, health_routes
from bot.app.webhooks import PushEntry
from bot.claude.client import ClaudeClient
from bot.claude.prices import use_prices
from bot.claude.request_log import RequestFeed
from bot.clock import Now, system_now
from bot.context.config.load import ContextConfig
from bot.context.git.webhook import Push
from bot.context.private import UMASK, make_tree_private
from bot.delivery.citations.filter import Checkers
from bot.delivery.delivery import Deliveries
from bot.delivery.rate_limit.budget import Rates
from bot.delivery.rate_limit.limiter import RateLimiter
from bot.settings import Settings, provider_environment
from bot.slack.app import Services, SlackSide
from bot.slack.client import connect
from bot.slack.identity import identify
from bot.slack.manifest import missing_scopes
from bot.slack.people.context_choice import LAST_ASKED, VIEWED
from bot.slack.people.directory import People
from bot.slack.people.gate import Gate
from bot.slack.people.quotas import LocalQuotas
from bot.slack.transport import EventsEntry, Sockets, prime
from bot.slack.web_api import WebCalls
from bot.store.deletions import DELETED_MESSAGES
from bot.store.erase import REMOVALS
from bot.store.retention import Retention
from bot.store.sql.url import default_url
from bot.store.store import Store
from bot.tasks import Tasks
from bot.telemetry.figures.money import day_of
from bot.telemetry.journal import Journal
from bot.telemetry.log_lines import LogLines
from bot.telemetry.metrics import Metrics
from bot.telemetry.projection import Projections
from bot.telemetry.projections import LiveProjections
from bot.telemetry.restore import restore_figures, restore_recent
from bot.telemetry.web import StatePages
from bot.version import version

log = structlog.get_logger(__name__)

SOCKETS_SECONDS, FINISH_SECONDS = 2.0, 15.0
"""A host that sends SIGTERM kills after 30 s at most: the rest of 25 s is for saying goodbye."""
FOLLOW_SECONDS = 1.0
PURGE_SECONDS = 3600.0
STATE_DAYS = {
    DRAFTS: 1.0,
    INTERRUPTIONS: 1.0,
    REMOVALS: 1.0,
    QUOTAS: 1.0,
    ALERTS: 2.0,
    DELETED_MESSAGES: 2.0,
    VIEWED: 30.0,
    LAST_ASKED: 30.0,
    FACTS: 30.0,
}
"""Days for which each kind of state is kept; other kinds stay."""
FILES_SECONDS = 2.0
"""Seconds between two looks at the folder of context files."""
FIRST_AGAIN_SECONDS = 1.0
LOOK_UP_THREADS = 6
RETENTION = Retention(state=STATE_DAYS)
"""docs/privacy.md states these periods, and a test compares it with them."""


class Bot:
    """One process of the bot.

    `start` builds the parts from the store upwards, each whole when it is built. Opened parts
    are put on a stack, so that `stop` closes them in the reverse order, however far `start` came.
    """

    def __init__(
        self, settings: Settings, *, now: Now = system_now, rates: Rates | None = None
    ) -> None:
        """`rates` are Slack's limits; benchmarks of the bot alone lift them."""
        self.settings = settings
        self._rates = rates
        self.now = now
        self.live, self.metrics = LiveProjections(), Metrics()
        self.tasks = Tasks()
        self._loops: list[asyncio.Task[None]] = []
        self._opened = AsyncExitStack()
        self._sockets: Sockets | None = None
        self._stopping = False
        self.started = False

    def __repr__(self) -> str:
        return f"<Bot, {'running' if self.started else 'not running'}>"

    async def start(self) -> None:
        """Open everything and begin to listen. Raises a `ForewarmError` if a part cannot open."""
        try:
            await self._open_store()
            await self._open_slack()
            self._open_claude()
            self._build_contexts()
            self._build_answers()
            await self._build_edge()
            await self._listen()
        except BaseException:
            await self.stop()
            raise
        self.started = True
        log.info(
            "started",
            version=version(),
            workspace=self.me.workspace,
            port=self.web.port,
            replica=self.inbox.owner,
            **_told(self.settings),
        )

    # --- building -------------------------------------------------------------------------------

    async def _open_store(self) -> None:
        settings = self.settings
        prepare_home(settings.home)
        use_prices(settings.prices, settings.worldwide)
        # Children inherit it: git, and the processes that read repositories.
        os.umask(UMASK)
        await asyncio.to_thread(make_tree_private, settings.home)
        url = settings.database_url or default_url(settings.home)
        self.store = await Store.open(url, now=self.now)
        self._opened.push_async_callback(self.store.close)
        self.inbox = QuestionInbox(self.store)
        self.journal = Journal(
            self.store.journal,
            source=self.inbox.owner,
            live=self.live,
            own=Projections(self.metrics, LogLines()),
        )
        self._opened.push_async_callback(self.journal.close)
        # If a later part cannot open, what was begun here must not outlive the store.
        self._opened.push_async_callback(self.tasks.drain, 0)
        self.metrics.watch_journal(self.journal)
        await restore_recent(self.journal, self.live, self.now)
        self.tasks.start(restore_figures(self.journal, self.live, self.now))

    async def _open_slack(self) -> None:
        token = _secret(self.settings.slack_bot_token)
        self.clients = connect(token, self.settings.slack_api_url)
        self._opened.push_async_callback(self.clients.close)
        self.me = await identify(self.clients)
        if missing := [ask.name for ask in missing_scopes(self.me.scopes)]:
            log.warning(
                "scopes_missing",
                scopes=missing,
                why="the app was installed with an older manifest; run `forewarm check`",
            )

    def _open_claude(self) -> None:
        settings = self.settings
        self.requests = RequestFeed()
        self.claude = ClaudeClient.connect(
            api_key=_secret(settings.anthropic_api_key),
            base_url=settings.anthropic_base_url,
            provider=settings.provider,
            environment=provider_environment(),
            facts=StoredFacts(self.store.state),
            journal=self.journal,
            feed=self.requests,
            now=self.now,
        )
        self._opened.push_async_callback(self.claude.close)

    def _build_contexts(self) -> None:
        settings = self.settings
        prefixes = Prefixes(self.claude)
        self.clones = clones = Clones(settings, self.store, self.claude, self.now, self.tasks)
        self.library = ContextRegistry(clones.open, prefixes.build, salt=settings.salt)
        self.excerpts = ExcerptSearch(settings.home)
        self._opened.push_async_callback(self.excerpts.close)
        self.library.subscribe_packs(self.excerpts.packed)
        self.readiness = Readiness(self.library)
        self.context_files = ContextFiles(settings.contexts)
        self.metrics.watch(
            "context_files_broken",
            "Context files that cannot be used; the last good version is in force.",
            lambda: len(self.context_files.problems),
        )
        self.limits = SpendingLimits(self.live.caps, settings.daily_limit_usd, self.now)
        self.ledger = SpendingLedger(self.store.ledger, settings.daily_limit_usd)
        self.metrics.watch_stale(
            lambda: {
                live.config.name: min((one.since for one in live.stale.values()), default=0.0)
                for live in self.library.lives()
            }
        )
        caps = self.live.caps
        self.metrics.watch_cap(
            "all", settings.daily_limit_usd, lambda: caps.spent(day_of(self.now()))
        )
        self.metrics.watch_cap(
            "warmth",
            settings.warm_daily_limit_usd,
            lambda: caps.spent(day_of(self.now()), on="warmth"),
        )
        self.warmth = Warmth(
            settings,
            self.store,
            self.claude,
            self.journal,
            self.library,
            self.now,
            self.limits,
            self.ledger,
        )
        self.library.subscribe(lambda change: note_built(self.journal, self.now, change))
        self.library.subscribe(self.warmth.moved)
        self.requests.subscribe(self.library.learn)
        self.requests.subscribe(clones.speeds.observe)
        self.requests.subscribe(self.warmth.driver.observe)
        self.slack_contexts = SlackContexts(
            settings,
            self.store,
            self.library,
            self.me.workspace,
            self._context_dropped,
            clones.trust,
        )

    def _build_answers(self) -> None:
        settings = self.settings
        calls = WebCalls(self.clients)
        self.metrics.watch_counts(
            "slack_failures", "Calls that Slack did not carry out.", "failure", calls.failures
        )
        self.pacer = RateLimiter(self._rates)
        own = BotIdentity(
            self.me.user, self.me.bot, self.me.workspace, self.me.organisation or None
        )
        executor = ThreadPoolExecutor(LOOK_UP_THREADS, "look-up")
        self._opened.callback(executor.shutdown, wait=False, cancel_futures=True)
        self.threads = Threads(calls, own, shared=self.store.shared)
        self.people = People(
            self.clients.reads,
            team=self.me.workspace,
            organisation=self.me.organisation,
            now=self.now,
        )
        audit = AuditLog(self.store, self.me.workspace, self.tasks)
        quotas = SharedQuotas(self.store.state) if self.store.shared else LocalQuotas()
        self.gate = Gate(self.people, self.limits, audit, quotas, self.now)
        parts = Dependencies(
            calls=calls,
            model=CappedModel(self.claude, self.ledger, self._answers_cap),
            sources=self.library,
            warmth=self.warmth,
            turns=self.store.turns,
            inbox=self.inbox,
            journal=self.journal,
            threads=self.threads,
            deliver=Deliveries(calls, self.pacer, self.now, Checkers()),
            queue=AnswerQueue(settings.answers_at_once),
            executor=executor,
            now=self.now,
            gate=self.gate,
            people=self.people,
            excerpts=self.excerpts,
            uses=self.clones.uses,
            attachments=SlackAttachments(
                self.clients.reads,
                self.clients.session,
                _secret(settings.slack_bot_token) or "",
                settings.slack_api_url,
                may_read=FILES_SCOPE in self.me.scopes or not self.me.scopes,
            ),
            window=lambda model: self.claude.known(model).max_input_tokens,
            takes_images=lambda model: self.claude.known(model).images,
        )
        self.answerer = Answerer(parts, Drafts(parts, self.warmth))
        self.answers = SharedAnswers(self.answerer, self.inbox, self.now)

    def _context_dropped(self, name: str) -> None:
        note_dropped(self.journal, self.now, name)
        self.excerpts.drop(name)

    def _answers_cap(self, context: str) -> float | None:
        live = self.library.live(context)
        return None if live is None else live.config.limits.answers_daily_usd

    async def _build_edge(self) -> None:
        settings = self.settings
        self.removal = DataRemoval(
            self.store,
            self.library,
            self.slack_contexts,
            self.warmth,
            self.journal,
            (self.answerer, self.threads, self.people),
            self._halt,
            workspace=self.me.workspace,
            home=settings.home,
            now=self.now,
        )
        services = Services(
            contexts=self.library,
            inbox=self.inbox,
            warmth=self.warmth,
            answers=self.answers if self.store.shared else self.answerer,
            opinions=Opinions(self.store.feedback, self.journal, self.now),
            people=self.people,
            gate=self.gate,
            standing=ContextStatus(
                self.live,
                self.now,
                lambda: self.context_files.problems,
                lambda since: judged_since(self.store, since),
            ),
            forgetting=self.removal,
            editor=self.slack_contexts,
            heard=self.threads,
            memory=SharedMemory(self.store.state) if self.store.shared else None,
            pacer=self.pacer,
        )
        self.edge = SlackSide(
            self.clients,
            self.me,
            services,
            signing_secret=None if settings.socket_mode else _secret(settings.slack_signing_secret),
            now=self.now,
        )
        self.removal.include(self.edge.desk)
        self.alerts = OperatorAlerts(
            self.clients.writes,
            self.store.state,
            settings.operators,
            self._caps_now,
            self._stale_now,
            self.now,
        )
        self.requests.subscribe(self.alerts.observe)
        self.takeovers = Takeovers(
            self.inbox,
            self.library,
            self.answerer,
            self.edge,
            self.gate,
            self.threads,
            self.now,
        )
        await prime(self.edge.app)

    # --- running --------------------------------------------------------------------------------

    async def _listen(self) -> None:
        settings, shared = self.settings, self.store.shared
        self.journal.start(
            follow_seconds=FOLLOW_SECONDS if shared else None,
            on_other=self.warmth.driver.learn,
        )
        loaded = self.context_files.read()
        for problem in self.context_files.problems:
            log.error("context_left_out", why=problem)
        await self.slack_contexts.load(loaded.contexts)
        self._run(self._keep_following_files())
        self.tasks.start(self._log_unusable_channels(loaded.contexts))
        self._run(self._keep_fresh())
        self.web = WebServer(settings.listen_host, settings.port, self.now)
        self.metrics.watch_refusals("connection", self.web.refusals.total)
        self._add_routes()
        await self.web.start()
        self._opened.push_async_callback(self.web.stop)
        if settings.slack_app_token is not None:
            token = settings.slack_app_token.get_secret_value()
            self._sockets = Sockets(self.edge.app, token, self.clients)
            await self._sockets.start()
        await self.warmth.start()
        self._run(self.inbox.keep_renewing(self.answerer.lost, self._works_on))
        self._taking_over = self._run(self.inbox.keep_looking(self.takeovers.take))
        if shared:
            self._run(self.answers.keep_listening(self.edge.desk.tasks.start))
            self._run(self.slack_contexts.keep_following())
        self._run(self.removal.keep_following())
        self._run(self._keep_purging())
        self._run(self.alerts.keep_looking())
        self._opened.push_async_callback(self._stop_working)

    def _works_on(self, question_id: str) -> bool:
        return (
            self.answerer.answers(question_id)
            or self.edge.desk.works_on(question_id)
            or self.takeovers.works_on(question_id)
        )

    def _add_routes(self) -> None:
        router = self.web.application.router
        state_token = _secret(self.settings.state_token)
        router.add_routes(health_routes(self.missing, state_token))
        if not self.settings.socket_mode:
            secret = _secret(self.settings.slack_signing_secret) or ""
            entry = EventsEntry(
                self.edge.app, self.me, secret, self.now, lambda: not self._stopping
            )
            entry.add_to(router)
            self.metrics.watch_refusals("slack", entry.refusals.total)
        pushes = PushEntry(self.settings, self._pushed, self.now)
        router.add_routes(pushes.routes())
        self.metrics.watch_refusals("webhook", pushes.refusals.total)
        if state_token:
            pages = StatePages(
                self.live,
                self.metrics,
                token=state_token,
                now=self.now,
                origins=self.settings.state_origins,
            )
            router.add_routes(pages.routes())
            router.add_routes(forget_route(state_token, self.forget_cache))
            self._opened.callback(pages.close)

    def _caps_now(self) -> Iterable[CapState]:
        settings, caps, day = self.settings, self.live.caps, day_of(self.now())
        yield CapState("everything", settings.daily_limit_usd, caps.spent(day))
        spent = caps.spent(day, on="warmth")
        yield CapState("warm-ups", settings.warm_daily_limit_usd, spent)
        for config in self.library.all():
            if (cap := config.limits.answers_daily_usd) is not None:
                spent = caps.spent(day, context=config.name, on="answers")
                yield CapState(f"answers about {config.name}", cap, spent)

    def _stale_now(self) -> Iterable[StaleContext]:
        for live in self.library.lives():
            for name, one in live.stale.items():
                yield StaleContext(live.config.name, name, one.since, one.reason, one.is_refused)

    async def missing(self) -> Iterable[str]:
        """Return the parts that are missing before the bot can answer; nothing if it is ready."""
        missing = []
        if self._stopping:
            missing.append("time: it is stopping")
        elif not self.started:
            missing.append("start")
        if self.removal.removed:
            missing.append("installation: the app was removed from the workspace")
        if self._sockets is not None and not await self._sockets.alive():
            missing.append("slack connection")
        try:
            await self.store.ping()
        except Exception:
            missing.append("database")
        return [*missing, *(f"context {name}" for name in self.readiness.waited_for())]

    async def forget_cache(self) -> None:
        """Give every prefix a new salt: Claude's present cache entries are not read again."""
        await self.library.forget_cache(secrets.token_hex(4))

    async def _pushed(self, push: Push) -> None:
        """A host says that a repository moved: fetch the contexts that hold it at once."""
        names = [
            config.name
            for config in self.library.all()
            if any(push.concerns(r.url, r.ref) for r in config.repositories)
        ]
        self.tasks.start(self.library.refresh(names))

    async def _log_unusable_channels(self, contexts: Sequence[ContextConfig]) -> None:
        for context in contexts:
            for problem in await unusable_channels(self.clients.reads, context):
                log.warning("channel_unusable", context=context.name, why=problem)

    async def _keep_following_files(self) -> None:
        """Take over changes of the context files; keep the last good version of a broken one."""
        while True:
            await asyncio.sleep(FILES_SECONDS)
            loaded = await asyncio.to_thread(self.context_files.read_if_changed)
            if loaded is None:
                continue
            changed = self.slack_contexts.follow_files(loaded)
            log.info("context_files_read", changed=list(changed))
            for problem in self.context_files.problems:
                log.error("context_kept_as_it_was", why=problem)
            await self.library.refresh(changed)

    async def _keep_fresh(self) -> None:
        """Look for pushes. A context that could not be built is tried again sooner."""
        again = FIRST_AGAIN_SECONDS
        while True:
            await self.library.refresh()
            # It logs that the bot is ready, also if no probe asks.
            self.readiness.waited_for()
            if self.library.complete:
                again = FIRST_AGAIN_SECONDS
                await asyncio.sleep(self.settings.sync_seconds)
            else:
                await asyncio.sleep(min(again, self.settings.sync_seconds))
                again *= 2

    async def _keep_purging(self) -> None:
        while True:
            await asyncio.sleep(PURGE_SECONDS)
            self.tasks.start(self._purge())

    async def _purge(self) -> None:
        await self.store.retention.run(RETENTION)
        await self.store.ledger.expire()

    def _run(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(work)
        self._loops.append(task)
        task.add_done_callback(_log_end)
        return task

    async def _halt(self) -> None:
        """Take no more work: the app was removed. The process lives on to say so."""
        here = asyncio.current_task()
        loops = [task for task in self._loops if task is not here]
        for task in loops:
            task.cancel()
        await asyncio.gather(*loops, return_exceptions=True)

    # --- stopping -------------------------------------------------------------------------------

    async def stop(self) -> None:
        """Take nothing more, finish or hand over within 25 s, close everything.

        An answer that is not finished in time is released: another replica gives it anew, in its
        place.
        """
        was_started, self.started, self._stopping = self.started, False, True
        if was_started:
            log.info("stopping", replica=self.inbox.owner)
        await self._opened.aclose()
        if was_started:
            log.info("stopped", replica=self.inbox.owner)

    async def _stop_working(self) -> None:
        """End the work, while everything that it uses is still open."""
        self._taking_over.cancel()
        if self._sockets is not None:
            await self._sockets.stop(SOCKETS_SECONDS)
        await self.edge.desk.tasks.drain(FINISH_SECONDS)
        for task in self._loops:
            task.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        await self.warmth.stop()
        await self.inbox.hand_over()
        await self.tasks.drain()


def _told(settings: Settings) -> dict[str, Any]:
    """Return the settings that are not at their defaults, secrets as `set`."""
    told: dict[str, Any] = {}
    for name, field in Settings.model_fields.items():
        value = getattr(settings, name)
        if value != field.get_default():
            shown = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
            if "SecretStr" in str(field.annotation):
                shown = "set"
            told[(field.alias or name).lower()] = shown
    # A database's address may hold a password.
    if "database_url" in told:
        told["database_url"] = "set"
    return {"settings": told}


def _secret(value: Any) -> str | None:
    return None if value is None else str(value.get_secret_value())


def _log_end(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        log.error("background_task_died", exc_info=task.exception())
