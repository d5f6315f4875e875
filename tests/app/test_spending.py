"""Replicas together never spend more than the day's caps, on warmth or on answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.app.spending import CappedModel, CappedWarmer, SpendingLedger, answer_usd
from bot.claude.cache_check import WarmResult
from bot.claude.errors import ClaudeError
from bot.claude.events import Label
from bot.claude.prices import cost
from bot.claude.request import Request, question_request
from bot.claude.stream import Ended, Event, Started, Text
from bot.claude.usage import Usage
from bot.clock import system_now
from bot.store.errors import StoreError
from bot.store.ledger import Ledger
from bot.store.sql.url import default_url
from bot.store.store import Store
from tests.app.conftest import CHANNEL, Begin
from tests.warm.conftest import prefix

ONE = 150_000 * 2.5 / 1e6
"""USD: a five-minute write of the prefix on Sonnet 5.5, its margin aside."""


class Claude:
    """Answers after others had their turn, at the price of a write, or fails."""

    def __init__(self) -> None:
        self.spent, self.sent, self.failing = 0.0, 0, False
        self.error: ClaudeError | None = None

    async def warm(self, prefix: Any, ttl: Any = "5m", **_: Any) -> WarmResult:
        self.sent += 1
        await asyncio.sleep(0.01)
        if self.failing:
            raise ClaudeError("overloaded")
        if self.error is not None:
            raise self.error
        self.spent += ONE
        return WarmResult(Usage(), ONE, 1.0, 0.0, ttl, prefix.tokens, True, None, None)


async def replicas(store: Store, claude: Claude, daily: float, own: float) -> list[CappedWarmer]:
    made: Any = claude
    ledger = SpendingLedger(store.ledger, 1_000.0)
    return [CappedWarmer(made, ledger, daily, lambda _: own) for _ in range(3)]


async def warm(warmer: CappedWarmer, context: str) -> str:
    label = Label(purpose="warm", context=context)
    try:
        await warmer.warm(prefix(context), "5m", label=label)
    except ClaudeError as error:
        return error.kind
    return "warm"


@pytest.mark.parametrize(
    ("daily", "own"), [(5 * ONE, 100.0), (100.0, 2.2 * ONE)], ids=["installation", "context"]
)
async def test_three_replicas_at_once_stay_within_the_cap(
    tmp_path: Path, daily: float, own: float
) -> None:
    store, claude = await Store.open(default_url(tmp_path), now=system_now), Claude()
    warmers = await replicas(store, claude, daily, own)
    ends = await asyncio.gather(*(warm(w, f"c{n % 2}") for n in range(8) for w in warmers))
    assert "warm" in ends
    assert "rate_limited" in ends, "the cap was never reached: the test proves nothing"
    assert claude.spent <= min(daily, 2 * own)
    await store.close()


async def test_a_failed_warm_up_gives_its_money_back(tmp_path: Path) -> None:
    store, claude = await Store.open(default_url(tmp_path), now=system_now), Claude()
    warmers = await replicas(store, claude, 1.5 * ONE, 100.0)
    claude.failing = True
    assert [await warm(warmers[0], "c") for _ in range(4)] == ["overloaded"] * 4
    claude.failing = False
    assert await warm(warmers[1], "c") == "warm"
    assert await warm(warmers[2], "c") == "rate_limited"
    await store.close()


async def test_a_cancelled_warm_up_counts_at_its_most(tmp_path: Path) -> None:
    store, claude = await Store.open(default_url(tmp_path), now=system_now), Claude()
    warmers = await replicas(store, claude, 1.5 * ONE, 100.0)
    task = asyncio.create_task(warm(warmers[0], "c"))
    while not claude.sent:
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert await warm(warmers[1], "c") == "rate_limited"
    await store.close()


def refused(context: str, usd: float) -> bool:
    """Decides for a store that is away: in these tests it is not."""
    raise AssertionError(f"the store did not answer: {context}, {usd}")


def asked() -> Request:
    return question_request(prefix("c"), "5m", [{"role": "user", "content": "why?"}])


def ended(usage: Usage) -> Ended:
    return Ended(
        at=1.0,
        usage=usage,
        stop_reason="end_turn",
        message_id=None,
        content=(),
        started_at=0.5,
    )


class Answers:
    """Reads the whole prefix from the cache and says little, or fails as it is told."""

    def __init__(self) -> None:
        self.sent = 0
        self.error: ClaudeError | None = None
        self.usage = Usage(cache_read=150_000, output=100)
        self.begun = asyncio.Event()
        self.held: asyncio.Event | None = None
        self.words = ""

    async def stream(
        self, request: Request, *, label: Label | None = None
    ) -> AsyncGenerator[Event, None]:
        self.sent += 1
        await asyncio.sleep(0.01)
        if self.error is not None:
            raise self.error
        held = self.held
        yield Started(
            at=0.5, message_id="m", usage=replace(self.usage, output=1), reports_writes=True
        )
        self.begun.set()
        if held is not None:
            await held.wait()
        if self.words:
            yield Text(self.words, 0.7)
        yield ended(self.usage)


async def answer(model: CappedModel) -> str:
    label = Label(purpose="question", context="c", expected=150_000)
    try:
        async for _ in model.stream(asked(), label=label):
            pass
    except ClaudeError as error:
        return error.kind
    return "answered"


def most() -> float:
    return answer_usd(asked())


@pytest.mark.parametrize("scope", ["installation", "context"])
@pytest.mark.parametrize("hit", [True, False])
async def test_forty_questions_at_once_never_spend_more_than_the_cap(
    tmp_path: Path, scope: str, hit: bool
) -> None:
    """The cap pays for three replies at their most: three are answered, warm or cold.

    Without reservations all forty left at once, at 26 times the cap.
    """
    store, claude = await Store.open(default_url(tmp_path), now=system_now), Answers()
    if not hit:
        claude.usage = Usage(write_5m=165_000, output=asked().max_tokens)
    cap = 3.1 * most()
    whole, own = (cap, None) if scope == "installation" else (1_000.0, cap)
    models = [
        CappedModel(claude, SpendingLedger(store.ledger, whole), lambda _: own, refused)
        for _ in range(2)
    ]
    ends = await asyncio.gather(*(answer(model) for _ in range(20) for model in models))
    spent, reserved = (await store.ledger.spent())["all/*" if own is None else "answers/c"]
    assert ends.count("answered") >= 3
    assert ends.count("answered") + ends.count("spend_limit") == 40
    assert claude.sent == ends.count("answered")
    assert spent <= cap
    assert reserved == 0
    if hit:
        # Replies that read the cache cost a tenth of their most, so all of them find room.
        assert set(ends) == {"answered"}
    else:
        assert ends.count("answered") == 3
    await store.close()


async def test_the_first_event_of_a_reply_frees_the_rest_of_its_reservation(
    tmp_path: Path,
) -> None:
    """A second question need not wait for the first answer's last word."""
    store, claude = await Store.open(default_url(tmp_path), now=system_now), Answers()
    model = CappedModel(claude, SpendingLedger(store.ledger, 1.2 * most()), lambda _: None, refused)
    claude.held = held = asyncio.Event()
    first = asyncio.create_task(answer(model))
    await claude.begun.wait()
    claude.held = None
    assert await answer(model) == "answered"
    assert not first.done()
    held.set()
    assert await first == "answered"
    await store.close()


