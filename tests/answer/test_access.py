"""Access is checked where code is used, for the question's own context."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from bot.answer.interfaces import Past
from bot.answer.prepare import OTHER_CODEBASE
from bot.claude.errors import ClaudeError
from tests.answer.conftest import Hold

if TYPE_CHECKING:
    from tests.answer.conftest import Room


async def test_an_edit_by_a_former_member_is_not_answered(room: Room) -> None:
    """The old direct message could be edited within a minute, and was answered from the code."""
    room.model.says("Words")
    answerer, question = room.answerer(), room.question("What is it?")
    await answerer.answer(question, room.context)
    sent = len(room.model.requests)
    room.barred.add(question.user)
    assert not await answerer.edited("T1", question.channel, question.ts, "And the keys?")
    assert len(room.model.requests) == sent


async def test_an_edit_by_a_former_member_does_not_stop_a_running_answer(room: Room) -> None:
    held = asyncio.Event()
    room.model.says("Words", held)
    answerer, question = room.answerer(), room.question("What is it?")
    task = asyncio.create_task(answerer.answer(question, room.context))
    await room.until(lambda: bool(room.shown))
    room.barred.add(question.user)
    assert not await answerer.edited("T1", question.channel, question.ts, "And the keys?")
    held.set()
    await task
    assert room.store.finished == {question.id: "answered"}


async def test_a_new_answer_is_for_people_who_may_see_the_questions_context(room: Room) -> None:
    """Also after a restart, and wherever the button was pressed."""
    room.model.says("Words")
    room.model.says("New words")
    question = replace(room.question("What is it?"), context="payments")
    answered = room.answerer()
    await answered.answer(question, room.context)
    room.store.pasts[question.id] = Past(question, ())
    room.barred.add("UFORMER")
    restarted, sent = room.answerer(), len(room.model.requests)
    for answerer in (answered, restarted):
        await answerer.answer_again(question.id, "UFORMER")
    assert len(room.model.requests) == sent
    told = "I answer about this code only for members of its channels."
    assert room.slack.whispers == [("UFORMER", told)] * 2
    await restarted.answer_again(question.id, "UPEER")
    assert len(room.model.requests) == sent + 1


async def test_an_answer_is_stopped_by_its_asker_or_by_people_who_may_ask(room: Room) -> None:
    """A guest in the channel could stop anybody's answer."""
    room.model.says("Words", asyncio.Event())
    answerer, question = room.answerer(), room.question("What is it?")
    task = asyncio.create_task(answerer.answer(question, room.context))
    await room.until(lambda: bool(room.shown))
    room.barred |= {"UGUEST", question.user}
    await answerer.stop_question(question.id, "UGUEST")
    await answerer.stop("T1", question.channel, question.root, "UGUEST")
    assert answerer.running == 1
    await answerer.stop_question(question.id, question.user)
    await task
    assert room.store.finished == {question.id: "stopped"}


async def test_a_thread_is_replayed_only_to_questions_on_the_same_context(room: Room) -> None:
    """A turn holds files of its context word for word, as tool results."""
    room.model.says("The vault's key file says 4711.")
    room.model.says("I do not know.")
    room.model.says("4711.")
    first = room.question("Explain this.")
    vault = room.context.model_copy(update={"name": "vault", "channels": ("C9",)})
    await room.answerer().answer(first, vault)
    follow_up = replace(room.question("Repeat it."), thread=first.ts, in_thread=True)
    await room.answerer().answer(follow_up, room.context)
    assert "4711" not in str(room.model.requests[-1].messages)
    assert OTHER_CODEBASE in str(room.shown[-1].last_line) + str(room.shown[-1].blocks)
    again = replace(room.question("Repeat it."), thread=first.ts, in_thread=True)
    await room.answerer().answer(again, vault)
    assert "4711" in str(room.model.requests[-1].messages)


@pytest.mark.parametrize("waits_for", ["a place", "a warm-up"])
async def test_a_person_who_left_while_the_question_waited_gets_no_answer(
    room: Room, waits_for: str
) -> None:
    """Access was decided minutes ago; the request would leave now."""
    held, answerer = asyncio.Event(), room.answerer()
    room.model.says("Words", held)
    first = room.question("What is it?")
    running = []
    if waits_for == "a place":
        room.at_once = 1
        answerer = room.answerer()
        running.append(asyncio.create_task(answerer.answer(first, room.context)))
        await room.until(lambda: bool(room.shown))
    else:
        room.hold.close()
        held.set()
    asked = replace(room.question("And the keys?"), id="Q2", ts="2.2", user="ULEAVER", thread="2.2")
    running.append(asyncio.create_task(answerer.answer(asked, room.context)))
    await asyncio.sleep(0.05)
    sent = len(room.model.requests)
    room.barred.add("ULEAVER")
    room.clock.offset += 60.0
    held.set()
    room.hold.open()
    await asyncio.gather(*running)
    assert len(room.model.requests) == sent
    assert room.store.finished["Q2"] == "denied"


@pytest.mark.parametrize("leaves", ["while Claude speaks", "while code is looked up", "in a pause"])
async def test_a_person_who_leaves_between_two_requests_gets_no_second_one(
    room: Room, leaves: str
) -> None:
    """An answer went on for all its eight rounds, with new files, after its asker had left."""
    held, look_up = asyncio.Event(), ("read", {"path": "a.py"})
    if leaves == "in a pause":
        room.allowance = replace(room.allowance, pause=0.2)
        room.model.says(held, ClaudeError("overloaded"))
    else:
        room.model.says("I look.", held, look_up)
    room.model.says("The key is 4711.")
    answerer, question = room.answerer(), room.question("What is the key?")
    running = asyncio.create_task(answerer.answer(question, room.context))
    await room.until(lambda: bool(room.model.requests))
    if leaves != "while code is looked up":
        room.barred.add(question.user)
    else:
        room.permit = Hold()
        room.permit.close()
    held.set()
    if room.permit is not None:
        # The look-up was permitted; the person left while it ran.
        await room.permit.reached.wait()
        room.permit.open()
        await room.until(lambda: any(shown.tasks for shown in room.shown))
        room.barred.add(question.user)
    await running
    assert len(room.model.requests) == 1
    assert room.store.finished == {question.id: "denied"}
    assert "may still see this code" in str(room.shown[-1].last_line)
