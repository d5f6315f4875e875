"""Deploy keys by ssh: only this key, only a host key that is pinned, and a fix for each refusal."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.made_repository import commit
from bot.context.errors import AuthenticationError, HostKeyError
from bot.context.git.clone import Clone, Secrets, Sources
from bot.context.git.credentials import Credentials
from bot.context.git.ssh import host_key_name, ssh_command
from bot.context.git.urls import parse_url
from tests.context.git.ssh_host import make_key, ssh_host

pytestmark = pytest.mark.skipif(shutil.which("ssh") is None, reason="there is no ssh client")


@dataclass
class Setup:
    """A repository, a host key and a deploy key that the host accepts."""

    folder: Path
    host_public: str
    accepted: str

    @property
    def root(self) -> Path:
        return self.folder / "host"

    @property
    def host_key(self) -> Path:
        return self.folder / "host key"

    @property
    def key(self) -> Path:
        return self.folder / "deploy key"

    def clone(self, port: int, *, public: str | None = None, trusted: bool = True) -> Clone:
        """Return a clone over ssh. `public` is the host key that is pinned."""
        known = self.folder / "known %h hosts"
        known.write_text(f"[localhost]:{port} {public or self.host_public}\n")
        secrets = Secrets(Credentials(known_hosts=known), ssh_key=self.key)
        url = parse_url(f"ssh://git@localhost:{port}/acme/payments.git")
        sources = Sources(trusts=lambda url: trusted)
        return Clone(
            "payments", url, "main", self.folder / "home", secrets=secrets, sources=sources
        )


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    commit(tmp_path / "host" / "acme" / "payments", {"a.py": "x = 1\n"})
    return Setup(tmp_path, make_key(tmp_path / "host key"), make_key(tmp_path / "deploy key"))


async def test_a_deploy_key_reads_its_repository(setup: Setup) -> None:
    async with ssh_host(setup.root, setup.host_key, setup.accepted) as port:
        assert len(await setup.clone(port).fetch()) == 40


async def test_a_host_key_that_changed_is_not_accepted(setup: Setup) -> None:
    other = make_key(setup.folder / "other")
    async with ssh_host(setup.root, setup.host_key, setup.accepted) as port:
        with pytest.raises(HostKeyError) as caught:
            await setup.clone(port, public=other).fetch()
    said = caught.value.user_message
    assert "its ssh host key is not the one that is pinned" in said
    assert f"only then replace [localhost]:{port} in {setup.folder}/known %h hosts" in said
    assert f"`ssh-keyscan -p {port} localhost`" in said


async def test_a_host_that_is_not_pinned_is_not_accepted(setup: Setup) -> None:
    async with ssh_host(setup.root, setup.host_key, setup.accepted) as port:
        clone = setup.clone(port)
        (setup.folder / "known %h hosts").write_text("")
        with pytest.raises(HostKeyError, match="its ssh host key is not known"):
            await clone.fetch()


async def test_a_key_that_the_host_does_not_know_is_named(setup: Setup) -> None:
    make_key(setup.key)
    async with ssh_host(setup.root, setup.host_key, setup.accepted) as port:
        with pytest.raises(AuthenticationError) as caught:
            await setup.clone(port).fetch()
    assert f"add {setup.key}.pub to the deploy keys" in caught.value.user_message


async def test_a_strangers_address_gets_no_key(setup: Setup) -> None:
    """Neither the deploy key, nor the agent's or the user's own."""
    async with ssh_host(setup.root, setup.host_key, setup.accepted) as port:
        with pytest.raises(AuthenticationError, match="an operator named"):
            await setup.clone(port, trusted=False).fetch()


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("gone", "does not exist: correct `ssh_key`"),
        ("no key", "is no private key that ssh can read"),
        ("passphrase", "take away the key's passphrase by `ssh-keygen -p -N ''"),
        ("open", "may be read by other users: run `chmod 600"),
    ],
)
async def test_a_key_file_that_cannot_be_used_is_named(
    setup: Setup, fault: str, sentence: str
) -> None:
    if fault == "gone":
        setup.key.unlink()
    elif fault == "no key":
        setup.key.write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nnonsense\n")
    elif fault == "passphrase":
        command = ["ssh-keygen", "-q", "-p", "-N", "secret", "-f", str(setup.key)]
        subprocess.run(command, check=True, capture_output=True)
    else:
        setup.key.chmod(0o644)
    async with ssh_host(setup.root, setup.host_key, setup.accepted) as port:
        with pytest.raises(AuthenticationError) as caught:
            await setup.clone(port).fetch()
    assert sentence in caught.value.user_message


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("git@github.com:acme/payments.git", "github.com"),
        ("ssh://git@github.com:22/acme/payments.git", "github.com"),
        ("ssh://git@ssh.github.com:443/acme/payments.git", "[ssh.github.com]:443"),
    ],
)
def test_a_host_key_has_the_name_that_ssh_keyscan_writes(url: str, name: str) -> None:
    assert host_key_name(parse_url(url)) == name
    pinned = ssh_command(
        parse_url(url), ["140.82.121.3"], key=None, known_hosts=None, own_keys=True
    )
    assert name in pinned


def test_without_a_setting_the_users_own_ssh_is_used() -> None:
    command = ssh_command(
        parse_url("git@github.com:a/b"), (), key=None, known_hosts=None, own_keys=True
    )
    assert command == "ssh -o BatchMode=yes -o ConnectTimeout=15 -o ForwardAgent=no"
