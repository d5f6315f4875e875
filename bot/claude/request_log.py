"""One request's two records in the journal: that it left, and what it came to."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from bot.claude.events import Journal, Label, RequestEnded, RequestStarted
from bot.claude.prices import cost
from bot.claude.request import Request
from bot.claude.usage import Usage
from bot.clock import Now

_log = structlog.get_logger(__name__)


class RequestFeed:
    """Tells its subscribers of every request of this process that has ended.

    The journal keeps records and decides nothing. Objects that act on a request's end, such as the
    driver of warmth, subscribe here.
    """

    def __init__(self) -> None:
        self._subscribers: list[Callable[[RequestEnded], None]] = []

    def subscribe(self, subscriber: Callable[[RequestEnded], None]) -> None:
        """Call `subscriber` with every request that ends from now on."""
        self._subscribers.append(subscriber)

    def publish(self, record: RequestEnded) -> None:
        """Call the subscribers. An error in one is logged: the answer goes on."""
        for subscriber in self._subscribers:
            try:
                subscriber(record)
            except Exception:
                _log.exception("request_subscriber_failed")


class RequestLog:
    """Writes `RequestStarted` when made and `RequestEnded` at `end`, with what is known by then.

    `complete`, `message_id` and `missed` are filled in as the reply tells them; `read` returns the
    usage that is known when it ends.
    """

    def __init__(
        self,
        request: Request,
        label: Label,
        journal: Journal,
        feed: RequestFeed,
        now: Now,
        request_name: str,
    ) -> None:
        self._request = request
        self._label = label
        self._journal = journal
        self._feed = feed
        self._now = now
        self._name = request_name
        self._first_event_at: float | None = None
        self.started_at = now()
        self.request_id: str | None = None
        self.read: Callable[[], Usage] = Usage
        self.usd = 0.0
        self.complete = False
        self.message_id: str | None = None
        self.missed: str | None = None
        prefix = request.prefix
        journal.write(
            RequestStarted(
                at=self.started_at,
                request=request_name,
                purpose=label.purpose,
                prefix=prefix.key,
                fingerprint=prefix.fingerprint,
                context=label.context,
                model=prefix.model,
                tokens=prefix.tokens,
                expected=label.expected,
                ttl=request.ttl,
                question=label.question,
            )
        )

    def opened(self, request_id: str | None) -> None:
        """Note under which id Anthropic knows the request."""
        self.request_id = request_id

    def first_event(self) -> None:
        """Note that the reply has begun."""
        if self._first_event_at is None:
            self._first_event_at = self._now()

    @property
    def seconds(self) -> float:
        """From sending to the reply's first event; to now, while there is none."""
        reached = self._first_event_at if self._first_event_at is not None else self._now()
        return max(0.0, reached - self.started_at)

    def end(self, error: str | None = None) -> None:
        """Write the end; `error` is its kind if there was one."""
        prefix = self._request.prefix
        usage = self.read()
        self.usd = cost(prefix.model, usage)
        record = RequestEnded(
            at=self._now(),
            request=self._name,
            purpose=self._label.purpose,
            prefix=prefix.key,
            fingerprint=prefix.fingerprint,
            context=self._label.context,
            model=prefix.model,
            usage=usage,
            usd=self.usd,
            seconds=self.seconds,
            complete=self.complete,
            started_at=self.started_at,
            ttl=self._request.ttl,
            tokens=prefix.tokens,
            expected=self._label.expected,
            question=self._label.question,
            error=error,
            request_id=self.request_id,
            message_id=self.message_id,
            missed=self.missed,
        )
        self._journal.write(record)
        self._feed.publish(record)
