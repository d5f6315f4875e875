"""Block Kit's rules, one by one (docs/platform/slack.md#message-limits)."""

from __future__ import annotations

from typing import Any

import pytest
from forewarm_playground.slack.errors import SlackError
from forewarm_playground.slack.ids import Ids
from forewarm_playground.slack.messages.blocks import check_message_blocks, with_ids

PLAIN = {"type": "plain_text", "text": "t"}
OPTION = {"text": PLAIN, "value": "v"}


def mrkdwn(length: int) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": "x" * length}


def section(length: int = 1) -> dict[str, Any]:
    return {"type": "section", "text": mrkdwn(length)}


def actions(*elements: Any) -> dict[str, Any]:
    return {"type": "actions", "elements": list(elements)}


def button(**members: Any) -> dict[str, Any]:
    return {"type": "button", "text": PLAIN, "action_id": "a", **members}


GOOD: list[list[dict[str, Any]]] = [
    [section(3000)],
    [{"type": "section", "fields": [mrkdwn(1000)] * 10}],
    [{"type": "header", "text": {**PLAIN, "text": "x" * 150}}],
    [{"type": "markdown", "text": "x" * 12_000}],
    [{"type": "context", "elements": [mrkdwn(1)] * 10}],
    [actions(*[button()] * 25)],
    [actions(button(value="v" * 2000, text={**PLAIN, "text": "x" * 75}))],
    [{"type": "table", "rows": [[{"type": "raw_text", "text": "c"}] * 20] * 100}],
    [{"type": "task_card", "task_id": "1", "title": "t"}],
    [{"type": "plan", "title": "t", "tasks": []}],
    [{"type": "divider"}] * 50,
    [{"type": "image", "image_url": "https://e.test/i.png", "alt_text": "a"}],
    [{"type": "data_table", "rows": []}],
]

BAD: list[tuple[list[Any], str]] = [
    ([{"type": "divider"}] * 51, "msg_blocks_too_many"),
    ([section(2900)] * 5, "msg_blocks_too_long"),
    ([section(3001)], "invalid_blocks"),
    ([{"type": "section"}], "invalid_blocks"),
    ([{"type": "section", "text": "t"}], "invalid_blocks"),
    ([{"type": "section", "text": mrkdwn(0)}], "invalid_blocks"),
    ([{"type": "section", "fields": [mrkdwn(1)] * 11}], "invalid_blocks"),
    ([{"type": "section", "fields": [mrkdwn(2001)]}], "invalid_blocks"),
    ([{"type": "header", "text": {**PLAIN, "text": "x" * 151}}], "invalid_blocks"),
    ([{"type": "markdown", "text": "x" * 6001}] * 2, "invalid_blocks"),
    ([{"type": "markdown"}], "invalid_blocks"),
    ([{"type": "context", "elements": [mrkdwn(1)] * 11}], "invalid_blocks"),
    ([{"type": "context", "elements": []}], "invalid_blocks"),
    ([actions(*[button()] * 26)], "invalid_blocks"),
    ([actions(button(text={**PLAIN, "text": "x" * 76}))], "invalid_blocks"),
    ([actions(button(value="v" * 2001))], "invalid_blocks"),
    ([actions(button(action_id="a" * 256))], "invalid_blocks"),
    ([actions({"type": "static_select", "options": []})], "invalid_blocks"),
    ([actions({"type": "static_select", "options": [OPTION] * 101})], "invalid_blocks"),
    (
        [actions({"type": "static_select", "options": [{**OPTION, "value": "v" * 151}]})],
        "invalid_blocks",
    ),
    ([actions({"type": "feedback_buttons"})], "invalid_blocks"),
    ([{"type": "context_actions", "elements": [button()] * 6}], "invalid_blocks"),
    ([{"type": "divider", "block_id": "b" * 256}], "invalid_blocks"),
    ([{"type": "divider", "block_id": "b"}] * 2, "invalid_blocks"),
    ([{"type": "table", "rows": [[{}]] * 101}], "invalid_blocks"),
    ([{"type": "table", "rows": [[{}] * 21]}], "invalid_blocks"),
    ([{"type": "table", "rows": [[{}]]}] * 2, "invalid_blocks"),
    ([{"type": "marquee"}], "invalid_blocks"),
    ([{}], "invalid_blocks"),
]


@pytest.mark.parametrize("blocks", GOOD)
def test_blocks_at_the_limit_are_taken(blocks: list[dict[str, Any]]) -> None:
    """The limits are inclusive: refusing what Slack takes would cost the bot features."""
    check_message_blocks(blocks)


@pytest.mark.parametrize(("blocks", "error"), BAD)
def test_blocks_beyond_a_limit_are_refused(blocks: list[Any], error: str) -> None:
    """And the message says which rule and where."""
    with pytest.raises(SlackError) as caught:
        check_message_blocks(blocks)
    assert caught.value.code == error
    if error == "invalid_blocks":
        assert "json-pointer:/blocks" in caught.value.messages[0]


def test_missing_ids_are_given_and_given_ones_kept() -> None:
    """State and actions are found by them; a markdown block's own id is ignored."""
    blocks: list[dict[str, Any]] = [
        actions({"type": "button", "text": PLAIN}, button()),
        {"type": "divider", "block_id": "mine"},
        {"type": "markdown", "text": "t", "block_id": "mine too"},
    ]
    made = with_ids(blocks, Ids(1))
    assert made[0]["block_id"]
    assert made[0]["elements"][0]["action_id"]
    assert made[0]["elements"][1]["action_id"] == "a"
    assert made[1]["block_id"] == "mine"
    assert made[2]["block_id"] != "mine too"
    assert "block_id" not in blocks[0]
