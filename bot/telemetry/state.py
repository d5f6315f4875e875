"""A fold: how every prefix and every recent question stands, as `/state` shows it.

The document that `State.view(now)` returns is described in `bot.telemetry.web`.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, Literal

from bot.answer.events import FirstWords, QuestionEnded, QuestionReceived
from bot.claude.events import RequestEnded, RequestStarted
from bot.claude.usage import TTL_SECONDS, Ttl
from bot.stored import dump
from bot.telemetry.events import ContextDropped, PrefixBuilt
from bot.telemetry.figures.daily_spend import DailySpend
from bot.telemetry.figures.money import day_of
from bot.telemetry.receipts import Receipts
from bot.warm.events import SignalReceived, WarmthDecided, WarmthMissed

Stage = Literal["received", "joining", "asked", "answering", "ended"]
Document = dict[str, Any]

QUESTIONS_SHOWN = 50
PREFIXES_KEPT = 200
FLIGHT_SECONDS = 900.0
"""A request without an end for longer than this died with its process."""


@dataclass(slots=True)
class _Prefix:
    model: str = ""
    tokens: int = 0
    fingerprint: str = ""
    files: int = 0
    omitted: int = 0
    size: str = ""
    repositories: tuple[Document, ...] = ()
    ttl: Ttl | None = None
    alive_until: float | None = None
    flights: dict[str, float] = field(default_factory=dict)
    decision: Document | None = None
    signal: Document | None = None
    request: Document | None = None
    miss: Document | None = None


@dataclass(slots=True)
class _Question:
    at: float
    asked_at: float | None
    context: str | None
    channel: str
    thread: str | None
    surface: str
    stage: Stage = "received"
    request: RequestStarted | None = None
    outcome: str | None = None
    ended_at: float | None = None
    joined: bool | None = None
    cold: str | None = None


class State:
    """Prefixes by key, contexts with their current prefix, the newest questions, today's money."""

    def __init__(self, caps: DailySpend | None = None) -> None:
        """Show the money of `caps`, which another fold keeps, or keep it here."""
        self._prefixes: OrderedDict[str, _Prefix] = OrderedDict()
        self._current: dict[str, str] = {}
        self._questions: OrderedDict[str, _Question] = OrderedDict()
        self._receipts = Receipts(keep=2 * QUESTIONS_SHOWN)
        self._caps = caps if caps is not None else DailySpend()
        self._folds_caps = caps is None

    def apply(self, record: object) -> None:
        self._receipts.apply(record)
        if self._folds_caps:
            self._caps.apply(record)
        match record:
            case PrefixBuilt():
                self._built(record)
            case ContextDropped():
                self._current.pop(record.context, None)
            case SignalReceived() if record.prefix:
                seen = {"at": record.at, "kind": record.kind}
                self._prefix(record.prefix).signal = seen
            case WarmthDecided():
                self._decided(record)
            case WarmthMissed():
                self._prefix(record.prefix).miss = {"at": record.at, "reason": record.reason}
            case RequestStarted():
                self._started(record)
            case RequestEnded():
                self._ended(record)
            case QuestionReceived():
                self._received(record)
            case FirstWords():
                self._first_words(record)
            case QuestionEnded():
                self._answered(record)

    def view(self, now: float) -> Document:
        """Return the whole document as it is at `now`: plain JSON values, every key a string."""
        prefixes = {
            key: self._prefix_view(key, prefix, now) for key, prefix in self._prefixes.items()
        }
        return {
            "prefixes": {
                k: p for k, p in prefixes.items() if p["contexts"] or p["state"] != "cold"
            },
            "questions": {
                id: self._question_view(id, question, prefixes)
                for id, question in list(self._questions.items())[-QUESTIONS_SHOWN:]
            },
            "money": self._money_view(now),
        }

    def next_change(self, now: float) -> float | None:
        """Return when a prefix will be cold if nothing else happens, in Unix seconds."""
        lives = [p.alive_until for p in self._prefixes.values() if p.alive_until]
        return min((life for life in lives if life > now), default=None)

    def _prefix(self, key: str) -> _Prefix:
        found = self._prefixes.setdefault(key, _Prefix())
        self._prefixes.move_to_end(key)
        while len(self._prefixes) > PREFIXES_KEPT:
            self._prefixes.popitem(last=False)
        return found

    def _built(self, record: PrefixBuilt) -> None:
        prefix = self._prefix(record.prefix)
        prefix.model, prefix.tokens = record.model, record.tokens
        prefix.fingerprint = record.fingerprint
        prefix.files, prefix.omitted = record.files, record.omitted
        prefix.size = record.size
        prefix.repositories = tuple(dump(repository) for repository in record.repositories)
        self._current[record.context] = record.prefix

    def _decided(self, record: WarmthDecided) -> None:
        fields = ("at", "action", "ttl", "reason", "cost_usd", "gain_usd", "next_look_at")
        decision = {name: getattr(record, name) for name in fields}
        self._prefix(record.prefix).decision = decision

    def _started(self, record: RequestStarted) -> None:
        prefix = self._prefix(record.prefix)
        prefix.model, prefix.tokens = record.model, record.tokens
        prefix.fingerprint = record.fingerprint
        prefix.flights[record.request] = record.at
        if record.context:
            self._current[record.context] = record.prefix
        question = self._questions.get(record.question or "")
        if question and question.stage == "received" and record.purpose == "question":
            question.stage, question.request = "asked", record

    def _ended(self, record: RequestEnded) -> None:
        prefix = self._prefix(record.prefix)
        prefix.flights.pop(record.request, None)
        prefix.request = {
            "at": record.at,
            "purpose": record.purpose,
            "read": record.usage.cache_read,
            "written": record.usage.written,
            "seconds": record.seconds,
            "usd": record.usd,
            "missed": record.missed,
            "error": record.error,
        }
        if _is_cached(record):
            was_read = record.usage.cache_read > record.usage.written
            # A read renews the life that the entry was written with.
            ttl = prefix.ttl if was_read and prefix.ttl else record.ttl
            _extend_life(prefix, record.started_at, ttl)

    def _received(self, record: QuestionReceived) -> None:
        self._questions[record.question] = _Question(
            at=record.at,
            asked_at=record.asked_at,
            context=record.context,
            channel=record.channel,
            thread=record.thread,
            surface=record.surface,
        )
        while len(self._questions) > 2 * QUESTIONS_SHOWN:
            self._questions.popitem(last=False)

    def _first_words(self, record: FirstWords) -> None:
        question = self._questions.get(record.question)
        if question and question.stage != "ended":
            question.stage, question.context = "answering", record.context
            question.joined, question.cold = record.wait.is_joined, record.cold or None
        if question and question.request:
            # The reply has begun, so the entry that it read or wrote can be read
            # (docs/platform/claude.md#cache-writes-and-reads).
            asked = question.request
            prefix = self._prefix(asked.prefix)
            _extend_life(prefix, asked.at, prefix.ttl or asked.ttl)

    def _answered(self, record: QuestionEnded) -> None:
        question = self._questions.get(record.question)
        if question:
            question.stage, question.outcome = "ended", record.outcome
            question.ended_at = record.at
            question.context = record.context or question.context

    def _prefix_view(self, key: str, prefix: _Prefix, now: float) -> Document:
        since = min(
            (at for at in prefix.flights.values() if at > now - FLIGHT_SECONDS), default=None
        )
        warm = prefix.alive_until is not None and prefix.alive_until > now
        return {
            "contexts": sorted(c for c, current in self._current.items() if current == key),
            "model": prefix.model,
            "tokens": prefix.tokens,
            "fingerprint": prefix.fingerprint,
            "files": prefix.files,
            "omitted": prefix.omitted,
            "size": prefix.size,
            "repositories": list(prefix.repositories),
            "state": "warm" if warm else "cold" if since is None else "warming",
            "warming_since": None if warm else since,
            "ttl": prefix.ttl if warm else None,
            "alive_until": prefix.alive_until if warm else None,
            "why": _why(prefix, warm),
            "decision": prefix.decision,
            "signal": prefix.signal,
            "last_request": prefix.request,
            "last_miss": prefix.miss,
        }

    def _question_view(
        self, id: str, question: _Question, prefixes: dict[str, Document]
    ) -> Document:
        receipt = self._receipts.of(id)
        request = question.request
        prefix = request.prefix if request else self._current.get(question.context or "")
        joins = question.stage == "received" and prefixes.get(prefix or "", {}).get("state")
        wait = receipt.wait
        return {
            "at": question.at,
            "asked_at": question.asked_at,
            "ended_at": question.ended_at,
            "context": question.context,
            "prefix": prefix,
            "channel": question.channel,
            "thread": question.thread,
            "surface": question.surface,
            "stage": "joining" if joins == "warming" else question.stage,
            "outcome": question.outcome,
            "warm": receipt.warm,
            "joined": question.joined,
            "cold": question.cold,
            "wait": None if wait is None else {**dump(wait), "total": wait.total},
            "slack_wait": receipt.slack_wait,
            "read": receipt.cached,
            "written": receipt.written,
            "usd": receipt.usd,
        }

    def _money_view(self, now: float) -> Document:
        day = day_of(now)
        return {
            "day": day,
            "usd": self._caps.spent(day),
            "answers": self._caps.spent(day, on="answers"),
            "warmth": self._caps.spent(day, on="warmth"),
            "drafts": self._caps.spent(day, on="drafts"),
            "sorting": self._caps.spent(day, on="sorting"),
            "contexts": self._caps.by_context(day),
        }

    def __repr__(self) -> str:
        return f"<State of {len(self._prefixes)} prefixes, {len(self._questions)} questions>"


def _why(prefix: _Prefix, warm: bool) -> str:
    """Return the newest reason for the state, in words; "" if none is known."""
    miss, decision = prefix.miss, prefix.decision
    if not warm and miss and (decision is None or miss["at"] > decision["at"]):
        return f"missed: {miss['reason']}"
    return str(decision["reason"]) if decision else ""


def _is_cached(record: RequestEnded) -> bool:
    """Tell whether the prefix is in the cache since this request began."""
    if record.purpose in ("warm", "refresh"):
        return record.complete
    usage = record.usage
    # A server that reports no caching at all (llama.cpp's) keeps what it has processed.
    return usage.cache_read + usage.written > 0 or (record.complete and usage.input > 0)


def _extend_life(prefix: _Prefix, started_at: float, ttl: Ttl) -> None:
    """Count the life from the request's start; records may come out of order."""
    until = started_at + TTL_SECONDS[ttl]
    if prefix.alive_until is None or until > prefix.alive_until:
        prefix.ttl, prefix.alive_until = ttl, until
