"""The composition root: builds each part once, wires them, owns start and stop."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import structlog
from slack_bolt.async_app import AsyncApp

from bot.answer.question import Question
from bot.answer.queue import AnswerQueue
from bot.app.adapters import SpendingLimits
from bot.app.cache_facts import FACTS, StoredFacts
from bot.app.contexts.clones import Clones
from bot.app.contexts.folder import ContextFiles
from bot.app.contexts.journal_records import note_built, note_dropped
from bot.app.contexts.prefixes import Prefixes
from bot.app.contexts.readiness import Readiness
from bot.app.contexts.registry import ContextRegistry
from bot.app.contexts.slack_contexts import DRAFTS
from bot.app.data_removal import keep_following
from bot.app.excerpts import ExcerptSearch
from bot.app.home_folder import prepare_home
from bot.app.inbox import QuestionInbox
from bot.app.operator_alerts import (
    ALERTS,
    Audience,
    CapState,
    OperatorAlerts,
    StaleContext,
)
from bot.app.replica_actions import INTERRUPTIONS
from bot.app.shared_memory import QUOTAS
from bot.app.spending import CappedModel, SpendingLedger
from bot.app.warmth import Warmth
from bot.app.web import WebServer, forget_route, health_routes
from bot.app.webhooks import PushEntry
from bot.app.workspaces.heard_messages import KIND as HEARD
from bot.app.workspaces.workspace import OAUTH_STATES, Shared, Workspace, log_end
from bot.claude.client import ClaudeClient
from bot.claude.prices import use_prices
from bot.claude.request_log import RequestFeed
from bot.clock import Now, system_now
from bot.context.config.load import ContextConfig
from bot.context.git.webhook import Push
from bot.context.private import UMASK, make_tree_private
from bot.delivery.rate_limit.budget import Rates
from bot.delivery.rate_limit.limiter import RateLimiter
from bot.settings import Settings, provider_environment, unknown_variables
from bot.slack.client import connect
from bot.slack.identity import identify
from bot.slack.people.context_choice import LAST_ASKED, VIEWED
from bot.slack.transport import Dispatcher, EventsEntry, Sockets, prime
from bot.store.deleted_messages import DELETED_MESSAGES
from bot.store.erase import REMOVALS
from bot.store.inbox import Claimed
from bot.store.ledger import Cap
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
from bot.telemetry.redact import SET
from bot.telemetry.restore import restore_figures, restore_recent
from bot.telemetry.web import StatePages
from bot.version import version

if TYPE_CHECKING:
    from bot.app.workspaces.installations import Installations

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
    OAUTH_STATES: 1.0,
    VIEWED: 30.0,
    LAST_ASKED: 30.0,
    FACTS: 30.0,
    HEARD: 30.0,
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
        self.workspaces: dict[str, Workspace] = {}
        self.installations: Installations | None = None
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
            self._build_workspaces()
            await self._open_workspaces()
            await self._listen()
        except BaseException:
            await self.stop()
            raise
        self.started = True
        log.info(
            "started",
            version=version(),
            workspace=",".join(sorted(self.workspaces)),
            port=self.web.port,
            replica=self.inbox.owner,
            **_changed_settings(self.settings),
        )
        for name, close in unknown_variables().items():
            log.warning("setting_unknown", variable=name, did_you_mean=close or None)

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
        if token is not None:
            self.me = await identify(self.clients)

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
        self._opened.callback(clones.readers.close)
        self.library = ContextRegistry(clones.open, prefixes.build, salt=settings.salt)
        self.excerpts = ExcerptSearch(settings.home)
        self._opened.push_async_callback(self.excerpts.close)
        self.library.subscribe_packs(self.excerpts.packed)
        self.readiness = Readiness(self.library)
        self.context_files = ContextFiles(
            settings.contexts, with_oauth=settings.slack_client_id is not None
        )
        self.metrics.watch(
            "context_files_broken",
            "Context files that cannot be used; the last good version is in force.",
            lambda: len(self.context_files.problems),
        )
        self.limits = SpendingLimits(
            self.live.caps,
            settings.daily_limit_usd,
            self.now,
            workspace_limit_usd=settings.workspace_daily_limit_usd,
            siblings=lambda workspace: [c.name for c in self.library.of(workspace).all()],
        )
        self.ledger = SpendingLedger(
            self.store.ledger, settings.daily_limit_usd, self._workspace_cap
        )
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

    def _build_workspaces(self) -> None:
        settings = self.settings
        executor = ThreadPoolExecutor(LOOK_UP_THREADS, "look-up")
        self._opened.callback(executor.shutdown, wait=False, cancel_futures=True)
        self._shared = Shared(
            settings=settings,
            store=self.store,
            journal=self.journal,
            live=self.live,
            inbox=self.inbox,
            claude=self.claude,
            model=CappedModel(self.claude, self.ledger, self._answers_cap, self._answers_left),
            library=self.library,
            clones=self.clones,
            warmth=self.warmth,
            excerpts=self.excerpts,
            limits=self.limits,
            pacer=RateLimiter(self._rates),
            queue=AnswerQueue(settings.answers_at_once),
            executor=executor,
            tasks=self.tasks,
            dropped=self._context_dropped,
            problems=lambda: self.context_files.problems,
            now=self.now,
        )
        self.metrics.watch_counts(
            "slack_failures",
            "Calls that Slack did not carry out.",
            "failure",
            self._shared.failures,
        )

    def _context_dropped(self, name: str) -> None:
        note_dropped(self.journal, self.now, name)
        self.excerpts.drop(name)
        self.clones.readers.stop(name)

    def _answers_cap(self, context: str) -> float | None:
        live = self.library.live(context)
        return None if live is None else live.config.limits.answers_daily_usd

    def _answers_left(self, context: str, usd: float) -> bool:
        live = self.library.live(context)
        return live is not None and self.limits.leaves(live.config, usd)

    def _workspace_cap(self, context: str) -> Cap | None:
        live = self.library.live(context)
        if live is None or not live.config.workspace:
            return None
        return Cap(f"workspace/{live.config.workspace}", self.settings.workspace_daily_limit_usd)

    async def _open_workspaces(self) -> None:
        """Open the one workspace of a bot token, or all that installed the app with OAuth."""
        with_oauth = self.settings.slack_client_id is not None
        self.alerts = OperatorAlerts(self.store.state, self._audiences, self.now)
        self.requests.subscribe(self.alerts.observe)
        if with_oauth:
            from bot.app.workspaces.installations import Installations

            self.installations = Installations(
                self._shared, self.clients, self.workspaces, lambda: self.context_files.loaded
            )
            return
        only = Workspace(self._shared, self.clients, self.me, self._halt)
        self.workspaces[self.me.workspace] = only
        self.edge, self.answerer, self.threads = only.edge, only.answerer, only.threads
        self.slack_contexts, self.removal = only.slack_contexts, only.removal
        await prime(only.edge.app)

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
        if self.installations is not None:
            await self.installations.start()
            self._run(self.installations.keep_rotating())
        else:
            await self.workspaces[self.me.workspace].start(loaded)
        self._run(self._keep_following_files())
        self._run(self._keep_fresh())
        self.web = WebServer(settings.listen_host, settings.port, self.now)
        self.metrics.watch_refusals("connection", self.web.refusals.total)
        self._add_routes()
        await self.web.start()
        self._opened.push_async_callback(self.web.stop)
        if settings.slack_app_token is not None:
            token = settings.slack_app_token.get_secret_value()
            self._sockets = Sockets(self._app, token, self.clients)
            await self._sockets.start()
        await self.warmth.start()
        self._run(self.inbox.keep_renewing(self._lost, self._works_on))
        self._taking_over = self._run(self.inbox.keep_looking(self._take_over))
        self._run(keep_following(self.store, lambda: [w.removal for w in self._here()]))
        self._run(self._keep_purging())
        self._run(self.alerts.keep_looking())
        self._opened.push_async_callback(self._stop_working)

    @property
    def _app(self) -> AsyncApp | Dispatcher:
        """The receiver of Slack's requests."""
        return self.edge.app if self.installations is None else self.installations

    def _here(self) -> list[Workspace]:
        return list(self.workspaces.values())

    def _lost(self, question_id: str) -> None:
        for workspace in self._here():
            workspace.answerer.lost(question_id)

    async def _take_over(self, claimed: Claimed, question: Question) -> None:
        workspace: Workspace | None
        if self.installations is None:
            # Slack may name the workspace of another organisation in a shared channel.
            (workspace,) = self._here()
        else:
            workspace = await self.installations.open_known(question.workspace)
        if workspace is None:
            log.info("question_without_workspace", question=question.id)
        else:
            await workspace.takeovers.take(claimed, question)

    def _works_on(self, question_id: str) -> bool:
        return any(workspace.works_on(question_id) for workspace in self._here())

    def _add_routes(self) -> None:
        router = self.web.application.router
        state_token = _secret(self.settings.state_token)
        router.add_routes(health_routes(self.missing, state_token))
        if not self.settings.socket_mode:
            secret = _secret(self.settings.slack_signing_secret) or ""
            me = None if self.installations is not None else self.me
            entry = EventsEntry(self._app, me, secret, self.now, lambda: not self._stopping)
            entry.add_to(router)
            self.metrics.watch_refusals("slack", entry.refusals.total)
        if self.installations is not None:
            router.add_routes(self.installations.routes())
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
            pages.add_to(self.web.application)
            router.add_routes(forget_route(state_token, self.forget_cache))

    def _audiences(self) -> Iterable[Audience]:
        """Yield the operators with what they are told of: with OAuth, of their own workspace."""
        if self.installations is None:
            caps, stale = tuple(self._caps_now()), tuple(self._stale_now())
            yield Audience(self.clients.writes, self.settings.operators, caps, stale)
            return
        for one in self._here():
            team = one.me.workspace
            caps, stale = tuple(self._caps_of(team)), tuple(self._stale_now(team))
            users = one.slack_contexts.operators
            yield Audience(one.clients.writes, users, caps, stale, team)

    def _caps_of(self, team: str) -> Iterable[CapState]:
        """Yield the caps of one workspace of several."""
        caps, day = self.live.caps, day_of(self.now())
        configs = [config for config in self.library.all() if config.workspace == team]
        spent = sum(caps.spent(day, context=config.name) for config in configs)
        yield CapState("this workspace", self.settings.workspace_daily_limit_usd, spent)
        yield from self._answer_caps(configs)

    def _answer_caps(self, configs: Iterable[ContextConfig]) -> Iterable[CapState]:
        for config in configs:
            if (cap := config.limits.answers_daily_usd) is not None:
                day = day_of(self.now())
                spent = self.live.caps.spent(day, context=config.name, on="answers")
                yield CapState(f"answers about {config.name}", cap, spent)

    def _caps_now(self) -> Iterable[CapState]:
        settings, caps, day = self.settings, self.live.caps, day_of(self.now())
        yield CapState("everything", settings.daily_limit_usd, caps.spent(day))
        spent = caps.spent(day, on="warmth")
        yield CapState("warm-ups", settings.warm_daily_limit_usd, spent)
        yield from self._answer_caps(self.library.all())

    def _stale_now(self, team: str = "") -> Iterable[StaleContext]:
        lives = (one for one in self.library.lives() if team in ("", one.config.workspace))
        for live in lives:
            for name, one in live.stale.items():
                yield StaleContext(live.config.name, name, one.since, one.reason, one.is_refused)

    async def missing(self) -> Iterable[str]:
        """Return the parts that are missing before the bot can answer; nothing if it is ready."""
        missing = []
        if self._stopping:
            missing.append("time: it is stopping")
        elif not self.started:
            missing.append("start")
        if self.installations is None and self.removal.removed:
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

    async def _keep_following_files(self) -> None:
        """Take over changes of the context files; keep the last good version of a broken one."""
        while True:
            await asyncio.sleep(FILES_SECONDS)
            loaded = await asyncio.to_thread(self.context_files.read_if_changed)
            if loaded is None:
                continue
            changed: list[str] = []
            for workspace in self._here():
                changed += workspace.slack_contexts.follow_files(workspace.own_files(loaded))
            broken = len(self.context_files.problems)
            log.info("context_files_read", changed=changed, broken=broken)
            for problem in self.context_files.problems:
                why = f"{problem}; the last good version of this context is used until then"
                log.error("context_kept_as_it_was", why=why)
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
        task.add_done_callback(log_end)
        return task

    async def _halt(self, workspace: Workspace) -> None:
        """Take no more work: the app was removed. The process lives on to say so."""
        here = asyncio.current_task()
        loops = [task for task in self._loops if task is not here]
        for task in loops:
            task.cancel()
        await asyncio.gather(*loops, return_exceptions=True)
        await self.warmth.halt()

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
        await asyncio.gather(*(workspace.stop(FINISH_SECONDS) for workspace in self._here()))
        for task in self._loops:
            task.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)
        await self.warmth.stop()
        await self.inbox.hand_over()
        await self.tasks.drain()


def _changed_settings(settings: Settings) -> dict[str, Any]:
    """Return the settings that are not at their defaults, secrets as `set`."""
    told: dict[str, Any] = {}
    for name, field in Settings.model_fields.items():
        value = getattr(settings, name)
        if value != field.get_default():
            shown = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
            if "SecretStr" in str(field.annotation):
                shown = SET
            told[(field.alias or name).lower()] = shown
    # A database's address may hold a password.
    if "database_url" in told:
        told["database_url"] = SET
    return {"settings": told}


def _secret(value: Any) -> str | None:
    return None if value is None else str(value.get_secret_value())
