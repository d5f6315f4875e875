"""The client against a local Claude over real sockets, in time that leaps."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
from forewarm_playground import virtual_time
from forewarm_playground.claude import Answer, LocalClaude, Thought
from forewarm_playground.claude import Text as Say
from forewarm_playground.claude import ToolUse as Call

from bot.claude.client import ClaudeClient
from bot.claude.errors import ClaudeError, CutStream
from bot.claude.events import Label, RequestStarted
from bot.claude.http import request_message
from bot.claude.models import ModelSettings, settle
from bot.claude.prefix import Prefix, build_prefix
from bot.claude.prices import priced_models
from bot.claude.providers.connect import connections as connect
from bot.claude.request import question_request
from bot.claude.stream import Ended, Event, Started, Text, ThinkingStarted, ToolUse
from bot.claude.usage import Ttl
from bot.context.pack import Block, Pack
from tests.claude.records import Records
from tests.loglines import log_lines

T = TypeVar("T")
MODEL = "claude-sonnet-5-5"
LEAST = ModelSettings(MODEL, "between_tools", "low", 500)
TOOL = {
    "name": "search",
    "description": "Finds lines.",
    "input_schema": {"type": "object", "properties": {"pattern": {"type": "string"}}},
}
ASKED = [{"role": "user", "content": "Where is it?"}]


@dataclass
class Scene:
    claude: LocalClaude
    client: ClaudeClient
    journal: Records
    url: str

    def prefix(
        self, settings: ModelSettings = LEAST, overlay: str = "", tokens: int = 5_000, **more: Any
    ) -> Prefix:
        blocks = [Block("base", "r", self.claude.text(tokens, settings.model), tokens)]
        if overlay:
            blocks.append(Block("overlay", "r", overlay, len(overlay) // 3))
        return build_prefix(Pack(tuple(blocks), (), (), 1), [TOOL], settings, **more)

    async def ask(
        self,
        prefix: Prefix,
        messages: Sequence[dict[str, Any]] = ASKED,
        ttl: Ttl = "5m",
        label: Label | None = None,
    ) -> list[Event]:
        request = question_request(prefix, ttl, messages)
        async with aclosing(self.client.stream(request, label=label)) as events:
            return [event async for event in events]


@asynccontextmanager
async def scene(**chosen: Any) -> AsyncIterator[Scene]:
    claude, journal = LocalClaude(), Records()
    chosen = {"diagnose": True, **chosen}
    async with (
        claude.serve() as url,
        ClaudeClient.connect(
            api_key="sk-ant-secret", base_url=url, journal=journal, now=virtual_time.now, **chosen
        ) as client,
    ):
        yield Scene(claude, client, journal, url)


def play(act: Callable[[Scene], Awaitable[T]], **chosen: Any) -> T:
    """Run one scene in a loop whose time leaps."""

    async def main() -> T:
        async with scene(**chosen) as here:
            return await act(here)

    return virtual_time.run(main())


def ended(events: Sequence[Event]) -> Ended:
    last = events[-1]
    assert isinstance(last, Ended)
    return last


@pytest.mark.parametrize("ttl", ["5m", "1h"])
def test_what_was_warmed_is_read(ttl: Ttl) -> None:
    """The whole point: a question on a warm prefix pays and waits for its own words only."""

    async def act(here: Scene) -> None:
        prefix = here.prefix(overlay="changed " * 300)
        warmed = await here.client.warm(prefix, ttl)
        assert warmed.complete
        assert warmed.missed is None
        assert warmed.usage.written == warmed.tokens
        assert (warmed.usage.write_1h > 0) == (ttl == "1h")
        last = ended(await here.ask(prefix, ttl=ttl))
        assert last.usage.cache_read == warmed.tokens
        assert last.started_at - here.journal.ended[-1].started_at < 0.5
        again = await here.client.warm(prefix, ttl)
        assert (again.usage.written, again.usage.cache_read) == (0, warmed.tokens)

    play(act)


@pytest.mark.parametrize("model", priced_models())
def test_every_model_is_warmed_and_asked_with_its_least_thinking(model: str) -> None:
    """The settings come from the Models API; none may be refused, and warm must mean read."""

    async def act(here: Scene) -> None:
        capabilities = await here.client.capabilities(model)
        prefix = here.prefix(settle(capabilities, max_tokens=100))
        warmed = await here.client.warm(prefix)
        assert warmed.complete
        assert warmed.usage.output == 0
        assert ended(await here.ask(prefix)).usage.cache_read == warmed.tokens
        assert len(here.journal.ended) == 2

    play(act)


def test_thinking_with_a_budget_is_warmed_too() -> None:
    """`enabled` refuses `max_tokens: 0`; its warm-up is a stream that is left at once."""

    async def act(here: Scene) -> None:
        prefix = here.prefix(ModelSettings("claude-haiku-4-5", "enabled", None, 500))
        warmed = await here.client.warm(prefix)
        assert warmed.complete
        await asyncio.sleep(1)
        assert here.claude.requests[0].outcome == "cut"
        assert ended(await here.ask(prefix)).usage.cache_read == warmed.tokens

    play(act)


def test_money_and_tokens_are_what_the_server_charged() -> None:
    """Caps, receipts and reports all stand on these records."""

    async def act(here: Scene) -> None:
        prefix = here.prefix()
        await here.client.warm(prefix, "1h", label=Label("warm", "payments"))
        label = Label("question", "payments", "q1", expected=5_000)
        await here.ask(prefix, ttl="1h", label=label)
        started = [record for record in here.journal.kept if isinstance(record, RequestStarted)]
        warm, question = here.journal.ended
        assert [record.request for record in started] == [warm.request, question.request]
        assert (question.question, question.context, question.expected) == ("q1", "payments", 5_000)
        assert (question.purpose, question.ttl, question.complete) == ("question", "1h", True)
        assert question.missed is None
        charges = list(here.claude.ledger)
        assert [record.usd for record in here.journal.ended] == [
            pytest.approx(charge.usd) for charge in charges
        ]
        assert [record.request_id for record in here.journal.ended] == [
            charge.request_id for charge in charges
        ]
        assert [record.message_id for record in here.journal.ended] == [
            charge.message_id for charge in charges
        ]

    play(act)


def test_lives_are_counted_from_the_start_of_the_request() -> None:
    """A cold prefill takes 20 s: an entry's life has run that long when the reply comes."""

    async def act(here: Scene) -> None:
        prefix = here.prefix(tokens=100_000)
        before = virtual_time.now()
        warmed = await here.client.warm(prefix)
        record = here.journal.ended[0]
        assert warmed.started_at == record.started_at == pytest.approx(before, abs=0.01)
        assert warmed.seconds == record.seconds == pytest.approx(14, abs=1)
        assert record.at == pytest.approx(before + warmed.seconds, abs=0.01)

    play(act)


