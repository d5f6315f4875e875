"""Push webhooks: a signed word from a host that a repository moved, so it is fetched at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web

from bot.context.errors import WebhookError
from bot.context.git.webhook import (
    Push,
    parse_github,
    parse_gitlab,
    verify_github,
    verify_gitlab,
)
from bot.settings import Settings

log = structlog.get_logger(__name__)

Pushed = Callable[[Push], Awaitable[None]]


def push_routes(settings: Settings, pushed: Pushed) -> list[web.RouteDef]:
    """Return the routes for the hosts whose secret is set; the others do not exist."""
    routes = []
    if settings.github_webhook_secret is not None:
        secret = settings.github_webhook_secret.get_secret_value()

        async def github(request: web.Request) -> web.Response:
            body = await request.read()
            try:
                verify_github(secret, body, request.headers)
                return await _told(parse_github(body, request.headers), pushed)
            except WebhookError as error:
                return _refused("github", error)

        routes.append(web.post("/webhooks/github", github))
    if settings.gitlab_webhook_token is not None:
        token = settings.gitlab_webhook_token.get_secret_value()

        async def gitlab(request: web.Request) -> web.Response:
            body = await request.read()
            try:
                verify_gitlab(token, body, request.headers)
                return await _told(parse_gitlab(body, request.headers), pushed)
            except WebhookError as error:
                return _refused("gitlab", error)

        routes.append(web.post("/webhooks/gitlab", gitlab))
    return routes


async def _told(push: Push | None, pushed: Pushed) -> web.Response:
    if push is not None:
        await pushed(push)
    return web.json_response({"ok": True}, status=202)


def _refused(host: str, error: WebhookError) -> web.Response:
    log.warning("push_refused", host=host, why=error.user_message)
    return web.json_response({"ok": False, "error": error.user_message}, status=401)
