"""Shared by the tests of the local Slack: virtual time, a clock by hand, bare cores."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import pytest
from forewarm_playground import virtual_time
from forewarm_playground.slack import LocalSlack
from forewarm_playground.virtual_time import VirtualTimeLoop
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

Events = Callable[..., list[dict[str, Any]]]
BoltApp = Callable[[LocalSlack], AsyncApp]


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run every asynchronous test of this folder on virtual time."""
    return {"virtual": VirtualTimeLoop}


class Clock:
    """A clock that a test moves by hand."""

    def __init__(self) -> None:
        self.at = 1_795_424_400.0

    def __call__(self) -> float:
        return self.at

    def pass_(self, seconds: float) -> None:
        self.at += seconds


WORLD: dict[str, Any] = {
    "workspaces": [
        {"id": "T0LOCAL", "name": "Local", "domain": "local"},
        {"id": "T0OTHER", "name": "Other", "domain": "other", "installed": False},
    ],
    "users": [
        {"id": "U0ASKER", "name": "asker", "email": "asker@local.test"},
        {"id": "U0PEER", "name": "peer"},
        {"id": "U0GUEST", "name": "guest", "kind": "guest"},
        {"id": "U0SINGLE", "name": "single", "kind": "single_channel_guest"},
        {"id": "U0FOREIGN", "name": "foreign", "workspace": "T0OTHER"},
        {"id": "U0OTHERBOT", "name": "otherbot", "kind": "bot"},
    ],
    "channels": [
        {
            "id": "C0GENERAL",
            "name": "general",
            "members": ["U0ASKER", "U0PEER", "U0GUEST", "U0OTHERBOT", "bot"],
        },
        {"id": "C0QUIET", "name": "quiet", "members": ["U0ASKER", "U0PEER"]},
        {"id": "C0SECRET", "name": "secret", "kind": "private", "members": ["U0ASKER", "bot"]},
        {"id": "C0HIDDEN", "name": "hidden", "kind": "private", "members": ["U0PEER"]},
        {
            "id": "C0SHARED",
            "name": "shared",
            "members": ["U0ASKER", "U0FOREIGN", "bot"],
            "shared_with": ["T0OTHER"],
        },
        {"id": "C0OLD", "name": "old", "archived": True, "members": ["U0ASKER", "bot"]},
    ],
}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def world_config() -> dict[str, Any]:
    """A workspace with guests, another organisation, another bot, public and private channels."""
    return {**WORLD}


@pytest.fixture
def slack(clock: Clock, world_config: dict[str, Any]) -> LocalSlack:
    """A Slack without sockets or rate limits, whose clock stands still."""
    return LocalSlack({**world_config, "limits": {"rates": False}}, now=clock)


@pytest.fixture
def events(slack: LocalSlack) -> Events:
    """Take out what the app was told so far: the inner events, all or those of one type."""

    def take(kind: str | None = None) -> list[dict[str, Any]]:
        told = [
            delivery.payload["event"] for delivery in slack.outbox if "event" in delivery.payload
        ]
        slack.dispatcher.outbox.clear()
        return [event for event in told if kind in (None, event["type"])]

    return take


@pytest.fixture
async def served(world_config: dict[str, Any]) -> AsyncIterator[LocalSlack]:
    """A Slack on real sockets in virtual time, over Socket Mode, without rate limits."""
    slack = LocalSlack({**world_config, "limits": {"rates": False}}, now=virtual_time.now)
    async with slack.serve():
        yield slack


@pytest.fixture
def bolt() -> BoltApp:
    """Make a Bolt app that talks to a local Slack."""

    def make(slack: LocalSlack) -> AsyncApp:
        client = AsyncWebClient(token=slack.token, base_url=slack.api_url)
        return AsyncApp(client=client, signing_secret=slack.app.signing_secret)

    return make
