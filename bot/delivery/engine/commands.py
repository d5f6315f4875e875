"""The calls that the stream engine asks for, as values.

Text in a call is escaped already; `kind` names the budget that a call draws on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from bot.delivery.slack_api import JsonObject

Mode = Literal["stream", "edit", "once"]
"""How an answer is shown: while it is written, by edits, or posted when it is complete."""
Kind = Literal["start", "append", "stop", "post", "update", "delete", "read"]
"""The method of a call, as far as rate limits tell methods apart."""


@dataclass(frozen=True, slots=True)
class Start:
    """Open a stream that shows `text`, then the tasks in `chunks`."""

    text: str
    chunks: tuple[JsonObject, ...] = ()
    kind: Literal["start"] = "start"


@dataclass(frozen=True, slots=True)
class Append:
    ts: str
    text: str
    chunks: tuple[JsonObject, ...] = ()
    kind: Literal["append"] = "append"


@dataclass(frozen=True, slots=True)
class Stop:
    """Close a stream with a last text; `final` unless the answer goes on in another message."""

    ts: str
    text: str
    blocks: tuple[JsonObject, ...] = ()
    final: bool = True
    kind: Literal["stop"] = "stop"


@dataclass(frozen=True, slots=True)
class Post:
    text: str
    blocks: tuple[JsonObject, ...] = ()
    kind: Literal["post"] = "post"


@dataclass(frozen=True, slots=True)
class Update:
    """Replace a message as a whole; harmless to repeat."""

    ts: str
    text: str
    blocks: tuple[JsonObject, ...] = ()
    kind: Literal["update"] = "update"


@dataclass(frozen=True, slots=True)
class Delete:
    ts: str
    kind: Literal["delete"] = "delete"


@dataclass(frozen=True, slots=True)
class Read:
    """Read the thread from `oldest` on, to learn what a call with unknown outcome has done."""

    oldest: str | None
    kind: Literal["read"] = "read"


Call: TypeAlias = Start | Append | Stop | Post | Update | Delete | Read
