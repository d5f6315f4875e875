"""Calls whose failure harms nobody: a tab, a prompt, a box. Logged, and done without."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Any, cast

import aiohttp
import structlog
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.slack.web_api import failure_of

log = structlog.get_logger(__name__)


async def courtesy(what: str, call: Awaitable[AsyncSlackResponse]) -> Mapping[str, Any] | None:
    """Await a call; return what Slack answered, or None where it failed in whatever way."""
    try:
        response = await call
    except (TimeoutError, SlackApiError, aiohttp.ClientError, OSError) as error:
        log.warning("slack_call_failed", what=what, error=failure_of(error).error)
        return None
    return cast(Mapping[str, Any], response.data)
