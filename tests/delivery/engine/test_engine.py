"""The stream engine, case by case; the laws are in test_engine_laws."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from bot.delivery.engine.commands import Append, Delete, Post, Start, Stop, Update
from bot.delivery.engine.engine import StreamEngine
from bot.delivery.slack_api import Task

if TYPE_CHECKING:
    from tests.delivery.conftest import Fault, Run, Schedule, Thread

Drive = Callable[..., "Run"]


def kinds(run: Run) -> list[str]:
    return [call.kind for call in run.thread.sent]


def test_the_first_word_goes_out_alone() -> None:
    """The wait that counts ends with the first word, not with the first 256 characters."""
    engine = StreamEngine()
    engine.feed("The")
    (offer,) = engine.offers(0.0)
    assert offer.call == Start("The")


def test_a_call_takes_all_the_text_there_is() -> None:
    """Calls are scarce, so each carries everything that has come since the last."""
    engine = StreamEngine()
    engine.feed("One")
    engine.begin(engine.offers(0.0)[0], 0.0)
    engine.feed(" two")
    engine.feed(" three")
    assert engine.offers(0.1) == ()
    engine.succeeded(0.2, "1.1")
    assert engine.offers(0.2)[0].call == Append("1.1", " two three")


def test_a_short_answer_that_is_whole_at_once_needs_one_call(drive: Drive) -> None:
    """Start and stop would cost two calls of the scarcest budget."""
    run = drive("Yes, in `main`.")
    assert kinds(run) == ["post"]
    assert run.thread.standing()[0].blocks == list(run.BLOCKS)


def test_the_end_of_a_stream_carries_text_blocks_and_last_line(
    drive: Drive, make_schedule: type[Schedule]
) -> None:
    """Each further call would let the receipt come later."""
    run = drive(
        "One two three", make_schedule(steps=((3, 0), (4, 1), (9, 1)), last_line="_Cut off._")
    )
    assert kinds(run) == ["start", "append", "stop"]
    (shown,) = run.thread.standing()
    assert shown.text == "One two three\n\n_Cut off._"
    assert shown.stream == "completed"


def test_a_fence_is_closed_and_opened_again_at_a_roll(
    drive: Drive, make_schedule: type[Schedule]
) -> None:
    """A message that ends within code would show the rest of the thread as code."""
    text = "Look:\n\n```python\n" + "".join(f"line_{n} = {n}\n" for n in range(900)) + "```\nDone."
    run = drive(text, make_schedule(steps=((500, 0),) + ((500, 0.3),) * 40))
    assert len(run.messages) > 1
    for one, two in zip(run.messages, run.messages[1:], strict=False):
        assert one.content(suffix=one.suffix).endswith("\n```")
        assert two.prefix == "```python\n"
        assert one.size <= 9_000


def test_a_tables_head_stands_in_every_message(drive: Drive, make_schedule: type[Schedule]) -> None:
    """Rows without their head are not read as a table."""
    head = "| setting | default |\n|---|---|\n"
    text = head + "".join(f"| option_{n} | value {n} |\n" for n in range(600))
    run = drive(text, make_schedule(steps=((300, 0),) + ((300, 0.3),) * 60))
    assert len(run.messages) > 1
    assert {message.prefix for message in run.messages[1:]} == {head}
    assert all(message.body.endswith("|\n") for message in run.messages)


def test_nested_items_keep_their_place_after_a_roll(
    drive: Drive, make_schedule: type[Schedule]
) -> None:
    """An indented item at the beginning of a message would be read as code."""
    items = "".join(f"   - detail {n} {'of this step ' * 4}\n" for n in range(200))
    run = drive(f"3. Deploy\n{items}", make_schedule(steps=((300, 0),) + ((300, 0.3),) * 60))
    assert len(run.messages) > 1
    assert {message.prefix for message in run.messages[1:]} == {"3. …\n"}


def test_a_stream_is_closed_before_slack_breaks_it(
    drive: Drive, make_schedule: type[Schedule]
) -> None:
    """A stream of more than five minutes stays a broken bubble."""
    text = "A slow sentence of some words.\n\n" * 60
    run = drive(text, make_schedule(steps=((16, 0.0),) + ((16, 5.0),) * 130))
    assert [one.stream for one in run.thread.standing()] == ["completed"] * len(run.messages)
    assert len(run.messages) >= 3
    assert not run.failures


def test_a_stream_that_waits_for_a_tool_is_closed_in_time(
    drive: Drive, make_schedule: type[Schedule]
) -> None:
    """Nothing comes for ten minutes, and what stands must not break meanwhile."""
    run = drive("Before.\n\nAfter.", make_schedule(steps=((7, 0.0), (8, 600.0))))
    assert [message.body for message in run.messages] == ["Before.", "\n\nAfter."]
    assert not run.failures


def test_a_stream_that_died_is_replaced_as_a_whole(
    drive: Drive, make_schedule: type[Schedule]
) -> None:
    """Appends and stops fail alike then; only an update mends the message."""
    text = "```\n" + "code\n" * 50
    steps = ((60, 0.0), (60, 1.0), (200, 1.0))
    run = drive(text, make_schedule(steps=steps, faults=("fine", "dies")))
    assert kinds(run)[:3] == ["start", "append", "update"]
    assert run.thread.standing()[0].text.endswith("```")


def test_a_lost_start_is_looked_for_before_it_is_repeated(
    drive: Drive, make_schedule: type[Schedule]
) -> None:
    """The connection died after sending: the first words may stand in Slack already."""
    steps = ((5, 0.0), (6, 1.0))
    there = drive("Hello world", make_schedule(steps=steps, faults=("lost_after",)))
    assert kinds(there)[:3] == ["start", "read", "stop"]
    assert len(there.thread.standing()) == 1
    lost = drive("Hello world", make_schedule(steps=steps, faults=("lost_before",)))
    assert kinds(lost)[:3] == ["start", "read", "start"]


def test_a_lost_append_is_looked_for_before_it_is_repeated(
    drive: Drive, make_schedule: type[Schedule]
) -> None:
    """Resending an append that took effect doubles its words."""
    steps = ((6, 0.0), (6, 1.0), (6, 1.0))
    for fault in ("lost_after", "lost_before"):
        run = drive("Hello big new world", make_schedule(steps=steps, faults=("fine", fault)))
        assert kinds(run)[:3] == ["start", "append", "read"]
        assert run.thread.standing()[0].text == "Hello big new world"


def test_a_start_that_takes_effect_late_is_deleted_at_the_end(
    drive: Drive, make_schedule: type[Schedule]
) -> None:
    """Slack may do what it was asked seconds after the connection died."""
    run = drive("Hello world", make_schedule(steps=((5, 0.0), (6, 9.0)), faults=("lost_late",)))
    assert [one.text for one in run.thread.standing()] == ["Hello world"]
    assert "delete" in kinds(run)


def test_a_stream_that_comes_about_late_is_not_taken_for_the_post_after_it(
    drive: Drive, make_schedule: type[Schedule]
) -> None:
    """Found in the place of a lost post it would stay open for ever, without a receipt."""
    faults: tuple[Fault, ...] = ("lost_late", "fine", "refused", "rate_limited", "lost_before")
    schedule = make_schedule(steps=((9, 0.0), (9, 9.0)), faults=faults, silent_state=True)
    run = drive("One two three four", schedule)
    (shown,) = run.thread.standing()
    assert (shown.text, shown.stream) == ("One two three four", "completed")
    assert shown.blocks == list(run.BLOCKS)


def test_where_slack_will_not_stream_the_answer_is_posted_and_edited(
    drive: Drive, make_schedule: type[Schedule]
) -> None:
    """Some channels take no streams; their people wait no longer for their first words."""
    run = drive("One two three", make_schedule(steps=((3, 0), (4, 1), (6, 1)), faults=("refused",)))
    assert kinds(run) == ["start", "post", "update", "update"]
    assert run.thread.standing()[0].text == "One two three"


def test_an_answer_posted_once_waits_for_its_end(
    drive: Drive, make_schedule: type[Schedule]
) -> None:
    """With the budgets spent there is one call for each answer."""
    run = drive("One two three", make_schedule(steps=((3, 0), (4, 1), (6, 1)), mode="once"))
    assert kinds(run) == ["post"]


def test_a_long_answer_posted_once_shows_its_complete_parts(
    drive: Drive, make_schedule: type[Schedule]
) -> None:
    """Spent budgets must not leave the screen empty for a minute."""
    text = "A paragraph that is complete.\n\n" * 40
    run = drive(text, make_schedule(steps=((20, 0.0),) + ((20, 1.0),) * 70, mode="once"))
    assert set(kinds(run)) == {"post"}
    assert 2 <= len(run.messages) <= 5
    assert all(message.body.endswith("\n\n") for message in run.messages)


def test_refused_blocks_do_not_cost_the_text(drive: Drive, make_schedule: type[Schedule]) -> None:
    """A receipt that Slack will not show is the lesser loss."""
    run = drive("One two", make_schedule(steps=((3, 0.0), (4, 1.0)), faults=("fine", "blocks")))
    assert run.thread.standing()[0].text == "One two"
    assert run.thread.standing()[0].stream == "completed"


def test_when_the_user_stops_the_message_keeps_what_was_said(
    drive: Drive, make_schedule: type[Schedule]
) -> None:
    """Slack has ended the stream itself; the engine still puts its last line under it."""
    schedule = make_schedule(
        steps=((6, 0.0), (6, 1.0), (6, 1.0)), faults=("fine", "user_stop"), last_line="_Stopped._"
    )
    run = drive("Hello big new world", schedule)
    assert run.engine.halted
    (shown,) = run.thread.standing()
    assert shown.text.startswith("Hello ")
    assert shown.text.endswith("_Stopped._")
    assert shown.blocks == list(run.BLOCKS)


def test_a_halt_opens_no_further_message(drive: Drive, make_schedule: type[Schedule]) -> None:
    """Stop means stop, even where much text is still waiting."""
    run = drive(
        "word " * 9_000, make_schedule(steps=((40_000, 0.0), (5_000, 1.0)), stop_at=1, latency=2.0)
    )
    assert len(run.messages) == 1
    assert run.thread.standing()[0].stream == "completed"


def test_an_earlier_attempt_is_replaced_in_place(
    drive: Drive, make_schedule: type[Schedule]
) -> None:
    """Who takes over an answer edits what stands and deletes the rest of it."""
    schedule = make_schedule(steps=((5, 0.0), (6, 1.0)), replaces=(True, False))
    run = drive("Hello world", schedule)
    assert [one.ts for one in run.thread.standing()] == [run.old[0]]
    assert run.thread.standing()[0].text == "Hello world"
    assert [type(call) for call in run.thread.sent[:3]] == [Update, Stop, Update]
    assert Delete(run.old[1]) in run.thread.sent


def test_an_earlier_attempt_that_is_deleted_before_it_is_stopped_is_left_alone(
    drive: Drive, make_schedule: type[Schedule]
) -> None:
    """Its asker may delete it in the very moment of the take-over."""
    schedule = make_schedule(steps=((9, 0),), replaces=(True,), faults=("fine", "deleted"))
    run = drive("One two three four", schedule)
    assert kinds(run)[:3] == ["update", "stop", "post"]
    assert run.joined == "One two three four"
    assert run.engine.failure is None


def test_tasks_show_where_the_answer_streams_and_end_with_it(
    drive: Drive, make_schedule: type[Schedule]
) -> None:
    """A look-up is shown as it runs; none may seem to run for ever in a closed message."""
    schedule = make_schedule(
        steps=((0, 0.0), (5, 2.0), (6, 2.0)), tasks=((0, "in_progress"), (1, "in_progress"))
    )
    run = drive("Hello world", schedule)
    (shown,) = run.thread.standing()
    assert shown.tasks == {"t0": "complete", "t1": "complete"}
    assert isinstance(run.thread.sent[0], Start)
    assert run.thread.sent[0].chunks[0]["title"] == "search &lt;0&gt;"


def test_words_that_wait_behind_a_task_are_not_called_painted() -> None:
    """A task is not the first words: the perceived wait goes on."""
    engine = StreamEngine()
    engine.task(Task("t", "search", "in_progress"))
    engine.begin(engine.offers(0.0)[0], 0.0)
    engine.succeeded(0.1, "1.1")
    assert engine.painted is None
    engine.feed("Here")
    engine.begin(engine.offers(0.2)[0], 0.2)
    engine.succeeded(0.3)
    assert engine.painted == "1.1"


def test_a_rate_limit_blocks_its_own_method_only() -> None:
    """Where starting is refused for a minute, posting may begin at once."""
    engine = StreamEngine()
    engine.feed("Hello")
    engine.begin(engine.offers(0.0)[0], 0.0)
    engine.failed(0.1, "rate_limited", "ratelimited", 30.0)
    assert engine.offers(0.2) == ()
    assert engine.wake(0.2) == 30.1
    engine.mode = "edit"
    assert engine.offers(0.2)[0].call == Post("Hello")


def test_an_open_entity_waits_for_its_end() -> None:
    """Half an entity in one call is read as text, and as an entity never."""
    engine = StreamEngine()
    engine.feed("a &am")
    assert engine.offers(0.0)[0].call == Start("a ")
    engine.feed("p; b")
    assert engine.offers(0.0)[0].call == Start("a &amp; b")


def test_where_the_thread_cannot_be_read_the_stream_is_rebuilt(
    drive: Drive, make_schedule: type[Schedule]
) -> None:
    """An update says the same however often; so it settles an outcome that cannot be looked up."""
    faults: tuple[Fault, ...] = ("fine", "lost_after", *(("other",) * 12))
    steps = ((6, 0.0), (6, 1.0), (6, 9.0))
    run = drive("Hello big new world", make_schedule(steps=steps, faults=faults))
    assert any(isinstance(call, Update) for call in run.thread.sent)
    assert "".join(one.text for one in run.thread.standing()) == "Hello big new world"


def test_a_lost_channel_ends_the_answer_and_says_why(make_thread: type[Thread]) -> None:
    """Nothing can be shown any more, so the model need not go on."""
    engine = StreamEngine()
    engine.feed("Hello")
    engine.begin(engine.offers(0.0)[0], 0.0)
    engine.failed(0.1, "forbidden", "is_archived")
    assert engine.over
    assert (engine.failure, engine.error) == ("forbidden", "is_archived")


def test_the_repr_tells_the_state() -> None:
    """It is what a log shows of an answer that went wrong."""
    engine = StreamEngine()
    engine.feed("Hello")
    assert repr(engine) == "<StreamEngine [stream | 0 messages | running] 5 characters waiting>"
    engine.begin(engine.offers(0.0)[0], 0.0)
    engine.succeeded(0.1, "1.1")
    assert "<Message 1.1 stream open: 5 bytes>" in repr(engine)
