"""Installation with OAuth through Slack's pages, and everything that can go wrong on the way."""

from __future__ import annotations

import shutil

import aiohttp
import pytest
from forewarm_playground.slack.delivery.types import Outcome
from forewarm_playground.slack.installation import leave_organisation, revoke

from bot.app.installation_check import InstallationCheck
from tests.app.workspaces.conftest import (
    CHANNEL,
    EAST,
    GRID,
    ONE,
    PERSON,
    STRICT,
    TWO,
    WEST,
    Estate,
    Found,
    reason,
)
from tests.loglines import log_lines
from tests.security.test_deletion import everything
from tests.security.test_listeners import faults

# slack_sdk itself still builds the header with what aiohttp will drop in its next major version.
pytestmark = pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning")


@pytest.mark.parametrize("sockets", [False, True])
async def test_two_workspaces_and_an_organisation_install_it(estate: Found, sockets: bool) -> None:
    """One process answers in all of them, each with its own token and its own code."""
    with log_lines() as lines:
        async with estate(sockets=sockets) as running:
            for place in (ONE, TWO, GRID):
                status, page = await running.browser.install(place)
                assert status == 200, page
                assert "Thank you" in page
            await running.open(ONE, TWO, EAST, WEST)
            for team in (ONE, TWO, EAST, WEST):
                await running.ask(team)
            tokens = {w.clients.reads.token for w in running.bot.workspaces.values()}
            assert len(tokens) == 3
            await running.slack.until(lambda: running.slack.dispatcher.idle, "the deliveries")
    assert faults(lines) == []


async def test_installations_outlive_the_process(estate: Found) -> None:
    async with estate() as running:
        for place in (ONE, GRID):
            await running.browser.install(place)
        await running.open(ONE, WEST)
        await running.bot.stop()
        running.bot = running.begun()
        await running.bot.start()
        assert set(running.bot.workspaces) == {ONE, WEST}
        await running.ready()
        await running.ask(ONE)
        await running.ask(WEST)


async def test_a_state_is_good_once_and_in_one_browser(estate: Found) -> None:
    async with estate() as running:
        browser = running.browser
        url, form = await browser.begin()
        seen: list[str] = []
        async with browser.session.post(
            url, data={**form, "place": ONE, "allow": "1"}, allow_redirects=False
        ) as response:
            seen.append(response.headers["Location"])
        async with aiohttp_session() as other, other.get(seen[0]) as response:
            assert response.status == 400
            assert "another browser" in reason(await response.text())
        cookie = {"Cookie": f"slack-app-oauth-state={form['state']}"}
        async with browser.session.get(seen[0]) as response:
            assert response.status == 200
        # The very same request again, as a browser's history would send it.
        async with aiohttp_session() as again, again.get(seen[0], headers=cookie) as response:
            assert response.status == 401
            assert "finished already" in reason(await response.text())


def aiohttp_session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession()


async def test_a_refusal_says_in_one_sentence_what_to_change(estate: Found) -> None:
    async with estate(workspaces=(TWO, STRICT)) as running:
        browser = running.browser
        status, page = await browser.install(STRICT, "U0STRICT0")
        assert "ask an admin" in reason(page)
        url, form = await browser.begin()
        status, page = await browser.press(url, form, place=TWO, allow="")
        assert "did not allow" in reason(page)
        status, page = await browser.install(ONE)
        assert status == 403
        assert f"add {ONE} to FOREWARM_WORKSPACES" in reason(page)
        # A token that is not to be used was given back.
        assert running.slack.state.installations[ONE].revoked
        assert not running.bot.workspaces
        session = browser.session
        async with session.get(f"{browser.base}/slack/oauth_redirect?error=<b>x</b>") as response:
            page = await response.text()
            assert "<b>" not in page
            assert "Slack refused" in reason(page)


async def test_another_workspace_goes_on_when_one_removes_the_app(estate: Found) -> None:
    async with estate() as running:
        for place in (ONE, TWO):
            await running.browser.install(place)
        await running.open(ONE, TWO)
        for team in (ONE, TWO):
            await running.ask(team)
        clones = running.bot.settings.home / "repositories"
        assert (clones / ONE).exists()
        revoke(running.slack.state, running.slack.state.installations[ONE])
        await running.until(lambda: ONE not in running.bot.workspaces, "the closing")
        await running.until(lambda: not any((clones / ONE / "clones").glob("*")), "the clones' end")
        await running.slack.until(lambda: running.slack.dispatcher.idle, "the delivery")
        left = await kept(running)
        assert ONE not in left
        assert PERSON[ONE] not in left
        assert CHANNEL[ONE] not in left
        assert PERSON[TWO] in left
        assert [c.workspace for c in running.bot.library.all()] == [TWO]
        await running.ask(TWO, "and still?")
        assert list(await running.bot.missing()) == []


