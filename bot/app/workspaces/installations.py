"""The workspaces that installed the app with OAuth: found, opened, kept with a good token.

A workspace has a token of its own or uses that of its Enterprise Grid organisation. It is opened
at the start, after its installation, or with its first event if another replica installed it.
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import structlog
from aiohttp import web
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.errors import SlackApiError, SlackTokenRotationError
from slack_sdk.oauth.installation_store import Bot as BotRow
from slack_sdk.oauth.installation_store import Installation
from slack_sdk.oauth.token_rotation.async_rotator import AsyncTokenRotator
from sqlalchemy.exc import SQLAlchemyError

from bot.app.workspaces.install_flow import InstallFlow, StoredStates
from bot.app.workspaces.workspace import Shared, Workspace
from bot.context.config.load import LoadedContexts
from bot.errors import ForewarmError
from bot.slack.client import SlackClients, without_token
from bot.slack.identity import Identity
from bot.slack.manifest import INSTALL_PATH

log = structlog.get_logger(__name__)

KNOWN = "organisation_workspace"
"""The kind under which the store keeps which organisation's token a workspace uses."""
ROTATE_MINUTES = 120
"""Slack's tokens live for 12 hours if they rotate; Bolt renews them two hours before their end."""
LOOK_SECONDS, SHORTEST_SECONDS = 60.0, 0.5
LEASE_SECONDS = 30.0
MOST_TOLD = 1_000


