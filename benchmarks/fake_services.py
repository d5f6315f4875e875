"""Slack and Claude for the overhead benchmark: they answer at once and stamp what reaches them.

Run as a process of its own (`python -m benchmarks.fake_services`), so that the measured process
has a core to itself. Stamps are of the system's monotonic clock, which all processes share.
Prints its port as its first line; ends with its standard input.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import re
import sys
import time
from collections import defaultdict, deque
from dataclasses import asdict, dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

_NAME = re.compile(rb"bench-(\d+)-")
WORDS = ("token", "cache", "prefix", "thread", "answer", "commit", "stream", "window")
TICK = 0.002
SECRET = "bench-signing-secret"  # noqa: S105 - made up, known to both ends
TEAM, CHANNEL, USER, BOT_USER = "T0BENCH", "C0BENCH", "U0ASKER", "U0BOT"
SETTLED = 0.05
"""Seconds between an answer's end and the next question."""
BODY_LIMIT = 64 * 1024 * 1024


def name(number: int) -> str:
    """Return the mark by which both ends know a question."""
    return f"bench-{number}-"


def answer_pieces(number: int, tokens: int) -> list[str]:
    """Return the scripted answer, one piece for each token."""
    return [f"{WORDS[(number + at) % len(WORDS)]}{number * 1000 + at} " for at in range(tokens)]


@dataclass(slots=True)
class Seen:
    """Times of one question in monotonic seconds; None for steps that did not happen."""

    asked: float | None = None
    requested: float | None = None
    first_token: float | None = None
    first_words: float | None = None
    shown: dict[str, str] = field(default_factory=dict)


class Speech:
    """One answer being given, a token at a time, straight into its connection."""

    def __init__(
        self,
        transport: asyncio.WriteTransport | None,
        pieces: deque[bytes],
        seen: Seen,
        per_second: float,
    ) -> None:
        self._transport = transport
        self._pieces = pieces
        self._seen = seen
        self._gap = 1 / per_second if per_second else 0.0
        self._next = 0.0
        self.over = asyncio.Event()

    def say(self, now: float) -> bool:
        """Say what is due; tell whether that was all."""
        if self._transport is None or self._transport.is_closing():
            self._pieces.clear()
        while self._pieces and now >= self._next:
            piece = self._pieces.popleft()
            self._seen.first_token = self._seen.first_token or time.monotonic()
            assert self._transport is not None
            self._transport.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            self._next = max(self._next, now) + self._gap
        if not self._pieces:
            self.over.set()
        return self.over.is_set()


