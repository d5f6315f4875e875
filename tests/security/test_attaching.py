"""Attaching code: a token serves the people for whom an operator named the repository."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from benchmarks.made_repository import commit
from tests.app.conftest import BARE, CHANNEL, SLACK, Begin, Product
from tests.slack import githost

TOKEN = "glpat-Zk3WqT8vYp2LmNx7"
MARKER = "vault-marker-7f31"
VAULT, JOINT = "C0VAULT", "C0JOINT"
ADMIN, CREATOR, GUEST = "U0ADMIN", "U0ASKER", "U0GUEST"
PEOPLE: dict[str, Any] = {
    "users": (
        *SLACK["users"],
        {"id": ADMIN, "name": "admin", "admin": True},
        {"id": GUEST, "name": "guest", "kind": "guest"},
    ),
    "channels": (
        *SLACK["channels"],
        {"id": VAULT, "name": "vault", "kind": "private", "members": (ADMIN, "bot")},
        {"id": JOINT, "name": "joint", "members": (CREATOR, ADMIN, GUEST, "bot")},
    ),
}


@asynccontextmanager
async def private_host(folder: Path, patch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """Serve `acme/vault` to holders of the token; yield the host."""
    commit(folder / "host" / "acme" / "vault", {"vault.py": f"# {MARKER}\nx = 1\n" * 200})
    made = githost.certificate(folder)
    patch.setenv("GIT_SSL_CAINFO", str(made))
    patch.setenv("no_proxy", "localhost,127.0.0.1")
    patch.setenv("FOREWARM_GIT_TOKEN_LOCALHOST", TOKEN)
    wanted = "Basic " + base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode()

    async def serve(request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != wanted:
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="git"'})
        return await githost.answer(folder / "host", request)

    async with githost.serving_tls(serve, made) as host:
        yield host


def write_vault(folder: Path, host: str, channels: str) -> None:
    (folder / "contexts").mkdir(exist_ok=True)
    (folder / "contexts" / "vault.toml").write_text(
        f'channels = [{channels}]\nmodel = "claude-sonnet-5-5"\n'
        f'[[repositories]]\nurl = "https://{host}/acme/vault"\nname = "vault"\n'
    )


async def attach(running: Product, user: str, channel: str, url: str) -> str:
    """Attach by the form; return what the view says in the end."""
    person = running.slack.user(user)
    await person.open_modal(channel, "/codebase", text=f"attach {url}")
    await running.until(
        lambda: "submit" in person.modal.content or "Only" in str(person.modal.content), "the form"
    )
    if "submit" not in person.modal.content:
        return str(person.modal.content)
    await person.submit()
    ends = ("Save", "cannot", "refused", "Only", "because")
    await running.until(
        lambda: any(end in str(person.modal.content) for end in ends), "the preview"
    )
    if "Save" in str(person.modal.content):
        await person.submit()
        await running.until(lambda: "Saved." in str(person.modal.content), "the saving")
    return str(person.modal.content)


SPELLINGS = (
    "https://{host}/acme/vault",
    "https://{host}/acme/vault.git",
    "https://{host}/acme/vault/",
    "HTTPS://{upper}/acme/vault",
    "https://{host}/acme/%76ault",
    "https://{host}/acme//vault",
)


@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_a_channels_creator_gets_no_code_that_a_file_names_for_others(
    product: Begin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spelling: str
) -> None:
    async with private_host(tmp_path, monkeypatch) as host:
        write_vault(tmp_path, host, f'"{VAULT}"')
        async with product(
            slack_config=PEOPLE, repository_hosts=(host,), creators_attach=True
        ) as running:
            url = spelling.format(host=host, upper=host.upper())
            said = await attach(running, CREATOR, BARE, url)
            assert "Saved." not in said
            ts = running.slack.user(CREATOR).mention(BARE, "what does the vault hold?")
            await running.until(lambda: running.slack.bot_messages(BARE, ts), "a reply")
            assert not any(MARKER in json.dumps(r.body) for r in running.asked if r.body["stream"])


async def test_an_operator_attaches_a_private_repository(
    product: Begin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The preview already needs the token, before anything is saved."""
    async with private_host(tmp_path, monkeypatch) as host:
        async with product(slack_config=PEOPLE, repository_hosts=(host,)) as running:
            running.slack.user(ADMIN).invite(JOINT, "U0PEER")
            said = await attach(running, ADMIN, JOINT, f"https://{host}/acme/vault")
            assert "Saved." in said
            ts = running.slack.user(ADMIN).mention(JOINT, "what does the vault hold?")
            await running.answered(JOINT, ts)
            assert any(MARKER in json.dumps(r.body) for r in running.asked)
        # The context is fetched with the token after a restart too.
        async with product(slack_config=PEOPLE, repository_hosts=(host,)) as again:
            live = again.bot.library.live("slack-c0joint")
            assert live is not None
            assert live.stale == {}


async def test_a_creator_changes_no_context_that_others_own(
    product: Begin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To open it to guests would show the code of a private channel to them."""
    async with private_host(tmp_path, monkeypatch) as host:
        write_vault(tmp_path, host, f'"{VAULT}", "{JOINT}"')
        async with product(
            slack_config=PEOPLE, repository_hosts=(host,), creators_attach=True
        ) as running:
            for channel in (JOINT, CHANNEL):
                person = running.slack.user(CREATOR)
                await person.open_modal(channel, "/codebase")
                await running.until(lambda p=person: "Only" in str(p.modal.content), "the refusal")
                assert "codebase_open_settings" not in str(person.modal.content)