def test_a_refused_warm_up_of_no_tokens_is_repeated_with_one_and_never_tried_again() -> None:
    """Servers differ in what they take with `max_tokens: 0`; asking twice each time is waste."""

    async def act(here: Scene) -> None:
        prefix = here.prefix()
        refusal = {"status": 400, "type": "invalid_request_error", "message": "max_tokens: no"}
        here.claude.fault("error", **refusal)
        assert (await here.client.warm(prefix)).complete
        await here.client.warm(prefix)
        sent = [request.body["max_tokens"] for request in here.claude.requests]
        assert sent == [0, 1, 1]
        assert [record.error for record in here.journal.ended] == ["invalid", None, None]

    play(act)


def test_a_prefix_below_the_minimum_is_not_taken_for_warm() -> None:
    """Nothing is cached there, silently: the governor must not pay for it again and again."""

    async def act(here: Scene) -> None:
        prefix = here.prefix(ModelSettings("claude-haiku-4-5"), tokens=2_000)
        warmed = await here.client.warm(prefix)
        assert not warmed.complete
        assert warmed.missed is not None
        assert "minimum" in warmed.missed

    play(act)


def test_a_cancelled_warm_up_stops_the_server() -> None:
    """A question on another prefix must not wait behind a warm-up that has been given up."""

    async def act(here: Scene) -> None:
        task = asyncio.create_task(here.client.warm(here.prefix(tokens=100_000)))
        await asyncio.sleep(3)
        assert repr(here.client).endswith(": 1 running>")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0.1)
        assert here.claude.requests[0].outcome == "abandoned"
        assert here.journal.ended[0].error == "cancelled"
        assert not here.journal.ended[0].complete
        assert repr(here.client).endswith(": 0 running>")

    play(act)


