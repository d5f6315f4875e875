"""Whole answers over real sockets: the answer room between a local Slack and a local Claude.

Time leaps, so a slow model costs nothing here; what is shown and what is paid for is real.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from forewarm_playground import virtual_time
from forewarm_playground.claude import Answer, Config, Latency, LocalClaude, Text, ToolUse
from forewarm_playground.slack.local import LocalSlack

from bot.answer.dependencies import Dependencies
from bot.answer.events import FirstWords, QuestionEnded
from bot.answer.interfaces import Takeover
from bot.answer.question import Question
from bot.answer.receipt import AGAIN_ACTION, STOP_ACTION
from bot.answer.service import Answerer
from bot.answer.thread.cache import Threads
from bot.answer.thread.message import BotIdentity
from bot.claude.client import ClaudeClient
from bot.claude.events import RequestEnded
from bot.delivery.delivery import Deliveries
from bot.delivery.rate_limit.limiter import RateLimiter
from bot.slack.client import connect
from bot.slack.web_api import WebCalls

if TYPE_CHECKING:
    from forewarm_playground.slack.models import Message

    from tests.answer.conftest import Room

CHANNEL = "C0GENERAL"
SLOW = Latency(base=0.3, decode=20.0, chunk=2)


@dataclass
class Live:
    """The two emulators, and an answerer between them."""

    room: Room
    slack: LocalSlack
    claude: LocalClaude
    parts: Dependencies
    answerer: Answerer

    def ask(self, text: str = "How does it work?", thread: str | None = None) -> Question:
        """Let a user mention the bot; return the question as the Slack edge hands it over."""
        ts = self.slack.user("U0ASKER").mention(CHANNEL, text, thread)
        return Question(
            id=f"T0LOCAL-{ts}",
            workspace="T0LOCAL",
            channel=CHANNEL,
            ts=ts,
            thread=thread,
            user="U0ASKER",
            text=text,
            surface="thread" if thread else "mention",
            received_at=virtual_time.now(),
            asked_at=float(ts),
            in_thread=thread is not None,
            user_team="T0LOCAL",
        )

    async def hear(self, user: str, text: str, thread: str) -> None:
        """Let a user write in a thread, and the bot hear of it."""
        ts = self.slack.user(user).post(CHANNEL, text, thread)
        event = {"channel": CHANNEL, "ts": ts, "thread_ts": thread, "user": user, "text": text}
        await self.parts.threads.take_event("T0LOCAL", event)

    async def answer(self, question: Question, takeover: Takeover | None = None) -> None:
        await self.answerer.answer(question, self.room.context, takeover)

    def said(self, question: Question) -> list[Message]:
        return self.slack.bot_messages(CHANNEL, question.root)

    async def until_said(self, question: Question, words: str) -> None:
        await self.slack.until(lambda: any(words in m.text for m in self.said(question)), words)

    def asked_of_claude(self) -> list[RequestEnded]:
        return [record for record in self.room.records if isinstance(record, RequestEnded)]

    def another(self) -> Answerer:
        """Return what another process would answer with: nothing in common but the store."""
        calls = self.parts.calls
        threads = Threads(calls, BotIdentity("U0BOT", "B0BOT", "T0LOCAL"))
        deliver = Deliveries(calls, RateLimiter(), virtual_time.now)
        return Answerer(replace(self.parts, threads=threads, deliver=deliver))


@asynccontextmanager
async def live(room: Room, latency: Latency) -> AsyncIterator[Live]:
    slack = LocalSlack(now=virtual_time.now)
    claude = LocalClaude(Config(latency=latency), now=virtual_time.now)
    async with slack.serve(), claude.serve() as url:
        clients = connect(slack.token, slack.api_url)
        model = ClaudeClient.connect(
            api_key="any", base_url=url, journal=room, now=virtual_time.now
        )
        calls = WebCalls(clients)
        parts = replace(
            room.parts(),
            calls=calls,
            model=model,
            threads=Threads(calls, BotIdentity("U0BOT", "B0BOT", "T0LOCAL")),
            deliver=Deliveries(calls, RateLimiter(), virtual_time.now),
            now=virtual_time.now,
        )
        try:
            yield Live(room, slack, claude, parts, Answerer(parts))
            slack.assert_quiet()
        finally:
            await model.close()
            await clients.close()


def play(
    room: Room, scene: Callable[[Live], Awaitable[None]], latency: Latency | None = None
) -> None:
    """Run a scene in a loop whose time leaps."""

    async def main() -> None:
        async with live(room, latency or SLOW) as stage:
            await scene(stage)

    virtual_time.run(main())


def test_words_stand_in_slack_while_the_model_still_speaks(room: Room) -> None:
    """That is what streaming is for; the first words must not wait for more of them."""
    answer = "The first words. " + "More of them follow, one after the other. " * 20

    async def scene(live: Live) -> None:
        live.claude.script(answer)
        question = live.ask()
        running = asyncio.create_task(live.answer(question))
        await live.until_said(question, "The first")
        assert not running.done()
        [message] = live.said(question)
        assert len(message.text) < len(answer) / 2
        await running
        [message] = live.said(question)
        assert message.text.rstrip() == answer.rstrip()
        first = room.record(FirstWords)
        assert first.slack_wait is not None
        assert first.slack_wait >= 0.3

    play(room, scene)


def test_a_long_answer_is_whole_and_its_receipt_stands_once_at_the_end(room: Room) -> None:
    """Streams die at about 12,000 characters; the answer must not."""
    answer = "\n\n".join(f"Paragraph {n}: " + "words and more words. " * 30 for n in range(40))

    async def scene(live: Live) -> None:
        live.claude.script(answer)
        question = live.ask()
        await live.answer(question)
        messages = live.said(question)
        assert len(messages) > 1
        joined = "".join("".join(message.text.split()) for message in messages)
        assert joined == "".join(answer.split())
        receipts = ["payments@aaaaaaa" in str(message.blocks) for message in messages]
        assert receipts == [False] * (len(messages) - 1) + [True]

    play(room, scene, Latency(base=0.1, decode=400.0))


def test_a_look_up_is_shown_as_a_task_and_the_next_round_reads_the_last_one_s_cache(
    room: Room,
) -> None:
    """People see what the bot does, and the same tokens are not paid for twice."""

    async def scene(live: Live) -> None:
        live.claude.script(
            Answer((Text("Let me look."), ToolUse("read", {"path": "a.py"}))),
            "It reverses the question.",
        )
        question = live.ask()
        await live.answer(question)
        [message] = live.said(question)
        assert "Let me look.\n\nIt reverses the question." in message.text
        assert "Reading a.py" in str(message.chunks if hasattr(message, "chunks") else message)
        first, second = live.asked_of_claude()
        assert (first.purpose, second.purpose) == ("question", "round")
        assert second.usage.cache_read == first.usage.total_input - first.usage.input

    play(room, scene)


def test_a_follow_up_reads_the_cache_up_to_the_end_of_the_last_request(room: Room) -> None:
    """The turns are replayed to the byte: one changed character would be a miss from there."""

    async def scene(live: Live) -> None:
        live.claude.script(
            Answer((Text("Let me look."), ToolUse("search", {"pattern": "def"}))), "One.", "Two."
        )
        root = live.ask()
        await live.answer(root)
        await live.hear("U0PEER", "I think it sorts.", root.ts)
        await live.answer(live.ask("Does it sort?", root.ts))
        _, second, third = live.asked_of_claude()
        assert third.usage.cache_read == second.usage.cache_read + second.usage.written
        assert "I think it sorts." in str(live.claude.requests[-1].body)

    play(room, scene)


def test_a_stream_that_breaks_midway_leaves_one_whole_answer(room: Room) -> None:
    """A stream without its end is no answer; two halves are none either."""

    async def scene(live: Live) -> None:
        live.claude.fault("cut", after=12)
        live.claude.script("A first attempt that is lost on the way, in its middle.", "The answer.")
        question = live.ask()
        await live.answer(question)
        assert [message.text.strip() for message in live.said(question)] == ["The answer."]
        assert room.record(QuestionEnded).outcome == "answered"

    play(room, scene)


def test_overload_passes_unseen(room: Room) -> None:
    """Two refusals within seconds are retried behind the status line."""

    async def scene(live: Live) -> None:
        live.claude.fault("overloaded", times=2)
        live.claude.script("Here.")
        question = live.ask()
        await live.answer(question)
        assert [message.text.strip() for message in live.said(question)] == ["Here."]

    play(room, scene)


def test_stop_ends_the_model_s_work_and_keeps_what_was_said(room: Room) -> None:
    """Pressing Stop must save the money too: the request's connection is closed."""

    async def scene(live: Live) -> None:
        live.claude.script("One word after the other. " * 60)
        question = live.ask()
        running = asyncio.create_task(live.answer(question))
        await live.until_said(question, "One word")
        pressed = virtual_time.now()
        live.slack.user("U0ASKER").stop(CHANNEL, question.ts)
        await live.answerer.stop("T0LOCAL", CHANNEL, question.ts, "U0ASKER")
        await running
        assert virtual_time.now() - pressed < 3
        [message] = live.said(question)
        assert message.text.startswith("One word")
        assert "Stopped" in message.text
        [ended] = live.asked_of_claude()
        assert (ended.complete, ended.error) == (False, "cancelled")
        assert ended.at - pressed < 0.5

    play(room, scene)


