"""The tables. Times are Unix seconds, money is whole nano-dollars, JSON is escaped ASCII text.

JSON is kept as text and not as a column type of the engine: turns go back to Claude byte for
byte, and text of threads may hold what PostgreSQL's own types refuse (a NUL, half a surrogate).
"""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

REVISION = "0001"
"""The newest migration; the tests compare it with Alembic's own head."""


class Json(TypeDecorator[Any]):
    """Any JSON value as ASCII text; keys keep their order."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else json.dumps(value, separators=(",", ":"))

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else json.loads(value)


metadata = MetaData()

# SQLite gives row ids to INTEGER keys only.
_serial = BigInteger().with_variant(Integer, "sqlite")

journal = Table(
    "journal",
    metadata,
    Column("seq", _serial, primary_key=True, autoincrement=True),
    Column("source", String, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("at", Double, nullable=False),
    Column("kind", String, nullable=False),
    Column("body", Text, nullable=False),
    UniqueConstraint("source", "number", name="journal_once"),
    Index("journal_by_kind", "kind", "seq"),
    Index("journal_by_time", "at"),
    sqlite_autoincrement=True,
)

events = Table(
    "events",
    metadata,
    Column("id", String, primary_key=True),
    Column("at", Double, nullable=False),
    Column("claim", String, nullable=False),
    Index("events_by_time", "at"),
)

questions = Table(
    "questions",
    metadata,
    Column("id", String, primary_key=True),
    Column("workspace", String, nullable=False),
    Column("channel", String, nullable=False),
    Column("ts", String, nullable=False),
    Column("event", String, unique=True),
    Column("at", Double, nullable=False),
    Column("question", Json),
    Column("owner", String),
    Column("lease_until", Double, nullable=False),
    Column("claim", String, nullable=False),
    Column("claims", Integer, nullable=False),
    Column("answer", Json),
    Column("outcome", String),
    Column("finished_at", Double),
    UniqueConstraint("workspace", "channel", "ts", name="questions_once"),
    Index("questions_open", "finished_at", "lease_until"),
    Index("questions_by_time", "at"),
)

messages = Table(
    "messages",
    metadata,
    Column("question", String, nullable=False),
    Column("ts", String, nullable=False),
    Column("at", Double, nullable=False),
    PrimaryKeyConstraint("question", "ts"),
    Index("messages_by_time", "at"),
)

turns = Table(
    "turns",
    metadata,
    Column("id", _serial, primary_key=True, autoincrement=True),
    Column("workspace", String, nullable=False),
    Column("channel", String, nullable=False),
    Column("thread", String, nullable=False),
    Column("question", String, nullable=False),
    Column("messages", Json, nullable=False),
    Column("at", Double, nullable=False),
    UniqueConstraint("workspace", "channel", "thread", "question", name="turns_once"),
    Index("turns_by_time", "at"),
    sqlite_autoincrement=True,
)

leases = Table(
    "leases",
    metadata,
    Column("name", String, primary_key=True),
    Column("owner", String),
    Column("until", Double, nullable=False),
    Column("term", BigInteger, nullable=False),
    Column("claim", String, nullable=False),
    Column("result", LargeBinary),
    Column("result_term", BigInteger),
    Column("at", Double, nullable=False),
)

state = Table(
    "state",
    metadata,
    Column("kind", String, nullable=False),
    Column("key", String, nullable=False),
    Column("value", LargeBinary, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("at", Double, nullable=False),
    PrimaryKeyConstraint("kind", "key"),
)

spending = Table(
    "spending",
    metadata,
    Column("scope", String, nullable=False),
    Column("day", String, nullable=False),
    Column("spent", BigInteger, nullable=False),
    Column("reserved", BigInteger, nullable=False),
    PrimaryKeyConstraint("scope", "day"),
    Index("spending_by_day", "day"),
)

reservations = Table(
    "reservations",
    metadata,
    Column("id", String, primary_key=True),
    Column("day", String, nullable=False),
    Column("scopes", Json, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("settled", BigInteger),
    Column("until", Double, nullable=False),
    Index("reservations_open", "settled", "until"),
)

feedback = Table(
    "feedback",
    metadata,
    Column("question", String, nullable=False),
    Column("user", String, nullable=False),
    Column("workspace", String, nullable=False),
    Column("value", String, nullable=False),
    Column("comment", Json),
    Column("context", String),
    Column("fingerprint", String),
    Column("at", Double, nullable=False),
    PrimaryKeyConstraint("question", "user"),
    Index("feedback_by_time", "at"),
)

contexts = Table(
    "contexts",
    metadata,
    Column("workspace", String, nullable=False),
    Column("name", String, nullable=False),
    Column("body", Json, nullable=False),
    Column("changed_by", String, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("at", Double, nullable=False),
    PrimaryKeyConstraint("workspace", "name"),
)

audit = Table(
    "audit",
    metadata,
    Column("id", _serial, primary_key=True, autoincrement=True),
    Column("at", Double, nullable=False),
    Column("workspace", String, nullable=False),
    Column("actor", String, nullable=False),
    Column("action", String, nullable=False),
    Column("subject", String, nullable=False),
    Column("detail", Json, nullable=False),
    Column("claim", String, nullable=False, unique=True),
    Index("audit_by_time", "at"),
    sqlite_autoincrement=True,
)
