"""Why a channel's cache is warm or cold: what the journal holds of it, in order, in words. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bot.answer.events import FirstWords, QuestionEnded, QuestionReceived
from bot.claude.events import RequestEnded
from bot.telemetry.events import ContextDropped, PrefixBuilt
from bot.telemetry.state import State
from bot.warm.events import SignalReceived, WarmthDecided, WarmthMissed

KINDS = (
    "SignalReceived",
    "WarmthDecided",
    "WarmthMissed",
    "RequestStarted",
    "RequestEnded",
    "QuestionReceived",
    "FirstWords",
    "QuestionEnded",
    "PrefixBuilt",
    "ContextDropped",
)
NO_DECISION = "No decision of the governor is recorded in this time."


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One thing that happened. `at` in Unix seconds, `usd` what it cost; `text` is one line."""

    at: float
    kind: str
    text: str
    usd: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The present state of a channel's prefix and what led to it, oldest first.

    `because` is the reason of the newest decision, in the governor's words.
    """

    channel: str
    context: str | None
    state: str
    because: str
    alive_until: float | None
    warm_ups_usd: float
    answers_usd: float
    happenings: tuple[Happening, ...]


def context_of(records: Iterable[object], channel: str) -> str | None:
    """Return the context that the newest question or signal of a channel concerned."""
    found = None
    for record in records:
        if isinstance(record, QuestionReceived | SignalReceived) and record.channel == channel:
            found = record.context or found
    return found


def explain(
    records: Sequence[object], now: float, *, channel: str, context: str | None, since: float
) -> Explanation:
    """Return what the records tell of a context, shown from `since` on.

    Records before `since` tell the state in which that time began.
    """
    state, prefixes, happenings = State(), _prefixes(records, context), []
    warm_ups = answers = 0.0
    for record in records:
        state.apply(record)
        if getattr(record, "at", 0.0) < since or not _concerns(record, context, prefixes):
            continue
        if (told := _describe(record)) is not None:
            happenings.append(told)
        if isinstance(record, RequestEnded):
            if record.purpose in ("warm", "refresh"):
                warm_ups += record.usd
            else:
                answers += record.usd
    views = state.view(now)["prefixes"].values()
    view: dict[str, Any] = next((v for v in views if context in v["contexts"]), {})
    decision = view.get("decision") or {}
    return Explanation(
        channel=channel,
        context=context,
        state=view.get("state", "cold"),
        because=decision.get("reason") or NO_DECISION,
        alive_until=view.get("alive_until"),
        warm_ups_usd=round(warm_ups, 6),
        answers_usd=round(answers, 6),
        happenings=tuple(_merged(happenings)),
    )


def as_lines(found: Explanation) -> list[str]:
    """Return the explanation for a terminal: the state, the reason, then one line a happening."""
    about = f"{found.channel} (context {found.context})" if found.context else found.channel
    until = f" until {_clock(found.alive_until)}" if found.alive_until and _is_warm(found) else ""
    return [
        f"{about} is {found.state}{until}: {found.because}",
        f"In this time warm-ups cost ${found.warm_ups_usd:.4f} and questions"
        f" ${found.answers_usd:.4f}.",
        *(f"{_clock(one.at)}  {one.kind:<9} {one.text}" for one in found.happenings),
    ]


def _is_warm(found: Explanation) -> bool:
    return found.state == "warm"


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _prefixes(records: Iterable[object], context: str | None) -> set[str]:
    """Return the keys under which a context's prefix went."""
    return {
        record.prefix
        for record in records
        if isinstance(record, PrefixBuilt | RequestEnded)
        and record.context == context
        and context is not None
    }


def _concerns(record: object, context: str | None, prefixes: set[str]) -> bool:
    named = getattr(record, "context", None)
    if named is not None:
        return bool(named == context)
    return getattr(record, "prefix", None) in prefixes


def _describe(record: object) -> Happening | None:
    match record:
        case WarmthDecided():
            money = f" (cost ${record.cost_usd:.4f}, gain ${record.gain_usd:.4f})"
            bought = f" for {record.ttl}" if record.action in ("warm", "refresh") else ""
            text = f"{record.action}{bought}: {record.reason}{money}"
            return Happening(at=record.at, kind="decision", text=text)
        case SignalReceived():
            return Happening(at=record.at, kind="signal", text=record.kind)
        case WarmthMissed():
            return Happening(at=record.at, kind="miss", text=record.reason)
        case RequestEnded():
            return _request(record)
        case QuestionReceived():
            return Happening(at=record.at, kind="question", text=f"asked by {record.surface}")
        case FirstWords():
            how = "warm" if record.warm else "cold"
            if record.warm and record.wait.is_joined:
                how = f"joined a write for {record.wait.join:.1f} s"
            elif record.cold:
                how = f"cold: {record.cold}"
            text = f"first words after {record.wait.total:.1f} s, {how}"
            return Happening(at=record.at, kind="answer", text=text)
        case QuestionEnded() if record.outcome != "answered":
            return Happening(at=record.at, kind="end", text=f"the question was {record.outcome}")
        case PrefixBuilt():
            at = ", ".join(f"{one.name}@{one.commit[:7]}" for one in record.repositories)
            return Happening(at=record.at, kind="built", text=f"{record.tokens:,} tokens of {at}")
        case ContextDropped():
            return Happening(at=record.at, kind="dropped", text="the context was taken away")
    return None


def _request(record: RequestEnded) -> Happening:
    usage = record.usage
    kind = "warm-up" if record.purpose in ("warm", "refresh") else "request"
    if record.error is not None:
        text = f"{record.purpose} failed: {record.error}"
    else:
        text = (
            f"{record.purpose}: {usage.cache_read:,} tokens read, {usage.written:,} written,"
            f" {record.seconds:.1f} s"
        )
    return Happening(at=record.at, kind=kind, text=f"{text}, ${record.usd:.4f}", usd=record.usd)


def _merged(happenings: Sequence[Happening]) -> Iterable[Happening]:
    """Yield each happening; signals of one kind that follow each other become one line."""
    run: list[Happening] = []
    for one in sorted(happenings, key=lambda happening: happening.at):
        if run and (one.kind != "signal" or one.text != run[0].text):
            yield _run_line(run)
            run = []
        if one.kind == "signal":
            run.append(one)
        else:
            yield one
    if run:
        yield _run_line(run)


def _run_line(run: Sequence[Happening]) -> Happening:
    if len(run) == 1:
        return run[0]
    text = f"{run[0].text}, {len(run)} times until {_clock(run[-1].at)[11:]}"
    return Happening(at=run[0].at, kind="signal", text=text)
