"""Warm-up and question must agree on every byte of the prefix, or warmth is wasted."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.claude.models import ModelSettings
from bot.claude.prefix import Prefix, build_prefix
from bot.claude.request import IMAGE_TOKENS, Request, question_request, warm_request
from bot.claude.usage import Ttl
from bot.context.pack import Block, Pack

MakePrefix = Callable[..., Prefix]
SETTINGS = ModelSettings("claude-sonnet-5-5", "between_tools", "low", 1000)
TOOL = {"name": "search", "description": "Finds", "input_schema": {"type": "object"}}
TEXTS = st.text(st.characters(codec=None), min_size=1, max_size=40)


def a_prefix(texts: tuple[str, ...] = ("code",), overlay: str = "overlay") -> Prefix:
    blocks = [Block("base", "r", text, 1) for text in texts]
    blocks.append(Block("overlay", "r", overlay, 1))
    return build_prefix(Pack(tuple(blocks), (), (), 1), [TOOL], SETTINGS, preamble="P")


def shared(request: Request) -> dict[str, Any]:
    """Return what of a request the cache is keyed by."""
    body = request.body()
    return {key: body[key] for key in ("model", "tools", "system", "thinking", "output_config")}


def markers(request: Request) -> list[tuple[str, Any]]:
    """Return (place, life) of every marker in the order in which the API reads them."""
    body = request.body()
    found = [("tools", tool["cache_control"]) for tool in body.get("tools", ()) if "cache" in tool]
    found += [
        (block["text"], block["cache_control"]["ttl"])
        for block in body["system"]
        if "cache_control" in block
    ]
    for message in body["messages"]:
        for block in message["content"] if isinstance(message["content"], list) else ():
            if "cache_control" in block:
                found.append((block["type"], block["cache_control"]["ttl"]))
    return found


def test_warm_up_and_question_share_everything_but_the_tail() -> None:
    """The one law of this room: what was warmed is what is asked on."""
    prefix = a_prefix()
    warm = warm_request(prefix, "1h")
    asked = question_request(prefix, "1h", [{"role": "user", "content": "Why?"}])
    assert shared(warm) == shared(asked)
    assert (
        warm.encoded().split(b'"system":')[1].split(b'"messages":')[0]
        == (asked.encoded().split(b'"system":')[1].split(b'"messages":')[0])
    )


def test_a_warm_up_asks_for_nothing_and_marks_no_placeholder() -> None:
    """An entry that ends in the placeholder could never be read by a question."""
    body = warm_request(a_prefix(), "5m").body()
    assert body["max_tokens"] == 0
    assert "stream" not in body
    assert body["messages"] == [{"role": "user", "content": "."}]
    assert markers(warm_request(a_prefix(), "5m")) == [("code", "5m"), ("overlay", "5m")]


def test_a_question_streams_and_is_marked_at_its_end() -> None:
    """The follow-up in the thread reads up to here."""
    request = question_request(a_prefix(), "1h", [{"role": "user", "content": "Why?"}])
    assert request.body()["stream"] is True
    assert request.body()["max_tokens"] == 1000
    assert markers(request) == [("code", "1h"), ("overlay", "1h"), ("text", "5m")]


def test_rounds_move_the_last_marker_and_keep_the_questions() -> None:
    """Every round reads what the last wrote; four markers are the API's limit."""
    use = {"type": "tool_use", "id": "t1", "name": "search", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "t1", "content": "found"}
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": "Old question"},
        {"role": "assistant", "content": "Old answer"},
        {"role": "user", "content": [{"type": "text", "text": "Why?"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "Let me see."}, use]},
        {"role": "user", "content": [result, {**result, "tool_use_id": "t2"}]},
    ]
    request = question_request(a_prefix(), "1h", messages)
    assert request.marked == (2, 4)
    assert markers(request)[2:] == [("text", "5m"), ("tool_result", "5m")]
    assert "cache_control" in request.body()["messages"][4]["content"][1]
    assert "cache_control" not in request.body()["messages"][4]["content"][0]


def test_marking_changes_no_message_that_was_handed_in() -> None:
    """Turns are stored as they are; a marker left in them would be sent back next time."""
    content = [{"type": "text", "text": "Why?"}]
    messages = [{"role": "user", "content": content}]
    question_request(a_prefix(), "5m", messages).body()
    assert messages == [{"role": "user", "content": [{"type": "text", "text": "Why?"}]}]
    assert messages[0]["content"] is content


def test_a_marker_is_never_put_where_the_api_refuses_it() -> None:
    """Empty text and thinking with a marker are a 400: the one before them is marked."""
    tail = [
        {"type": "text", "text": "Why?"},
        {"type": "thinking", "thinking": "", "signature": "s"},
        {"type": "text", "text": " "},
    ]
    request = question_request(a_prefix(), "5m", [{"role": "user", "content": tail}])
    blocks = request.body()["messages"][0]["content"]
    assert ["cache_control" in block for block in blocks] == [True, False, False]


