"""Credentials over https: each host's user name and form, named tokens, and a helper command."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiohttp import web

from benchmarks.made_repository import commit
from bot.context.git.clone import Clone, Secrets
from bot.context.git.credentials import Credential, Credentials
from bot.context.git.urls import parse_url
from tests.slack import githost

GITLAB = parse_url("https://gitlab.com/acme/payments")


@pytest.mark.parametrize(
    ("url", "token", "user"),
    [
        ("https://github.com/a/b", "ghp_x", "x-access-token"),
        ("https://gitlab.com/a/b", "glpat-x", "oauth2"),
        ("https://gitlab.acme.com:8443/a/b", "glpat-x", "oauth2"),
        ("https://bitbucket.org/a/b", "ATCTT3x", "x-token-auth"),
        ("https://bitbucket.org/a/b", "ATATT3x", "x-bitbucket-api-token-auth"),
        ("https://bitbucket.acme.com/scm/pay/b", "BBDC-x", ""),
        ("https://git.acme.com/scm/pay/b", "BBDC-x", ""),
        ("https://dev.azure.com/a/b/_git/c", "x", "x-access-token"),
        ("https://git.acme.com/a/b", "user-1:x:y", "user-1"),
        ("https://bitbucket.acme.com/scm/pay/b", "me:BBDC-x", "me"),
    ],
)
async def test_a_token_comes_with_the_user_that_its_host_expects(
    url: str, token: str, user: str
) -> None:
    address = parse_url(url)
    credentials = Credentials.from_environment({address.token_variable: f" {token}\n"})
    found = await credentials.find(address, "", "b")
    assert found.user == user
    assert found.password == (token.partition(":")[2] or token)


def test_a_token_without_a_user_is_sent_as_a_bearer_in_the_environment_alone() -> None:
    """A Data Center takes the tokens of projects and repositories in no other form."""
    url = parse_url("https://bitbucket.acme.com:7990/scm/pay/b")
    credential = Credential("", "", "BBDC-s3cret")
    assert credential.environment(url) == {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "http.https://bitbucket.acme.com:7990.extraHeader",
        "GIT_CONFIG_VALUE_0": "Authorization: Bearer BBDC-s3cret",
    }
    assert credential.options(url) == ["-c", "credential.helper="]


async def test_a_repositorys_own_token_comes_before_its_hosts() -> None:
    """Two projects of one host have two project tokens."""
    credentials = Credentials.from_environment(
        {
            "FOREWARM_GIT_TOKEN_GITLAB_COM": "glpat-host",
            "FOREWARM_REPOSITORY_TOKEN_PAYMENTS": "glpat-payments",
        }
    )
    assert (await credentials.find(GITLAB, "PAYMENTS", "r")).password == "glpat-payments"
    assert (await credentials.find(GITLAB, "", "r")).password == "glpat-host"
    missing = await credentials.find(GITLAB, "FRONT", "r")
    assert missing.password == ""
    assert "FOREWARM_REPOSITORY_TOKEN_FRONT" in missing.refusal


def _helper(folder: Path, script: str) -> str:
    file = folder / "helper"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o700)
    return str(file)


async def test_a_helper_is_told_the_repository_and_gives_a_password(tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    helper = _helper(
        tmp_path,
        f'echo "$1" >> {asked}; cat >> {asked}; test "$1" = get && echo username=me &&'
        ' echo password=s3cret-$(env | grep -c "^FOREWARM")',
    )
    credentials = Credentials(helper=helper)
    url = parse_url("https://git.acme.com:8443/acme/payments")
    found = await credentials.find(url, "", "r")
    assert (found.user, found.password, found.renewable) == ("me", "s3cret-0", True)
    assert "host=git.acme.com:8443\npath=acme/payments\n" in asked.read_text()
    await credentials.renew(url, found)
    assert "erase\n" in asked.read_text()


@pytest.mark.parametrize(
    "script",
    ["exit 1", "true", "echo nonsense", "echo username=me", "echo username=; echo password="],
)
async def test_a_helper_that_gives_nothing_leaves_a_repository_public(
    tmp_path: Path, script: str
) -> None:
    found = await Credentials(helper=_helper(tmp_path, script)).find(GITLAB, "", "r")
    assert found.environment(GITLAB) == {}
    assert "credential helper" in found.refusal


async def test_a_helper_is_asked_last_and_for_https_alone(tmp_path: Path) -> None:
    helper = _helper(tmp_path, f"touch {tmp_path}/ran")
    credentials = Credentials({"FOREWARM_GIT_TOKEN_GITLAB_COM": "glpat-x"}, helper=helper)
    await credentials.find(GITLAB, "", "r")
    await credentials.find(parse_url("git@gitlab.com:acme/other"), "", "r")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("path", "given", "accepted"),
    [
        ("scm/pay/payments", "BBDC-s3cret", "Bearer BBDC-s3cret"),
        ("scm/pay/payments", "me:BBDC-s3cret", "Basic bWU6QkJEQy1zM2NyZXQ="),
        ("pay/payments", "", "Basic bWU6cmlnaHQ="),
    ],
)
async def test_git_sends_what_the_host_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, given: str, accepted: str
) -> None:
    """A bearer token, a user with a token, and a helper whose first password is out of date."""
    certificate = githost.certificate(tmp_path)
    monkeypatch.setenv("GIT_SSL_CAINFO", str(certificate))
    monkeypatch.setenv("no_proxy", "localhost")
    commit(tmp_path / "host" / path, {"a.py": "x = 1\n"})
    seen: list[str] = []

    async def serve(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Authorization", ""))
        if seen[-1] != accepted:
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="git"'})
        return await githost.answer(tmp_path / "host", request)

    old = tmp_path / "old"
    old.touch()
    helper = _helper(
        tmp_path,
        f'test "$1" = erase && rm {old}\ntest "$1" = get && echo username=me &&'
        f" if test -e {old}; then echo password=wrong; else echo password=right; fi",
    )
    async with githost.serving_tls(serve, certificate) as host:
        url = parse_url(f"https://{host}/{path}.git")
        tokens = {url.token_variable: given} if given else {}
        secrets = Secrets(Credentials(tokens, helper=helper))
        assert len(await Clone("r", url, "main", tmp_path / "home", secrets=secrets).fetch()) == 40
    assert ("Basic bWU6d3Jvbmc=" in seen) == (not given)
