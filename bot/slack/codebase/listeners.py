"""The listeners of `/codebase`: one event, one domain call."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.context.errors import UrlError
from bot.context.git.urls import parse_url
from bot.slack.codebase import settings_form
from bot.slack.codebase import views as views
from bot.slack.codebase.blocks import place_of
from bot.slack.codebase.command import Codebase
from bot.slack.events.parse import workspace_of
from bot.slack.router import Router

Body = dict[str, Any]
BUTTONS = re.compile(f"^({views.ADD}|{views.CHANGE}|{views.OPEN_SETTINGS})$")


def register_codebase(app: AsyncApp, codebase: Codebase, desk: Router) -> None:
    @app.command("/codebase")
    async def command(ack: AsyncAck, body: Body) -> None:
        await ack()
        await codebase.command(
            workspace_of(body),
            body["channel_id"],
            body["user_id"],
            body["trigger_id"],
            str(body.get("text") or ""),
        )

    @app.action(BUTTONS)
    async def pressed(ack: AsyncAck, body: Body, action: Mapping[str, Any]) -> None:
        await ack()
        if not body.get("view"):
            return
        chosen = action.get("selected_option") or action
        what = str(chosen.get("value") or "")
        await codebase.open_form(body["user"]["id"], body["trigger_id"], body["view"], what)

    @app.view(views.REPOSITORY)
    async def repository(ack: AsyncAck, body: Body, view: Mapping[str, Any]) -> None:
        problem = _address_problem(views.read_repository(view, None).url)
        if problem is not None:
            await ack(response_action="errors", errors={"url": problem})
            return
        await ack(response_action="update", view=views.working_view(place_of(view)))
        desk.tasks.start(codebase.submit_repository(body["user"]["id"], view, str(view["id"])))

    @app.view(settings_form.CALLBACK)
    async def settings(ack: AsyncAck, body: Body, view: Mapping[str, Any]) -> None:
        await ack(response_action="update", view=views.working_view(place_of(view)))
        desk.tasks.start(codebase.submit_settings(body["user"]["id"], view, str(view["id"])))

    @app.view(views.SAVE)
    async def save(ack: AsyncAck, body: Body, view: Mapping[str, Any]) -> None:
        # Saving builds the context, for which three seconds may be too few.
        await ack(response_action="update", view=views.saving_view(place_of(view)))
        desk.tasks.start(codebase.save(body["user"]["id"], view, str(view["id"])))


def _address_problem(url: str) -> str | None:
    try:
        parse_url(url)
    except UrlError as error:
        return error.user_message
    return None
