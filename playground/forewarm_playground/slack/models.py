"""The nouns of a workspace: users, channels, messages, streams, views."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from math import inf
from typing import Literal

from forewarm_playground.slack.config import ChannelKind, UserKind
from forewarm_playground.slack.ids import Json, ts_to_us, us_to_ts

StreamState = Literal["in_progress", "completed", "errored"]


@dataclass(slots=True)
class Workspace:
    """A workspace (Slack: team)."""

    id: str
    name: str
    domain: str
    enterprise_id: str | None
    enterprise_name: str = ""
    approval: bool = False
    """Only admins may install apps."""


@dataclass(slots=True)
class Grant:
    """A bot token. The workspaces of an organisation that installed the app whole share one.

    With rotation it ends at `expires_at` and is renewed by `refresh_token`, which is good once. The
    token before it, `former`, is good until its own end.
    """

    token: str
    organisation: str | None = None
    refresh_token: str = ""
    expires_at: float | None = None
    former: str = ""
    former_expires_at: float = 0.0

    def end_of(self, token: str | None) -> float | None:
        """Return when a token ends, infinity for one that does not; None if it is another's."""
        if token == self.token:
            return inf if self.expires_at is None else self.expires_at
        return self.former_expires_at if token and token == self.former else None


@dataclass(slots=True)
class Installation:
    """The app in one workspace: its bot's identity, its token and what that may do."""

    team: str
    bot_user: str
    bot_id: str
    grant: Grant
    scopes: tuple[str, ...]
    revoked: bool = False

    @property
    def token(self) -> str:
        """The bot token that is in force."""
        return self.grant.token


@dataclass(frozen=True, slots=True)
class OAuthCode:
    """A permission: the app in a place, which is a workspace or an organisation."""

    place: str
    user: str
    scopes: tuple[str, ...]
    redirect_uri: str


@dataclass(slots=True)
class User:
    """A person or a bot."""

    id: str
    team: str
    name: str
    real_name: str
    kind: UserKind
    email: str = ""
    tz: str = "Etc/UTC"
    locale: str = "en-US"
    deleted: bool = False
    admin: bool = False
    stranger: bool | None = None
    bot_id: str | None = None
    app_id: str | None = None

    @property
    def is_bot(self) -> bool:
        return self.kind == "bot"

    @property
    def is_guest(self) -> bool:
        return self.kind in ("guest", "single_channel_guest")


@dataclass(slots=True)
class Stream:
    """A message whose text arrives in pieces (docs/platform/slack.md#streaming-methods).

    `recipient` alone sees it grow. `parts` are the chunks in order, `size` their UTF-8 bytes, and
    times are Unix seconds.
    """

    recipient: str | None
    started_at: float
    expires_at: float
    state: StreamState = "in_progress"
    stopped_by_user: bool = False
    parts: list[Json] = field(default_factory=list)
    size: int = 0
    display: str = "timeline"


@dataclass(slots=True)
class Message:
    """A message of a channel; `ts` names it there."""

    channel: str
    ts: str
    user: str
    team: str
    text: str
    thread_ts: str | None = None
    subtype: str | None = None
    blocks: list[Json] = field(default_factory=list)
    attachments: list[Json] = field(default_factory=list)
    files: list[Json] = field(default_factory=list)
    bot_id: str | None = None
    app_id: str | None = None
    username: str | None = None
    icons: Json | None = None
    client_msg_id: str | None = None
    metadata: Json | None = None
    app_context: Json | None = None
    edited: Json | None = None
    reactions: dict[str, list[str]] = field(default_factory=dict)
    replies: list[str] = field(default_factory=list)
    repliers: list[str] = field(default_factory=list)
    stream: Stream | None = None
    markdown: bool = False
    unfurls: bool = False
    broadcast: bool = False
    seen_by: str | None = None
    """The one user who sees an ephemeral message; None for a message of the channel."""

    @property
    def root_ts(self) -> str:
        """The thread it belongs to: its own if it is not a reply."""
        return self.thread_ts or self.ts

    @property
    def is_reply(self) -> bool:
        return self.thread_ts is not None and self.thread_ts != self.ts


