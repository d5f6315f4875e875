"""Modals and Home tabs: who may open one, how they stack, what their user has filled in."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TypeVar

from forewarm_playground.slack.delivery.types import Change
from forewarm_playground.slack.errors import SlackError
from forewarm_playground.slack.ids import Json
from forewarm_playground.slack.messages import blocks as kit
from forewarm_playground.slack.models import Installation, Trigger, View
from forewarm_playground.slack.state import State

STACK = 3
TRIGGER_MEMORY = 3600.0
"""How long an expired trigger is still told from one that never was, in seconds."""
VIEW_BYTES = 250_000

_INPUTS = (
    "plain_text_input",
    "rich_text_input",
    "static_select",
    "external_select",
    "users_select",
    "conversations_select",
    "channels_select",
    "multi_static_select",
    "multi_external_select",
    "multi_users_select",
    "multi_conversations_select",
    "multi_channels_select",
    "checkboxes",
    "radio_buttons",
    "datepicker",
    "timepicker",
    "datetimepicker",
    "email_text_input",
    "url_text_input",
    "number_input",
    "file_input",
)
_CHOICES = ("checkboxes", "radio_buttons", "overflow")
TEXT_INPUTS = ("plain_text_input", "email_text_input", "url_text_input", "number_input")


T = TypeVar("T")


def forget_old(held: dict[str, T], is_old: Callable[[T], bool]) -> None:
    """Drop the oldest entries of a dict that is in order of age, so that it stays small."""
    while held:
        first = next(iter(held))
        if not is_old(held[first]):
            return
        del held[first]


def mint_trigger(state: State, user: str, team: str) -> Trigger:
    """Return the right to open one view within three seconds."""
    at = state.now()
    ident = f"{state.ids.number()}.{round(at * 1000)}.{state.ids.next('').lower()}"
    trigger = Trigger(ident, user, team, at)
    state.triggers[ident] = trigger
    forget_old(state.triggers, lambda held: held.made_at < at - TRIGGER_MEMORY)
    return trigger


def take_trigger(state: State, ident: str) -> Trigger:
    """Use a trigger up.

    Refuses with `invalid_trigger_id`, `exchanged_trigger_id` or `expired_trigger_id`.
    """
    trigger = state.triggers.get(ident)
    if trigger is None:
        raise SlackError("invalid_trigger_id")
    if trigger.used:
        raise SlackError("exchanged_trigger_id")
    if state.now() - trigger.made_at > state.config.limits.trigger_seconds:
        raise SlackError("expired_trigger_id")
    trigger.used = True
    return trigger


def read_view(state: State, content: Json | None, kind: str | None = None) -> Json:
    """Return a view's content, checked and with ids, or refuse as `views.*` do."""
    if content is None:
        raise SlackError("invalid_arguments", "[ERROR] missing required field: view")
    if len(json.dumps(content).encode()) > VIEW_BYTES:
        raise SlackError("view_too_large")
    kit.check_view(content)
    if kind is not None and content["type"] != kind:
        raise SlackError(
            "invalid_arguments", f"[ERROR] type must be {kind} [json-pointer:/view/type]"
        )
    return {**content, "blocks": kit.with_ids(content["blocks"], state.ids)}


def _made(state: State, installation: Installation, user: str, content: Json) -> View:
    external = str(content.get("external_id") or "")
    if external and _by_external(state, installation.team, external):
        raise SlackError("duplicate_external_id")
    ident = state.ids.next("V")
    view = View(
        id=ident,
        team=installation.team,
        user=user,
        content=content,
        hash=_hash(state),
        root=ident,
        external_id=external,
        updated_at=state.now(),
    )
    view.values = initial_values(content, {})
    state.views[ident] = view
    return view


def _hash(state: State) -> str:
    return f"{int(state.now())}.{state.ids.next('').lower()}"


def _by_external(state: State, team: str, external: str) -> View | None:
    found = (v for v in state.views.values() if v.external_id == external and v.team == team)
    return next(found, None)


def open_modal(state: State, installation: Installation, trigger_id: str, content: Json) -> View:
    """Open a modal for the person behind a trigger, in place of any that is open."""
    checked = read_view(state, content, "modal")
    trigger = take_trigger(state, trigger_id)
    close_stack(state, trigger.user)
    view = _made(state, installation, trigger.user, checked)
    trigger.opened = view.id
    state.modals[trigger.user] = [view.id]
    state.publish(Change("view", user=trigger.user))
    return view


def push_modal(state: State, installation: Installation, trigger_id: str, content: Json) -> View:
    """Put a modal on top of the one in which the trigger arose; three at most."""
    checked = read_view(state, content, "modal")
    trigger = take_trigger(state, trigger_id)
    view = push_on(state, installation, trigger.user, checked)
    trigger.opened = view.id
    return view


def push_on(state: State, installation: Installation, user: str, content: Json) -> View:
    """Put checked content on top of a person's modals."""
    stack = state.modals[user]
    if not stack:
        raise SlackError("not_found")
    if len(stack) >= STACK:
        raise SlackError("push_limit_reached")
    view = _made(state, installation, user, content)
    view.root, view.previous = stack[0], stack[-1]
    stack.append(view.id)
    state.publish(Change("view", user=user))
    return view


