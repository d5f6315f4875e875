"""Event bodies to typed facts. Pure: nothing here asks Slack, waits or decides.

Field names follow docs/platform/slack.md#signals-before-a-question and the sections after it. A
field that a body lacks is None. Nothing is trusted to be there.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from bot.answer.question import File, Quoted
from bot.answer.thread.content import read_content
from bot.answer.thread.message import SYSTEM_USERS
from bot.warm.signals import Signal

Body = Mapping[str, Any]
ChannelType = Literal["channel", "group", "im", "mpim"]
LATEST = 1e11
"""No time stamp is this late. In Unix seconds."""
# Subtypes of `message` that a person or an app wrote.
SPOKEN = {None, "file_share", "thread_broadcast", "bot_message"}
_MENTION = re.compile(r"<@([A-Z0-9]+)")
_GROUP = re.compile(r"<!(?:here|channel|everyone|subteam)\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message of a person or an app, from `message` or `app_mention`.

    `text`, `quoted`, `files` and `unread` are what it says, decoded, without the mention of the
    bot. `at` is Slack's time stamp in Unix seconds. `shared` says that the channel is shared with
    another organisation. `viewing` is the channel that the author views beside the agent panel.
    """

    workspace: str
    enterprise: str | None
    channel: str
    channel_type: ChannelType
    ts: str
    thread: str | None
    user: str
    bot: str | None
    text: str
    mentions_me: bool
    mentions_others: bool
    parent_user: str | None
    user_team: str | None
    shared: bool
    at: float
    files: tuple[File, ...] = ()
    quoted: tuple[Quoted, ...] = ()
    unread: tuple[str, ...] = ()
    viewing: str | None = None

    @property
    def has_content(self) -> bool:
        """Whether the message says anything beside naming the bot."""
        return bool(self.text or self.files or self.quoted or self.unread)

    @property
    def root(self) -> str:
        """The thread that an answer belongs to."""
        return self.thread or self.ts


@dataclass(frozen=True, slots=True)
class Edited:
    """A message has another text now."""

    workspace: str
    channel: str
    ts: str
    user: str | None
    text: str


@dataclass(frozen=True, slots=True)
class Deleted:
    """A message is gone. `thread` is set for a reply, `is_ours` for a message of the bot."""

    workspace: str
    channel: str
    ts: str
    thread: str | None = None
    is_ours: bool = False


def workspace_of(body: Body) -> str:
    """Return the workspace the event belongs to (interactions name it under `team`)."""
    team = body.get("team")
    nested = team.get("id") if isinstance(team, Mapping) else None
    return str(body.get("team_id") or nested or "")


def actor_of(body: Body) -> str | None:
    """Return the user of an event, from its authorizations if it names none itself."""
    event = body.get("event") or {}
    if event.get("user"):
        return str(event["user"])
    authorizations = body.get("authorizations") or [{}]
    user = authorizations[0].get("user_id")
    return str(user) if user else None


def read_message(body: Body, me: str) -> Message | None:
    """Return the message of an event, or None if it has none of a person or another app."""
    event = body.get("event") or {}
    if event.get("type") not in {"message", "app_mention"} or event.get("hidden"):
        return None
    if event.get("subtype") not in SPOKEN or event.get("user") in {me, *SYSTEM_USERS}:
        return None
    ts, channel, at = event.get("ts"), event.get("channel"), _seconds(event.get("ts"))
    user = event.get("user") or event.get("bot_id")
    if not (ts and channel and user) or at is None:
        return None
    raw = str(event.get("text") or "")
    mentioned = set(mentioned_users(raw))
    content = read_content(event, me)
    return Message(
        workspace=workspace_of(body),
        enterprise=body.get("enterprise_id"),
        channel=str(channel),
        channel_type=_channel_type(event),
        ts=str(ts),
        thread=_thread(event),
        user=str(user),
        bot=event.get("bot_id"),
        text=content.text,
        mentions_me=event["type"] == "app_mention" or me in mentioned,
        mentions_others=bool(mentioned - {me}) or _GROUP.search(raw) is not None,
        parent_user=event.get("parent_user_id"),
        user_team=event.get("user_team") or event.get("source_team"),
        shared=bool(body.get("is_ext_shared_channel")),
        at=at,
        files=content.files,
        quoted=content.quoted,
        unread=content.unread,
        viewing=viewed_channel(event.get("app_context")),
    )


def _seconds(ts: object) -> float | None:
    """Return a time stamp of Slack in Unix seconds, or None if it is none."""
    try:
        seconds = float(str(ts))
    except ValueError:
        return None
    return seconds if 0 <= seconds < LATEST else None


def _thread(event: Mapping[str, Any]) -> str | None:
    thread = event.get("thread_ts")
    return str(thread) if thread and thread != event.get("ts") else None


