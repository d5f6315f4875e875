"""One question, one answer: what is shown, stored and written down on every way to the end."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from bot.answer import service
from bot.answer.events import FirstWords, QuestionEnded, QuestionReceived
from bot.answer.interfaces import NotOurs, Past, SavedAnswer, Takeover
from bot.answer.prepare import UNREAD_THREAD
from bot.claude.errors import ClaudeError, CutStream
from bot.context.pack import Change
from bot.delivery.slack_api import SlackCallError
from bot.errors import ForewarmError

if TYPE_CHECKING:
    from tests.answer.conftest import Room


def texts(message: Any) -> list[str]:
    return [block["text"] for block in message["content"] if block["type"] == "text"]


async def test_a_question_becomes_a_streamed_answer_with_a_receipt(room: Room) -> None:
    """The main job: question in, words out as they come, receipt and buttons under them."""
    room.model.says("It reverses ", "the question.")
    question = room.question("What does answer do?")
    await room.answerer().answer(question, room.context)
    [shown] = room.shown
    assert shown.text == "It reverses the question."
    assert shown.last_line == ""
    line = shown.blocks[0]["elements"][0]["text"]
    assert "payments@aaaaaaa" in line
    assert "1,200 tokens from cache" in line
    assert "to the first words" in line
    assert room.store.finished == {question.id: "answered"}
    assert room.record(QuestionEnded).outcome == "answered"


async def test_the_status_is_asked_for_before_any_other_read_of_slack(room: Room) -> None:
    """It is the first thing people see; a thread that is slow to read must not hold it back."""
    room.model.says("Yes.")
    question = room.question(thread="1.000001", in_thread=True, surface="thread")
    await room.answerer().answer(question, room.context)
    assert [call[0] for call in room.slack.calls][:2] == ["status", "replies"]


async def test_the_wait_adds_up_to_what_the_asker_saw(room: Room) -> None:
    """Perceived wait is the one number that counts; its parts must not hide or double anything."""
    gate = asyncio.Event()
    room.join_seconds = 0.05
    room.model.says(gate, "Words.")
    question = room.question()
    running = asyncio.create_task(room.answerer().answer(question, room.context))
    await asyncio.sleep(0.1)
    gate.set()
    await running
    first = room.record(FirstWords)
    assert question.asked_at is not None
    assert first.wait.total == pytest.approx(first.at - question.asked_at)
    # Work before the join, which is slow on a busy machine, runs beside its 0.05 seconds.
    assert 0 < first.wait.join <= first.wait.total
    assert first.wait.thinking > 0
    assert first.slack_wait == pytest.approx(
        float(room.shown[0].ts or 0) - float(question.ts), abs=1e-5
    )


async def test_a_follow_up_replays_the_earlier_turn_byte_for_byte(room: Room) -> None:
    """Only then does the prefix of the follow-up match what Claude has cached."""
    room.model.says("Let me look.", ("read", {"path": "a.py"}))
    room.model.says("It reverses.")
    room.model.says("Yes.")
    answerer = room.answerer()
    root = room.question("What?")
    await answerer.answer(root, room.context)
    follow = room.question("Sure?", thread=root.ts, in_thread=True, surface="thread")
    await answerer.answer(follow, room.context)
    _, second, third = room.model.requests
    assert third.messages[: len(second.messages)] == second.messages
    assert third.messages[len(second.messages)] == {
        "role": "assistant",
        "content": [{"type": "text", "text": "It reverses."}],
    }
    assert "Sure?" in texts(third.messages[-1])[-1]
    assert ("replies", root.ts) not in room.slack.calls


async def test_what_does_not_stand_in_the_thread_any_more_is_not_replayed(room: Room) -> None:
    """Slack may have told another replica of the deletion, which is still taking it in."""
    for _ in range(3):
        room.model.says("It reverses.")
    root = room.question("What?")
    await room.answerer().answer(root, room.context)
    opening = {"ts": root.ts, "user": "U1", "text": "What?"}
    secret = {"ts": room.next_ts(), "user": "U2", "text": "the token is HUNTER2"}
    for standing, is_sent in (((opening, secret), True), ((opening,), False)):
        # Another replica has no thread in its memory.
        room.slack.thread = list(standing)
        follow = room.question("Sure?", thread=root.ts, in_thread=True, surface="thread")
        await room.answerer().answer(follow, room.context)
        assert ("HUNTER2" in str(room.model.requests[-1].messages)) == is_sent
    assert "(deleted)" in str(room.model.requests[-1].messages)


async def test_a_modal_s_follow_up_neither_reads_the_thread_nor_repeats_its_opening(
    room: Room,
) -> None:
    """The message that opens a modal's thread is our own quotation of the question."""
    room.model.says("One.")
    room.model.says("Two.")
    answerer = room.answerer()
    asked = room.question(surface="modal", ts="V1", thread="1790000000.000001", asked_at=None)
    await answerer.answer(asked, room.context)
    follow = room.question("More", thread="1790000000.000001", in_thread=True, surface="thread")
    await answerer.answer(follow, room.context)
    assert [c for c in room.slack.calls if c[0] == "replies"] == []
    assert room.records[1].wait.delivery is None
    assert room.records[1].slack_wait is None


