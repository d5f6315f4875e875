"""Tokens of a GitHub App: issued for one repository, replaced in time, refused with a reason."""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import pytest
from aiohttp import web

from benchmarks.made_repository import commit
from bot.context.errors import AuthenticationError, RepositoryError, TokenError
from bot.context.git.clone import Clone, Secrets, Sources
from bot.context.git.credentials import Credentials
from bot.context.git.github_app import REFRESH_SECONDS, GitHubApp, api_address
from bot.context.git.urls import parse_url
from tests.context.git.github_host import APP_ID, TOKEN_SECONDS, GitHubHost, private_key
from tests.slack import githost


@cache
def _keys() -> tuple[str, str]:
    return private_key()


@dataclass
class Setup:
    """A host with two repositories, and an App that is installed on one of them."""

    host: GitHubHost
    address: str
    home: Path
    read_key: Callable[[], str]
    app_id: str = APP_ID
    now: Callable[[], float] = time.time

    def app(self) -> GitHubApp:
        return GitHubApp(self.app_id, self.read_key, self.address, lambda: self.now())

    def clone(self, app: GitHubApp, path: str = "acme/payments", **options: object) -> Clone:
        url = parse_url(f"https://{self.address}/{path}.git")
        secrets = Secrets(Credentials(issuer=app))
        sources = Sources(trusts=lambda url: not options.get("strange"))
        return Clone("payments", url, "main", self.home, secrets=secrets, sources=sources)


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with two repositories and a certificate, for all tests of this module."""
    folder = tmp_path_factory.mktemp("material")
    for name in ("payments", "open"):
        commit(folder / "host" / "acme" / name, {"a.py": "x = 1\n"})
    githost.certificate(folder)
    return folder


@pytest.fixture
async def setup(
    material: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Setup]:
    certificate = material / "certificate.pem"
    monkeypatch.setenv("GIT_SSL_CAINFO", str(certificate))
    monkeypatch.setenv("no_proxy", "localhost")
    private, public = _keys()
    host = GitHubHost(material / "host", public, installed={"acme/payments"})
    async with host.serve(certificate) as address:
        yield Setup(host, address, tmp_path / "home", lambda: private)


async def test_a_token_reads_one_repository_and_nothing_else(setup: Setup) -> None:
    assert len(await setup.clone(setup.app()).fetch()) == 40
    assert setup.host.asked == [{"repositories": ["payments"], "permissions": {"contents": "read"}}]
    assert set(setup.host.git_users) <= {"", "x-access-token:" + "ghs_" + "0" * 36}


async def test_a_token_that_expires_during_a_fetch_is_replaced_once(setup: Setup) -> None:
    """It answers for the list of refs, and no more when the objects are asked for."""
    setup.host.lives = [1]
    assert len(await setup.clone(setup.app()).fetch()) == 40
    assert len(setup.host.tokens) == 2
    first, second = setup.host.tokens
    used = [user.partition(":")[2] for user in setup.host.git_users if user]
    assert used.index(second) > len(used) - 1 - used[::-1].index(first)


async def test_a_token_that_is_never_accepted_is_replaced_once_only(setup: Setup) -> None:
    setup.host.lives = [0, 0, 0, 0]
    with pytest.raises(AuthenticationError, match="permission Contents: Read-only"):
        await setup.clone(setup.app()).fetch()
    assert len(setup.host.tokens) == 2


async def test_a_token_is_used_again_and_replaced_before_it_expires(setup: Setup) -> None:
    app, begin = setup.app(), time.time()
    for at, issued in ((0.0, 1), (TOKEN_SECONDS - REFRESH_SECONDS - 60, 1), (TOKEN_SECONDS, 2)):
        setup.now = partial(float, begin + at)
        setup.host.ahead = at
        await setup.clone(app).fetch()
        assert len(setup.host.tokens) == issued


async def test_a_public_repository_needs_no_installation(setup: Setup) -> None:
    setup.host.open_to_all = {"acme/open"}
    assert len(await setup.clone(setup.app(), "acme/open").fetch()) == 40
    assert setup.host.tokens == {}


async def test_a_repository_without_the_app_is_named(setup: Setup) -> None:
    with pytest.raises(AuthenticationError) as caught:
        await setup.clone(setup.app(), "acme/open").fetch()
    assert f"the GitHub App {APP_ID} is not installed on acme/open" in caught.value.user_message


async def test_another_host_and_a_strangers_address_get_no_token(setup: Setup) -> None:
    app = setup.app()
    for url in ("https://localhost/acme/payments", f"ssh://git@{setup.address}/acme/payments"):
        assert not app.serves(parse_url(url))
    with pytest.raises(AuthenticationError, match="an operator named"):
        await setup.clone(app, strange=True).fetch()
    assert setup.host.asked == []


def _unreadable() -> str:
    raise FileNotFoundError(2, "No such file or directory")


WRONG: dict[str, tuple[Callable[[Setup], object], str]] = {
    "a wrong private key": (
        lambda s: setattr(s, "read_key", lambda: private_key()[0]),
        "the private key does not belong to it: generate a key on the page of the App 123456",
    ),
    "no key at all": (
        lambda s: setattr(s, "read_key", lambda: "not a key"),
        "its private key is no RSA key in PEM",
    ),
    "a key file that is gone": (
        lambda s: setattr(s, "read_key", _unreadable),
        "GITHUB_APP_PRIVATE_KEY_FILE cannot be read (No such file or directory)",
    ),
    "another App's id": (
        lambda s: setattr(s, "app_id", "9"),
        "knows no such App: set GITHUB_APP_ID",
    ),
    "a clock that is slow": (
        lambda s: setattr(s.host, "ahead", 1800.0),
        "s behind localhost",
    ),
    "a clock that is fast": (
        lambda s: setattr(s.host, "ahead", -1800.0),
        "s ahead of localhost",
    ),
    "a suspended installation": (
        lambda s: setattr(s.host, "suspended", True),
        "its installation is suspended",
    ),
    "no right to read code": (
        lambda s: setattr(s.host, "permissions", {"metadata": "read"}),
        "it may not read code: give it the permission Contents: Read-only",
    ),
    "a repository that was renamed": (
        lambda s: setattr(s.host, "renamed", True),
        "it was renamed or moved: correct its `url`",
    ),
    "a host that is down": (
        lambda s: setattr(s, "address", "localhost:9"),
        "its API does not answer",
    ),
}


@pytest.mark.parametrize("case", list(WRONG))
async def test_a_fault_is_named_in_one_sentence(setup: Setup, case: str) -> None:
    change, sentence = WRONG[case]
    change(setup)
    with pytest.raises(TokenError) as caught:
        await setup.clone(setup.app()).fetch()
    said = caught.value.user_message
    assert sentence in said
    assert said.startswith("The GitHub App ")
    assert said.count(". ") == 0
    assert "BEGIN" not in said


async def test_a_package_that_is_missing_is_named(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jwt", None)
    with pytest.raises(RepositoryError, match=r"pip install 'forewarm-bot\[github-app\]'"):
        await setup.clone(setup.app()).fetch()


async def test_the_app_itself_can_be_asked_for(setup: Setup) -> None:
    assert await setup.app().check() == "Reader"
    setup.host.permissions = {"metadata": "read"}
    with pytest.raises(TokenError, match="may not read code"):
        await setup.app().check()


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("github.com", "https://api.github.com"),
        ("acme.ghe.com", "https://api.acme.ghe.com"),
        ("github.acme.com", "https://github.acme.com/api/v3"),
        ("github.acme.com:8443", "https://github.acme.com:8443/api/v3"),
    ],
)
def test_every_kind_of_host_has_its_api(host: str, address: str) -> None:
    assert api_address(host) == address


async def test_the_users_netrc_does_not_stand_in_the_way_of_the_apps_signature(
    setup: Setup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The HTTP library reads it if it takes proxies from the environment."""
    file = tmp_path / "netrc"
    file.write_text("machine localhost login me password theirs\n")
    file.chmod(0o600)
    monkeypatch.setenv("NETRC", str(file))
    assert len(await setup.clone(setup.app()).fetch()) == 40


@pytest.mark.parametrize("path", ["acme/payments%3Fx=/y", "acme/payments%23"])
async def test_a_path_with_signs_of_an_address_gets_no_token_of_another_repository(
    setup: Setup, path: str
) -> None:
    """`/repos/acme/payments?x=/installation` is the address of another answer, with another id."""
    with pytest.raises(RepositoryError):
        await setup.clone(setup.app(), path).fetch()
    assert setup.host.asked == []


@pytest.mark.parametrize(
    "body", [{}, {"id": "77"}, {"id": 77, "token": 5}, {"id": 77, "token": "t", "expires_at": "x"}]
)
async def test_an_unexpected_reply_is_a_fault_of_the_host(
    setup: Setup, body: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy or a page for signing in may answer in the host's place."""

    async def answer(request: web.Request, path: str) -> web.Response:
        return web.json_response(body, status=201 if path.endswith("tokens") else 200)

    monkeypatch.setattr(setup.host, "_api", answer)
    with pytest.raises(TokenError):
        await setup.clone(setup.app()).fetch()
