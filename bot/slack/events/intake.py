"""Record a question before its event is acknowledged.

Bolt acknowledges an event before its listener runs, so a question that only a listener sees can be
lost with the process. Global middleware runs before the acknowledgement. If it raises, the event
is not acknowledged and Slack delivers it again (docs/platform/slack.md).
"""

from __future__ import annotations

from dataclasses import dataclass

from bot.answer.question import Question, Surface
from bot.clock import Now
from bot.slack.events.addressing import Address, ThreadKnowledge, address
from bot.slack.events.parse import Body, Message, read_message
from bot.slack.interfaces import Contexts, Inbox

SURFACES: dict[Address, Surface] = {
    "mention": "mention",
    "thread": "thread",
    "dm": "dm",
    "channel": "channel",
}


@dataclass(frozen=True, slots=True)
class IncomingMessage:
    """A message and whom it is meant for. `question` is set if it was recorded as a new one."""

    message: Message
    address: Address
    question: Question | None
    duplicate: bool = False


class Intake:
    """Reads an event's message, decides whom it is meant for and records a question.

    It remembers nothing between events: another replica may have handled the one before.
    """

    def __init__(self, inbox: Inbox, contexts: Contexts, *, now: Now) -> None:
        self._inbox = inbox
        self._contexts = contexts
        self._now = now

    def __repr__(self) -> str:
        return "<Intake>"

    async def take(self, body: Body, me: str) -> IncomingMessage | None:
        """Return the event's message, or None if it carries none."""
        message = read_message(body, me)
        if message is None:
            return None
        context = self._contexts.for_channel(message.channel)
        meant = address(
            message,
            await self._thread(message, me),
            answers_unmentioned=context is not None and context.mode == "questions",
            listed_bots=frozenset(context.access.bots) if context else frozenset(),
        )
        surface = SURFACES.get(meant)
        if meant == "bare_mention":
            # Slack tells of a mention twice. The hint is given once.
            key = f"{message.workspace}-{message.channel}-{message.ts}"
            return IncomingMessage(message, meant, None, duplicate=not await self._inbox.first(key))
        if surface is None:
            return IncomingMessage(message, meant, None)
        question = question_of(message, surface, self._now())
        if not await self._inbox.record(question):
            return IncomingMessage(message, meant, None, duplicate=True)
        return IncomingMessage(message, meant, question)

    async def _thread(self, message: Message, me: str) -> ThreadKnowledge:
        """Look the thread up in the store: another replica may have taken its question."""
        if message.thread is None or message.channel_type == "im" or message.mentions_me:
            return ThreadKnowledge(False)
        askers = await self._inbox.askers(message.workspace, message.channel, message.thread)
        return ThreadKnowledge(bool(askers) or message.parent_user == me, askers)


def question_of(message: Message, surface: Surface, received_at: float) -> Question:
    """Return the question that a message asks; its id is the same for every delivery of it."""
    return Question(
        id=f"{message.workspace}-{message.channel}-{message.ts}",
        workspace=message.workspace,
        channel=message.channel,
        ts=message.ts,
        thread=message.root,
        user=message.user,
        text=message.text,
        surface=surface,
        received_at=received_at,
        asked_at=message.at,
        in_thread=message.thread is not None,
        enterprise=message.enterprise,
        user_team=message.user_team,
        files=message.files,
        quoted=message.quoted,
        unread=message.unread,
    )
