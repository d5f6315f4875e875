"""The engine's states: which transitions happen, and that naming the next call changes nothing."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from bot.delivery.engine.commands import Call
from bot.delivery.engine.engine import (
    TRANSITIONS,
    Message,
    MessageState,
    PlannedCall,
    StreamEngine,
    advance,
    next_calls,
)
from bot.delivery.engine.sizing import Limits
from bot.delivery.slack_api import CallFailure, JsonObject

if TYPE_CHECKING:
    from tests.delivery.conftest import Run, Schedule

RARE: set[tuple[MessageState, MessageState]] = {
    ("lost", "conflict"),
    ("repair", "open"),
    ("conflict", "closed"),
    ("halted", "repair"),
    ("halted", "conflict"),
}
"""Transitions that need several misfortunes in one order; few hundred schedules may miss them."""
SMALL = Limits(full=1_500, soft=1_100)
FAULTS: list[Any] = ["rate_limited", "server", "other", "lost_before", "lost_after", "lost_late"]
FAULTS += ["dies", "blocks", "refused", "too_long", "user_stop"]
WORDS = "| a | b |\n|---|---|\n| one | two |\n\n- item `code`\n\nSome words of prose.\n\n"


class WatchedEngine(StreamEngine):
    """Notes every transition of a message, and compares the state before and after planning."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.seen: dict[int, tuple[Message, MessageState]] = {}
        self.transitions: set[tuple[MessageState, MessageState]] = set()

    def _note(self) -> None:
        for message in (*self.state.messages, self.state.message):
            if message is not None:
                self.seen.setdefault(id(message), (message, "opening"))
        for key, (message, before) in self.seen.items():
            if message.state != before:
                self.transitions.add((before, message.state))
                self.seen[key] = (message, message.state)

    def _picture(self) -> list[str]:
        """Return all values of the state and of its messages."""
        holders = [self.state, self.state.message, *self.state.messages]
        return [
            repr(getattr(holder, one.name))
            for holder in holders
            if holder is not None
            for one in fields(holder)
        ]

    def offers(self, now: float) -> tuple[PlannedCall, ...]:
        advance(self.state, now)
        self._note()
        before = self._picture()
        planned = next_calls(self.state, now)
        assert self._picture() == before
        return planned

    def begin(self, planned: PlannedCall, now: float) -> Call:
        call = super().begin(planned, now)
        self._note()
        return call

    def succeeded(self, now: float, ts: str | None = None) -> None:
        super().succeeded(now, ts)
        self._note()

    def read(self, messages: Sequence[JsonObject], now: float) -> None:
        super().read(messages, now)
        self._note()

    def failed(
        self, now: float, failure: CallFailure, error: str = "", retry_after: float | None = None
    ) -> None:
        super().failed(now, failure, error, retry_after)
        self._note()


def watch(run_type: type[Run], make_schedule: type[Schedule], seed: int) -> WatchedEngine:
    chance = random.Random(seed)
    count = chance.randint(1, 40)
    faults: list[Any] = []
    for _ in range(chance.randint(0, 30)):
        faults += ["fine"] * chance.randint(0, 6) + [chance.choice(FAULTS)]
        if chance.random() < 0.05:
            # The thread cannot be read for a while: what is in doubt must be decided without it.
            faults += ["lost_after", *["other"] * 12]
    schedule = make_schedule(
        steps=tuple(
            (chance.choice((7, 60, 500)), chance.choice((0.0, 0.5, 12.0, 70.0)))
            for _ in range(count)
        ),
        faults=tuple(faults),
        mode=chance.choice(("stream", "stream", "edit", "once")),
        replaces=tuple(chance.random() < 0.5 for _ in range(chance.randint(0, 2))),
        last_line=chance.choice((None, "_The end._")),
        silent_state=chance.random() < 0.2,
        rich=chance.random() < 0.5,
        live=chance.random() < 0.5,
    )
    run = run_type(WORDS * chance.randint(1, 60), schedule, SMALL)
    engine = WatchedEngine(
        mode=schedule.mode, limits=SMALL, replaces=run.old, floor="1789999999.000001"
    )
    run.engine = engine
    run.go()
    return engine


def test_the_table_of_transitions_is_complete_and_names_no_other(
    run_type: type[Run], make_schedule: type[Schedule]
) -> None:
    """The explanation at the top of the engine follows this table: a reader must be able to trust
    that nothing else happens, and that everything in it does."""
    seen: set[tuple[MessageState, MessageState]] = set()
    for seed in range(400):
        seen |= watch(run_type, make_schedule, seed).transitions
    stated = {(before, after) for before, states in TRANSITIONS.items() for after in states}
    assert seen - stated == set()
    assert stated - seen <= RARE
