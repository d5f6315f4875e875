"""Storage of Slack's OAuth tokens: slack_sdk's own store, on our engine and our migrations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import MetaData, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.store.sql.database import Database

if TYPE_CHECKING:
    from slack_sdk.oauth.installation_store import Bot


def installation_store(database: Database, client_id: str) -> Any:
    """Return Bolt's asynchronous installation store over the migrated tables, with two methods
    more.

    `all()` returns the latest `Bot` of every workspace and organisation. `forget(team)` deletes
    what a workspace installed. Both raise `StoreError`.
    """
    from slack_sdk.oauth.installation_store.sqlalchemy import AsyncSQLAlchemyInstallationStore
    from slack_sdk.oauth.installation_store.sqlalchemy import SQLAlchemyInstallationStore as Slack

    class Installations(AsyncSQLAlchemyInstallationStore):
        async def all(self) -> Sequence[Bot]:
            c = self.bots.c
            query = (
                select(self.bots)
                .where(c.client_id == client_id, c.bot_token.is_not(None))
                .order_by(c.installed_at, c.id)
            )

            async def work(connection: AsyncConnection) -> Sequence[Bot]:
                rows = (await connection.execute(query)).mappings()
                latest = {(row["enterprise_id"], row["team_id"]): row for row in rows}
                return [Slack.build_bot_entity(row) for row in latest.values()]

            return await database.read("read installations", work)

        async def forget(self, team: str) -> None:
            async def work(connection: AsyncConnection) -> None:
                for table in (self.bots, self.installations):
                    await connection.execute(delete(table).where(table.c.team_id == team))

            await database.write("forget an installation", work)

    return Installations(client_id, database.engine)


def slack_tables(metadata: MetaData) -> None:
    """Declare slack_sdk's tables in `metadata`, so that migrations can be compared with them."""
    from slack_sdk.oauth.installation_store.sqlalchemy import SQLAlchemyInstallationStore as Slack

    if "slack_bots" not in metadata.tables:
        Slack.build_bots_table(metadata, "slack_bots")
        Slack.build_installations_table(metadata, "slack_installations")
