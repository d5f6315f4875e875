"""What was heard under Slack's limit: kept, edited, deleted and erased, on both engines."""

from __future__ import annotations

import pytest

from bot.answer.question import File
from bot.answer.thread.message import ThreadMessage
from bot.app.bot import RETENTION
from bot.app.workspaces.heard_messages import HeardMessages
from bot.store.retention import DAY
from bot.store.store import Store
from tests.store.conftest import Clock

HERE = ("T1", "C1", "1.0")


def said(ts: str, text: str, by: str = "U1") -> ThreadMessage:
    return ThreadMessage(
        ts, by, "person", text, files=(File(id="F1", name="a.txt", kind="text/plain"),)
    )


@pytest.fixture
def heard(store: Store) -> HeardMessages:
    return HeardMessages(store.state)


async def test_a_thread_comes_back_as_it_was_heard(heard: HeardMessages) -> None:
    for one in (said("1.0", "root"), said("1.1", "reply")):
        await heard.keep(*HERE, one, edited=False)
    await heard.keep("T1", "C1", "9.0", said("9.0", "another thread"), edited=False)
    await heard.keep("T2", "C1", "1.0", said("1.0", "another workspace"), edited=False)
    assert await heard.load(*HERE) == {"1.0": said("1.0", "root"), "1.1": said("1.1", "reply")}


async def test_an_original_that_comes_late_undoes_neither_edit_nor_deletion(
    heard: HeardMessages,
) -> None:
    await heard.keep(*HERE, said("1.1", "mended"), edited=True)
    await heard.keep(*HERE, said("1.1", "first"), edited=False)
    assert await heard.load(*HERE) == {"1.1": said("1.1", "mended")}
    await heard.remove(*HERE, "1.1")
    for edited in (False, True):
        await heard.keep(*HERE, said("1.1", "late"), edited=edited)
    assert await heard.load(*HERE) == {"1.1": None}


async def test_a_channel_a_person_and_a_workspace_are_erased(
    heard: HeardMessages,
    store: Store,
) -> None:
    await heard.keep(*HERE, said("1.0", "mine", "U0MINE"), edited=False)
    await heard.keep(*HERE, said("1.1", "yours", "U0YOURS"), edited=False)
    await store.erase.user("T1", "U0MINE")
    assert set(await heard.load(*HERE)) == {"1.1"}
    assert list(await store.erase.workspaces_of("C1")) == ["T1"]
    await store.erase.channel("T1", "C1")
    assert await heard.load(*HERE) == {}
    await heard.keep(*HERE, said("1.0", "mine"), edited=False)
    await store.erase.workspace("T1")
    assert await heard.load(*HERE) == {}


async def test_words_are_kept_as_long_as_other_text(
    heard: HeardMessages,
    store: Store,
    clock: Clock,
) -> None:
    await heard.keep(*HERE, said("1.0", "old"), edited=False)
    clock.at += (RETENTION.text - 1) * DAY
    await heard.keep(*HERE, said("1.1", "new"), edited=False)
    clock.at += 2 * DAY
    await store.retention.run(RETENTION)
    assert set(await heard.load(*HERE)) == {"1.1"}
