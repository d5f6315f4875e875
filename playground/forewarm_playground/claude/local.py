"""A local Claude in this process, for tests and the demo."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

from forewarm_playground.claude.cache.ledger import Ledger
from forewarm_playground.claude.cache.prefix_cache import Entry
from forewarm_playground.claude.cache.tokens import text_of
from forewarm_playground.claude.clocks import Clock, LoopClock
from forewarm_playground.claude.config import Config
from forewarm_playground.claude.core import Core
from forewarm_playground.claude.latency import Latency
from forewarm_playground.claude.request_log import RequestRecord
from forewarm_playground.claude.responses.answers import Answer, Reply, Rule
from forewarm_playground.claude.responses.faults import Fault, Faults, Kind
from forewarm_playground.claude.responses.matching import Match, RequestInfo

if TYPE_CHECKING:
    from forewarm_playground.claude.http.server import Server


class LocalClaude:
    """A Messages API on this machine, with the cache, prices, limits and faults of the real one.

    Its time is the running loop's (real or virtual), or that of a `clock`.

        claude = LocalClaude()
        claude.rule("where is (\\\\w+)", "It is in src/\\\\1.py")
        async with claude.serve() as url:
            client = AsyncAnthropic(base_url=url, api_key="any")
    """

    def __init__(
        self,
        config: Config | None = None,
        *,
        now: Callable[[], float] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.core = Core(config)
        self.clock: Clock = clock or LoopClock(now)
        self.faults = Faults()
        self._server: Server | None = None

    def __repr__(self) -> str:
        return f"<LocalClaude [{self.core!r}, {self.faults!r}]>"

    # Answers

    def script(self, *replies: Reply | Callable[[RequestInfo], Reply]) -> None:
        """Queue answers; each is given once, in order, before any rule is asked."""
        read = [reply if callable(reply) else Answer.of(reply) for reply in replies]
        self.core.answers.script.extend(read)

    def rule(
        self,
        match: Match | str | Callable[[RequestInfo], bool] | None,
        reply: Reply | Callable[[RequestInfo], Reply],
    ) -> None:
        """Answer every request that matches; the first rule that matches wins."""
        if not callable(reply):
            Answer.of(reply)
        self.core.answers.rules.append(Rule(Match.of(match), reply))

    # Faults and latency

    def fault(self, kind: Kind | Fault, match: Any = None, **details: Any) -> None:
        """Queue a fault for the next request that matches (see `faults.Fault` for the details)."""
        fault = kind if isinstance(kind, Fault) else Fault.from_json({"kind": kind, **details})
        if match is not None:
            fault = Fault(**{**_fields(fault), "match": Match.of(match)})
        self.faults.add(fault)

    @property
    def latency(self) -> Latency:
        return self.core.latency

    @latency.setter
    def latency(self, latency: Latency) -> None:
        self.core.latency = latency

    def evict(self, which: Callable[[Entry], bool] = lambda entry: True) -> int:
        """Delete cache entries, all by default; return how many they were."""
        return self.core.cache.evict(which)

    def reset(self) -> None:
        """Forget everything but the settings."""
        self.core.reset()
        self.faults.clear()

    # Requests

    @property
    def ledger(self) -> Ledger:
        return self.core.ledger

    @property
    def requests(self) -> list[RequestRecord]:
        """All requests to `/v1/messages` and to count tokens, in the order in which they came."""
        return self.core.requests

    @property
    def cached(self) -> list[Entry]:
        """The entries that can be read now."""
        return self.core.cache.live(self.clock.now())

    def text(self, tokens: int, model: str = "claude-sonnet-5-5", seed: str = "lorem") -> str:
        """Return a text with exactly so many tokens for this model."""
        found = self.core.config.models.find(model)
        if found is None:
            raise LookupError(model)
        return text_of(tokens, found.chars_per_token, seed)

    # Server

    @contextlib.asynccontextmanager
    async def serve(self, port: int = 0, host: str = "127.0.0.1") -> AsyncIterator[str]:
        """Serve on a port (0: any free one) while the context is open; yields the base URL."""
        from forewarm_playground.claude.http.server import Server

        server = Server(self, host, port)
        await server.start()
        self._server = server
        try:
            yield server.url
        finally:
            self._server = None
            await server.stop()

    @contextlib.asynccontextmanager
    async def refusing(self) -> AsyncIterator[None]:
        """Close the port while the context is open: open connections drop, new ones are refused."""
        if self._server is None:
            raise RuntimeError("a local Claude that does not serve cannot refuse")
        await self._server.refuse(None)
        try:
            yield
        finally:
            await self._server.listen_again()


def _fields(fault: Fault) -> dict[str, Any]:
    return {name: getattr(fault, name) for name in Fault.__dataclass_fields__}
