"""Erases what the store keeps of a workspace, a channel or a person.

docs/privacy.md says what goes and what stays. Every method may run twice: each replica runs it,
after it has stopped its own work on what is erased. Afterwards SQLite's write-ahead log is emptied,
so that the words are not left in it.
"""

from __future__ import annotations

import json
import re
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    Text,
    and_,
    delete,
    exists,
    func,
    inspect,
    not_,
    or_,
    select,
    text,
    true,
    type_coerce,
    update,
)

from bot.clock import Now
from bot.store.sql.database import Database
from bot.store.sql.tables import (
    audit,
    contexts,
    events,
    feedback,
    journal,
    messages,
    questions,
    state,
    turns,
)

REMOVALS = "removal"
"""The kind of `state` by which one replica tells the others what was erased, for a minute."""
SMALL_BYTES = 1_000_000
UNKNOWN_USER = ""
"""Stands for a person who was forgotten, in records that are kept for their figures."""
PAGE = 500
Gone = Mapping[str, int]
"""How many rows were deleted, by table."""


class Eraser:
    """Deletes by who and where, as `Purge` deletes by age."""

    def __init__(self, database: Database, now: Now) -> None:
        self._database = database
        self._now = now

    async def workspace(self, workspace: str, shared_state: Collection[str] = ()) -> Gone:
        """Erase all that a workspace left. Sums of money stay: they name contexts and days.

        `shared_state` are kinds of `state` that belong to the installation, such as packs. They go
        as well, unless another workspace has questions or contexts here.
        """
        mine = questions.c.workspace == workspace
        named = _mentions(journal.c.body, f'"{workspace}"', f'"{workspace}-')
        others = or_(
            exists(select(questions.c.id).where(questions.c.workspace != workspace)),
            exists(select(contexts.c.name).where(contexts.c.workspace != workspace)),
        )

        def work(connection: Connection) -> Gone:
            gone = _Deletions(connection)
            gone.questions(mine)
            for table in (turns, feedback, contexts, audit):
                gone.delete(table, table.c.workspace == workspace)
            gone.delete(events, _starts(events.c.id, f"{workspace}-"))
            gone.delete(events, _explained(f":{workspace}:"))
            gone.delete(journal, named)
            gone.delete(state, _starts(state.c.key, f"{workspace}:"))
            _delete_state_naming(connection, f'"{workspace}"')
            _delete_installations(connection, workspace)
            if not connection.scalar(select(others)):
                gone.delete(state, state.c.kind.in_(shared_state))
            return gone.counts

        return await self._erase("forget a workspace", work)

    async def channel(self, workspace: str, channel: str, *, until: str = "") -> Gone:
        """Erase what was asked in a channel, who asked it, and contexts set in it.

        `until` is a time stamp of Slack: questions after it stay. The bot may be invited again,
        and asked, while this runs. Records of the journal stay for their figures, without the
        channel and its people.
        """
        place = f"{workspace}-{channel}-"
        here = and_(questions.c.workspace == workspace, questions.c.channel == channel)
        there = and_(here, _asked_until(until)) if until else here
        asked = select(questions.c.id).where(there)
        later = select(questions.c.id).where(here, not_(there))

        def work(connection: Connection) -> Gone:
            gone = _Deletions(connection)
            given = or_(feedback.c.question.in_(asked), _starts(feedback.c.question, place))
            gone.delete(feedback, given, feedback.c.question.not_in(later))
            gone.questions(there)
            spoken = (turns.c.workspace == workspace, turns.c.channel == channel)
            gone.delete(turns, *spoken, turns.c.question.not_in(later))
            gone.delete(events, _starts(events.c.id, place), events.c.id.not_in(later))
            gone.delete(events, _explained(f":{workspace}:{channel}:"))
            gone.delete(state, _starts(state.c.key, f"{workspace}:{channel}:"))
            for name in _contexts_of(connection, workspace, channel):
                mine = (contexts.c.workspace == workspace, contexts.c.name == name)
                gone.delete(contexts, *mine)
                for beginning in (f"{name}.", f"{workspace}:{name}."):
                    gone.delete(state, _starts(state.c.key, beginning))
                _delete_state_naming(connection, f'"{name}"')
            connection.execute(
                update(audit)
                .where(audit.c.workspace == workspace, audit.c.subject == channel)
                .values(actor=UNKNOWN_USER, subject="")
            )
            _rewrite_journal(connection, channel, place)
            return gone.counts

        return await self._erase("forget a channel", work)

    async def user(self, workspace: str, user: str) -> Gone:
        """Erase what a person asked and wrote, also in the threads of others.

        A question or a turn that names the person goes as a whole: a turn holds the words of all
        who wrote in its thread. An empty `workspace` means every workspace.
        """

        def here(table: Table) -> ColumnElement[bool]:
            return table.c.workspace == workspace if workspace else true()

        named = or_(_names(questions.c.question, user), _names(questions.c.answer, user))
        asked = select(questions.c.id).where(here(questions), named)

        def work(connection: Connection) -> Gone:
            gone = _Deletions(connection)
            own = or_(feedback.c.user == user, feedback.c.question.in_(asked))
            gone.delete(feedback, here(feedback), own)
            spoken = or_(_names(turns.c.messages, user), turns.c.question.in_(asked))
            gone.delete(turns, here(turns), spoken)
            gone.questions(and_(here(questions), named))
            for column in (contexts.c.changed_by, audit.c.actor, audit.c.subject):
                change = update(column.table).where(here(column.table), column == user)
                connection.execute(change.values({column: UNKNOWN_USER}))
            before, after = f'"user":"{user}"', f'"user":"{UNKNOWN_USER}"'
            connection.execute(
                update(journal)
                .where(_mentions(journal.c.body, before))
                .values(body=func.replace(journal.c.body, before, after))
            )
            gone.delete(events, _explained(f":{user}:"))
            _delete_state_naming(connection, user)
            return gone.counts

        return await self._erase("forget a person", work)

    async def workspaces_of(self, channel: str) -> Sequence[str]:
        """Return the workspaces that have questions, messages or contexts of a channel here."""
        asked = select(questions.c.workspace).where(questions.c.channel == channel)
        spoken = select(turns.c.workspace).where(turns.c.channel == channel)
        shown = select(contexts.c.workspace).where(_mentions(contexts.c.body, f'"{channel}"'))

        heard = select(state.c.key).where(_mentions(state.c.key, f":{channel}:")).distinct()

        def work(connection: Connection) -> Sequence[str]:
            found = set(connection.scalars(asked.union(spoken, shown)))
            keys = connection.scalars(heard)
            return sorted(found | {key.partition(":")[0] for key in keys})

        return await self._database.read("find a channel's workspace", work)

    async def _erase(self, operation: str, work: Callable[[Connection], Gone]) -> Gone:
        gone = await self._database.write(operation, work)
        await self._database.shrink()
        await self._database.empty_log()
        return gone