class Installations:
    """Implements `bot.slack.transport.Dispatcher` for every workspace of `workspaces`.

    `clients` have no token. `loaded` returns what the context files say now.
    """

    def __init__(
        self,
        shared: Shared,
        clients: SlackClients,
        workspaces: dict[str, Workspace],
        loaded: Callable[[], LoadedContexts],
    ) -> None:
        settings = shared.settings
        assert settings.slack_client_id is not None  # `require_slack` saw to both
        assert settings.slack_client_secret is not None
        self._shared = shared
        self._clients = clients
        self._workspaces = workspaces
        self._loaded = loaded
        self._rows = shared.store.installations(settings.slack_client_id)
        self._url = settings.public_url.rstrip("/") + INSTALL_PATH
        self._rotator = AsyncTokenRotator(
            client_id=settings.slack_client_id,
            client_secret=settings.slack_client_secret.get_secret_value(),
            client=without_token(clients),
        )
        states = StoredStates(shared.store.state, shared.now)
        self._flow = InstallFlow(
            settings, without_token(clients), self._rows, states, self._installed
        )
        self._owner = uuid.uuid4().hex
        self._unsaved: dict[tuple[str | None, str | None], Installation] = {}
        self._opening = asyncio.Lock()
        self._changed = asyncio.Event()
        self._told: set[str] = set()

    def __repr__(self) -> str:
        return f"<Installations: {len(self._workspaces)} open>"

    def routes(self) -> list[web.RouteDef]:
        """Return the pages on which the app is installed."""
        return self._flow.routes()

    # --- requests -------------------------------------------------------------------------------

    async def async_dispatch(self, req: AsyncBoltRequest) -> BoltResponse:
        """Hand a request to its workspace; answer 403 if that has not installed the app."""
        body: dict[str, Any] = req.body
        if body.get("type") == "url_verification":
            return BoltResponse(status=200, body=json.dumps({"challenge": body.get("challenge")}))
        if body.get("ssl_check"):
            return BoltResponse(status=200)
        if await self._is_about_organisation(req, body.get("event") or {}):
            return BoltResponse(status=200)
        team = req.context.team_id or str(body.get("team_id") or "")
        workspace = await self._find(team, req.context.enterprise_id)
        if workspace is None:
            return self._not_installed(team, body)
        given, own = body.get("api_app_id"), workspace.me.app_id
        if given and own and given != own:
            return BoltResponse(status=403)
        # In a channel that is shared with another organisation, the body may name theirs.
        body["team_id"] = workspace.me.workspace
        return await workspace.edge.app.async_dispatch(req)

    async def _is_about_organisation(self, req: AsyncBoltRequest, event: Mapping[str, Any]) -> bool:
        """Carry out an event that ends the app in workspaces of an organisation, if it is one."""
        organisation, kind = req.context.enterprise_id, event.get("type")
        if organisation and kind == "team_access_revoked":
            await self._lost_access(organisation, _ids(event.get("team_ids")))
            return True
        if not organisation or not req.context.is_enterprise_install:
            return False
        if kind == "tokens_revoked":
            revoked = _ids((event.get("tokens") or {}).get("bot"))
            whole = await self._rows_of_organisation(organisation)
            if not {row.bot_user_id for row in whole} & set(revoked):
                return False
        elif kind != "app_uninstalled":
            return False
        await self._organisation_uninstalled(organisation)
        return True

    async def _find(self, team: str, organisation: str | None) -> Workspace | None:
        """Return a workspace, opened if it has installed the app."""
        found = self._workspaces.get(team)
        if found is not None and found.me.enterprise in ("", organisation):
            return found
        if not team:
            return None
        async with self._opening:
            found = self._workspaces.get(team)
            if found is not None and found.me.enterprise not in ("", organisation):
                await self._left_organisation(found)
                found = None
            if found is None:
                row = await self._row_of(team, organisation)
                found = None if row is None else await self._open(row, team)
            return found

    async def _row_of(self, team: str, organisation: str | None) -> BotRow | None:
        """Return a workspace's own installation, else its organisation's."""
        rows: Sequence[BotRow] = await self._rows.all()
        own = next((row for row in rows if row.team_id == team), None)
        if own is not None or not organisation:
            return own
        return next(iter(await self._rows_of_organisation(organisation)), None)

    async def _rows_of_organisation(self, organisation: str) -> list[BotRow]:
        """Return the installation of a whole organisation, if there is one."""
        rows: Sequence[BotRow] = await self._rows.all()
        return [row for row in rows if not row.team_id and row.enterprise_id == organisation]

    def _not_installed(self, team: str, body: Mapping[str, Any]) -> BoltResponse:
        sentence = (
            "Forewarm is not installed in this workspace, or the workspace has left the"
            f" organisation whose installation it used: install it here at {self._url}."
        )
        if team not in self._told and len(self._told) < MOST_TOLD:
            self._told.add(team)
            log.warning("workspace_not_installed", workspace=team, why=sentence)
        if not body.get("command"):
            return BoltResponse(status=403)
        reply = {"response_type": "ephemeral", "text": sentence}
        return BoltResponse(status=200, body=json.dumps(reply))

    # --- opening and closing --------------------------------------------------------------------

    async def start(self) -> None:
        """Open every workspace that has the app. Raises `StoreError`."""
        for row in await self._rows.all():
            own = [row.team_id] if row.team_id else await self._known_of(row.enterprise_id)
            for team in own:
                async with self._opening:
                    if team not in self._workspaces:
                        await self._open(row, team)

    async def open_known(self, team: str) -> Workspace | None:
        """Return a workspace, opened if another replica has opened it; None if it has left.

        A question that is taken over names its workspace, but not the organisation.
        """
        if (found := self._workspaces.get(team)) is not None:
            return found
        known = await self._shared.store.state.get(KNOWN, f"{team}:")
        return await self._find(team, None if known is None else known.decode())

    async def _known_of(self, organisation: str) -> list[str]:
        """Return the workspaces that some replica has opened with an organisation's token."""
        known = await self._shared.store.state.all(KNOWN)
        return [
            key.partition(":")[0]
            for key, kept in known.items()
            if kept.value.decode() == organisation
        ]

    async def _installed(self, installation: Installation) -> None:
        """Open a workspace that has just installed the app, or give it its new token."""
        self._told.clear()
        self._changed.set()
        row = installation.to_bot()
        for workspace in self._of(row):
            workspace.clients.use_token(str(row.bot_token))
        if row.team_id and row.team_id not in self._workspaces:
            await self._find(row.team_id, row.enterprise_id)

    async def _open(self, row: BotRow, team: str) -> Workspace:
        row = await self._fresh(row)
        organisation = str(row.enterprise_id or "")
        if not row.team_id:
            await self._shared.store.state.put(KNOWN, f"{team}:", organisation.encode())
        me = Identity(
            workspace=team,
            workspace_name=str(row.team_name or row.enterprise_name or ""),
            user=str(row.bot_user_id),
            bot=str(row.bot_id or ""),
            scopes=frozenset(row.bot_scopes or ()),
            app_id=str(row.app_id or ""),
            enterprise="" if row.team_id else organisation,
            organisation=organisation,
        )
        clients = self._clients.of(str(row.bot_token))
        opened = Workspace(self._shared, clients, me, self._removed, owner=team)
        await opened.start(self._loaded())
        self._workspaces[team] = opened
        self._changed.set()
        log.info("workspace_opened", workspace=team, organisation=organisation or None)
        names = [context.name for context in opened.library.all()]
        self._shared.tasks.start(self._shared.library.refresh(names))
        return opened

    async def _removed(self, workspace: Workspace) -> None:
        """Forget a workspace whose data is about to be erased; its organisation's token stays."""
        me = workspace.me
        self._workspaces.pop(me.workspace, None)
        if not me.enterprise:
            await self._rows.forget(me.workspace)

    async def _left_organisation(self, workspace: Workspace) -> None:
        """Stop to serve a workspace that its organisation's token does not reach any more."""
        me = workspace.me
        log.warning(
            "workspace_left_organisation",
            workspace=me.workspace,
            organisation=me.enterprise,
            why=f"the workspace is no longer in its organisation: install the app at {self._url}",
        )
        self._workspaces.pop(me.workspace, None)
        await workspace.stop(0.0)
        for context in workspace.library.all():
            self._shared.library.drop(context.name)
            self._shared.dropped(context.name)
        await self._shared.store.state.remove(KNOWN, f"{me.workspace}:")

    async def _lost_access(self, organisation: str, teams: Sequence[str]) -> None:
        """Erase the data of workspaces that the organisation's token does not reach any more."""
        for workspace in await self._open_known(organisation):
            if workspace.me.workspace in teams:
                log.warning(
                    "workspace_access_revoked",
                    workspace=workspace.me.workspace,
                    why="the organisation took the app out of it, or it has left the organisation:"
                    f" install the app at {self._url}",
                )
                await workspace.removal.forget_everything()

    async def _organisation_uninstalled(self, organisation: str) -> None:
        """Erase the data of every workspace of an organisation that removed the app."""
        log.warning("app_uninstalled", organisation=organisation)
        for workspace in await self._open_known(organisation):
            await workspace.removal.forget_everything()
        await self._rows.async_delete_all(enterprise_id=organisation, team_id=None)

    async def _open_known(self, organisation: str) -> list[Workspace]:
        """Return all workspaces of an organisation's installation, opened if another replica did.

        Slack tells one replica of a removal, and it may have opened none of them. The data must go
        all the same.
        """
        for team in await self._known_of(organisation):
            await self._find(team, organisation)
        return [w for w in self._workspaces.values() if w.me.enterprise == organisation]

    def _of(self, row: BotRow) -> list[Workspace]:
        """Return the open workspaces that use an installation's token."""
        if row.team_id:
            found = self._workspaces.get(row.team_id)
            return [found] if found is not None and not found.me.enterprise else []
        return [w for w in self._workspaces.values() if w.me.enterprise == row.enterprise_id]

    # --- tokens ---------------------------------------------------------------------------------

    async def keep_rotating(self) -> None:
        """Renew tokens in time, and take over those that other replicas renewed."""
        while True:
            self._changed.clear()
            pause = await self._rotate_all()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), pause)

    async def _rotate_all(self) -> float:
        """Return after how many seconds to look again."""
        pause = LOOK_SECONDS
        try:
            for row in await self._rows.all():
                fresh = await self._fresh(row)
                for workspace in self._of(fresh):
                    workspace.clients.use_token(str(fresh.bot_token))
                if fresh.bot_token_expires_at is not None:
                    left = fresh.bot_token_expires_at - time.time()
                    pause = min(pause, max(SHORTEST_SECONDS, left / 2))
        except ForewarmError as error:
            log.warning("tokens_not_read", why=error.user_message)
        return pause

    async def _fresh(self, row: BotRow) -> BotRow:
        """Return an installation whose token is good for a while: renewed if need be."""
        ends = row.bot_token_expires_at
        if ends is None or ends > time.time() + ROTATE_MINUTES * 60:
            return row
        leases = self._shared.store.leases
        name = f"rotate:{row.enterprise_id or ''}:{row.team_id or ''}"
        # A refresh token is good once: of all replicas, one may use it.
        lease = await leases.acquire(name, self._owner, LEASE_SECONDS)
        if lease is None:
            return row
        try:
            return await self._rotated(row)
        finally:
            await leases.release(lease)

    async def _rotated(self, row: BotRow) -> BotRow:
        key = (row.enterprise_id, row.team_id)
        try:
            if (kept := self._unsaved.get(key)) is None:
                stored = await self._rows.async_find_installation(
                    enterprise_id=row.enterprise_id,
                    team_id=row.team_id,
                    is_enterprise_install=not row.team_id,
                )
                if stored is None:
                    return row
                kept = await self._rotator.perform_token_rotation(
                    installation=stored, minutes_before_expiration=ROTATE_MINUTES
                )
                if kept is None:
                    current: BotRow = stored.to_bot()
                    return current
                # The old refresh token is spent: the new one must not get lost with a failed write.
                self._unsaved[key] = kept
            await self._rows.async_save(kept)
            del self._unsaved[key]
            log.info("token_rotated", workspace=row.team_id, organisation=row.enterprise_id)
            fresh: BotRow = kept.to_bot()
            return fresh
        except SlackTokenRotationError as error:
            log.error(
                "token_not_rotated",
                workspace=row.team_id,
                organisation=row.enterprise_id,
                error=_word_of(error),
                why=f"Slack refused to renew the token: install the app again at {self._url}",
            )
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            log.warning("token_not_stored", workspace=row.team_id, error=type(error).__name__)
        held = self._unsaved.get(key)
        return row if held is None else held.to_bot()


def _word_of(error: SlackTokenRotationError) -> str:
    cause: SlackApiError = error.api_error
    return str(cause.response.get("error"))


def _ids(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else []