def test_leaving_a_stream_stops_the_model_and_is_paid_for() -> None:
    """Stop must end the model's work; what was written by then still costs."""

    async def act(here: Scene) -> None:
        here.claude.script("word " * 400)
        request = question_request(here.prefix(), "5m", ASKED)
        async with aclosing(here.client.stream(request)) as events:
            heard = ""
            async for event in events:
                heard += event.text if isinstance(event, Text) else ""
                if len(heard) > 300:
                    break
        await asyncio.sleep(1)
        assert here.claude.requests[0].outcome == "cut"
        record = here.journal.ended[0]
        assert (record.error, record.complete) == ("cancelled", False)
        assert record.usage.output >= len(heard) // 4
        assert record.usage.written > 0

    play(act)


def test_a_consumer_that_stops_at_the_end_has_a_complete_answer() -> None:
    """Leaving after `Ended` is not a cancellation, even if the connection still carries data."""

    async def act(here: Scene) -> None:
        request = question_request(here.prefix(), "5m", ASKED)
        async with aclosing(here.client.stream(request)) as events:
            async for event in events:
                if isinstance(event, Ended):
                    break
        assert (here.journal.ended[0].error, here.journal.ended[0].complete) == (None, True)

    play(act)


def test_first_words_are_timed_apart_from_the_reply_and_from_thinking() -> None:
    """The perceived wait is split into prefill, thinking and paint: each needs its own time."""

    async def act(here: Scene) -> None:
        prefix = here.prefix(replace(LEAST, model="claude-opus-5-5", thinking="adaptive"))
        here.claude.script(Answer((Say("Here."),), Thought("hm", seconds=4.0)))
        heard = await here.ask(prefix)
        assert any(isinstance(event, ThinkingStarted) for event in heard)
        first = next(event for event in heard if isinstance(event, Text))
        assert first.at - ended(heard).started_at == pytest.approx(4, abs=0.5)
        assert ended(heard).content == ({"type": "text", "text": "Here."},)

    play(act)


def test_rounds_read_what_the_last_one_wrote() -> None:
    """Six look-ups in one answer must not pay for the repository six times, nor the thread."""

    async def act(here: Scene) -> None:
        prefix = here.prefix()
        await here.client.warm(prefix)
        messages: list[dict[str, Any]] = list(ASKED)
        read = []
        for at in range(6):
            here.claude.script([Say(f"Round {at} " + "w " * 300), Call("search", {"pattern": "x"})])
            events = await here.ask(prefix, messages)
            last = ended(events)
            read.append(last.usage)
            calls = [event for event in events if isinstance(event, ToolUse)]
            results = [
                {"type": "tool_result", "tool_use_id": call.id, "content": "line " * 500}
                for call in calls
            ]
            messages += [
                {"role": "assistant", "content": list(last.content)},
                {"role": "user", "content": results},
            ]
        for before, after in itertools.pairwise(read):
            assert after.cache_read == before.cache_read + before.written
        assert all(usage.input < 20 for usage in read)

    play(act)


def test_a_follow_up_reads_the_whole_thread_so_far() -> None:
    """Turns replayed as they were sent match byte for byte."""

    async def act(here: Scene) -> None:
        prefix = here.prefix()
        first = ended(await here.ask(prefix))
        thread: list[dict[str, Any]] = [
            *ASKED,
            {"role": "assistant", "content": list(first.content)},
            {"role": "user", "content": "And why?"},
        ]
        assert ended(await here.ask(prefix, thread)).usage.cache_read == (
            first.usage.cache_read + first.usage.written
        )

    play(act)


FAILURES = [
    ("rate_limited", {"retry_after": 7.0}, "rate_limited", 429),
    ("rate_limited", {}, "rate_limited", 429),
    ("spend_limited", {}, "spend_limit", 429),
    ("overloaded", {}, "overloaded", 529),
    ("internal", {}, "server", 500),
    ("timeout", {}, "timeout", 504),
    ("error", {"status": 401, "type": "authentication_error"}, "authentication", 401),
    ("error", {"status": 403, "type": "permission_error"}, "permission", 403),
    ("error", {"status": 413, "type": "request_too_large"}, "too_long", 413),
    ("error", {"status": 400, "type": "invalid_request_error"}, "invalid", 400),
    ("drop_request", {}, "connection", None),
    ("drop_reply", {}, "connection", None),
]


