"""The control interface: what a test in any language needs, over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import aiohttp
import pytest
from forewarm_playground.slack import LocalSlack
from forewarm_playground.slack.timers import MovableClock

Json = dict[str, Any]


class Control:
    """Speaks to `/_control/`."""

    def __init__(self, slack: LocalSlack, session: aiohttp.ClientSession) -> None:
        self.slack = slack
        self.session = session

    async def ask(self, verb: str, path: str, body: Json | None = None, **how: Any) -> Json:
        url = f"{self.slack.url}/_control/{path}"
        async with self.session.request(verb, url, json=body, **how) as response:
            answer: Json = await response.json()
        return {"status": response.status, **answer}

    async def act(self, do: str, user: str = "U0ASKER", **members: Any) -> Json:
        return await self.ask("POST", "act", {"user": user, "do": do, **members})

    async def bot(self, method: str, **arguments: Any) -> Json:
        headers = {"Authorization": f"Bearer {self.slack.token}"}
        url = f"{self.slack.api_url}{method}"
        async with self.session.post(url, json=arguments, headers=headers) as response:
            answer: Json = await response.json()
        return answer


@pytest.fixture
async def control(served: LocalSlack) -> AsyncIterator[Control]:
    async with aiohttp.ClientSession() as session:
        yield Control(served, session)


async def test_people_act_on_command(control: Control) -> None:
    """Text is what a person types: names become mentions, the rest is literal."""
    root = (await control.act("mention", channel="C0GENERAL", text="a < b"))["ts"]
    await control.act("post", channel="C0GENERAL", text="@peer <!here>", thread_ts=root)
    stored = "<@U0PEER> &amp;"
    await control.act("post", channel="C0GENERAL", text=stored, thread_ts=root, stored=True)
    await control.act("react", "U0PEER", channel="C0GENERAL", ts=root, name="eyes")
    body = await control.ask("GET", "transcript", params={"channel": "C0GENERAL"})
    assert [m["text"] for m in body["messages"]] == [
        "<@U0BOT> a &lt; b",
        "<@U0PEER> &lt;!here&gt;",
        "<@U0PEER> &amp;",
    ]
    assert body["messages"][0]["reactions"][0]["name"] == "eyes"


@pytest.mark.parametrize(
    ("order", "status", "error"),
    [
        ({"user": "U0ASKER", "do": "fly"}, 409, "unknown_act"),
        ({"user": "U0NOBODY", "do": "open_dm"}, 404, "user_not_found"),
        (
            {"user": "U0PEER", "do": "post", "channel": "C0SECRET", "text": "t"},
            409,
            "not_in_channel",
        ),
        (
            {"user": "U0ASKER", "do": "post", "channel": "C0NONE", "text": "t"},
            404,
            "channel_not_found",
        ),
        ({"user": "U0ASKER", "do": "post", "text": "t"}, 409, "invalid_arguments"),
        ({"user": "U0ASKER", "do": "submit"}, 409, "no_modal"),
    ],
)
async def test_what_cannot_be_done_is_refused(
    control: Control, order: Json, status: int, error: str
) -> None:
    """A scenario that goes wrong must not go on."""
    body = await control.ask("POST", "act", order)
    assert (body["status"], body["ok"], body["error"]) == (status, False, error)


async def test_a_transcript_can_be_seen_as_one_user_sees_it(control: Control) -> None:
    """A stream's text is there for its recipient only."""
    root = (await control.act("mention", channel="C0GENERAL"))["ts"]
    to = {"recipient_user_id": "U0ASKER", "recipient_team_id": "T0LOCAL"}
    await control.bot(
        "chat.startStream", channel="C0GENERAL", thread_ts=root, markdown_text="live", **to
    )
    seen = {}
    for user in ("U0ASKER", "U0PEER"):
        params = {"channel": "C0GENERAL", "thread_ts": root, "user": user}
        message = (await control.ask("GET", "transcript", params=params))["messages"][-1]
        seen[user] = (message["text"], message["hidden"], message["live"])
    assert seen == {"U0ASKER": ("live", False, True), "U0PEER": ("", True, True)}


