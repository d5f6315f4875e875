"""Everything that a message says: text, blocks, attachments, forwarded messages, files."""

from __future__ import annotations

import random
from typing import Any

import pytest

from bot.answer.thread.content import MAX_CHARACTERS, Content, read_content

OWN = "UBOT"


def read(**fields: Any) -> Content:
    return read_content({"ts": "1.000001", "user": "U1", **fields}, OWN)


def rich(*elements: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "rich_text",
        "elements": [{"type": "rich_text_section", "elements": [*elements]}],
    }


def section(text: str, **more: Any) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}, **more}


HEADER = {"type": "header", "text": {"type": "plain_text", "text": "PAY-911"}}


def test_a_forwarded_message_is_quoted_with_its_author() -> None:
    shared = {
        "is_share": True,
        "author_name": "Teammate",
        "author_id": "U2",
        "text": "TypeError: schedule() missing RETRY_AFTER",
        "fallback": "Teammate: TypeError",
    }
    content = read(text="<@UBOT> why does this fail?", attachments=[shared])
    assert content.text == "why does this fail?"
    [quote] = content.quoted
    assert (quote.kind, quote.by, quote.user) == ("forwarded", "Teammate", "U2")
    assert quote.text == "TypeError: schedule() missing RETRY_AFTER"


def test_a_message_forwarded_without_a_comment_says_what_it_forwards() -> None:
    shared = {"is_share": True, "text": "boom &lt;1&gt;", "files": [{"id": "F1", "name": "a.log"}]}
    content = read(text="", attachments=[shared])
    assert content
    assert content.quoted[0].text == "boom <1>"
    assert content.quoted[0].files[0].name == "a.log"


def test_a_forwarded_message_of_blocks_alone_is_read() -> None:
    inner = {"team": "T1", "channel": "C1", "ts": "1.0", "message": {"blocks": [HEADER]}}
    shared = {
        "is_msg_unfurl": True,
        "message_blocks": [inner],
        "fallback": "[no preview available]",
    }
    assert read(text="see", attachments=[shared]).quoted[0].text == "PAY-911"


def test_a_forwarded_alert_shows_its_attachments_and_fields() -> None:
    alert = {"title": "PAY-911", "text": "boom", "fields": [{"title": "env", "value": "prod"}]}
    shared = {"is_share": True, "author_subname": "Alerts", "text": "new", "attachments": [alert]}
    [quote] = read(text="?", attachments=[shared]).quoted
    assert quote.by == "Alerts"
    assert quote.text == "new\nPAY-911\nboom\nenv: prod"


def test_an_alert_says_its_headline_and_its_blocks() -> None:
    blocks = [HEADER, section("retry(refund) raised KeyError 'tries'")]
    content = read(bot_id="B2", text="New alert", blocks=blocks)
    assert content.text == "New alert\nPAY-911\nretry(refund) raised KeyError 'tries'"


def test_an_alert_says_its_headline_and_its_attachments_with_the_values_of_fields() -> None:
    attachment = {
        "pretext": "*Sentry*",
        "title": "PAY-911",
        "title_link": "https://sentry.example/1",
        "text": "boom &amp; bust",
        "fields": [{"title": "env", "value": "prod"}, {"value": "v1.2"}, {"title": "alone"}, None],
        "fallback": "PAY-911",
        "footer": "sentry",
    }
    content = read(bot_id="B2", text="*1 new issue*", attachments=[attachment])
    lines = content.text.splitlines()
    assert lines[0] == "*1 new issue*"
    assert "PAY-911 (https://sentry.example/1)" in lines
    assert "boom & bust" in lines
    assert "env: prod" in lines
    assert {"v1.2", "alone"} <= set(lines)


def test_blocks_do_not_hide_attachments() -> None:
    content = read(bot_id="B2", text="", blocks=[HEADER], attachments=[{"text": "details"}])
    assert content.text == "PAY-911\ndetails"


def test_a_fallback_stands_in_for_a_message_without_text_only() -> None:
    assert read(bot_id="B2", text="", attachments=[{"fallback": "Build 7 failed"}]).text == (
        "Build 7 failed"
    )


def test_what_blocks_repeat_is_said_once() -> None:
    blocks = [HEADER, section("All of it: PAY-911 is back")]
    content = read(bot_id="B2", text="All of it: PAY-911 is back", blocks=blocks)
    assert content.text == "All of it: PAY-911 is back"
    short = read(bot_id="B2", text="PAY-911", blocks=[section("PAY-911 raised KeyError")])
    assert short.text == "PAY-911 raised KeyError"
    # The word alone is no repetition of a longer word.
    assert read(bot_id="B2", text="production", blocks=[section("prod")]).text == "production\nprod"


