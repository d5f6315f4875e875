"""How git is run: no prompt, no hook, no configuration of the user or the system, no transport."""

from __future__ import annotations

import os
from collections.abc import Mapping

_KEPT = ("PATH", "HOME", "TMPDIR", "SSH_AUTH_SOCK", "GIT_SSL_CAINFO", "GIT_SSL_CAPATH")
_KEPT_PROXIES = ("https_proxy", "http_proxy", "all_proxy", "no_proxy")


def hardened_environment(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment for git: no prompts, no user's or system's configuration, no hooks.

    Replaced objects are off: the same commit shows the same bytes on every machine.
    """
    source = os.environ if environ is None else environ
    names = {*_KEPT, *_KEPT_PROXIES, *(name.upper() for name in _KEPT_PROXIES)}
    kept = {name: value for name, value in source.items() if name in names}
    return {
        **kept,
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "true",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_NO_LAZY_FETCH": "1",
        # No transport at all, even if the folder's own configuration allows one.
        "GIT_ALLOW_PROTOCOL": "none",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_PAGER": "cat",
    }


SAFE_OPTIONS = (
    "-c",
    f"core.hooksPath={os.devnull}",
    "-c",
    "core.fsmonitor=false",
    "-c",
    "safe.directory=*",
    "-c",
    "protocol.allow=never",
    "-c",
    "log.showSignature=false",
    "-c",
    f"gpg.program={os.devnull}",
    "-c",
    f"gpg.ssh.program={os.devnull}",
    "-c",
    f"gpg.x509.program={os.devnull}",
    "-c",
    "core.pager=cat",
    "-c",
    "core.sshCommand=false",
    "-c",
    "core.alternateRefsCommand=true",
    "-c",
    "diff.external=",
    "-c",
    "credential.helper=",
)
"""Options that take every program out of a folder's own configuration. `safe.directory` lets git
read a folder that an operator named. `forewarm pack PATH` reads folders of strangers: nothing that
such a folder names may run. A transport is opened by the code that fetches, one by one."""


_BLAMING = ("fatal:", "error:", "remote:")


def last_line(stderr: bytes) -> str:
    """Return the last line in which git says what went wrong, printable and short."""
    lines = [line for line in stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    # ssh says why in a line of its own; after it git says only that it could not read.
    blamed = [line for line in lines if line.startswith("ssh:")]
    blamed = blamed or [line for line in lines if line.startswith(_BLAMING)] or lines
    text = blamed[-1] if blamed else ""
    return "".join(char if char.isprintable() else "?" for char in text)[:300].strip(" .")
