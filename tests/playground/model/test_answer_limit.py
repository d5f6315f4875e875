"""The limit of a small model's answer: its length, repetition, and the stream that it passes."""

from __future__ import annotations

import json

import aiohttp
import pytest
from aiohttp import web
from forewarm_playground.model.answer_limit import MOST_WORDS, AnswerLimit
from forewarm_playground.model.limiting_proxy import StreamLimit, limit_message, limited

PLAIN = "Refunds are retried an hour later. The limit is five, as `refunds.py` says: then it stops."
CODE = "It reads:\n```py\nx = 1\ny = 2\n```\nBoth are numbers"
NUMBERED = " ".join(f"word{n}" for n in range(400))


def shown(text: str, step: int) -> str:
    limit = AnswerLimit()
    parts = []
    for start in range(0, len(text), step):
        parts.append(limit.feed(text[start : start + step]))
        if limit.ended:
            break
    return "".join(parts) + limit.finish()


@pytest.mark.parametrize("step", [1, 2, 3, 7, 40, 5000])
@pytest.mark.parametrize(
    "text", [PLAIN, CODE, "", "One", "  leading", "no no", "a\n\nb\n", "다시 시도"]
)
def test_a_short_answer_passes_unchanged(text: str, step: int) -> None:
    assert shown(text, step) == text


@pytest.mark.parametrize("step", [1, 3, 11, 5000])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "It is done in an hour, as the code says. " * 9,
            "It is done in an hour, as the code says. ",
        ),
        ("yes " * 60, "yes …"),
        ("- first\n- second\n" * 20, "- first\n- second\n"),
        ("A b c d e f g h. X. A b c d e f g h. Y.", "A b c d e f g h. X. "),
        ("ja, ja, Ja! ja ja ja ja ja ja ja ja", "ja, …"),
    ],
)
def test_no_run_of_words_is_shown_twice(text: str, expected: str, step: int) -> None:
    assert shown(text, step) == expected


@pytest.mark.parametrize("step", [1, 5, 5000])
def test_a_long_answer_ends_with_a_sentence_or_an_ellipsis(step: int) -> None:
    sentences = " ".join(f"Number {n} is a number with {n + 1} after it." for n in range(80))
    text = shown(sentences, step)
    assert 120 <= len(text.split()) < 130
    assert text.rstrip().endswith("after it.")
    assert len(shown(NUMBERED, step).split()) == MOST_WORDS + 1
    assert shown(NUMBERED, step).endswith(" …")


@pytest.mark.parametrize("step", [1, 7, 5000])
@pytest.mark.parametrize("end", ["", " and more."])
def test_a_word_without_end_is_not_shown(end: str, step: int) -> None:
    """A small model was seen to write `a3f-a3f-…` until its tokens were used up."""
    text = "The commands are: " + "a3f-" * 200 + end
    assert shown(text, step) == "The commands are: "


def test_an_open_fence_is_closed() -> None:
    assert shown("```py\n" + NUMBERED, 9).count("```") == 2


def sse(event: dict[str, object]) -> bytes:
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


def stream(text: str) -> list[bytes]:
    pieces = [text[at : at + 6] for at in range(0, len(text), 6)]
    delta = "content_block_delta"
    return [
        sse({"type": "message_start", "message": {"id": "m"}}),
        sse({"type": "content_block_start", "index": 0, "content_block": {"type": "text"}}),
        *(
            sse({"type": delta, "index": 0, "delta": {"type": "text_delta", "text": piece}})
            for piece in pieces
        ),
        sse({"type": "content_block_stop", "index": 0}),
        sse({"type": "message_delta", "delta": {"stop_reason": "end_turn"}}),
        sse({"type": "message_stop"}),
    ]


def told(events: bytes) -> tuple[str, list[str]]:
    found = [json.loads(line[5:]) for line in events.splitlines() if line.startswith(b"data:")]
    text = "".join(e["delta"]["text"] for e in found if e["type"] == "content_block_delta")
    return text, [e["type"] for e in found if e["type"] != "content_block_delta"]


ORDER = [
    "message_start",
    "content_block_start",
    "content_block_stop",
    "message_delta",
    "message_stop",
]


@pytest.mark.parametrize("text", [PLAIN, "It repeats and repeats what it says. " * 30])
def test_a_stream_keeps_its_order_of_events(text: str) -> None:
    limit = StreamLimit()
    lines = b"".join(stream(text)).splitlines(keepends=True)
    out = []
    for line in lines:
        out += limit.feed(line)
        if limit.ended:
            break
    assert told(b"".join(out)) == (shown(text, 6), ORDER)


def test_other_bodies_pass_unchanged() -> None:
    for body in (b"", b"no json", b"[1]", b'{"type":"error"}', b'{"data":[]}'):
        assert limit_message(body) == body
    whole = {"type": "message", "stop_reason": "max_tokens"}
    block = {"type": "text", "text": NUMBERED}
    limited_one = json.loads(limit_message(json.dumps({**whole, "content": [block]}).encode()))
    assert limited_one["stop_reason"] == "end_turn"
    assert limited_one["content"][0]["text"] == shown(NUMBERED, 9)


async def test_the_proxy_streams_limits_and_frees_the_model() -> None:
    """The model's work ends with the answer, so that the next question does not wait for it."""
    left: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        assert (await request.json())["model"] == "small"
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        try:
            while True:
                for event in stream("It says it again and again and yet again. " * 40):
                    await response.write(event)
        except ConnectionError:
            left.append("the client")
        return response

    app = web.Application()
    app.router.add_post("/v1/messages", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    async with limited(f"http://127.0.0.1:{port}") as url, aiohttp.ClientSession(url) as session:
        async with session.post("/v1/messages", json={"model": "small"}) as response:
            text, kinds = told(await response.read())
        assert (await session.get("/nowhere?x=1")).status == 404
    await runner.cleanup()
    assert text == "It says it again and again and yet again. "
    assert kinds == ORDER
    assert left == ["the client"]
