"""Every listener runs once without an error, and every payload is acknowledged."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from slack_bolt.async_app import AsyncBoltRequest

from bot.answer.receipt import AGAIN_ACTION, FEEDBACK_ACTION, STOP_ACTION
from bot.slack import listeners
from bot.slack.ask import modal
from tests.slack.test_app import Scene, running

USER, CHANNEL, TS = "U0ASKER", "C0PAY", "1790000000.000100"
MESSAGE = {"type": "message", "channel": CHANNEL, "channel_type": "channel", "ts": TS}


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with running("sockets") as made:
        yield made


@pytest.fixture
def logged() -> Iterator[list[Any]]:
    with structlog.testing.capture_logs() as lines:
        yield lines


async def dispatch(scene: Scene, body: dict[str, Any]) -> int:
    """Hand a payload to Bolt as a socket would; return the status after everything has ended."""
    request = AsyncBoltRequest(mode="socket_mode", body={"team_id": "T0LOCAL", **body})
    response = await scene.edge.app.async_dispatch(request)
    await scene.edge.desk.tasks.drain(5)
    # Listeners go on after the acknowledgement, as tasks of Bolt's own.
    others = asyncio.all_tasks() - {asyncio.current_task()}
    listening = [task for task in others if "listener" in repr(task.get_coro())]
    await asyncio.wait_for(asyncio.gather(*listening, return_exceptions=True), 10)
    return int(response.status)


def event(name: str, **fields: Any) -> dict[str, Any]:
    return {"type": "event_callback", "event": {"type": name, "event_ts": TS, **fields}}


EVENTS = [
    event("app_mention", user=USER, channel=CHANNEL, ts=TS, text="<@U0BOT> how?"),
    event("app_mention", user=USER, channel=CHANNEL, ts=TS, text="<@U0BOT>"),
    {"type": "event_callback", "event": {**MESSAGE, "user": USER, "text": "hello"}},
    {"type": "event_callback", "event": {**MESSAGE, "user": USER, "files": [None], "text": ""}},
    {
        "type": "event_callback",
        "event": {
            **MESSAGE,
            "subtype": "message_changed",
            "message": {"user": USER, "ts": TS, "text": "new"},
            "previous_message": {"user": USER, "ts": TS, "text": "old"},
        },
    },
    {
        "type": "event_callback",
        "event": {**MESSAGE, "subtype": "message_deleted", "deleted_ts": TS},
    },
    {"type": "event_callback", "event": {**MESSAGE, "user": "USLACKBOT", "text": "archived?"}},
    event("app_home_opened", user=USER, channel="D0ASKER", tab="home"),
    event("app_home_opened", user=USER, channel="D0ASKER", tab="messages"),
    event("app_home_opened", user=USER, tab="messages"),
    event("app_context_changed", context={"entities": [{"value": CHANNEL}]}),
    event("link_shared", user=USER, channel="COMPOSER", links=[{"url": "https://github.com/a/b"}]),
    event("reaction_added", user=USER, reaction="eyes", item={"channel": CHANNEL, "ts": TS}),
    event("member_joined_channel", user=USER, channel=CHANNEL),
    event("member_joined_channel", user="U0BOT", channel=CHANNEL, inviter=USER),
    event("member_left_channel", user=USER, channel=CHANNEL),
    event("member_left_channel", user="U0BOT", channel=CHANNEL),
    event("agent_session_stopped", user=USER, channel=CHANNEL, thread_ts=TS),
    event("channel_archive", channel=CHANNEL, user=USER),
    event("group_archive", channel=CHANNEL, user=USER),
    event("tokens_revoked", tokens={"bot": ["U0BOT"]}),
    event("app_uninstalled"),
]


@pytest.mark.parametrize("body", EVENTS, ids=lambda body: str(body["event"]["type"]))
async def test_every_listener_runs_without_an_error(
    scene: Scene, logged: list[Any], body: dict[str, Any]
) -> None:
    """A listener that dies after the acknowledgement is only seen in a log."""
    assert await dispatch(scene, body) == 200
    assert [line for line in logged if line["log_level"] in ("error", "critical")] == []


def test_no_listener_of_an_event_is_left_out() -> None:
    """The list above holds every event that a listener names."""
    source = Path(listeners.__file__).read_text("utf-8")
    named = set(re.findall(r"app\.event\(\"(\w+)\"\)", source))
    named |= set(re.findall(r"\"(\w+)\"", " ".join(re.findall(r"for event in \((.*?)\)", source))))
    assert named
    assert named <= {str(body["event"]["type"]) for body in EVENTS}


@pytest.mark.parametrize("name", ["app_uninstalled", "tokens_revoked", "channel_archive"])
async def test_the_end_of_an_installation_forgets(scene: Scene, name: str) -> None:
    body = next(body for body in EVENTS if body["event"]["type"] == name)
    assert await dispatch(scene, body) == 200
    await scene.until(lambda: scene.rooms.forgotten, "the forgetting")
    assert scene.rooms.forgotten == [CHANNEL if name == "channel_archive" else "everything"]


UNKNOWN: list[dict[str, Any]] = [
    {"type": "app_rate_limited", "minute_rate_limited": 1_790_000_000, "api_app_id": "A1"},
    {"type": "event_callback", "event": {"type": "never_heard_of"}},
    {"type": "event_callback"},
    {"type": "holographic_action", "user": {"id": USER}},
    {"type": "workflow_step_edit", "callback_id": "x", "workflow_step": {}, "user": {"id": USER}},
    {"type": "block_actions", "actions": [{"action_id": "unknown"}], "user": {"id": USER}},
    {"type": "block_suggestion", "action_id": "unknown", "user": {"id": USER}},
    {"type": "view_submission", "view": {"type": "modal", "callback_id": "unknown"}},
    {"type": "view_closed", "view": {"type": "modal", "callback_id": "unknown"}},
    {"type": "shortcut", "callback_id": "unknown", "user": {"id": USER}},
    {"type": "message_action", "callback_id": "unknown", "user": {"id": USER}},
    {"type": "interactive_message", "callback_id": "unknown", "actions": [{}]},
    {"type": "dialog_submission", "callback_id": "unknown", "user": {"id": USER}},
    {"command": "/unknown", "user_id": USER, "text": ""},
    {"type": "function_executed"},
    {},
]


@pytest.mark.parametrize("body", UNKNOWN, ids=lambda body: str(body.get("type")))
async def test_every_payload_is_acknowledged(
    scene: Scene, logged: list[Any], body: dict[str, Any]
) -> None:
    """An event that is not acknowledged comes again, and counts against the app."""
    assert await dispatch(scene, body) == 200
    assert [line for line in logged if line["log_level"] in ("error", "critical")] == []


def block_action(action: str, **fields: Any) -> dict[str, Any]:
    return {
        "type": "block_actions",
        "user": {"id": USER},
        "team": {"id": "T0LOCAL"},
        "channel": {"id": CHANNEL},
        "message": {"ts": TS},
        "view": {"id": "V1", "type": "modal"},
        "trigger_id": "1.2.3",
        "actions": [{"action_id": action, "block_id": "b", "action_ts": TS, **fields}],
    }


@pytest.mark.parametrize(
    "body",
    [
        block_action(AGAIN_ACTION, value="T0LOCAL-C0PAY-1.0"),
        block_action(STOP_ACTION, value="T0LOCAL-C0PAY-1.0"),
        block_action(FEEDBACK_ACTION, value="up:q:pay:f"),
        block_action(modal.QUESTION_ACTION, value="why"),
        block_action("forewarm_refresh"),
        block_action("forewarm_charts"),
    ],
    ids=lambda body: str(body["actions"][0]["action_id"]),
)
async def test_buttons_of_messages_that_are_gone_do_no_harm(
    scene: Scene, logged: list[Any], body: dict[str, Any]
) -> None:
    assert await dispatch(scene, body) == 200
    assert [line for line in logged if line["log_level"] in ("error", "critical")] == []
