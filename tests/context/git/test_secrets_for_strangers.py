"""An address that no operator named gets nothing that belongs to the operator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bot.context.codebase import Codebase
from bot.context.config.load import parse_context
from bot.context.errors import AuthenticationError, RepositoryError
from bot.context.git.clone import Clone, Secrets, Sources
from bot.context.git.credentials import Credentials
from bot.context.git.urls import parse_url
from tests.context.conftest import Repo
from tests.context.git.test_clone import TOKEN, private_host

__all__ = ["private_host"]

ENVIRON = {"FOREWARM_GIT_TOKEN_LOCALHOST": TOKEN}
STRANGE = Sources(trusts=lambda url: False)


@pytest.fixture
def netrc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the bot's user a `.netrc` with the token, as a developer's machine has one."""
    home = tmp_path / "user"
    home.mkdir()
    file = home / ".netrc"
    file.write_text(f"machine localhost login x-access-token password {TOKEN}\n")
    file.chmod(0o600)
    monkeypatch.setenv("HOME", str(home))


@pytest.mark.usefixtures("netrc")
@pytest.mark.parametrize("sources", [STRANGE, Sources()], ids=["strange", "named"])
async def test_the_users_netrc_is_never_read(
    repo: Repo, tmp_path: Path, private_host: tuple[str, list[str]], sources: Sources
) -> None:
    """curl reads it by itself. It knows hosts but no ports, and asks nobody who named the host."""
    url, seen = private_host
    repo.commit({"a.txt": b"1"})
    clone = Clone("r", parse_url(url), "main", tmp_path / "home", sources=sources)
    with pytest.raises(AuthenticationError):
        await clone.fetch()
    assert set(seen) == {""}


async def test_a_private_clone_is_no_answer_to_a_fetch_without_its_token(
    repo: Repo, tmp_path: Path, private_host: tuple[str, list[str]]
) -> None:
    """A fetch that fails falls back to what was fetched before. That belongs to who named it."""
    url, _ = private_host
    commit = repo.commit({"a.txt": b"private"})
    secrets = Secrets(Credentials(ENVIRON))

    def clone(sources: Sources) -> Clone:
        return Clone(
            "r", parse_url(url), "main", tmp_path / "home", secrets=secrets, sources=sources
        )

    assert await clone(Sources()).fetch() == commit
    stranger = clone(STRANGE)
    with pytest.raises(AuthenticationError):
        await stranger.fetch()
    assert stranger.head() is None
    assert stranger.fetched_at() is None
    assert clone(Sources()).head() == commit


@pytest.mark.parametrize("spelling", ["{url}", "{url}.git", "{url}/"])
async def test_a_second_context_gets_nothing_of_the_first_ones_private_code(
    repo: Repo, tmp_path: Path, private_host: tuple[str, list[str]], spelling: str
) -> None:
    url, _ = private_host
    repo.commit({"a.txt": b"private"})
    url = url.removesuffix(".git")

    def codebase(name: str, url: str, sources: Sources) -> Codebase:
        body: dict[str, Any] = {"channels": ["C0A"], "repositories": [{"url": url, "name": "r"}]}
        config = parse_context(name, body, file="Slack")
        return Codebase(
            config,
            tmp_path / "home",
            now=lambda: 0.0,
            credentials=Credentials(ENVIRON),
            sources=sources,
        )

    vault = codebase("vault", url + ".git", Sources())
    await vault.sync()
    assert (await vault.pack()).files == 1
    theirs = codebase("theirs", spelling.format(url=url), STRANGE)
    with pytest.raises(RepositoryError):
        await theirs.sync()
