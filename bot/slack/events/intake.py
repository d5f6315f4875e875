"""Before the acknowledgement: what was said is read, and a question is recorded.

Bolt acknowledges an event before its listener runs, so a question that is only seen there can be
lost with the process. Global middleware runs before the ack; what raises here is not
acknowledged, and Slack delivers it again (facts/slack.md §0.6).
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from bot.answer.question import Question, Surface
from bot.clock import Now
from bot.slack.events.addressing import Address, ThreadKnowledge, address
from bot.slack.events.parse import Body, Message, read_message
from bot.slack.interfaces import Contexts, Inbox

THREADS_REMEMBERED = 10_000
SURFACES: dict[Address, Surface] = {
    "mention": "mention",
    "thread": "thread",
    "dm": "dm",
    "channel": "channel",
}


@dataclass(frozen=True, slots=True)
class IncomingMessage:
    """What an event turned out to be. `question` is set where it is a newly recorded one."""

    message: Message
    address: Address
    question: Question | None
    duplicate: bool = False


class Intake:
    """Reads, decides whom it is for, records. Everything after that may be lost and found."""

    def __init__(self, inbox: Inbox, contexts: Contexts, *, now: Now) -> None:
        self._inbox = inbox
        self._contexts = contexts
        self._now = now
        self._threads: OrderedDict[tuple[str, str, str], frozenset[str]] = OrderedDict()

    def __repr__(self) -> str:
        return f"<Intake: {len(self._threads)} threads known>"

    async def take(self, body: Body, me: str) -> IncomingMessage | None:
        """Return what an event's message is to us; None where it carries no message."""
        message = read_message(body, me)
        if message is None:
            return None
        meant = address(
            message,
            await self._thread(message, me),
            answers_unmentioned=self._answers_unmentioned(message.channel),
        )
        surface = SURFACES.get(meant)
        if meant == "bare_mention":
            # Slack tells of a mention twice; a hint is said once.
            key = f"{message.workspace}-{message.channel}-{message.ts}"
            return IncomingMessage(message, meant, None, duplicate=not await self._inbox.first(key))
        if surface is None:
            return IncomingMessage(message, meant, None)
        question = question_of(message, surface, self._now())
        if not await self._inbox.record(question):
            return IncomingMessage(message, meant, None, duplicate=True)
        self._asked(message)
        return IncomingMessage(message, meant, question)

    def _answers_unmentioned(self, channel: str) -> bool:
        context = self._contexts.for_channel(channel)
        return context is not None and context.mode == "questions"

    async def _thread(self, message: Message, me: str) -> ThreadKnowledge:
        if message.thread is None or message.channel_type == "im":
            return ThreadKnowledge(False)
        key = (message.workspace, message.channel, message.thread)
        if key not in self._threads:
            self._remember(key, await self._inbox.askers(*key))
        askers = self._threads[key]
        return ThreadKnowledge(bool(askers) or message.parent_user == me, askers)

    def _asked(self, message: Message) -> None:
        key = (message.workspace, message.channel, message.root)
        self._remember(key, self._threads.get(key, frozenset()) | {message.user})

    def _remember(self, key: tuple[str, str, str], askers: frozenset[str]) -> None:
        self._threads[key] = askers
        self._threads.move_to_end(key)
        if len(self._threads) > THREADS_REMEMBERED:
            self._threads.popitem(last=False)


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
    )