async def test_a_thread_that_cannot_be_read_does_not_keep_the_answer_back(room: Room) -> None:
    """An answer from the question alone, which says so, is worth more than none."""
    room.slack.fails = SlackCallError("rate_limited", "ratelimited", 30)
    room.model.says("Yes.")
    question = room.question(thread="1.000001", in_thread=True, surface="thread")
    await room.answerer().answer(question, room.context)
    notes = [block["elements"][0]["text"] for block in room.shown[0].blocks[:2]]
    assert notes[1] == UNREAD_THREAD


async def test_without_code_to_answer_from_the_thread_says_why(room: Room) -> None:
    """A repository that cannot be reached is told in one sentence, and the question is closed."""
    room.ground_fails = ForewarmError("The repository cannot be reached; check its url.")
    question = room.question()
    await room.answerer().answer(question, room.context)
    assert room.shown[0].last_line == "The repository cannot be reached; check its url."
    assert room.store.finished == {question.id: "failed"}


async def test_a_bug_is_told_without_its_text(room: Room) -> None:
    """An exception's text is for the log; it may hold anything."""
    room.ground_fails = RuntimeError("secret path /etc")
    await room.answerer().answer(room.question(), room.context)
    assert "secret" not in room.shown[0].last_line
    assert room.shown[0].last_line


# --- ends ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stop", "outcome", "words"),
    [
        ("max_tokens", "answered", "length limit"),
        ("refusal", "refused", "declined"),
        ("model_context_window_exceeded", "answered", "context is full"),
    ],
)
async def test_every_stop_reason_has_its_own_honest_line(
    room: Room, stop: str, outcome: str, words: str
) -> None:
    """Half an answer must never look whole."""
    room.model.says("Some words", stop=stop)
    question = room.question()
    await room.answerer().answer(question, room.context)
    assert words in room.shown[0].last_line
    assert room.store.finished[question.id] == outcome
    remembered = bool(room.store.turns)
    assert remembered == (stop != "refusal")


async def test_overload_is_retried_before_it_is_told(room: Room) -> None:
    """A busy second of Claude's is not the asker's problem."""
    room.model.says(ClaudeError("overloaded", retry_after=0.0))
    room.model.says("Here.")
    await room.answerer().answer(room.question(), room.context)
    assert [shown.text for shown in room.shown] == ["Here."]


async def test_lasting_overload_is_told_and_nothing_else_is_posted(room: Room) -> None:
    """One honest line, once, and the question is closed."""
    for _ in range(3):
        room.model.says(ClaudeError("overloaded", retry_after=0.0))
    question = room.question()
    await room.answerer().answer(question, room.context)
    [shown] = room.shown
    assert "overloaded" in shown.last_line
    assert shown.text == ""
    assert room.store.finished == {question.id: "overloaded"}


async def test_a_stream_cut_after_words_is_answered_anew_in_their_place(room: Room) -> None:
    """A half answer cannot be continued; a second one beside it would be worse."""
    room.model.says("Half an", CutStream())
    room.model.says("The whole answer.")
    await room.answerer().answer(room.question(), room.context)
    first, second = room.shown
    assert first.state == "abandoned"
    assert second.replaces == (first.ts,)
    assert second.text == "The whole answer."
    room.record(FirstWords)


