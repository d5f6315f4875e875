"""Result of joining: how long a question waited, and how to send its request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from bot.claude.usage import Ttl, Usage
from bot.warm.types import Result


@dataclass(slots=True, kw_only=True)
class JoinTicket:
    """Returned by `Driver.join` to a question that is about to be sent.

    `waited` is how many seconds it waited for another request's write. `warmed` tells that the
    prefix is believed cached now, `expected` how many of its tokens. The request is to be sent with
    `ttl`, and with `previous` as the message to diagnose a miss against. `leads` tells that this
    question writes the entry which others wait for, so its start or failure must be reported.
    `cold` says in a few words why nothing was cached when it came; "" if the prefix was.
    """

    waited: float
    warmed: bool
    ttl: Ttl
    expected: int
    previous: str | None
    leads: bool
    cold: str
    started_at: float
    report: Callable[[Result, str | None], None] = field(repr=False)
    is_reported: bool = field(default=False, repr=False)

    def report_start(
        self,
        usage: Usage,
        *,
        seconds: float,
        message_id: str | None = None,
        missed: str | None = None,
    ) -> None:
        """Report that the response began `seconds` after the request was sent, with its usage."""
        result = Result(usage=usage, started_at=self.started_at, seconds=seconds, missed=missed)
        self._report_once(result, message_id)

    def report_failure(self, error: str, retry_after: float | None = None) -> None:
        """Report that the response never began. Does nothing after `report_start`."""
        result = Result(
            started_at=self.started_at, seconds=0.0, error=error, retry_after=retry_after
        )
        self._report_once(result, None)

    def _report_once(self, result: Result, message_id: str | None) -> None:
        if not self.is_reported:
            self.is_reported = True
            self.report(result, message_id)
