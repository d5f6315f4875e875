"""The driver in virtual time, with a cache that behaves like Anthropic's."""

from __future__ import annotations

import asyncio
import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from forewarm_playground import virtual_time

from bot.claude.errors import ClaudeError
from bot.claude.events import RequestEnded
from bot.warm.driver import Driver
from bot.warm.events import SignalReceived, WarmthDecided, WarmthMissed
from bot.warm.interfaces import Target
from bot.warm.join import JoinTicket
from bot.warm.signals import Signal, SignalKind

if TYPE_CHECKING:
    from tests.warm.conftest import Claude, Leap, MakeClaude, MakeTarget, Records

PREFILL, WARM = 18.93, 1.94


def hint(kind: SignalKind = "modal_typing", user: str = "U1", channel: str = "C1") -> Signal:
    return Signal(kind=kind, workspace="T1", at=virtual_time.now(), channel=channel, user=user)


def make_driver(claude: Claude, records: Records, **chosen: Any) -> Driver:
    return Driver(claude, records, now=virtual_time.now, **chosen)


async def ask(
    driver: Driver, claude: Claude, target: Target, user: str = "U1", thread: str = "1"
) -> tuple[JoinTicket, float]:
    """Ask as an answer does. Return the ticket and the seconds until the reply began."""
    arrived = virtual_time.now()
    ticket = await driver.join(target, channel="C1", thread=thread, user=user)
    sent = virtual_time.now()
    try:
        usage = await claude.request("question", target.prefix, ticket.ttl)
    except ClaudeError as error:
        ticket.report_failure(error.kind, error.retry_after)
        raise
    ticket.report_start(usage, seconds=virtual_time.now() - sent)
    return ticket, virtual_time.now() - arrived


def test_a_typing_signal_warms_and_the_question_reads(
    claude: Claude, records: Records, make_target: MakeTarget, leap: Leap
) -> None:
    """The product in one line: the prefill runs while the question is being typed."""

    async def main() -> None:
        driver, target = make_driver(claude, records), make_target()
        decision = driver.signal(hint(), target)
        assert decision is not None
        assert decision.action == "warm"
        await asyncio.sleep(40)
        ticket, waited = await ask(driver, claude, target)
        assert ticket.warmed
        assert ticket.expected == target.prefix.tokens
        assert waited == pytest.approx(WARM)
        assert claude.log[-1][3].cache_read == target.prefix.tokens
        await driver.stop()

    leap(main)


def test_a_question_joins_the_warm_up_in_flight_instead_of_racing_it(
    claude: Claude, records: Records, make_target: MakeTarget, leap: Leap
) -> None:
    """A second write would cost as much again and be no faster.

    Source: docs/platform/claude.md#latency.
    """

    async def main() -> None:
        driver, target = make_driver(claude, records), make_target()
        driver.signal(hint(), target)
        await asyncio.sleep(5)
        ticket, waited = await ask(driver, claude, target)
        assert ticket.waited == pytest.approx(PREFILL + WARM - 5, abs=0.1)
        assert not ticket.leads
        assert waited == pytest.approx(PREFILL + WARM - 5 + WARM, abs=0.1)
        assert [kind for _, kind, _, _ in claude.log] == ["warm", "question"]
        await driver.stop()

    leap(main)


def test_a_question_does_not_wait_beyond_the_deadline_for_a_stalled_warm_up(
    claude: Claude, records: Records, make_target: MakeTarget, leap: Leap
) -> None:
    """A warm-up that hangs must cost a question seconds, not the ten minutes of a time-out."""

    async def main() -> None:
        driver, target = make_driver(claude, records), make_target()
        real = claude.warm

        async def stalled(*args: Any, **named: Any) -> Any:
            await asyncio.sleep(500)
            return await real(*args, **named)

        # One call of this server hangs.
        claude.warm = stalled  # type: ignore[method-assign]
        driver.signal(hint(), target)
        await asyncio.sleep(1)
        ticket, waited = await ask(driver, claude, target)
        assert not ticket.warmed
        assert waited < 1.5 * PREFILL + 2 + PREFILL + WARM + 2
        await driver.stop()

    leap(main)


def test_of_many_questions_on_a_cold_prefix_one_writes_and_the_others_follow(
    claude: Claude, records: Records, make_target: MakeTarget, leap: Leap
) -> None:
    """Parallel identical cold requests all write, at full price.

    Source: docs/platform/claude.md#cache-writes-and-reads.
    """

    async def main() -> None:
        driver, target = make_driver(claude, records), make_target()
        asked = [ask(driver, claude, target, f"U{n}", str(n)) for n in range(8)]
        tickets = [ticket for ticket, _ in await asyncio.gather(*asked)]
        assert sum(ticket.leads for ticket in tickets) == 1
        assert sum(usage.written > 0 for *_, usage in claude.log) == 1
        await driver.stop()

    leap(main)