async def test_a_stream_cut_twice_keeps_what_was_said_and_says_so(room: Room) -> None:
    """Text that people read is not replaced over and over."""
    room.model.says("Half", CutStream())
    room.model.says("Half again", CutStream())
    question = room.question()
    await room.answerer().answer(question, room.context)
    assert room.shown[-1].text == "Half again"
    assert "broke off" in room.shown[-1].last_line
    assert room.store.finished[question.id] == "failed"
    assert room.store.turns == {}


async def test_an_answer_without_a_word_is_asked_for_once_more(room: Room) -> None:
    """An empty reply is rare and passes."""
    room.model.says()
    room.model.says("Now.")
    await room.answerer().answer(room.question(), room.context)
    assert room.shown[0].text == "Now."


async def test_a_prompt_over_the_window_is_sent_again_with_less_of_the_thread(room: Room) -> None:
    """Token counts are estimates; the server's word on the window is final."""
    room.slack.thread = [
        {"ts": f"1790000000.00000{i}", "user": "U2", "text": "long " * 2000} for i in range(5)
    ]
    room.model.says(ClaudeError("too_long", status=400))
    room.model.says("Short enough.")
    question = room.question(thread="1790000000.000000", in_thread=True, surface="thread")
    await room.answerer().answer(question, room.context)
    first, second = (str(request.messages) for request in room.model.requests)
    assert len(second) < len(first)
    assert room.shown[-1].text == "Short enough."


async def test_a_prompt_over_the_window_is_never_sent_twice_unchanged(room: Room) -> None:
    """Each try costs the whole prefix, and nothing can be left out of a short question."""
    room.model.says(ClaudeError("too_long", status=400))
    question = room.question()
    await room.answerer().answer(question, room.context)
    assert len(room.model.requests) == 1
    assert "longer than the model can read" in room.shown[-1].last_line


@pytest.mark.parametrize("slow", ["thread", "warm-up"])
async def test_a_question_that_ends_before_its_request_holds_no_waiter(
    room: Room, slow: str
) -> None:
    """Other questions may be waiting for the entry that this one was to write."""
    hold = room.hold if slow == "warm-up" else room.slack.hold
    hold.close()
    question = room.question(thread="1.000001", in_thread=True, surface="thread")
    answerer = room.answerer()
    task = asyncio.create_task(answerer.answer(question, room.context))
    await hold.reached.wait()
    await answerer.deleted("T1", "C1", question.ts)
    await task
    assert room.model.requests == []
    assert [ticket.told for ticket in room.tickets] == [["cancelled"]] * (slow == "thread")


# --- stopping, deleting, editing ----------------------------------------------------------------


async def start(room: Room, answerer: Any, question: Any) -> asyncio.Task[None]:
    """Run an answer until its first words stand."""
    task = asyncio.create_task(answerer.answer(question, room.context))
    await room.until(lambda: bool(room.shown and room.shown[-1].text))
    return task


async def test_stop_ends_the_model_call_and_keeps_what_was_said(room: Room) -> None:
    """A user who presses Stop has seen enough: the rest would be paid for nothing."""
    room.model.says("So far", asyncio.Event(), "never")
    question, answerer = room.question(), room.answerer()
    task = await start(room, answerer, question)
    await answerer.stop("T1", "C1", question.ts, "U1")
    await task
    [shown] = room.shown
    assert (shown.text, room.model.cancelled) == ("So far", 1)
    assert "Stopped" in shown.last_line
    assert room.store.finished == {question.id: "stopped"}
    [turn] = room.store.turns["T1", "C1", question.ts].values()
    assert texts(turn.messages[-1]) == ["So far"]


async def test_slack_s_own_stop_ends_the_model_call_too(room: Room) -> None:
    """An append that Slack refuses with stopped_by_user says the same as the event."""
    room.model.says("So far", asyncio.Event())
    question, answerer = room.question(), room.answerer()
    task = await start(room, answerer, question)
    room.shown[0].stopped.set()
    await task
    assert room.model.cancelled == 1
    assert room.store.finished == {question.id: "stopped"}


