"""A bot that several workspaces and a Grid organisation install through the local Slack's pages."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from forewarm_playground.claude import Config, LocalClaude
from forewarm_playground.claude.request_log import RequestRecord
from forewarm_playground.slack.local import LocalSlack
from pydantic import SecretStr
from yarl import URL

from benchmarks.made_repository import commit
from bot.app.bot import Bot
from bot.commands.local.demo_stack import free_port
from bot.settings import Settings
from bot.slack.manifest import Features, manifest
from tests.app.conftest import QUICK
from tests.running import Running, local_settings

ONE, TWO, EAST, WEST, GRID = "T0ONE0", "T0TWO0", "T0EAST0", "T0WEST0", "E0GRID0"
STRICT = "T0STRICT0"
CHANNEL = {ONE: "C0ONE0", TWO: "C0TWO0", EAST: "C0EAST0", WEST: "C0WEST0"}
PERSON = {ONE: "U0ONE00", TWO: "U0TWO00", EAST: "U0EAST00", WEST: "U0WEST00"}
MARKER = {team: f"marker_{team.lower()}" for team in CHANNEL}
SLACK: dict[str, Any] = {
    "workspaces": (
        {"id": ONE, "name": "One", "installed": False},
        {"id": TWO, "name": "Two", "installed": False},
        {"id": EAST, "name": "East", "enterprise_id": GRID, "installed": False},
        {"id": WEST, "name": "West", "enterprise_id": GRID, "installed": False},
        {"id": STRICT, "name": "Strict", "installed": False, "approval": True},
    ),
    "users": (
        *({"id": user, "name": user.lower(), "workspace": team} for team, user in PERSON.items()),
        {"id": "U0BOSS00", "name": "boss", "workspace": EAST, "admin": True},
        {"id": "U0STRICT0", "name": "strict", "workspace": STRICT},
    ),
    "channels": tuple(
        {"id": channel, "name": channel.lower(), "workspace": team, "members": (PERSON[team],)}
        for team, channel in CHANNEL.items()
    ),
    "limits": {"rates": False},
    "delivery": {"retry_seconds": ()},
}


class Browser:
    """A browser as a person uses it, with its own cookies."""

    def __init__(self, session: aiohttp.ClientSession, base: str) -> None:
        self.session = session
        self.base = base

    async def begin(self) -> tuple[str, dict[str, str]]:
        """Open the page that installs the app, then Slack's; return its address and its form."""
        async with self.session.get(f"{self.base}/slack/install") as response:
            page = await response.text()
        address = re.search(r'href="(http[^"]+)"', page)
        assert address is not None, page
        url = address[1].replace("&amp;", "&")
        async with self.session.get(url) as response:
            hidden = r'type="hidden" name="([^"]*)" value="([^"]*)"'
            return url, dict(re.findall(hidden, await response.text()))

    async def press(self, url: str, form: Mapping[str, str], **chosen: str) -> tuple[int, str]:
        """Answer Slack's page; return the status and the text of the page that follows."""
        async with self.session.post(url, data={**form, **chosen}) as response:
            return response.status, await response.text()

    async def install(self, place: str, user: str = "") -> tuple[int, str]:
        """Install the app in a workspace or an organisation."""
        url, form = await self.begin()
        return await self.press(url, form, place=place, user=user, allow="1")


def reason(page: str) -> str:
    """Return the sentence of the page on which an installation has failed."""
    found = re.search(r'<p id="reason">(.*?)</p>', page)
    assert found is not None, page
    return found[1]


@dataclass
class Estate(Running):
    """A running bot, the workspaces, and a browser."""

    browser: Browser
    folder: Path
    begun: Callable[[], Any]
    roots: dict[str, str] = field(default_factory=dict)

    @property
    def asked(self) -> list[RequestRecord]:
        """The requests for messages, in order: warm-ups and questions, no counting."""
        return [r for r in self.claude.requests if r.path == "/v1/messages"]

    async def open(self, *teams: str) -> None:
        """Invite the bot into the channels of workspaces and wait for their contexts."""
        for team in teams:
            self.slack.user(PERSON[team]).invite(CHANNEL[team])
        # A workspace of an organisation is opened by its first event.
        await self.until(lambda: set(teams) <= set(self.bot.workspaces), "the opening")
        await self.until(
            lambda: {c.workspace for c in self.bot.library.all()} >= set(teams), "the contexts"
        )
        await self.ready()

    async def ask(self, team: str, text: str = "how does it work?") -> str:
        """Ask in a workspace's channel; return the whole answer."""
        ts = self.slack.user(PERSON[team]).mention(CHANNEL[team], text)
        return "".join(m.text for m in await self.whole(CHANNEL[team], ts, f"{team}'s answer"))


Found = Callable[..., Any]


@pytest.fixture
def estate(tmp_path: Path) -> Found:
    """Return what starts a bot: `async with estate(...) as running`."""

    @asynccontextmanager
    async def found(
        *, sockets: bool = False, app: Mapping[str, Any] | None = None, **settings: Any
    ) -> AsyncIterator[Estate]:
        for team in CHANNEL:
            write_context(tmp_path, team)
        port = free_port()
        base = f"http://127.0.0.1:{port}"
        made = manifest(Features(oauth_url=base))
        made["settings"]["token_rotation_enabled"] = False
        async with AsyncExitStack() as stack:
            slack = LocalSlack({**SLACK, "app": {"manifest": made, **(app or {})}})
            await stack.enter_async_context(slack.serve())
            claude = LocalClaude(Config(latency=settings.pop("latency", QUICK)))
            url = await stack.enter_async_context(claude.serve())

            def begun() -> Bot:
                values: dict[str, Any] = {
                    **local_settings(slack, url, tmp_path, with_token=False),
                    "slack_client_id": slack.app.client_id,
                    "slack_client_secret": SecretStr(slack.app.client_secret),
                    "slack_signing_secret": SecretStr(slack.app.signing_secret),
                    "public_url": base,
                    "port": port,
                    "workspaces": (ONE, TWO, GRID, STRICT),
                    "sync_seconds": 3600.0,
                    "limited_history": bool((app or {}).get("commercial")),
                    **({} if sockets else {"slack_app_token": None}),
                    **settings,
                }
                return Bot(Settings.model_construct(**values))

            bot = begun()
            await bot.start()
            # Browsers send secure cookies to this machine without TLS, too.
            jar = aiohttp.CookieJar(unsafe=True, treat_as_secure_origin=URL(base))
            session = await stack.enter_async_context(aiohttp.ClientSession(cookie_jar=jar))
            if not sockets:
                slack.point_at(f"{base}/slack/events")
            running = Estate(slack, claude, bot, Browser(session, base), tmp_path, begun)
            try:
                yield running
            finally:
                await running.bot.stop()
            slack.assert_quiet()

    return found


def write_context(folder: Path, team: str, **more: str) -> None:
    """Give a workspace a repository with its marker, and a context file."""
    code, name = folder / f"code-{team.lower()}", team.lower()
    if not code.exists():
        commit(code, {"app.py": f"def {MARKER[team]}():\n    return 1\n", "README.md": "# App\n"})
    contexts = folder / "contexts"
    contexts.mkdir(exist_ok=True)
    lines = [f"{key} = {value}" for key, value in more.items()]
    (contexts / f"{name}.toml").write_text(
        f'workspace = "{team}"\nchannels = ["{CHANNEL[team]}"]\nmodel = "claude-sonnet-5-5"\n'
        + "\n".join(lines)
        + f'\n[[repositories]]\nurl = "{code}"\nname = "{name}"\n'
    )