@dataclass(slots=True)
class Channel:
    """A conversation: public, private, direct or group."""

    id: str
    name: str
    kind: ChannelKind
    team: str
    created: int
    members: dict[str, None] = field(default_factory=dict)
    shared_with: tuple[str, ...] = ()
    pending_shared: bool = False
    topic: str = ""
    purpose: str = ""
    archived: bool = False
    messages: dict[str, Message] = field(default_factory=dict)
    timeline: list[int] = field(default_factory=list)
    """Microseconds of every message that is not a mere thread reply, rising."""
    last_us: int = 0
    unheard: list[Message] = field(default_factory=list)
    """Mentions of a bot that was not a member; it hears them once it joins.

    Source: docs/platform/slack.md#mentions-of-a-bot-that-is-not-a-member.
    """

    def __repr__(self) -> str:
        return f"<Channel {self.id} [{self.kind}, {len(self.members)} in, {len(self.messages)} ts]>"

    @property
    def is_shared(self) -> bool:
        return bool(self.shared_with)

    def stamp(self, at: float) -> str:
        """Return the time stamp of a message at `at`: never one that the channel already has."""
        self.last_us = max(round(at * 1_000_000), self.last_us + 1)
        return us_to_ts(self.last_us)

    def between(self, oldest: int | None, latest: int | None, *, inclusive: bool) -> list[str]:
        """Return the stamps of top-level messages in a range of microseconds, oldest first."""
        low, high = 0, len(self.timeline)
        if oldest is not None:
            low = (bisect_left if inclusive else bisect_right)(self.timeline, oldest)
        if latest is not None:
            high = (bisect_right if inclusive else bisect_left)(self.timeline, latest)
        return [us_to_ts(us) for us in self.timeline[low:high]]

    def list_top_level(self, ts: str) -> None:
        """Put a message on the timeline; stamps arrive in rising order but for late broadcasts."""
        us = ts_to_us(ts)
        self.timeline.insert(bisect_left(self.timeline, us), us)

    def unlist(self, ts: str) -> None:
        """Take a message off the timeline."""
        us = ts_to_us(ts)
        place = bisect_left(self.timeline, us)
        if place < len(self.timeline) and self.timeline[place] == us:
            del self.timeline[place]


@dataclass(slots=True)
class View:
    """A modal or a Home tab: what the app sent, and what its user has filled in."""

    id: str
    team: str
    user: str
    content: Json
    hash: str
    root: str
    previous: str | None = None
    values: dict[str, dict[str, Json]] = field(default_factory=dict)
    external_id: str = ""
    updated_at: float = 0.0

    @property
    def blocks(self) -> list[Json]:
        blocks: list[Json] = self.content.get("blocks", [])
        return blocks


@dataclass(slots=True)
class Trigger:
    """The right to open one view, once, within three seconds."""

    id: str
    user: str
    team: str
    made_at: float
    used: bool = False
    opened: str | None = None
    """The view that it opened."""


@dataclass(slots=True)
class ResponseUrl:
    """The right to answer an interaction without a token: five posts in thirty minutes."""

    id: str
    team: str
    channel: str
    user: str
    made_at: float
    posts: int = 0
    message_ts: str | None = None
    ephemeral: bool = False
    thread_ts: str | None = None


@dataclass(slots=True)
class Session:
    """An agent's session in one thread (docs/platform/slack.md#status-and-sessions)."""

    channel: str
    thread_ts: str
    status: str
    title: str = ""
    changed_at: float = 0.0
    initiator: str | None = None


@dataclass(slots=True)
class Status:
    """The line "… is thinking" under a thread."""

    text: str
    loading: tuple[str, ...]
    set_at: float


@dataclass(slots=True)
class Notice:
    """A notice of Slack itself to a person, such as that a command failed."""

    user: str
    text: str
    at: float
    channel: str = ""


@dataclass(slots=True)
class File:
    """A file or snippet."""

    id: str
    team: str
    user: str
    name: str
    title: str
    content: bytes
    created: int
    mode: Literal["snippet", "hosted"] = "snippet"
    filetype: str = "text"
    mimetype: str = "text/plain"
    channels: list[str] = field(default_factory=list)
