"""The pages on which a workspace or an organisation installs the app: Bolt's OAuth flow.

Bolt checks state and cookie, and exchanges the code. Here are the states' storage, the list of
workspaces that may install the app, and one sentence for each way in which it can fail.
"""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Awaitable, Callable, Sequence
from html import escape
from typing import Any

import aiohttp
import structlog
from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.error import BoltError
from slack_bolt.oauth.async_callback_options import (
    AsyncCallbackOptions,
    AsyncFailureArgs,
    AsyncSuccessArgs,
)
from slack_bolt.oauth.async_oauth_flow import AsyncOAuthFlow
from slack_bolt.oauth.async_oauth_settings import AsyncOAuthSettings
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.errors import SlackApiError
from slack_sdk.oauth.installation_store import Installation
from slack_sdk.oauth.state_store.async_state_store import AsyncOAuthStateStore
from slack_sdk.web.async_client import AsyncWebClient
from sqlalchemy.exc import SQLAlchemyError

from bot.app.workspaces.workspace import OAUTH_STATES
from bot.clock import Now
from bot.errors import ForewarmError
from bot.settings import ANY_WORKSPACE, Settings
from bot.slack.manifest import INSTALL_PATH, REDIRECT_PATH, Features, scopes
from bot.store.errors import StoreError
from bot.store.key_value import State

log = structlog.get_logger(__name__)

STATE_SECONDS = 600
LONGEST_REASON = 80

REASONS = {
    "access_denied": "Slack did not allow the installation. Press Allow; if Slack offers no such"
    " button, you may not install apps here: ask an admin of the workspace or organisation to"
    " approve {app} or to install it from this page.",
    "invalid_browser": "This installation was begun in another browser, or this one takes no"
    " cookies: begin it again here, in this browser, with cookies on.",
    "invalid_state": "This installation was finished already, or it was begun more than 10 minutes"
    " ago: begin it again here.",
    "missing_code": "Slack sent no code for the installation: begin it again here.",
    "invalid_code": "Slack did not accept the code of this installation: begin it again here; if"
    " that does not help, an operator must check SLACK_CLIENT_ID and SLACK_CLIENT_SECRET.",
    "invalid_team_for_non_distributed_app": "The app may be installed only in the workspace that"
    " made it: its owner must activate public distribution under Manage Distribution at"
    " api.slack.com/apps.",
    "storage_error": "The installation could not be stored: try again in a minute, and if it"
    " fails again, look for this moment in the bot's log.",
}


class NotListed(BoltError):
    """A workspace that is not in FOREWARM_WORKSPACES has installed the app."""

    def __init__(self, id: str, name: str) -> None:
        super().__init__(
            f"{name or id} ({id}) is not in the list of those that may use this bot: an operator"
            f" must add {id} to FOREWARM_WORKSPACES."
        )


class StoredStates(AsyncOAuthStateStore):
    """OAuth states over our store: good for ten minutes, and once, at whichever replica."""

    def __init__(self, state: State, now: Now) -> None:
        self._state = state
        self._now = now

    async def async_issue(self, *args: Any, **kwargs: Any) -> str:
        """Return a new state."""
        issued = uuid.uuid4().hex
        await self._state.put(OAUTH_STATES, issued, json.dumps(self._now()).encode())
        return issued

    async def async_consume(self, state: str) -> bool:
        """Use a state up; return whether it was good."""
        known = await self._state.look(OAUTH_STATES, state)
        if known is None or known.version != 1:
            return False
        used = await self._state.swap(OAUTH_STATES, state, uuid.uuid4().bytes, known.version)
        return used and self._now() <= json.loads(known.value) + STATE_SECONDS


