"""Tokens that end: renewed in time, also while an answer is being written."""

from __future__ import annotations

import asyncio

import pytest
from forewarm_playground.claude import Latency
from forewarm_playground.slack.models import Grant

from tests.app.workspaces.conftest import CHANNEL, GRID, ONE, PERSON, WEST, Estate, Found
from tests.loglines import log_lines

# slack_sdk itself still builds the header with what aiohttp will drop in its next major version.
pytestmark = pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning")
SHORT = {"token_rotation": True, "token_seconds": 3_600.0}
"""Tokens that no test outlives, and that the bot renews each time that it looks."""
SLOW = Latency(base=0.05, per_uncached_token=0.0001, per_cached_token=0.00001, decode=6.0)


async def renew(running: Estate, grant: Grant) -> None:
    """Let the bot renew its token, as it does by itself two hours before the end."""
    before, installations = grant.token, running.bot.installations
    assert installations is not None
    async with asyncio.timeout(running.patience):
        while grant.token == before:
            # Another look may be renewing it right now.
            await installations._rotate_all()


@pytest.mark.parametrize(("place", "team"), [(ONE, ONE), (GRID, WEST)])
async def test_a_token_is_renewed_while_an_answer_is_written(
    estate: Found, place: str, team: str
) -> None:
    """The token of the first words ends before the last ones, and no call is refused."""
    async with estate(app=SHORT, latency=SLOW) as running:
        await running.browser.install(place)
        await running.open(team)
        grant, calls = running.slack.state.installations[team].grant, running.slack.log.calls
        ts = running.slack.user(PERSON[team]).mention(CHANNEL[team], "how does it work?")
        await running.until(lambda: running.slack.bot_messages(CHANNEL[team], ts), "first words")
        first = grant.token
        await renew(running, grant)
        # A call that was under way has ended, and later ones bear the new token.
        ended = sum(call.ended_at is not None for call in calls)
        await running.until(lambda: sum(c.ended_at is not None for c in calls) > ended + 1, "calls")
        # Slack lets the last token but one end at once.
        await renew(running, grant)
        assert first not in (grant.token, grant.former)
        await running.whole(CHANNEL[team], ts)
        assert [c for c in calls if c.error in ("token_expired", "invalid_auth")] == []
        [row] = await running.bot.store.installations("1.1").all()
        assert row.bot_token in (grant.token, grant.former)


async def test_a_refresh_token_that_slack_refuses_is_told_with_its_remedy(estate: Found) -> None:
    with log_lines() as lines:
        async with estate(app=SHORT) as running:
            await running.browser.install(ONE)
            await running.open(ONE)
            running.slack.state.installations[ONE].grant.refresh_token = "xoxe-another"
            assert running.bot.installations is not None
            await running.bot.installations._rotate_all()
            told = lines.getvalue()
            assert "token_not_rotated" in told
            assert "invalid_refresh_token" in told
            assert f"install the app again at {running.browser.base}/slack/install" in told
            # Another installation, and it goes on.
            await running.browser.install(ONE)
            await running.ask(ONE)
    assert "xoxe" not in lines.getvalue()
