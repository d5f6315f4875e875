"""Addresses that git may connect to: resolved once, checked, and used as checked."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest
from aiohttp import web

from bot.context.errors import RepositoryError, UnreachableError, UrlError
from bot.context.git.clone import Clone, Secrets, Sources
from bot.context.git.credentials import Credentials
from bot.context.git.network import curl_option, is_proxied, is_public, pinned
from bot.context.git.ssh import ssh_command
from bot.context.git.urls import RepositoryUrl, parse_url
from tests.slack import githost


def _answer(addresses: Sequence[str], host: str, port: int) -> Sequence[str]:
    return addresses


HOST = parse_url("https://git.example.com/acme/payments")
SSH = parse_url("ssh://git@git.example.com/acme/payments")


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "0.0.0.0",  # noqa: S104 - an address to be refused
        "100.64.0.1",
        "::1",
        "fe80::1%eth0",
        "fd00::1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "224.0.0.1",
        "255.255.255.255",
        "ff02::1",
        "192.0.2.1",
        "192.0.0.192",
        "198.18.0.1",
        "168.63.129.16",
        "100.100.100.200",
        "::",
        "::127.0.0.1",
        "::ffff:0:10.0.0.1",
        "::ffff:168.63.129.16",
        "64:ff9b::127.0.0.1",
        "64:ff9b::169.254.169.254",
        "64:ff9b:1::10.0.0.1",
        "2002:7f00:1::",
        "2002:a9fe:a9fe::1",
        "2001::1",
        "2001:db8::1",
        "3fff::1",
        "fec0::1",
        "5f00::1",
    ],
)
def test_private_addresses_are_refused_in_every_spelling(address: str) -> None:
    assert not is_public(address)
    for answer in ([address], ["140.82.121.4", address]):
        with pytest.raises(UrlError, match="no public address"):
            pinned(HOST, partial(_answer, answer))


@pytest.mark.parametrize(
    "address",
    [
        "140.82.121.4",
        "2606:50c0:8000::153",
        "::ffff:140.82.121.4",
        "64:ff9b::140.82.121.4",
        "2a04:4e42::485",
    ],
)
def test_public_addresses_are_used_as_checked(address: str) -> None:
    assert is_public(address)
    assert pinned(HOST, lambda host, port: [address]) == [address]
    (_, option) = curl_option(HOST, [address])
    assert address in option
    assert option.startswith("http.curloptResolve=git.example.com:443:")
    command = ssh_command(SSH, [address], key=None, known_hosts=None, own_keys=True)
    assert f"HostName={address}" in command
    assert "HostKeyAlias=git.example.com" in command


@pytest.mark.parametrize("first", [OSError(), UnicodeError(), []])
@pytest.mark.parametrize("url", [HOST, SSH])
async def test_a_host_that_is_not_found_is_not_asked_for_again_by_git(
    tmp_path: Path, first: Exception | Sequence[str], url: RepositoryUrl
) -> None:
    """A name server could fail once and name the machine itself the second time."""

    def resolver(host: str, port: int) -> Sequence[str]:
        if isinstance(first, Exception):
            raise first
        return first

    strange = Sources(trusts=lambda url: False, may_be_private=lambda url: False)
    clone = Clone("x", url, "main", tmp_path, sources=strange, resolve=resolver)
    with pytest.raises(UnreachableError, match=r"git\.example\.com"):
        await clone.fetch()
    assert curl_option(HOST, ()) == []


def test_a_proxy_resolves_names_itself() -> None:
    assert is_proxied(HOST, {"HTTPS_PROXY": "http://proxy:3128"})
    assert not is_proxied(HOST, {"https_proxy": "http://proxy:3128", "no_proxy": ".example.com"})
    assert not is_proxied(SSH, {"https_proxy": "http://proxy:3128"})
    assert not is_proxied(HOST, {})


async def test_a_name_that_changes_after_the_check_leads_nowhere_else(tmp_path: Path) -> None:
    """DNS rebinding: the second answer of the name server is never asked for."""
    asked: list[str] = []

    def resolver(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["140.82.121.4"] if len(asked) == 1 else ["127.0.0.1"]

    sources = Sources(trusts=lambda url: False, may_be_private=lambda url: False)
    clone = Clone("x", HOST, "main", tmp_path, sources=sources, resolve=resolver)
    assert await clone._addresses() == ["140.82.121.4"]
    assert asked == ["git.example.com"]


async def test_an_address_that_no_operator_named_gets_no_token_and_no_private_network(
    tmp_path: Path,
) -> None:
    secrets = Secrets(Credentials({HOST.token_variable: "s3cret"}), ssh_key=tmp_path / "key")
    strange = Sources(trusts=lambda url: False, may_be_private=lambda url: False)
    clone = Clone("x", HOST, "main", tmp_path, secrets=secrets, sources=strange)
    assert (await clone._find_credential()).environment(HOST) == {}
    assert "IdentityFile=none" in clone._ssh_command()
    assert "IdentityAgent=none" in clone._ssh_command()
    named = Clone("x", HOST, "main", tmp_path, secrets=secrets, sources=Sources())
    assert (await named._find_credential()).environment(HOST)["FOREWARM_GIT_PASSWORD"] == "s3cret"
    assert f"{tmp_path}/key" in named._ssh_command()
    loopback = parse_url("https://localhost/acme/payments")
    clone = Clone(
        "x", loopback, "main", tmp_path, sources=strange, resolve=lambda host, port: ["127.0.0.1"]
    )
    with pytest.raises(UrlError, match="no public address"):
        await clone.fetch()


async def test_a_redirect_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The host was checked; the one that it redirects to was not."""
    certificate = githost.certificate(tmp_path)
    monkeypatch.setenv("GIT_SSL_CAINFO", str(certificate))
    monkeypatch.setenv("no_proxy", "localhost")
    reached: list[str] = []

    async def elsewhere(request: web.Request) -> web.Response:
        reached.append(request.path)
        return web.Response(status=404)

    async with githost.serving_tls(elsewhere, certificate) as target:

        async def redirect(request: web.Request) -> web.Response:
            raise web.HTTPFound(f"https://{target}{request.path_qs}")

        async with githost.serving_tls(redirect, certificate) as host:
            url = parse_url(f"https://{host}/acme/payments")
            with pytest.raises(RepositoryError):
                await Clone("x", url, "main", tmp_path / "home").fetch()
    assert reached == []
