"""The status line: at once, the newest only, gone when there is an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import cast

from forewarm_playground import virtual_time

from bot.answer.status import StatusLine
from bot.delivery.slack_api import SlackCallError, SlackCalls, Target

TARGET = Target("T1", "C1", "1.5", "U1", "T1")


class Line:
    """Takes statuses; may be slow, or refuse."""

    def __init__(self, seconds: float = 0.0, fails: SlackCallError | None = None) -> None:
        self.shown: list[str] = []
        self.seconds = seconds
        self.fails = fails

    async def set_status(self, target: Target, status: str) -> None:
        self.shown.append(status)
        await asyncio.sleep(self.seconds)
        if self.fails is not None:
            raise self.fails


def play(
    line: Line,
    steps: Sequence[tuple[str, float]],
    *,
    replied: bool = True,
    target: Target = TARGET,
) -> None:
    """Show statuses, each for so many seconds; then close."""

    async def main() -> None:
        status = StatusLine(cast(SlackCalls, line), target)
        for text, seconds in steps:
            status.show(text)
            await asyncio.sleep(seconds)
        await status.close(replied=replied)

    virtual_time.run(main())


def test_of_many_statuses_the_newest_is_shown() -> None:
    """A queue that moves fast must not spend Slack's patience."""
    line = Line()
    play(line, [("a", 0.1), ("b", 0.1), ("c", 0.1), ("d", 5)])
    assert line.shown == ["a", "d"]


def test_a_status_is_shown_again_before_slack_lets_it_fade() -> None:
    """After two minutes the asker would think that the bot is gone."""
    line = Line()
    play(line, [("waiting", 250)])
    assert line.shown == ["waiting", "waiting", "waiting"]


def test_where_no_reply_came_the_status_is_cleared() -> None:
    """A deleted question must not be "read" for two more minutes."""
    line = Line()
    play(line, [("reading", 1)], replied=False)
    assert line.shown == ["reading", ""]


def test_a_status_still_on_its_way_is_cleared_after_the_reply() -> None:
    """It may arrive after the answer, and stand under it."""
    line = Line(seconds=3)
    play(line, [("reading", 1)])
    assert line.shown == ["reading", ""]


def test_a_place_that_refuses_a_status_is_not_asked_again() -> None:
    """Some channels have none; that is no error worth a call each second."""
    line = Line(fails=SlackCallError("other", "invalid_thread_ts"))
    play(line, [("a", 5), ("b", 5)], replied=False)
    assert line.shown == ["a"]


def test_without_a_thread_there_is_no_status() -> None:
    """A top-level answer has no message to show one under."""
    line = Line()
    play(line, [("a", 5)], target=Target("T1", "C1", None, "U1", "T1"))
    assert line.shown == []


def test_a_status_that_may_wait_comes_after_the_request_and_not_after_the_answer() -> None:
    """A question on warm code leaves before the status; an answer that is there needs none."""
    late, never = Line(), Line()

    async def main() -> None:
        for line, seconds in ((late, 0.03), (never, 0.01)):
            status = StatusLine(cast(SlackCalls, line), TARGET, 0.02)
            status.show("a")
            assert line.shown == []
            await asyncio.sleep(seconds)
            await status.close(replied=True)

    virtual_time.run(main())
    assert (late.shown, never.shown) == (["a"], [])
