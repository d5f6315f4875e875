"""The bot's own identity in its workspace, asked for once at the start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError

from bot.errors import ForewarmError
from bot.slack.client import SlackClients


class ConnectionRefused(ForewarmError):
    """Slack refused a connection. `error` is Slack's own word."""

    def __init__(self, error: str, what: str, remedy: str) -> None:
        super().__init__(f"Slack refused {what} ({error}): {remedy}")
        self.error = error


class SlackUnreachable(ForewarmError):
    """No server answers at the address of Slack's Web API."""

    def __init__(self, address: str) -> None:
        super().__init__(
            f"Nothing answers at {address}, so Slack cannot be reached: check the network, the"
            " proxy (HTTPS_PROXY) and SLACK_API_URL."
        )


class NoSlack(ForewarmError):
    """A server answers at the address of Slack's Web API, but not as Slack does."""

    def __init__(self, address: str) -> None:
        super().__init__(
            f"The server at {address} answers, but has no Web API of Slack there, so no question"
            " arrives: correct SLACK_API_URL, which ends with /api/ (https://slack.com/api/)."
        )


@dataclass(frozen=True, slots=True)
class Identity:
    """The bot's own ids, as Slack gives them. `scopes` are those granted.

    `app_id` is empty if Slack did not tell it. `enterprise` is set only if the app is installed
    for a whole Enterprise Grid organisation. `organisation` is the id of the organisation that our
    workspace belongs to, however the app is installed; most workspaces belong to none.
    """

    workspace: str
    workspace_name: str
    user: str
    bot: str
    scopes: frozenset[str]
    app_id: str = ""
    enterprise: str = ""
    organisation: str = ""


def slack_word(error: SlackApiError) -> str | None:
    """Return Slack's word for a refusal, None if the reply is not one of Slack's."""
    data = error.response.data if hasattr(error.response, "data") else error.response
    word = data.get("error") if isinstance(data, Mapping) else None
    return word if isinstance(word, str) else None


async def identify(clients: SlackClients) -> Identity:
    """Ask Slack for our own ids.

    Raises:
        ConnectionRefused: the token is not accepted.
        SlackUnreachable: no answer came.
        NoSlack: another server answered.
    """
    try:
        answer = await clients.reads.auth_test()
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise SlackUnreachable(clients.reads.base_url) from error
    except SlackApiError as error:
        word = slack_word(error)
        if word is None:
            raise NoSlack(clients.reads.base_url) from None
        raise ConnectionRefused(
            word,
            "SLACK_BOT_TOKEN",
            "copy the Bot User OAuth Token from your app's OAuth & Permissions page.",
        ) from None
    headers: Mapping[str, str] = answer.headers
    granted = next((v for k, v in headers.items() if k.lower() == "x-oauth-scopes"), "")
    return Identity(
        workspace=str(answer["team_id"]),
        workspace_name=str(answer.get("team") or ""),
        user=str(answer["user_id"]),
        bot=str(answer.get("bot_id") or ""),
        scopes=frozenset(scope.strip() for scope in granted.split(",") if scope.strip()),
        app_id=await _app_id(clients, str(answer.get("bot_id") or "")),
        enterprise=str(answer.get("enterprise_id") or "")
        if answer.get("is_enterprise_install")
        else "",
        organisation=str(answer.get("enterprise_id") or ""),
    )


async def _app_id(clients: SlackClients, bot: str) -> str:
    """Return the app's id, or nothing: it only narrows which signed requests are taken."""
    try:
        told = await clients.reads.bots_info(bot=bot)
    except (SlackApiError, aiohttp.ClientError, TimeoutError, OSError):
        return ""
    about: Mapping[str, Any] = told.get("bot") or {}
    return str(about.get("app_id") or "")
