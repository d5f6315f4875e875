"""Message threads, as Anthropic's own clients use them and as the API refuses them."""

from __future__ import annotations

from typing import Any

import pytest
from anthropic import Anthropic, AsyncAnthropic, beta_async_tool, beta_tool
from forewarm_playground.claude import ApiError, Config, Core, LocalClaude, ToolUse
from forewarm_playground.claude.core import Call
from forewarm_playground.claude.request_factory import body, sized, user
from forewarm_playground.claude.threads import BETA, LIFE

SONNET = "claude-sonnet-5-5"
NOW = 1_000_000.0


@beta_async_tool
async def lines(path: str) -> str:
    """Count the lines of a file.

    Args:
        path: The file.
    """
    return f"{path} has 12 lines"


@beta_tool
def lines_at_once(path: str) -> str:
    """Count the lines of a file.

    Args:
        path: The file.
    """
    return f"{path} has 12 lines"


def roles(claude: LocalClaude) -> list[tuple[str, int]]:
    """The thread and the number of messages that each request sent."""
    bodies = [record.body or {} for record in claude.requests]
    return [(one.get("thread", {}).get("type", "none"), len(one["messages"])) for one in bodies]


@pytest.mark.parametrize("stream", [False, True])
async def test_the_tool_runner_continues_one_thread(stream: bool) -> None:
    """Its default: each round sends only what is new."""
    claude = LocalClaude()
    claude.script([ToolUse("lines", {"path": "a.py"})], [ToolUse("lines", {"path": "b.py"})], "24.")
    async with claude.serve() as url, AsyncAnthropic(base_url=url, api_key="k") as client:
        runner: Any = client.beta.messages.tool_runner(
            model=SONNET,
            max_tokens=200,
            tools=[lines],
            messages=[{"role": "user", "content": "How many lines?"}],
            stream=stream,
        )
        last = await runner.until_done()
    assert last.content[0].text == "24."
    assert roles(claude) == [("create", 1), ("continue", 1), ("continue", 1)]
    # The prompt grows all the same.
    totals = [record.usage.total for record in claude.requests if record.usage]
    assert totals == sorted(totals)
    assert totals[0] < totals[-1]


def test_the_blocking_tool_runner_works_too() -> None:
    import asyncio

    async def main() -> None:
        claude = LocalClaude()
        claude.script([ToolUse("lines_at_once", {"path": "a.py"})], "12.")
        async with claude.serve() as url:

            def ask() -> Any:
                with Anthropic(base_url=url, api_key="k") as client:
                    return client.beta.messages.tool_runner(
                        model=SONNET,
                        max_tokens=200,
                        tools=[lines_at_once],
                        messages=[{"role": "user", "content": "How many lines?"}],
                    ).until_done()

            last = await asyncio.to_thread(ask)
        assert last.content[0].text == "12."
        assert roles(claude) == [("create", 1), ("continue", 1)]

    asyncio.run(main())


async def test_an_organisation_without_threads_falls_back_to_whole_requests() -> None:
    claude = LocalClaude(Config(threads=False))
    claude.script([ToolUse("lines", {"path": "a.py"})], "12.")
    async with claude.serve() as url, AsyncAnthropic(base_url=url, api_key="k") as client:
        runner: Any = client.beta.messages.tool_runner(
            model=SONNET,
            max_tokens=200,
            tools=[lines],
            messages=[{"role": "user", "content": "How many lines?"}],
        )
        last = await runner.until_done()
    assert last.content[0].text == "12."
    assert roles(claude) == [("create", 1), ("none", 1), ("none", 3)]


class Rig:
    """A core with one thread whose first response has the id `first`."""

    def __init__(self) -> None:
        self.core = Core(Config(limits=None))
        self.first = self.send({"type": "create"}, system=[sized(2_000, ttl="5m")])

    def open(self, thread: Any, at: float = NOW, key: str = "local", **fields: Any) -> Any:
        sent = body(user("And then?"), **fields) | {"thread": thread}
        return self.core.open(Call(body=sent, key=key, betas=(BETA,)), at)

    def send(self, thread: Any, at: float = NOW, **fields: Any) -> str:
        exchange = self.open(thread, at, **fields)
        exchange.begin(at)
        exchange.finish(at)
        return str(exchange.record.message_id)

    def next(self, message_id: str) -> dict[str, str]:
        return {"type": "continue", "previous_message_id": message_id}

    def refusal(self, thread: Any, at: float = NOW, **fields: Any) -> tuple[int, str, Any]:
        with pytest.raises(ApiError) as raised:
            self.open(thread, at, **fields)
        details = raised.value.details or {}
        return raised.value.status, raised.value.message, details.get("error_code")


def test_a_thread_keeps_system_and_reads_what_was_cached() -> None:
    rig = Rig()
    exchange = rig.open(rig.next(rig.first))
    assert exchange.usage.read == 2_000


def test_a_response_is_continued_once() -> None:
    rig = Rig()
    second = rig.send(rig.next(rig.first))
    assert rig.refusal(rig.next(rig.first))[2] == "thread_already_continued"
    third = rig.send(rig.next(second))
    assert len(rig.core.threads) == 3
    assert third != second


def test_a_response_that_is_being_continued_waits_for_its_end() -> None:
    rig = Rig()
    running = rig.open(rig.next(rig.first))
    assert rig.refusal(rig.next(rig.first))[2] == "thread_continue_in_flight"
    running.abandon(NOW)
    rig.send(rig.next(rig.first))


def test_a_refused_request_leaves_its_thread_open() -> None:
    rig = Rig()
    assert rig.refusal(rig.next(rig.first), max_tokens=10**9)[0] == 400
    rig.send(rig.next(rig.first))


def test_a_thread_ends_five_minutes_after_its_last_request() -> None:
    rig = Rig()
    second = rig.send(rig.next(rig.first), NOW + LIFE - 1)
    assert rig.refusal(rig.next(second), NOW + 2 * LIFE)[::2] == (404, "thread_not_found")


def test_unknown_ids_and_other_forms_are_refused() -> None:
    rig = Rig()
    assert rig.refusal(rig.next("msg_unknown"))[::2] == (404, "thread_not_found")
    status, message, code = rig.refusal(rig.next("req_unknown"))
    assert (status, code) == (400, None)
    assert "starts with msg_" in message


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"system": "Another."}, "system"),
        ({"model": "claude-opus-5-5"}, "model"),
        ({"system": "Another.", "model": "claude-opus-5-5"}, "model, system"),
    ],
)
def test_what_a_thread_keeps_cannot_change(fields: dict[str, Any], named: str) -> None:
    rig = Rig()
    status, message, code = rig.refusal(rig.next(rig.first), **fields)
    assert (status, code) == (400, "thread_fingerprint_mismatch")
    assert message.endswith(named)


def test_what_a_thread_does_not_support_is_named() -> None:
    rig = Rig()
    with pytest.raises(ApiError) as raised:
        rig.open({"type": "create"}, cache_control={"type": "ephemeral"})
    assert raised.value.details == {
        "error_code": "thread_unsupported_request",
        "unsupported": ["cache_control"],
    }


def test_without_its_beta_the_field_is_unknown() -> None:
    rig = Rig()
    sent = body(user("And then?")) | {"thread": {"type": "create"}}
    with pytest.raises(ApiError, match="thread: Extra inputs are not permitted"):
        rig.core.open(Call(body=sent), NOW)
    for wrong in ({"type": "fork"}, {"type": "continue"}, "create", {"type": "create", "x": 1}):
        assert rig.refusal(wrong)[0] == 400
