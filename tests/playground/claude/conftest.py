"""Shared by the tests of the local Claude: virtual time, a core, whole requests in one call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from forewarm_playground.claude import INSTANT, ApiError, Call, Config, Core
from forewarm_playground.claude.exchange import Exchange
from forewarm_playground.virtual_time import VirtualTimeLoop

Ask = Callable[..., Exchange]
Refuse = Callable[..., ApiError]


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run every asynchronous test of this folder on virtual time."""
    return {"virtual": VirtualTimeLoop}


@pytest.fixture
def core() -> Core:
    return Core(Config(latency=INSTANT, limits=None))


@pytest.fixture
def ask(core: Core) -> Ask:
    """Run a whole request at a time."""

    def run(at: float, request: dict[str, Any], key: str = "local") -> Exchange:
        return core.create(request, at, key)

    return run


@pytest.fixture
def refuse(core: Core) -> Refuse:
    """Send a request that must be refused, and return the error."""

    def run(request: Any, **call: Any) -> ApiError:
        with pytest.raises(ApiError) as caught:
            core.open(Call(body=request, **call), 0.0)
        return caught.value

    return run
