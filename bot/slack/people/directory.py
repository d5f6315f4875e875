"""Who somebody is and where they belong, fresh enough to decide on.

Membership is kept for `MEMBERSHIP_SECONDS`, corrected at once by join and leave events; what
Slack does not tell us counts against the person (fail closed).
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.clock import Now
from bot.slack.people.access import Kind, Person

PERSON_SECONDS = 60.0
MEMBERSHIP_SECONDS = 60.0
CHANNEL_SECONDS = 300.0
REMEMBERED = 20_000


@dataclass(frozen=True, slots=True)
class Channel:
    """What matters of a channel. `shared` means with another organisation."""

    id: str
    name: str
    shared: bool
    archived: bool
    is_im: bool
    creator: str | None


@dataclass(slots=True)
class Kept:
    """A bounded memory of looked-up facts, oldest forgotten first."""

    seconds: float
    entries: OrderedDict[str, tuple[float, Any]] = field(default_factory=OrderedDict)

    def get(self, key: str, now: float) -> Any | None:
        entry = self.entries.get(key)
        return entry[1] if entry and now - entry[0] < self.seconds else None

    def put(self, key: str, value: Any, now: float) -> None:
        self.entries[key] = (now, value)
        self.entries.move_to_end(key)
        if len(self.entries) > REMEMBERED:
            self.entries.popitem(last=False)


class People:
    """Looks up users, channels and membership through the client that may resend reads."""

    def __init__(self, client: AsyncWebClient, *, team: str, now: Now) -> None:
        self._client = client
        self._team = team
        self._now = now
        self._users = Kept(PERSON_SECONDS)
        self._channels = Kept(CHANNEL_SECONDS)
        self._members = Kept(MEMBERSHIP_SECONDS)
        self._flights: dict[str, asyncio.Task[Any]] = {}

    def __repr__(self) -> str:
        users, channels = len(self._users.entries), len(self._members.entries)
        return f"<People of {self._team}: {users} users, members of {channels} channels>"

    async def person(
        self, user: str, channels: Collection[str], *, bot: str | None = None
    ) -> Person:
        """Return who acts; `channels` are those of the context in question."""
        if bot is not None or user.startswith("B"):
            return Person(bot or user, "bot", await self.belongs(user, channels))
        info = await self._info(user)
        kind = self._kind(info)
        admin = bool(info.get("is_admin") or info.get("is_owner")) and kind == "member"
        return Person(user, kind, await self.belongs(user, channels), admin)

    async def name(self, user: str) -> str:
        """Return the name people know a user by, or the id."""
        profile = (await self._info(user)).get("profile") or {}
        return str(profile.get("display_name") or profile.get("real_name") or user)

    async def belongs(self, user: str, channels: Collection[str]) -> bool:
        """Tell whether a user is in at least one of the channels."""
        for channel in channels:
            if user in await self.members(channel):
                return True
        return False

    async def members(self, channel: str) -> frozenset[str]:
        """Return a channel's members; nobody where Slack will not tell."""
        return cast(
            frozenset[str],
            await self._kept(self._members, channel, self._fetch_members, frozenset()),
        )

    async def channel(self, channel: str) -> Channel:
        """Return what matters of a channel; a shared one where Slack will not tell."""
        unknown = Channel(channel, channel, True, False, channel.startswith("D"), None)
        return cast(
            Channel, await self._kept(self._channels, channel, self._fetch_channel, unknown)
        )

    def joined(self, channel: str, user: str) -> None:
        self._change(channel, lambda members: members | {user})

    def left(self, channel: str, user: str) -> None:
        self._change(channel, lambda members: members - {user})

    def forget_channel(self, channel: str) -> None:
        self._members.entries.pop(channel, None)
        self._channels.entries.pop(channel, None)

    # --- looking up -----------------------------------------------------------------------------

    async def _info(self, user: str) -> Mapping[str, Any]:
        found = await self._kept(self._users, user, self._fetch_user, {})
        return cast(Mapping[str, Any], found)

    def _kind(self, info: Mapping[str, Any]) -> Kind:
        team = info.get("team_id")
        if not info or info.get("is_stranger") or info.get("deleted"):
            return "external"
        if team and team != self._team and not info.get("enterprise_user"):
            return "external"
        if info.get("is_bot"):
            return "bot"
        if info.get("is_restricted") or info.get("is_ultra_restricted"):
            return "guest"
        return "member"

    async def _kept(self, memory: Kept, key: str, fetch: Any, unknown: Any) -> Any:
        known = memory.get(key, self._now())
        if known is not None:
            return known
        # One look-up for all who ask at the same time: a busy thread asks often.
        flight_key = f"{id(memory)}:{key}"
        flight = self._flights.get(flight_key)
        if flight is None:
            flight = asyncio.ensure_future(fetch(key))
            self._flights[flight_key] = flight
            flight.add_done_callback(lambda _: self._flights.pop(flight_key, None))
        try:
            value = await asyncio.shield(flight)
        except (SlackApiError, aiohttp.ClientError, TimeoutError, OSError):
            return unknown
        memory.put(key, value, self._now())
        return value

    async def _fetch_user(self, user: str) -> Mapping[str, Any]:
        response = await self._client.users_info(user=user)
        return cast(Mapping[str, Any], response["user"])

    async def _fetch_channel(self, channel: str) -> Channel:
        info: Mapping[str, Any] = (await self._client.conversations_info(channel=channel))[
            "channel"
        ]
        return Channel(
            id=channel,
            name=str(info.get("name") or channel),
            shared=bool(info.get("is_ext_shared") or info.get("is_pending_ext_shared")),
            archived=bool(info.get("is_archived")),
            is_im=bool(info.get("is_im")),
            creator=info.get("creator"),
        )

    async def _fetch_members(self, channel: str) -> frozenset[str]:
        members: set[str] = set()
        cursor: str | None = None
        while True:
            page = await self._client.conversations_members(
                channel=channel, limit=1000, cursor=cursor
            )
            members.update(page["members"])
            cursor = (page.get("response_metadata") or {}).get("next_cursor") or None
            if cursor is None:
                return frozenset(members)

    def _change(self, channel: str, change: Any) -> None:
        known = self._members.get(channel, self._now())
        if known is not None:
            self._members.put(channel, change(known), self._members.entries[channel][0])
