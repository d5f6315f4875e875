"""Refusals and hints go through the pacer, behind the answers."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

import pytest
from forewarm_playground import virtual_time

from bot.delivery.delivery import Delivery
from bot.delivery.notices import MOST_WAITING, Notices
from bot.delivery.rate_limit.limiter import RateLimiter
from bot.delivery.slack_api import SlackCallError, Target

if TYPE_CHECKING:
    from tests.delivery.conftest import Workspace


def target(number: int, user: str = "U1", channel: str = "C1") -> Target:
    return Target("T1", channel, f"{number}.000001", user, "T1")


def run(main: Coroutine[Any, Any, None]) -> None:
    virtual_time.run(main)


async def post(notices: Notices, at: Target) -> str:
    try:
        await notices.post(at, "I don't answer here.")
    except SlackCallError as error:
        return error.error
    return "posted"


@pytest.mark.parametrize("mode", ["stream", "post"])
def test_a_flood_of_refusals_delays_no_answer(make_workspace: type[Workspace], mode: str) -> None:
    """Four hundred refusals met Slack's limit, and another user's answer waited for 16 seconds."""

    async def main() -> None:
        workspace, pacer = make_workspace(), RateLimiter()
        flood = [
            asyncio.create_task(post(Notices(workspace.calls(target(n)), pacer), target(n)))
            for n in range(400)
        ]
        await asyncio.sleep(3.0)
        for number in range(400, 405):
            at = target(number, "U2")
            delivery = Delivery(workspace.calls(at), at, pacer, asyncio.get_running_loop().time)
            begun = asyncio.get_running_loop().time()
            await delivery.feed("Words ")
            if mode == "stream":
                painted = await delivery.first_painted
                assert painted.at - begun <= 2.0
            end = await delivery.finish([], None)
            assert end.failure is None
            assert asyncio.get_running_loop().time() - begun <= 2.0
        for task in flood:
            task.cancel()
        await asyncio.gather(*flood, return_exceptions=True)
        assert workspace.refused == []

    run(main())


def test_notices_are_posted_and_the_many_are_dropped(make_workspace: type[Workspace]) -> None:
    """An outdated notice costs no memory and no calls."""

    async def main() -> None:
        workspace, pacer = make_workspace(), RateLimiter()
        thread = target(1)
        notices = Notices(workspace.calls(thread), pacer)
        ends = await asyncio.gather(*(post(notices, thread) for _ in range(MOST_WAITING + 5)))
        assert ends.count("posted") == MOST_WAITING
        assert ends.count("too_many_notices") == 5
        assert workspace.refused == []
        assert len(workspace.thread(thread).standing()) == MOST_WAITING

    run(main())


def test_a_limit_of_slack_is_waited_out(make_workspace: type[Workspace]) -> None:
    """Another client of the workspace may have used the budget."""

    async def main() -> None:
        workspace, thread = make_workspace(), target(1)
        workspace.faults.append("rate_limited")
        notices = Notices(workspace.calls(thread), RateLimiter())
        assert await post(notices, thread) == "posted"
        workspace.faults.append("server")
        assert await post(notices, thread) == "server"

    run(main())


def test_one_user_with_many_answers_delays_none_of_another(
    make_workspace: type[Workspace],
) -> None:
    """Ten answers of one user begin in a channel; the first words of another come before."""

    async def main() -> None:
        workspace, pacer = make_workspace(), RateLimiter()
        loop = asyncio.get_running_loop()

        async def answer(at: Target) -> float:
            delivery, begun = Delivery(workspace.calls(at), at, pacer, loop.time), loop.time()
            for _ in range(40):
                await delivery.feed("some more words ")
                await asyncio.sleep(0.25)
                if delivery.first_painted.done():
                    break
            painted = await delivery.first_painted
            await delivery.finish([], None)
            return painted.at - begun

        crowd = [asyncio.create_task(answer(target(n))) for n in range(40)]
        await asyncio.sleep(1.0)
        assert await answer(target(99, "U2")) <= 2.0
        await asyncio.gather(*crowd)

    run(main())
