"""Look up users, channels and memberships in Slack, fresh enough to decide access on.

A fact is kept for a minute or a few, and join and leave events correct it at once. A look-up that
fails is tried again. If it still fails, the result says that Slack could not be asked: access is
then refused for that reason, and not because the person were a stranger.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import aiohttp
import structlog
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.answer.thread.names import Described
from bot.clock import Now
from bot.errors import ForewarmError
from bot.slack.people.access import Kind, Person

log = structlog.get_logger(__name__)

PERSON_SECONDS = 60.0
MEMBERSHIP_SECONDS = 60.0
CHANNEL_SECONDS = 60.0
DESCRIBE_SECONDS = 1.2
"""An answer waits this long for names. Without them it has ids."""
OUTDATED_TRIES = 3
"""How often a look-up is made whose subject changes while Slack answers."""
RETRY_PAUSES = (0.3, 1.0)
"""Seconds before each further try of a look-up that failed on Slack's side."""
REMEMBERED = 20_000
# Slack's words for an id that it will never tell us of. Anything else may be a passing failure.
_NO_SUCH = frozenset({"user_not_found", "user_not_visible", "users_not_found", "channel_not_found"})
_NOT_PASSING = frozenset({"missing_scope", "invalid_auth", "not_authed", "account_inactive"})
_NOT_PASSING |= {"token_revoked", "token_expired", "not_in_channel", "invalid_arguments"}


class SlackUnreachable(ForewarmError):
    """Slack did not answer a look-up, or answered with a failure of its own."""

    def __init__(self, looked_up: str) -> None:
        super().__init__(f"Slack did not tell who or what {looked_up} is; try again in a minute.")


@dataclass(frozen=True, slots=True)
class Channel:
    """The facts about a channel. `shared` means with another organisation.

    `known` is False if Slack could not be asked: then it counts as shared.
    """

    id: str
    name: str
    shared: bool
    archived: bool
    is_im: bool
    creator: str | None
    public: bool = False
    known: bool = True


@dataclass(slots=True, eq=False)
class _Flight:
    """A look-up under way. `began` is in Unix seconds.

    `is_outdated` says that something changed meanwhile, so its result may be from before that.
    """

    task: asyncio.Task[Any]
    began: float
    is_outdated: bool = False


@dataclass(slots=True)
class Kept:
    """A bounded memory of looked-up facts, oldest forgotten first."""

    seconds: float
    entries: OrderedDict[str, tuple[float, Any]] = field(default_factory=OrderedDict)

    def get(self, key: str, now: float) -> Any | None:
        entry = self.entries.get(key)
        # A clock that was set back makes nothing fresh.
        return entry[1] if entry and 0 <= now - entry[0] < self.seconds else None

    def put(self, key: str, value: Any, now: float) -> None:
        self.entries[key] = (now, value)
        self.entries.move_to_end(key)
        if len(self.entries) > REMEMBERED:
            self.entries.popitem(last=False)