async def test_a_workspace_leaves_its_organisation(estate: Found) -> None:
    """Only its data goes, and a command there says what to do."""
    async with estate() as running:
        await running.browser.install(GRID)
        await running.open(EAST, WEST)
        for team in (EAST, WEST):
            await running.ask(team)
        leave_organisation(running.slack.state, WEST)
        await running.until(lambda: WEST not in running.bot.workspaces, "the closing")
        await running.slack.until(lambda: running.slack.dispatcher.idle, "the delivery")
        outcome = await running.slack.deliver("slash_commands", command_in(WEST))
        assert f"install it here at {running.browser.base}/slack/install" in told(outcome)
        left = await kept(running)
        assert PERSON[WEST] not in left
        assert PERSON[EAST] in left
        await running.ask(EAST, "and still?")
        status, _ = await running.browser.install(GRID)
        assert status == 200


async def test_a_workspace_that_left_without_a_word(estate: Found) -> None:
    """Slack's event was lost: the next request names no organisation."""
    with log_lines() as lines:
        async with estate() as running:
            await running.browser.install(GRID)
            await running.open(WEST)
            outcome = await running.slack.deliver("slash_commands", command_in(WEST))
            assert "has left the organisation" in told(outcome)
            assert WEST not in running.bot.workspaces
            assert not running.bot.library.all()
    assert "workspace_left_organisation" in lines.getvalue()


async def test_an_organisation_removes_the_app(estate: Found) -> None:
    async with estate() as running:
        for place in (GRID, ONE):
            await running.browser.install(place)
        await running.open(EAST, WEST, ONE)
        revoke(running.slack.state, running.slack.state.installations[EAST])
        await running.until(lambda: set(running.bot.workspaces) == {ONE}, "the closing")
        await running.slack.until(lambda: running.slack.dispatcher.idle, "the delivery")
        left = await kept(running)
        assert GRID not in left
        assert WEST not in left
        await running.ask(ONE)


def told(outcome: Outcome) -> str:
    """Return what a command's reply says."""
    return str(outcome.reply["text"]) if isinstance(outcome.reply, dict) else ""


async def kept(running: Estate) -> str:
    """Return what the store holds, but for sums of money, which stay, and announcements."""
    rows = (await everything(running)).splitlines()
    stays = ("spending", "reservations", "state: ('removal'")
    return "\n".join(row for row in rows if not row.startswith(stays))


def command_in(team: str) -> dict[str, object]:
    return {
        "command": "/ask",
        "team_id": team,
        "channel_id": CHANNEL[team],
        "user_id": PERSON[team],
        "api_app_id": "A0LOCAL",
        "is_enterprise_install": "false",
        "trigger_id": "1.1",
        "response_url": "http://127.0.0.1:9/",
        "text": "",
    }


async def test_a_workspace_that_never_installed_it_is_refused(estate: Found) -> None:
    async with estate() as running:
        await running.browser.install(ONE)
        await running.open(ONE)
        asked = len(running.asked)
        event = {"type": "app_mention", "channel": "C0X", "user": "U0X", "text": "?", "ts": "1.1"}
        body = {"type": "event_callback", "team_id": "T0STRANGE", "event": event}
        outcome = await running.slack.deliver("events_api", {**body, "event_id": "Ev1"})
        assert outcome.kind != "acked"
        assert len(running.asked) == asked


async def test_a_person_installs_it_in_a_real_browser(estate: Found) -> None:
    """The secure cookie of the state survives the way through Slack's page and back."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("there is no Chromium on this machine, so no browser test was run")
    from playwright.async_api import async_playwright

    async with estate() as running, async_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = await playwright.chromium.launch(executable_path=chromium, args=arguments)
        page = await browser.new_page()
        page.set_default_timeout(60_000)
        await page.goto(f"{running.browser.base}/slack/install", wait_until="domcontentloaded")
        await page.click("a")
        await page.select_option("select[name=user]", "U0BOSS00")
        await page.select_option("select[name=place]", GRID)
        back = f"{running.browser.base}/slack/oauth_redirect"
        async with page.expect_response(lambda r: r.url.startswith(back)) as redirected:
            await page.click("text=Allow")
        assert (await redirected.value).status == 200
        await browser.close()
        await running.open(EAST)
        await running.ask(EAST)


async def test_check_tries_every_token(estate: Found) -> None:
    async with estate() as running:
        checks = InstallationCheck(running.bot.settings, running.bot.now)
        none = [finding async for finding in checks._installations("1.1")]
        assert [finding.verdict for finding in none] == ["note"]
        for place in (ONE, GRID):
            await running.browser.install(place)
        running.slack.state.installations[ONE].revoked = True
        found = {f.verdict: f.text async for f in checks._installations("1.1")}
        assert GRID in found["good"]
        assert f"install the app again at {running.browser.base}" in found["bad"]
