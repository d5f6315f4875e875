"""Every fault on command, as Anthropic's client meets it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import anthropic
import pytest
from anthropic import AsyncAnthropic, DefaultAioHttpClient
from forewarm_playground.claude import Fault, LocalClaude, Match
from forewarm_playground.claude.errors import ConfigurationError
from forewarm_playground.claude.request_factory import sized, user

SONNET = "claude-sonnet-5-5"
SYSTEM: list[Any] = [sized(2_000, ttl="1h")]
ASKED: list[Any] = [user("Where is the retry policy?")]
WORDS = "word " * 200


@pytest.fixture
async def claude() -> LocalClaude:
    return LocalClaude()


@pytest.fixture(params=["httpx", "aiohttp"])
async def client(
    claude: LocalClaude, request: pytest.FixtureRequest
) -> AsyncIterator[AsyncAnthropic]:
    http: Any = DefaultAioHttpClient() if request.param == "aiohttp" else None
    async with (
        claude.serve() as url,
        AsyncAnthropic(base_url=url, api_key="k", max_retries=0, http_client=http) as made,
    ):
        yield made


def now() -> float:
    return asyncio.get_running_loop().time()


async def ask(client: AsyncAnthropic, **fields: Any) -> anthropic.types.Message:
    asked: Any = {
        "model": SONNET,
        "max_tokens": 500,
        "system": SYSTEM,
        "messages": ASKED,
        **fields,
    }
    message: anthropic.types.Message = await client.messages.create(**asked)
    return message


async def stream(client: AsyncAnthropic) -> tuple[str, Exception | None]:
    """Read a stream's text to its end or its error."""
    text = ""
    try:
        async with client.messages.stream(
            model=SONNET, max_tokens=500, system=SYSTEM, messages=ASKED
        ) as reply:
            async for piece in reply.text_stream:
                text += piece
    except Exception as error:
        return text, error
    return text, None


def written(claude: LocalClaude) -> bool:
    return bool(claude.cached)


@pytest.mark.parametrize(
    ("fault", "kind", "status", "type", "retry_after"),
    [
        (
            Fault(kind="rate_limited", retry_after=7),
            anthropic.RateLimitError,
            429,
            "rate_limit_error",
            "7",
        ),
        (Fault(kind="rate_limited"), anthropic.RateLimitError, 429, "rate_limit_error", None),
        (Fault(kind="spend_limited"), anthropic.RateLimitError, 429, "rate_limit_error", None),
        (Fault(kind="overloaded"), anthropic.OverloadedError, 529, "overloaded_error", None),
        (Fault(kind="internal"), anthropic.InternalServerError, 500, "api_error", None),
        (Fault(kind="timeout"), anthropic.GatewayTimeoutError, 504, "timeout_error", None),
        (
            Fault(kind="error", status=403, type="permission_error", message="No."),
            anthropic.PermissionDeniedError,
            403,
            "permission_error",
            None,
        ),
    ],
)
async def test_an_error_reply_changes_nothing(
    claude: LocalClaude,
    client: AsyncAnthropic,
    fault: Fault,
    kind: type[anthropic.APIStatusError],
    status: int,
    type: str,
    retry_after: str | None,
) -> None:
    """Status, type and header as documented; nothing is written, refreshed, billed or taken from
    the script; and the next request is served."""
    claude.script("Answer.")
    claude.fault(fault)
    with pytest.raises(kind) as caught:
        await ask(client)
    assert (caught.value.status_code, caught.value.type) == (status, type)
    assert caught.value.response.headers.get("retry-after") == retry_after
    assert (written(claude), claude.ledger.usd) == (False, 0.0)
    assert (await ask(client)).content[0].to_dict()["text"] == "Answer."
    assert [record.outcome for record in claude.requests] == ["refused", "complete"]


async def test_the_spend_cap_names_its_code(claude: LocalClaude, client: AsyncAnthropic) -> None:
    """It is the one 429 that waiting does not cure."""
    claude.fault("spend_limited")
    with pytest.raises(anthropic.RateLimitError) as caught:
        await ask(client)
    assert caught.value.error_code == "enforced_spend_limit_reached"


async def test_a_refused_connection_and_its_return(
    claude: LocalClaude, client: AsyncAnthropic
) -> None:
    """The port is closed for a while and opens again by itself, on the virtual clock."""
    claude.fault("refuse", seconds=30)
    with pytest.raises(anthropic.APIConnectionError):
        await ask(client)
    with pytest.raises(anthropic.APIConnectionError):
        await ask(client)
    assert len(claude.requests) == 1
    await asyncio.sleep(31)
    await ask(client)
    assert len(claude.requests) == 2