async def test_an_answer_is_settled_at_what_it_cost(tmp_path: Path) -> None:
    """The reserve that was not needed is free again at once: short answers are the rule."""
    store, claude = await Store.open(default_url(tmp_path), now=system_now), Answers()
    model = CappedModel(
        claude, SpendingLedger(store.ledger, 1_000.0), lambda _: 1.2 * most(), refused
    )
    assert await answer(model) == "answered"
    spent, reserved = (await store.ledger.spent())["answers/c"]
    assert reserved == 0
    assert spent == pytest.approx(cost("claude-sonnet-5-5", claude.usage))
    assert spent < most() / 2
    await store.close()


@pytest.mark.parametrize(("status", "charged"), [(529, False), (None, False), (200, True)])
async def test_a_reply_that_never_began_costs_nothing(
    tmp_path: Path, status: int | None, charged: bool
) -> None:
    """One that broke off has read the prefix: its end is unknown, so that the most counts."""
    store, claude = await Store.open(default_url(tmp_path), now=system_now), Answers()
    model = CappedModel(claude, SpendingLedger(store.ledger, 1_000.0), lambda _: 10.0, refused)
    claude.error = ClaudeError("overloaded", status=status)
    assert await answer(model) == "overloaded"
    spent, reserved = (await store.ledger.spent())["answers/c"]
    assert reserved == 0
    assert spent == pytest.approx(most() if charged else 0.0, abs=1e-6)
    await store.close()


