"""The one client for Claude, at every provider: warm-ups, streamed questions, what models accept.

Nothing is resent by itself: a warm-up that fails is the governor's to repeat, a question the
answer's. A task that is cancelled closes its connection, and the server stops working on it.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

import structlog

from bot.claude import http
from bot.claude.cache_check import (
    WarmResult,
    explain_read,
    explain_warm_up,
    is_complete,
    measured_by_question,
    measured_tokens,
    not_sent,
)
from bot.claude.catalogue import Catalogue
from bot.claude.error_mapping import cut
from bot.claude.errors import ClaudeError
from bot.claude.events import Journal, Label, NoJournal
from bot.claude.last_request import LastRequests
from bot.claude.models import Capabilities, ModelSettings
from bot.claude.prefix import Prefix
from bot.claude.providers.cache_facts import CacheFacts, FactStore
from bot.claude.providers.connect import Connection, Connections, Sdk, connections
from bot.claude.providers.knowledge import CacheKnowledge
from bot.claude.providers.probe import made_up_prefix, probe_cache, refuses_hour
from bot.claude.providers.table import DIRECT, Provider
from bot.claude.request import Request, empty_request, warm_request
from bot.claude.request_log import RequestFeed, RequestLog
from bot.claude.stream import Event, Reader, Started, miss_reason
from bot.claude.token_counter import TokenCounter
from bot.claude.usage import Ttl, Usage, reports_writes, usage_of
from bot.clock import Now, system_now

_log = structlog.get_logger(__name__)


class ClaudeClient:
    """Speaks to the providers of an installation, over one pool of connections for each.

    `diagnose` asks for cache diagnostics; None leaves that to the provider's row of the table.
    `facts` remembers what was probed; without it nothing is probed. Safe for use by many tasks of
    one event loop.
    """

    def __init__(
        self,
        connections: Connections,
        *,
        journal: Journal | None = None,
        feed: RequestFeed | None = None,
        now: Now = system_now,
        diagnose: bool | None = None,
        facts: FactStore | None = None,
        new_id: Callable[[], str] = lambda: uuid.uuid4().hex,
    ) -> None:
        self._connections = connections
        self._journal: Journal = journal or NoJournal()
        self._feed = feed or RequestFeed()
        self._now = now
        self._diagnose = diagnose
        self._new_id = new_id
        self._undiagnosed: set[str] = set()
        self._refuses_zero: set[tuple[str, str | None]] = set()
        self._catalogue = Catalogue(connections)
        self._knowledge = CacheKnowledge(connections, facts)
        self._memory = LastRequests()
        self._counters: dict[str, TokenCounter] = {}
        self._running = 0

    @classmethod
    def connect(
        cls,
        *,
        api_key: str | None = None,
        base_url: str | None = None,
        provider: str | None = None,
        environment: Mapping[str, str] | None = None,
        journal: Journal | None = None,
        feed: RequestFeed | None = None,
        now: Now = system_now,
        diagnose: bool | None = None,
        facts: FactStore | None = None,
    ) -> ClaudeClient:
        """Return a client for an installation's providers.

        `provider` serves contexts that name none. By default it is Anthropic, or the server at
        `base_url`, which needs no key. `environment` holds the variables of the clouds. A provider
        that is not set up raises `ClaudeError` at its first request.
        """
        opened = connections(provider, api_key, base_url, environment or {})
        return cls(opened, journal=journal, feed=feed, now=now, diagnose=diagnose, facts=facts)

    def sdk(self, model: str) -> Sdk:
        """Return the SDK's client for a model, for endpoints beside this room's."""
        return self._connections.of(model).sdk

    def full_name(self, model: str) -> str:
        """Return the full name of a model: with the default provider if it names none."""
        return self._connections.full_name(model)

    def provider(self, model: str) -> Provider:
        """Return the row of the capability table for a model's provider."""
        return self._connections.provider(model)

    def now(self) -> float:
        """Return the time by the clock of this client's events and records."""
        return self._now()

    async def capabilities(self, model: str) -> Capabilities:
        """Return what a model accepts; see `Catalogue.capabilities`."""
        return await self._catalogue.capabilities(self.full_name(model))

    async def ask_for_access(self, model: str) -> None:
        """Ask for something that costs nothing, to see if the provider answers.

        That is its list of models, or a count of tokens with this model, or else a request with
        nothing in it, which is refused as invalid after the credentials and the model were checked.
        Raises `ClaudeError` if it does not answer, or refuses the credentials or the model.
        """
        model = self.full_name(model)
        provider = self.provider(model)
        if provider.models:
            await self._catalogue.ask_for_models(model)
        elif provider.counts:
            await TokenCounter(self._connections, model).count(".")
        else:
            try:
                await http.request_message(self._connections.of(model), empty_request(model))
            except ClaudeError as refused:
                if refused.kind != "invalid":
                    raise

    def known_capabilities(self, model: str) -> Capabilities:
        """Return what is known of a model by now, without asking."""
        return self._catalogue.known_capabilities(self.full_name(model))

    def cache_facts(self, model: str) -> CacheFacts:
        """Return what is known of a model's cache by now, without asking."""
        return self._knowledge.known_facts(model)

    async def recall_cache_facts(self, model: str) -> CacheFacts | None:
        """Return what is documented or remembered of a model's cache; None if it must be probed."""
        return await self._knowledge.recall(model)

    async def probe_cache_facts(self, settings: ModelSettings) -> tuple[CacheFacts, float]:
        """Return the facts about a model's cache and what their probe cost, in USD.

        They are probed if they are neither documented nor remembered, also if the model is free.
        Raises `ClaudeError`.
        """
        spent: list[float] = []
        facts = await self._knowledge.settle(
            settings.model, lambda: self._probe(settings, Label("warm"), spent), even_free=True
        )
        return facts, sum(spent)

    def ignored_sentence(self, model: str) -> str:
        """Return the sentence for a model whose cache markers have no effect."""
        return self._knowledge.ignored(model)

    def counter(self, model: str) -> TokenCounter:
        """Return the counter of tokens with this model's tokenizer.

        It is the same for all callers: a server without the endpoint is asked once.
        """
        name = self.full_name(model)
        return self._counters.setdefault(name, TokenCounter(self._connections, name))

    async def warm(
        self,
        prefix: Prefix,
        ttl: Ttl = "5m",
        *,
        label: Label | None = None,
        previous: str | None = None,
    ) -> WarmResult:
        """Write or renew the prefix's cache entry; return what the reply says was done.

        `previous` is the message id to diagnose a miss against, by default that of the last
        request on this prefix. Raises `ClaudeError`. A server that refuses `max_tokens=0` with
        these settings is asked for one token, now and from then on. A cache that no documentation
        describes is probed first. If it ignores markers, no warm-up is sent: the result is not
        complete and says why.
        """
        label = label or Label(purpose="warm")
        spent: list[float] = []
        facts = await self._knowledge.settle(
            prefix.model, lambda: self._probe(prefix.settings, label, spent)
        )
        if not facts.caches:
            return not_sent(self._now(), ttl, sum(spent), self._knowledge.ignored(prefix.model))
        result = await self._warm_accepted(prefix, facts.longest(ttl), label, previous, facts)
        lives = self.cache_facts(prefix.model).lives
        return replace(result, usd=result.usd + sum(spent), lives=lives)

    async def _warm_accepted(
        self, prefix: Prefix, ttl: Ttl, label: Label, previous: str | None, facts: CacheFacts
    ) -> WarmResult:
        refusing = (prefix.model, prefix.settings.thinking)
        if facts.zero is False or refusing in self._refuses_zero:
            return await self._warm(prefix, ttl, label, previous, max_tokens=1)
        accepted = True
        try:
            result = await self._warm(prefix, ttl, label, previous, max_tokens=0)
        except ClaudeError as refused:
            if refused.kind != "invalid" or refused.status != 400:
                raise
            result = await self._warm(prefix, ttl, label, previous, max_tokens=1)
            accepted = False
            self._refuses_zero.add(refusing)
            _log.warning(
                "warm_up_of_one_token",
                model=prefix.model,
                thinking=prefix.settings.thinking,
                refusal=refused.detail,
            )
        facts = self.cache_facts(prefix.model)
        if facts.zero is None and prefix.settings.thinking != "enabled":
            await self._knowledge.note(prefix.model, replace(facts, zero=accepted))
        return result

    async def stream(
        self, request: Request, *, label: Label | None = None
    ) -> AsyncGenerator[Event, None]:
        """Send a question and yield the events of its reply, `Started` first, `Ended` last.

        Raises `ClaudeError`, in the middle too, and `CutStream` if the stream broke or ended
        without `message_stop`. Close the iterator (`contextlib.aclosing`) or cancel the task to
        stop the model: either closes the connection.
        """
        facts = self.cache_facts(request.prefix.model)
        request = replace(self._diagnosed(request), ttl=facts.longest(request.ttl))
        label = label or Label(purpose="question")
        while True:
            try:
                async with aclosing(self._stream(request, label)) as events:
                    async for event in events:
                        yield event
                return
            except ClaudeError as refused:
                changed = await self._without_refused(refused, request)
                if changed is None:
                    raise
                request = changed

    async def close(self) -> None:
        """Close all connections. The client is not usable afterwards."""
        await self._connections.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        provider = self._connections.default
        if provider in DIRECT:
            provider = self._connections.direct_host()
        return f"<ClaudeClient of {provider}: {self._running} running>"

    async def _warm(
        self, prefix: Prefix, ttl: Ttl, label: Label, previous: str | None, *, max_tokens: int
    ) -> WarmResult:
        request = self._diagnosed(
            warm_request(prefix, ttl, max_tokens=max_tokens, previous=previous)
        )
        while True:
            try:
                return await self._warm_once(request, label)
            except ClaudeError as refused:
                changed = await self._without_refused(refused, request)
                if changed is None:
                    raise
                request = changed

    async def _probe(self, settings: ModelSettings, label: Label, spent: list[float]) -> CacheFacts:
        """Probe a model's cache under this client's records; add the USD to `spent`."""
        capabilities = await self.capabilities(settings.model)
        prefix = made_up_prefix(capabilities, settings, self._new_id())

        async def send(request: Request) -> Mapping[str, Any]:
            async with self._accounted(request, label) as account:
                send_it = http.beginning if request.stream else http.request_message
                message, request_id = await send_it(self._connection(request), request)
                account.opened(request_id)
                usage: Mapping[str, Any] = message.get("usage") or {}
                account.read = lambda: usage_of(usage, request.ttl)
            spent.append(account.usd)
            return usage

        return await probe_cache(send, prefix)

    def _connection(self, request: Request) -> Connection:
        return self._connections.of(request.prefix.model)

    async def _warm_once(self, request: Request, label: Label) -> WarmResult:
        prefix, send = request.prefix, http.beginning if request.stream else http.request_message
        async with self._accounted(request, label) as account:
            message, request_id = await send(self._connection(request), request)
            account.opened(request_id)
            account.first_event()
            raw = message.get("usage") or {}
            usage, writes = usage_of(raw, request.ttl), reports_writes(raw)
            account.read = lambda: usage
            account.message_id = message.get("id")
            account.complete = is_complete(usage, writes)
            if account.complete:
                prefix.measure.tokens = measured_tokens(usage, writes)
            account.missed = explain_warm_up(usage, writes) or self._explain(
                prefix, usage, label, miss_reason(message)
            )
            self._memory.note(prefix, account.message_id)
        return WarmResult(
            usage=usage,
            usd=account.usd,
            seconds=account.seconds,
            started_at=account.started_at,
            ttl=request.ttl,
            tokens=measured_tokens(usage, writes),
            complete=account.complete,
            request_id=account.request_id,
            message_id=account.message_id,
            missed=account.missed,
        )

    async def _stream(self, request: Request, label: Label) -> AsyncGenerator[Event, None]:
        prefix, reader = request.prefix, Reader(request.ttl)
        async with self._accounted(request, label) as account:
            account.read = reader.usage_so_far
            connection = self._connection(request)
            async with aclosing(http.events(connection, request, account.opened)) as raw_events:
                async for raw in raw_events:
                    for event in reader.feed(raw, self._now()):
                        if isinstance(event, Started):
                            account.first_event()
                            _measure(request, event.usage)
                            account.missed = self._explain(prefix, event.usage, label, event.miss)
                            account.message_id = event.message_id
                            self._memory.note(prefix, event.message_id)
                        account.complete = reader.ended
                        yield event
            if not reader.ended:
                raise cut(None, prefix.model, account.request_id)

    def _explain(self, prefix: Prefix, usage: Usage, label: Label, miss: str | None) -> str | None:
        """Say why less was read than `label` expects; an estimate above the truth is no miss."""
        truth = prefix.measure.tokens
        expected = label.expected if truth is None else min(label.expected, truth)
        return explain_read(usage, expected, miss, self._memory.changed(prefix))

    def _diagnosed(self, request: Request) -> Request:
        provider = self.provider(request.prefix.model)
        wanted = provider.diagnostics if self._diagnose is None else self._diagnose
        if not wanted or provider.name in self._undiagnosed:
            return replace(request, diagnose=False)
        previous = request.previous or self._memory.message_id(request.prefix)
        return replace(request, diagnose=True, previous=previous)

    async def _without_refused(self, refused: ClaudeError, request: Request) -> Request | None:
        """Return the request without the field that the provider refused, or None if it is another.

        The field is never sent there again.
        """
        model = request.prefix.model
        if refused.kind == "invalid" and "diagnostics" in refused.detail and request.diagnose:
            self._undiagnosed.add(self.provider(model).name)
            _log.warning("server_refuses_diagnostics", refusal=refused.detail)
            return replace(request, diagnose=False)
        if request.ttl == "1h" and refuses_hour(refused):
            _log.warning("provider_has_no_hour", model=model, refusal=refused.detail)
            await self._knowledge.note(model, replace(self.cache_facts(model), lives=("5m",)))
            return replace(request, ttl="5m")
        return None

    @asynccontextmanager
    async def _accounted(self, request: Request, label: Label) -> AsyncIterator[RequestLog]:
        """Keep the request's account: begun now, closed however the block ends."""
        account = RequestLog(request, label, self._journal, self._feed, self._now, self._new_id())
        self._running += 1
        try:
            yield account
            account.end()
        except ClaudeError as failed:
            account.opened(failed.request_id or account.request_id)
            account.end(failed.kind)
            _log_failure(failed, account.request_id)
            raise
        except BaseException:
            account.end(None if account.complete else "cancelled")
            raise
        finally:
            self._running -= 1


def _measure(request: Request, usage: Usage) -> None:
    """Take a prefix's length from a question if no warm-up has measured it yet."""
    measure = request.prefix.measure
    if measure.tokens is None:
        measure.tokens = measured_by_question(usage, request.tail_tokens)


def _log_failure(failed: ClaudeError, request_id: str | None) -> None:
    _log.warning(
        "claude_request_failed",
        kind=failed.kind,
        status=failed.status,
        request_id=failed.request_id or request_id,
        retry_after=failed.retry_after,
        detail=failed.detail,
        why=failed.user_message,
    )