class _Deletions:
    """Deletes within one transaction and counts the rows by table."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.counts: Counter[str] = Counter()

    def delete(self, table: Table, *which: ColumnElement[bool]) -> None:
        found = self._connection.execute(delete(table).where(*which))
        self.counts[table.name] += found.rowcount

    def questions(self, which: ColumnElement[bool]) -> None:
        """Delete questions with all that hangs on them."""
        asked = select(questions.c.id).where(which)
        self.delete(messages, messages.c.question.in_(asked))
        self.delete(turns, turns.c.question.in_(asked))
        self.delete(questions, which)


def _asked_until(until: str) -> ColumnElement[bool]:
    """Return whether a question was asked until a time stamp of Slack.

    A form's submission has the id of its view (`V…`) in place of a stamp.
    """
    is_form = questions.c.ts.startswith("V")
    stamped = and_(not_(is_form), questions.c.ts <= until)
    return or_(stamped, and_(is_form, questions.c.at <= float(until)))


def _mentions(column: Any, *words: str) -> ColumnElement[bool]:
    """Return whether a column's stored text holds one of the words."""
    stored = type_coerce(column, Text)
    return or_(*(stored.contains(word, autoescape=True) for word in words))


def _names(column: Any, id: str) -> ColumnElement[bool]:
    """Return whether a column's stored text holds an id, and not only a longer one.

    Before the id anything may stand, such as the end of an escape sequence of JSON.
    """
    return and_(_mentions(column, id), type_coerce(column, Text).regexp_match(_whole(id)))


def _whole(id: str) -> str:
    return f"{re.escape(id)}([^A-Z0-9]|$)"


def _explained(place: str) -> ColumnElement[bool]:
    """Return whether an event notes that a refusal or hint was given in a place or to a person."""
    return and_(_starts(events.c.id, "reply:"), _mentions(events.c.id, place))


def _starts(column: Any, beginning: str) -> ColumnElement[bool]:
    return type_coerce(column, Text).startswith(beginning, autoescape=True)


def _contexts_of(connection: Connection, workspace: str, channel: str) -> Sequence[str]:
    """Return the contexts set in Slack whose only channel this is."""
    c = contexts.c
    kept = connection.execute(select(c.name, c.body).where(c.workspace == workspace))
    return [name for name, body in kept if body.get("channels") == [channel]]


def _delete_installations(connection: Connection, workspace: str) -> None:
    """Delete the tokens that slack_sdk's own tables keep for a workspace, if there are any."""
    there = inspect(connection).get_table_names()
    for name in ("slack_bots", "slack_installations"):
        if name in there:
            connection.execute(
                text(f"DELETE FROM {name} WHERE team_id = :team"),  # noqa: S608 - a constant
                {"team": workspace},
            )


def _rewrite_journal(connection: Connection, channel: str, place: str) -> None:
    """Take a channel and its people out of the journal, page by page.

    The ids of its questions get another beginning, the same for all: their records still belong
    together.
    """
    quoted, alias, after = f'"channel":"{channel}"', f"left-{uuid.uuid4().hex[:12]}-", 0
    c = journal.c
    while True:
        page = (
            connection.execute(
                select(c.seq, c.body)
                .where(c.seq > after, _mentions(c.body, quoted, f'"{place}'))
                .order_by(c.seq)
                .limit(PAGE)
            )
        ).all()
        for seq, body in page:
            record = json.loads(body)
            for key in ("user", "channel", "thread", "question", "workspace"):
                if isinstance(record.get(key), str):
                    is_question = key == "question"
                    record[key] = alias + record[key].removeprefix(place) if is_question else ""
            changed = json.dumps(record, separators=(",", ":"))
            connection.execute(update(journal).where(c.seq == seq).values(body=changed))
        if len(page) < PAGE:
            return
        after = page[-1].seq


def _delete_state_naming(connection: Connection, word: str) -> None:
    """Delete small state with a word in it: drafts, actions for other replicas, rates.

    A longer word that begins with it is another one.
    """
    whole = re.compile(_whole(word))
    c = state.c
    small = select(c.kind, c.key, c.value).where(
        c.kind.not_in(("pack", REMOVALS)), func.length(c.value) < SMALL_BYTES
    )
    for kind, key, value in connection.execute(small).all():
        if whole.search(key) or whole.search(bytes(value).decode("utf-8", "replace")):
            connection.execute(delete(state).where(c.kind == kind, c.key == key))
