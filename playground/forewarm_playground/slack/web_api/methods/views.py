"""`views.*`."""

from __future__ import annotations

from forewarm_playground.slack.errors import SlackError
from forewarm_playground.slack.ids import Json
from forewarm_playground.slack.interactions.modals import (
    find_view,
    open_modal,
    publish_home,
    push_modal,
    update_view,
)
from forewarm_playground.slack.json_shapes import view_shape
from forewarm_playground.slack.web_api.registry import Call, method


def _view(call: Call) -> Json:
    view = call.arguments.object("view")
    if view is None:
        raise SlackError("invalid_arguments", "[ERROR] missing required field: view")
    return view


@method("views.open", tier=4)
def open_view(call: Call) -> Json:
    """Open a modal."""
    content = _view(call)
    view = open_modal(call.state, call.bot, call.arguments.text("trigger_id"), content)
    return {"view": view_shape(call.state, view)}


@method("views.push", tier=4)
def push_view(call: Call) -> Json:
    """Put a modal on top of another."""
    content = _view(call)
    view = push_modal(call.state, call.bot, call.arguments.text("trigger_id"), content)
    return {"view": view_shape(call.state, view)}


@method("views.update", tier=4)
def update(call: Call) -> Json:
    """Replace a view."""
    view = find_view(
        call.state,
        call.arguments.optional("view_id"),
        call.arguments.optional("external_id"),
        call.bot.team,
    )
    update_view(call.state, view, _view(call), call.arguments.optional("hash"))
    return {"view": view_shape(call.state, view)}


@method("views.publish", tier=4)
def publish(call: Call) -> Json:
    """Set a person's Home tab."""
    view = publish_home(
        call.state,
        call.bot,
        call.arguments.text("user_id"),
        _view(call),
        call.arguments.optional("hash"),
    )
    return {"view": view_shape(call.state, view)}