async def test_a_port_closed_for_as_long_as_a_test_likes(
    claude: LocalClaude, client: AsyncAnthropic
) -> None:
    """Without a request that starts it; what the server knew, it knows again."""
    await ask(client)
    async with claude.refusing():
        with pytest.raises(anthropic.APIConnectionError):
            await ask(client)
    assert (await ask(client)).usage.cache_read_input_tokens == 2_000


@pytest.mark.parametrize(("kind", "effect"), [("drop_request", False), ("drop_reply", True)])
async def test_a_connection_that_dies_before_the_first_byte(
    claude: LocalClaude, client: AsyncAnthropic, kind: Any, effect: bool
) -> None:
    """The caller cannot tell the two apart: in one nothing happened, in the other everything did,
    and was billed."""
    claude.fault(kind)
    with pytest.raises(anthropic.APIConnectionError):
        await ask(client)
    assert written(claude) is effect
    assert (claude.ledger.usd > 0) is effect
    assert claude.requests[0].outcome == "dropped"
    assert (await ask(client)).usage.cache_read_input_tokens == (2_000 if effect else 0)


async def test_a_stream_cut_in_the_middle(claude: LocalClaude, client: AsyncAnthropic) -> None:
    """Some text has come, then the connection dies; what came is billed, the prefix is kept."""
    claude.script(WORDS)
    claude.fault("cut", after=20)
    text, error = await stream(client)
    assert 0 < len(text) < len(WORDS)
    assert isinstance(error, Exception)
    assert not isinstance(error, anthropic.APIStatusError)
    record = claude.requests[0]
    assert record.usage is not None
    assert 0 < record.usage.output < 400
    assert written(claude)


async def test_a_body_cut_in_the_middle(claude: LocalClaude, client: AsyncAnthropic) -> None:
    """Without streaming it is half a JSON document, and then the end of the connection."""
    claude.fault("cut")
    with pytest.raises(Exception, match=r"(?i)connection|incomplete|payload|chunk|peer"):
        await ask(client)
    assert claude.requests[0].outcome == "dropped"


async def test_a_stream_that_ends_without_message_stop(
    claude: LocalClaude, client: AsyncAnthropic
) -> None:
    """It ends in good order and looks complete but for its last event."""
    claude.script(WORDS)
    claude.fault("no_stop")
    events = [
        event.type
        async for event in await client.messages.create(
            model=SONNET, max_tokens=500, messages=ASKED, stream=True
        )
    ]
    assert events[-1] == "message_delta"
    assert "message_stop" not in events


async def test_an_event_that_is_not_json(claude: LocalClaude, client: AsyncAnthropic) -> None:
    """A proxy's error page, or a line cut short."""
    claude.script(WORDS, WORDS)
    claude.fault("bad_event", after=8)
    text, error = await stream(client)
    assert text
    assert isinstance(error, ValueError)
    claude.fault("bad_event")
    with pytest.raises(Exception, match=r"(?i)json|expecting|validation|attribute|str"):
        (await ask(client)).content[0].to_dict()


@pytest.mark.parametrize("after", [0, 10])
async def test_a_stall_before_or_in_the_middle(
    claude: LocalClaude, client: AsyncAnthropic, after: int
) -> None:
    """Nothing comes for a while, not even a ping; then all goes on."""
    claude.script(WORDS)
    claude.fault("stall", after=after, seconds=120)
    before = now()
    text, error = await stream(client)
    assert (text, error) == (WORDS, None)
    assert now() - before > 120


async def test_a_stall_for_ever_ends_with_the_clients_patience(
    claude: LocalClaude, client: AsyncAnthropic
) -> None:
    """The deadline is the client's; the server would wait for ever."""
    claude.script(WORDS)
    claude.fault("stall", after=10, seconds=None)
    before = now()
    impatient = client.with_options(timeout=45)
    text, error = await stream(impatient)
    assert text
    assert error is not None
    assert now() - before >= 45
    await asyncio.sleep(1)
    assert claude.requests[0].outcome == "cut"


async def test_a_slow_first_token(claude: LocalClaude, client: AsyncAnthropic) -> None:
    """The response begins later, and with it the entry becomes readable later."""
    claude.fault("slow", seconds=33)
    before = now()
    await ask(client, max_tokens=0)
    assert now() - before == pytest.approx(
        33 + claude.latency.base + 2_000 * claude.latency.per_uncached_token, abs=0.01
    )


