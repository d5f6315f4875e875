"""Channels and operators as Slack knows them: those that do not count are named."""

from __future__ import annotations

from collections.abc import Mapping

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.context.config.load import ContextConfig
from bot.slack.identity import slack_word

UNKNOWN = frozenset({"channel_not_found", "method_not_supported_for_channel_type"})


async def unusable_channels(slack: AsyncWebClient, context: ContextConfig) -> list[str]:
    """Return a sentence for each channel of a context in which the bot hears no question.

    A failure of Slack that says nothing about a channel is left to the other checks.
    """
    return [
        problem
        for channel in context.channels
        if (problem := await _problem(slack, channel, context.name))
    ]


async def _problem(slack: AsyncWebClient, channel: str, context: str) -> str | None:
    try:
        told = await slack.conversations_info(channel=channel)
    except SlackApiError as error:
        if slack_word(error) not in UNKNOWN:
            return None
        return (
            f"The channel {channel} does not exist in this workspace, or it is private and the bot"
            " was not invited, so no question is heard there: invite the bot, or correct"
            f" `channels` in {context}.toml."
        )
    except (aiohttp.ClientError, TimeoutError, OSError):
        return None
    found = told.get("channel") or {}
    if found.get("is_archived"):
        return (
            f"The channel {channel} is archived, so no question can come from it: take it out of"
            f" `channels` in {context}.toml."
        )
    if found.get("is_member") is False:
        return (
            f"The bot is not in the channel {channel}, so no question is heard there: invite it in"
            " Slack with `/invite`."
        )
    return None


async def unusable_operators(slack: AsyncWebClient, named: Mapping[str, str]) -> list[str]:
    """Return a sentence for each operator who can neither be told nor change anything.

    `named` gives the setting or key that names each user id.
    """
    return [
        problem
        for user, place in named.items()
        if (problem := await _operator_problem(slack, user, place))
    ]


async def _operator_problem(slack: AsyncWebClient, user: str, place: str) -> str | None:
    try:
        told = await slack.users_info(user=user)
    except SlackApiError as error:
        known = slack_word(error) not in ("user_not_found", "users_not_found")
        why = "" if known else "is no user of this workspace"
    except (aiohttp.ClientError, TimeoutError, OSError):
        return None
    else:
        found = told.get("user") or {}
        why = "was deactivated" if found.get("deleted") else ""
        why = why or ("is a bot" if found.get("is_bot") else "")
    if not why:
        return None
    return f"The operator {user} {why}, so no person has that right: correct {place}."