def refuse_streams(live: Live) -> None:
    """Slack streams nothing here: answers grow by edits."""
    live.slack.fail_call("chat.startStream", "error", code="channel_type_not_supported", times=None)


def test_where_slack_streams_nothing_a_growing_answer_has_a_button_that_stops_it(
    room: Room,
) -> None:
    """Slack's own Stop belongs to streams; without one there must be ours."""

    async def scene(live: Live) -> None:
        refuse_streams(live)
        live.claude.script("One word after the other. " * 60)
        question = live.ask()
        running = asyncio.create_task(live.answer(question))
        await live.until_said(question, "One word")
        [message] = live.said(question)
        assert STOP_ACTION in str(message.blocks)
        await live.answerer.stop_question(question.id, "U0ASKER")
        await running
        [message] = live.said(question)
        assert STOP_ACTION not in str(message.blocks)
        assert AGAIN_ACTION in str(message.blocks)
        assert "Stopped" in str(message.blocks) + message.text
        [ended] = live.asked_of_claude()
        assert ended.error == "cancelled"

    play(room, scene)


def test_an_answer_that_grows_by_edits_over_several_messages_has_one_end(room: Room) -> None:
    """Only the last message has the receipt, and none keeps a button that does nothing."""
    answer = "\n\n".join(f"Paragraph {n}: " + "words and more words. " * 30 for n in range(40))

    async def scene(live: Live) -> None:
        refuse_streams(live)
        live.claude.script(answer)
        question = live.ask()
        await live.answer(question)
        messages = live.said(question)
        assert len(messages) > 1
        assert not any(STOP_ACTION in str(message.blocks) for message in messages)
        receipts = ["payments@aaaaaaa" in str(message.blocks) for message in messages]
        assert receipts == [False] * (len(messages) - 1) + [True]

    play(room, scene, Latency(base=0.1, decode=200.0))


