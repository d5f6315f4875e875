"""A question's way past the cache: what it waited for, and what it should ask for itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from bot.claude.usage import Ttl, Usage
from bot.warm.types import Result


@dataclass(slots=True, kw_only=True)
class JoinTicket:
    """What `Driver.join` gives a question. Say what became of its request: others wait for it.

    `waited` seconds were spent on somebody else's writing; `warmed` says that the prefix is
    believed cached now, `expected` how many of its tokens. Send the request with `ttl`, and with
    `previous` to diagnose a miss against. `leads` says that this question writes the entry which
    others wait for.
    """

    waited: float
    warmed: bool
    ttl: Ttl
    expected: int
    previous: str | None
    leads: bool
    started_at: float
    tell: Callable[[Result, str | None], None] = field(repr=False)
    told: bool = field(default=False, repr=False)

    def began(
        self,
        usage: Usage,
        *,
        seconds: float,
        message_id: str | None = None,
        missed: str | None = None,
    ) -> None:
        """The response has begun, `seconds` after the request was sent; its figures are known."""
        result = Result(usage=usage, started_at=self.started_at, seconds=seconds, missed=missed)
        self._once(result, message_id)

    def failed(self, error: str, retry_after: float | None = None) -> None:
        """The response never began. Does nothing once it had."""
        result = Result(
            started_at=self.started_at, seconds=0.0, error=error, retry_after=retry_after
        )
        self._once(result, None)

    def _once(self, result: Result, message_id: str | None) -> None:
        if not self.told:
            self.told = True
            self.tell(result, message_id)
