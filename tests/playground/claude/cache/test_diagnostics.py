"""Cache diagnostics, which compare the structure of requests, not their luck with the cache."""

from __future__ import annotations

from typing import Any

from forewarm_playground.claude import Config, Core, Identity
from forewarm_playground.claude.request_factory import assistant, body, sized, text, tool, user

Json = dict[str, Any]


def test_the_comparison_ignores_markers_and_whether_the_cache_hit(core: Core) -> None:
    """Null and no read means expired or evicted, which is how the two are told apart."""
    first = core.create(asked(None, system=[sized(1_000, ttl="5m")]), 0.0)
    later = core.create(asked(first.record.message_id, system=[sized(1_000, ttl="1h")]), 3_000.0)
    assert later.usage.read == 0
    assert later.message()["diagnostics"] is None


def test_a_warm_up_with_another_tail_says_messages_changed_though_its_prefix_hits(
    core: Core,
) -> None:
    """So of a warm-up's comparison only the other reasons explain a miss."""
    system = [sized(1_000, ttl="5m")]
    warm = core.create(asked(None, user("warm-up"), system=system, max_tokens=0), 0.0)
    real = core.create(asked(warm.record.message_id, user("Why?"), system=system), 1.0)
    assert real.usage.read == 1_000
    assert reason(real) == {"type": "messages_changed", "cache_missed_input_tokens": 10}


def test_the_earliest_divergence_is_reported_with_what_comes_after_it(core: Core) -> None:
    """Model, then system, then tools, then messages; a quarter of the bytes behind it."""
    first = core.create(asked(None, system=[text("s")], tools=[tool()]), 0.0).record.message_id
    changed: Json = {"system": [text("x" * 400)], "tools": [tool("list")]}
    both = reason(core.create(asked(first, **changed), 1.0))
    assert both["type"] == "system_changed"
    assert 100 < both["cache_missed_input_tokens"] < 130
    other = reason(core.create(asked(first, model="claude-opus-5-5", **changed), 2.0))
    assert other["type"] == "model_changed"
    appended = [user("Why?"), assistant("So."), user("And?")]
    same = core.create(asked(first, *appended, system=[text("s")], tools=[tool()]), 3.0)
    assert same.message()["diagnostics"] is None
    effort = asked(first, system=[text("s")], tools=[tool()], output_config={"effort": "low"})
    assert reason(core.create(effort, 4.0)) == {"type": "unavailable"}


def test_fingerprints_are_kept_for_an_hour_and_within_a_workspace() -> None:
    """And only of requests that asked for diagnostics themselves."""
    core = Core(Config(keys={"a": Identity("o", "one"), "b": Identity("o", "two")}))
    first = core.create(asked(None), 0.0, "a").record.message_id
    plain = core.create(body(), 1.0, "a").record.message_id
    missing = {"type": "previous_message_not_found"}
    assert core.create(asked(first), 3_600.0, "a").message()["diagnostics"] is None
    assert reason(core.create(asked(first), 3_600.5, "a")) == missing
    second = core.create(asked(None), 4_000.0, "a").record.message_id
    assert reason(core.create(asked(second), 4_001.0, "b")) == missing
    assert reason(core.create(asked(plain), 4_002.0, "a")) == missing


def asked(previous: str | None, *messages: Json, **fields: Any) -> Json:
    return body(*messages, diagnostics={"previous_message_id": previous}, **fields)


def reason(exchange: Any) -> Json:
    found: Json = exchange.message()["diagnostics"]["cache_miss_reason"]
    return found
