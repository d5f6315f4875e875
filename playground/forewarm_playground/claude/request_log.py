"""The log of requests, for tests to look at."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from forewarm_playground.claude.cache.breakpoints import Breakpoint
from forewarm_playground.claude.cache.prefix_cache import Hit
from forewarm_playground.claude.cache.render import Prompt, Ttl
from forewarm_playground.claude.cache.usage import Usage
from forewarm_playground.claude.errors import ApiError

Outcome = Literal["open", "complete", "cut", "abandoned", "refused", "dropped"]


@dataclass(frozen=True, slots=True)
class MarkerSeen:
    """A cache marker of a request; `prefix` is the hash of everything up to it."""

    path: str
    ttl: Ttl
    tokens: int
    prefix: str
    automatic: bool


@dataclass(slots=True)
class RequestRecord:
    """One request. Times in Unix seconds, money in USD.

    `hit` is the path of the block at which an earlier write was found; `outcome` is `refused` for
    an error reply, `dropped` for a connection that a fault closed.
    """

    number: int
    request_id: str
    message_id: str
    at: float
    path: str
    body: Any
    provider: str = "anthropic"
    headers: dict[str, str] = field(default_factory=dict)
    workspace: str | None = None
    model: str | None = None
    began_at: float | None = None
    ended_at: float | None = None
    outcome: Outcome = "open"
    status: int | None = None
    error: str | None = None
    usage: Usage | None = None
    usd: float = 0.0
    hit: str | None = None
    markers: tuple[MarkerSeen, ...] = ()
    fault: str | None = None

    @property
    def warm(self) -> bool:
        """Whether it asked for no output: a warm-up."""
        return isinstance(self.body, dict) and self.body.get("max_tokens") == 0

    @property
    def stream(self) -> bool:
        return isinstance(self.body, dict) and bool(self.body.get("stream"))

    @property
    def retry(self) -> int:
        """How often the SDK had tried before."""
        return int(self.headers.get("x-stainless-retry-count", "0"))

    def note(
        self, prompt: Prompt, points: Iterable[Breakpoint], usage: Usage, hit: Hit | None
    ) -> None:
        """Note the request's markers and the result of the look-up."""
        self.usage = usage
        self.hit = prompt.blocks[hit.index].path if hit else None
        self.markers = tuple(
            MarkerSeen(p.block.path, p.ttl, p.block.through, p.block.digest.hex(), p.automatic)
            for p in points
        )

    def fail(self, error: ApiError, at: float) -> None:
        """Note that the request was refused."""
        self.status, self.error, self.outcome = error.status, error.type, "refused"
        self.ended_at = at

    def wire(self, *, body: bool = False) -> dict[str, Any]:
        """Return the record as JSON, its body only if wanted: it may be large."""
        facts = asdict(replace(self, body=None))
        more = {"warm": self.warm, "stream": self.stream, "retry": self.retry}
        return {**facts, **more, "body": self.body} if body else {**facts, **more}