async def test_a_deleted_question_is_not_answered_into_the_void(room: Room) -> None:
    """Nothing is posted under a message that is gone, if nothing stood there yet."""
    room.model.says(asyncio.Event(), "never")
    question, answerer = room.question(), room.answerer()
    task = asyncio.create_task(answerer.answer(question, room.context))
    await room.until(lambda: bool(room.model.requests) and bool(room.slack.calls))
    await answerer.deleted("T1", "C1", question.ts)
    await task
    assert room.model.cancelled == 1
    assert all(shown.state == "abandoned" for shown in room.shown)
    assert room.store.finished == {question.id: "stopped"}
    assert room.slack.calls[-1] == ("status", "")


async def test_a_question_edited_while_it_is_answered_is_answered_anew_in_place(
    room: Room,
) -> None:
    """The answer must fit the question that stands above it."""
    room.model.says("Old words", asyncio.Event())
    room.model.says("New words")
    question, answerer = room.question("Old?"), room.answerer()
    task = await start(room, answerer, question)
    assert await answerer.edited("T1", "C1", question.ts, "New?")
    await task
    old, new = room.shown
    assert (old.state, new.replaces, new.text) == ("abandoned", (old.ts,), "New words")
    [turn] = room.store.turns["T1", "C1", question.ts].values()
    assert "New?" in texts(turn.messages[0])[-1]
    assert room.store.revised[0].text == "New?"
    room.record(QuestionReceived)


