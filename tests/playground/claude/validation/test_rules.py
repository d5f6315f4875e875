"""Refusals and their words. A refused request must not touch the cache."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from forewarm_playground.claude import ApiError, Call, Config, Core, Identity
from forewarm_playground.claude.request_factory import (
    assistant,
    body,
    call,
    mark,
    marker,
    result,
    sized,
    text,
    tool,
    user,
)
from forewarm_playground.claude.validation.signatures import sign

Refuse = Callable[..., ApiError]
Json = dict[str, Any]
ORDER = (
    "a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block. Note that "
    "blocks are processed in the following order: `tools`, `system`, `messages`."
)
EXTRA = "Extra inputs are not permitted"
NO_PREFILL = (
    "This model does not support assistant message prefill. "
    "The conversation must end with a user message."
)
DOCUMENT: Json = {
    "type": "document",
    "source": {"type": "text", "media_type": "text/plain", "data": "x"},
}
CITED: Json = {**DOCUMENT, "citations": {"enabled": True}}
FOUND: Json = {"type": "search_result", "source": "s", "title": "t", "content": [text("x")]}
THINKING: Json = {"type": "thinking", "thinking": "", "signature": "AAAA"}
SEVEN = [text(f"{i}", "5m") for i in range(7)]

EXACT = {
    "too many markers": (
        body(user(*SEVEN[:5])),
        "A maximum of 4 blocks with cache_control may be provided. Found 5.",
    ),
    "hour after minutes": (
        body(user("a", text("b", "1h")), system=[text("s", "5m")]),
        f"messages.0.content.1.cache_control.ttl: {ORDER}",
    ),
    "hour after minutes in tools": (
        body(tools=[mark(tool(), "5m"), mark(tool("list"), "1h")]),
        f"tools.1.cache_control.ttl: {ORDER}",
    ),
    "marker on empty text": (
        body(user("a", text("", "5m"))),
        "messages.0.content.1.text: cache_control cannot be set for empty text blocks",
    ),
    "marker on empty system text": (
        body(system=[text("", "5m")]),
        "system.0: cache_control cannot be set for empty text blocks",
    ),
    "marker on thinking": (
        body(user("a"), assistant(mark(THINKING)), user("b")),
        f"messages.1.content.0.thinking.cache_control: {EXTRA}",
    ),
    "unknown kind of marker": (
        body(user({**text("a"), "cache_control": {"type": "eternal"}})),
        "messages.0.content.0.text.cache_control.type: Input should be 'ephemeral'",
    ),
    "unknown life": (
        body(user({**text("a"), "cache_control": {"type": "ephemeral", "ttl": "2h"}})),
        "messages.0.content.0.text.cache_control.ttl: Input should be '5m' or '1h'",
    ),
    "unknown field": (body(foo=1), f"foo: {EXTRA}"),
    "sampling": (body(temperature=1.0), f"temperature: {EXTRA}"),
    "no max_tokens": (
        {k: v for k, v in body().items() if k != "max_tokens"},
        "max_tokens: Field required",
    ),
    "over the model's cap": (
        body(max_tokens=1_000_000, model="claude-sonnet-5"),
        "max_tokens: 1000000 > 128000, which is the maximum allowed number of output tokens for "
        "claude-sonnet-5",
    ),
    "prompt too long": (
        body(system=[sized(1_017_192)]),
        "prompt is too long: 1017198 tokens > 1000000 maximum",
    ),
    "prefill": (body(user("a"), assistant("b")), NO_PREFILL),
    "enabled thinking": (
        body(thinking={"type": "enabled", "budget_tokens": 2_000}, max_tokens=4_000),
        '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive" and '
        '"output_config.effort" to control thinking behavior.',
    ),
    "adaptive on 4.5": (
        body(thinking={"type": "adaptive"}, model="claude-haiku-4-5"),
        "adaptive thinking is not supported on this model",
    ),
    "system turn on an old model": (
        body(user("a"), {"role": "system", "content": "b"}, model="claude-haiku-4-5"),
        "role 'system' is not supported on this model",
    ),
    "bad signature": (
        body(user("a"), assistant(THINKING, "b"), user("c")),
        "Invalid signature in thinking block",
    ),
}


@pytest.mark.parametrize("case", EXACT)
def test_the_published_wordings(refuse: Refuse, case: str) -> None:
    """Clients match on these words, whether they should or not."""
    asked, message = EXACT[case]
    error = refuse(asked)
    assert (error.status, error.type) == (400, "invalid_request_error")
    assert error.message == message


STARTS = {
    "disabled where always on": (
        body(thinking={"type": "disabled"}, model="claude-fable-5"),
        '"thinking.type.disabled" is not supported for this model. Thinking defaults to adaptive',
    ),
    "disabled on sonnet 5.5": (body(thinking={"type": "disabled"}), '"thinking.type.disabled"'),
    "between_tools elsewhere": (
        body(thinking={"type": "between_tools"}, model="claude-opus-5-5"),
        '"thinking.type.between_tools" is not supported',
    ),
    "between_tools at xhigh": (
        body(thinking={"type": "between_tools"}, output_config={"effort": "xhigh"}),
        '"thinking.type.between_tools" is not supported with effort "xhigh"',
    ),
    "disabled at max": (
        body(
            thinking={"type": "disabled"},
            output_config={"effort": "max"},
            model="claude-haiku-5-5",
        ),
        '"thinking.type.disabled" is not supported with effort "max"',
    ),
    "effort on haiku 4.5": (
        body(output_config={"effort": "low"}, model="claude-haiku-4-5"),
        "output_config.effort",
    ),
    "effort that does not exist there": (
        body(output_config={"effort": "xhigh"}, model="claude-opus-4-6"),
        "output_config.effort: 'xhigh'",
    ),
    "forced tool": (body(tools=[tool()], tool_choice={"type": "any"}), "tool_choice.type 'any'"),
    "choice without tools": (body(tool_choice={"type": "auto"}), "tool_choice"),
    "choice of an unknown tool": (
        body(tools=[tool()], tool_choice={"type": "tool", "name": "x"}, model="claude-sonnet-5"),
        "tool_choice: Tool 'x' not found",
    ),
    "budget not below max_tokens": (
        body(
            thinking={"type": "enabled", "budget_tokens": 2_000},
            max_tokens=2_000,
            model="claude-haiku-4-5",
        ),
        "`max_tokens` must be greater than `thinking.budget_tokens`",
    ),
    "small budget": (
        body(thinking={"type": "enabled", "budget_tokens": 10}, model="claude-haiku-4-5"),
        "thinking.enabled.budget_tokens",
    ),
    "no messages": (body() | {"messages": []}, "messages: at least one message is required"),
    "starts with assistant": (body(assistant("a"), user("b")), "messages: first message"),
    "empty text": (body(user("")), "messages: text content blocks must be non-empty"),
    "blank question": (body(user("  \n")), "messages: text content blocks must be non-empty"),
    "empty content": (
        body() | {"messages": [{"role": "user", "content": ""}]},
        "messages.0: all messages must have non-empty content",
    ),
    "call without result": (
        body(user("a"), assistant(call("t1")), user("b"), tools=[tool()]),
        "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: t1.",
    ),
    "result behind a text": (
        body(user("a"), assistant(call("t1")), user("b", result("t1")), tools=[tool()]),
        "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: t1.",
    ),
    "prefill with a blank at its end": (
        body(user("a"), assistant("b "), model="claude-haiku-4-5"),
        "messages: final assistant content cannot end with trailing whitespace",
    ),
    "result without call": (
        body(user("a"), assistant("b"), user(result("t1")), tools=[tool()]),
        "messages.2.content.0: unexpected `tool_use_id` found in `tool_result` blocks: t1.",
    ),
    "calls with one id": (
        body(user("a"), assistant(call("t"), call("t")), user(result("t")), tools=[tool()]),
        "messages.1: `tool_use` ids must be unique",
    ),
    "tool call by the user": (body(user(call("t"))), "messages.0.content.0: `tool_use` blocks"),
    "image by the assistant": (
        body(
            user("a"),
            assistant({"type": "image", "source": {"type": "url", "url": "https://a/b.png"}}),
            user("c"),
        ),
        "messages.1.content.0: `image` blocks",
    ),
    "marker inside a result": (
        body(
            user("a"),
            assistant(call("t")),
            user(result("t", [text("x", "5m"), text("y")])),
            tools=[tool()],
        ),
        f"messages.2.content.0.tool_result.content.0.cache_control: {EXTRA}",
    ),
    "system turn first": (
        body({"role": "system", "content": "a"}, user("b")),
        "messages.0: a 'system' message must follow",
    ),
    "system turn in between": (
        body(user("a"), {"role": "system", "content": "b"}, user("c")),
        "messages.1: a 'system' message must follow",
    ),
    "system turn with an image": (
        body(
            user("a"),
            {
                "role": "system",
                "content": [{"type": "image", "source": {"type": "url", "url": "https://a/b.png"}}],
            },
        ),
        "messages.1",
    ),
    "effort of one turn without its beta": (
        body(user("a"), {"role": "system", "content": [], "output_config": {"effort": "low"}}),
        f"messages.1.output_config: {EXTRA}",
    ),
    "citations on some documents": (body(user(DOCUMENT, CITED, "a")), "messages: citations"),
    "citations with a format": (
        body(
            user(CITED, "a"),
            output_config={"format": {"type": "json_schema", "schema": {}}},
        ),
        "output_config.format",
    ),
    "search result by the assistant": (
        body(user("a"), assistant(FOUND), user("b")),
        "messages.1.content.0: `search_result` blocks can only be in `user`",
    ),
    "mixed tool result": (
        body(
            user("a"), assistant(call("t")), user(result("t", [FOUND, text("x")])), tools=[tool()]
        ),
        "messages.2.content.0.tool_result.content",
    ),
    "document by the assistant": (
        body(user("a"), assistant(DOCUMENT), user("b")),
        "messages.1.content.0: `document` blocks are not permitted in `assistant`",
    ),
    "citations on a user's text": (
        body(user({**text("a"), "citations": [{"type": "char_location"}]})),
        "messages.0.content.0.text.citations",
    ),
    "fast mode": (body(speed="fast"), "speed"),
    "automatic caching with four markers": (
        body(user(*SEVEN[:4], "e"), cache_control=marker()),
        "A maximum of 4 blocks with cache_control may be provided.",
    ),
    "automatic caching with another life": (
        body(user(text("a", "1h")), cache_control=marker()),
        "cache_control: ttl='5m' conflicts",
    ),
    "automatic hour after minutes": (
        body(user("a"), system=[text("s", "5m")], cache_control=marker("1h")),
        "cache_control.ttl: a ttl='1h'",
    ),
    "warming in a stream": (body(max_tokens=0, stream=True), "max_tokens: 0"),
    "warming with a format": (
        body(max_tokens=0, output_config={"format": {"type": "json_schema", "schema": {}}}),
        "max_tokens: 0",
    ),
    "warming with a forced tool": (
        body(
            max_tokens=0,
            tools=[tool()],
            tool_choice={"type": "any"},
            model="claude-sonnet-5",
        ),
        "max_tokens: 0",
    ),
    "warming with enabled thinking": (
        body(
            max_tokens=0,
            thinking={"type": "enabled", "budget_tokens": 1_024},
            model="claude-haiku-4-5",
        ),
        "max_tokens: 0",
    ),
    "negative max_tokens": (body(max_tokens=-1), "max_tokens: Input should be greater"),
    "fractional max_tokens": (body(max_tokens=1.5), "max_tokens: Input should be a valid integer"),
}


@pytest.mark.parametrize("case", STARTS)
def test_what_else_is_refused(refuse: Refuse, case: str) -> None:
    """Status and type are documented; where the wording is not, the sentence is our own."""
    asked, start = STARTS[case]
    error = refuse(asked)
    assert (error.status, error.type) == (400, "invalid_request_error")
    assert error.message.startswith(start)


ACCEPTED = {
    "automatic caching on a block marked alike": body(
        user(text("a", "5m")), cache_control=marker()
    ),
    "automatic caching with three markers": body(user(*SEVEN[:3], "e"), cache_control=marker()),
    "adaptive warm-up": body(max_tokens=0, thinking={"type": "adaptive"}),
    "between_tools warm-up": body(max_tokens=0, thinking={"type": "between_tools"}),
    "disabled warm-up": body(max_tokens=0, thinking={"type": "disabled"}, model="claude-haiku-5-5"),
    "warm-up with tools": body(max_tokens=0, tools=[tool()], tool_choice={"type": "none"}),
    "more output than the window has room": body(system=[sized(950_000)], max_tokens=128_000),
    "forced tool where allowed": body(
        tools=[tool()], tool_choice={"type": "any"}, model="claude-haiku-5-5"
    ),
    "prefill where allowed": body(user("a"), assistant("b"), model="claude-haiku-4-5"),
    "system turn": body(user("a"), {"role": "system", "content": "b"}),
    "search results alone in a result": body(
        user("a"), assistant(call("t")), user(result("t", [FOUND, FOUND])), tools=[tool()]
    ),
    "marker on the last block of a result": body(
        user("a"),
        assistant(call("t")),
        user(result("t", [text("x"), text("y", "5m")])),
        tools=[tool()],
    ),
}


@pytest.mark.parametrize("case", ACCEPTED)
def test_what_is_not_to_be_refused(core: Core, case: str) -> None:
    """Strict is not stricter than the real service where it says that it accepts."""
    core.open(Call(body=ACCEPTED[case]), 0.0)


def test_effort_of_one_turn_with_its_beta(core: Core) -> None:
    """The escape hatch that changes effort without losing the cache."""
    turn = {"role": "system", "content": [], "output_config": {"effort": "low"}}
    betas = ["mid-conversation-output-config-2026-07-01"]
    core.open(Call(body=body(user("a"), turn), betas=betas), 0.0)


def test_a_marker_on_the_last_inner_block_counts_as_its_parents(core: Core) -> None:
    """And when both carry one, it counts twice (the stricter reading)."""
    inner = result("t", [text("x"), text("y", "5m")])
    turns = [user(sized(1_000)), assistant(call("t"))]
    record = core.create(body(*turns, user(inner), tools=[tool()]), 0.0).record
    assert [seen.path for seen in record.markers] == ["messages.2.content.0"]
    both = body(*turns, user(mark(inner), *SEVEN[:3]), tools=[tool()])
    with pytest.raises(ApiError, match=r"Found 5\."):
        core.open(Call(body=both), 0.0)


def test_automatic_caching_marks_the_last_block_that_can_be_marked(core: Core) -> None:
    """It moves forward each turn."""
    record = core.create(body(user(sized(600)), cache_control=marker()), 0.0).record
    (seen,) = record.markers
    assert (seen.path, seen.ttl, seen.automatic) == ("messages.0.content.0", "5m", True)


def test_too_many_messages(refuse: Refuse) -> None:
    """100,000 are the limit."""
    asked = body() | {"messages": [{"role": "user", "content": "a"}] * 100_001}
    assert refuse(asked).message.startswith("messages: too many messages")


def test_headers_are_required(refuse: Refuse) -> None:
    """A key and a version, as of old."""
    assert refuse(body(), key=None).status == 401
    assert refuse(body(), key=None).type == "authentication_error"
    assert refuse(body(), version=None).message == "anthropic-version: header is required"
    assert refuse(body(), version="2020-01-01").status == 400


def test_only_known_keys_where_keys_are_configured() -> None:
    """A key of one workspace may not name another; a key of the organisation may choose."""
    keys = {"bound": Identity("org", "w1"), "free": Identity("org", None)}
    core = Core(Config(keys=keys))
    with pytest.raises(ApiError, match="invalid x-api-key") as caught:
        core.open(Call(body=body(), key="other"), 0.0)
    assert caught.value.status == 401
    with pytest.raises(ApiError):
        core.open(Call(body=body(workspace_id="w2"), key="bound"), 0.0)
    core.open(Call(body=body(workspace_id="w1"), key="bound"), 0.0)
    assert core.open(Call(body=body(workspace_id="w2"), key="free"), 0.0).record.workspace == "w2"


def test_unknown_and_retired_models(refuse: Refuse) -> None:
    """Both are not found, in the same words."""
    for name in ("claude-nope", "claude-3-5-sonnet-20241022"):
        error = refuse(body(model=name))
        assert (error.status, error.type) == (404, "not_found_error")
        assert error.message == f"model: {name}"


def test_thinking_is_taken_back_only_as_it_was_given(core: Core, refuse: Refuse) -> None:
    """It is bound to its model and its text."""
    thought = {"type": "thinking", "thinking": "hm"}
    good = {**thought, "signature": sign("claude-sonnet-5-5", "hm", 1)}
    core.open(Call(body=body(user("a"), assistant(good, "b"), user("c"))), 0.0)
    for wrong in (
        {**good, "thinking": "ha"},
        {**good, "signature": sign("claude-opus-5-5", "hm", 1)},
        {**good, "signature": good["signature"][:-8] + "AAAAAAA="},
        {**good, "signature": "no base64!"},
    ):
        error = refuse(body(user("a"), assistant(wrong, "b"), user("c")))
        assert error.message == "Invalid signature in thinking block"


def test_sampling_under_the_older_version(core: Core, refuse: Refuse) -> None:
    """Defaults pass everywhere, other values only on the models that still have them."""
    old = "2023-06-01"
    core.open(Call(body=body(temperature=1.0), version=old), 0.0)
    core.open(Call(body=body(temperature=0.2, model="claude-haiku-4-5"), version=old), 0.0)
    assert refuse(body(temperature=0.2), version=old).message.startswith("temperature:")
    cited = {**text("a"), "citations": [{"type": "char_location"}]}
    core.open(Call(body=body(user(cited)), version=old), 0.0)


def test_a_refused_request_touches_nothing(core: Core, refuse: Refuse) -> None:
    """Everything is checked before the first look into the cache."""
    system = [sized(1_000, ttl="5m")]
    core.create(body(system=system), 0.0)
    refuse(body(system=system, tool_choice={"type": "any"}))
    refuse(body(system=[*system, sized(1_000_000, "more")]))
    (entry,) = core.cache
    assert (entry.reads, entry.expires_at) == (0, 300.0)
    assert len(core.ledger) == 1


def test_counting_validates_too(core: Core) -> None:
    """The order of lives is refused there as well; it costs nothing and writes nothing."""
    asked = {k: v for k, v in body(system=[text("s", "5m")]).items() if k != "max_tokens"}
    assert core.count(Call(body=asked), 0.0) == 7
    wrong = asked | {"messages": [user(text("b", "1h"))]}
    with pytest.raises(ApiError, match="ttl='1h'"):
        core.count(Call(body=wrong), 0.0)
    with pytest.raises(ApiError, match="max_tokens: Extra inputs"):
        core.count(Call(body=body()), 0.0)
    assert (list(core.cache), len(core.ledger)) == ([], 0)
