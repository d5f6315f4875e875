"""The events that are held back for a draft, and their release."""

from __future__ import annotations

from bot.answer.speculative.buffer import Relay
from bot.delivery.slack_api import Task


class Paper:
    """A screen that keeps what was shown, in order."""

    def __init__(self) -> None:
        self.shown: list[str] = []

    async def feed(self, text: str) -> None:
        self.shown.append(text)

    async def task(self, task: Task) -> None:
        self.shown.append(f"[{task.title}: {task.status}]")

    async def rewind(self, text: str) -> None:
        self.shown.append(f"<{text}>")

    async def say(self, status: str) -> None:
        self.shown.append(f"({status})")


async def test_everything_is_held_until_a_user_looks_and_passed_on_after() -> None:
    """Text made out of sight comes at once; finished look-ups are not told."""
    relay, paper = Relay(), Paper()
    await relay.feed("One ")
    await relay.task(Task("t1", "Reading a", "in_progress"))
    await relay.task(Task("t1", "Reading a", "complete"))
    await relay.task(Task("t2", "Reading b", "in_progress"))
    await relay.say("is waiting")
    await relay.feed("two")
    await relay.attach(paper)
    assert paper.shown == ["One two", "[Reading b: in_progress]"]
    await relay.feed(" three")
    await relay.rewind("One")
    await relay.say("is waiting")
    assert paper.shown[2:] == [" three", "<One>", "(is waiting)"]


async def test_what_broke_off_out_of_sight_is_never_seen() -> None:
    """A stream that was cut and asked for again leaves only the words of the second one."""
    relay, paper = Relay(), Paper()
    await relay.feed("settled, then half")
    await relay.rewind("settled, ")
    await relay.feed("whole")
    await relay.attach(paper)
    assert paper.shown == ["settled, whole"]
