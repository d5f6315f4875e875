"""Bolt's own OAuth flow installs the app in a second workspace and serves both."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from forewarm_playground import virtual_time
from forewarm_playground.slack import LocalSlack
from slack_bolt.async_app import AsyncApp
from slack_bolt.oauth.async_oauth_flow import AsyncOAuthFlow
from slack_bolt.oauth.async_oauth_settings import AsyncOAuthSettings
from slack_sdk.oauth.installation_store import FileInstallationStore
from slack_sdk.oauth.state_store import FileOAuthStateStore
from slack_sdk.web.async_client import AsyncWebClient
from yarl import URL


def installable(slack: LocalSlack, folder: Path) -> AsyncApp:
    """A Bolt app that answers mentions in every workspace that installs it."""
    client = AsyncWebClient(base_url=slack.api_url)
    settings = AsyncOAuthSettings(
        client_id=slack.app.client_id,
        client_secret=slack.app.client_secret,
        scopes=["app_mentions:read", "channels:history", "chat:write"],
        authorization_url=f"{slack.url}/oauth/v2/authorize",
        installation_store=FileInstallationStore(base_dir=str(folder / "installations")),
        state_store=FileOAuthStateStore(expiration_seconds=600, base_dir=str(folder / "states")),
    )
    app = AsyncApp(
        client=client,
        signing_secret=slack.app.signing_secret,
        oauth_flow=AsyncOAuthFlow(client=client, settings=settings),
    )

    @app.event("app_mention")
    async def answer(say: Any, context: Any) -> None:
        await say(f"from {context.team_id} as {context.bot_user_id}")

    @app.event(re.compile(".*"))
    async def rest() -> None:
        return None

    return app


# slack_sdk itself still builds the header with what aiohttp will drop in its next major version.
@pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning")
async def test_bolt_installs_itself_and_serves_both_workspaces(
    world_config: dict[str, Any], tmp_path: Path
) -> None:
    """Each workspace has its own token, bot user and scopes."""
    config = {**world_config, "limits": {"rates": False}}
    config["channels"] = [
        *config["channels"],
        {"id": "C0THEIRS", "workspace": "T0OTHER", "members": ["U0FOREIGN"]},
    ]
    slack = LocalSlack(config, now=virtual_time.now)
    async with slack.serve():
        runner = web.AppRunner(installable(slack, tmp_path).server(port=0).web_app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        base = f"http://127.0.0.1:{runner.addresses[0][1]}"
        slack.point_at(f"{base}/slack/events")
        # Browsers send secure cookies to this machine without TLS, too.
        jar = aiohttp.CookieJar(unsafe=True, treat_as_secure_origin=URL(base))
        async with aiohttp.ClientSession(cookie_jar=jar) as browser:
            for team in ("T0LOCAL", "T0OTHER"):
                await allow(slack, browser, base, team)
        foreign = slack.user("U0FOREIGN")
        foreign.invite("C0THEIRS")
        foreign.mention("C0THEIRS", "how?")
        slack.user("U0ASKER").mention("C0GENERAL", "how?")
        await slack.idle()
        await slack.until(lambda: len(slack.log.of("chat.postMessage")) == 2)
        await slack.until(lambda: bool(slack.bot_messages("C0GENERAL")))
        theirs = slack.state.installations["T0OTHER"]
        assert [m.text for m in slack.bot_messages("C0THEIRS")] == [
            f"from T0OTHER as {theirs.bot_user}"
        ]
        assert [m.text for m in slack.bot_messages("C0GENERAL")] == ["from T0LOCAL as U0BOT"]
        assert theirs.scopes == ("app_mentions:read", "channels:history", "chat:write")
        await runner.cleanup()


async def allow(slack: LocalSlack, browser: aiohttp.ClientSession, base: str, team: str) -> None:
    """Do what a person does: follow the button, choose a workspace, press Allow."""
    async with browser.get(f"{base}/slack/install") as response:
        page = await response.text()
    address = re.search(r'href="(http[^"]+)"', page)
    assert address is not None
    url = address[1].replace("&amp;", "&")
    async with browser.get(url) as response:
        form = dict(
            re.findall(r'type="hidden" name="([^"]*)" value="([^"]*)"', await response.text())
        )
    form |= {"team": team, "allow": "1", "redirect_uri": f"{base}/slack/oauth_redirect"}
    async with browser.post(url, data=form) as response:
        assert response.status == 200, await response.text()
        assert "Thank you" in await response.text()