async def test_many_edits_cost_three_requests_and_the_last_words_count(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The question, its first edit, and the words that stand when the edits have paused."""
    monkeypatch.setattr(service, "EDIT_PAUSE_SECONDS", 3.0)
    room.model.says("Old words", asyncio.Event())
    room.model.says("First edit", asyncio.Event())
    for _ in range(10):
        room.model.says("Last words")
    question, answerer = room.question("Old?"), room.answerer()
    task = await start(room, answerer, question)
    edits = [asyncio.create_task(answerer.edited("T1", "C1", question.ts, "Edit 0?"))]
    await room.until(lambda: len(room.model.requests) == 2)
    for number in range(1, 10):
        edits.append(
            asyncio.create_task(answerer.edited("T1", "C1", question.ts, f"Edit {number}?"))
        )
        # Long enough that each of them would have begun a request.
        await asyncio.sleep(0.02)
    assert all(await asyncio.gather(*edits))
    await task
    assert len(room.model.requests) == 3
    assert room.shown[-1].text == "Last words"
    [turn] = room.store.turns["T1", "C1", question.ts].values()
    assert "Edit 9?" in texts(turn.messages[0])[-1]


async def test_an_edit_whose_access_is_looked_up_while_the_answer_ends_is_answered(
    room: Room,
) -> None:
    """The look-up takes a call to Slack; the answer may end during it."""
    gate = asyncio.Event()
    room.model.says("So", gate, " far.")
    room.model.says("New answer.")
    answerer, question = room.answerer(), room.question("Old?")
    task = await start(room, answerer, question)
    room.permit = type(room.hold)()
    room.permit.close()
    editing = asyncio.create_task(answerer.edited("T1", "C1", question.ts, "New?"))
    await room.permit.reached.wait()
    gate.set()
    await task
    room.permit.open()
    assert await editing
    assert room.shown[-1].text == "New answer."


async def test_an_edit_within_a_minute_replaces_the_answer_and_its_turn(room: Room) -> None:
    """People mend typos right after sending."""
    room.model.says("Old words")
    room.model.says("New words")
    question, answerer = room.question("Old?"), room.answerer()
    await answerer.answer(question, room.context)
    room.clock.offset += 59
    assert await answerer.edited("T1", "C1", question.ts, "New?")
    assert room.shown[1].replaces == (room.shown[0].ts,)
    assert len(room.store.turns["T1", "C1", question.ts]) == 1


async def test_a_late_edit_or_one_without_change_leaves_the_answer_alone(room: Room) -> None:
    """Slack sends an edit event for an unfurled link too; an old answer was read and quoted."""
    room.model.says("Words")
    question, answerer = room.question("Old?"), room.answerer()
    await answerer.answer(question, room.context)
    assert not await answerer.edited("T1", "C1", question.ts, " Old? ")
    room.clock.offset += 61
    assert not await answerer.edited("T1", "C1", question.ts, "New?")
    assert len(room.shown) == 1


async def test_answering_again_replaces_the_answer_and_streams_to_the_user_who_clicked(
    room: Room,
) -> None:
    """Only the recipient of a stream sees it grow; a second answer would be one too many."""
    room.model.says("Old")
    room.model.says("New")
    question, answerer = room.question(), room.answerer()
    await answerer.answer(question, room.context)
    await answerer.answer_again(question.id, "U9")
    old, new = room.shown
    assert new.replaces == (old.ts,)
    assert (old.target.recipient_user, new.target.recipient_user) == ("U1", "U9")
    assert room.model.requests[0].messages == room.model.requests[1].messages


async def test_an_answer_of_before_the_restart_can_be_given_again(room: Room) -> None:
    """Buttons outlive processes."""
    room.model.says("New")
    question = replace(room.question(), context="payments")
    room.store.pasts[question.id] = Past(question, ("1790000000.000042",))
    await room.answerer().answer_again(question.id, "U9")
    assert room.shown[0].replaces == ("1790000000.000042",)
    await room.answerer().answer_again("unknown", "U9")
    assert len(room.shown) == 1


# --- durability ---------------------------------------------------------------------------------


async def test_a_whole_answer_that_was_stored_is_completed_without_a_model(room: Room) -> None:
    """Generating it anew would cost again and could say something else."""
    turn = ({"role": "user", "content": "q"}, {"role": "assistant", "content": "a"})
    saved = SavedAnswer("All of it.", "", ({"type": "divider"},), turn, "answered")
    takeover = Takeover(standing=("1790000000.000050",), saved=saved)
    question = room.question()
    await room.answerer().answer(question, room.context, takeover)
    [shown] = room.shown
    assert (shown.text, shown.replaces) == ("All of it.", ("1790000000.000050",))
    assert shown.blocks == ({"type": "divider"},)
    assert room.model.requests == []
    assert room.tickets == [], "a request that is never made must let no other question wait"
    assert room.store.turns["T1", "C1", question.ts][question.id].messages == turn
    assert room.store.finished == {question.id: "answered"}


async def test_a_half_answer_that_was_taken_over_is_replaced(room: Room) -> None:
    """Never two answers, never half of one."""
    room.model.says("Whole.")
    question = room.question()
    await room.answerer().answer(question, room.context, Takeover(("1790000000.000050",)))
    assert room.shown[0].replaces == ("1790000000.000050",)
    assert [r for r in room.records if isinstance(r, QuestionReceived)] == []


async def test_the_whole_text_is_stored_before_the_last_call_to_slack(room: Room) -> None:
    """A kill between the two must find enough to complete the answer."""
    room.model.says("All of it.")
    question = room.question()
    finish = room.store.saved

    seen: list[bool] = []
    await _watch_finish(room, lambda: seen.append(question.id in finish), question)
    assert seen == [True]
    assert finish[question.id].text == "All of it."
    assert finish[question.id].blocks


async def _watch_finish(room: Room, look: Any, question: Any) -> None:
    answerer = room.answerer()
    task = asyncio.create_task(answerer.answer(question, room.context))
    await room.until(lambda: bool(room.shown))
    original = room.shown[0].finish

    async def finish(blocks: Any, last_line: str) -> Any:
        look()
        return await original(blocks, last_line)

    room.shown[0].finish = finish  # type: ignore[assignment,method-assign]  # watched
    await task


async def test_a_question_that_another_process_holds_is_left_to_it(room: Room) -> None:
    """Two processes that both finish would make two answers."""
    room.store.not_ours = NotOurs("taken", "q")
    room.model.says("Words")
    await room.answerer().answer(room.question(), room.context)
    assert all(shown.state != "finished" for shown in room.shown)
    assert [r for r in room.records if isinstance(r, QuestionEnded)] == []


async def test_a_store_that_fails_does_not_keep_the_answer_from_people(room: Room) -> None:
    """A full disk is the operators' problem."""
    room.store.fails = ForewarmError("The disk is full.")
    room.model.says("Words")
    await room.answerer().answer(room.question(), room.context)
    assert room.shown[0].state == "finished"


async def test_a_slack_that_fails_is_written_down_and_raises_nothing(room: Room) -> None:
    """An archived channel ends one answer, not the process."""
    room.slack_fails = SlackCallError("forbidden", "is_archived")
    room.model.says("Words")
    question = room.question()
    await room.answerer().answer(question, room.context)
    assert room.store.finished == {question.id: "failed"}


async def test_a_process_that_stops_shows_nothing_more(room: Room) -> None:
    """Another replaces what stands; two that speak at once would be two answers."""
    room.model.says("Half", asyncio.Event())
    question = room.question()
    task = await start(room, room.answerer(), question)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert room.shown[0].state == "abandoned"
    assert room.store.finished == {}
    assert room.store.noted == [(question.id, room.shown[0].ts)]


async def test_replies_before_this_process_heard_of_a_question_are_read_for_the_next(
    room: Room,
) -> None:
    """A question that was taken over minutes later does not open an empty thread."""
    room.model.says("One.")
    room.model.says("Two.")
    answerer = room.answerer()
    late = room.question(asked_at=room.clock() - 120)
    await answerer.answer(late, room.context)
    follow = room.question("More", thread=late.ts, in_thread=True, surface="thread")
    await answerer.answer(follow, room.context)
    assert ("replies", late.ts) in room.slack.calls


# --- many ---------------------------------------------------------------------------------------


async def test_answers_beyond_the_bound_wait_and_are_told_their_place(room: Room) -> None:
    """A queue that is shown is patience; one that is not is a bot that hangs."""
    room.at_once = 1
    gate = asyncio.Event()
    room.model.says(gate, "One")
    room.model.says("Two")
    answerer = room.answerer()
    one = asyncio.create_task(answerer.answer(room.question(), room.context))
    await room.until(lambda: bool(room.model.requests))
    two = asyncio.create_task(answerer.answer(room.question(), room.context))
    await room.until(lambda: any("1 answer is before" in call[1] for call in room.slack.calls))
    assert len(room.model.requests) == 1
    gate.set()
    await asyncio.gather(one, two)
    assert sorted(shown.text for shown in room.shown) == ["One", "Two"]


async def test_a_question_that_is_running_is_not_answered_twice(room: Room) -> None:
    """A duplicate that slipped through must do nothing."""
    gate = asyncio.Event()
    room.model.says(gate, "One")
    question, answerer = room.question(), room.answerer()
    one = asyncio.create_task(answerer.answer(question, room.context))
    await room.until(lambda: bool(room.model.requests))
    await answerer.answer(question, room.context)
    gate.set()
    await one
    assert len(room.shown) == 1


async def test_the_receipt_tells_how_far_the_branch_has_moved_on(room: Room) -> None:
    """An answer about yesterday's code must not pass for one about today's."""
    changes = [
        Change("b" * 40, 2.0, "ann", "newest"),
        Change("c" * 40, 2.0, "ann", "newer"),
        Change("a" * 40, 1.0, "ann", "ours"),
    ]
    room.move_branch("b" * 40, changes)
    room.model.says("Words")
    await room.answerer().answer(room.question(), room.context)
    assert "2 commits behind main" in room.shown[0].blocks[0]["elements"][0]["text"]


async def test_a_removal_that_is_followed_late_spares_what_was_asked_after_it(room: Room) -> None:
    """Another replica left the channel; the bot was invited and asked again before this one read
    of it.
    """
    gates = [asyncio.Event(), asyncio.Event()]
    answerer, asked = room.answerer(), [room.question("Old?"), room.question("New?")]
    form = replace(asked[0], id="form", ts="V0FORM", surface="modal", received_at=1.0)
    room.model.says("Then.")
    await answerer.answer(form, room.context)
    running = []
    for question, gate in zip(asked, gates, strict=True):
        room.model.says("Wo", gate, "rds.")
        user = f"U0{question.text[:3]}"
        answering = answerer.answer(replace(question, user=user), room.context)
        running.append(asyncio.create_task(answering))
        while len(room.model.requests) < len(running) + 1:
            await asyncio.sleep(0)
    gates[0].set()
    await answerer.forget(channel=form.channel, until=asked[0].ts)
    assert not answerer.answers(asked[0].id)
    assert answerer.answers(asked[1].id)
    assert set(answerer._given) <= {asked[1].id}
    gates[1].set()
    await asyncio.gather(*running)
    assert room.store.finished[asked[1].id] == "answered"
    await answerer.forget(channel=form.channel)
    assert not answerer._given
