"""The probes of `forewarm check --live` against the local Slack and the local Claude."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from forewarm_playground.claude import Config, Latency, LocalClaude
from forewarm_playground.slack.local import LocalSlack
from forewarm_playground.slack.log import DeliveryEntry
from pydantic import SecretStr

from bot.app.live_probes import UNPROBED, LiveProbes, Pace
from bot.claude.probe_finding import ProbeFinding
from bot.clock import system_now
from bot.settings import Settings
from bot.slack.probes.interactive import KEYS, OPEN
from tests.running import default_settings

CHANNEL = "C0PROBE"
LIFE = 1.2
WORLD: dict[str, Any] = {
    "users": ({"id": "U0ASKER", "name": "asker"},),
    "channels": (
        {"id": CHANNEL, "name": "probe", "members": ("U0ASKER", "bot")},
        {"id": "C0EMPTY", "name": "empty", "members": ("U0ASKER",)},
    ),
    "limits": {"rates": False, "stream_seconds": LIFE, "stream_bytes": 4_000},
    "delivery": {"ack_seconds": 0.3, "retry_seconds": (0.1, 0.2, 0.3)},
}
PACE = Pace(listen=0.0, life=4.0, step=0.3, gap=0.0, settle=0.0)
# A warm-up takes longer than the shorter and less long than the longer cancellation.
SPEED = Latency(base=0.3, per_uncached_token=0, per_cached_token=0, decode=2000.0)

Begin = Callable[..., Any]


@pytest.fixture
def probed(tmp_path: Path) -> Begin:
    """Return what starts both emulators: `async with probed() as (slack, claude, settings)`."""

    @asynccontextmanager
    async def begin(**more: Any) -> AsyncIterator[tuple[LocalSlack, LocalClaude, Settings]]:
        (tmp_path / "contexts").mkdir()
        (tmp_path / "contexts" / "a.toml").write_text(
            'model = "claude-sonnet-5-5"\n[[repositories]]\nurl = "https://github.com/acme/a"\n'
        )
        async with AsyncExitStack() as stack:
            slack = LocalSlack(WORLD)
            await stack.enter_async_context(slack.serve())
            claude = LocalClaude(Config(latency=SPEED))
            url = await stack.enter_async_context(claude.serve())
            values = {
                "slack_bot_token": SecretStr(slack.token),
                "slack_app_token": SecretStr(slack.app.app_token),
                "slack_api_url": slack.api_url,
                "anthropic_api_key": SecretStr("sk-ant-local"),
                "anthropic_base_url": url,
                "contexts": tmp_path / "contexts",
            }
            yield (
                slack,
                claude,
                Settings.model_construct(**{**default_settings(), **values, **more}),
            )

    return begin


async def found_by(
    settings: Settings, channel: str = CHANNEL, pace: Pace = PACE
) -> dict[str, ProbeFinding]:
    probes = LiveProbes(settings, channel, system_now, pace)
    return {found.item: found async for found in probes.run()}


async def test_every_open_item_is_told_and_nothing_is_left_behind(probed: Begin) -> None:
    """An operator runs this in a real channel: it must say something of each item, and clean up."""
    async with probed() as (slack, _, settings):
        found = await found_by(settings)
        assert [one for one in found.values() if one.outcome == "failed"] == []
        assert set(UNPROBED) <= set(found)
        assert slack.bot_messages(CHANNEL) == []
        assert found["slack.cleaning up"].facts == {"left": 0}


async def test_a_streams_limits_are_measured_as_the_service_has_them(probed: Begin) -> None:
    """The numbers come from the service, not from our facts: other limits give other findings."""
    async with probed() as (_, _, settings):
        found = await found_by(settings)
    size = found["slack.a stream's most bytes"].facts
    assert size == {"bytes": 4_000, "step": 1_000, "error": "msg_too_long"}
    life = found["slack.a stream's life"].facts["steady"]
    assert life["error"] == "message_not_in_streaming_state"
    assert LIFE <= life["seconds"] < PACE.life


async def test_what_claude_refuses_is_told_in_its_own_words(probed: Begin) -> None:
    """Wording of refusals is published nowhere: the finding carries it, with status and type."""
    async with probed() as (_, _, settings):
        found = await found_by(settings)
        refused = found["claude.refusals of max_tokens 0"].facts
        assert set(refused) == {"stream", "thinking enabled", "forced tool", "format"}
        assert all(one["status"] == 400 and one["message"] for one in refused.values())
        accepted = found["claude.warm-up with the context's thinking"].facts
        assert accepted["accepted"] is True
        assert accepted["written"] > 1_000
        cancelled = found["claude.cancelled warm-up leaves an entry"].facts
        assert cancelled["0.15 s"]["ended_before"] is False
        assert cancelled["0.6 s"]["ended_before"] is True
        assert cancelled["0.6 s"]["read_after"] > 1_000


async def test_findings_can_be_sent_to_others(probed: Begin) -> None:
    """One line of JSON each, without tokens, keys, ids of people and channels, or addresses."""
    async with probed() as (slack, _, settings):
        lines = [one.line() for one in (await found_by(settings)).values()]
        hidden = (slack.token, slack.app.app_token, "sk-ant-local", "U0ASKER", CHANNEL, slack.url)
        assert [word for word in hidden for line in lines if word in line] == []
    assert all(set(json.loads(line)) == {"item", "outcome", "text", "facts"} for line in lines)
    assert all("\n" not in line for line in lines)


async def test_a_channel_without_the_bot_is_said_in_a_sentence(probed: Begin) -> None:
    """The commonest mistake: the bot is not in the channel. Claude is probed all the same."""
    async with probed() as (_, _, settings):
        found = await found_by(settings, "C0EMPTY")
        assert found["slack"].outcome == "failed"
        assert "invite the bot" in found["slack"].text
        assert found["claude.warm-up with the context's thinking"].outcome == "found"


async def test_what_needs_a_person_is_heard_while_they_do_it(probed: Begin) -> None:
    """Keys, composer links and channel switches reach an app by a person's hands alone."""
    async with probed() as (slack, _, settings):
        heard = asyncio.Event()
        pace = Pace(listen=60.0, life=0.0, step=0.1, gap=0.0, settle=0.0, heard=heard)
        running = asyncio.ensure_future(found_by(settings, pace=pace))
        asker = slack.user("U0ASKER")

        def button() -> list[str]:
            return [m.ts for m in slack.bot_messages(CHANNEL) if OPEN in str(m.blocks)]

        await slack.until(lambda: bool(button()), "the button")
        asker.open_dm()
        asker.look_at(CHANNEL)
        asker.type_draft(CHANNEL, "https://github.com/acme/a")
        pressed = asker.click(CHANNEL, button()[0], OPEN)
        await slack.until(lambda: bool(slack.state.modals.get("U0ASKER")), "the form")
        await asker.done(pressed)
        await asker.type("abc", KEYS, per_key=0.05)

        def arrived(name: str) -> int:
            acked = (one for one in slack.log.deliveries if one.outcome == "acked")
            return sum(one.name == name for one in acked)

        def sent_again() -> bool:
            return any(one.attempt and one.outcome == "acked" for one in of_button())

        def of_button() -> list[DeliveryEntry]:
            ts = button()[0]
            return [
                one
                for one in slack.log.deliveries
                if (one.payload.get("event") or {}).get("ts") == ts
            ]

        await slack.until(lambda: arrived("block_actions") >= 4, "three keys and the button")
        await slack.until(lambda: arrived("app_context_changed") >= 1, "the switched channel")
        await slack.until(lambda: arrived("link_shared") >= 1, "the link", 120.0)
        # Slack repeats it after a minute at the latest.
        await slack.until(sent_again, "the event that was not acknowledged", 120.0)
        heard.set()
        found = await running
        keys = found["slack.debounce of keystrokes"]
        assert (keys.outcome, keys.facts["lengths"]) == ("found", [1, 2, 3])
        assert found["slack.composer links for github.com"].facts["links"][0]["source"] is True
        assert found["slack.user in app_context_changed"].outcome == "found"
        assert found["slack.delivery over Socket Mode"].facts["seconds"]
        attempts = found["slack.retries over Socket Mode"].facts["attempts"]
        assert [one["attempt"] for one in attempts][:2] == [0, 1]
        assert slack.bot_messages(CHANNEL) == []


async def test_without_any_action_it_says_what_to_do(probed: Begin) -> None:
    """A finding that needs a person names what they must do, and is no failure."""
    async with probed() as (_, _, settings):
        pace = Pace(listen=0.2, life=0.0, gap=0.0, step=0.1, settle=0.0)
        found = await found_by(settings, pace=pace)
        keys = found["slack.debounce of keystrokes"]
        assert keys.outcome == "person"
        assert "Press the button" in keys.text
