"""Push webhooks: if a git host says that a repository moved, it is fetched at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from bot.clock import Now
from bot.context.errors import WebhookError
from bot.context.git.webhook import (
    Push,
    parse_github,
    parse_gitlab,
    verify_github,
    verify_gitlab,
)
from bot.http_entry import BodyRefused, Refusals, read_body
from bot.settings import Settings

MOST_BYTES = 4 * 1024**2
"""GitHub sends up to 2,048 commits with a push, about 1 MiB."""

ADVICE = {
    "github_refused": "pushes were not signed with GITHUB_WEBHOOK_SECRET, so they are fetched"
    " later, by the timer: type the same secret at the webhook on GitHub",
    "gitlab_refused": "pushes did not carry GITLAB_WEBHOOK_TOKEN, so they are fetched later, by the"
    " timer: type the same token at the webhook on GitLab",
}
"""What operators are told about refused pushes."""

Pushed = Callable[[Push], Awaitable[None]]
Verify = Callable[[str, bytes, Mapping[str, str]], None]
Parse = Callable[[bytes, Mapping[str, str]], "Push | None"]


class PushEntry:
    """The webhooks of the git hosts whose secret is set. The other routes do not exist."""

    def __init__(self, settings: Settings, pushed: Pushed, now: Now) -> None:
        self._settings = settings
        self._pushed = pushed
        self.refusals = Refusals("webhooks_refused", now, ADVICE.get)

    def routes(self) -> list[web.RouteDef]:
        """Return one route for each git host."""
        routes = []
        github, gitlab = self._settings.github_webhook_secret, self._settings.gitlab_webhook_token
        if github is not None:
            secret = github.get_secret_value()
            routes.append(self._route("github", secret, verify_github, parse_github))
        if gitlab is not None:
            token = gitlab.get_secret_value()
            routes.append(self._route("gitlab", token, verify_gitlab, parse_gitlab))
        return routes

    def _route(self, host: str, secret: str, verify: Verify, parse: Parse) -> web.RouteDef:
        async def take(request: web.Request) -> web.Response:
            try:
                body = await read_body(request, MOST_BYTES)
                verify(secret, body, request.headers)
                push = parse(body, request.headers)
            except BodyRefused as refused:
                self.refusals.count(f"{host}_{refused.reason}")
                return web.Response(status=refused.status)
            except WebhookError as error:
                self.refusals.count(f"{host}_refused")
                return web.json_response({"ok": False, "error": error.user_message}, status=401)
            if push is not None:
                await self._pushed(push)
            return web.json_response({"ok": True}, status=202)

        return web.post(f"/webhooks/{host}", take)
