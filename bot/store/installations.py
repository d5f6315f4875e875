"""Storage of Slack's OAuth tokens: slack_sdk's own store, on our engine and our migrations."""

from __future__ import annotations

from sqlalchemy import MetaData
from sqlalchemy.ext.asyncio import AsyncEngine


def installation_store(engine: AsyncEngine, client_id: str) -> object:
    """Return Bolt's asynchronous installation store over the migrated tables."""
    from slack_sdk.oauth.installation_store.sqlalchemy import AsyncSQLAlchemyInstallationStore

    return AsyncSQLAlchemyInstallationStore(client_id, engine)


def slack_tables(metadata: MetaData) -> None:
    """Declare slack_sdk's tables in `metadata`, so that migrations can be compared with them."""
    from slack_sdk.oauth.installation_store.sqlalchemy import SQLAlchemyInstallationStore as Slack

    if "slack_bots" not in metadata.tables:
        Slack.build_bots_table(metadata, "slack_bots")
        Slack.build_installations_table(metadata, "slack_installations")
