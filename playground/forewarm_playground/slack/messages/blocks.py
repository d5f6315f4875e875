"""Slack's checks of Block Kit: kinds, sizes, places, unique ids.

Source: docs/platform/slack.md#message-limits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from forewarm_playground.slack.errors import SlackError
from forewarm_playground.slack.ids import Ids, Json

MESSAGE_BLOCKS = 50
VIEW_BLOCKS = 100
ALL_TEXT = 13_200
MARKDOWN_TEXT = 12_000

_BOTH = {"section", "header", "divider", "context", "actions", "image", "video", "rich_text"}
_MESSAGE = _BOTH | {
    "markdown",
    "table",
    "file",
    "context_actions",
    "task_card",
    "plan",
    "alert",
    "card",
    "carousel",
    "container",
    "data_table",
    "data_visualization",
    "input",
}
_VIEW = _BOTH | {"input", "alert", "card", "carousel", "container", "markdown", "table"}

_LISTS = {
    "context": ("elements", 10),
    "actions": ("elements", 25),
    "context_actions": ("elements", 5),
    "carousel": ("elements", 10),
    "plan": ("tasks", 50),
}
_ELEMENT_TEXTS = {"button": 75}


class BlockError(Exception):
    """A block breaks a rule. `pointer` is its path."""

    def __init__(self, rule: str, pointer: str) -> None:
        super().__init__(rule)
        self.rule = rule
        self.pointer = pointer

    def __str__(self) -> str:
        return f"[ERROR] {self.rule} [json-pointer:{self.pointer}]"


def check_message_blocks(blocks: list[Json]) -> None:
    """Refuse blocks that a message may not have.

    `invalid_blocks` names the rule and place, `msg_blocks_too_long` and `msg_blocks_too_many` are
    for their whole.
    """
    if len(blocks) > MESSAGE_BLOCKS:
        raise SlackError("msg_blocks_too_many")
    _refusing(lambda: _check_all(blocks, _MESSAGE), "invalid_blocks")
    if sum(map(len, texts(blocks))) > ALL_TEXT:
        raise SlackError("msg_blocks_too_long")


def check_view(view: Json) -> None:
    """Refuse a view that Slack would not open, with `invalid_arguments` naming rule and place."""
    _refusing(lambda: _check_view(view), "invalid_arguments")


def _refusing(check: Callable[[], None], code: str) -> None:
    try:
        check()
    except BlockError as error:
        raise SlackError(code, str(error)) from error


def _check_view(view: Json) -> None:
    kind = view.get("type")
    if kind not in ("modal", "home"):
        raise BlockError("must be modal or home", "/view/type")
    if kind == "modal" and not isinstance(view.get("title"), dict):
        raise BlockError("missing required field: title", "/view")
    for key in ("title", "submit", "close"):
        _length(_text_of(view.get(key)), 24, f"/view/{key}")
    _length(str(view.get("private_metadata") or ""), 3000, "/view/private_metadata")
    _length(str(view.get("callback_id") or ""), 255, "/view/callback_id")
    blocks = view.get("blocks")
    if not isinstance(blocks, list):
        raise BlockError("missing required field: blocks", "/view")
    if len(blocks) > VIEW_BLOCKS:
        raise BlockError(f"no more than {VIEW_BLOCKS} items allowed", "/view/blocks")
    _check_all(blocks, _VIEW, "/view/blocks")
    if kind == "modal" and not view.get("submit") and any(b["type"] == "input" for b in blocks):
        raise BlockError("submit is required when an input block is within blocks", "/view/submit")


def _check_all(blocks: list[Any], kinds: set[str], at: str = "/blocks") -> None:
    seen: set[str] = set()
    for index, block in enumerate(blocks):
        place = f"{at}/{index}"
        if not isinstance(block, dict) or block.get("type") not in kinds:
            raise BlockError("unsupported type", f"{place}/type")
        ident = block.get("block_id")
        if ident and ident in seen:
            raise BlockError(f'"{ident}" is a duplicate block_id', f"{place}/block_id")
        seen.add(str(ident))
        _length(str(ident or ""), 255, f"{place}/block_id")
        _check_block(block, place)
    if sum(block["type"] == "table" for block in blocks) > 1:
        raise BlockError("only one table is allowed", at)
    markdown = sum(len(str(b.get("text", ""))) for b in blocks if b.get("type") == "markdown")
    if markdown > MARKDOWN_TEXT:
        raise BlockError(f"must be less than {MARKDOWN_TEXT + 1} characters", at)


def _check_block(block: Json, at: str) -> None:
    kind = block["type"]
    if kind == "section":
        _check_section(block, at)
    elif kind == "header":
        _filled(block.get("text"), 150, f"{at}/text")
    elif kind == "markdown":
        if not isinstance(block.get("text"), str):
            raise BlockError("missing required field: text", at)
    elif kind == "input":
        _check_input(block, at)
    elif kind == "table":
        _check_table(block, at)
    elif kind in _LISTS:
        key, most = _LISTS[kind]
        items = block.get(key) or []
        if kind != "plan" and not items:
            raise BlockError(f"missing required field: {key}", at)
        _at_most(items, most, f"{at}/{key}")
    for index, element in enumerate(elements(block)):
        _check_element(element, f"{at}/elements/{index}")


def _check_section(block: Json, at: str) -> None:
    fields = block.get("fields") or []
    if block.get("text") is None and not fields:
        raise BlockError("missing required field: text or fields", at)
    if block.get("text") is not None:
        _filled(block["text"], 3000, f"{at}/text")
    _at_most(fields, 10, f"{at}/fields")
    for index, item in enumerate(fields):
        _filled(item, 2000, f"{at}/fields/{index}")


def _check_input(block: Json, at: str) -> None:
    _filled(block.get("label"), 2000, f"{at}/label")
    if not isinstance(block.get("element"), dict):
        raise BlockError("missing required field: element", at)
    _length(_text_of(block.get("hint")), 2000, f"{at}/hint")


def _check_table(block: Json, at: str) -> None:
    rows = block.get("rows")
    if not isinstance(rows, list) or not rows:
        raise BlockError("missing required field: rows", at)
    _at_most(rows, 100, f"{at}/rows")
    for index, row in enumerate(rows):
        _at_most(row, 20, f"{at}/rows/{index}")


def _check_element(element: Any, at: str) -> None:
    if not isinstance(element, dict) or not element.get("type"):
        raise BlockError("missing required field: type", at)
    _length(str(element.get("action_id") or ""), 255, f"{at}/action_id")
    kind = element["type"]
    if kind == "button":
        _filled(element.get("text"), 75, f"{at}/text")
        _length(str(element.get("value") or ""), 2000, f"{at}/value")
    if kind in ("static_select", "multi_static_select", "radio_buttons", "checkboxes", "overflow"):
        _check_options(element, at)
    if kind == "feedback_buttons":
        for key in ("positive_button", "negative_button"):
            button = element.get(key)
            if not isinstance(button, dict):
                raise BlockError(f"missing required field: {key}", at)
            _filled(button.get("text"), 75, f"{at}/{key}/text")
    _length(_text_of(element.get("placeholder")), 150, f"{at}/placeholder")


def _check_options(element: Json, at: str) -> None:
    options = element.get("options") or []
    groups = element.get("option_groups") or []
    if not options and not groups:
        raise BlockError("missing required field: options", at)
    check_options(options, f"{at}/options")
    for index, group in enumerate(groups):
        check_options(group.get("options") or [], f"{at}/option_groups/{index}/options")


def check_options(options: list[Json], at: str = "/options") -> None:
    """Check the options of a menu: at most 100, texts of 75 characters, values of 150.

    Raises:
        BlockError: one breaks a rule.
    """
    _at_most(options, 100, at)
    for index, option in enumerate(options):
        _filled(option.get("text"), 75, f"{at}/{index}/text")
        _length(str(option.get("value") or ""), 150, f"{at}/{index}/value")


def _text_of(node: object) -> str:
    return str(node.get("text", "")) if isinstance(node, dict) else ""


def _filled(node: object, most: int, at: str) -> None:
    if not isinstance(node, dict) or node.get("type") not in ("mrkdwn", "plain_text"):
        raise BlockError("must be a text object", at)
    text = _text_of(node)
    if not text:
        raise BlockError("must be more than 0 characters", f"{at}/text")
    _length(text, most, f"{at}/text")


def _length(text: str, most: int, at: str) -> None:
    if len(text) > most:
        raise BlockError(f"must be less than {most + 1} characters", at)


def _at_most(items: list[Json], most: int, at: str) -> None:
    if len(items) > most:
        raise BlockError(f"no more than {most} items allowed", at)


def elements(block: Json) -> list[Json]:
    """Return the interactive elements of a block, wherever its kind holds them."""
    if block.get("type") in ("actions", "context_actions"):
        return list(block.get("elements") or [])
    if block.get("type") == "input":
        return [block["element"]] if isinstance(block.get("element"), dict) else []
    if block.get("type") == "section" and isinstance(block.get("accessory"), dict):
        return [block["accessory"]]
    if block.get("type") in ("card", "container"):
        inner = [*(block.get("actions") or []), *(block.get("buttons") or [])]
        return inner + [e for b in block.get("blocks") or [] for e in elements(b)]
    return []


def texts(node: object) -> Iterator[str]:
    """Yield every text in blocks that is shown."""
    if isinstance(node, list):
        for item in node:
            yield from texts(item)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key == "text" and isinstance(value, str):
                yield value
            elif isinstance(value, dict | list):
                yield from texts(value)


def with_ids(blocks: list[Json], ids: Ids) -> list[Json]:
    """Return blocks with the ids that Slack gives to those that have none.

    A markdown block's own id is ignored, as Slack ignores it.
    """
    return [_identified(block, ids) for block in blocks]


def _identified(block: Json, ids: Ids) -> Json:
    given = block.get("block_id") if block.get("type") != "markdown" else None
    made = {**block, "block_id": given or ids.next("")}
    if isinstance(made.get("elements"), list) and made["type"] in ("actions", "context_actions"):
        made["elements"] = [_element_id(e, ids) for e in made["elements"]]
    for key in ("element", "accessory"):
        if isinstance(made.get(key), dict):
            made[key] = _element_id(made[key], ids)
    return made


def _element_id(element: Json, ids: Ids) -> Json:
    if "type" in element and element["type"] != "image" and not element.get("action_id"):
        return {**element, "action_id": ids.next("")}
    return element
