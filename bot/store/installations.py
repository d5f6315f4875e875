"""Storage of Slack's OAuth tokens: slack_sdk's own store, on our engine and our migrations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import Connection, Engine, MetaData, delete, select

from bot.store.sql.database import Database

if TYPE_CHECKING:
    from slack_sdk.oauth.installation_store import Bot


def installation_store(database: Database, client_id: str) -> Any:
    """Return Bolt's asynchronous installation store over the migrated tables, with two methods
    more.

    `all()` returns the latest `Bot` of every workspace and organisation. `forget(team)` deletes
    what a workspace installed. All methods raise `StoreError`.
    """
    from slack_sdk.oauth.installation_store import Installation
    from slack_sdk.oauth.installation_store.async_installation_store import (
        AsyncInstallationStore,
    )
    from slack_sdk.oauth.installation_store.sqlalchemy import SQLAlchemyInstallationStore as Slack

    class Installations(AsyncInstallationStore):
        def __init__(self) -> None:
            self._slack = Slack(client_id, cast(Engine, None))

        async def async_save(self, installation: Installation) -> None:
            await self._write("save an installation", "save", installation)

        async def async_save_bot(self, bot: Bot) -> None:
            await self._write("save an installation", "save_bot", bot)

        async def async_find_bot(self, **where: Any) -> Bot | None:
            return cast("Bot | None", await self._read("find_bot", where))

        async def async_find_installation(self, **where: Any) -> Installation | None:
            return cast("Installation | None", await self._read("find_installation", where))

        async def async_delete_bot(self, **where: Any) -> None:
            await self._write("delete an installation", "delete_bot", **where)

        async def async_delete_installation(self, **where: Any) -> None:
            await self._write("delete an installation", "delete_installation", **where)

        async def all(self) -> Sequence[Bot]:
            c = self._slack.bots.c
            query = (
                select(self._slack.bots)
                .where(c.client_id == client_id, c.bot_token.is_not(None))
                .order_by(c.installed_at, c.id)
            )

            def work(connection: Connection) -> Sequence[Bot]:
                rows = connection.execute(query).mappings()
                latest = {(row["enterprise_id"], row["team_id"]): row for row in rows}
                return [Slack.build_bot_entity(row) for row in latest.values()]

            return await database.read("read installations", work)

        async def forget(self, team: str) -> None:
            def work(connection: Connection) -> None:
                for table in (self._slack.bots, self._slack.installations):
                    connection.execute(delete(table).where(table.c.team_id == team))

            await database.write("forget an installation", work)

        async def _write(self, operation: str, method: str, *what: Any, **where: Any) -> None:
            await database.write(operation, lambda c: self._over(c, method)(*what, **where))

        async def _read(self, method: str, where: dict[str, Any]) -> Any:
            return await database.read(
                "find an installation", lambda c: self._over(c, method)(**where)
            )

        def _over(self, connection: Connection, method: str) -> Any:
            """Return a method of slack_sdk's store that uses `connection` as it is."""
            store = copy(self._slack)
            store.engine = cast(Engine, _Opened(connection))
            return getattr(store, method)

    return Installations()


class _Opened:
    """The two methods of an engine that slack_sdk's store calls, over one open connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        yield self._connection

    connect = begin


def slack_tables(metadata: MetaData) -> None:
    """Declare slack_sdk's tables in `metadata`, so that migrations can be compared with them."""
    from slack_sdk.oauth.installation_store.sqlalchemy import SQLAlchemyInstallationStore as Slack

    if "slack_bots" not in metadata.tables:
        Slack.build_bots_table(metadata, "slack_bots")
        Slack.build_installations_table(metadata, "slack_installations")
