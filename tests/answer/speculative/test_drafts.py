"""Answers begun on drafts: shown at once if kept, never seen if not, accounted apart."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import pytest
from forewarm_playground import virtual_time

from bot.answer.events import FirstWords
from bot.answer.service import Answerer
from bot.answer.speculative.drafts import Drafts
from bot.claude.errors import ClaudeError
from bot.claude.prefix import Prefix
from bot.context.config.load import ContextConfig

if TYPE_CHECKING:
    from tests.answer.conftest import Room

TEXT = "How does the parser work"


class SpendingLimits:
    """The governor's word on drafts."""

    def __init__(self) -> None:
        self.warm = True
        self.money = True
        self.asked: list[float] = []

    def is_warm(self, prefix: Prefix) -> bool:
        return self.warm

    def may_spend(self, context: ContextConfig, usd: float) -> bool:
        self.asked.append(usd)
        return self.money


class Desk:
    """A modal, an answerer that watches it, and what both have come to."""

    def __init__(self, room: Room, on: bool = True) -> None:
        self.room = room
        self.purse = SpendingLimits()
        parts = room.parts()
        self.drafts = Drafts(parts, self.purse)
        self.answerer = Answerer(parts, self.drafts)
        self.context = room.context.model_copy(update={"answer_drafts": on})

    def question(self, text: str, **chosen: Any) -> Any:
        facts = {"surface": "modal", "ts": "V1", "thread": "1790000000.000001", "asked_at": None}
        return self.room.question(text, **{**facts, **chosen})

    def typed(self, text: str, order: str = "") -> None:
        draft = self.question(text, channel="", thread=None)
        self.answerer.typed(draft, self.context, order)

    async def type(self, text: str) -> None:
        for at in range(1, len(text) + 1):
            self.typed(text[:at], f"{at:05d}")
            await asyncio.sleep(0.15)

    async def submit(self, text: str) -> None:
        await self.answerer.answer(self.question(text), self.context)


def play(desk: Desk, scene: Callable[[Desk], Awaitable[None]]) -> None:
    async def main() -> None:
        await scene(desk)
        await desk.drafts.stop()

    virtual_time.run(main())


def slow(room: Room, seconds: float = 2.0) -> None:
    """Let the model take so long to its first words."""
    stream = room.model.stream

    async def late(request: Any, *, label: Any = None) -> Any:
        await asyncio.sleep(seconds)
        async for event in stream(request, label=label):
            yield event

    room.model.stream = late  # type: ignore[method-assign]  # the same, but slower


def test_a_kept_draft_is_answered_almost_before_it_was_sent(room: Room) -> None:
    """Two seconds of pause hide two seconds of model: the wait is what remains."""

    async def scene(desk: Desk) -> None:
        slow(room)
        room.model.says("It walks the tokens.")
        await desk.type(TEXT)
        await asyncio.sleep(2.0 - 0.15)
        await desk.submit(TEXT + "?")
        first = room.record(FirstWords)
        assert first.wait.total <= 0.3
        assert [shown.text for shown in room.shown] == ["It walks the tokens."]
        assert len(room.model.requests) == 1
        assert [label.purpose for label in room.model.labels if label] == ["draft"]

    play(Desk(room), scene)


def test_nothing_is_shown_before_it_is_asked(room: Room) -> None:
    """A draft is its author's alone."""

    async def scene(desk: Desk) -> None:
        room.model.says("Words.")
        await desk.type(TEXT)
        await asyncio.sleep(5)
        assert room.model.requests
        assert room.shown == []
        assert room.slack.calls == []

    play(Desk(room), scene)


def test_a_changed_draft_is_dropped_and_the_question_answered_as_asked(room: Room) -> None:
    """An answer to another question is worse than a wait."""

    async def scene(desk: Desk) -> None:
        room.model.says(asyncio.Event())
        room.model.says("On the lexer.")
        await desk.type(TEXT)
        await asyncio.sleep(2)
        await desk.submit("How does the lexer work")
        assert room.model.cancelled == 1
        assert [shown.text for shown in room.shown] == ["On the lexer."]
        labels = [label.purpose for label in room.model.labels if label]
        assert labels == ["draft", "question"]

    play(Desk(room), scene)


