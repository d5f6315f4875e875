"""The whole bot among other bots and in channels without a codebase: it says little, and once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.app.conftest import BARE, SLACK
from tests.running import is_whole

if TYPE_CHECKING:
    from forewarm_playground.slack.person import Person

    from tests.app.conftest import Begin, Product

CHANNEL = "C0PAY"
WITH_ROBOT = {
    "users": (*SLACK["users"], {"id": "U0ROBOT", "name": "robot", "kind": "bot"}),
    "channels": tuple(
        {**channel, "members": (*channel["members"], "U0ROBOT")} for channel in SLACK["channels"]
    ),
}
ROUNDS = 12


async def settled(running: Product) -> None:
    """Wait until a question that was asked after everything else is answered."""
    await running.slack.idle()
    person = running.slack.user("U0ASKER")
    await running.answered(person.dm_channel, person.dm("what is step_7?"))


async def mentions(running: Product, who: Person, channel: str, text: str, thread: str) -> None:
    for _ in range(ROUNDS):
        who.mention(channel, text, thread)
        await running.slack.idle()
    await settled(running)


async def answers(running: Product, number: int) -> None:
    """Wait until the channel holds so many whole answers."""

    def whole() -> bool:
        said = running.slack.bot_messages(CHANNEL)
        return len(said) == number and is_whole(said)

    await running.until(whole, f"answer {number}")


async def test_a_bot_that_mentions_whom_it_hears_is_refused_once(product: Begin) -> None:
    async with product(slack_config=WITH_ROBOT) as running:
        robot = running.slack.user("U0ROBOT")
        root = robot.post(CHANNEL, "build 7 failed")
        await mentions(running, robot, CHANNEL, "why?", root)
        said = running.slack.bot_messages(CHANNEL)
        assert len(said) == 1
        assert "other bots" in said[0].text
        # In a thread of its own it is not told again.
        robot.mention(CHANNEL, "and why?")
        await settled(running)
        assert len(running.slack.bot_messages(CHANNEL)) == 1


async def test_a_channel_without_a_codebase_is_told_so_once_per_thread(product: Begin) -> None:
    async with product(slack_config=WITH_ROBOT) as running:
        person, robot = running.slack.user("U0ASKER"), running.slack.user("U0ROBOT")
        root = person.post(BARE, "hello")
        await mentions(running, person, BARE, "how?", root)
        await mentions(running, person, BARE, "", root)
        assert len(running.slack.bot_messages(BARE)) == 1
        await mentions(running, robot, BARE, "", root)
        assert len(running.slack.bot_messages(BARE)) <= 2


async def test_a_bare_mention_is_explained_once_per_thread(product: Begin) -> None:
    async with product() as running:
        person = running.slack.user("U0ASKER")
        root = person.post(CHANNEL, "hello")
        await mentions(running, person, CHANNEL, "", root)
        assert len(running.slack.bot_messages(CHANNEL)) == 1


async def test_a_listed_bot_that_answers_answers_stops_after_three(product: Begin) -> None:
    listed = '[access]\nbots = ["B0ROBOT"]\n'
    async with product(slack_config=WITH_ROBOT, after=listed) as running:
        robot = running.slack.user("U0ROBOT")
        root = robot.post(CHANNEL, "build 7 failed")
        for number in range(1, 4):
            robot.mention(CHANNEL, f"why {number}?", root)
            await answers(running, number)
        await mentions(running, robot, CHANNEL, "and why?", root)
        assert len(running.slack.bot_messages(CHANNEL)) == 3


async def test_alerts_are_left_alone_in_a_channel_that_answers_questions(product: Begin) -> None:
    async with product(slack_config=WITH_ROBOT, before='mode = "questions"\n') as running:
        robot = running.slack.user("U0ROBOT")
        for webhook in (False, True):
            robot.post(
                CHANNEL,
                "Build 7 failed on main. Details: <https://ci.example.com/job?id=7>",
                webhook=webhook,
            )
            robot.post(CHANNEL, "Which commit broke it?", webhook=webhook)
        await settled(running)
        assert running.slack.bot_messages(CHANNEL) == []
