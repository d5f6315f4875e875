"""The ssh command that git runs: a deploy key of the repository's own, and pinned host keys.

No configuration of the user is read if a key is named, so the key, the host's key and the address
are those that the operator named.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from bot.context.git.urls import DEFAULT_PORTS, RepositoryUrl

_ALWAYS = ("BatchMode=yes", "ConnectTimeout=15", "ForwardAgent=no")
_PINNED = ("StrictHostKeyChecking=yes", "UpdateHostKeys=no")
_ONLY_THIS_KEY = (
    *("-F", os.devnull),
    *("-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none"),
    *("-o", "PreferredAuthentications=publickey"),
)


def ssh_command(
    url: RepositoryUrl,
    pins: Sequence[str],
    *,
    key: Path | None,
    known_hosts: Path | None,
    own_keys: bool,
) -> str:
    """Return the value of `GIT_SSH_COMMAND`.

    `pins` are the addresses that ssh must connect to. `key` is the private key of the repository;
    without it the keys and the agent of the bot's user are tried, if `own_keys` allows that.
    `known_hosts` replaces the files of host keys of the user and the system.
    """
    command = ["ssh"]
    options = list(_ALWAYS)
    if key is not None or not own_keys:
        command += _ONLY_THIS_KEY
        options += [*_PINNED, f"IdentityFile={_quoted(key) if key else 'none'}"]
    if known_hosts is not None:
        options += [*_PINNED, f"UserKnownHostsFile={_quoted(known_hosts)}"]
        options += ["GlobalKnownHostsFile=none"]
    if pins:
        options += [f"HostName={pins[0]}", f"HostKeyAlias={host_key_name(url)}"]
    for option in options:
        command += ["-o", option]
    return shlex.join(command)


def host_key_name(url: RepositoryUrl) -> str:
    """Return the name under which a host key stands in a `known_hosts` file."""
    usual = url.port in (None, DEFAULT_PORTS["ssh"])
    return url.host if usual else f"[{url.host}]:{url.port}"


def _quoted(path: Path) -> str:
    """Write a path as ssh reads it in an option: blanks need quotes, `%` begins a token."""
    return f'"{path.absolute()}"'.replace("%", "%%")


def host_key_problem(url: RepositoryUrl, known_hosts: Path | None, stderr: str) -> tuple[str, str]:
    """Return why a host key was refused, and how to fix it."""
    file = known_hosts or "the user's known_hosts file"
    name = host_key_name(url)
    port = "" if url.port is None else f"-p {url.port} "
    scan = f"`ssh-keyscan {port}{url.host}`"
    if "HOST IDENTIFICATION HAS CHANGED" in stderr:
        return (
            "its ssh host key is not the one that is pinned",
            f"ask its operators whether the key was changed; only then replace {name} in {file}"
            f" by the output of {scan}",
        )
    return (
        "its ssh host key is not known",
        f"add the output of {scan} to {file}, after comparing it with the fingerprint that the"
        " host publishes",
    )


_KEY_PROBLEMS = (
    (
        r"unprotected private key file|bad permissions",
        "may be read by other users: run `chmod 600 {key}`",
    ),
    (r"no such file", "does not exist: correct `ssh_key` of the repository"),
    (r"permission denied$", "may not be read by the bot's user: give it to that user"),
    (r"", "is no private key that ssh can read: name a file that ssh-keygen made"),
)
"""Patterns in ssh's line on a key file, and the end of the sentence on that file."""
_ON_KEY = re.compile(r"^(?:load key .*|no such identity: .*|.*private key file.*)$", re.I | re.M)


def key_refusal(key: Path | None, stderr: str) -> str:
    """Return why a host refused our ssh key, and how to fix it."""
    if key is None:
        return (
            "it accepts none of this machine's ssh keys: name a deploy key by `ssh_key` in the"
            " context's [[repositories]], or correct `url` if the address is wrong"
        )
    if line := _ON_KEY.search(stderr):
        found = line[0].strip()
        end = next(end for pattern, end in _KEY_PROBLEMS if re.search(pattern, found, re.I))
        return f"the deploy key {key} {end.format(key=key)}"
    # ssh does not say so of a key with a passphrase, which it cannot ask for here.
    return (
        f"it does not accept the deploy key {key}: add {key}.pub to the deploy keys of the"
        " repository, with read access, or take away the key's passphrase by `ssh-keygen -p -N ''"
        f" -f {key}`, if it has one"
    )