@pytest.mark.parametrize(("fault", "details", "kind", "status"), FAILURES)
def test_each_failure_is_told_by_its_kind_and_nothing_is_resent(
    fault: Any, details: dict[str, Any], kind: str, status: int | None
) -> None:
    """Governor and answer decide on the kind; a hidden resend would spend behind their backs."""

    async def act(here: Scene) -> None:
        here.claude.fault(fault, **details)
        with pytest.raises(ClaudeError) as raised:
            await here.ask(here.prefix(), label=Label("question", question="q1"))
        failed = raised.value
        assert (failed.kind, failed.status) == (kind, status)
        # A refusal costs nothing. A request that got no reply, or a gateway's, may have been read.
        assert failed.may_be_charged == (status in (None, 504))
        assert failed.retry_after == details.get("retry_after")
        assert (failed.request_id is not None) == (status is not None)
        assert len(here.claude.requests) == 1
        assert here.journal.ended[0].error == kind
        assert here.journal.ended[0].request_id == failed.request_id
        assert failed.user_message.count(".") >= 1
        assert "sk-ant" not in repr(failed) + str(failed) + failed.detail

    play(act)


@pytest.mark.parametrize(("fault", "details", "kind", "status"), FAILURES)
def test_a_warm_up_fails_once_and_is_not_resent(
    fault: Any, details: dict[str, Any], kind: str, status: int | None
) -> None:
    """Back-off is the governor's; only a 400 may be answered by asking for one token."""

    async def act(here: Scene) -> None:
        here.claude.fault(fault, times=2, **details)
        with pytest.raises(ClaudeError) as raised:
            await here.client.warm(here.prefix())
        assert (raised.value.kind, raised.value.status) == (kind, status)
        assert len(here.claude.requests) == (2 if kind == "invalid" else 1)

    play(act)


@pytest.mark.parametrize("fault", ["cut", "no_stop", "bad_event", "stall"])
def test_a_stream_that_does_not_end_properly_is_no_answer(fault: Any) -> None:
    """Half an answer that looks whole is worse than none."""

    async def act(here: Scene) -> None:
        here.claude.script("word " * 50)
        here.claude.fault(fault)
        heard: list[Event] = []
        request = question_request(here.prefix(), "5m", ASKED)

        async def listen() -> None:
            async for event in here.client.stream(request):
                heard.append(event)

        with pytest.raises(CutStream) as raised:
            await listen()
        assert raised.value.request_id == here.claude.requests[0].request_id
        assert isinstance(heard[0], Started)
        assert any(isinstance(event, Text) for event in heard)
        assert not any(isinstance(event, Ended) for event in heard)
        record = here.journal.ended[0]
        assert (record.error, record.complete) == ("cut", False)
        assert record.usage.written > 0

    play(act)


def test_an_error_inside_a_stream_has_its_own_kind() -> None:
    """An overload may come after the first words, under a status of 200."""

    async def act(here: Scene) -> None:
        here.claude.fault("stream_error", type="overloaded_error")
        with pytest.raises(ClaudeError) as raised:
            await here.ask(here.prefix())
        assert (raised.value.kind, raised.value.status) == ("overloaded", 200)

    play(act)


def test_a_server_that_is_not_there_is_one_clear_sentence() -> None:
    """The wrong ANTHROPIC_BASE_URL must be told from a wrong key."""

    async def main() -> ClaudeError:
        async with ClaudeClient.connect(base_url="http://127.0.0.1:9") as client:
            with pytest.raises(ClaudeError) as raised:
                await client.warm(build_prefix(Pack((), (), (), 0), [], ModelSettings("m")))
            return raised.value

    failed = asyncio.run(main())
    assert failed.kind == "connection"
    assert not failed.may_be_charged
    assert "ANTHROPIC_BASE_URL" in failed.user_message


