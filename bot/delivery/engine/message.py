"""One Slack message of an answer: what it holds, and what has to be done about it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from bot.delivery.engine.commands import Call
from bot.delivery.markdown.escape import escape, escaped_size
from bot.delivery.markdown.outline import Outline
from bot.delivery.slack_api import JsonObject

State = Literal[
    "opening",  # does not exist yet
    "lost",  # its creation has an unknown outcome: the thread must be read
    "open",  # takes text
    "unsure",  # an append or a stop has an unknown outcome: the thread must be read
    "conflict",  # a stream that must be stopped before it can be replaced
    "repair",  # must be replaced as a whole
    "halted",  # the user stopped it: waits for the answer's end
    "closed",
]
Way = Literal["stream", "edit"]


CONTINUED: tuple[JsonObject, ...] = (
    {"type": "context", "elements": [{"type": "mrkdwn", "text": "continued below"}]},
)


@dataclass(frozen=True, slots=True)
class PlannedCall:
    """A call that may be made now, and what it means.

    `take` characters of the waiting text go with it and `suffix` are the marks after them. It
    `closes` the message, and is `final` if nothing is left of the answer; `seals`: the message is
    to be closed next. `tasks` are the updates it carries.
    """

    call: Call
    message: Message | None = None
    take: int = 0
    suffix: str = ""
    closes: bool = False
    final: bool = False
    seals: bool = False
    tasks: tuple[JsonObject, ...] = ()


@dataclass(slots=True, eq=False)
class Message:
    """`body` is the part of the answer that stands here; marks are no part of it.

    `size` counts escaped bytes. `taken_back` is text that Slack still shows here although it
    belongs to the next message, until the repair is done. `running` are tasks shown as unfinished.
    `marked`: other blocks may stand here than should, by a call whose outcome is unknown.
    """

    prefix: str
    way: Way
    start: Outline
    state: State = "opening"
    ts: str | None = None
    body: str = ""
    suffix: str = ""
    opened_at: float = 0.0
    size: int = 0
    full: int | None = None
    sealed: bool = False
    ended: bool = False
    marked: bool = False
    frozen: bool = False
    taken_back: str = ""
    maybe: PlannedCall | None = None
    running: dict[str, JsonObject] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.size = escaped_size(self.prefix) + escaped_size(self.body)

    def __repr__(self) -> str:
        return f"<Message {self.ts or 'unsent'} {self.way} {self.state}: {self.size} bytes>"

    def take(self, text: str) -> None:
        self.body += text
        self.size += escaped_size(text)

    def give_back(self, length: int) -> str:
        """Keep `length` characters of the body; return the rest."""
        rest = self.body[length:]
        self.body = self.body[:length]
        self.size -= escaped_size(rest)
        return rest

    def content(self, more: str = "", suffix: str = "") -> str:
        """Return the whole message as Slack is to show it, escaped."""
        return escape(self.prefix + self.body + more + suffix)
