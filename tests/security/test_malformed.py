"""Signed payloads with wrong parts: acknowledged or refused, never an exception, never a 500.

Slack sends what is not acknowledged again, and a listener that dies says so in the log alone.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import random
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest

from benchmarks.malformed_payloads import (
    COMMANDS,
    EVENTS,
    INTERACTIONS,
    command_form,
    envelope,
    in_form,
    mutations,
)
from bot.slack.events.shape import shape_fault
from bot.slack.manifest import Features, events
from tests.app.conftest import Begin, Product
from tests.loglines import log_lines
from tests.samples import samples
from tests.security.test_listeners import faults

JSON, FORM = "application/json", "application/x-www-form-urlencoded"


@dataclass
class Sender:
    """Signs bodies as Slack does, and sends them."""

    running: Product
    session: aiohttp.ClientSession

    async def post(self, body: bytes, kind: str, **headers: str) -> int:
        stamp = str(int(time.time()))
        secret = self.running.slack.app.signing_secret.encode()
        digest = hmac.new(secret, b"v0:" + stamp.encode() + b":" + body, hashlib.sha256)
        signed = {
            "Content-Type": kind,
            "X-Slack-Request-Timestamp": stamp,
            "X-Slack-Signature": "v0=" + digest.hexdigest(),
        }
        url = f"http://127.0.0.1:{self.running.bot.web.port}/slack/events"
        async with self.session.post(url, data=body, headers={**signed, **headers}) as answer:
            await answer.read()
            return answer.status

    def ours(self, body: Any) -> Any:
        """Return a sample for the workspace and the app of the running bot."""
        me = self.running.bot.me
        text = json.dumps(body).replace("A0LOCAL", me.app_id).replace("T0LOCAL", me.workspace)
        return json.loads(text.replace("U0BOT", me.user))


@asynccontextmanager
async def sending(product: Begin) -> AsyncIterator[Sender]:
    async with product(transport="http") as running, aiohttp.ClientSession() as session:
        yield Sender(running, session)


def every_payload(sender: Sender) -> Iterator[tuple[str, bytes, str]]:
    """Yield each mutation of each sample: its name, the body, the content type."""
    number = 0
    for name, event in EVENTS.items():
        for change, body in mutations(sender.ours(envelope(event))):
            number += 1
            if body.get("event_id"):
                body["event_id"] = f"Ev{number:08}"
            yield f"{name}: {change}", json.dumps(body).encode(), JSON
    for name, interaction in INTERACTIONS.items():
        for change, body in mutations(sender.ours(interaction)):
            yield f"{name}: {change}", in_form(body), FORM
    for name, command in COMMANDS.items():
        for change, body in mutations(sender.ours(command)):
            yield f"{name}: {change}", command_form(body), FORM


def test_there_is_a_sample_of_every_event() -> None:
    wanted = {ask.name.partition(".")[0] for ask in events(Features())}
    # An archived private channel is told as a public one is; to uninstall would end the test.
    assert {one["type"] for one in EVENTS.values()} == wanted - {"group_archive", "app_uninstalled"}


async def test_no_wrong_part_raises(product: Begin) -> None:
    """`make soak` sends all of them, 25,000 payloads."""
    with log_lines() as lines:
        async with sending(product) as sender:
            payloads = list(every_payload(sender))
            few = random.Random(5).sample(payloads, min(len(payloads), samples(500, 100_000)))
            statuses = {
                f"{status} {name}"
                for name, body, kind in few
                if (status := await sender.post(body, kind)) not in (200, 400, 403)
            }
            await asyncio.sleep(0.1)
        assert statuses == set()
        assert faults(lines) == []


SOUND = [
    *(envelope(event) for event in EVENTS.values()),
    *INTERACTIONS.values(),
    *COMMANDS.values(),
    {"type": "url_verification", "challenge": "x", "token": "t"},
    {"type": "app_rate_limited", "team_id": "T", "minute_rate_limited": 5, "api_app_id": "A"},
    {"ssl_check": "1", "token": "t"},
    {**envelope(EVENTS["mention"]), "authorizations": [], "enterprise_id": "E1", "team_id": None},
    {**INTERACTIONS["submit"], "team": None, "enterprise": {"id": "E1", "name": "Grid"}},
    {**envelope({"type": "channel_rename", "channel": {"id": "C1", "name": "x", "created": 5}})},
    {**envelope({"type": "team_join", "user": {"id": "U1", "profile": {}}})},
]


@pytest.mark.parametrize("number", range(len(SOUND)))
def test_what_slack_sends_is_sound(number: int) -> None:
    """The check must not be safe by taking everything away."""
    assert shape_fault(SOUND[number]) is None


def _deep(levels: int) -> dict[str, Any]:
    body: dict[str, Any] = {}
    for _ in range(levels):
        body = {"event": body}
    return {"type": "event_callback", **body}


RAW: Mapping[str, tuple[bytes, str]] = {
    "empty": (b"", JSON),
    "a list": (b"[]", JSON),
    "null": (b"null", JSON),
    "a number of 5,000 digits": (b'{"type":' + b"9" * 5000 + b"}", JSON),
    "not a number": (b'{"type":"event_callback","event":NaN,"event_time":-Infinity}', JSON),
    "deep lists": (b"[" * 100_000 + b"]" * 100_000, JSON),
    "900 levels": (json.dumps(_deep(900)).encode(), JSON),
    "100 levels": (json.dumps(_deep(100)).encode(), JSON),
    "half a character": (b'{"type":"event_callback","event":{"type":"x\\ud83d"}}', JSON),
    "half a character as a name": (b'{"type":"x","\\udc00":1}', JSON),
    "nul": (b'{"type":"event_callback","event":{"type":"message","text":"\\u0000"}}', JSON),
    "a byte order mark": (b"\xef\xbb\xbf{}", JSON),
    "payload twice": (b"payload=%7B%7D&payload=%5B%5D", FORM),
    "payload is no JSON": (b"payload=%7B", FORM),
    "payload is empty": (b"payload=", FORM),
    "no UTF-8 in percent signs": (b"command=%2Fask&text=%ff%fe&user_id=U1&channel_id=C1", FORM),
    "half percent signs": (b"command=%&text=%f&user_id=%zz", FORM),
    "many percent signs": (b"text=" + b"%41" * 300_000, FORM),
    "fields without values": (b"&".join([b"a"] * 40), FORM),
    "a form called JSON": (b"payload=%7B%7D", JSON),
    "JSON called a form": (b'{"type":"event_callback","event":[]}', FORM),
    "multipart": (b"--b\r\n", "multipart/form-data; boundary=b"),
    "no type": (b'{"type":"event_callback","event":[]}', ""),
}


@pytest.mark.parametrize(
    "header", [{}, {"X-Slack-Bolt-Lazy-Only": "1"}, {"X-Slack-Retry-Num": "é"}]
)
async def test_no_strange_body_raises(product: Begin, header: dict[str, str]) -> None:
    with log_lines() as lines:
        async with sending(product) as sender:
            for name, (body, kind) in RAW.items():
                assert await sender.post(body, kind, **header) in (200, 400, 403, 404), name
        assert faults(lines) == []


async def test_a_command_about_the_word_payload_is_taken(product: Begin) -> None:
    """Bolt takes a form with that word in it for an interaction."""
    async with sending(product) as sender:
        log = sender.running.slack.log
        body = {**sender.ours(COMMANDS["ask"]), "text": "where is the payload read?"}
        assert await sender.post(command_form(body), FORM) == 200
        await sender.running.until(lambda: log.of("views.open"), "the form")


@pytest.mark.parametrize("kind", [JSON, FORM, "text/plain", "application/json5", ""])
@pytest.mark.parametrize("space", ["", " ", "\n"])
async def test_another_workspaces_event_is_refused_by_whatever_name_it_comes(
    product: Begin, kind: str, space: str
) -> None:
    """What is checked is what is read: one parser, one result."""
    async with sending(product) as sender:
        sent = len(sender.running.asked)
        body = sender.ours(envelope(EVENTS["mention"]))
        theirs = {**body, "team_id": "T0X", "context_team_id": "T0X"}
        theirs["authorizations"] = [{"team_id": "T0X", "user_id": "U0BOT"}]
        ours = json.dumps(sender.ours({"team": {"id": "T0LOCAL"}}))
        bodies = [
            space + json.dumps(theirs),
            space + '{"team_id": "T0LOCAL", ' + json.dumps(theirs)[1:],
            space + f"payload={quote(ours)}&payload={quote(json.dumps(theirs))}",
        ]
        for one in bodies:
            assert await sender.post(one.encode(), kind) in (200, 403)
        await sender.running.bot.edge.desk.tasks.drain(10)
        assert len(sender.running.asked) == sent