class Ends:
    """Both services. `tokens`, `per_second` and `first_after` script the model."""

    def __init__(self) -> None:
        self.tokens, self.per_second, self.first_after = 40, 0.0, 0.0
        self.seen: defaultdict[int, Seen] = defaultdict(Seen)
        self._threads: dict[str, int] = {}
        self._messages: dict[str, int] = {}
        self._next = 0
        self._speaking: set[Speech] = set()
        self._ended: defaultdict[int, asyncio.Event] = defaultdict(asyncio.Event)

    def application(self) -> web.Application:
        app = web.Application(client_max_size=BODY_LIMIT)
        app.router.add_post("/v1/messages", self.messages)
        app.router.add_get("/v1/models/{model}", self.model)
        app.router.add_post("/api/{method}", self.slack)
        app.router.add_get("/api/{method}", self.slack)
        app.router.add_post("/bench/ask", self.ask)
        app.router.add_post("/bench/configure", self.configure)
        app.router.add_get("/bench/seen", self.report)
        return app

    # The benchmark's own side

    async def configure(self, request: web.Request) -> web.Response:
        """Script the model, and say which thread belongs to which question."""
        told = await request.json()
        self.tokens, self.per_second = told["tokens"], told["per_second"]
        self.first_after = told["first_after"]
        self._threads = dict(told["threads"])
        self._messages.clear()
        self._ended.clear()
        self.seen.clear()
        return web.json_response({})

    async def report(self, request: web.Request) -> web.Response:
        return web.json_response({number: asdict(seen) for number, seen in self.seen.items()})

    async def ask(self, request: web.Request) -> web.Response:
        """Send the bot one question after another, as Slack sends events."""
        told = await request.json()
        async with aiohttp.ClientSession() as session:
            for number in told["numbers"]:
                body = _mention(number, f"1790000000.{number:06d}")
                seen = self.seen[number]
                seen.asked = time.monotonic()
                async with session.post(told["url"], data=body, headers=_signed(body)):
                    pass
                await asyncio.wait_for(self._ended[number].wait(), 30)
                await asyncio.sleep(SETTLED)
        return web.json_response({})

    # Claude

    async def model(self, request: web.Request) -> web.Response:
        return web.json_response({"id": request.match_info["model"], "type": "model"})

    async def messages(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        at = time.monotonic()
        if b'"stream":true' not in body and b'"stream": true' not in body:
            return web.json_response(_WARMED)
        found = _NAME.findall(body)
        number = int(found[-1]) if found else -1
        seen = self.seen[number]
        seen.requested = seen.requested or at
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        await response.write(_OPENING)
        await asyncio.sleep(self.first_after)
        pieces = deque(_delta(piece) for piece in answer_pieces(number, self.tokens))
        speech = Speech(request.transport, pieces, seen, self.per_second)
        if not speech.say(time.monotonic()):
            self._speaking.add(speech)
            await speech.over.wait()
        await response.write(_CLOSING)
        return response

    async def speak(self) -> None:
        """Let all answers go on, one for all: a timer for each would cost more than they do."""
        while True:
            now = time.monotonic()
            self._speaking = {speech for speech in self._speaking if not speech.say(now)}
            await asyncio.sleep(TICK)

    # Slack

    async def slack(self, request: web.Request) -> web.Response:
        at = time.monotonic()
        raw = await request.read()
        told = json.loads(raw) if raw.startswith(b"{") else {}
        method = request.match_info["method"]
        reply: dict[str, Any] = {"ok": True, **_FACTS.get(method, {})}
        if method in ("chat.startStream", "chat.postMessage"):
            self._next += 1
            reply["ts"] = f"1800000000.{self._next:06d}"
            number = self._threads.get(str(told.get("thread_ts")), -1)
            self._messages[reply["ts"]] = number
            self._show(number, reply["ts"], told, at)
        elif method in ("chat.appendStream", "chat.stopStream", "chat.update"):
            ts = str(told["ts"])
            number = self._messages.get(ts, -1)
            if method == "chat.update":
                self.seen[number].shown[ts] = ""
            self._show(number, ts, told, at)
            if method == "chat.stopStream":
                self._ended[number].set()
        return web.json_response(reply)

    def _show(self, number: int, ts: str, told: dict[str, Any], at: float) -> None:
        seen = self.seen[number]
        text = told.get("markdown_text") or "".join(
            chunk.get("text", "") for chunk in told.get("chunks") or ()
        )
        if text.strip() and seen.first_words is None:
            seen.first_words = at
        seen.shown[ts] = seen.shown.get(ts, "") + text


def _event(kind: str, **fields: Any) -> bytes:
    data = json.dumps({"type": kind, **fields}, separators=(",", ":"))
    return f"event: {kind}\ndata: {data}\n\n".encode()


def _delta(text: str) -> bytes:
    return _event("content_block_delta", index=0, delta={"type": "text_delta", "text": text})


def _mention(number: int, ts: str) -> bytes:
    event = {
        "type": "app_mention",
        "user": USER,
        "text": f"<@{BOT_USER}> {name(number)} How does it work?",
        "ts": ts,
        "event_ts": ts,
        "channel": CHANNEL,
        "team": TEAM,
    }
    body = {
        "type": "event_callback",
        "team_id": TEAM,
        "api_app_id": "A0BENCH",
        "event_id": f"Ev{number}",
        "event_time": int(time.time()),
        "authorizations": [{"team_id": TEAM, "user_id": BOT_USER, "is_bot": True}],
        "event": event,
    }
    return json.dumps(body).encode()


def _signed(body: bytes) -> dict[str, str]:
    stamp = str(int(time.time()))
    signature = hmac.new(SECRET.encode(), b"v0:%b:%b" % (stamp.encode(), body), "sha256")
    return {
        "Content-Type": "application/json",
        "X-Slack-Request-Timestamp": stamp,
        "X-Slack-Signature": f"v0={signature.hexdigest()}",
    }


_FACTS: dict[str, dict[str, Any]] = {
    "auth.test": {
        "url": "https://bench.slack.com/",
        "team": "Bench",
        "user": "bot",
        "team_id": TEAM,
        "user_id": BOT_USER,
        "bot_id": "B0BOT",
    },
    "users.info": {"user": {"id": USER, "team_id": TEAM, "name": "asker", "profile": {}}},
    "conversations.info": {"channel": {"id": CHANNEL, "name": "bench", "is_member": True}},
    "conversations.members": {"members": [USER, BOT_USER]},
}
_WARMED = {
    "id": "msg_warm",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-5-5",
    "content": [],
    "stop_reason": "max_tokens",
    "usage": {"input_tokens": 8, "cache_creation_input_tokens": 130_000, "output_tokens": 0},
}
_USAGE = {"input_tokens": 20, "cache_read_input_tokens": 130_000, "output_tokens": 1}
_OPENING = _event(
    "message_start",
    message={
        "id": "msg_bench",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-5-5",
        "content": [],
        "stop_reason": None,
        "usage": _USAGE,
    },
) + _event("content_block_start", index=0, content_block={"type": "text", "text": ""})
_CLOSING = (
    _event("content_block_stop", index=0)
    + _event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 40})
    + _event("message_stop")
)


async def _serve() -> None:
    ends = Ends()
    runner = web.AppRunner(ends.application(), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    speaking = asyncio.ensure_future(ends.speak())
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=1024)
    await site.start()
    sys.stdout.write(f"{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    speaking.cancel()
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(_serve())
