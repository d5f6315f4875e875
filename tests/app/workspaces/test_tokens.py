"""Tokens that end: renewed in time, also while an answer is being written."""

from __future__ import annotations

import pytest
from forewarm_playground.claude import Latency

from tests.app.workspaces.conftest import CHANNEL, GRID, ONE, PERSON, WEST, Found
from tests.loglines import log_lines

# slack_sdk itself still builds the header with what aiohttp will drop in its next major version.
pytestmark = pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning")
LIFE_SECONDS = 4.0
SLOW = Latency(base=0.05, per_uncached_token=0.0001, per_cached_token=0.00001, decode=6.0)


@pytest.mark.parametrize(("place", "team"), [(ONE, ONE), (GRID, WEST)])
async def test_a_token_is_renewed_while_an_answer_is_written(
    estate: Found, place: str, team: str
) -> None:
    """The answer takes longer than a token lives, and none of its calls is refused."""
    app = {"token_rotation": True, "token_seconds": LIFE_SECONDS}
    async with estate(app=app, latency=SLOW) as running:
        await running.browser.install(place)
        await running.open(team)
        grant = running.slack.state.installations[team].grant
        ts = running.slack.user(PERSON[team]).mention(CHANNEL[team], "how does it work?")
        await running.until(lambda: running.slack.bot_messages(CHANNEL[team], ts), "first words")
        begun = grant.token
        await running.whole(CHANNEL[team], ts)
        assert grant.token != begun
        refused = [
            c for c in running.slack.log.calls if c.error in ("token_expired", "invalid_auth")
        ]
        assert refused == []
        stored = await running.bot.store.installations("1.1").all()
        assert [row.bot_token for row in stored] == [grant.token]


async def test_a_refresh_token_that_slack_refuses_is_told_with_its_remedy(estate: Found) -> None:
    app = {"token_rotation": True, "token_seconds": LIFE_SECONDS}
    with log_lines() as lines:
        async with estate(app=app) as running:
            await running.browser.install(ONE)
            await running.open(ONE)
            running.slack.state.installations[ONE].grant.refresh_token = "xoxe-another"
            await running.until(lambda: "token_not_rotated" in lines.getvalue(), "the line")
            told = lines.getvalue()
            assert "invalid_refresh_token" in told
            assert f"install the app again at {running.browser.base}/slack/install" in told
            # Another installation, and it goes on.
            await running.browser.install(ONE)
            await running.ask(ONE)
    assert "xoxe" not in lines.getvalue()
