"""Alembic's entry: the migrations, on the connection and in the transaction of `migrate`."""

from __future__ import annotations

from alembic import context

from bot.store.installations import slack_tables
from bot.store.migrate import VERSION_TABLE
from bot.store.sql.tables import metadata

slack_tables(metadata)
context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    render_as_batch=True,
)
context.run_migrations()
