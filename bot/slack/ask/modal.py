"""The ask-modal: its views and what it says when it is typed into and submitted. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bot.stored import UnreadableValue, dump, load

View = dict[str, Any]
CALLBACK = "ask"
QUESTION_BLOCK, QUESTION_ACTION = "question", "draft"
CONTEXT_BLOCK, CONTEXT_ACTION = "context", "context"
PLACE_BLOCK, PLACE_ACTION = "place", "place"
HERE, PRIVATELY = "here", "dm"
QUESTION_LIMIT = 3000  # what plain_text_input takes
OPTION_TEXT = 75
METADATA_LIMIT = 3000  # of private_metadata
CUT = "\n[… the rest of this message is left out …]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The origin of the modal: the facts that its submission needs, carried by the view.

    `thread` is set by the message shortcut alone: a slash command and a global shortcut know of
    no thread (docs/platform/slack.md#interaction-payloads). `quote` is what the shortcut's message
    says, `author` the id of who wrote it.
    """

    channel: str | None = None
    thread: str | None = None
    quote: str | None = None
    author: str | None = None

    def encode(self) -> str:
        """Return the origin for `private_metadata`, with as much of the quote as fits there."""
        quote = self.quote or ""
        while len(encoded := self._encoded(quote)) > METADATA_LIMIT:
            # A character may take six in JSON, so the length is only known afterwards.
            over = len(encoded) - METADATA_LIMIT
            quote = quote[: min(len(quote) - 1, len(quote) - over // 6 - 1)]
        return encoded

    def _encoded(self, quote: str) -> str:
        shortened = quote and quote != self.quote
        carried = replace(self, quote=(quote + CUT if shortened else quote) or None)
        # Version 0.1.0 refuses a field that it does not know, so what is not set is left out.
        return json.dumps(dump(carried, defaults=False), ensure_ascii=False)


def origin_of(view: Mapping[str, Any]) -> Origin:
    """Return the origin of a view; one without metadata has an empty origin."""
    try:
        return load(Origin, json.loads(view.get("private_metadata") or "{}"))
    except (ValueError, UnreadableValue):
        return Origin()


def skeleton(origin: Origin) -> View:
    """Return the view that opens at once: a trigger lives three seconds, look-ups may not."""
    return _frame(origin, [_note("Looking up which code you can ask about…")], submit=False)


def nothing_to_ask(origin: Origin) -> View:
    """Return the view for a person who may ask about nothing."""
    text = (
        "There is no code you can ask about yet. Ask in a channel that I was invited to, or have"
        " one attached there with /codebase."
    )
    return _frame(origin, [_note(text)], submit=False)


def ask(
    origin: Origin,
    contexts: Sequence[tuple[str, str]],
    chosen: str,
    *,
    channel_name: str | None,
    draft: str = "",
    drafts_are_sent: bool = False,
) -> View:
    """Return the full modal. `contexts` are (name, label) pairs, `chosen` one of the names."""
    blocks = [_picker(contexts, chosen), _question(draft)]
    if origin.thread is None and channel_name is not None:
        blocks.append(_place_input(channel_name))
    if origin.thread is not None:
        blocks.append(_note(_readers(channel_name)))
    if drafts_are_sent:
        blocks.append(_note("While you pause, your draft is sent to start on the answer early."))
    return _frame(origin, blocks, submit=True)


def _readers(channel_name: str | None) -> str:
    """Return who will be able to read an answer that is given in a thread."""
    place = f"#{channel_name}" if channel_name else "this conversation"
    return (
        f"The answer is posted in the thread: all people in {place} can read it, guests included,"
        " also if they may not ask about this code."
    )


def _frame(origin: Origin, blocks: list[View], *, submit: bool) -> View:
    view: View = {
        "type": "modal",
        "callback_id": CALLBACK,
        "title": _plain_text("Ask the codebase"),
        "close": _plain_text("Cancel"),
        "notify_on_close": True,
        "private_metadata": origin.encode(),
        "blocks": blocks,
    }
    return view | {"submit": _plain_text("Ask")} if submit else view


def _picker(contexts: Sequence[tuple[str, str]], chosen: str) -> View:
    options = [option(label, name) for name, label in contexts[:100]]
    initial = next((o for o in options if o["value"] == chosen), options[0])
    return {
        "type": "input",
        "block_id": CONTEXT_BLOCK,
        "dispatch_action": True,
        "label": _plain_text("About"),
        "element": {
            "type": "static_select",
            "action_id": CONTEXT_ACTION,
            "options": options,
            "initial_option": initial,
        },
    }


def _question(draft: str) -> View:
    element: View = {
        "type": "plain_text_input",
        "action_id": QUESTION_ACTION,
        "multiline": True,
        "focus_on_load": True,
        "max_length": QUESTION_LIMIT,
        "placeholder": _plain_text("How does …?"),
        "dispatch_action_config": {"trigger_actions_on": ["on_character_entered"]},
    }
    if draft:
        element["initial_value"] = draft[:QUESTION_LIMIT]
    return {
        "type": "input",
        "block_id": QUESTION_BLOCK,
        "dispatch_action": True,
        "label": _plain_text("Your question"),
        "element": element,
    }


def _place_input(channel_name: str) -> View:
    options = [option(f"In #{channel_name}", HERE), option("Only to me, in a DM", PRIVATELY)]
    return {
        "type": "input",
        "block_id": PLACE_BLOCK,
        "label": _plain_text("Answer"),
        "element": {
            "type": "static_select",
            "action_id": PLACE_ACTION,
            "options": options,
            "initial_option": options[0],
        },
    }


def option(label: str, value: str) -> View:
    """Return a select's option; Slack takes 75 characters of text and 150 of value."""
    short = label if len(label) <= OPTION_TEXT else label[: OPTION_TEXT - 1] + "…"
    return {"text": _plain_text(short), "value": value}


def _plain_text(text: str) -> View:
    return {"type": "plain_text", "text": text, "emoji": False}


def _note(text: str) -> View:
    return {"type": "context", "elements": [_plain_text(text)]}


# --- reading it back ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Entered:
    """The present content of the modal's fields."""

    question: str
    context: str | None
    privately: bool


def entered(view: Mapping[str, Any]) -> Entered:
    """Return what a modal holds, from its state."""
    values = (view.get("state") or {}).get("values") or {}
    question = (values.get(QUESTION_BLOCK) or {}).get(QUESTION_ACTION) or {}
    return Entered(
        question=str(question.get("value") or ""),
        context=_selected(values, CONTEXT_BLOCK, CONTEXT_ACTION),
        privately=_selected(values, PLACE_BLOCK, PLACE_ACTION) == PRIVATELY,
    )


def _selected(values: Mapping[str, Any], block: str, action: str) -> str | None:
    chosen = ((values.get(block) or {}).get(action) or {}).get("selected_option") or {}
    value = chosen.get("value")
    return str(value) if value else None
