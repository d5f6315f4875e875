"""Answers teach the prefix: the files that they cite and read are counted when they are whole."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from bot.answer.service import Answerer
from bot.errors import ForewarmError

if TYPE_CHECKING:
    from tests.answer.conftest import Room

READ = ("read", {"path": "a.py"})


@dataclass
class Uses:
    """Keeps what is recorded, or fails."""

    recorded: list[tuple[str, set[tuple[str, str]]]] = field(default_factory=list)
    fails: bool = False

    async def record(self, context: str, files: Collection[tuple[str, str]]) -> None:
        if self.fails:
            raise ForewarmError("The store is away.")
        self.recorded.append((context, set(files)))


async def test_an_answer_records_the_files_that_it_cites_and_has_read(room: Room) -> None:
    uses = Uses()
    room.used = frozenset({("payments", "b.py")})
    room.model.says("Looking.", READ, ("read", {"path": "gone.py"}))
    room.model.says("See `b.py:1`.")
    answerer = Answerer(replace(room.parts(), uses=uses))
    await answerer.answer(room.question(), room.context)
    assert uses.recorded == [("payments", {("payments", "a.py"), ("payments", "b.py")})]


async def test_an_answer_that_fails_records_nothing(room: Room) -> None:
    uses = Uses()
    room.model.says(READ)
    room.model.says(ForewarmError("Broken."))
    answerer = Answerer(replace(room.parts(), uses=uses))
    await answerer.answer(room.question(), room.context)
    assert uses.recorded == []


async def test_an_answer_does_not_need_the_store_of_uses(room: Room) -> None:
    room.model.says(READ)
    room.model.says("It reverses.")
    answerer = Answerer(replace(room.parts(), uses=Uses(fails=True)))
    question = room.question()
    await answerer.answer(question, room.context)
    assert room.store.finished[question.id] == "answered"