def _channel_type(event: Mapping[str, Any]) -> ChannelType:
    # app_mention names no channel type, and is never sent for a DM.
    kind = event.get("channel_type")
    if kind in ("channel", "group", "im", "mpim"):
        return kind  # type: ignore[no-any-return]  # narrowed by the line above
    return "im" if str(event.get("channel", "")).startswith("D") else "channel"


def read_edit(body: Body, me: str) -> Edited | Deleted | None:
    """Return an edit that changed the text, or a deletion; unfurls and own edits are neither."""
    event = body.get("event") or {}
    workspace, channel = workspace_of(body), str(event.get("channel") or "")
    if event.get("subtype") == "message_deleted" and event.get("deleted_ts"):
        before = event.get("previous_message")
        before = before if isinstance(before, Mapping) else {}
        thread, gone = before.get("thread_ts"), str(event["deleted_ts"])
        is_ours = before.get("user") == me
        return Deleted(workspace, channel, gone, str(thread) if thread else None, is_ours)
    if event.get("subtype") != "message_changed":
        return None
    now, before = event.get("message") or {}, event.get("previous_message") or {}
    if now.get("subtype") == "tombstone":
        # The rest of a deleted message that has replies, as every answered question has.
        return Deleted(workspace, channel, str(now.get("ts") or ""))
    if now.get("user") == me or now.get("bot_id"):
        return None
    text = read_content(now, me).text
    if text == read_content(before, me).text:
        return None
    return Edited(workspace, channel, str(now.get("ts") or ""), now.get("user"), text)


def viewed_channel(context: object) -> str | None:
    """Return the first channel of an `app_context`, in Slack's order of relevance (§1.3)."""
    entities = context.get("entities") if isinstance(context, Mapping) else None
    for entity in entities if isinstance(entities, list) else ():
        value = entity.get("value") if isinstance(entity, Mapping) else None
        if isinstance(value, Mapping):
            value = value.get("channel_id")
        if isinstance(value, str) and value[:1] in {"C", "G"}:
            return value
    return None


def mentioned_users(raw: str) -> Iterator[str]:
    """Yield the ids of the users that a raw text mentions."""
    yield from _MENTION.findall(raw)


# --- signals ------------------------------------------------------------------------------------


def read_signal(body: Body, me: str) -> Signal | None:
    """Return the hint that an event gives before a question, if it gives one."""
    event = body.get("event") or {}
    reader = {
        "app_home_opened": _dm_opened,
        "app_context_changed": _context_changed,
        "link_shared": _link,
        "member_joined_channel": _joined,
        "reaction_added": _reaction,
    }.get(str(event.get("type")))
    return reader(body, event, me) if reader else None


def _at(event: Mapping[str, Any], body: Body) -> float:
    return _seconds(event.get("event_ts")) or _seconds(body.get("event_time")) or 0.0


def _dm_opened(body: Body, event: Mapping[str, Any], me: str) -> Signal | None:
    if event.get("tab") != "messages":
        return None
    return Signal(
        kind="dm_opened",
        workspace=workspace_of(body),
        at=_at(event, body),
        channel=viewed_channel(event.get("context")),
        user=event.get("user"),
    )


def _context_changed(body: Body, event: Mapping[str, Any], me: str) -> Signal | None:
    channel = viewed_channel(event.get("context"))
    if channel is None:
        return None
    return Signal(
        kind="context_changed",
        workspace=workspace_of(body),
        at=_at(event, body),
        channel=channel,
        user=actor_of(body),
    )


def _link(body: Body, event: Mapping[str, Any], me: str) -> Signal | None:
    links = event.get("links") or ()
    url = next((str(link.get("url")) for link in links if link.get("url")), None)
    if url is None:
        return None
    composing = event.get("source") == "composer" or event.get("channel") == "COMPOSER"
    return Signal(
        kind="composer_link" if composing else "link_posted",
        workspace=workspace_of(body),
        at=_at(event, body),
        channel=None if composing else event.get("channel"),
        thread=event.get("thread_ts"),
        user=event.get("user"),
        repository=html.unescape(url),
    )


def _joined(body: Body, event: Mapping[str, Any], me: str) -> Signal:
    return Signal(
        kind="bot_joined" if event.get("user") == me else "person_joined",
        workspace=workspace_of(body),
        at=_at(event, body),
        channel=event.get("channel"),
        user=event.get("inviter") if event.get("user") == me else event.get("user"),
    )


def _reaction(body: Body, event: Mapping[str, Any], me: str) -> Signal | None:
    if event.get("user") == me:
        return None
    item = event.get("item") or {}
    return Signal(
        kind="reaction",
        workspace=workspace_of(body),
        at=_at(event, body),
        channel=item.get("channel"),
        thread=item.get("ts"),
        user=event.get("user"),
    )
