"""Probes that need a person's hands: keys in a modal, a link in a composer, the agent's panel.

Listens over Socket Mode for a while. One envelope is left unacknowledged on purpose, since Slack
does not say when it sends one again (docs/platform/slack.md#open-questions).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median
from typing import Any

from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse

from bot.claude.probe_finding import ProbeFinding
from bot.clock import Now
from bot.slack.client import SlackClients, quiet_logger

OPEN, KEYS = "forewarm_probe_open", "forewarm_probe_keys"
WANTED = (
    "Press the button in the channel and type a sentence into the form; put a github.com link into"
    " a composer without sending it; open the bot's agent panel and switch channels beside it."
)
Json = Mapping[str, Any]


@dataclass(slots=True)
class Heard:
    """Events that came in: times in Unix seconds on this machine's clock."""

    delays: list[float] = field(default_factory=list)
    held: str = ""
    attempts: list[dict[str, Any]] = field(default_factory=list)
    keys: list[tuple[float, int]] = field(default_factory=list)
    contexts: list[list[str]] = field(default_factory=list)
    links: list[dict[str, Any]] = field(default_factory=list)


class Watch:
    """Listens in a workspace while a person does what `WANTED` says."""

    def __init__(self, clients: SlackClients, app_token: str, channel: str, now: Now) -> None:
        self._clients = clients
        self._channel = channel
        self._now = now
        self._begun = 0.0
        self.heard = Heard()
        self._socket = SocketModeClient(app_token, quiet_logger(), clients.reads)
        self._socket.socket_mode_request_listeners.append(self._take)

    async def run(self, seconds: float, heard: asyncio.Event | None = None) -> list[ProbeFinding]:
        """Listen for `seconds`, or until `heard` is set. Delete the button; return the findings."""
        await self._socket.connect()
        ts = ""
        try:
            ts = await self._post_button()
            with suppress(TimeoutError):
                await asyncio.wait_for((heard or asyncio.Event()).wait(), seconds)
        finally:
            await self._socket.close()
            if ts:
                await self._clients.reads.chat_delete(channel=self._channel, ts=ts)
        return list(self._findings())

    async def _post_button(self) -> str:
        label = {"type": "plain_text", "text": "Open the probe"}
        button = {"type": "button", "text": label, "action_id": OPEN, "value": "open"}
        posted = await self._clients.writes.chat_postMessage(
            channel=self._channel,
            text="Forewarm is probing: press the button and type.",
            blocks=[{"type": "actions", "elements": [button]}],
            unfurl_links=False,
            unfurl_media=False,
        )
        return str(posted["ts"])

    # --- what comes in --------------------------------------------------------------------------

    async def _take(self, client: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
        payload: Json = request.payload
        event = request.type == "events_api"
        if not event or self._event(payload, request):
            await client.send_socket_mode_response(SocketModeResponse(request.envelope_id))
        if not event:
            await self._interaction(payload)

    def _event(self, payload: Json, request: SocketModeRequest) -> bool:
        """Note an event; return False if it is to stay unacknowledged."""
        event, ident, at = payload.get("event") or {}, str(payload.get("event_id")), self._now()
        if not request.retry_attempt:
            self.heard.delays.append(at - float(event.get("event_ts") or at))
        if not self.heard.held and event.get("type") == "message" and event.get("bot_id"):
            self.heard.held, self._begun = ident, at
        if event.get("type") == "app_context_changed":
            self.heard.contexts.append(sorted({*event, *(f"payload.{key}" for key in payload)}))
        elif event.get("type") == "link_shared":
            self.heard.links.append({key: key in event for key in ("user", "channel", "source")})
        if ident != self.heard.held:
            return True
        self.heard.attempts.append(
            {
                "attempt": request.retry_attempt or 0,
                "reason": request.retry_reason or "",
                "seconds": round(at - self._begun, 2),
            }
        )
        return len(self.heard.attempts) > 1

    async def _interaction(self, payload: Json) -> None:
        for action in payload.get("actions") or ():
            if action.get("action_id") == OPEN:
                trigger = str(payload["trigger_id"])
                await self._clients.writes.views_open(trigger_id=trigger, view=_form())
            elif action.get("action_id") == KEYS:
                self.heard.keys.append((self._now(), len(str(action.get("value") or ""))))

    # --- what it comes to -----------------------------------------------------------------------

    def _findings(self) -> Iterator[ProbeFinding]:
        heard = self.heard
        delays = [round(delay, 3) for delay in heard.delays]
        text = (
            f"{len(delays)} events, the middle one after {median(delays):.2f} s." if delays else ""
        )
        yield ProbeFinding(
            "slack.delivery over Socket Mode",
            "found" if delays else "failed",
            text or "No event came: subscribe to message.channels and invite the bot.",
            {"seconds": delays},
        )
        yield self._retries()
        yield self._keystrokes()
        users = [any(key in ("user", "user_id") for key in keys) for keys in heard.contexts]
        text = f"{sum(users)} of {len(users)} name a user."
        yield _by_hand("slack.user in app_context_changed", text, {"keys": heard.contexts})
        text = f"{len(heard.links)} announcements of links came."
        yield _by_hand("slack.composer links for github.com", text, {"links": heard.links})

    def _retries(self) -> ProbeFinding:
        again = self.heard.attempts[1:]
        when = ", ".join(f"{one['seconds']} s" for one in again)
        text = f"Sent again after {when}." if again else "Not sent again while this listened."
        facts = {"attempts": self.heard.attempts}
        return ProbeFinding("slack.retries over Socket Mode", "found", text, facts)

    def _keystrokes(self) -> ProbeFinding:
        times = [at for at, _ in self.heard.keys]
        gaps = [round(later - at, 3) for at, later in pairwise(times)]
        facts = {"gaps": gaps, "lengths": [length for _, length in self.heard.keys]}
        text = f"{len(times)} announcements" + (f", at least {min(gaps)} s apart." if gaps else ".")
        return _by_hand("slack.debounce of keystrokes", text, facts if times else {})


def _by_hand(item: str, text: str, facts: Mapping[str, Any]) -> ProbeFinding:
    if any(facts.values()):
        return ProbeFinding(item, "found", text, facts)
    return ProbeFinding(item, "person", f"Nothing came. {WANTED}")


def _form() -> dict[str, Any]:
    element = {
        "type": "plain_text_input",
        "action_id": KEYS,
        "dispatch_action_config": {"trigger_actions_on": ["on_character_entered"]},
    }
    label = {"type": "plain_text", "text": "Type a sentence"}
    return {
        "type": "modal",
        "title": {"type": "plain_text", "text": "Probe"},
        "submit": {"type": "plain_text", "text": "Done"},
        "blocks": [{"type": "input", "dispatch_action": True, "label": label, "element": element}],
    }
