"""Journal records of requests to Claude. Their names are stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from bot.claude.usage import Ttl, Usage

Purpose = Literal["warm", "refresh", "question", "round", "draft", "classify"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestStarted:
    """A request left. `request` is our own id; `expected` the tokens we believe are cached."""

    at: float
    request: str
    purpose: Purpose
    prefix: str
    fingerprint: str
    context: str
    model: str
    tokens: int
    expected: int
    ttl: Ttl
    question: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestEnded:
    """A request came to its end, at `at`; it had left at `started_at`, the start of a TTL.

    `seconds` runs from sending to the response's first event. `complete` says of a warm-up that
    the prefix is cached, of anything else that the reply came to its proper end.
    `expected` is what the ledger believed to be cached; `missed` says in words why the read fell
    short of it, if it did. `error` is a kind (`overloaded_error`, `connection`), never a text.
    """

    at: float
    request: str
    purpose: Purpose
    prefix: str
    fingerprint: str
    context: str
    model: str
    usage: Usage
    usd: float
    seconds: float
    complete: bool
    started_at: float
    ttl: Ttl
    tokens: int = 0
    expected: int = 0
    question: str | None = None
    error: str | None = None
    request_id: str | None = None
    message_id: str | None = None
    missed: str | None = None


@dataclass(frozen=True, slots=True)
class Label:
    """The purpose of a request, for its records. `expected` tokens are believed cached."""

    purpose: Purpose
    context: str = ""
    question: str | None = None
    expected: int = 0


class Journal(Protocol):
    """Takes records. Returns at once; the store writes them in order."""

    def write(self, record: object) -> None: ...


class NoJournal:
    """Keeps nothing: for a client that is used outside the bot."""

    def write(self, record: object) -> None:
        return None
