"""Two replicas with OAuth on one PostgreSQL: what happens at one holds at the other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from forewarm_playground.claude import Latency
from forewarm_playground.slack.installation import leave_organisation, revoke

from bot.app import bot as bot_module
from bot.app.bot import Bot
from tests.app.workspaces.conftest import CHANNEL, EAST, GRID, ONE, PERSON, TWO, WEST, Estate, Found
from tests.app.workspaces.test_install import kept

# slack_sdk itself still builds the header with what aiohttp will drop in its next major version.
pytestmark = pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning")
SLOW = Latency(base=0.05, per_uncached_token=0.0001, per_cached_token=0.00001, decode=10.0)


@asynccontextmanager
async def second_replica(running: Estate, home: Path) -> AsyncIterator[Bot]:
    """Start another replica on the same database; people install at the first one's address."""
    settings = running.bot.settings.model_copy(update={"home": home, "port": 0})
    second = Bot(settings)
    await second.start()
    try:
        yield second
    finally:
        await second.stop()


def tell(running: Estate, bot: Bot) -> None:
    """Let Slack speak to one of the replicas alone from now on."""
    running.slack.point_at(f"http://127.0.0.1:{bot.web.port}/slack/events")


async def closed(running: Estate, second: Bot, *teams: str) -> None:
    """Wait until both replicas have closed workspaces and keep no clone of them."""
    bots = (running.bot, second)
    clones = [b.settings.home / "repositories" / t / "clones" for b in bots for t in teams]
    await running.until(
        lambda: not [bot for bot in bots if set(teams) & set(bot.workspaces)], "the closing"
    )
    await running.until(
        lambda: not [one for folder in clones for one in folder.glob("*")], "the clones' end"
    )


async def test_what_is_installed_at_one_replica_is_served_by_the_other(
    estate: Found, database: str, tmp_path: Path
) -> None:
    async with (
        estate(database_url=database) as running,
        second_replica(running, tmp_path / "second") as second,
    ):
        for place in (ONE, GRID):
            await running.browser.install(place)
        tell(running, second)
        for team in (ONE, WEST):
            running.slack.user(PERSON[team]).invite(CHANNEL[team])
        await running.until(lambda: {ONE, WEST} <= set(second.workspaces), "the opening")
        await running.until(lambda: second.library.all() and second.library.complete, "the packs")
        for team in (ONE, WEST):
            assert await running.ask(team)
        assert WEST not in running.bot.workspaces


async def test_a_workspace_that_removes_the_app_is_closed_at_both(
    estate: Found, database: str, tmp_path: Path
) -> None:
    async with (
        estate(database_url=database) as running,
        second_replica(running, tmp_path / "second") as second,
    ):
        for place in (ONE, TWO):
            await running.browser.install(place)
        await running.open(ONE, TWO)
        tell(running, second)
        await running.ask(ONE)
        revoke(running.slack.state, running.slack.state.installations[ONE])
        await closed(running, second, ONE)
        await running.slack.until(lambda: running.slack.dispatcher.idle, "the delivery")
        left = await kept(running)
        assert ONE not in left
        assert PERSON[ONE] not in left
        # Installed again at the first replica, it is served by the second one.
        await running.browser.install(ONE)
        assert await running.ask(ONE, "and again?")
        assert ONE in second.workspaces
        await running.ask(TWO, "and still?")


@pytest.mark.parametrize("whole", [True, False], ids=["organisation", "workspace"])
async def test_what_an_organisation_takes_away_is_closed_at_both(
    estate: Found, database: str, tmp_path: Path, whole: bool
) -> None:
    """The event comes to a replica that has not opened the workspace; the other one has."""
    async with (
        estate(database_url=database) as running,
        second_replica(running, tmp_path / "second") as second,
    ):
        await running.browser.install(GRID)
        await running.open(EAST, WEST)
        for team in (EAST, WEST):
            await running.ask(team)
        assert not second.workspaces
        tell(running, second)
        gone = (EAST, WEST) if whole else (WEST,)
        if whole:
            revoke(running.slack.state, running.slack.state.installations[EAST])
        else:
            leave_organisation(running.slack.state, WEST)
        await closed(running, second, *gone)
        await running.slack.until(lambda: running.slack.dispatcher.idle, "the delivery")
        left = await kept(running)
        assert not [team for team in gone if team in left or PERSON[team] in left]
        assert (EAST in set(running.bot.workspaces)) is not whole


async def test_an_answer_of_a_replica_that_ends_is_taken_over(
    estate: Found, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other replica has never heard of the workspace's thread, and uses its token."""
    monkeypatch.setattr(bot_module, "FINISH_SECONDS", 0.0)
    async with (
        estate(database_url=database, latency=SLOW) as running,
        second_replica(running, tmp_path / "second") as second,
    ):
        for place in (ONE, TWO):
            await running.browser.install(place)
        await running.open(ONE, TWO)
        ts = running.slack.user(PERSON[TWO]).mention(CHANNEL[TWO], "how does it work?")
        await running.until(lambda: running.slack.bot_messages(CHANNEL[TWO], ts), "first words")
        held = set(running.bot.inbox.questions)
        assert held
        tell(running, second)
        await running.bot.stop()
        await running.until(lambda: held <= set(second.inbox.questions), "the takeover")
        await running.whole(CHANNEL[TWO], ts)
        wrong = [c for c in running.slack.log.calls if c.error in ("invalid_auth", "not_authed")]
        assert wrong == []