def test_a_persons_rich_text_is_not_said_twice() -> None:
    listed = {
        "type": "rich_text_list",
        "style": "ordered",
        "elements": [rich({"type": "text", "text": "one"})["elements"][0]],
    }
    blocks = [{"type": "rich_text", "elements": [listed]}]
    assert read(text="1. one", blocks=blocks).text == "1. one"


def test_rich_text_is_read_with_its_code_lists_and_quotations() -> None:
    blocks = [
        {
            "type": "rich_text",
            "elements": [
                {
                    "type": "rich_text_section",
                    "elements": [
                        {"type": "user", "user_id": "U2"},
                        {"type": "text", "text": " runs "},
                        {"type": "text", "text": "a < b", "style": {"code": True}},
                        {"type": "emoji", "name": "tada", "unicode": "1f389"},
                        {"type": "link", "url": "http://README.md", "text": "README.md"},
                        {"type": "channel", "channel_id": "C1"},
                        {"type": "broadcast", "range": "here"},
                        {"type": "usergroup", "usergroup_id": "S1"},
                        {"type": "date", "timestamp": 0, "fallback": "long ago"},
                    ],
                },
                {
                    "type": "rich_text_list",
                    "style": "bullet",
                    "elements": [
                        {
                            "type": "rich_text_section",
                            "elements": [{"type": "text", "text": "one"}],
                        },
                        {
                            "type": "rich_text_section",
                            "elements": [{"type": "text", "text": "two"}],
                        },
                    ],
                },
                {
                    "type": "rich_text_preformatted",
                    "elements": [{"type": "text", "text": "x &lt; y\n  z"}],
                },
                {"type": "rich_text_quote", "elements": [{"type": "text", "text": "said\nso"}]},
            ],
        }
    ]
    text = read(text="", blocks=blocks).text
    assert text.splitlines() == [
        "@U2 runs `a < b`\U0001f389README.md#C1@here@S1long ago",
        "- one",
        "- two",
        "```",
        # Rich text is not encoded, so nothing is decoded.
        "x &lt; y",
        "  z",
        "```",
        "> said",
        "> so",
    ]


def test_tables_fields_contexts_and_buttons_are_read() -> None:
    table = {
        "type": "table",
        "rows": [
            [{"type": "raw_text", "text": "file"}, {"type": "raw_text", "text": "errors"}],
            [rich({"type": "text", "text": "pay.py"}), {"type": "raw_text", "text": "3"}],
            None,
        ],
    }
    blocks = [
        section("Summary", fields=[{"type": "mrkdwn", "text": "*env*\nprod"}, None]),
        {
            "type": "context",
            "elements": [
                {"type": "mrkdwn", "text": "since <!date^0^x|Monday>"},
                {"type": "image", "alt_text": "red"},
            ],
        },
        {
            "type": "actions",
            "elements": [{"type": "button", "text": {"type": "plain_text", "text": "Retry"}}],
        },
        {"type": "divider"},
        table,
    ]
    text = read(bot_id="B2", text="", blocks=blocks).text
    for part in ("Summary", "*env*\nprod", "since Monday", "red", "Retry"):
        assert part in text
    assert text.endswith("| file | errors |\n| pay.py | 3 |")


def test_blocks_of_unknown_types_give_their_text() -> None:
    card = {
        "type": "holo_card",
        "title": {"type": "plain_text", "text": "Deploy &amp; pray"},
        "body": {"irrelevant": 1},
        "items": [{"label": "env", "value": "prod"}, [{"text": "deep"}], 7, None],
    }
    content = read(bot_id="B2", text="", blocks=[card])
    assert content.text.splitlines() == ["Deploy & pray", "env", "prod", "deep"]
    assert not content.unread


def test_what_cannot_be_read_is_named() -> None:
    blocks = [
        {"type": "call", "call_id": "R1"},
        {"type": "image", "alt_text": "graph"},
        {"type": "x"},
    ]
    content = read(
        bot_id="B2", text="look", blocks=blocks, attachments=[{"image_url": "https://a"}]
    )
    assert content.text == "look\ngraph"
    assert content.unread == ("a call", "an image", "a block of type 'x'")


