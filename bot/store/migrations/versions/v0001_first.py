"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

serial = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    _journal()
    _inbox()
    _turns()
    _shared()
    _money()
    _people()
    _installations()


def _journal() -> None:
    op.create_table(
        "journal",
        sa.Column("seq", serial, primary_key=True, autoincrement=True),
        sa.Column("source", sa.String, nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.UniqueConstraint("source", "number", name="journal_once"),
        sqlite_autoincrement=True,
    )
    op.create_index("journal_by_kind", "journal", ["kind", "seq"])
    op.create_index("journal_by_time", "journal", ["at"])


def _inbox() -> None:
    op.create_table(
        "events",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("claim", sa.String, nullable=False),
    )
    op.create_index("events_by_time", "events", ["at"])
    op.create_table(
        "questions",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("workspace", sa.String, nullable=False),
        sa.Column("channel", sa.String, nullable=False),
        sa.Column("ts", sa.String, nullable=False),
        sa.Column("event", sa.String, unique=True),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("question", sa.Text),
        sa.Column("owner", sa.String),
        sa.Column("lease_until", sa.Double, nullable=False),
        sa.Column("claim", sa.String, nullable=False),
        sa.Column("claims", sa.Integer, nullable=False),
        sa.Column("answer", sa.Text),
        sa.Column("outcome", sa.String),
        sa.Column("finished_at", sa.Double),
        sa.UniqueConstraint("workspace", "channel", "ts", name="questions_once"),
    )
    op.create_index("questions_open", "questions", ["finished_at", "lease_until"])
    op.create_index("questions_by_time", "questions", ["at"])
    op.create_table(
        "messages",
        sa.Column("question", sa.String, nullable=False),
        sa.Column("ts", sa.String, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("question", "ts"),
    )
    op.create_index("messages_by_time", "messages", ["at"])


def _turns() -> None:
    op.create_table(
        "turns",
        sa.Column("id", serial, primary_key=True, autoincrement=True),
        sa.Column("workspace", sa.String, nullable=False),
        sa.Column("channel", sa.String, nullable=False),
        sa.Column("thread", sa.String, nullable=False),
        sa.Column("question", sa.String, nullable=False),
        sa.Column("messages", sa.Text, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.UniqueConstraint("workspace", "channel", "thread", "question", name="turns_once"),
        sqlite_autoincrement=True,
    )
    op.create_index("turns_by_time", "turns", ["at"])


def _shared() -> None:
    op.create_table(
        "leases",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("owner", sa.String),
        sa.Column("until", sa.Double, nullable=False),
        sa.Column("term", sa.BigInteger, nullable=False),
        sa.Column("claim", sa.String, nullable=False),
        sa.Column("result", sa.LargeBinary),
        sa.Column("result_term", sa.BigInteger),
        sa.Column("at", sa.Double, nullable=False),
    )
    op.create_table(
        "state",
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("key", sa.String, nullable=False),
        sa.Column("value", sa.LargeBinary, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("kind", "key"),
    )


def _money() -> None:
    op.create_table(
        "spending",
        sa.Column("scope", sa.String, nullable=False),
        sa.Column("day", sa.String, nullable=False),
        sa.Column("spent", sa.BigInteger, nullable=False),
        sa.Column("reserved", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("scope", "day"),
    )
    op.create_index("spending_by_day", "spending", ["day"])
    op.create_table(
        "reservations",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("day", sa.String, nullable=False),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("settled", sa.BigInteger),
        sa.Column("until", sa.Double, nullable=False),
    )
    op.create_index("reservations_open", "reservations", ["settled", "until"])


def _people() -> None:
    op.create_table(
        "feedback",
        sa.Column("question", sa.String, nullable=False),
        sa.Column("user", sa.String, nullable=False),
        sa.Column("workspace", sa.String, nullable=False),
        sa.Column("value", sa.String, nullable=False),
        sa.Column("comment", sa.Text),
        sa.Column("context", sa.String),
        sa.Column("fingerprint", sa.String),
        sa.Column("at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("question", "user"),
    )
    op.create_index("feedback_by_time", "feedback", ["at"])
    op.create_table(
        "contexts",
        sa.Column("workspace", sa.String, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("changed_by", sa.String, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("workspace", "name"),
    )
    op.create_table(
        "audit",
        sa.Column("id", serial, primary_key=True, autoincrement=True),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("workspace", sa.String, nullable=False),
        sa.Column("actor", sa.String, nullable=False),
        sa.Column("action", sa.String, nullable=False),
        sa.Column("subject", sa.String, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("claim", sa.String, nullable=False, unique=True),
        sqlite_autoincrement=True,
    )
    op.create_index("audit_by_time", "audit", ["at"])


# Columns of slack_sdk's own store (slack_sdk.oauth.installation_store.sqlalchemy, 3.47), wider:
# rotating tokens and scope lists outgrow its 200 and 1,000 characters.
def _installations() -> None:
    _bot_table("slack_bots")
    _bot_table(
        "slack_installations",
        sa.Column("enterprise_url", sa.Text),
        sa.Column("user_id", sa.Text, nullable=False),
        sa.Column("user_token", sa.Text),
        sa.Column("user_scopes", sa.Text),
        sa.Column("user_refresh_token", sa.Text),
        sa.Column("user_token_expires_at", sa.DateTime),
        sa.Column("incoming_webhook_url", sa.Text),
        sa.Column("incoming_webhook_channel", sa.Text),
        sa.Column("incoming_webhook_channel_id", sa.Text),
        sa.Column("incoming_webhook_configuration_url", sa.Text),
        sa.Column("token_type", sa.Text),
    )
    common = ["client_id", "enterprise_id", "team_id"]
    op.create_index("slack_bots_idx", "slack_bots", [*common, "installed_at"])
    op.create_index(
        "slack_installations_idx", "slack_installations", [*common, "user_id", "installed_at"]
    )


def _bot_table(name: str, *more: sa.Column[object]) -> None:
    op.create_table(
        name,
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("client_id", sa.Text, nullable=False),
        sa.Column("app_id", sa.Text, nullable=False),
        sa.Column("enterprise_id", sa.Text),
        sa.Column("enterprise_name", sa.Text),
        sa.Column("team_id", sa.Text),
        sa.Column("team_name", sa.Text),
        sa.Column("bot_token", sa.Text),
        sa.Column("bot_id", sa.Text),
        sa.Column("bot_user_id", sa.Text),
        sa.Column("bot_scopes", sa.Text),
        sa.Column("bot_refresh_token", sa.Text),
        sa.Column("bot_token_expires_at", sa.DateTime),
        sa.Column("is_enterprise_install", sa.Boolean, nullable=False),
        sa.Column("installed_at", sa.DateTime, nullable=False),
        *more,
    )
