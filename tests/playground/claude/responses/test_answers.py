"""Where answers come from and how they are cut to what a request allows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from forewarm_playground.claude import (
    Answer,
    ApiError,
    Cite,
    Core,
    Latency,
    Limits,
    Match,
    Refusal,
    Text,
    Thought,
    ToolUse,
)
from forewarm_playground.claude.errors import ConfigurationError
from forewarm_playground.claude.exchange import Exchange
from forewarm_playground.claude.request_factory import (
    assistant,
    body,
    call,
    result,
    sized,
    tool,
    user,
)
from forewarm_playground.claude.responses.answers import Rule
from forewarm_playground.claude.responses.stream import events

Ask = Callable[..., Exchange]
Json = dict[str, Any]


def said(exchange: Exchange) -> str:
    return "".join(block.get("text", "") for block in exchange.message()["content"])


def test_script_before_rules_before_echo(core: Core, ask: Ask) -> None:
    """A script is used up in order; a rule answers for ever; what is left is the question."""
    core.answers.script.extend(["one", lambda asked: f"two: {asked.question}"])
    core.answers.rules.append(Rule(Match.of(r"where is (\w+)"), r"It is in \1.py"))
    core.answers.rules.append(Rule(Match(has_results=True), "Seen."))
    where = body(user("where is billing?"))
    assert [said(ask(i, where)) for i in range(3)] == [
        "one",
        "two: where is billing?",
        "It is in billing.py",
    ]
    assert said(ask(4, body(user("Hello")))) == "Hello"
    turns = [user("Hello"), assistant(call("t")), user(result("t", "x"))]
    assert said(ask(5, body(*turns, tools=[tool()]))) == "Seen."


def test_a_warm_up_uses_nothing_of_the_script(core: Core, ask: Ask) -> None:
    """It has no answer."""
    core.answers.script.append("one")
    ask(0, body(max_tokens=0))
    assert said(ask(1, body())) == "one"


def test_a_limited_request_uses_nothing_of_the_script(core: Core, ask: Ask) -> None:
    """A 429 is repeated by the client, and then gets what was meant for it."""
    core.set_limits(Limits(requests=1))
    core.answers.script.extend(["one", "two"])
    assert said(ask(0, body())) == "one"
    with pytest.raises(ApiError):
        ask(1, body())
    assert said(ask(120, body())) == "two"


def test_max_tokens_cuts_the_text(core: Core, ask: Ask) -> None:
    """And the rest of the answer with it."""
    core.answers.script.append(["a" * 100, ToolUse("read")])
    exchange = ask(0, body(max_tokens=10, tools=[tool()]))
    message = exchange.message()
    assert said(exchange) == "a" * 25
    assert (message["stop_reason"], message["usage"]["output_tokens"]) == ("max_tokens", 10)


def test_the_context_window_cuts_it_too(core: Core, ask: Ask) -> None:
    """Accepted, and ended by the window."""
    core.answers.script.append("a" * 100)
    exchange = ask(0, body(system=[sized(999_980)], max_tokens=128_000))
    assert exchange.message()["stop_reason"] == "model_context_window_exceeded"
    assert exchange.message()["usage"]["output_tokens"] == 14


def test_a_stop_sequence_ends_the_answer_before_it(core: Core, ask: Ask) -> None:
    """The first one that occurs counts, and is named."""
    core.answers.script.append("one STOP two END")
    message = ask(0, body(stop_sequences=["END", "STOP"])).message()
    assert message["content"][0]["text"] == "one "
    assert (message["stop_reason"], message["stop_sequence"]) == ("stop_sequence", "STOP")


@pytest.mark.parametrize(
    ("model", "fields", "thinks"),
    [
        ("claude-sonnet-5-5", {}, True),
        ("claude-sonnet-5-5", {"thinking": {"type": "between_tools"}}, False),
        ("claude-haiku-5-5", {"thinking": {"type": "disabled"}}, False),
        ("claude-opus-4-8", {}, False),
        ("claude-opus-4-8", {"thinking": {"type": "adaptive"}}, True),
    ],
)
def test_thinking_happens_where_the_settings_let_it(
    core: Core, ask: Ask, model: str, fields: Json, thinks: bool
) -> None:
    """A scripted thought is not thought where thinking is off, and takes no time."""
    core.answers.script.append(Answer((Text("x"),), Thought("hm", seconds=9.0)))
    exchange = ask(0, body(model=model, **fields))
    kinds = [block["type"] for block in exchange.message()["content"]]
    assert kinds == (["thinking", "text"] if thinks else ["text"])
    assert exchange.plan.thinking_seconds == (9.0 if thinks else 0.0)


def test_between_tools_thinks_between_tools(core: Core, ask: Ask) -> None:
    """Before the first call there is none, after its result there is."""
    core.answers.script.append(Answer((Text("x"),), Thought("hm", seconds=9.0)))
    turns = [user("a"), assistant(call("t")), user(result("t"))]
    exchange = ask(0, body(*turns, tools=[tool()], thinking={"type": "between_tools"}))
    assert exchange.plan.thinking_seconds == 9.0


def test_thinking_can_take_its_time_by_effort(core: Core, ask: Ask) -> None:
    """For answers that do not say their own: seconds by effort are part of the latency."""
    core.latency = Latency(thinking={"low": 1.0, "high": 8.0})
    assert ask(0, body()).plan.thinking_seconds == 8.0
    low = body(output_config={"effort": "low"})
    assert ask(1, low).plan.thinking_seconds == 1.0
    quiet = body(thinking={"type": "between_tools"})
    assert ask(2, quiet).plan.thinking_seconds == 0.0


def test_a_long_thought_is_kept_alive_by_pings(core: Core) -> None:
    """Nothing but pings comes while it thinks; then the signature, then the text."""
    core.latency = Latency(ping=15.0)
    core.answers.script.append(Answer((Text("x"),), Thought(seconds=50.0)))
    exchange = core.create(body(), 0.0)
    timed = [(event.after, event.name) for event in events(exchange)]
    assert [at for at, name in timed if name == "ping"] == [0.0, 15.0, 30.0, 45.0]
    assert timed[-1][0] == pytest.approx(50.02)


def test_a_stream_takes_as_long_as_the_whole(core: Core) -> None:
    """Streaming shows earlier; it does not end earlier."""
    core.latency = Latency(decode=50)
    core.answers.script.append(Answer((Text("word " * 100), Text("x" * 7)), Thought(seconds=3.0)))
    exchange = core.create(body(max_tokens=1_000), 0.0)
    timed = list(events(exchange))
    assert timed[-1].after == pytest.approx(exchange.seconds)
    assert timed[-1].output == exchange.plan.output
    assert [event.after for event in timed] == sorted(event.after for event in timed)
    assert [event.output for event in timed] == sorted(event.output for event in timed)


def test_a_block_begins_when_the_one_before_it_has_been_written(core: Core) -> None:
    """At 50 tokens a second, 100 tokens take two seconds."""
    core.latency = Latency(decode=50)
    core.answers.script.append([Text("x" * 250), Text("y" * 250)])
    exchange = core.create(body(max_tokens=1_000), 0.0)
    starts = [one.after for one in events(exchange) if one.name == "content_block_start"]
    assert starts == [0.0, 2.0]


def test_an_answer_may_claim_more_tokens_than_its_text(core: Core) -> None:
    """To simulate long answers without writing them."""
    core.latency = Latency(decode=50)
    core.answers.script.append(Answer((Text("short"),), tokens=500))
    exchange = core.create(body(max_tokens=1_000), 0.0)
    assert exchange.usage.output == 500
    assert exchange.seconds == 10.0
    assert list(events(exchange))[-1].after == 10.0


def test_answers_can_be_written_as_json() -> None:
    """For tests in other languages, through the control interface."""
    answer = Answer.of(
        {
            "text": "See",
            "cites": [{"quote": "x"}],
            "content": ["and", {"type": "tool_use", "name": "read", "input": {"path": "a"}}],
            "thinking": {"text": "hm", "seconds": 2},
            "refusal": {"category": None, "after": 3},
            "tokens": 9,
        }
    )
    assert answer == Answer(
        (Text("See", (Cite("x"),)), Text("and"), ToolUse("read", {"path": "a"})),
        Thought("hm", 2),
        Refusal(None, after=3),
        None,
        9,
    )
    for wrong in ({"content": [{"type": "tool_use"}]}, {"thinking": {"x": 1}}, {"txt": "a"}):
        with pytest.raises(ConfigurationError):
            Answer.of(wrong)


def test_a_citation_must_stand_somewhere(core: Core) -> None:
    """A script that quotes what no source holds is wrong, and is told so."""
    core.answers.script.append(Text("x", (Cite("nowhere"),)))
    with pytest.raises(ConfigurationError, match="nowhere"):
        core.create(body(), 0.0)


def source(kind: str, **fields: Any) -> Json:
    return {"type": "document", "source": {"type": kind, **fields}, "citations": {"enabled": True}}


@pytest.mark.parametrize(
    ("document", "cite", "place"),
    [
        (
            source("text", media_type="text/plain", data="One. Two."),
            Cite("Two."),
            {"type": "char_location", "start_char_index": 5, "end_char_index": 9},
        ),
        (
            source(
                "content", content=[{"type": "text", "text": "a"}, {"type": "text", "text": "bcd"}]
            ),
            Cite("c"),
            {"type": "content_block_location", "start_block_index": 1, "end_block_index": 2},
        ),
        (
            source("base64", media_type="application/pdf", data="AAAA"),
            Cite("said", page=3),
            {"type": "page_location", "start_page_number": 3, "end_page_number": 4},
        ),
    ],
)
def test_each_kind_of_source_is_cited_in_its_own_way(
    core: Core, document: Json, cite: Cite, place: Json
) -> None:
    """Characters from 0, blocks from 0, pages from 1; ends are exclusive."""
    core.answers.script.append(Text("x", (cite,)))
    asked = body(user({**document, "title": "t"}, "Why?"))
    (citation,) = core.create(asked, 0.0).message()["content"][0]["citations"]
    assert place.items() <= citation.items()
    assert (citation["document_index"], citation["document_title"]) == (0, "t")
