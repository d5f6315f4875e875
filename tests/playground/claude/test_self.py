"""The cases that tell whether prompt caching is reproduced (docs/platform/claude.md)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from forewarm_playground.claude import Call, Config, Core, Identity, Latency
from forewarm_playground.claude.cache.usage import Usage
from forewarm_playground.claude.exchange import Exchange
from forewarm_playground.claude.request_factory import (
    assistant,
    body,
    call,
    marker,
    result,
    sized,
    text,
    tool,
    user,
)

Ask = Callable[..., Exchange]
Json = dict[str, Any]


def blocks(count: int, tokens: int = 100) -> list[Json]:
    """So many blocks, all different."""
    return [sized(tokens, f"block {i}") for i in range(1, count + 1)]


def marked(content: list[Json], *numbers: int, ttl: Any = "default") -> Json:
    """A request whose one message has markers at these blocks, counted from 1."""
    shown = [
        {**one, "cache_control": marker(ttl)} if i in numbers else one
        for i, one in enumerate(content, 1)
    ]
    return body(user(*shown))


def test_lookback_finds_an_earlier_write_within_twenty_positions_and_not_beyond(ask: Ask) -> None:
    """The documentation's three turns: a write at block 10 is found from 15; one at 15 is not
    found from 35, which looks at 35 to 16; an additional marker at 15 finds it."""
    content = blocks(35)
    first = ask(0, marked(content[:10], 10)).usage
    second = ask(1, marked(content[:15], 15)).usage
    third = ask(2, marked(content, 35)).usage
    assert (first.read, first.write_5m) == (0, 1_004)
    assert (second.read, second.write_5m) == (1_004, 500)
    assert (third.read, third.write_5m) == (0, 3_504)


def test_a_marker_at_the_old_write_makes_the_long_turn_hit(ask: Ask) -> None:
    """The documented cure for a turn that outgrew the window."""
    content = blocks(35)
    ask(0, marked(content[:15], 15))
    used = ask(1, marked(content, 15, 35)).usage
    assert (used.read, used.write_5m) == (1_504, 2_000)


def test_a_marker_on_the_block_that_varies_never_hits(ask: Ask) -> None:
    """The time-stamp trap: blocks 1 to 5 are stable, the marked block 6 is not, and no earlier
    request wrote an entry at block 5, so each request writes all anew."""
    stable = blocks(5, 1_000)
    for at in range(3):
        used = ask(at, marked([*stable, text(f"Now it is {at} o'clock.")], 6)).usage
        assert used.read == 0
        assert used.write_5m > 5_000


@pytest.mark.parametrize(
    "change",
    [
        {"tool_choice": {"type": "none"}},
        {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
        {
            "messages": [
                user(
                    {
                        "type": "image",
                        "source": {"type": "url", "url": "https://example.com/a.png"},
                    },
                    "Why?",
                )
            ]
        },
    ],
)
def test_tool_choice_and_images_leave_the_system_prefix_alone(ask: Ask, change: Json) -> None:
    """Repository text stands in `system` because of this: an image in a thread costs no miss."""
    common: Json = {"tools": [tool()], "system": [sized(2_000, ttl="default")]}
    history = [user(sized(600, "history", ttl="default")), assistant("So."), user("Why?")]
    written = ask(0, body(*history, **common)).usage
    repeated = ask(1, body(*history, **common)).usage
    assert repeated.read == written.write_5m
    changed = ask(
        2, body(*[*history[:2], *change.pop("messages", history[2:])], **common, **change)
    )
    assert changed.usage.read == written.write_5m - 604
    assert changed.record.hit == "system.0"


@pytest.mark.parametrize(("appended", "hits"), [(19, True), (20, False)])
def test_nineteen_positions_may_follow_the_last_write(ask: Ask, appended: int, hits: bool) -> None:
    """The window counts the breakpoint itself as the first of its 20."""
    content = blocks(10 + appended)
    ask(0, marked(content[:10], 10))
    used = ask(1, marked(content, len(content))).usage
    assert (used.read == 1_004) is hits


def test_a_run_of_tool_calls_and_a_run_of_results_are_one_position_each(ask: Ask) -> None:
    """25 parallel calls must not push the last write out of the window: the results are its first
    position, the calls its second, the question its third."""
    question = sized(1_000)
    calls = assistant(*[call(f"t{i}", path=f"{i}.py") for i in range(25)])
    results = [result(f"t{i}", f"content {i}") for i in range(25)]
    last = result("t24", "content 24", ttl="default")
    ask(0, body(user({**question, "cache_control": marker()}), tools=[tool()]))
    second = ask(1, body(user(question), calls, user(*results[:24], last), tools=[tool()]))
    assert second.record.hit == "messages.0.content.0"
    rest = [assistant("So."), user(*blocks(16), sized(100, "end", ttl="default"))]
    third = ask(2, body(user(question), calls, user(*results), *rest, tools=[tool()]))
    assert third.record.hit == "messages.2.content.24"


MIXED = [sized(1_000, "one", ttl="1h"), sized(1_000, "two", ttl="5m")]


@pytest.mark.parametrize(
    ("earlier", "used"),
    [
        # Nothing is cached: A = 0, B = 1,000, C = 2,000.
        ([], Usage(input=6, write_1h=1_000, write_5m=1_000)),
        # The hour's part is cached: A = B = 1,000.
        ([MIXED[:1]], Usage(input=6, read=1_000, write_5m=1_000)),
        # All is cached: A = B = C = 2,000.
        ([MIXED], Usage(input=6, read=2_000)),
    ],
)
def test_mixed_lives_are_billed_by_position(
    ask: Ask, earlier: list[list[Json]], used: Usage
) -> None:
    """read(A) + 1 h write(B - A) + 5 min write(C - B) + plain input."""
    for at, system in enumerate(earlier):
        ask(at, body(system=system, max_tokens=0))
    assert ask(10, body(system=MIXED, max_tokens=0)).usage == used


def test_a_life_begins_at_the_start_of_the_request_not_at_its_end() -> None:
    """A stream of four minutes leaves one minute of a five-minute life."""
    core = Core(Config(latency=Latency(base=0, per_uncached_token=0, decode=1.0), limits=None))
    core.answers.script.append("x" * 600)
    asked = body(system=[sized(1_000, ttl="default")], max_tokens=1_000)
    exchange = core.open(Call(body=asked), 0.0)
    exchange.begin(0.0)
    assert exchange.seconds == 240.0
    exchange.finish(240.0)
    assert core.cache.live(300.0)
    assert not core.cache.live(300.001)


def test_two_cold_requests_at_once_both_write(core: Core) -> None:
    """An entry can be read only once the first response has begun; until then others pay too."""
    asked = body(system=[sized(1_000, ttl="default")])
    one = core.open(Call(body=asked), 0.0)
    two = core.open(Call(body=asked), 1.0)
    one.begin(2.0)
    three = core.open(Call(body=asked), 2.0)
    assert [it.usage.write_5m for it in (one, two, three)] == [1_000, 1_000, 0]
    assert three.usage.read == 1_000


def test_a_question_reads_what_its_warm_up_wrote(ask: Ask) -> None:
    """The product depends on it."""
    system = [sized(5_120, ttl="default")]
    warm = ask(0, body(user("warm-up"), system=system, max_tokens=0))
    real = ask(30, body(user("Where is it?"), system=system))
    assert warm.message()["content"] == []
    assert warm.message()["stop_reason"] == "max_tokens"
    assert (warm.usage.write_5m, warm.usage.output) == (5_120, 0)
    assert (real.usage.read, real.usage.written) == (5_120, 0)


def test_a_warm_up_marked_on_its_placeholder_warms_nothing(ask: Ask) -> None:
    """The entry is then keyed to the placeholder, which no question contains."""
    system = [sized(5_120)]
    ask(0, body(user(text("warm-up", "default")), system=system, max_tokens=0))
    real = ask(30, body(user(text("Where is it?", "default")), system=system))
    assert real.usage.read == 0


@pytest.mark.parametrize(
    ("model", "density", "least"), [("claude-opus-5-5", 2.5, 512), ("claude-haiku-4-5", 3.3, 4_096)]
)
def test_a_prefix_below_the_models_minimum_is_not_cached(
    ask: Ask, model: str, density: float, least: int
) -> None:
    """No error, no cache fields: the silent zero that users take for a bug."""
    for tokens in (least - 1, least):
        system = [sized(tokens, ttl="default", density=density)]
        ask(0, body(system=system, model=model))
        again = ask(1, body(system=system, model=model))
        assert again.usage.read == (tokens if tokens == least else 0)
        assert again.usage.written == 0


def test_workspaces_do_not_share_and_keys_of_one_workspace_do() -> None:
    """Isolation is by workspace, not by key."""
    keys = {
        "one": Identity("org", "wrkspc_a"),
        "two": Identity("org", "wrkspc_a"),
        "three": Identity("org", "wrkspc_b"),
    }
    core = Core(Config(keys=keys))
    asked = body(system=[sized(1_000, ttl="default")])
    core.create(asked, 0, "one")
    assert core.create(asked, 1, "two").usage.read == 1_000
    assert core.create(asked, 2, "three").usage.read == 0
