"""Push webhooks: if a git host says that a repository moved, it is fetched at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from bot.clock import Now
from bot.context.errors import WebhookError
from bot.context.git.webhook import HOOKS, Hook, Push
from bot.http_entry import BodyRefused, Refusals, read_body
from bot.settings import Settings

MOST_BYTES = 4 * 1024**2
"""GitHub sends up to 2,048 commits with a push, about 1 MiB."""

ADVICE = {
    "github_refused": "pushes were not signed with GITHUB_WEBHOOK_SECRET, so they are fetched"
    " later, by the timer: type the same secret at the webhook on GitHub",
    "gitlab_refused": "pushes did not carry GITLAB_WEBHOOK_TOKEN, so they are fetched later, by the"
    " timer: type the same token at the webhook on GitLab",
    "bitbucket_refused": "pushes were not signed with BITBUCKET_WEBHOOK_SECRET, so they are fetched"
    " later, by the timer: type the same secret at the webhook on Bitbucket",
    "gitea_refused": "pushes were not signed with GITEA_WEBHOOK_SECRET, so they are fetched later,"
    " by the timer: type the same secret at the webhook on Gitea",
    "azure_refused": "pushes did not carry AZURE_WEBHOOK_PASSWORD, so they are fetched later, by"
    " the timer: type the same password at the service hook on Azure DevOps",
}
"""The words for operators about refused pushes."""

Pushed = Callable[[Push], Awaitable[None]]


class PushEntry:
    """The webhooks of the git hosts whose secret is set. The other routes do not exist."""

    def __init__(self, settings: Settings, pushed: Pushed, now: Now) -> None:
        self._settings = settings
        self._pushed = pushed
        self.refusals = Refusals("webhooks_refused", now, ADVICE.get)

    def routes(self) -> list[web.RouteDef]:
        """Return one route for each git host."""
        secrets = self._settings.webhook_secrets
        return [self._route(host, secret, HOOKS[host]) for host, secret in secrets.items()]

    def _route(self, host: str, secret: str, hook: Hook) -> web.RouteDef:
        async def take(request: web.Request) -> web.Response:
            try:
                body = await read_body(request, MOST_BYTES)
                hook.verify(secret, body, request.headers)
                push = hook.parse(body, request.headers)
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
