"""The parts of the prompt: which changes miss the cache, which do not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from forewarm_playground.claude import Config, Core
from forewarm_playground.claude.exchange import Exchange
from forewarm_playground.claude.models import Models, builtin
from forewarm_playground.claude.request_factory import (
    assistant,
    body,
    call,
    mark,
    result,
    sized,
    text,
    tool,
    user,
)
from forewarm_playground.claude.validation.signatures import sign

Ask = Callable[..., Exchange]
Json = dict[str, Any]
IMAGE = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}
TOOLS = [tool(description="d" * 3_000), mark(tool("list"))]


def base(**changes: Any) -> Json:
    """A request with a marker at the end of each tier."""
    made = body(
        user(sized(600, "history", ttl="default")),
        assistant("So."),
        user("Why?"),
        tools=TOOLS,
        system=[sized(2_000, ttl="default")],
    )
    return made | changes


def replaced(index: int, message: Json) -> list[Json]:
    messages: list[Json] = list(base()["messages"])
    messages[index] = message
    return messages


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        ({"max_tokens": 7}, "messages"),
        ({"stream": True}, "messages"),
        ({"metadata": {"user_id": "u"}}, "messages"),
        ({"stop_sequences": ["x"]}, "messages"),
        ({"service_tier": "auto"}, "messages"),
        ({"diagnostics": {"previous_message_id": None}}, "messages"),
        ({"output_config": {"effort": "high"}}, "messages"),  # the model's default, said aloud
        ({"tool_choice": {"type": "auto"}}, "messages"),
        ({"messages": replaced(2, user("What else?"))}, "messages"),
        ({"messages": replaced(0, user(sized(600, "history")))}, "messages"),  # marker moved
        ({"output_config": {"effort": "low"}}, "system"),
        ({"thinking": {"type": "between_tools"}}, "system"),
        ({"tool_choice": {"type": "none"}}, "system"),
        ({"messages": replaced(2, user(IMAGE, "Why?"))}, "system"),
        ({"messages": replaced(0, user(sized(600, "another", ttl="default")))}, "system"),
        ({"system": [sized(2_000, "new", ttl="default")]}, "tools"),
        ({"tools": [*TOOLS, {"type": "web_search_20260318", "name": "web_search"}]}, "tools"),
        ({"tools": [tool("other"), *TOOLS]}, None),
        ({"tools": TOOLS[::-1]}, None),
        ({"tools": [mark(tool(description="d" * 3_001))]}, None),
        ({"model": "claude-opus-5-5"}, None),
    ],
)
def test_each_change_keeps_the_tiers_that_it_is_documented_to_keep(
    ask: Ask, change: Json, kept: str | None
) -> None:
    """Tools, system and messages are lost from the first one that a change touches."""
    ask(0, base())
    if change.get("messages") and "cache_control" not in str(change["messages"]):
        change["messages"][2]["content"][-1]["cache_control"] = {"type": "ephemeral"}
    hit = ask(1, base(**change)).record.hit
    assert (hit.split(".")[0] if hit else None) == kept


def test_citations_switched_on_keep_only_the_tools(ask: Ask) -> None:
    """Enabling citations changes what stands before the system text."""
    source = {"type": "text", "media_type": "text/plain", "data": "x"}
    ask(0, base(messages=[user({"type": "document", "source": source}, "Why?")]))
    document = {"type": "document", "source": source, "citations": {"enabled": True}}
    assert ask(1, base(messages=[user(document, "Why?")])).record.hit == "tools.1"


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (text("Why?"), "Why?"),
        (result("t", "ok"), result("t", [text("ok")])),
        (result("t", "ok"), {**result("t", "ok"), "is_error": False}),
    ],
)
def test_forms_that_render_alike_hit_each_other(ask: Ask, one: Any, two: Any) -> None:
    """The key is over what the model sees, not over JSON."""

    def asked(last: Any) -> Json:
        turns = [user(sized(1_000)), assistant(call("t"))]
        content = last if isinstance(last, str) else [last]
        if isinstance(last, str) or last["type"] == "text":
            turns = [user(sized(1_000)), assistant("So.")]
        made = body(*turns, {"role": "user", "content": content}, tools=[tool()])
        return made | {"cache_control": {"type": "ephemeral"}}

    written = ask(0, asked(one)).usage
    assert ask(1, asked(two)).usage.read == written.write_5m


def test_forms_that_are_not_known_to_render_alike_miss(ask: Ask) -> None:
    """Merged messages and reordered keys count as changes here, so that a test fails early."""
    ask(0, body(user(sized(600), sized(600, "b", ttl="5m"))))
    assert ask(1, body(user(sized(600)), user(sized(600, "b", ttl="5m")))).usage.read == 0
    tools = [tool()]
    question = user(sized(600))
    asked = [
        body(question, assistant(call("t", a=1, b=2)), user(result("t", "x", "5m")), tools=tools),
        body(question, assistant(call("t", b=2, a=1)), user(result("t", "x", "5m")), tools=tools),
    ]
    ask(2, asked[0])
    assert ask(3, asked[1]).usage.read == 0


@pytest.mark.parametrize(
    ("model", "fields", "keeps"),
    [
        ("claude-haiku-4-5-20251001", {"thinking": {"type": "enabled", "budget_tokens": 1_024}}, 0),
        ("claude-opus-5-5", {}, 1),
    ],
)
def test_old_thinking_is_stripped_on_old_models_and_kept_on_new_ones(
    ask: Ask, model: str, fields: Json, keeps: bool
) -> None:
    """On Haiku 4.5 a new question drops earlier thinking, and with it the cache behind it."""
    block = {"type": "thinking", "thinking": "t", "signature": sign(model, "t", 1)}
    turns = [user(sized(6_000)), assistant(block, call("t"))]
    common: Json = {"model": model, "max_tokens": 2_000, "tools": [tool()], **fields}
    ask(0, body(*turns, user(result("t", "x", "5m")), **common))
    later = [*turns, user(result("t", "x")), assistant("So."), user(text("And?", "5m"))]
    assert bool(ask(1, body(*later, **common)).usage.read) == keeps


def test_a_model_may_render_its_settings_first() -> None:
    """On some models thinking and effort stand before the tools; which is not published."""
    sonnet = builtin().find("claude-sonnet-5-5")
    assert sonnet is not None
    core = Core(Config(models=Models([replace(sonnet, settings_first=True)])))
    core.create(base(), 0)
    assert core.create(base(output_config={"effort": "low"}), 1).usage.read == 0
    assert core.create(base(), 2).usage.read > 0
