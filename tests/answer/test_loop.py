"""Rounds of look-ups: bounded, cached, and never a request the API would refuse."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from bot.answer.loop import NO_MORE, NO_ROOM, TOO_MANY, Allowance, Asked, Loop
from bot.claude.errors import CapReached, ClaudeError, CutStream
from bot.delivery.slack_api import Task, TaskStatus

if TYPE_CHECKING:
    from tests.answer.conftest import Room

READ = ("read", {"path": "a.py"})


class Paper:
    """A screen that keeps what was shown."""

    def __init__(self) -> None:
        self.text = ""
        self.tasks: list[tuple[str, TaskStatus]] = []
        self.shown: list[Task] = []
        self.said: list[str] = []

    async def feed(self, text: str) -> None:
        self.text += text

    async def task(self, task: Task) -> None:
        self.tasks.append((task.title, task.status))
        self.shown.append(task)

    async def rewind(self, text: str) -> None:
        self.text = text

    async def say(self, status: str) -> None:
        self.said.append(status)


def loop_of(room: Room, paper: Paper, **allowed: Any) -> Loop:
    asked = Asked(
        id="q1",
        context="payments",
        prefix=room.ground.prefix,
        ticket=room.ticket,
        messages=[{"role": "user", "content": [{"type": "text", "text": "How?"}]}],
        snapshot=room.ground.snapshot,
        is_permitted=room.is_permitted,
    )
    allowance = replace(Allowance(pause=0.001), **allowed)
    return Loop(
        room.model, asked, paper, executor=room.executor, now=room.clock, allowance=allowance
    )


def well_formed(messages: Any) -> None:
    """Assert what the API demands: turns alternate, and every look-up has its result next."""
    roles = [message["role"] for message in messages]
    assert roles == (["user", "assistant"] * len(roles))[: len(roles)]
    for said, answered in zip(messages[1::2], messages[2::2], strict=False):
        uses = [b["id"] for b in said["content"] if b["type"] == "tool_use"]
        results = [b["tool_use_id"] for b in answered["content"] if b["type"] == "tool_result"]
        assert uses == results
        assert all(b["text"].strip() for b in said["content"] if b["type"] == "text")


async def test_a_round_sends_what_the_last_one_sent_and_more(room: Room) -> None:
    """So it reads the cache that the last one wrote."""
    room.model.says("Looking. ", READ, ("list", {}))
    room.model.says("Again. ", READ)
    room.model.says("Done.")
    paper = Paper()
    loop = loop_of(room, paper)
    assert (await loop.run()).kind == "complete"
    sent = [request.messages for request in room.model.requests]
    for before, after in pairwise(sent):
        assert after[: len(before)] == before
    for messages in sent:
        well_formed(messages)
    assert paper.text == "Looking. \n\nAgain. \n\nDone." == loop.progress.text
    assert [label.purpose for label in room.model.labels if label] == [
        "question",
        "round",
        "round",
    ]


async def test_the_turn_is_what_was_sent_and_the_last_words_raw(room: Room) -> None:
    """The gap between rounds is ours; the model must not read it as its own."""
    room.model.says("Looking.", READ)
    room.model.says("Done.")
    loop = loop_of(room, Paper())
    await loop.run()
    asked = {"role": "user", "content": "How?"}
    turn = loop.progress.turn(asked)
    well_formed([*turn, {"role": "user", "content": []}])
    assert turn[-1]["content"] == [{"type": "text", "text": "Done."}]


async def test_look_ups_are_shown_from_their_beginning_to_their_end(room: Room) -> None:
    """A bot that is silent for seconds looks dead."""
    room.model.says(READ, ("read", {"path": "nowhere.py"}))
    room.model.says("Done.")
    paper = Paper()
    await loop_of(room, paper).run()
    assert sorted(paper.tasks) == [
        ("Reading a.py", "complete"),
        ("Reading a.py", "in_progress"),
        ("Reading nowhere.py", "error"),
        ("Reading nowhere.py", "in_progress"),
    ]


async def test_a_look_up_that_is_over_tells_its_result_and_links_its_lines(room: Room) -> None:
    room.model.says(READ, ("search", {"pattern": "return"}), ("list", {}))
    room.model.says("Done.")
    paper = Paper()
    loop = loop_of(room, paper)
    await loop.run()
    done = {task.title: task for task in paper.shown if task.status == "complete"}
    page = f"https://github.com/acme/payments/blob/{'a' * 40}/a.py"
    read = done["Reading a.py"]
    assert (read.output, read.sources) == ("lines 1-2 of 2", ((f"{page}#L1-L2", "a.py:1-2"),))
    found = done["Searching for return"]
    assert (found.output, found.sources) == ("1 line in 1 file", ((f"{page}#L2-L2", "a.py:2"),))
    listed = done["Listing the files"]
    assert (listed.output, listed.sources) == ("1 file", ())
    assert loop.progress.read_files == {("payments", "a.py")}


@pytest.mark.parametrize(
    "allowed", [{"rounds": 1}, {"tokens": 0}, {"characters": 10}, {"seconds": 0.0}]
)
async def test_at_any_limit_the_model_is_told_to_answer_with_what_it_has(
    room: Room, allowed: dict[str, Any]
) -> None:
    """Rounds, tokens, characters and time all have an end, and none of them is an error."""
    room.model.says(READ)
    room.model.says("From what I saw: it reverses.")
    loop = loop_of(room, Paper(), **allowed)
    assert (await loop.run()).kind == "complete"
    last = room.model.requests[-1].messages[-1]["content"][-1]
    assert last == {"type": "text", "text": NO_MORE}
    well_formed(room.model.requests[-1].messages)


async def test_a_model_that_will_not_stop_looking_is_stopped(room: Room) -> None:
    """No answer may run for ever on the team's money."""
    for _ in range(3):
        room.model.says(READ)
    loop = loop_of(room, Paper(), rounds=2)
    assert (await loop.run()).kind == "exhausted"
    assert len(room.model.requests) == 3
    assert loop.progress.turn({"role": "user", "content": "How?"}) == ()