class People:
    """Looks up users, channels and membership through the client that may resend reads.

    `team` is our workspace, `organisation` the Enterprise Grid that it belongs to, if any.
    """

    def __init__(
        self,
        client: AsyncWebClient,
        *,
        team: str,
        now: Now,
        organisation: str = "",
        pauses: Sequence[float] = RETRY_PAUSES,
    ) -> None:
        self._client = client
        self._team = team
        self._organisation = organisation
        self._now = now
        self._pauses = pauses
        self._users = Kept(PERSON_SECONDS)
        self._channels = Kept(CHANNEL_SECONDS)
        self._members = Kept(MEMBERSHIP_SECONDS)
        self._flights: dict[str, _Flight] = {}

    def __repr__(self) -> str:
        users, channels = len(self._users.entries), len(self._members.entries)
        return f"<People of {self._team}: {users} users, members of {channels} channels>"

    async def person(
        self, user: str, channels: Collection[str], *, bot: str | None = None
    ) -> Person:
        """Return facts about a person who acts; `channels` are those of the context in question."""
        try:
            if bot is not None or user.startswith("B"):
                return Person(bot or user, "bot", await self.belongs(user, channels))
            info = await self._info(user)
            kind = self._kind(info)
            # An admin of another workspace of our organisation is none of ours.
            admin = bool(info.get("is_admin") or info.get("is_owner")) and kind == "member"
            admin = admin and info.get("team_id") in (None, self._team)
            # A context lists bots by the id that their messages carry.
            id = _bot_id(info) or user if kind == "bot" else user
            return Person(id, kind, await self.belongs(user, channels), admin)
        except SlackUnreachable:
            return Person(user, "external", False, known=False)

    async def name(self, user: str) -> str:
        """Return the name people know a user by, or the id."""
        try:
            return _name_of(await self._info(user), user)
        except SlackUnreachable:
            return user

    async def describe(self, ids: Collection[str]) -> Mapping[str, Described]:
        """Return the names of users and of public channels, and how users belong to us.

        An id that Slack does not tell of in time is left out. A private channel's name is left out
        too: some readers of an answer may not know it.
        """
        known = {id: self._known(id) for id in ids}
        if all(known.values()):
            return cast(Mapping[str, Described], known)
        tasks = {id: asyncio.ensure_future(self._described(id)) for id in ids}
        if tasks:
            await asyncio.wait(tasks.values(), timeout=DESCRIBE_SECONDS)
        found: dict[str, Described] = {}
        for id, task in tasks.items():
            if not task.done():
                task.cancel()
            elif task.exception() is None and (one := task.result()) is not None:
                found[id] = one
        return found

    def _known(self, id: str) -> Described | None:
        """Return how a user is described by facts that are here and fresh."""
        info = self._users.get(id, self._now())
        return Described(_name_of(info, id), self._kind(info)) if info else None

    async def _described(self, id: str) -> Described | None:
        if id[:1] in "CG":
            channel = await self.channel(id)
            return Described(channel.name) if channel.public else None
        info = await self._info(id)
        return Described(_name_of(info, id), self._kind(info)) if info else None

    async def belongs(self, user: str, channels: Collection[str]) -> bool:
        """Tell whether a user is in at least one of the channels. Raises `SlackUnreachable`."""
        unreachable: SlackUnreachable | None = None
        for channel in channels:
            try:
                if user in await self.members(channel):
                    return True
            except SlackUnreachable as error:
                unreachable = error
        if unreachable is not None:
            raise unreachable
        return False

    async def members(self, channel: str) -> frozenset[str]:
        """Return a channel's members, none if there is no such channel for us.

        Raises `SlackUnreachable`.
        """
        none: frozenset[str] = frozenset()
        found = await self._look_up(self._members, channel, self._fetch_members, none)
        return cast(frozenset[str], found)

    async def channel(self, channel: str) -> Channel:
        """Return what matters of a channel; one that Slack does not tell of counts as shared."""
        unknown = Channel(channel, channel, True, False, channel.startswith("D"), None)
        try:
            found = await self._look_up(self._channels, channel, self._fetch_channel, unknown)
        except SlackUnreachable:
            return Channel(channel, channel, True, False, unknown.is_im, None, known=False)
        return cast(Channel, found)

    def joined(self, channel: str, user: str) -> None:
        self._change(channel, lambda members: members | {user})

    def left(self, channel: str, user: str) -> None:
        self._outdate(channel)
        self._change(channel, lambda members: members - {user})

    async def forget(
        self, *, channel: str | None = None, user: str | None = None, until: str = ""
    ) -> None:
        """Forget what is known of a channel or a person; without either, of all."""
        self._outdate(channel or user)
        for memory in (self._users, self._members, self._channels):
            if channel or user:
                memory.entries.pop(channel or user or "", None)
            else:
                memory.entries.clear()

    def forget_channel(self, channel: str) -> None:
        self._outdate(channel)
        self._members.entries.pop(channel, None)
        self._channels.entries.pop(channel, None)

    # --- looking up -----------------------------------------------------------------------------

    async def _info(self, user: str) -> Mapping[str, Any]:
        """Return Slack's facts about a user, none if it knows no such user. May raise."""
        found = await self._look_up(self._users, user, self._fetch_user, {})
        return cast(Mapping[str, Any], found)

    def _kind(self, info: Mapping[str, Any]) -> Kind:
        if not info or info.get("deleted") or not self._is_ours(info):
            return "external"
        if info.get("is_bot"):
            return "bot"
        if info.get("is_restricted") or info.get("is_ultra_restricted"):
            return "guest"
        return "member"

    def _is_ours(self, info: Mapping[str, Any]) -> bool:
        """Tell whether a user belongs to our workspace or to our Enterprise Grid organisation.

        Slack marks colleagues of other workspaces as strangers too, so the organisation decides
        first. Users of another organisation have an organisation as well, but not ours.
        """
        grid = info.get("enterprise_user")
        theirs = grid.get("enterprise_id") if isinstance(grid, Mapping) else None
        if theirs and self._organisation:
            return bool(theirs == self._organisation)
        return not info.get("is_stranger") and info.get("team_id") in (None, self._team)

    async def _look_up(
        self,
        memory: Kept,
        key: str,
        fetch: Callable[[str], Awaitable[Any]],
        absent: Any,
    ) -> Any:
        """Return a fact from memory or from Slack, `absent` if Slack knows no such id.

        Raises `SlackUnreachable`.
        """
        for _ in range(OUTDATED_TRIES):
            known = memory.get(key, self._now())
            if known is not None:
                return known
            flight = self._flight(memory, key, fetch, absent)
            value = await asyncio.shield(flight.task)
            if not flight.is_outdated:
                if value is not absent:
                    # What was true when Slack was asked, not when it had answered.
                    memory.put(key, value, flight.began)
                return value
        log.warning("look_up_outdated", id=key)
        raise SlackUnreachable(key)

    def _flight(
        self, memory: Kept, key: str, fetch: Callable[[str], Awaitable[Any]], absent: Any
    ) -> _Flight:
        """Return the look-up under way for all who ask at the same time, or begin one."""
        flight_key = f"{id(memory)}:{key}"
        flight = self._flights.get(flight_key)
        if flight is None:
            task = asyncio.ensure_future(self._fetched(key, fetch, absent))
            flight = self._flights[flight_key] = _Flight(task, self._now())
            task.add_done_callback(lambda done: self._landed(flight_key, done))
        return flight

    def _landed(self, flight_key: str, task: asyncio.Task[Any]) -> None:
        flight = self._flights.get(flight_key)
        if flight is not None and flight.task is task:
            del self._flights[flight_key]
        # Each caller gets the error by itself. If all of them have left, it needs no report.
        if not task.cancelled():
            task.exception()

    def _outdate(self, key: str | None) -> None:
        """Let no result of a look-up that is under way be used: of a key, or of all."""
        for flight_key, flight in tuple(self._flights.items()):
            if key is None or flight_key.partition(":")[2] == key:
                flight.is_outdated = True
                del self._flights[flight_key]

    async def _fetched(self, key: str, fetch: Callable[[str], Awaitable[Any]], absent: Any) -> Any:
        for pause in (*self._pauses, None):
            try:
                return await fetch(key)
            except SlackApiError as error:
                word = str(error.response.get("error") or "")
                if word in _NO_SUCH:
                    return absent
                if word in _NOT_PASSING:
                    log.warning("look_up_refused", id=key, error=word)
                    raise SlackUnreachable(key) from None
            except (aiohttp.ClientError, TimeoutError, OSError):
                word = "no connection"
            if pause is not None:
                await asyncio.sleep(pause)
        log.warning("look_up_failed", id=key, error=word)
        raise SlackUnreachable(key)

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
            public=not (info.get("is_private") or info.get("is_im") or info.get("is_mpim")),
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

    def _change(self, channel: str, change: Callable[[frozenset[str]], frozenset[str]]) -> None:
        known = self._members.get(channel, self._now())
        if known is not None:
            self._members.put(channel, change(known), self._members.entries[channel][0])


def _bot_id(info: Mapping[str, Any]) -> str:
    profile = info.get("profile")
    return str(profile.get("bot_id") or "") if isinstance(profile, Mapping) else ""


def _name_of(info: Mapping[str, Any], user: str) -> str:
    profile = info.get("profile")
    profile = profile if isinstance(profile, Mapping) else {}
    name = profile.get("display_name") or profile.get("real_name") or info.get("real_name")
    return str(name or info.get("name") or user)
