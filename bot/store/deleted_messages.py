"""Messages that were deleted in Slack: taken out of turns, saved answers and questions.

An answer may be under way when a message of its thread is deleted, at another replica even. So each
deletion is remembered before anything is cleaned. What is kept later is cleaned by what is
remembered, once more after it was written: then one of the two has seen the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, or_, select, update

from bot.answer.thread.redact import (
    stamps,
    without_answer,
    without_message,
    without_repeats,
)
from bot.delivery.slack_api import JsonObject
from bot.store.sql import dialect
from bot.store.sql.tables import messages, questions, state, turns

DELETED_MESSAGES = "deleted_message"
"""The kind of state under which deletions are remembered."""
_WORDS = ("text", "files", "quoted", "unread")
"""The words of a stored question. The other fields tell when and in which place it was asked."""


def forget_message(
    connection: Connection, workspace: str, channel: str, thread: str, ts: str
) -> None:
    """Take a message out of everything that is kept of its thread, in one transaction.

    The rows are locked: two deletions at the same time must not undo each other.
    """
    kept = connection.execute(
        select(turns.c.id, turns.c.question, turns.c.messages)
        .where(turns.c.workspace == workspace, turns.c.channel == channel)
        .where(turns.c.thread == thread)
        .order_by(turns.c.id)
        .with_for_update()
    )
    asked = []
    for id, question, sent in kept.all():
        asked.append(question)
        cleaned = without_message(sent, ts)
        if cleaned is not None:
            connection.execute(update(turns).where(turns.c.id == id).values(messages=list(cleaned)))
    c = questions.c
    concerned = or_(c.ts == ts, c.id.in_(asked), c.finished_at.is_(None))
    rows = connection.execute(
        select(c.id, c.ts, c.question, c.answer)
        .where(c.workspace == workspace, c.channel == channel, concerned)
        .order_by(c.id)
        .with_for_update()
    )
    for id, own, question, answer in rows.all():
        if changed := _cleaned(question if own == ts else None, answer, ts):
            connection.execute(update(questions).where(c.id == id).values(**changed))


def forget_answer(connection: Connection, workspace: str, channel: str, ts: str) -> None:
    """Take an answer out of its turn if `ts` was the last of its messages that stood in Slack.

    An answer that is under way may delete messages of its own, so only one that has ended counts.
    """
    c = questions.c
    asked = connection.scalar(
        select(c.id)
        .join(messages, messages.c.question == c.id)
        .where(messages.c.ts == ts, c.workspace == workspace, c.channel == channel)
        .where(c.finished_at.is_not(None))
    )
    if asked is None:
        return
    noted = connection.scalars(select(messages.c.ts).where(messages.c.question == asked))
    keys = {f"{workspace}:{channel}:{one}" for one in noted.all()}
    gone = connection.scalars(
        select(state.c.key).where(state.c.kind == DELETED_MESSAGES, state.c.key.in_(keys))
    )
    if set(gone.all()) != keys:
        return
    kept = connection.execute(
        select(turns.c.id, turns.c.messages).where(turns.c.question == asked).with_for_update()
    )
    for id, sent in kept.all():
        left = [dict(message) for message in without_answer(sent)]
        connection.execute(update(turns).where(turns.c.id == id).values(messages=left))
    connection.execute(update(questions).where(c.id == asked).values(answer=None))


def _cleaned(question: Any, answer: Any, ts: str) -> dict[str, Any]:
    """Return the columns of a question that change."""
    changed: dict[str, Any] = {}
    if question:
        changed["question"] = {k: v for k, v in question.items() if k not in _WORDS} | {"text": ""}
    cleaned = without_message(answer["messages"], ts) if answer else None
    if cleaned is not None:
        said = without_repeats(str(answer.get("text") or ""), answer["messages"], ts)
        changed["answer"] = {**answer, "messages": list(cleaned), "text": said}
    return changed


def remember_deletion(
    connection: Connection, workspace: str, channel: str, ts: str, now: float
) -> None:
    """Remember that a message is gone, for what is kept of it later."""
    row = {
        "kind": DELETED_MESSAGES,
        "key": f"{workspace}:{channel}:{ts}",
        "value": b"",
        "version": 1,
        "at": now,
    }
    connection.execute(dialect.insert(connection, state).on_conflict_do_nothing(), row)


def without_deleted(
    connection: Connection, workspace: str, channel: str, sent: Sequence[JsonObject]
) -> list[JsonObject]:
    """Return a turn without the messages of which it is remembered that they were deleted."""
    found = {f"{workspace}:{channel}:{ts}": ts for ts in stamps(sent)}
    if not found:
        return list(sent)
    gone = connection.scalars(
        select(state.c.key).where(state.c.kind == DELETED_MESSAGES, state.c.key.in_(found))
    )
    for key in gone.all():
        sent = without_message(sent, found[key]) or sent
    return list(sent)