@pytest.mark.parametrize("ttl", ["5m", "1h"])
def test_lives_never_grow_along_the_request(ttl: Ttl) -> None:
    """A marker of an hour behind one of five minutes is a 400."""
    lives = [
        life
        for _, life in markers(
            question_request(a_prefix(), ttl, [{"role": "user", "content": "Why?"}])
        )
    ]
    assert lives == sorted(lives, key=["1h", "5m"].index)
    assert len(lives) <= 4


def test_fields_that_are_not_set_are_not_sent() -> None:
    """A server that knows no thinking, effort, tools or diagnostics must not meet them."""
    bare = build_prefix(
        Pack((Block("base", "r", "code", 1),), (), (), 1), [], ModelSettings("smollm2")
    )
    assert set(warm_request(bare, "5m").body()) == {"model", "max_tokens", "system", "messages"}


def test_diagnostics_name_the_previous_message_or_null() -> None:
    """The first request must carry the field too: it is what stores the fingerprint."""
    prefix = a_prefix()
    first = replace(warm_request(prefix, "5m"), diagnose=True).body()
    later = replace(warm_request(prefix, "5m", previous="msg_1"), diagnose=True).body()
    assert first["diagnostics"] == {"previous_message_id": None}
    assert later["diagnostics"] == {"previous_message_id": "msg_1"}


def test_thinking_with_a_budget_is_warmed_by_a_stream() -> None:
    """`enabled` refuses both 0 and 1 tokens; the reply's beginning is all that is needed."""
    settings = ModelSettings("claude-haiku-4-5", "enabled", None, 500)
    prefix = build_prefix(Pack((), (), (), 0), [], settings)
    warm = warm_request(prefix, "5m").body()
    asked = question_request(prefix, "5m", [{"role": "user", "content": "Why?"}]).body()
    assert warm["thinking"] == asked["thinking"] == {"type": "enabled", "budget_tokens": 1024}
    assert (warm["max_tokens"], warm["stream"]) == (1025, True)
    assert asked["max_tokens"] == 1524


@given(
    st.lists(TEXTS.filter(str.strip), min_size=1, max_size=4),
    TEXTS.filter(str.strip),
    st.lists(TEXTS, min_size=1, max_size=3),
    st.sampled_from(["5m", "1h"]),
)
def test_the_bytes_are_the_body(bases: list[str], overlay: str, turns: list[str], ttl: Ttl) -> None:
    """The quick encoding must equal the documented object, for any code."""
    messages: list[dict[str, Any]] = [{"role": "user", "content": turn} for turn in turns]
    messages.append({"role": "user", "content": [{"type": "text", "text": turns[0]}]})
    request = question_request(a_prefix(tuple(bases), overlay), ttl, messages)
    plain = json.dumps(request.body(), ensure_ascii=False).encode("utf-8", "replace")
    assert json.loads(request.encoded()) == json.loads(plain)


def test_a_prefix_is_encoded_once(make_prefix: MakePrefix) -> None:
    """400 kB walked over for every question would cost more than everything else together."""
    prefix = make_prefix()
    first = question_request(prefix, "5m", [{"role": "user", "content": "a"}])
    again = question_request(prefix, "1h", [{"role": "user", "content": "b"}])
    first.encoded()
    kept = prefix.encoded_texts
    again.encoded()
    assert prefix.encoded_texts is kept


def test_a_request_tells_what_it_is() -> None:
    """It goes to logs: no text in it."""
    prefix = a_prefix()
    assert repr(warm_request(prefix, "1h")) == f"<Request warm-up on {prefix.key}, 1h, 0 out>"
    asked = question_request(prefix, "5m", [{"role": "user", "content": "secret"}])
    assert repr(asked) == f"<Request question of 1 messages on {prefix.key}, 5m, 1000 out>"


def test_a_picture_counts_as_its_tokens_and_not_as_its_bytes() -> None:
    """The money for a request is reserved by this number."""

    def asks(size: int, pictures: int = 1) -> Request:
        source = {"type": "base64", "media_type": "image/png", "data": "A" * size}
        picture = {"type": "image", "source": source}
        question = {"type": "text", "text": "what is wrong here?"}
        content = [*[picture] * pictures, question]
        return question_request(a_prefix(), "5m", [{"role": "user", "content": content}])

    assert asks(4_000_000).tail_tokens == asks(4).tail_tokens
    one, none = asks(4_000_000).tail_tokens, asks(0, pictures=0).tail_tokens
    assert IMAGE_TOKENS <= one - none <= IMAGE_TOKENS + 20
    assert asks(9, pictures=5).tail_tokens - none >= 5 * IMAGE_TOKENS
    assert "A" * 4_000_000 in str(asks(4_000_000).body())
