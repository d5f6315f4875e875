"""What people left: feedback, contexts set inside Slack, and the log of who changed what."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.clock import Now
from bot.store.sql import dialect
from bot.store.sql.database import Database
from bot.store.sql.optimistic_lock import swap
from bot.store.sql.schema import audit, contexts, feedback


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """One person's word on one answer; `fingerprint` is that of the prefix it was given on."""

    question: str
    user: str
    workspace: str
    value: Literal["up", "down"]
    comment: str | None = None
    context: str | None = None
    fingerprint: str | None = None
    at: float = 0.0


class Feedback:
    """The last word of each person on each answer counts."""

    def __init__(self, database: Database, now: Now) -> None:
        self._database = database
        self._now = now

    async def give(self, opinion: Opinion) -> None:
        """Keep an opinion; its time is now. A comment given before stays where none is given."""
        row = {
            "question": opinion.question,
            "user": opinion.user,
            "workspace": opinion.workspace,
            "value": opinion.value,
            "comment": opinion.comment,
            "context": opinion.context,
            "fingerprint": opinion.fingerprint,
            "at": self._now(),
        }
        kept = ("value", "at", *(k for k in ("comment", "context", "fingerprint") if row[k]))

        async def work(connection: AsyncConnection) -> None:
            added = dialect.insert(connection, feedback)
            await connection.execute(
                added.on_conflict_do_update(
                    index_elements=["question", "user"],
                    set_={name: added.excluded[name] for name in kept},
                ),
                row,
            )

        await self._database.change("keep feedback", work)

    async def since(self, at: float) -> Sequence[Opinion]:
        """Return the opinions given since a Unix time, oldest first."""
        query = select(feedback).where(feedback.c.at >= at).order_by(feedback.c.at)

        async def work(connection: AsyncConnection) -> Sequence[Opinion]:
            return [Opinion(**row) for row in (await connection.execute(query)).mappings()]

        return await self._database.read("read feedback", work)


@dataclass(frozen=True, slots=True)
class SlackContext:
    """A context as it was set inside Slack. `body` is what a file would hold, as JSON."""

    workspace: str
    name: str
    body: Mapping[str, Any]
    changed_by: str
    version: int
    at: float


class Contexts:
    """Contexts set inside Slack; files win where both speak, which is not this room's business."""

    def __init__(self, database: Database, now: Now) -> None:
        self._database = database
        self._now = now

    async def all(self) -> Sequence[SlackContext]:
        """Return every context, by workspace and name."""
        query = select(contexts).order_by(contexts.c.workspace, contexts.c.name)

        async def work(connection: AsyncConnection) -> Sequence[SlackContext]:
            return [SlackContext(**row) for row in (await connection.execute(query)).mappings()]

        return await self._database.read("read contexts", work)

    async def save(
        self,
        workspace: str,
        name: str,
        body: Mapping[str, Any],
        by: str,
        *,
        expected: int | None = None,
    ) -> bool:
        """Save a context; return False where its version is not `expected` any more (None: new).

        Two people who edit at once cannot overwrite each other unseen.
        """
        now = self._now()
        values = {"body": dict(body), "changed_by": by, "at": now}
        row = {**values, "workspace": workspace, "name": name, "version": 1}
        where = (contexts.c.workspace == workspace, contexts.c.name == name)
        change = (
            update(contexts)
            .where(*where, contexts.c.version == expected)
            .values(**values, version=contexts.c.version + 1)
        )
        mine = select(contexts.c.name).where(
            *where,
            contexts.c.version == (expected or 0) + 1,
            contexts.c.changed_by == by,
            contexts.c.at == now,
        )

        given = None if expected is None else change
        return await swap(self._database, "save a context", contexts, row, given, mine)

    async def remove(self, workspace: str, name: str, *, expected: int) -> bool:
        """Remove a context; return False where its version is not `expected` any more."""
        tries = 0
        where = (contexts.c.workspace == workspace, contexts.c.name == name)
        gone = delete(contexts).where(*where, contexts.c.version == expected)
        there = select(contexts.c.name).where(*where)

        async def work(connection: AsyncConnection) -> bool:
            nonlocal tries
            tries += 1
            if (await connection.execute(gone)).rowcount == 1:
                return True
            # A try may have been committed although its reply was lost.
            return tries > 1 and await connection.scalar(there) is None

        return await self._database.change("remove a context", work)


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One line of the audit log."""

    at: float
    workspace: str
    actor: str
    action: str
    subject: str
    detail: Mapping[str, Any]


class Audit:
    """Who did what to which subject; lines are only ever added."""

    def __init__(self, database: Database, now: Now) -> None:
        self._database = database
        self._now = now

    async def write(
        self,
        workspace: str,
        actor: str,
        action: str,
        subject: str,
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        """Add a line. `detail` holds no message text and no token."""
        row = {
            "at": self._now(),
            "workspace": workspace,
            "actor": actor,
            "action": action,
            "subject": subject,
            "detail": dict(detail or {}),
            "claim": uuid.uuid4().hex,
        }

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(
                dialect.insert(connection, audit).on_conflict_do_nothing(), row
            )

        await self._database.change("write the audit log", work)

    async def last(self, limit: int = 100, *, workspace: str | None = None) -> Sequence[AuditEntry]:
        """Return the newest lines, newest first."""
        c = audit.c
        query = select(c.at, c.workspace, c.actor, c.action, c.subject, c.detail)
        if workspace is not None:
            query = query.where(c.workspace == workspace)
        query = query.order_by(c.id.desc()).limit(limit)

        async def work(connection: AsyncConnection) -> Sequence[AuditEntry]:
            return [AuditEntry(*row) for row in await connection.execute(query)]

        return await self._database.read("read the audit log", work)
