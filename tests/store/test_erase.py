"""Erasing by who and where: nothing of it is left in any table, nor in SQLite's files."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from bot.answer.feedback import Opinion
from bot.answer.interfaces import SavedAnswer
from bot.answer.question import Question
from bot.app.inbox import question_json
from bot.store.sql.tables import metadata
from bot.store.store import Store
from bot.telemetry.interfaces import Line

SECRET = "the-very-words-of-a-thread"


def question(
    id: str, user: str, channel: str, text: str = SECRET, workspace: str = "T1"
) -> Question:
    return Question(
        id=f"{workspace}-{channel}-{id}",
        workspace=workspace,
        channel=channel,
        ts=id,
        thread=id,
        user=user,
        text=text,
        surface="mention",
        received_at=1.0,
        asked_at=1.0,
        context="pay",
    )


def turn(ts: str, user: str, words: str = SECRET) -> list[dict[str, Any]]:
    said = f'<slack_message ts="{ts}" from="name ({user})">\n{words}\n</slack_message>'
    asked = '<slack_question ts="9.9" from="other (U0OTHER)">\nwhy?\n</slack_question>'
    blocks = [{"type": "text", "text": said}, {"type": "text", "text": asked}]
    return [{"role": "user", "content": blocks}, {"role": "assistant", "content": "So."}]


async def ask(store: Store, one: Question, spoken: list[dict[str, Any]], at: float = 1.0) -> None:
    """Leave a question that was answered, with everything that hangs on it."""
    await store.inbox.record(
        question_json(one),
        id=one.id,
        workspace=one.workspace,
        channel=one.channel,
        ts=one.ts,
        at=at,
        owner="a",
        lease_seconds=60,
    )
    await store.inbox.note_message(one.id, "a", "5.5")
    await store.inbox.save_answer(
        one.id, "a", SavedAnswer("So.", "", (), tuple(spoken), "answered")
    )
    await store.turns.append(one.workspace, one.channel, one.root, one.id, spoken, "pay")
    await store.inbox.finish(one.id, "a", "answered")
    await store.feedback.give(
        Opinion(question=one.id, user=one.user, workspace=one.workspace, value="up")
    )
    await store.audit.write(one.workspace, one.user, "refused ask", one.channel)
    await store.events.first_sight(one.id)
    body = {"question": one.id, "channel": one.channel, "user": one.user}
    body["workspace"] = one.workspace
    number = await store.journal.last() + 1
    line = Line(number, 1.0, "QuestionReceived", json.dumps(body, separators=(",", ":")))
    await store.journal.append("replica", [line])


async def everything(store: Store) -> str:
    """Return every row of every table as one text."""
    found: list[str] = []
    for table in metadata.sorted_tables:

        def work(connection: Any, table: Any = table) -> list[Any]:
            return list(connection.execute(select(table)))

        found += [f"{table.name}: {row!r}" for row in await store._database.read("look", work)]
    return "\n".join(found)


@pytest.fixture
async def filled(store: Store) -> Store:
    await ask(store, question("1.1", "U0GONE", "C1"), turn("1.0", "U0OTHER", "other words"))
    await ask(store, question("2.1", "U0OTHER", "C1", "else"), turn("2.0", "U0GONE"))
    await ask(store, question("3.1", "U0OTHER", "C2", "else"), turn("3.0", "U0THIRD", "plain"))
    await store.contexts.save("T1", "slack-c1", {"channels": ["C1"]}, "U0GONE")
    await store.contexts.save("T1", "both", {"channels": ["C1", "C2"]}, "U0OTHER")
    for key in ("slack-c1.manifest", "slack-c1.abc", "both.manifest"):
        await store.state.put("pack", key, SECRET.encode())
    await store.state.put("codebase draft", "k", b'{"name":"slack-c1","by":"U0OTHER"}')
    await store.state.put("interruption", "k", b'{"workspace":"T1","user":"U0GONE"}')
    return store


async def test_a_person_is_gone_from_every_table(filled: Store) -> None:
    gone = await filled.erase.user("T1", "U0GONE")
    left = await everything(filled)
    assert "U0GONE" not in left
    assert gone["questions"] == 2
    # The third question is of other people, and stays whole.
    assert "plain" in left
    assert "T1-C2-3.1" in left
    # Erasing twice is erasing once.
    assert not any((await filled.erase.user("T1", "U0GONE")).values())


@pytest.mark.parametrize("before", ["", "<@", "\n", "é", "—", "(", '"'])
async def test_an_id_that_is_the_beginning_of_another_one_erases_its_own_words_alone(
    store: Store, before: str
) -> None:
    await ask(store, question("1.1", "U0GONE", "C1"), turn("1.0", "U0GONE2"))
    await ask(store, question("2.1", "U0GONE2", "C1", f"{before}U0GONE2"), turn("2.0", "U0GONEX"))
    await ask(store, question("3.1", "U0OTHER", "C1", f"ask {before}U0GONE"), turn("3.0", "U0A"))
    await store.state.put("interruption", "a", b'{"user":"U0GONE2"}')
    await store.state.put("interruption", "b", b'{"user":"U0GONE"}')
    gone = await store.erase.user("T1", "U0GONE")
    assert gone["questions"] == 2
    left = await everything(store)
    assert not re.search("U0GONE(?![2X])", left)
    assert set(await store.state.all("interruption")) == {"a"}
    assert "T1-C1-2.1" in left
    assert "U0GONEX" in left


async def test_a_person_is_forgotten_in_every_workspace(filled: Store) -> None:
    await ask(filled, question("4.1", "U0GONE", "C9", workspace="T2"), turn("4.0", "U0GONE"))
    await filled.erase.user("", "U0GONE")
    assert "U0GONE" not in await everything(filled)


async def test_a_channel_is_gone_with_the_contexts_that_were_only_its_own(filled: Store) -> None:
    await filled.erase.channel("T1", "C1")
    left = await everything(filled)
    assert "T1-C1-" not in left
    assert '"channel":"C1"' not in left
    assert "slack-c1" not in left
    assert "both.manifest" in left
    assert "T1-C2-3.1" in left
    # The journal's records stay for their figures, without who and where.
    assert await filled.journal.last() == 3
    assert "U0GONE" not in "".join(e.body for e in await filled.journal.read())


async def test_questions_after_a_channel_was_left_stay(filled: Store) -> None:
    """The bot is invited again and asked while the removal runs, or before a replica follows."""
    await ask(filled, question("2.5", "U0BACK", "C1", "again"), turn("2.5", "U0BACK", "new words"))
    await filled.erase.channel("T1", "C1", until="2.3")
    left = await everything(filled)
    assert "T1-C1-2.5" in left
    assert "new words" in left
    assert "T1-C1-1.1" not in left
    assert "T1-C1-2.1" not in left
    opinions = await filled.feedback.since(0.0)
    assert [one.question for one in opinions if one.user == "U0BACK"] == ["T1-C1-2.5"]


async def test_questions_of_forms_go_with_their_channel(filled: Store) -> None:
    """They have the id of a view in place of Slack's time stamp."""
    for view, at in (("V0OLD", 2.0), ("V0NEW", 2.5)):
        one = replace(question(view, "U0FORM", "C1", "of a form"), surface="modal")
        await ask(filled, one, turn("1.9", "U0FORM"), at=at)
    await filled.erase.channel("T1", "C1", until="2.3")
    left = await everything(filled)
    assert "T1-C1-V0OLD" not in left
    assert "T1-C1-V0NEW" in left