def test_an_edited_question_is_answered_in_the_same_message(room: Room) -> None:
    """A user who corrects a typo gets one answer, to the text as it is now."""

    async def scene(live: Live) -> None:
        live.claude.script("To the old question.", "To the new one.")
        question = live.ask("What is fo?")
        await live.answer(question)
        [before] = live.said(question)
        assert await live.answerer.edited("T0LOCAL", CHANNEL, question.ts, "What is foo?")
        [after] = live.said(question)
        assert after.ts == before.ts
        assert after.text.strip() == "To the new one."

    play(room, scene)


def test_a_dead_process_s_half_answer_is_replaced_by_a_whole_one(room: Room) -> None:
    """The next replica finds the text that stands in Slack, noted or not."""

    async def scene(live: Live) -> None:
        live.claude.script("Half of an answer " * 30, "The whole answer.")
        question = live.ask()
        dying = asyncio.create_task(live.answer(question))
        await live.until_said(question, "Half of")
        dying.cancel()
        await asyncio.gather(dying, return_exceptions=True)
        found = await live.parts.threads.own_since(CHANNEL, question.root, question.ts, frozenset())
        await live.another().answer(question, room.context, Takeover(found))
        assert [message.text.strip() for message in live.said(question)] == ["The whole answer."]

    play(room, scene)


def test_model_text_cannot_ping(room: Room) -> None:
    """A file may hold `<!channel>`; `assert_quiet` looks after every scene."""

    async def scene(live: Live) -> None:
        live.claude.script("Hello <!channel> and <@U0PEER>, see <https://evil.example|this>.")
        question = live.ask()
        await live.answer(question)
        assert live.slack.pings == []
        assert "<!channel>" not in live.said(question)[0].text

    play(room, scene)


def test_a_first_question_is_cold_and_the_second_warm(room: Room) -> None:
    """The record of the first words says which it was, by what was read."""

    async def scene(live: Live) -> None:
        live.claude.script("One.", "Two.")
        await live.answer(live.ask())
        await live.answer(live.ask())
        first, second = (r for r in room.records if isinstance(r, FirstWords))
        assert (first.warm, second.warm) == (False, True)

    play(room, scene)
