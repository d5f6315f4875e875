"""Finds what a bot's text must never do: ping a crowd, or make Slack fetch a link.

Slack parses `<!channel>` wherever an app's text may hold it: mrkdwn, the markdown block, markdown
text and streams, code fences included (docs/platform/slack.md#escaping). If Slack's behaviour
is not documented, the detector is strict: it counts what could ping.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from forewarm_playground.slack.ids import Json

PingKind = Literal["channel", "here", "everyone", "subteam", "user"]

_TOKEN = re.compile(
    r"<(?:!(channel|here|everyone|group)|!(subteam)\^[^>|]*|(@)[UW][^>|]*)(?:\|[^>]*)?>"
)
_NAME = re.compile(r"(?<![\w@<!])@(channel|here|everyone)\b")
_URL = re.compile(r"https?://[^\s<>|]+")
_BROADCAST: dict[str, PingKind] = {
    "channel": "channel",
    "here": "here",
    "everyone": "everyone",
    "group": "channel",
}


@dataclass(slots=True, frozen=True)
class Ping:
    """A token in the bot's text that notifies people; `broadcast` if not just one person."""

    kind: PingKind
    token: str
    channel: str
    ts: str

    @property
    def broadcast(self) -> bool:
        return self.kind != "user"


@dataclass(slots=True, frozen=True)
class Unfurl:
    """A link that Slack's servers would have fetched without a click."""

    url: str
    channel: str
    ts: str


@dataclass(slots=True)
class Detector:
    """Pings and unfurls that the bot's texts would have caused so far."""

    pings: list[Ping] = field(default_factory=list)
    unfurls: list[Unfurl] = field(default_factory=list)
    _seen: set[tuple[str, str, str, str]] = field(default_factory=set)

    def __repr__(self) -> str:
        return f"<Detector [{len(self.pings)} pings | {len(self.unfurls)} unfurls]>"

    @property
    def broadcasts(self) -> list[Ping]:
        """The pings that reach more than one named person."""
        return [ping for ping in self.pings if ping.broadcast]

    def read(
        self,
        channel: str,
        ts: str,
        text: str,
        blocks: list[Json],
        *,
        unfurls: bool,
        link_names: bool = False,
    ) -> None:
        """Look at a whole text and its blocks; call it again as a stream grows."""
        for piece in (text, *live_texts(blocks)):
            if "<" in piece or link_names:
                self._pings(channel, ts, piece, link_names=link_names)
            if unfurls:
                for url in _URL.findall(piece):
                    self._unfurl(channel, ts, url)
        for kind, token in rich_pings(blocks):
            self._ping(channel, ts, kind, token)

    def _pings(self, channel: str, ts: str, text: str, *, link_names: bool) -> None:
        for match in _TOKEN.finditer(text):
            kind: PingKind = "user"
            if match[1]:
                kind = _BROADCAST[match[1]]
            elif match[2]:
                kind = "subteam"
            self._ping(channel, ts, kind, match[0])
        if link_names:
            for match in _NAME.finditer(text):
                self._ping(channel, ts, _BROADCAST[match[1]], match[0])

    def _ping(self, channel: str, ts: str, kind: PingKind, token: str) -> None:
        if (mark := (channel, ts, "ping", token)) not in self._seen:
            self._seen.add(mark)
            self.pings.append(Ping(kind, token, channel, ts))

    def _unfurl(self, channel: str, ts: str, url: str) -> None:
        if (mark := (channel, ts, "unfurl", url)) not in self._seen:
            self._seen.add(mark)
            self.unfurls.append(Unfurl(url, channel, ts))


def live_texts(node: object) -> Iterator[str]:
    """Yield every text in blocks that Slack parses for tokens: mrkdwn objects, markdown, titles."""
    if isinstance(node, list):
        for item in node:
            yield from live_texts(item)
    elif isinstance(node, dict):
        if node.get("type") in ("mrkdwn", "markdown", "markdown_text"):
            yield str(node.get("text", ""))
        elif node.get("type") in ("task_card", "task_update", "plan", "plan_update"):
            yield from (str(node[key]) for key in ("title", "details", "output") if node.get(key))
        for value in node.values():
            if isinstance(value, dict | list):
                yield from live_texts(value)


def rich_pings(node: object) -> Iterator[tuple[PingKind, str]]:
    """Yield the elements of rich text that ping; its text elements never do."""
    if isinstance(node, list):
        for item in node:
            yield from rich_pings(item)
    elif isinstance(node, dict):
        kind = node.get("type")
        if kind == "broadcast":
            yield _BROADCAST.get(str(node.get("range")), "channel"), f"<!{node.get('range')}>"
        elif kind == "usergroup":
            yield "subteam", f"<!subteam^{node.get('usergroup_id')}>"
        elif kind == "user" and "user_id" in node:
            yield "user", f"<@{node['user_id']}>"
        for value in node.values():
            if isinstance(value, dict | list):
                yield from rich_pings(value)