async def test_a_workspace_is_gone_and_another_one_stays(filled: Store) -> None:
    await ask(filled, question("4.1", "U0FAR", "C9", workspace="T2"), turn("4.0", "U0FAR"))
    await filled.erase.workspace("T1", ("pack", "codebase draft", "interruption"))
    left = await everything(filled)
    assert "'T1'" not in left
    assert "T1-C" not in left
    assert "U0GONE" not in left
    assert "T2-C9-4.1" in left
    # What the installation shares goes with its last workspace.
    assert "both.manifest" in left
    await filled.erase.workspace("T2", ("pack", "codebase draft", "interruption"))
    assert (await everything(filled)).strip() == ""


async def test_ids_that_look_like_patterns_erase_only_what_they_name(filled: Store) -> None:
    for odd in ("%", "_", "U%", "%' OR '1'='1"):
        await filled.erase.user("T1", odd)
        await filled.erase.channel("T1", odd)
    assert "T1-C1-1.1" in await everything(filled)


async def test_nothing_is_left_in_the_files_of_sqlite(tmp_path: Path, clock: Any) -> None:
    """Bytes that were overwritten in the database still stand in the write-ahead log."""
    path = tmp_path / "forewarm.db"
    store = await Store.open(str(path), now=clock)
    await ask(store, question("1.1", "U0GONE", "C1"), turn("1.0", "U0GONE"))
    files = [f for f in tmp_path.iterdir() if f.is_file()]
    assert any(SECRET.encode() in f.read_bytes() for f in files)
    await store.erase.user("T1", "U0GONE")
    for file in tmp_path.iterdir():
        assert SECRET.encode() not in file.read_bytes(), file.name
        assert b"U0GONE" not in file.read_bytes(), file.name
    await store.close()
