"""Every event and every interaction that the bot listens to, once, over real sockets.

A listener that dies says so in the log alone: Slack has its acknowledgement by then. So the test
reads the log.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.slack.manifest import Features, events
from tests.app.conftest import CHANNEL, Begin, Product
from tests.loglines import log_lines, logged

WANTED = {ask.name.partition(".")[0] for ask in events(Features())}


def deliver(running: Product, event: dict[str, Any], **body: Any) -> None:
    """Deliver an event as Slack does, whether or not a person of the local Slack caused it."""
    from forewarm_playground.slack.delivery.events import send_event

    state = running.slack.state
    send_event(state, running.slack.installation, {"event_ts": f"{state.now():.6f}", **event})


SAMPLES: dict[str, dict[str, Any]] = {
    "app_context_changed": {
        "context": {"entities": [{"type": "slack#/types/channel_id", "value": CHANNEL}]}
    },
    "link_shared": {
        "channel": CHANNEL,
        "user": "U0ASKER",
        "links": [{"url": "https://git.example.com/pay", "domain": "git.example.com"}],
    },
    "reaction_added": {
        "user": "U0PEER",
        "reaction": "eyes",
        "item": {"type": "message", "channel": CHANNEL, "ts": "1.1"},
    },
    "agent_session_stopped": {"channel": CHANNEL, "thread_ts": "1.1", "user": "U0ASKER"},
    "app_home_opened": {"user": "U0ASKER", "channel": "D0ASKER", "tab": "home"},
    "member_joined_channel": {"user": "U0NEW", "channel": CHANNEL, "inviter": "U0ASKER"},
    "member_left_channel": {"user": "U0NEW", "channel": CHANNEL},
    "channel_archive": {"channel": "C0BARE", "user": "U0ASKER"},
    "group_archive": {"channel": "G0NONE", "user": "U0ASKER"},
    "message": {"channel": CHANNEL, "user": "U0PEER", "text": "hello", "ts": "2.2"},
    "app_mention": {"channel": CHANNEL, "user": "U0ASKER", "text": "<@U0BOT>", "ts": "2.3"},
    "tokens_revoked": {"tokens": {"oauth": ["U0PEER"], "bot": []}},
    "app_uninstalled": {},
}


def test_there_is_a_sample_of_every_event() -> None:
    assert set(SAMPLES) == WANTED


def faults(lines: Any) -> list[dict[str, Any]]:
    """Return the lines of a log that tell of an exception or of an error."""
    return [
        line
        for line in logged(lines)
        if "exception" in line
        or line.get("level") in ("error", "critical")
        or "Failed to run" in json.dumps(line)
    ]


@pytest.mark.parametrize("transport", ["sockets", "http"])
async def test_every_listener_runs_without_an_exception(product: Begin, transport: str) -> None:
    with log_lines() as lines:
        async with product(transport=transport) as running:
            for name, event in SAMPLES.items():
                deliver(running, {"type": name, **event})
                await running.slack.until(lambda: running.slack.dispatcher.idle, name)
            await running.until(lambda: running.bot.removal.removed, "the removal")
            await running.until(lambda: not running.bot.library.all(), "the end of the contexts")
        assert faults(lines) == []
