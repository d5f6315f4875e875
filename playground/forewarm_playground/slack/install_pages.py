"""Slack's pages on which a person allows an app: who they are, where it is to be installed.

There is no signing in: the page asks which person sits before the browser.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from urllib.parse import urlencode

from aiohttp import web

from forewarm_playground.slack.errors import SlackError
from forewarm_playground.slack.installation import allow, may_install, places
from forewarm_playground.slack.state import State

PATH = "/oauth/v2/authorize"


def add_install_pages(app: web.Application, state: State) -> None:
    """Serve the page and take what is pressed on it."""

    async def ask(request: web.Request) -> web.Response:
        if request.query.get("client_id") != state.config.app.client_id:
            return web.Response(status=400, text="invalid_client_id")
        return web.Response(content_type="text/html", text=_page(state, request.query))

    async def answer(request: web.Request) -> web.Response:
        form = {**request.query, **{k: str(v) for k, v in (await request.post()).items()}}
        redirect = form.get("redirect_uri") or next(iter(state.config.app.redirect_urls), "")
        place = form.get("team") or form.get("place") or state.home_team
        user = form.get("user") or _installer(state, place)
        if not form.get("allow") or not may_install(state, user, place):
            raise web.HTTPFound(_back(redirect, form, error="access_denied"))
        scopes = tuple(scope for scope in form.get("scope", "").split(",") if scope)
        try:
            code = allow(state, place=place, user=user, scopes=scopes, redirect_uri=redirect)
        except SlackError as refusal:
            return web.Response(status=400, text=refusal.code)
        raise web.HTTPFound(_back(redirect, form, code=code))

    app.router.add_get(PATH, ask)
    app.router.add_post(PATH, answer)


def _installer(state: State, place: str) -> str:
    """Return a person who may install the app in a place, the first in the configuration."""
    return next((id for id in state.users if may_install(state, id, place)), "")


def _back(redirect: str, form: Mapping[str, str], **result: str) -> str:
    mark = "&" if "?" in redirect else "?"
    return f"{redirect}{mark}{urlencode({**result, 'state': form.get('state', '')})}"


def _page(state: State, query: Mapping[str, str]) -> str:
    app = state.config.app
    hidden = "".join(
        f'<input type="hidden" name="{escape(key)}" value="{escape(value)}">'
        for key, value in query.items()
    )
    scopes = "".join(f"<li>{escape(scope)}</li>" for scope in query.get("scope", "").split(","))
    people = [(user.id, user.real_name) for user in state.users.values() if not user.is_bot]
    return (
        f'<!doctype html><html lang="en"><title>Install {escape(app.name)}</title>'
        f"<h1>{escape(app.name)} asks for access</h1><ul>{scopes}</ul>"
        f'<form method="post">{hidden}'
        f'<label>You are <select name="user">{_options(people)}</select></label>'
        f'<label>Install in <select name="place">{_options(places(state))}</select></label>'
        '<button name="allow" value="1">Allow</button>'
        '<button name="allow" value="">Cancel</button></form></html>'
    )


def _options(named: Iterable[tuple[str, str]]) -> str:
    return "".join(
        f'<option value="{escape(id)}">{escape(name)} ({escape(id)})</option>' for id, name in named
    )
