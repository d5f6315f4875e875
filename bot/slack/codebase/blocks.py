"""Blocks of the views of `/codebase`, and the reading of a sent form. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.stored import dump, load, parsed

View = dict[str, Any]
SECTION_LIMIT = 2900


@dataclass(frozen=True, slots=True)
class Place:
    """Which channel a view is about; travels in the view's metadata."""

    workspace: str
    channel: str
    name: str
    replaces: str | None = None
    draft: str | None = None

    def encode(self) -> str:
        return json.dumps(dump(self, defaults=False))


def place_of(view: Mapping[str, Any]) -> Place:
    """Return what a view is about. Raises `UnreadableValue` for other metadata."""
    return load(Place, parsed(view.get("private_metadata") or "{}", "Place"))


def modal(
    place: Place, callback: str, title: str, blocks: Sequence[View], submit: str | None = None
) -> View:
    view: View = {
        "type": "modal",
        "callback_id": callback,
        "title": plain(title),
        "close": plain("Close" if submit is None else "Cancel"),
        "private_metadata": place.encode(),
        "blocks": list(blocks),
    }
    return view | ({"submit": plain(submit)} if submit else {})


def plain(text: str) -> View:
    return {"type": "plain_text", "text": text}


def section(text: str) -> View:
    # Verbatim: an address that was given as a name becomes no link.
    shown = {"type": "mrkdwn", "text": text[:SECTION_LIMIT], "verbatim": True}
    return {"type": "section", "text": shown}


def note(text: str) -> View:
    return {"type": "context", "elements": [plain(text)]}


def button(text: str, action: str, value: str, style: str | None = None) -> View:
    button: View = {"type": "button", "text": plain(text), "action_id": action, "value": value}
    return button | ({"style": style} if style else {})


def text_input(
    key: str,
    label: str,
    value: str,
    *,
    multiline: bool = False,
    optional: bool = False,
    hint: str | None = None,
    placeholder: str | None = None,
) -> View:
    element: View = {"type": "plain_text_input", "action_id": key, "multiline": multiline}
    element |= {"initial_value": value} if value else {}
    element |= {"placeholder": plain(placeholder)} if placeholder else {}
    return labelled(key, label, element, optional, hint)


def number_input(
    key: str, label: str, value: float | None, *, decimal: bool, placeholder: float | str | None
) -> View:
    element: View = {
        "type": "number_input",
        "action_id": key,
        "is_decimal_allowed": decimal,
        "min_value": "0",
    }
    element |= {} if value is None else {"initial_value": _digits(value)}
    element |= {} if placeholder is None else {"placeholder": plain(_digits(placeholder))}
    return labelled(key, label, element, True, None)


def _digits(value: float | str) -> str:
    """Return a number as it reads back to the very same; words as they are."""
    return str(value).removesuffix(".0")


def labelled(key: str, label: str, element: View, optional: bool, hint: str | None) -> View:
    block: View = {
        "type": "input",
        "block_id": key,
        "label": plain(label),
        "element": element,
        "optional": optional,
    }
    return block | ({"hint": plain(hint[:2000])} if hint else {})


# --- reading -------------------------------------------------------------------------------------


def element_of(view: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    values = (view.get("state") or {}).get("values") or {}
    return (values.get(key) or {}).get(key) or {}


def value_of(view: Mapping[str, Any], key: str) -> str:
    return str(element_of(view, key).get("value") or "").strip()


def whole_of(view: Mapping[str, Any], key: str) -> int | None:
    value = decimal_of(view, key)
    return None if value is None else int(value)


def decimal_of(view: Mapping[str, Any], key: str) -> float | None:
    """Return a number that was entered, or None if it is none: no cap is infinite."""
    try:
        number = float(value_of(view, key))
    except ValueError:
        return None
    return number if math.isfinite(number) else None
