"""The form of a channel's settings, filled in with the settings in force. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from bot.slack.codebase.blocks import (
    Place,
    View,
    decimal_of,
    element_of,
    labelled,
    modal,
    number_input,
    plain,
    section,
    text_input,
    value_of,
    whole_of,
)
from bot.slack.codebase.edits import SETTINGS, SettingsEdit
from bot.slack.escape import escape_mrkdwn

CALLBACK = "codebase_settings"
LABELS: Mapping[str, str] = {
    "model": "Model",
    "instructions": "Instructions for this channel",
    "budget_tokens": "Budget of the codebase, tokens",
    "answers_daily_usd": "Answers a day, USD",
    "warm_daily_usd": "Warmth a day, USD",
    "user_per_hour": "Questions of one person an hour",
    "mode": "When to answer",
    "guests": "Guests may ask",
    "external": "People of other organisations may ask",
    "answer_drafts": "Start on the answer while the question is being typed",
}
AUTO_BUDGET = "chosen by size"
SWITCHES = ("guests", "external", "answer_drafts")
MODES = {"mentions": "Answer when mentioned", "questions": "Answer unmentioned questions too"}


def settings_form(
    place: Place, shown: SettingsEdit, defaults: SettingsEdit, fixed: Collection[str] = ()
) -> View:
    """Return the form of everything but the repositories, filled in with what counts now.

    Keys that a file sets are shown and cannot be entered; `fixed` holds them. An emptied field
    shows the default.
    """
    decided = [field for field, key in SETTINGS.items() if key in fixed]
    free = [field for field in SETTINGS if field not in decided]
    inputs = [_setting(field, shown, defaults) for field in free if field not in SWITCHES]
    switches = [field for field in free if field in SWITCHES]
    inputs += [_switches(shown, switches)] if switches else []
    told = [section(_decided(decided, shown))] if decided else []
    submit = "Preview" if inputs else None
    return modal(place, CALLBACK, "Settings", [*told, *inputs], submit=submit)


def _setting(field: str, shown: SettingsEdit, defaults: SettingsEdit) -> View:
    label, value = LABELS[field], getattr(shown, field)
    if field == "mode":
        return _mode(label, value or "mentions")
    if field in ("model", "instructions"):
        long, falls_back = field == "instructions", getattr(defaults, field)
        return text_input(
            field, label, value or "", multiline=long, optional=True, placeholder=falls_back
        )
    decimal, placeholder = field.endswith("_usd"), getattr(defaults, field)
    if field == "budget_tokens" and placeholder is None:
        placeholder = AUTO_BUDGET
    return number_input(field, label, value, decimal=decimal, placeholder=placeholder)


def _decided(fields: Sequence[str], shown: SettingsEdit) -> str:
    lines = [
        f"*{LABELS[field]}*: {escape_mrkdwn(_format_value(getattr(shown, field)))}"
        for field in fields
    ]
    return "\n".join(["_Set in a file, and changed there:_", *lines])


def _format_value(value: Any) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case int() | float():
            return f"{value:,}".removesuffix(".0")
        case _:
            return MODES.get(value, str(value)[:300]) if value else "none"


def read_settings(view: Mapping[str, Any]) -> SettingsEdit:
    """Return what the settings form holds."""
    switched = {
        option.get("value") for option in element_of(view, "switches").get("selected_options") or ()
    }
    mode = (element_of(view, "mode").get("selected_option") or {}).get("value")
    return SettingsEdit(
        model=value_of(view, "model") or None,
        instructions=value_of(view, "instructions"),
        budget_tokens=whole_of(view, "budget_tokens"),
        mode=mode,
        answers_daily_usd=decimal_of(view, "answers_daily_usd"),
        warm_daily_usd=decimal_of(view, "warm_daily_usd"),
        user_per_hour=whole_of(view, "user_per_hour"),
        guests="guests" in switched,
        external="external" in switched,
        answer_drafts="answer_drafts" in switched,
    )


def _mode(label: str, mode: str) -> View:
    options = [{"text": plain(text), "value": value} for value, text in MODES.items()]
    initial = next(o for o in options if o["value"] == mode)
    element = {
        "type": "static_select",
        "action_id": "mode",
        "options": options,
        "initial_option": initial,
    }
    return labelled("mode", label, element, False, None)


def _switches(shown: SettingsEdit, fields: Sequence[str]) -> View:
    options = [{"text": plain(LABELS[field]), "value": field} for field in fields]
    on = [option for option in options if getattr(shown, str(option["value"]))]
    element: View = {"type": "checkboxes", "action_id": "switches", "options": options}
    element |= {"initial_options": on} if on else {}
    return labelled("switches", "Access and speed", element, True, None)