@pytest.mark.parametrize(
    ("error", "charged"),
    [
        (ClaudeError("timeout", may_be_charged=True), True),
        (ClaudeError("connection", may_be_charged=True), True),
        (ClaudeError("timeout"), False),
        (ClaudeError("connection"), False),
    ],
)
async def test_a_request_that_arrived_and_got_no_reply_has_spent_the_most(
    tmp_path: Path, error: ClaudeError, charged: bool
) -> None:
    """The server may have read the whole prefix for it. A warm-up counts like an answer."""
    store, claude = await Store.open(default_url(tmp_path), now=system_now), Answers()
    claude.error = error
    ledger = SpendingLedger(store.ledger, 1_000.0)
    assert await answer(CappedModel(claude, ledger, lambda _: 10.0, refused)) == error.kind
    spent, reserved = (await store.ledger.spent())["answers/c"]
    assert spent == pytest.approx(most() if charged else 0.0, abs=1e-6)
    assert reserved == 0

    warming: Any = Claude()
    warming.error = error
    assert await warm(CappedWarmer(warming, ledger, 10.0, lambda _: 10.0), "c") == error.kind
    spent, reserved = (await store.ledger.spent())["warmth/c"]
    assert (spent > ONE, reserved) == (charged, 0)
    await store.close()


async def test_a_server_that_tells_no_usage_has_spent_the_most(tmp_path: Path) -> None:
    """Counts that make no sense are read as absent. The cap was never reached with them."""
    store, claude = await Store.open(default_url(tmp_path), now=system_now), Answers()
    claude.usage = Usage()
    model = CappedModel(
        claude, SpendingLedger(store.ledger, 2.5 * most()), lambda _: None, lambda *_: True
    )
    ends = [await answer(model) for _ in range(4)]
    assert ends == ["answered", "answered", "spend_limit", "spend_limit"]
    await store.close()


async def test_words_whose_number_is_not_told_are_paid_for(tmp_path: Path) -> None:
    store, claude = await Store.open(default_url(tmp_path), now=system_now), Answers()
    claude.usage, claude.words = Usage(cache_read=150_000), "x" * 30_000
    model = CappedModel(
        claude, SpendingLedger(store.ledger, 1_000.0), lambda _: None, lambda *_: True
    )
    assert await answer(model) == "answered"
    spent, _ = (await store.ledger.spent())["all/*"]
    told = Usage(cache_read=150_000, output=10_000)
    assert spent == pytest.approx(cost("claude-sonnet-5-5", told))
    await store.close()


