"""The main job, end to end: a question in Slack, its answer, and the warmth before it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from forewarm_playground.claude import Latency

if TYPE_CHECKING:
    from tests.app.conftest import Begin

CHANNEL, BARE = "C0PAY", "C0BARE"
DEAR = "[warm]\nwait_cost_per_hour = 1_000_000\n"
"""Of so small a prefix a warm-up does not pay, unless waiting is very dear."""


@pytest.mark.parametrize("transport", ["sockets", "http"])
async def test_a_mention_is_answered_in_its_thread_with_a_receipt(
    product: Begin, transport: str
) -> None:
    async with product(transport=transport) as running:
        running.claude.rule(".*", "It takes **money**, step by step.")
        asker = running.slack.user("U0ASKER")
        ts = asker.mention(CHANNEL, "what does it do?")
        text = await running.answered(CHANNEL, ts)
        assert "It takes **money**, step by step." in text
        (message,) = running.slack.bot_messages(CHANNEL, ts)
        assert "pay@" in str(message.blocks)
        running.slack.assert_quiet()


async def test_a_warmed_prefix_is_read_by_the_question_that_follows(product: Begin) -> None:
    """The whole product: the signal's warm-up wrote what the question reads."""
    async with product(after=DEAR) as running:
        asker = running.slack.user("U0ASKER")
        asker.open_dm()
        await running.until(lambda: _prefix(running)["state"] == "warm", "the warm-up")
        asker.dm("what does step_7 return?")
        await running.until(lambda: len(running.asked) == 2, "the question")
        await running.until(lambda: _questions(running)[0]["stage"] == "ended", "the answer")
        (question,) = _questions(running)
        assert question["warm"] is True
        assert question["read"] >= 0.98 * running.bot.library.live("pay").prefix.tokens


async def test_a_question_joins_the_warm_up_in_flight(product: Begin) -> None:
    """It must not race it: two cold requests cost twice and are no faster."""
    slow = Latency(base=0.01, per_uncached_token=0.0003, per_cached_token=0.00001, decode=2000.0)
    async with product(latency=slow, after=DEAR) as running:
        asker = running.slack.user("U0ASKER")
        asker.open_dm()
        await running.until(lambda: running.asked, "the warm-up's start")
        asker.dm("what does step_7 return?")
        await running.until(
            lambda: _questions(running) and _questions(running)[0]["stage"] == "ended", "the answer"
        )
        (question,) = _questions(running)
        assert question["warm"] is True
        assert question["wait"]["join"] > 0
        assert sum(one.usage.read == 0 for one in running.asked if one.usage) == 1


async def test_the_wait_is_split_without_a_gap(product: Begin) -> None:
    """The panel's parts add up to the user's wait."""
    async with product() as running:
        ts = running.slack.user("U0ASKER").mention(CHANNEL, "why?")
        await running.answered(CHANNEL, ts)
        (question,) = _questions(running)
        wait = question["wait"]
        parts = [wait[p] for p in ("delivery", "queue", "join", "prefill", "thinking", "paint")]
        assert sum(parts) == pytest.approx(wait["total"])
        assert question["slack_wait"] is not None


async def test_a_follow_up_replays_the_thread_as_it_was_sent(product: Begin) -> None:
    """The prefix of a follow-up matches to the byte, so the whole earlier turn is read."""
    async with product() as running:
        asker = running.slack.user("U0ASKER")
        ts = asker.mention(CHANNEL, "first?")
        await running.answered(CHANNEL, ts)
        asker.post(CHANNEL, "and second?", thread_ts=ts)
        await running.until(lambda: len(running.slack.bot_messages(CHANNEL, ts)) == 2, "the second")
        await running.until(lambda: _ended(running) == 2, "its end")
        first, second = running.asked[-2:]
        sent = [
            json.dumps(one.body["messages"][0]["content"][-1]["text"]) for one in (first, second)
        ]
        assert sent[0] == sent[1]
        assert second.usage.read > first.usage.read


async def test_a_channel_without_a_context_says_so(product: Begin) -> None:
    async with product() as running:
        ts = running.slack.user("U0ASKER").mention(BARE, "why?")
        await running.until(lambda: running.slack.bot_messages(BARE, ts), "the word")
        assert "/codebase attach" in running.slack.bot_messages(BARE, ts)[0].text
        assert running.asked == []


async def test_the_state_wants_its_token_and_forgetting_makes_cold(product: Begin) -> None:
    async with product() as running:
        url = f"http://127.0.0.1:{running.bot.web.port}"
        before = running.bot.library.live("pay").prefix.fingerprint
        async with aiohttp.ClientSession() as session:
            for path in ("/state", "/metrics"):
                async with session.get(url + path) as answer:
                    assert answer.status == 401
            async with session.post(f"{url}/state/forget") as answer:
                assert answer.status == 401
            headers = {"Authorization": "Bearer state-token"}
            async with session.post(f"{url}/state/forget", headers=headers) as answer:
                assert answer.status == 200
            async with session.get(f"{url}/readyz") as answer:
                assert answer.status == 200
        assert running.bot.library.live("pay").prefix.fingerprint != before


def _questions(running: Any) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = running.bot.live.state.view(running.bot.now())["questions"]
    return list(found.values())


def _prefix(running: Any) -> dict[str, Any]:
    found: dict[str, dict[str, Any]] = running.bot.live.state.view(running.bot.now())["prefixes"]
    return next(iter(found.values()))


def _ended(running: Any) -> int:
    return sum(question["stage"] == "ended" for question in _questions(running))