async def test_the_log_tells_calls_and_deliveries(control: Control) -> None:
    """With times; by method or by name; without tokens."""
    await control.bot("auth.test", token="xoxb-local")
    await control.act("post", channel="C0GENERAL", text="hi")
    body = await control.ask("GET", "log", params={"method": "auth.test", "name": "message"})
    (call,), (delivery,) = body["calls"], body["deliveries"]
    assert call["ended_at"] >= call["effect_at"] >= call["arrived_at"]
    assert (call["method"], call["arguments"], call["body"]["user_id"]) == (
        "auth.test",
        {},
        "U0BOT",
    )
    assert (delivery["attempt"], delivery["outcome"]) == (0, "connection_failed")
    assert (await control.ask("DELETE", "log"))["ok"]
    assert (await control.ask("GET", "log"))["calls"] == []


async def test_the_detector_can_be_asked(control: Control) -> None:
    """Quiet, or why not."""
    assert (await control.ask("GET", "detector"))["quiet"]
    await control.bot("chat.postMessage", channel="C0GENERAL", text="<!here> https://e.test")
    body = await control.ask("GET", "detector")
    assert not body["quiet"]
    assert body["pings"][0]["kind"] == "here"
    assert body["unfurls"][0]["url"] == "https://e.test"


async def test_faults_are_set_and_taken_back(control: Control) -> None:
    """By the names of docs/playground.md."""
    order = {"on": "chat.*", "kind": "error", "code": "fatal_error", "times": 2}
    fault = await control.ask("POST", "faults", order)
    post = {"channel": "C0GENERAL", "text": "t"}
    assert (await control.bot("chat.postMessage", **post))["error"] == "fatal_error"
    (listed,) = (await control.ask("GET", "faults"))["faults"]
    assert (listed["id"], listed["struck"], listed["times"]) == (fault["id"], 1, 1)
    await control.ask("DELETE", "faults")
    assert (await control.bot("chat.postMessage", **post))["ok"]
    bad = await control.ask("POST", "faults", {"on": "x", "kind": "explode"})
    assert (bad["status"], bad["error"]) == (409, "FaultError")


async def test_a_held_call_is_released(control: Control) -> None:
    """The moment between effect and reply, from outside."""
    fault = await control.ask("POST", "faults", {"on": "chat.postMessage", "kind": "hold_after"})
    post = {"channel": "C0GENERAL", "text": "t"}
    call = asyncio.create_task(control.bot("chat.postMessage", **post))
    await control.ask("POST", "wait", {"method": "chat.postMessage"})
    assert not call.done()
    await control.ask("POST", f"faults/{fault['id']}/release")
    assert (await call)["ok"]
    assert (await control.ask("POST", "faults/9/release"))["status"] == 404


async def test_waiting_ends_with_a_reason(control: Control) -> None:
    """A wait that fails says what did not come."""
    body = await control.ask("POST", "wait", {"method": "chat.update", "timeout": 5})
    assert (body["status"], body["error"]) == (409, "WaitTimeoutError")
    assert "chat.update" in body["message"]
    assert (await control.ask("POST", "wait", {}))["ok"]
    assert (await control.ask("POST", "wait", {"connected": True, "timeout": 1}))["status"] == 409


async def test_the_app_is_moved_between_transports(control: Control) -> None:
    """And uninstalled."""
    body = await control.ask("POST", "app", {"request_url": "http://127.0.0.1:9/events"})
    assert body["transport"] == "http"
    assert (await control.ask("POST", "app", {"socket_mode": True}))["transport"] == "socket"
    assert (await control.ask("POST", "sockets", {"reason": "link_disabled"}))["sockets"] == 0
    assert (await control.ask("POST", "uninstall"))["ok"]
    assert (await control.bot("auth.test"))["error"] == "account_inactive"
    unknown = await control.ask("POST", "uninstall", {"workspace": "T9"})
    assert unknown["error"] == "installation_not_found"