def test_fifty_levels_are_read_and_five_thousand_are_not() -> None:
    """Blocks come from other apps. None may make us recurse without end."""

    def nested(levels: int) -> dict[str, Any]:
        node: dict[str, Any] = {"type": "text", "text": "deep"}
        for _ in range(levels):
            node = {"type": "rich_text_section", "elements": [node]}
        return {"type": "rich_text", "elements": [node]}

    assert read(text="", blocks=[nested(50)]).text == "deep"
    content = read(text="", blocks=[nested(5_000)])
    assert content.text == ""
    assert content.unread == ("the rest of a very large message",)


def test_a_huge_message_is_read_to_a_bound() -> None:
    blocks = [section("x" * 3_000) | {"block_id": str(n)} for n in range(2_000)]
    for at, block in enumerate(blocks):
        block["text"]["text"] += str(at)
    content = read(bot_id="B2", text="", blocks=blocks)
    assert len(content.text) < 2 * MAX_CHARACTERS
    assert content.unread == ("the rest of a very large message",)


def test_files_that_are_no_files_are_passed_over() -> None:
    content = read(text="look", files=[None, "x", 3, {"id": "F1", "name": "a.py", "size": "big"}])
    assert [file.id for file in content.files] == ["F1"]


JUNK: list[Any] = [
    None,
    "x",
    3,
    1.5,
    True,
    [],
    {},
    [None],
    [[]],
    {"text": None},
    {"text": {"text": 5}},
]


@pytest.mark.parametrize(
    "name", ["text", "blocks", "attachments", "files", "bot_id", "subtype", "user", "ts"]
)
def test_no_form_of_a_message_raises(name: str) -> None:
    for value in JUNK:
        assert isinstance(read_content({"text": "hi", name: value}, OWN), Content)


def test_no_nested_form_raises() -> None:
    """A fuzz: any JSON in place of any part of a message."""
    rng = random.Random(11)
    names = [
        "type",
        "text",
        "elements",
        "fields",
        "rows",
        "title",
        "value",
        "style",
        "unicode",
        "url",
    ]
    names += ["is_share", "message_blocks", "message", "blocks", "attachments", "files", "indent"]
    kinds = [
        "rich_text",
        "section",
        "context",
        "table",
        "header",
        "rich_text_list",
        "emoji",
        "link",
    ]

    def value(depth: int) -> Any:
        roll = rng.random()
        if depth > 5 or roll < 0.3:
            return rng.choice([*JUNK, *kinds])
        if roll < 0.6:
            return [value(depth + 1) for _ in range(rng.randrange(4))]
        chosen = rng.sample(names, rng.randrange(1, 6))
        return {name: value(depth + 1) for name in chosen} | {"type": rng.choice(kinds)}

    for _ in range(1_500):
        message = {"text": value(3), "blocks": value(0), "attachments": value(0), "files": value(2)}
        assert isinstance(read_content(message, OWN), Content)


def test_fields_that_no_version_of_this_program_knows_are_read() -> None:
    """Slack adds types of blocks every year; a list of fields would always be behind."""
    detail = {"type": "rich_text", "elements": [item("a detail")]}
    card = {
        "type": "card",
        "block_id": "B1",
        "icon_url": "https://x.example/i.png",
        "body": {"type": "mrkdwn", "text": "in the *body*"},
        "title": "the title",
        "tasks": [{"type": "task_card", "title": "a task", "details": detail, "status": "error"}],
    }
    text = read_content({"bot_id": "B1", "text": "", "blocks": [card]}).text
    assert text == "the title\nin the *body*\na task\na detail\nerror"


def item(text: str) -> dict[str, Any]:
    return {"type": "rich_text_section", "elements": [{"type": "text", "text": text}]}


def test_an_ordered_list_keeps_its_numbers() -> None:
    items = {"type": "rich_text_list", "style": "ordered", "offset": 2} | {
        "elements": [item("three"), item("four")]
    }
    block = {"type": "rich_text", "elements": [items]}
    assert read_content({"user": "U1", "text": "", "blocks": [block]}).text == "3. three\n4. four"


def test_the_footer_of_an_alert_is_read() -> None:
    """It often is the only place that names the host or the repository."""
    alert = {"text": "boom", "footer": "api-prod-7 | <https://x.example/a|acme/app>"}
    said = read_content({"bot_id": "B1", "text": "", "attachments": [alert]}).text
    assert said == "boom\napi-prod-7 | acme/app (https://x.example/a)"


def test_a_forwarded_message_that_slack_does_not_show_is_named() -> None:
    """Without that, a forward from a private channel would say nothing to anybody."""
    shared = {"is_share": True, "fallback": "[no preview available]"}
    content = read_content({"user": "U1", "text": "why?", "attachments": [shared]})
    assert content.unread == ("a message without a preview",)
    assert not content.quoted