def test_when_the_leader_fails_another_question_leads(
    claude: Claude, records: Records, make_target: MakeTarget, leap: Leap
) -> None:
    """Followers must neither hang nor all write at once when the first one dies."""

    async def main() -> None:
        driver, target = make_driver(claude, records), make_target()
        claude.fail.append(ClaudeError("overloaded"))
        asked = [ask(driver, claude, target, f"U{n}", str(n)) for n in range(4)]
        ended = await asyncio.gather(*asked, return_exceptions=True)
        assert sum(isinstance(end, ClaudeError) for end in ended) == 1
        assert sum(usage.written > 0 for *_, usage in claude.log) == 1
        assert len(claude.log) == 3
        await driver.stop()

    leap(main)


def test_a_live_entry_is_refreshed_before_its_end_if_questions_are_frequent(
    claude: Claude, records: Records, make_target: MakeTarget, leap: Leap
) -> None:
    """Keeping the entry alive between questions does most of the work.

    It spends on guesses only what warmth has saved, so that it writes anew while it learns.
    """

    async def main() -> None:
        driver, target = make_driver(claude, records), make_target()
        for n in range(60):
            await ask(driver, claude, target, thread=str(n))
            await asyncio.sleep(1500)
        writes = [usage.written > 0 for *_, usage in claude.log]
        refreshed = [d for d in records.of(WarmthDecided) if d.action == "refresh"]
        assert sum(writes) <= 6
        assert not any(writes[len(writes) // 2 :])
        await asyncio.sleep(7200)
        assert len([d for d in records.of(WarmthDecided) if d.action == "refresh"]) > len(refreshed)
        assert all(d.reason for d in records.of(WarmthDecided))
        await driver.stop()

    leap(main)


def test_a_push_on_a_warm_prefix_is_warmed_at_once_and_costs_its_overlay_only(
    claude: Claude, records: Records, make_target: MakeTarget, leap: Leap
) -> None:
    """A push keeps the cache warm."""

    async def main() -> None:
        driver, target = make_driver(claude, records), make_target()
        await ask(driver, claude, target)
        decision = driver.update(make_target(overlay=1))
        assert decision.action == "warm"
        await asyncio.sleep(10)
        usage = claude.log[-1][3]
        assert usage.cache_read == target.prefix.tokens
        assert usage.written == 300
        ticket, waited = await ask(driver, claude, make_target(overlay=1))
        assert ticket.warmed
        assert waited == pytest.approx(WARM)
        await driver.stop()

    leap(main)


def test_on_one_slot_a_question_does_not_wait_for_another_prefix(
    make_claude: MakeClaude, records: Records, make_target: MakeTarget, leap: Leap
) -> None:
    """A server with one slot would finish the other's prefill first."""
    from_other = make_target("other")

    async def main() -> None:
        cache = make_claude(1)
        driver = Driver(
            cache,
            records,
            now=virtual_time.now,
            single_slot=True,
        )
        driver.signal(hint(channel="C2"), from_other)
        await asyncio.sleep(1)
        _, waited = await ask(driver, cache, make_target())
        assert waited == pytest.approx(PREFILL + WARM, abs=0.1)
        assert cache.cancelled == 1
        await asyncio.sleep(60)
        assert [key for _, kind, key, _ in cache.log if kind == "warm"] == [from_other.prefix.key]
        await driver.stop()

    leap(main)


def test_a_miss_is_explained_and_written_down(
    claude: Claude, records: Records, make_target: MakeTarget, leap: Leap
) -> None:
    """A miss is a bug or an eviction. The reason says which."""

    async def main() -> None:
        driver, target = make_driver(claude, records), make_target()
        await ask(driver, claude, target)
        await asyncio.sleep(60)
        claude.evict()
        await ask(driver, claude, target)
        (missed,) = records.of(WarmthMissed)
        assert "read 0 of" in missed.reason
        assert "evicted before its time" in missed.reason
        await driver.stop()

    leap(main)


def test_what_was_learned_and_what_is_alive_survives_a_restart(
    claude: Claude, records: Records, make_target: MakeTarget, leap: Leap
) -> None:
    """A deploy must neither forget a channel's habits nor write again what is alive."""

    async def main() -> None:
        target = make_target()
        driver = make_driver(claude, records)
        for n in range(30):
            await ask(driver, claude, target, thread=str(n))
            await asyncio.sleep(1200)
        await driver.stop()
        kept = json.loads(json.dumps(driver.snapshot()))
        again = make_driver(claude, records)
        again.restore(kept)
        assert again.snapshot() == kept
        again.update(target)
        writes = sum(usage.written > 0 for *_, usage in claude.log)
        await asyncio.sleep(3500)
        ticket, _ = await ask(again, claude, target, thread="new")
        assert ticket.warmed
        assert sum(usage.written > 0 for *_, usage in claude.log) == writes
        await again.stop()

    leap(main)


def test_every_signal_is_written_down_and_one_about_nothing_decides_nothing(
    claude: Claude, records: Records, make_target: MakeTarget, leap: Leap
) -> None:
    """Replaying the journal reproduces the decisions only if it holds every signal."""

    async def main() -> None:
        driver = make_driver(claude, records)
        assert driver.signal(hint("dm_opened"), None) is None
        (received,) = records.of(SignalReceived)
        assert received.context is None
        assert claude.log == []
        await driver.stop()

    leap(main)


def test_overload_makes_warm_ups_wait_and_then_try_again(
    claude: Claude, records: Records, make_target: MakeTarget, leap: Leap
) -> None:
    """Warm-ups are the first to wait when Claude is overloaded."""

    async def main() -> None:
        driver, target = make_driver(claude, records), make_target()
        claude.fail.append(ClaudeError("rate_limited", retry_after=90.0))
        driver.signal(hint(), target)
        await asyncio.sleep(60)
        driver.signal(hint(user="U2"), target)
        await asyncio.sleep(20)
        assert claude.log == []
        await asyncio.sleep(40)
        assert [key for _, _, key, _ in claude.log] == [target.prefix.key]
        await driver.stop()

    leap(main)


def test_what_another_replica_warmed_is_read_and_its_money_counts(
    claude: Claude, records: Records, make_target: MakeTarget, leap: Leap
) -> None:
    """Two replicas share one cache: the second must not write, or pay for, what is alive."""

    async def main() -> None:
        target = make_target()
        driver = make_driver(claude, records)
        driver.update(target)
        sent = virtual_time.now()
        usage = await claude.request("warm", target.prefix, "5m")
        record = RequestEnded(
            at=virtual_time.now(),
            request="r1",
            purpose="warm",
            prefix=target.prefix.key,
            fingerprint=target.prefix.key,
            context=target.context,
            model=target.prefix.model,
            usage=usage,
            usd=0.375,
            seconds=virtual_time.now() - sent,
            complete=True,
            started_at=sent,
            ttl="5m",
        )
        assert not driver.governor.is_warm(target.facts, virtual_time.now())
        driver.learn(record)
        assert driver.governor.is_warm(target.facts, virtual_time.now())
        assert driver.governor.spending.used(target.context) == pytest.approx(0.375)
        driver.signal(hint(), target)
        assert not [kind for _, kind, _, _ in claude.log[1:] if kind == "warm"]
        await driver.stop()

    leap(main)


def test_a_free_model_is_kept_warm_from_the_start(
    claude: Claude, records: Records, make_target: MakeTarget, leap: Leap
) -> None:
    """On the team's own hardware warmth costs nothing, so no question should meet a cold cache."""

    async def main() -> None:
        driver, target = make_driver(claude, records), make_target(model="qwen3-coder-30b")
        driver.update(target)
        await asyncio.sleep(3600)
        ticket, waited = await ask(driver, claude, target)
        assert waited == pytest.approx(WARM)
        assert ticket.warmed
        written = [usage.written for _, kind, _, usage in claude.log if kind == "warm"]
        assert [bool(tokens) for tokens in written] == [True] + [False] * (len(written) - 1)
        assert len(written) >= 3600 // 300
        await driver.stop()

    leap(main)


def test_a_free_server_that_keeps_nothing_is_asked_once_a_minute(
    claude: Claude, records: Records, make_target: MakeTarget, leap: Leap
) -> None:
    """A warm-up that has no effect must not follow itself without a pause."""

    async def main() -> None:
        claude.forgets = True
        driver, target = make_driver(claude, records), make_target(model="llama-without-cache")
        driver.update(target)
        for number in range(30):
            driver.signal(hint(user=f"U{number}"), target)
            await asyncio.sleep(60)
        assert len(claude.log) <= 31
        assert any("did not keep" in d.reason for d in records.of(WarmthDecided))
        await driver.stop()

    leap(main)


def test_a_decision_to_do_nothing_is_recorded_when_its_reason_changes(
    claude: Claude, records: Records, make_target: MakeTarget, leap: Leap
) -> None:
    """The page and `/state` explain a cold prefix. The same reason twice is one record."""

    async def main() -> None:
        driver, target = make_driver(claude, records), make_target()
        for _ in range(5):
            assert driver.update(target).action == "nothing"
        assert [d.action for d in records.of(WarmthDecided)] == ["nothing"]
        driver.signal(hint(), target)
        await asyncio.sleep(40)
        actions = [d.action for d in records.of(WarmthDecided)]
        assert actions[:2] == ["nothing", "warm"]
        assert all(before != after for before, after in pairwise(records.of(WarmthDecided)))
        await driver.stop()

    leap(main)


def test_with_one_slot_a_question_waits_for_a_slow_warm_up(
    make_claude: MakeClaude, records: Records, make_target: MakeTarget, leap: Leap
) -> None:
    """A prefill may take longer than any guess. A question sent before its end misses the cache."""

    async def main() -> None:
        claude = make_claude(1)
        claude.slowness = 10.0
        driver = make_driver(claude, records, single_slot=True)
        target = make_target()
        driver.signal(hint(), target)
        await asyncio.sleep(5)
        ticket, waited = await ask(driver, claude, target)
        assert ticket.warmed
        assert waited > 10 * PREFILL - 10
        assert [bool(usage.written) for *_, usage in claude.log] == [True, False]
        await driver.stop()

    leap(main)