async def test_people_and_channels_can_be_added(control: Control) -> None:
    """With the keys of the configuration; a mistake is named."""
    await control.ask("POST", "users", {"id": "U0NEW", "name": "new"})
    await control.ask("POST", "channels", {"id": "C0NEW", "members": ["U0NEW", "bot"]})
    assert (await control.act("mention", "U0NEW", channel="C0NEW", text="hi"))["ts"]
    state = await control.ask("GET", "state")
    assert "C0NEW" in {channel["id"] for channel in state["channels"]}
    bad = await control.ask("POST", "users", {"id": "U1", "colour": "red"})
    assert (bad["status"], bad["error"]) == (400, "invalid_arguments")


async def test_the_state_shows_messages_that_no_history_shows(control: Control) -> None:
    """Ephemeral messages, notices, Home tabs, status lines."""
    root = (await control.act("mention", channel="C0GENERAL"))["ts"]
    await control.bot("chat.postEphemeral", channel="C0GENERAL", user="U0ASKER", text="psst")
    await control.bot(
        "assistant.threads.setStatus", channel_id="C0GENERAL", thread_ts=root, status="thinking"
    )
    await control.bot("views.publish", user_id="U0ASKER", view={"type": "home", "blocks": []})
    state = await control.ask("GET", "state")
    assert state["ephemerals"][0]["seen_by"] == "U0ASKER"
    assert state["statuses"][0]["text"] == "thinking"
    assert state["homes"]["U0ASKER"]["type"] == "home"
    assert state["subscription_enabled"] is True


async def test_the_index_says_where_everything_is(control: Control) -> None:
    """A person who finds the port learns its use."""
    body = await control.ask("GET", "")
    assert body["api_url"] == control.slack.api_url
    assert "mention" in body["acts"]
    assert body["transport"] == "socket"


async def test_the_clock_moves_if_it_was_made_to(control: Control, world_config: Json) -> None:
    """Alone, with a movable clock: a stream's five minutes pass at once, retries come in order."""
    assert (await control.ask("POST", "clock", {"advance": 60}))["error"] == "clock_not_movable"
    slack = LocalSlack(world_config, timers=MovableClock())
    async with slack.serve(), aiohttp.ClientSession() as session:
        movable = Control(slack, session)
        root = (await movable.act("mention", channel="C0GENERAL"))["ts"]
        to = {"recipient_user_id": "U0ASKER", "recipient_team_id": "T0LOCAL"}
        where = {"channel": "C0GENERAL", "thread_ts": root}
        ts = (await movable.bot("chat.startStream", **where, **to))["ts"]
        before = (await movable.ask("GET", "clock"))["now"]
        after = (await movable.ask("POST", "clock", {"advance": 400}))["now"]
        assert 400 <= after - before < 410
        append = {"channel": "C0GENERAL", "ts": ts, "markdown_text": "x"}
        refused = await movable.bot("chat.appendStream", **append)
        assert refused["error"] == "message_not_in_streaming_state"
        deliveries = (await movable.ask("GET", "log", params={"name": "app_mention"}))["deliveries"]
        gaps = [b["sent_at"] - a["sent_at"] for a, b in pairwise(deliveries)]
        assert gaps == pytest.approx([0.1, 60, 300], abs=0.5)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://evil.test"}, 403),
        ({"Host": "evil.test"}, 403),
        ({"Content-Type": "text/plain"}, 415),
    ],
)
async def test_pages_of_other_sites_cannot_reach_it(
    control: Control, headers: dict[str, str], status: int
) -> None:
    """A browser on this machine may have one open."""
    url = f"{control.slack.url}/_control/act"
    data = b'{"user": "U0ASKER", "do": "open_dm"}'
    headers = {"Content-Type": "application/json", **headers}
    async with control.session.post(url, data=data, headers=headers) as response:
        assert response.status == status
    assert not control.slack.log.deliveries
