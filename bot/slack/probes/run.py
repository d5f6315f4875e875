"""Probes of a real workspace for behaviour that Slack does not document.

docs/platform/slack.md#open-questions lists it. Everything is posted in one thread
of one channel and deleted at the end.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.claude.probe_finding import ProbeFinding
from bot.clock import Now
from bot.slack.client import SlackClients

FENCED = "```\nList&lt;int&gt; a &amp; b\n```\n"
APPEND_BYTES = 1_000
MOST_BYTES = 20_000
LIFE_SECONDS = 420.0
STEP_SECONDS = 20.0
GAP_SECONDS = 0.7
_REFUSALS = (SlackApiError, aiohttp.ClientError, TimeoutError, OSError)


class SlackProbes:
    """Probes in one channel. `life` is how long a stream is watched, `step` the time of an append.

    `team` is the workspace; a member of the channel stands in as the reader of streams.
    """

    def __init__(
        self,
        clients: SlackClients,
        team: str,
        channel: str,
        now: Now,
        *,
        life: float = LIFE_SECONDS,
        step: float = STEP_SECONDS,
        gap: float = GAP_SECONDS,
    ) -> None:
        self._clients = clients
        self._team = team
        self._channel = channel
        self._now = now
        self._life, self._step, self._gap = life, step, gap
        self._posted: list[str] = []
        self._reader = ""

    @property
    def _calls(self) -> AsyncWebClient:
        return self._clients.writes

    async def run(self) -> AsyncIterator[ProbeFinding]:
        """Yield what is found; messages stand until `clean`."""
        probes: tuple[tuple[str, Callable[[], Awaitable[ProbeFinding]]], ...] = (
            ("slack.entities inside fences", self._fences),
            ("slack.a stream's most bytes", self._bytes),
            ("slack.a stream's life", self._lives),
            ("slack.stop of a stream that ended", self._stopped_twice),
            ("slack.errors of agents.sessions", self._sessions),
        )
        try:
            self._reader = await self._a_reader()
            self._root = await self._post("Forewarm is probing this channel; it will clean up.")
        except _REFUSALS as error:
            yield ProbeFinding("slack", "failed", _why(error), {"error": _code(error)})
            return
        for item, probe in probes:
            try:
                yield await probe()
            except _REFUSALS as error:
                yield ProbeFinding(item, "failed", _why(error), {"error": _code(error)})

    async def clean(self) -> int:
        """Delete what was posted, replies first; return how many messages are left."""
        left = 0
        for ts in reversed(self._posted):
            try:
                await self._clients.reads.chat_delete(channel=self._channel, ts=ts)
            except _REFUSALS as error:
                left += _code(error) != "message_not_found"
        self._posted.clear()
        return left

    # --- the probes -----------------------------------------------------------------------------

    async def _fences(self) -> ProbeFinding:
        ts = await self._start(FENCED)
        await self._calls.chat_stopStream(channel=self._channel, ts=ts)
        held = await self._stored(ts)
        texts = _preformatted(held.get("blocks"))
        decoded = None if not texts else any("List<int>" in text for text in texts)
        words = {True: "are decoded", False: "stay as written", None: "are not told by the API"}
        facts = {
            "decoded": decoded,
            "sent": FENCED,
            "text": held.get("text"),
            "blocks": _bare(held.get("blocks")),
        }
        text = f"Entities inside a fence {words[decoded]}; compare what a client shows."
        return ProbeFinding("slack.entities inside fences", "found", text, facts)

    async def _bytes(self) -> ProbeFinding:
        ts = await self._start("x" * APPEND_BYTES)
        taken, error = APPEND_BYTES, ""
        while taken < MOST_BYTES and not error:
            await asyncio.sleep(self._gap)
            # Two bytes a letter: characters and bytes can be told apart.
            error = await self._append(ts, "é" * (APPEND_BYTES // 2))
            taken += 0 if error else APPEND_BYTES
        await self._stop(ts)
        facts = {"bytes": taken, "step": APPEND_BYTES, "error": error}
        text = f"A stream takes {taken:,} bytes" + (
            f", then says {error}." if error else " at least."
        )
        return ProbeFinding("slack.a stream's most bytes", "found", text, facts)

    async def _lives(self) -> ProbeFinding:
        """Two streams side by side: one is appended to steadily, the other left alone."""
        steady, idle = await self._start("steady"), await self._start("idle")
        begun = self._now()
        ended: dict[str, Any] = {}
        while self._now() - begun < self._life and "steady" not in ended:
            await asyncio.sleep(self._step)
            if error := await self._append(steady, "."):
                ended["steady"] = {"seconds": round(self._now() - begun, 1), "error": error}
        error = await self._append(idle, ".")
        ended["idle"] = {"seconds": round(self._now() - begun, 1), "error": error}
        for ts in (steady, idle):
            await self._stop(ts)
        if "steady" not in ended:
            text = f"A stream that is appended to lives longer than {self._life:.0f} s."
        else:
            text = (
                f"A stream ended after {ended['steady']['seconds']} s in spite of steady appends."
            )
        return ProbeFinding("slack.a stream's life", "found", text, ended | {"step": self._step})

    async def _stopped_twice(self) -> ProbeFinding:
        ts = await self._start("once")
        first, second = await self._stop(ts), await self._stop(ts)
        again = await self._append(ts, "more")
        facts = {"first": first, "second": second, "append": again}
        text = f"A second stop says {second or 'nothing'}, an append {again or 'nothing'}."
        return ProbeFinding("slack.stop of a stream that ended", "found", text, facts)

    async def _sessions(self) -> ProbeFinding:
        tries = {
            "unknown channel": {"channel_id": "C0000000000", "status": "active"},
            "unknown status": {"channel_id": self._channel, "status": "asleep"},
            "no status": {"channel_id": self._channel},
        }
        found = {}
        for name, arguments in tries.items():
            more = {"thread_ts": self._root} if name != "unknown channel" else {}
            call = self._calls.api_call("agents.sessions.setStatus", json={**arguments, **more})
            found[name] = await _read_error(call)
        said = ", ".join(sorted({one or "ok" for one in found.values()}))
        return ProbeFinding("slack.errors of agents.sessions", "found", f"It says {said}.", found)

    # --- calls ----------------------------------------------------------------------------------

    async def _a_reader(self) -> str:
        """Return a user to stream to; Slack wants a reader named in a channel."""
        members = await self._clients.reads.conversations_members(channel=self._channel, limit=50)
        for user in members["members"]:
            info = (await self._clients.reads.users_info(user=user))["user"]
            if not info.get("is_bot"):
                return str(user)
        raise TimeoutError("no person in the channel")

    async def _post(self, text: str) -> str:
        posted = await self._calls.chat_postMessage(
            channel=self._channel, text=text, unfurl_links=False, unfurl_media=False
        )
        self._posted.append(str(posted["ts"]))
        return self._posted[-1]

    async def _start(self, text: str) -> str:
        begun = await self._calls.chat_startStream(
            channel=self._channel,
            thread_ts=self._root,
            markdown_text=text,
            recipient_user_id=self._reader,
            recipient_team_id=self._team,
        )
        self._posted.append(str(begun["ts"]))
        return self._posted[-1]

    async def _append(self, ts: str, text: str) -> str:
        return await _read_error(
            self._calls.chat_appendStream(channel=self._channel, ts=ts, markdown_text=text)
        )

    async def _stop(self, ts: str) -> str:
        return await _read_error(self._calls.chat_stopStream(channel=self._channel, ts=ts))

    async def _stored(self, ts: str) -> dict[str, Any]:
        page = await self._clients.reads.conversations_replies(
            channel=self._channel, ts=self._root, limit=200
        )
        return next((dict(m) for m in page["messages"] if m.get("ts") == ts), {})


async def _read_error(call: Awaitable[Any]) -> str:
    """Return the error that a call is answered with, or nothing."""
    try:
        await call
    except SlackApiError as error:
        return _code(error)
    return ""


def _code(error: BaseException) -> str:
    if isinstance(error, SlackApiError):
        return str(error.response.get("error"))
    return type(error).__name__


def _why(error: BaseException) -> str:
    return (
        f"Slack refused a call ({_code(error)}): invite the bot to the channel, check its scopes."
    )


def _preformatted(blocks: object) -> list[str]:
    """Return the texts of rich text's code blocks."""
    found: list[str] = []
    if isinstance(blocks, list):
        for one in blocks:
            found += _preformatted(one)
    elif isinstance(blocks, dict):
        if blocks.get("type") == "rich_text_preformatted":
            found.append("".join(str(e.get("text", "")) for e in blocks.get("elements") or ()))
        else:
            for value in blocks.values():
                found += _preformatted(value)
    return found


def _bare(blocks: object) -> object:
    """Return blocks without their ids, which say nothing to others."""
    kept = json.loads(json.dumps(blocks or []))
    for one in kept:
        one.pop("block_id", None)
    return kept