class Away:
    """A ledger that does not answer while it `is_away`."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.is_away = True

    def __getattr__(self, name: str) -> Any:
        if self.is_away:
            raise StoreError("unreachable", "reserve money")
        return getattr(self.ledger, name)


async def test_a_store_that_is_away_stops_no_answer_and_learns_of_it_later(tmp_path: Path) -> None:
    store, claude = await Store.open(default_url(tmp_path), now=system_now), Answers()
    away: Any = Away(store.ledger)
    model = CappedModel(claude, SpendingLedger(away, 0.5), lambda _: 0.1, lambda *_: True)
    claude.held = held = asyncio.Event()
    asked = asyncio.create_task(answer(model))
    await claude.begun.wait()
    away.is_away = False
    held.set()
    assert await asked == "answered"
    spent = await store.ledger.spent()
    for scope in ("all/*", "answers/c"):
        settled, reserved = spent[scope]
        assert settled == pytest.approx(cost("claude-sonnet-5-5", claude.usage))
        assert reserved == 0
    away.is_away = True
    assert await answer(model) == "answered"
    await store.close()


@pytest.mark.parametrize("hit", [True, False])
async def test_forty_questions_at_once_keep_the_cap_if_the_store_does_not_answer(
    tmp_path: Path, hit: bool
) -> None:
    """Each of them would find the day's last dollar: nothing is spent before a reply has ended."""
    store, claude = await Store.open(default_url(tmp_path), now=system_now), Answers()
    if not hit:
        claude.usage = Usage(write_5m=165_000, output=asked().max_tokens)
    cap, one = 3.1 * most(), cost("claude-sonnet-5-5", claude.usage)
    ended: list[str] = []
    away: Any = Away(store.ledger)
    model = CappedModel(
        claude,
        SpendingLedger(away, cap),
        lambda _: None,
        lambda _, usd: len(ended) * one + usd <= cap,
    )

    async def ask() -> str:
        end = await answer(model)
        if end == "answered":
            ended.append(end)
        return end

    ends = await asyncio.gather(*(ask() for _ in range(40)))
    assert len(ended) >= 3
    assert len(ended) + ends.count("spend_limit") == 40
    assert claude.sent * one <= cap
    assert hit is (set(ends) == {"answered"})
    await store.close()


def test_the_reservation_covers_a_prefix_that_must_be_written_and_the_longest_answer() -> None:
    """A prefix that is believed cached may be gone: the cap must hold then, too."""
    usage = Usage(write_5m=asked().prefix.tokens + asked().tail_tokens, output=asked().max_tokens)
    assert most() >= cost("claude-sonnet-5-5", usage)


async def test_look_ups_edits_and_answer_again_reserve_before_each_call(
    product: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They passed every cap: 12 presses were 9 calls, at nine times the day's money."""
    sent: list[int] = []
    reserve = SpendingLedger.reserve

    async def noted(ledger: SpendingLedger, *what: Any, **more: Any) -> Any:
        sent.append(len(running.asked))
        return await reserve(ledger, *what, **more)

    async with product() as running:
        monkeypatch.setattr(SpendingLedger, "reserve", noted)
        look = {"type": "tool_use", "name": "search", "input": {"pattern": "step_7"}}
        running.claude.script([look], "It takes money.", "It takes coins.", "It takes cash.")
        asker = running.slack.user("U0ASKER")

        async def says(words: str) -> None:
            def stands() -> bool:
                texts = [message.text for message in running.slack.bot_messages(CHANNEL, ts)]
                return words in "".join(texts) and not running.bot.answerer.running

            await running.until(stands, words)

        ts = asker.mention(CHANNEL, "What does it take?")
        await says("It takes money.")
        asker.edit(CHANNEL, ts, f"<@{running.slack.bot_user}> what else does it take?")
        await says("It takes coins.")
        [answered] = running.slack.bot_messages(CHANNEL, ts)
        await asker.done(asker.click(CHANNEL, answered.ts, "forewarm_again"))
        await says("It takes cash.")
        # The first reservation came before the first request, and so on.
        assert sent == list(range(len(running.asked)))
        assert len(sent) == 4