async def test_an_error_event_in_the_middle_of_a_stream(
    claude: LocalClaude, client: AsyncAnthropic
) -> None:
    """HTTP 200 has been said already: the SDK raises an APIStatusError with status 200."""
    claude.script(WORDS)
    claude.fault("stream_error", after=12)
    text, error = await stream(client)
    assert text
    assert isinstance(error, anthropic.APIStatusError)
    assert (error.status_code, error.type) == (200, "overloaded_error")
    assert claude.requests[0].outcome == "cut"


async def test_a_refusal_before_any_output_is_free(
    claude: LocalClaude, client: AsyncAnthropic
) -> None:
    """HTTP 200 with `stop_reason: refusal`; its input is not billed, and its prefix is cached."""
    claude.fault("refusal", category="cyber")
    message = await ask(client)
    assert message.stop_reason == "refusal"
    assert message.content == []
    assert message.stop_details is not None
    assert message.stop_details.category == "cyber"
    assert claude.ledger.usd == 0.0


async def test_a_refusal_in_the_middle_is_billed(
    claude: LocalClaude, client: AsyncAnthropic
) -> None:
    """The text before it stands, and costs."""
    claude.script(WORDS)
    claude.fault("refusal", after=40)
    message = await ask(client)
    assert message.stop_reason == "refusal"
    assert message.usage.output_tokens == 40
    assert message.content[0].to_dict()["text"]
    assert claude.ledger.usd > 0.0


async def test_an_early_eviction(claude: LocalClaude, client: AsyncAnthropic) -> None:
    """Entries do go before their time; what survives is mostly tools and system."""
    history: list[Any] = [user(sized(1_000, "h", ttl="5m"))]
    await ask(client, messages=history)
    claude.fault("evict", tier="messages")
    assert (await ask(client, messages=history)).usage.cache_read_input_tokens == 2_000
    claude.fault("evict")
    assert (await ask(client, messages=history)).usage.cache_read_input_tokens == 0


async def test_a_lag_of_visibility(claude: LocalClaude, client: AsyncAnthropic) -> None:
    """The entry of this request can be read only some time after its response began."""
    claude.fault("lag", seconds=2)
    await ask(client, max_tokens=0)
    assert (await ask(client, max_tokens=0)).usage.cache_read_input_tokens == 0
    claude.reset()
    claude.fault("lag", seconds=2)
    await ask(client, max_tokens=0)
    await asyncio.sleep(2)
    assert (await ask(client, max_tokens=0)).usage.cache_read_input_tokens == 2_000


async def test_a_fault_waits_for_the_request_it_is_meant_for(
    claude: LocalClaude, client: AsyncAnthropic
) -> None:
    """By count, by kind of request, by its text, or by any predicate."""
    claude.fault("overloaded", match={"warm": True}, skip=1, times=2)
    claude.fault("internal", match=Match(pattern="retry", stream=True))
    claude.fault("timeout", match=lambda asked: asked.body["max_tokens"] == 77)
    await ask(client)
    await ask(client, max_tokens=0)
    for _ in range(2):
        with pytest.raises(anthropic.OverloadedError):
            await ask(client, max_tokens=0)
    await ask(client, max_tokens=0)
    assert isinstance((await stream(client))[1], anthropic.InternalServerError)
    with pytest.raises(anthropic.GatewayTimeoutError):
        await ask(client, max_tokens=77)
    assert len(claude.faults) == 0


async def test_faults_that_pass_join_one_that_does_not(
    claude: LocalClaude, client: AsyncAnthropic
) -> None:
    """Slow and then dropped, as it happens in life; the second drop waits for the next request."""
    for kind, seconds in (("slow", 50.0), ("drop_reply", None), ("drop_request", None)):
        claude.fault(Fault(kind=kind, seconds=seconds))  # type: ignore[arg-type]
    before = now()
    with pytest.raises(anthropic.APIConnectionError):
        await ask(client)
    assert now() - before > 50
    assert claude.requests[0].fault == "slow, drop_reply"
    assert [fault.kind for fault in claude.faults] == ["drop_request"]


@pytest.mark.parametrize("kind", ["cut", "bad_event", "stall", "stream_error"])
async def test_a_fault_behind_the_end_of_a_stream_falls_at_its_end(
    claude: LocalClaude, client: AsyncAnthropic, kind: Any
) -> None:
    """A short answer must not let a fault pass by unnoticed."""
    claude.script("x")
    claude.fault(kind, after=1_000, seconds=50)
    before = now()
    _, error = await stream(client)
    assert error is not None or now() - before > 50


async def test_a_fault_that_does_not_exist_is_said_at_once(claude: LocalClaude) -> None:
    """A typing error in a test must not pass for a fault that never fell."""
    with pytest.raises(ConfigurationError):
        claude.fault("no_such_thing")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError):
        claude.fault("slow", secnods=3)
