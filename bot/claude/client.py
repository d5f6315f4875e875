"""The one client for the Messages API: warm-ups, streamed questions, what models accept.

Nothing is resent by itself: a warm-up that fails is the governor's to repeat, a question the
answer's. A task that is cancelled closes its connection, and the server stops working on it.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import anthropic
import structlog

from bot.claude import http
from bot.claude.cache_check import (
    WarmResult,
    explain_read,
    explain_warm_up,
    is_complete,
    measured_by_question,
    measured_tokens,
)
from bot.claude.catalogue import Catalogue
from bot.claude.error_mapping import cut
from bot.claude.errors import ClaudeError
from bot.claude.events import Journal, Label, NoJournal
from bot.claude.last_request import LastRequests
from bot.claude.models import Capabilities
from bot.claude.prefix import Prefix
from bot.claude.request import Request, warm_request
from bot.claude.request_log import RequestFeed, RequestLog
from bot.claude.stream import Event, Reader, Started, miss_reason
from bot.claude.token_counter import TokenCounter
from bot.claude.usage import Ttl, Usage, reports_writes, usage_of
from bot.clock import Now, system_now

_log = structlog.get_logger(__name__)


class ClaudeClient:
    """Speaks to one server of the Messages API, over one pool of connections.

    `diagnose` asks for cache diagnostics, which only Anthropic's own API has. Safe for use by
    many tasks of one event loop.
    """

    def __init__(
        self,
        sdk: anthropic.AsyncAnthropic,
        *,
        journal: Journal | None = None,
        feed: RequestFeed | None = None,
        now: Now = system_now,
        diagnose: bool = False,
        new_id: Callable[[], str] = lambda: uuid.uuid4().hex,
    ) -> None:
        self._sdk = sdk
        self._journal: Journal = journal or NoJournal()
        self._feed = feed or RequestFeed()
        self._now = now
        self._diagnose = diagnose
        self._new_id = new_id
        self._refuses_zero: set[tuple[str, str | None]] = set()
        self._catalogue = Catalogue(sdk)
        self._memory = LastRequests()
        self._running = 0

    @classmethod
    def connect(
        cls,
        *,
        api_key: str | None = None,
        base_url: str | None = None,
        journal: Journal | None = None,
        feed: RequestFeed | None = None,
        now: Now = system_now,
        diagnose: bool | None = None,
    ) -> ClaudeClient:
        """Return a client for `base_url`, Anthropic's API by default.

        A server of one's own needs no key. Without a key for Anthropic's, the SDK's other ways of
        finding credentials are left to it, and `ClaudeError` tells at the first request.
        """
        anthropics = base_url is None or http.is_anthropics(base_url)
        chosen = anthropics if diagnose is None else diagnose
        sdk = http.connect(api_key, base_url)
        return cls(sdk, journal=journal, feed=feed, now=now, diagnose=chosen)

    @property
    def sdk(self) -> anthropic.AsyncAnthropic:
        """The SDK's client over the same connections, for endpoints beside this room's."""
        return self._sdk

    def now(self) -> float:
        """Return the time by the clock of this client's events and records."""
        return self._now()

    async def capabilities(self, model: str) -> Capabilities:
        """Return what a model accepts; see `Catalogue.capabilities`."""
        return await self._catalogue.capabilities(model)

    async def ask_for_models(self) -> None:
        """Ask for the list of models, which costs nothing. Raises `ClaudeError`.

        A server without a Models API is content, too: it has answered.
        """
        await self._catalogue.ask_for_models()

    def known(self, model: str) -> Capabilities:
        """Return what is known of a model by now, without asking; see `Catalogue.known`."""
        return self._catalogue.known(model)

    def counter(self, model: str) -> TokenCounter:
        """Return a counter of tokens with this model's tokenizer."""
        return TokenCounter(self._sdk, model)

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
        these settings is asked for one token, now and from then on.
        """
        label = label or Label(purpose="warm")
        refusing = (prefix.model, prefix.settings.thinking)
        if refusing in self._refuses_zero:
            return await self._warm(prefix, ttl, label, previous, max_tokens=1)
        try:
            return await self._warm(prefix, ttl, label, previous, max_tokens=0)
        except ClaudeError as refused:
            if refused.kind != "invalid" or refused.status != 400:
                raise
            result = await self._warm(prefix, ttl, label, previous, max_tokens=1)
            self._refuses_zero.add(refusing)
            _log.warning(
                "warm_up_of_one_token",
                model=prefix.model,
                thinking=prefix.settings.thinking,
                refusal=refused.detail,
            )
            return result

    async def stream(
        self, request: Request, *, label: Label | None = None
    ) -> AsyncGenerator[Event, None]:
        """Send a question and yield the events of its reply, `Started` first, `Ended` last.

        Raises `ClaudeError`, in the middle too, and `CutStream` if the stream broke or ended
        without `message_stop`. Close the iterator (`contextlib.aclosing`) or cancel the task to
        stop the model: either closes the connection.
        """
        request = self._diagnosed(request)
        label = label or Label(purpose="question")
        while True:
            try:
                async with aclosing(self._stream(request, label)) as events:
                    async for event in events:
                        yield event
                return
            except ClaudeError as refused:
                if not self._drops_diagnostics(refused, request):
                    raise
                request = replace(request, diagnose=False)

    async def close(self) -> None:
        """Close all connections. The client is not usable afterwards."""
        await self._sdk.close()

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
        host = urlsplit(str(self._sdk.base_url)).netloc
        diagnosed = ", with diagnostics" if self._diagnose else ""
        return f"<ClaudeClient of {host}: {self._running} running{diagnosed}>"

    async def _warm(
        self, prefix: Prefix, ttl: Ttl, label: Label, previous: str | None, *, max_tokens: int
    ) -> WarmResult:
        request = self._diagnosed(
            warm_request(prefix, ttl, max_tokens=max_tokens, previous=previous)
        )
        try:
            return await self._warm_once(request, label)
        except ClaudeError as refused:
            if not self._drops_diagnostics(refused, request):
                raise
        return await self._warm_once(replace(request, diagnose=False), label)

    async def _warm_once(self, request: Request, label: Label) -> WarmResult:
        prefix, send = request.prefix, http.beginning if request.stream else http.whole
        async with self._accounted(request, label) as account:
            message, request_id = await send(self._sdk, request)
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
            async with aclosing(http.events(self._sdk, request, account.opened)) as raw_events:
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
        if not self._diagnose:
            return replace(request, diagnose=False)
        previous = request.previous or self._memory.message_id(request.prefix)
        return replace(request, diagnose=True, previous=previous)

    def _drops_diagnostics(self, refused: ClaudeError, request: Request) -> bool:
        """Tell whether a server refused the diagnostics field; it is then never sent again."""
        refuses = refused.kind == "invalid" and "diagnostics" in refused.detail
        if not (refuses and request.diagnose):
            return False
        self._diagnose = False
        _log.warning("server_refuses_diagnostics", refusal=refused.detail)
        return True

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
    )
