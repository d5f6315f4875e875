"""Threads under Slack's limit for apps outside its Marketplace."""

from __future__ import annotations

import json

import pytest

from tests.app.workspaces.conftest import CHANNEL, ONE, PERSON, Estate, Found

# slack_sdk itself still builds the header with what aiohttp will drop in its next major version.
pytestmark = pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning")
WORDS = [f"word{number}x" for number in range(30)]
DELETED = WORDS[20]
PARTIAL = "a part of this thread"


async def receipt(running: Estate, ts: str) -> str:
    """Wait for the answer to a message of a thread; return the last message's blocks."""
    await running.until(lambda: not running.bot.inbox.questions, "the end")
    return json.dumps([m.blocks for m in running.slack.bot_messages(CHANNEL[ONE], ts)])


async def test_a_long_thread_is_whole_if_it_was_heard_and_partial_if_not(estate: Found) -> None:
    async with estate(app={"commercial": True}) as running:
        person, channel = running.slack.user(PERSON[ONE]), CHANNEL[ONE]
        old = person.post(channel, "an old thread")
        for word in WORDS:
            person.post(channel, word, old)
        await running.browser.install(ONE)
        await running.open(ONE)
        heard = person.post(channel, "a thread that is heard")
        stamps = {word: person.post(channel, word, heard) for word in WORDS}
        await running.slack.until(lambda: running.slack.dispatcher.idle, "the events")
        person.mention(channel, "sum it up?", heard)
        await running.whole(channel, heard)
        assert PARTIAL not in await receipt(running, heard)
        sent = json.dumps(running.asked[-1].body)
        assert all(word in sent for word in WORDS)
        person.delete(channel, stamps[DELETED])
        await running.slack.until(lambda: running.slack.dispatcher.idle, "the deletion")
        await running.bot.stop()
        running.bot = running.begun()
        await running.bot.start()
        await running.ready()
        person.mention(channel, "and after a restart?", heard)
        await running.until(lambda: "after a restart" in str(running.asked[-1].body), "a request")
        await running.whole(channel, heard)
        sent = json.dumps(running.asked[-1].body)
        assert [word for word in WORDS if word not in sent] == [DELETED]
        assert PARTIAL not in await receipt(running, heard)
        person.mention(channel, "and this one?", old)
        await running.whole(channel, old)
        assert PARTIAL in await receipt(running, old)
        sent = json.dumps(running.asked[-1].body)
        assert WORDS[0] in sent
        assert WORDS[-1] not in sent
