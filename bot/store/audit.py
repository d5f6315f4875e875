"""The audit log: each change and each refusal, with the person and the place."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from bot.clock import Now
from bot.store.sql import dialect
from bot.store.sql.database import Database
from bot.store.sql.tables import audit


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

        def work(connection: Connection) -> None:
            connection.execute(dialect.insert(connection, audit).on_conflict_do_nothing(), row)

        await self._database.change("write the audit log", work)

    async def last(self, limit: int = 100, *, workspace: str | None = None) -> Sequence[AuditEntry]:
        """Return the newest lines, newest first."""
        c = audit.c
        query = select(c.at, c.workspace, c.actor, c.action, c.subject, c.detail)
        if workspace is not None:
            query = query.where(c.workspace == workspace)
        query = query.order_by(c.id.desc()).limit(limit)

        def work(connection: Connection) -> Sequence[AuditEntry]:
            return [AuditEntry(*row) for row in connection.execute(query)]

        return await self._database.read("read the audit log", work)
