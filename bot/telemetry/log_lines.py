"""Log lines for operators, made from the journal's records: one for each thing that happened.

A projection like the others: it changes nothing. It gives one line for each question at its end,
each warm-up, each decision whose reason is new, each context that was built or dropped. No line
holds text of a message.
"""

from __future__ import annotations

from typing import Any

import structlog

from bot.answer.events import FirstWords, QuestionEnded, QuestionReceived
from bot.claude.events import RequestEnded
from bot.telemetry.events import ContextDropped, PrefixBuilt
from bot.telemetry.receipts import Receipts
from bot.warm.events import WarmthDecided

log = structlog.get_logger("bot.lines")

REMEMBERED = 2_000
UNANSWERED = ("failed", "overloaded")


class LogLines:
    """Writes a line for each record that operators read about."""

    def __init__(self) -> None:
        self._receipts = Receipts(REMEMBERED)
        self._received: dict[str, QuestionReceived] = {}
        self._cold: dict[str, str] = {}
        self._contexts: dict[str, str] = {}
        self._reasons: dict[str, str] = {}

    def apply(self, record: object) -> None:
        """Take a record of this process."""
        self._receipts.apply(record)
        match record:
            case QuestionReceived():
                self._received[record.question] = record
                while len(self._received) > REMEMBERED:
                    del self._received[next(iter(self._received))]
            case FirstWords() if record.cold:
                self._cold[record.question] = record.cold
            case QuestionEnded():
                self._question(record)
            case RequestEnded() if record.purpose in ("warm", "refresh"):
                self._warm_up(record)
            case WarmthDecided():
                self._decision(record)
            case PrefixBuilt():
                self._built(record)
            case ContextDropped():
                log.info("context_dropped", context=record.context)
            case _:
                pass

    def _question(self, record: QuestionEnded) -> None:
        receipt, wait = self._receipts.of(record.question), None
        received = self._received.pop(record.question, None)
        if receipt.wait is not None:
            wait = {
                "total": _rounded(receipt.wait.total),
                **{
                    part: _rounded(seconds)
                    for part in ("delivery", "queue", "join", "prefill", "thinking", "paint")
                    if (seconds := getattr(receipt.wait, part)) is not None
                },
            }
        # An operator who reads warnings alone must see every question that had no answer.
        write = log.warning if record.outcome in UNANSWERED else log.info
        write(
            "question_ended",
            question=record.question,
            context=record.context,
            channel=received.channel if received else None,
            surface=received.surface if received else None,
            outcome=record.outcome,
            warm=receipt.warm,
            joined=receipt.wait.is_joined if receipt.wait else None,
            cold_because=self._cold.pop(record.question, None),
            wait_seconds=wait,
            read_tokens=receipt.cached,
            written_tokens=receipt.written,
            output_tokens=receipt.output,
            rounds=record.rounds,
            look_ups=record.look_ups,
            excerpts=record.excerpts,
            cited=record.cited,
            corrected=record.corrected,
            not_found=record.struck,
            usd=round(receipt.usd, 6),
        )

    def _warm_up(self, record: RequestEnded) -> None:
        fields: dict[str, Any] = {
            "context": record.context,
            "purpose": record.purpose,
            "ttl": record.ttl,
            "seconds": round(record.seconds, 3),
            "written_tokens": record.usage.written,
            "read_tokens": record.usage.cache_read,
            "usd": round(record.usd, 6),
        }
        if record.error is None:
            log.info("warm_up_ended", **fields)
        else:
            log.warning("warm_up_failed", error_kind=record.error, **fields)

    def _decision(self, record: WarmthDecided) -> None:
        said = f"{record.action}: {record.reason}"
        if self._reasons.get(record.prefix) == said:
            return
        self._reasons[record.prefix] = said
        bought: dict[str, Any] = {}
        if record.action in ("warm", "refresh"):
            bought = {
                "ttl": record.ttl,
                "cost_usd": round(record.cost_usd, 6),
                "gain_usd": round(record.gain_usd, 6),
            }
        log.info(
            "warmth_decided",
            context=self._contexts.get(record.prefix),
            action=record.action,
            reason=record.reason,
            **bought,
        )

    def _built(self, record: PrefixBuilt) -> None:
        known = record.context in self._contexts.values()
        self._contexts[record.prefix] = record.context
        log.info(
            "context_updated" if known else "context_built",
            context=record.context,
            model=record.model,
            tokens=record.tokens,
            files=record.files,
            left_out=record.omitted,
            seconds=round(record.seconds, 3),
            commits={one.name: one.commit[:12] for one in record.repositories},
        )


def _rounded(seconds: float) -> float:
    """Return milliseconds' precision, without the sign of a zero."""
    return round(seconds, 3) + 0.0
