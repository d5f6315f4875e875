"""Two replicas on one database, with the events of each thread scattered over both."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bot.app.bot import Bot
from tests.running import is_whole

if TYPE_CHECKING:
    from tests.app.conftest import Begin, Product

CHANNEL = "C0PAY"


@asynccontextmanager
async def two_replicas(product: Begin, database: str, tmp_path: Path) -> AsyncIterator[Product]:
    """Start a product of two bots; the local Slack gives each event to one of their sockets."""
    async with product(database_url=database, after=LIMITS) as running:
        settings = running.bot.settings.model_copy(update={"home": tmp_path / "second"})
        second = Bot(settings)
        await second.start()
        try:
            await running.until(
                lambda: second.library.all() and second.library.complete, "the second's packs"
            )
            yield running
        finally:
            await second.stop()


LIMITS = "[limits]\nuser_per_hour = 1000\nchannel_per_hour = 5000\n"


def requests(running: Product) -> list[str]:
    """Return what each request held behind the prefix."""
    bodies: list[Any] = [one.body["messages"] for one in running.asked]
    return [json.dumps(body, ensure_ascii=False) for body in bodies]


async def answers(running: Product, root: str, number: int) -> None:
    def whole() -> bool:
        said = running.slack.bot_messages(CHANNEL, root)
        return len(said) == number and is_whole(said)

    await running.until(whole, f"answer {number}")


async def test_every_follow_up_is_answered_once_and_knows_what_was_there(
    product: Begin, database: str, tmp_path: Path
) -> None:
    rng = random.Random(4)
    async with two_replicas(product, database, tmp_path) as running:
        asker, peer = running.slack.user("U0ASKER"), running.slack.user("U0PEER")
        for round in range(3):
            # The bot is brought into a thread that it has heard before.
            root = peer.post(CHANNEL, f"thread {round}")
            peer.post(CHANNEL, f"an early reply {round}", root)
            asker.mention(CHANNEL, f"first question {round}?", root)
            await answers(running, root, 1)
            known = [f"thread {round}", f"an early reply {round}"]
            for number in range(2, 6):
                for _ in range(rng.randrange(3)):
                    fact = f"fact {rng.randrange(10**6)}"
                    known.append(fact)
                    peer.post(CHANNEL, f"I saw {fact} there.", root)
                question = f"and what about step {number} of {round}?"
                asker.post(CHANNEL, question, root)
                await answers(running, root, number)
                last = [text for text in requests(running) if question in text]
                assert len(last) == 1, question
                missing = [fact for fact in known if fact not in last[0]]
                assert not missing, (question, missing)
        assert len(running.asked) == 3 * 5


async def test_edits_and_deletions_are_known_to_both(
    product: Begin, database: str, tmp_path: Path
) -> None:
    async with two_replicas(product, database, tmp_path) as running:
        asker, peer = running.slack.user("U0ASKER"), running.slack.user("U0PEER")
        root = asker.post(CHANNEL, "it fails")
        asker.mention(CHANNEL, "why?", root)
        await answers(running, root, 1)
        for number in range(2, 6):
            ts = peer.post(CHANNEL, f"before {number}", root)
            gone = peer.post(CHANNEL, f"secret {number}", root)
            peer.edit(CHANNEL, ts, f"after {number}")
            peer.delete(CHANNEL, gone)
            asker.mention(CHANNEL, f"and now {number}?", root)
            await answers(running, root, number)
            sent = requests(running)[-1]
            assert f"after {number}" in sent
            assert f"before {number}" not in sent
            assert f"secret {number}" not in sent


async def test_a_quota_is_that_of_both_together(
    product: Begin, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{__name__}.LIMITS", "[limits]\nuser_per_hour = 3\n")
    async with two_replicas(product, database, tmp_path) as running:
        asker = running.slack.user("U0ASKER")
        threads = [asker.mention(CHANNEL, f"question {n}?") for n in range(8)]

        def replied() -> bool:
            replies = [running.slack.bot_messages(CHANNEL, root) for root in threads]
            refused = [r for r in replies if r and "questions within the hour" in r[0].text]
            return sum(is_whole(r) for r in replies) == 3 and len(refused) >= 4

        await running.until(replied, "three answers and the refusals")
        assert len(running.asked) == 3
