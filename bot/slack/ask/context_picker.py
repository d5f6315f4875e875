"""The question "which codebase?": a select under a question that could mean several. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bot.slack.ask.modal import option

ACTION = "choose_context"
PREFIX = "choose:"


def context_picker(question: str, names: Sequence[str]) -> list[dict[str, Any]]:
    """Return the blocks; the question's id travels in the block's id."""
    return [
        {
            "type": "actions",
            "block_id": f"{PREFIX}{question}",
            "elements": [
                {
                    "type": "static_select",
                    "action_id": ACTION,
                    "placeholder": {"type": "plain_text", "text": "Choose a codebase"},
                    "options": [option(name, name) for name in names[:100]],
                }
            ],
        }
    ]


def chosen(action: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return (question id, context name) of a choice, or None if it is not one of ours."""
    block, value = action.get("block_id"), (action.get("selected_option") or {}).get("value")
    if not isinstance(block, str) or not block.startswith(PREFIX) or not value:
        return None
    return block.removeprefix(PREFIX), str(value)