def find_view(state: State, view_id: str | None, external_id: str | None, team: str) -> View:
    """Return a view by its id or the app's own name for it, or refuse with `not_found`."""
    view = state.views.get(view_id or "")
    if view is None and external_id:
        view = _by_external(state, team, external_id)
    if view is None or view.team != team:
        raise SlackError("not_found")
    return view


def update_view(state: State, view: View, content: Json, given_hash: str | None) -> View:
    """Replace a view's content; typed text stays if block and action keep their ids."""
    checked = read_view(state, content)
    if given_hash and given_hash != view.hash:
        raise SlackError("hash_conflict")
    view.content = checked
    view.hash = _hash(state)
    view.external_id = str(checked.get("external_id") or view.external_id)
    view.values = initial_values(checked, view.values)
    view.updated_at = state.now()
    state.publish(Change("home" if checked["type"] == "home" else "view", user=view.user))
    return view


def publish_home(
    state: State, installation: Installation, user: str, content: Json, given_hash: str | None
) -> View:
    """Set a person's Home tab."""
    if not state.config.app.home_tab:
        raise SlackError("not_enabled")
    checked = read_view(state, content, "home")
    state.user(user)
    held = state.homes.get((installation.team, user))
    if held is not None:
        return update_view(state, state.views[held], content, given_hash)
    view = _made(state, installation, user, checked)
    state.homes[installation.team, user] = view.id
    state.publish(Change("home", user=user))
    return view


def close_stack(state: State, user: str) -> None:
    """Forget every open modal of a person."""
    for ident in state.modals.pop(user, []):
        state.views.pop(ident, None)
    state.publish(Change("view", user=user))


def close_top(state: State, user: str) -> None:
    """Forget the topmost modal of a person."""
    stack = state.modals[user]
    if stack:
        state.views.pop(stack.pop(), None)
    state.publish(Change("view", user=user))


def inputs(content: Json) -> list[tuple[str, Json]]:
    """Return the stateful elements of a view or message with the ids of their blocks."""
    return [
        (str(block["block_id"]), element)
        for block in content.get("blocks", [])
        for element in kit.elements(block)
        if element.get("type") in _INPUTS
    ]


def initial_values(content: Json, held: dict[str, dict[str, Json]]) -> dict[str, dict[str, Json]]:
    """Return the state of a view's inputs: what `held` has for them, else their initial values."""
    values: dict[str, dict[str, Json]] = {}
    for block_id, element in inputs(content):
        action = str(element["action_id"])
        kept = held.get(block_id, {}).get(action)
        if kept is None or kept["type"] != element["type"]:
            kept = initial_value(element)
        values.setdefault(block_id, {})[action] = kept
    return values


def initial_value(element: Json) -> Json:
    """Return the state of an untouched element."""
    kind = element["type"]
    value: Json = {"type": kind}
    if kind in TEXT_INPUTS:
        value["value"] = element.get("initial_value")
    elif kind == "rich_text_input":
        value["rich_text_value"] = element.get("initial_value")
    elif kind.startswith("multi_") or kind == "checkboxes":
        value[_many_key(kind)] = element.get(f"initial_{_many_key(kind)[9:]}") or []
    else:
        key = single_key(kind)
        value[key] = element.get(key.replace("selected_", "initial_"))
    return value


def _many_key(kind: str) -> str:
    for name in ("users", "conversations", "channels"):
        if name in kind:
            return f"selected_{name}"
    return "selected_options"


def single_key(kind: str) -> str:
    """Return the member of an element's state that holds a single choice."""
    keys = {
        "users_select": "selected_user",
        "conversations_select": "selected_conversation",
        "channels_select": "selected_channel",
        "datepicker": "selected_date",
        "timepicker": "selected_time",
        "datetimepicker": "selected_date_time",
        "file_input": "files",
    }
    return keys.get(kind, "selected_option")


def filled(element: Json, given: object, offered: Sequence[Json] = ()) -> Json:
    """Return the state of an element into which a person put `given`.

    Text for text inputs, an option's value (or the option) for menus, an id for pickers, a list of
    them if several may be chosen. `offered` are the options of an external menu. Refuses with
    `no_such_option`.
    """
    kind = element["type"]
    value: Json = {"type": kind}
    if kind in TEXT_INPUTS:
        value["value"] = str(given) if given not in (None, "") else None
    elif kind == "rich_text_input":
        value["rich_text_value"] = given if isinstance(given, dict) else _rich(str(given))
    elif kind.startswith("multi_") or kind == "checkboxes":
        chosen = given if isinstance(given, list) else [given]
        value[_many_key(kind)] = [_choice(element, item, offered) for item in chosen]
    else:
        value[single_key(kind)] = None if given is None else _choice(element, given, offered)
    return value


def _rich(text: str) -> Json:
    section = {"type": "rich_text_section", "elements": [{"type": "text", "text": text}]}
    return {"type": "rich_text", "elements": [section]}


def _choice(element: Json, given: object, offered: Sequence[Json]) -> object:
    if "select" not in element["type"] and element["type"] not in _CHOICES:
        return given
    if any(name in element["type"] for name in ("users", "conversations", "channels")):
        return given
    if isinstance(given, dict):
        return given
    options = [*element.get("options", []), *offered]
    for group in element.get("option_groups", []):
        options += group.get("options", [])
    for option in options:
        if option.get("value") == given:
            return option
    raise SlackError("no_such_option")


def is_empty(value: Json) -> bool:
    """Tell whether an element's state holds nothing."""
    return all(not held for key, held in value.items() if key != "type")
