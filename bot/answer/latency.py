"""The perceived wait of one answer, split into its parts (docs/glossary.md). Pure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from bot.answer.events import Wait


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """When things happened, in Unix seconds; what did not happen is None.

    `asked_at` is Slack's stamp. `prepared_at` is when all but the joined warm-up was ready,
    `requested_at` when the request left, `started_at` when its reply began.
    """

    asked_at: float | None
    received_at: float
    prepared_at: float | None
    requested_at: float | None
    started_at: float | None
    first_text_at: float | None
    painted_at: float


def split(moments: Moments) -> Wait:
    """Return the wait, whose parts add up to the whole: nothing is counted twice or lost.

    A step that did not happen takes no time: a ready answer needs no prefill. The
    clocks of Slack and this machine may differ, so a delivery can come out negative; it is kept,
    since hiding it would change the total.
    """
    received = moments.received_at
    requested = _clamp(moments.requested_at, received, moments.painted_at)
    prepared = _clamp(moments.prepared_at, received, requested)
    started = _clamp(moments.started_at, requested, moments.painted_at)
    text = _clamp(moments.first_text_at, started, moments.painted_at)
    return Wait(
        delivery=None if moments.asked_at is None else received - moments.asked_at,
        queue=prepared - received,
        join=requested - prepared,
        prefill=started - requested,
        thinking=text - started,
        paint=moments.painted_at - text,
    )


def _clamp(moment: float | None, after: float, before: float) -> float:
    return after if moment is None else min(max(moment, after), max(before, after))


def slack_wait(question_ts: str, answer_ts: str) -> float | None:
    """Return ts(answer) - ts(question) in seconds, on Slack's clock alone."""
    try:
        return float(Decimal(answer_ts) - Decimal(question_ts))
    except InvalidOperation:
        return None