def test_typing_on_ends_the_answer_that_was_begun(room: Room) -> None:
    """It is paid for by the token."""

    async def scene(desk: Desk) -> None:
        room.model.says(asyncio.Event())
        room.model.says("On both.")
        await desk.type(TEXT)
        await asyncio.sleep(1)
        desk.typed(TEXT + " with macros", "90000")
        await asyncio.sleep(2)
        assert room.model.cancelled == 1
        await desk.submit(TEXT + " with macros")
        assert [shown.text for shown in room.shown] == ["On both."]

    play(Desk(room), scene)


def test_a_closed_modal_ends_it(room: Room) -> None:
    """No question will come."""

    async def scene(desk: Desk) -> None:
        room.model.says(asyncio.Event())
        await desk.type(TEXT)
        await asyncio.sleep(1)
        desk.answerer.closed(desk.question(TEXT).id)
        await asyncio.sleep(0.1)
        assert room.model.cancelled == 1

    play(Desk(room), scene)


@pytest.mark.parametrize("why", ["off", "cold", "poor"])
def test_without_leave_warmth_or_money_nothing_is_begun(room: Room, why: str) -> None:
    """Off by default; never on a cold prefix; never beyond the caps."""

    async def scene(desk: Desk) -> None:
        desk.purse.warm = why != "cold"
        desk.purse.money = why != "poor"
        await desk.type(TEXT)
        await asyncio.sleep(5)
        assert room.model.requests == []
        room.model.says("Now.")
        await desk.submit(TEXT)
        assert [label.purpose for label in room.model.labels if label] == ["question"]

    play(Desk(room, on=why != "off"), scene)


def test_a_prefix_that_becomes_warm_during_the_pause_is_used(room: Room) -> None:
    """The modal's opening began to warm it; reading a text over takes longer than that."""

    async def scene(desk: Desk) -> None:
        desk.purse.warm = False
        room.model.says("Words.")
        await desk.type(TEXT)
        await asyncio.sleep(3)
        assert room.model.requests == []
        desk.purse.warm = True
        await asyncio.sleep(1)
        assert len(room.model.requests) == 1

    play(Desk(room), scene)


def test_a_draft_whose_answer_failed_is_answered_anew(room: Room) -> None:
    """Out of sight nothing was lost: the asker must not see an error that is not theirs."""

    async def scene(desk: Desk) -> None:
        room.model.says(ClaudeError("invalid"))
        room.model.says("Words.")
        await desk.type(TEXT)
        await asyncio.sleep(2)
        await desk.submit(TEXT)
        assert [shown.text for shown in room.shown] == ["Words."]

    play(Desk(room), scene)


def test_the_turn_of_a_kept_draft_is_what_was_sent(room: Room) -> None:
    """The follow-up must find its prefix, question mark or not."""

    async def scene(desk: Desk) -> None:
        room.model.says("Words.")
        await desk.type(TEXT)
        await asyncio.sleep(2)
        await desk.submit(TEXT + "?")
        [turn] = room.store.turns["T1", "C1", "1790000000.000001"].values()
        assert turn.messages[0] == room.model.requests[0].messages[-1]

    play(Desk(room), scene)


def test_stopping_a_kept_draft_stops_its_model_call(room: Room) -> None:
    """However it was begun, Stop ends the cost."""

    async def scene(desk: Desk) -> None:
        room.model.says("So far", asyncio.Event())
        await desk.type(TEXT)
        await asyncio.sleep(2)
        running = asyncio.create_task(desk.submit(TEXT))
        await room.until(lambda: bool(room.shown and room.shown[0].text))
        await desk.answerer.stop("T1", "C1", "1790000000.000001", "U1")
        await running
        assert room.model.cancelled == 1
        assert "Stopped" in room.shown[0].last_line

    play(Desk(room), scene)


def test_people_who_never_keep_their_drafts_are_not_answered_early(room: Room) -> None:
    """The odds are learned: waste ends by itself."""

    async def scene(desk: Desk) -> None:
        for _ in range(12):
            room.model.says("Words.")
            await desk.type(TEXT)
            await asyncio.sleep(2)
            desk.answerer.closed(desk.question(TEXT).id)
        assert len(room.model.requests) < 12

    play(Desk(room), scene)
