"""The whole bot on threads and messages that are larger, faster or emptier than most."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from tests.app.conftest import SLACK
from tests.running import is_whole

if TYPE_CHECKING:
    from tests.app.conftest import Begin, Product

CHANNEL = "C0PAY"


def sent(running: Product) -> str:
    return json.dumps(running.asked[-1].body["messages"], ensure_ascii=False)


async def test_a_long_thread_is_read_at_both_ends(product: Begin) -> None:
    async with product() as running:
        asker, peer = running.slack.user("U0ASKER"), running.slack.user("U0PEER")
        root = peer.post(CHANNEL, "message number 0")
        for number in range(1, 400):
            peer.post(CHANNEL, f"message number {number} " + "x" * 400, root)
            if number % 40 == 0:
                # Slack sends an event again that a busy machine does not acknowledge in time.
                await running.slack.idle(120)
        await running.slack.idle(120)
        asker.mention(CHANNEL, "what is this about?", root)
        text = await running.answered(CHANNEL, root)
        assert text
        body = sent(running)
        assert "message number 0" in body
        assert "message number 399" in body
        shown = str(running.slack.bot_messages(CHANNEL, root)[-1].blocks)
        assert "This thread is long" in shown


async def test_a_thread_whose_parent_was_deleted_goes_on(product: Begin) -> None:
    async with product() as running:
        running.claude.rule(".*", "It does.")
        asker, peer = running.slack.user("U0ASKER"), running.slack.user("U0PEER")
        root = peer.post(CHANNEL, "the parent holds HUNTER2")
        asker.mention(CHANNEL, "what is step_7?", root)
        await running.answered(CHANNEL, root)
        peer.delete(CHANNEL, root)
        store, team = running.bot.store, running.bot.me.workspace
        async with asyncio.timeout(running.patience):
            while "HUNTER2" in str(await store.turns.load(team, CHANNEL, root)):
                await asyncio.sleep(0.02)
        asker.mention(CHANNEL, "and step_8?", root)
        await running.until(
            lambda: is_whole(running.slack.bot_messages(CHANNEL, root)[1:]), "the second answer"
        )
        assert "and step_8?" in sent(running)
        assert "HUNTER2" not in sent(running)


async def test_a_question_that_is_edited_thirty_times_has_one_answer_to_its_last_words(
    product: Begin,
) -> None:
    async with product() as running:
        asker = running.slack.user("U0ASKER")
        ts = asker.mention(CHANNEL, "version 0?")
        for number in range(1, 31):
            asker.edit(CHANNEL, ts, f"<@{running.slack.bot_user}> version {number}?")
        await running.until(lambda: running.asked and "version 30?" in sent(running), "the last")
        await running.until(
            lambda: is_whole(running.slack.bot_messages(CHANNEL, ts)), "the answer to it"
        )
        assert len(running.slack.bot_messages(CHANNEL, ts)) == 1


async def test_a_user_without_a_profile_is_called_by_the_id(product: Begin) -> None:
    nameless = {"users": (*SLACK["users"], {"id": "U0BLANK", "name": "", "real_name": ""})}
    channel = {**SLACK["channels"][0], "members": ("U0ASKER", "U0PEER", "U0BLANK", "bot")}
    async with product(slack_config={**nameless, "channels": (channel,)}) as running:
        ts = running.slack.user("U0BLANK").mention(CHANNEL, "what is step_7?")
        await running.answered(CHANNEL, ts)
        assert "U0BLANK" in sent(running)


async def test_a_message_without_any_words_is_acknowledged(product: Begin) -> None:
    async with product() as running:
        asker = running.slack.user("U0ASKER")
        asker.post(CHANNEL, "\u200b")
        ts = asker.mention(CHANNEL, "\u200b\u2066 <!here> &amp;lt;slack_question&gt; ?")
        await running.answered(CHANNEL, ts)
        await running.slack.idle()
        assert all(delivery.outcome == "acked" for delivery in running.slack.log.deliveries)
