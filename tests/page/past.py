"""A month that has passed: a journal of made-up days, written through the real store."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from bot.answer.events import FirstWords, QuestionEnded, QuestionReceived, Wait
from bot.claude.events import RequestEnded
from bot.claude.usage import Usage
from bot.clock import system_now
from bot.store.sql.url import default_url
from bot.store.store import Store
from bot.telemetry.figures.daily_stats import DailyStats
from bot.telemetry.journal import Journal

DAYS = 8
DAY = 86_400.0


async def write_past(home: Path, context: str) -> int:
    """Write some questions of each day before this one; return for how many days of this month."""
    home.mkdir(parents=True)
    store = await Store.open(default_url(home), now=system_now)
    journal = Journal(store.journal, source="the past", live=DailyStats())
    journal.start()
    now = system_now()
    days = [now - age * DAY for age in range(DAYS, 0, -1)]
    for number, noon in enumerate(days):
        for question in range(3 + 2 * (number % 4)):
            _write_question(journal, context, noon + question, warm=question != 0)
    await journal.close()
    await store.close()
    month = datetime.fromtimestamp(now, UTC).month
    return sum(datetime.fromtimestamp(day, UTC).month == month for day in days)


def _write_question(journal: Journal, context: str, at: float, *, warm: bool) -> None:
    name = f"past-{at}"
    prefill = 1.1 if warm else 14.0
    wait = Wait(delivery=0.2, queue=0.0, join=0.0, prefill=prefill, thinking=0.0, paint=0.1)
    received = QuestionReceived(
        at=at,
        question=name,
        workspace="T0LOCAL",
        channel="C0PAYMENTS",
        thread=None,
        user="U0MATE",
        surface="mention",
        asked_at=at,
        context=context,
    )
    journal.write(received)
    for purpose, usd in (("warm", 0.35), ("question", 0.08 if warm else 0.45)):
        if purpose == "question" or warm:
            journal.write(_request(context, at, name, purpose, usd))
    journal.write(
        FirstWords(at=at + 1, question=name, context=context, wait=wait, warm=warm, slack_wait=None)
    )
    journal.write(QuestionEnded(at=at + 9, question=name, context=context, outcome="answered"))


def _request(context: str, at: float, name: str, purpose: str, usd: float) -> RequestEnded:
    return RequestEnded(
        at=at + 2,
        request=f"{name}-{purpose}",
        purpose="warm" if purpose == "warm" else "question",
        prefix="p",
        fingerprint="f",
        context=context,
        model="claude-sonnet-5-5",
        usage=Usage(cache_read=150_000) if purpose == "question" else Usage(write_5m=150_000),
        usd=usd,
        seconds=2.0,
        complete=True,
        started_at=at,
        ttl="5m",
        tokens=150_000,
    )