async def test_too_many_look_ups_at_once_and_too_much_text_are_refused(room: Room) -> None:
    """Every look-up still gets its result, or the API refuses the next request."""
    room.model.says(READ, READ, READ)
    room.model.says("Done.")
    await loop_of(room, Paper(), at_once=2, characters=100).run()
    results = [b["content"] for b in room.model.requests[1].messages[-1]["content"][:3]]
    assert results[1:] == [NO_ROOM, NO_ROOM]
    room.model.says(READ, READ)
    room.model.says("Done.")
    await loop_of(room, Paper(), at_once=1).run()
    assert room.model.requests[3].messages[-1]["content"][1]["content"] == TOO_MANY


async def test_a_cut_in_a_later_round_repeats_that_round_only(room: Room) -> None:
    """Finished look-ups stay finished, and text on screen stays there."""
    room.model.says("Looking.", READ)
    room.model.says("Half", CutStream())
    room.model.says("Whole.")
    paper = Paper()
    loop = loop_of(room, paper)
    assert (await loop.run()).kind == "complete"
    assert paper.text == "Looking.\n\nWhole."
    assert room.model.requests[1].messages == room.model.requests[2].messages
    assert loop.progress.look_ups == 1


@pytest.mark.parametrize(
    ("kind", "tries"),
    [
        ("overloaded", 3),
        ("rate_limited", 3),
        ("server", 3),
        ("connection", 3),
        ("timeout", 3),
        ("authentication", 1),
        ("spend_limit", 1),
        ("invalid", 1),
        ("unknown_model", 1),
        ("too_long", 1),
    ],
)
async def test_only_what_may_pass_is_tried_again(room: Room, kind: Any, tries: int) -> None:
    """A wrong key stays wrong; a busy server does not."""
    for _ in range(tries):
        room.model.says(ClaudeError(kind))
    ending = await loop_of(room, Paper()).run()
    assert len(room.model.requests) == tries
    assert ending.kind in ("failed", "overloaded")
    assert isinstance(ending.error, ClaudeError)
    assert ending.last_line == ending.error.asker_message


async def test_a_wait_longer_than_anybody_s_patience_is_told_at_once(room: Room) -> None:
    """A minute of silence is worse than an honest line."""
    room.model.says(ClaudeError("rate_limited", retry_after=60.0))
    paper = Paper()
    assert (await loop_of(room, paper).run()).kind == "overloaded"
    assert paper.said == []


async def test_cancelling_closes_the_model_s_stream(room: Room) -> None:
    """Stop must end the cost, too; what was said stays known."""
    room.model.says("Some words", asyncio.Event())
    loop = loop_of(room, Paper())
    task = asyncio.create_task(loop.run())
    await room.until(lambda: bool(loop.progress.reply))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert room.model.cancelled == 1
    assert loop.progress.text == "Some words"


async def test_every_attempt_is_paid_for_in_the_receipt(room: Room) -> None:
    """Money that a broken stream cost was spent all the same."""
    room.model.says("Half", CutStream())
    room.model.says("Whole.")
    loop = loop_of(room, Paper())
    await loop.run()
    once = loop_of(room, Paper())
    room.model.says("Whole.")
    await once.run()
    assert loop.progress.usd > once.progress.usd > 0


async def test_a_cap_of_ours_does_not_count_as_a_refusal_of_claude(room: Room) -> None:
    """Every context of the model was kept cold for an hour because one had used its money up."""
    room.model.says(CapReached("Today's budget is used up.", model="m", detail=""))
    assert (await loop_of(room, Paper()).run()).kind == "failed"
    assert room.tickets[-1].told[0] == "cancelled"
