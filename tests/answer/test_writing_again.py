"""The asker writes again: both messages are one question, or the later one gets a button."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from bot.answer.events import QuestionReceived
from bot.answer.receipt import AGAIN_ACTION

if TYPE_CHECKING:
    from tests.answer.conftest import Room


def asked(request: Any) -> str:
    """Return the text of a request's last user message."""
    return "".join(block.get("text", "") for block in request.messages[-1]["content"])


def button(blocks: Any) -> str | None:
    """Return the value of the button for a later message."""
    for block in blocks:
        if block.get("accessory", {}).get("action_id") == AGAIN_ACTION:
            assert "wrote again" in block["text"]["text"]
            return str(block["accessory"]["value"])
    return None


async def test_a_message_before_any_word_joins_the_question(room: Room) -> None:
    """The first request is left; one answer is given to both messages."""
    silent = asyncio.Event()
    room.model.says(silent, "never")
    room.model.says("Both.")
    answerer = room.answerer()
    first = room.question("How are refunds retried?")
    second = room.question("And payouts?", thread=first.ts, in_thread=True, surface="thread")
    one = asyncio.create_task(answerer.answer(first, room.context))
    await room.until(lambda: len(room.model.requests) == 1)
    await answerer.answer(second, room.context)
    await one
    assert room.model.cancelled == 1
    text = asked(room.model.requests[-1])
    assert "How are refunds retried?" in text
    assert "And payouts?" in text
    assert [shown.text for shown in room.shown if shown.text] == ["Both."]
    assert room.store.finished == {first.id: "stopped", second.id: "answered"}
    assert len([r for r in room.records if isinstance(r, QuestionReceived)]) == 2


async def test_three_messages_before_any_word_are_one_question(room: Room) -> None:
    """People type as they think."""
    for _ in range(2):
        room.model.says(asyncio.Event(), "never")
    room.model.says("All.")
    answerer, tasks = room.answerer(), []
    first = room.question("One?")
    for number, text in enumerate(["One?", "Two?", "Three?"]):
        question = first if not number else room.question(text, thread=first.ts, in_thread=True)
        tasks.append(asyncio.create_task(answerer.answer(question, room.context)))
        while len(room.model.requests) <= number:
            await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    text = asked(room.model.requests[-1])
    assert text.index("One?") < text.index("Two?") < text.index("Three?")


async def test_a_message_while_words_come_gets_a_button(room: Room) -> None:
    """Two answers that grow side by side in one thread cannot be read."""
    more = asyncio.Event()
    room.model.says("It retries ", more, "twice.")
    room.model.says("Payouts too.")
    answerer = room.answerer()
    first = room.question("How are refunds retried?")
    second = room.question("And payouts?", thread=first.ts, in_thread=True, surface="thread")
    third = room.question("In the sandbox?", thread=first.ts, in_thread=True, surface="thread")
    one = asyncio.create_task(answerer.answer(first, room.context))
    await room.until(lambda: bool(room.shown and room.shown[0].text))
    held = [asyncio.create_task(answerer.answer(q, room.context)) for q in (second, third)]
    await asyncio.sleep(0.01)
    assert len(room.model.requests) == 1
    more.set()
    await asyncio.gather(one, *held)
    assert room.shown[0].text == "It retries twice."
    assert button(room.shown[0].blocks) == third.id
    assert room.store.finished[second.id] == room.store.finished[third.id] == "stopped"
    await answerer.answer_again(third.id, third.user)
    assert room.shown[-1].text == "Payouts too."
    text = asked(room.model.requests[-1])
    assert text.index("And payouts?") < text.index("In the sandbox?")


async def test_others_and_other_threads_are_answered_side_by_side(room: Room) -> None:
    """Only the asker's own message belongs to the question."""
    more = asyncio.Event()
    room.model.says("Words ", more, "end.")
    room.model.says("For another person.")
    room.model.says("In another thread.")
    answerer = room.answerer()
    first = room.question()
    other = room.question(thread=first.ts, in_thread=True, user="U2", surface="thread")
    elsewhere = room.question("Elsewhere?")
    one = asyncio.create_task(answerer.answer(first, room.context))
    await room.until(lambda: bool(room.shown and room.shown[0].text))
    await answerer.answer(other, room.context)
    await answerer.answer(elsewhere, room.context)
    more.set()
    await one
    assert button(room.shown[0].blocks) is None
    assert set(room.store.finished.values()) == {"answered"}


async def test_a_later_message_is_answered_if_there_is_no_button_for_it(room: Room) -> None:
    """The first question was edited or stopped, so that its answer has no such end."""
    room.model.says("Half ", asyncio.Event(), "never")
    room.model.says("The later one.")
    answerer = room.answerer()
    first = room.question("How?")
    second = room.question("And?", thread=first.ts, in_thread=True, surface="thread")
    one = asyncio.create_task(answerer.answer(first, room.context))
    await room.until(lambda: bool(room.shown and room.shown[0].text))
    two = asyncio.create_task(answerer.answer(second, room.context))
    await asyncio.sleep(0.01)
    answerer.lost(first.id)
    await asyncio.gather(one, two)
    assert room.shown[-1].text == "The later one."
    assert room.store.finished[second.id] == "answered"


async def test_a_later_message_that_is_deleted_gets_no_button(room: Room) -> None:
    """Its author does not want it answered."""
    more = asyncio.Event()
    room.model.says("Words ", more, "end.")
    room.model.says("never")
    answerer = room.answerer()
    first = room.question()
    second = room.question("And?", thread=first.ts, in_thread=True, surface="thread")
    one = asyncio.create_task(answerer.answer(first, room.context))
    await room.until(lambda: bool(room.shown and room.shown[0].text))
    two = asyncio.create_task(answerer.answer(second, room.context))
    await asyncio.sleep(0.01)
    await answerer.deleted("T1", "C1", second.ts, first.ts)
    more.set()
    await asyncio.gather(one, two)
    assert button(room.shown[0].blocks) is None
    assert len(room.model.requests) == 1
    assert room.store.finished[second.id] == "stopped"
