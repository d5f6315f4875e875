"""Fetching attached files from Slack's hosts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from slack_sdk.errors import SlackApiError

from bot.answer.question import File, file_of
from bot.app.attachments import ELSEWHERE, NO_SCOPE, NOT_GIVEN, SlackAttachments

TOKEN = "xoxb-test"


@dataclass
class Host:
    """A file server that wants the token, and what it was asked for."""

    url: str = ""
    asked: list[str] = field(default_factory=list)

    async def give(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        name = request.path.rpartition("/")[2]
        if request.headers.get("Authorization") != f"Bearer {TOKEN}" or name == "private":
            return web.Response(text="<html>Sign in</html>", content_type="text/html")
        if name == "elsewhere":
            raise web.HTTPFound("https://evil.example/")
        if name == "page.html":
            return web.Response(text="<html>mine</html>", content_type="text/html")
        return web.Response(body=b"0123456789" * 10)


class Client:
    """Knows the facts of stubs."""

    token = TOKEN
    proxy: str | None = None

    def __init__(self, files: dict[str, Any]) -> None:
        self._files = files

    async def files_info(self, file: str) -> dict[str, Any]:
        if file not in self._files:
            raise SlackApiError("failed", {"ok": False, "error": "file_not_found"})
        return {"file": self._files[file]}


@pytest.fixture
async def host() -> AsyncIterator[Host]:
    host = Host()
    app = web.Application()
    app.router.add_get("/{tail:.*}", host.give)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield host
    await runner.cleanup()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def reader(
    host: Host, session: aiohttp.ClientSession, *, may_read: bool = True, **files: Any
) -> SlackAttachments:
    client: Any = Client(files)
    return SlackAttachments(client, session, f"{host.url}/api/", may_read=may_read)


def at(url: str, **more: Any) -> File:
    return file_of({"id": "F1", "name": "a.log", "url_private": url, **more})


async def test_a_file_is_fetched_to_a_limit(host: Host, session: aiohttp.ClientSession) -> None:
    whole = await reader(host, session).fetch(at(f"{host.url}/files/a.log"), 1_000)
    assert (whole.data, whole.whole) == (b"0123456789" * 10, True)
    exact = await reader(host, session).fetch(at(f"{host.url}/files/a.log"), 100)
    assert exact.whole
    part = await reader(host, session).fetch(at(f"{host.url}/files/a.log"), 25)
    assert (part.data, part.whole) == (b"0123456789012345678901234", False)


async def test_a_stub_of_another_organisation_is_looked_up(
    host: Host, session: aiohttp.ClientSession
) -> None:
    """Slack Connect sends an id and `check_file_info` instead of the facts."""
    stub = file_of({"id": "F9", "file_access": "check_file_info"})
    assert stub.stub
    facts = {"id": "F9", "name": "b.sql", "url_private": f"{host.url}/files/b.sql"}
    fetched = await reader(host, session, F9=facts).fetch(stub, 1_000)
    assert fetched.file.name == "b.sql"
    assert fetched.data is not None
    unknown = await reader(host, session).fetch(stub, 1_000)
    assert unknown.problem == NOT_GIVEN


async def test_without_the_permission_nothing_is_asked(
    host: Host, session: aiohttp.ClientSession
) -> None:
    """An installation from before the permission goes on working."""
    fetched = await reader(host, session, may_read=False).fetch(at(f"{host.url}/files/a"), 10)
    assert (fetched.problem, host.asked) == (NO_SCOPE, [])


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("https://evil.example/files/a", ELSEWHERE),
        ("http://files.slack.com/files/a", ELSEWHERE),
        ("https://files.slack.com.evil.example/a", ELSEWHERE),
        ("https://files.slack.com@evil.example/a", ELSEWHERE),
        ("file:///etc/passwd", ELSEWHERE),
        ("https://files.slack.com:8443/files/a", ELSEWHERE),
        ("https://someone@files.slack.com/files/a", ELSEWHERE),
        ("https://evil.example\\@files.slack.com/a", ELSEWHERE),
        ("https://files.slack.com\\@evil.example/a", ELSEWHERE),
        ("https://[evil/a", ELSEWHERE),
        ("https://files.slack.com]/a", ELSEWHERE),
        ("//files.slack.com/a", ELSEWHERE),
        ("https://files.slack.com\uff0fevil.example/a", ELSEWHERE),
    ],
)
async def test_the_token_goes_to_slack_alone(
    host: Host, session: aiohttp.ClientSession, url: str, problem: str
) -> None:
    assert (await reader(host, session).fetch(at(url), 10)).problem == problem
    assert host.asked == []


@pytest.mark.parametrize("name", ["private", "elsewhere"])
async def test_a_page_for_signing_in_is_no_file(
    host: Host, session: aiohttp.ClientSession, name: str
) -> None:
    fetched = await reader(host, session).fetch(at(f"{host.url}/files/{name}"), 1_000)
    assert fetched.problem == NOT_GIVEN


async def test_an_attached_page_is_a_file(host: Host, session: aiohttp.ClientSession) -> None:
    page = at(f"{host.url}/files/page.html", name="page.html", size=17)
    assert (await reader(host, session).fetch(page, 1_000)).data == b"<html>mine</html>"
    # The page for signing in has another size than the file that Slack tells of.
    refused = at(f"{host.url}/files/private", name="page.html", size=17)
    assert (await reader(host, session).fetch(refused, 1_000)).problem == NOT_GIVEN


async def test_a_file_comes_through_slacks_proxy(
    host: Host, session: aiohttp.ClientSession
) -> None:
    """In a network whose only way out is a proxy, files are read, too."""
    client: Any = Client({})
    client.proxy = host.url
    away = "http://slack.unreachable.example"
    files = SlackAttachments(client, session, f"{away}/api/", may_read=True)
    assert (await files.fetch(at(f"{away}/files/a.log"), 1_000)).whole