class InstallFlow(AsyncOAuthFlow):
    """Bolt's flow for the listed workspaces. `installed` is called after each installation."""

    def __init__(
        self,
        settings: Settings,
        client: AsyncWebClient,
        installations: Any,
        states: StoredStates,
        installed: Callable[[Installation], Awaitable[None]],
    ) -> None:
        assert settings.slack_client_secret is not None  # by `require_slack`
        logger = logging.getLogger("slack_sdk.forewarm.oauth")
        # Below ERROR it logs codes, and requests with them.
        logger.setLevel(logging.ERROR)
        super().__init__(
            client=client,
            logger=logger,
            settings=AsyncOAuthSettings(
                client_id=settings.slack_client_id,
                client_secret=settings.slack_client_secret.get_secret_value(),
                scopes=[ask.name for ask in scopes(Features())],
                redirect_uri=settings.public_url.rstrip("/") + REDIRECT_PATH,
                install_path=INSTALL_PATH,
                redirect_uri_path=REDIRECT_PATH,
                authorization_url=authorization_url(settings.slack_api_url),
                installation_store=installations,
                state_store=states,
                state_expiration_seconds=STATE_SECONDS,
                callback_options=AsyncCallbackOptions(self._succeeded, self._failed),
                logger=logger,
            ),
        )
        self._listed = frozenset(settings.workspaces)
        self._installed = installed

    def routes(self) -> list[web.RouteDef]:
        """Return the two pages."""
        return [
            web.get(INSTALL_PATH, self._page(self.handle_installation)),
            web.get(REDIRECT_PATH, self._page(self.handle_callback)),
        ]

    def _page(
        self, handle: Callable[[AsyncBoltRequest], Awaitable[BoltResponse]]
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def page(request: web.Request) -> web.Response:
            try:
                reply = await handle(await to_bolt_request(request))
            except StoreError as error:
                log.warning("installation_not_stored", why=error.user_message)
                reply = self._refusal("storage_error", 503)
            response = await to_aiohttp_response(reply)
            # The address holds the code, and no other site is to see or frame the page.
            response.headers["Referrer-Policy"] = "no-referrer"
            response.headers["X-Frame-Options"] = "DENY"
            return response

        return page

    async def run_installation(self, code: str) -> Installation | None:
        """Exchange the code; return None if Slack does not accept it or cannot be reached."""
        try:
            return await super().run_installation(code)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            log.warning("installation_code_not_exchanged", error=type(error).__name__)
            return None

    async def store_installation(
        self, request: AsyncBoltRequest, installation: Installation
    ) -> None:
        """Store an installation and begin to serve it. Raises `BoltError` if it may not be."""
        by_org = bool(installation.is_enterprise_install)
        id = (installation.enterprise_id if by_org else installation.team_id) or ""
        name = (installation.enterprise_name if by_org else installation.team_name) or ""
        if not self._listed & {ANY_WORKSPACE, id, installation.enterprise_id}:
            await self._give_back(installation)
            raise NotListed(id, name)
        try:
            await super().store_installation(request, installation)
        except SQLAlchemyError as error:
            raise BoltError(type(error).__name__) from error
        log.info("app_installed", id=id, name=name, by=installation.user_id, whole_org=by_org)
        try:
            await self._installed(installation)
        except ForewarmError as error:
            # It is stored: the workspace is opened with its first event.
            log.warning("installation_not_opened", id=id, why=error.user_message)

    async def _give_back(self, installation: Installation) -> None:
        """Revoke a token that is not to be used."""
        try:
            await self.client.auth_revoke(token=installation.bot_token)
        except (SlackApiError, aiohttp.ClientError, TimeoutError, OSError) as error:
            log.warning("token_not_revoked", error=type(error).__name__)

    async def _succeeded(self, args: AsyncSuccessArgs) -> BoltResponse:
        return await self.default_callback_options.success(args)

    async def _failed(self, args: AsyncFailureArgs) -> BoltResponse:
        log.warning("installation_refused", reason=args.reason[:LONGEST_REASON])
        if isinstance(args.error, NotListed):
            return self._refusal(args.reason, 403, str(args.error))
        return self._refusal(args.reason, args.suggested_status_code)

    def _refusal(self, reason: str, status: int, sentence: str = "") -> BoltResponse:
        known = REASONS.get(reason)
        told = sentence or (known or "Slack refused the installation ({reason}): begin it again.")
        told = told.replace("{app}", "Forewarm").replace("{reason}", reason[:LONGEST_REASON])
        page = (
            '<!doctype html><html lang="en"><meta charset="utf-8"><title>Not installed</title>'
            f'<h1>Not installed</h1><p id="reason">{escape(told)}</p>'
            f'<p><a href="{INSTALL_PATH}">Begin again</a></p></html>'
        )
        headers: dict[str, str | Sequence[str]] = {
            "Content-Type": "text/html; charset=utf-8",
            "Set-Cookie": self.settings.state_utils.build_set_cookie_for_deletion(),
        }
        return BoltResponse(status=status, body=page, headers=headers)


def authorization_url(api_url: str) -> str:
    """Return the address of Slack's page that asks the person to allow the app."""
    return api_url.rstrip("/").removesuffix("/api") + "/oauth/v2/authorize"