@pytest.mark.parametrize("silence", ["accepts nothing", "accepts and says nothing"])
async def test_a_timeout_may_be_charged_if_the_request_had_left(
    silence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It counted as free, so a server that hangs made every cap on spending void."""
    monkeypatch.setattr("bot.claude.http.WARM_SECONDS", 0.3)
    monkeypatch.setattr("bot.claude.http.CONNECT_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        port = server.getsockname()[1]
        filling = []
        if silence == "accepts nothing":
            # A full queue of connections drops the next one without a word.
            for _ in range(3):
                filling.append(socket.socket())
                filling[-1].setblocking(False)
                filling[-1].connect_ex(("127.0.0.1", port))
        async with ClaudeClient.connect(base_url=f"http://127.0.0.1:{port}") as client:
            with pytest.raises(ClaudeError) as raised:
                await client.warm(build_prefix(Pack((), (), (), 0), [], ModelSettings("m")))
        for one in filling:
            one.close()
    assert raised.value.kind == "timeout"
    assert raised.value.may_be_charged == (silence == "accepts and says nothing")


@pytest.mark.parametrize("configured", [False, True])
def test_a_missing_key_is_one_clear_sentence(
    configured: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The SDK says it with a bare TypeError, deep inside; or stumbles over its own settings."""
    for name in [name for name in os.environ if name.startswith("ANTHROPIC_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    if configured:
        monkeypatch.setenv("ANTHROPIC_CONFIG_DIR", str(tmp_path / "gone"))

    async def main() -> None:
        async with ClaudeClient.connect() as client:
            await client.warm(build_prefix(Pack((), (), (), 0), [], ModelSettings("m")))

    with pytest.raises(ClaudeError) as raised:
        asyncio.run(main())
    assert raised.value.kind == "authentication"
    assert "ANTHROPIC_API_KEY" in raised.value.user_message


def test_an_unknown_model_is_named() -> None:
    """A typing error in a context's file."""

    async def act(here: Scene) -> None:
        with pytest.raises(ClaudeError) as raised:
            await here.client.capabilities("claude-nope")
        assert raised.value.kind == "unknown_model"
        assert "claude-nope" in raised.value.user_message

    play(act)


def test_a_prompt_beyond_the_window_says_what_to_shorten() -> None:
    """It is the thread or the budget, never the asker's fault alone."""

    async def act(here: Scene) -> None:
        prefix = here.prefix(ModelSettings("claude-haiku-4-5"), tokens=201_000)
        with pytest.raises(ClaudeError) as raised:
            await here.ask(prefix)
        assert raised.value.kind == "too_long"
        assert "budget_tokens" in raised.value.user_message

    play(act)


@pytest.mark.parametrize("factor", [0.8, 1.3])
def test_an_estimate_gives_way_to_what_the_server_counts(factor: float) -> None:
    """A ledger that compares reads with an estimate 3 % too high would see misses only."""

    async def act(here: Scene) -> None:
        text = here.claude.text(5_000)
        blocks = (
            Block("base", "r", text, round(5_000 * factor)),
            Block("overlay", "r", "changed " * 100, round(320 * factor)),
        )
        prefix = build_prefix(Pack(blocks, (), (), 1), [TOOL], LEAST)
        guess = prefix.tokens
        warmed = await here.client.warm(prefix)
        assert prefix.tokens == warmed.tokens == warmed.usage.written != guess
        assert prefix.base_tokens == pytest.approx(prefix.tokens - 320, rel=0.02)
        await here.ask(prefix, label=Label("question", expected=guess))
        assert here.journal.ended[-1].missed is None
        assert [record.tokens for record in here.journal.ended] == [prefix.tokens] * 2

    play(act)


def test_a_cold_question_measures_the_prefix_too() -> None:
    """Where nothing was warmed, the first question is the first that the server counts."""

    async def act(here: Scene) -> None:
        prefix, long = here.prefix(), [{"role": "user", "content": "why " * 2_000}]
        await here.ask(prefix, long)
        assert prefix.measure.tokens is None
        usage = ended(await here.ask(prefix)).usage
        assert prefix.tokens == pytest.approx(usage.total_input, rel=0.02)

    play(act)


def test_a_miss_is_explained() -> None:
    """Warmed but missed is a bug until it is explained: eviction, a push, or a rebuild."""

    async def act(here: Scene) -> None:
        prefix = here.prefix()
        tokens = (await here.client.warm(prefix)).tokens
        expecting = Label("question", expected=tokens)
        await here.ask(prefix, label=expecting)
        here.claude.evict()
        await here.ask(prefix, label=expecting)
        pushed = here.prefix(overlay="changed " * 300)
        await here.ask(pushed, label=replace(expecting, expected=pushed.tokens))
        assert [record.missed for record in here.journal.ended] == [
            None,
            None,
            "expired or evicted",
            "overlay_changed",
        ]
        asked = [request.body["diagnostics"] for request in here.claude.requests]
        sent = [request.message_id for request in here.claude.requests]
        assert [one["previous_message_id"] for one in asked] == [None, *sent[:-1]]

    play(act)


def test_a_server_that_refuses_diagnostics_is_asked_without_them_from_then_on() -> None:
    """Gateways in front of Claude refuse fields that they do not know."""

    async def act(here: Scene) -> None:
        refusal = {
            "status": 400,
            "type": "invalid_request_error",
            "message": "diagnostics: Extra inputs are not permitted",
        }
        here.claude.fault("error", **refusal)
        assert (await here.client.warm(here.prefix())).complete
        await here.ask(here.prefix())
        assert ["diagnostics" in request.body for request in here.claude.requests] == [
            True,
            False,
            False,
        ]
        assert [request.body["max_tokens"] for request in here.claude.requests] == [0, 0, 500]

    play(act)


def test_diagnostics_are_sent_to_no_other_server() -> None:
    """Only Anthropic's own API has them."""

    async def act(here: Scene) -> None:
        await here.client.warm(here.prefix())
        assert "diagnostics" not in here.claude.requests[0].body

    play(act, diagnose=None)


def test_a_repository_of_megabytes_is_sent_whole() -> None:
    """Above 1 MiB the HTTP library warns of a blocked loop, which is an error here."""

    async def act(here: Scene) -> None:
        prefix = here.prefix(tokens=900_000)
        assert len(prefix.encoded_texts[1]) > 2_000_000
        await here.client.warm(prefix)
        request = here.claude.requests[0]
        assert request.body["system"][1]["text"] == prefix.system[1].text
        assert int(request.headers["content-length"]) > len(prefix.encoded_texts[1])

    play(act)


def test_the_key_reaches_no_log_and_no_record() -> None:
    """Even where the server repeats it in its own words."""

    async def act(here: Scene) -> Records:
        here.claude.fault(
            "error",
            status=401,
            type="authentication_error",
            message="invalid x-api-key: sk-ant-secret",
        )
        with pytest.raises(ClaudeError) as raised:
            await here.ask(here.prefix())
        assert "sk-ant" not in f"{raised.value!r} {raised.value} {raised.value.detail}"
        return here.journal

    with log_lines() as lines:
        journal = play(act)
    assert "claude_request_failed" in lines.getvalue()
    assert "sk-ant" not in lines.getvalue() + repr(journal.kept)


def test_capabilities_are_asked_once_per_model() -> None:
    """They stand on the path of every new prefix."""

    async def act(here: Scene) -> None:
        first = await here.client.capabilities(MODEL)
        await here.client.capabilities(MODEL)
        assert first.thinking == {"adaptive", "between_tools"}
        assert first.max_input_tokens == 1_000_000

    play(act)


def test_counting_agrees_with_the_server() -> None:
    """The estimator is set right by these counts; a frame counted in would skew small files."""

    async def act(here: Scene) -> None:
        counter = here.client.counter(MODEL)
        text = here.claude.text(1_234)
        assert await counter.count(text) == pytest.approx(1_234, abs=2)
        assert await counter.count(" ") == 0
        assert counter.calls == 2

    play(act)


REPLY = (
    b'{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],'
    b'"stop_reason":"end_turn","stop_sequence":null,'
    b'"usage":{"input_tokens":1,"output_tokens":1}}'
)


async def test_a_connection_is_not_used_again_after_we_said_close() -> None:
    """Servers of Node refuse a second request on it, although they replied `keep-alive`."""
    connections: list[int] = []
    said_close = True

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal said_close
        connections.append(0)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                said_close &= b"connection: close" in head
                await reader.readexactly(int(head.split(b"content-length: ")[1].split(b"\r")[0]))
                connections[-1] += 1
                writer.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                    b"Connection: keep-alive\r\nContent-Length: %d\r\n\r\n%b" % (len(REPLY), REPLY)
                )
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        opened = connect(None, "key", f"http://127.0.0.1:{port}", {})
        prefix = build_prefix(Pack((Block("base", "app", "x", 1),), (), (), 1), [TOOL], LEAST)
        for _ in range(5):
            await request_message(opened.of(MODEL), question_request(prefix, "5m", ASKED))
        await opened.close()
    assert connections == [1] * 5
    assert said_close
