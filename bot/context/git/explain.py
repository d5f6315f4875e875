"""From git's own words to the error that tells a person what to do."""

from __future__ import annotations

import os
import re
from pathlib import Path

from bot.context.errors import (
    AuthenticationError,
    EmptyRepositoryError,
    GitFailedError,
    RefMissingError,
    RepositoryError,
    UnreachableError,
)
from bot.context.git.safety import last_line
from bot.context.git.urls import RepositoryUrl

ALGORITHM = re.compile(
    r"mismatched algorithms: client (?P<client>sha1|sha256); server (?P<server>sha1|sha256)"
)
_REFUSED = re.compile(
    r"authentication failed|could not read (?:username|password)|permission denied"
    r"|repository (?:'[^']*' )?not found|access denied|returned error: (?:401|403|404)"
    r"|terminal prompts disabled",
    re.IGNORECASE,
)
# Messages of curl over OpenSSL and over GnuTLS. No pattern fits a name: "tls-lib" is a repository.
_TLS = (
    r"ssl (?:ca cert|certificate|connect|peer)|ssl_(?:connect|read|write): |:ssl routines:"
    r"|gnutls(?:_handshake\(\)|, handshake| recv error| send error)|tls connect(?:ion)? "
    r"|certificate (?:verif|subject name)"
)
_UNREACHABLE = re.compile(
    r"could not resolve (?:host|proxy)|connect tunnel failed|from proxy after connect"
    r"|connection (?:refused|timed out|reset)|failed to connect"
    r"|network is unreachable|no route to host|returned error: 5\d\d|early eof"
    rf"|remote end hung up|operation too slow|operation timed out|{_TLS}",
    re.IGNORECASE,
)
_NO_REF = re.compile(r"couldn't find remote ref|no such remote ref|not our ref", re.IGNORECASE)


def local_problem(path: Path) -> str | None:
    """Return why a repository on this machine cannot be read, if its files tell. Reads the disk.

    git says of each of these that there is no repository.
    """
    try:
        if path.is_file():
            return f"{path} is a file, not the folder of a git repository: correct `url`"
        parts = (path, path / ".git", path / ".git" / "objects", path / "objects")
        unreadable = [one for one in parts if one.exists() and not os.access(one, os.R_OK)]
    except PermissionError:
        unreadable = [path]
    if not unreadable:
        return None
    return (
        f"The bot's user may not read {unreadable[0]}, so the repository cannot be fetched: give"
        " that user the right to read the repository and to enter the folders above it"
    )


def explain(
    name: str, url: RepositoryUrl, ref: str, doing: str, stderr: str, refusal: str
) -> RepositoryError:
    """Turn what git wrote into the error that tells a person what to do.

    `refusal` says why the host refused us and how to get in, should it have done so.
    """
    detail = last_line(stderr.encode())
    if algorithm := ALGORITHM.search(stderr):
        return GitFailedError(name, doing, algorithm[0])
    if _NO_REF.search(stderr):
        return EmptyRepositoryError(name) if ref == "HEAD" else RefMissingError(name, ref)
    if url.scheme == "local" and re.search(
        r"does not appear to be a git repository|not a git repository|no such file", stderr, re.I
    ):
        return RepositoryError(
            name, f"There is no git repository at {url.path}: correct the `url` of {name}."
        )
    if url.scheme == "local" and _UNREACHABLE.search(stderr):
        return RepositoryError(
            name,
            f"The repository at {url.path} cannot be read by git ({detail}): see what `git fsck`"
            f" says there, or correct the `url` of {name}.",
        )
    if _REFUSED.search(stderr):
        return AuthenticationError(name, url.host or "The file system", refusal)
    if _UNREACHABLE.search(stderr):
        return UnreachableError(name, *_explain_connection(url, detail))
    return GitFailedError(name, doing, detail)


_SERVER_ERROR = re.compile(r"returned error: (5\d\d)")
_PROXY = re.compile(
    r"resolve proxy|proxy connect|connect tunnel failed|from proxy after connect", re.IGNORECASE
)
_CONNECTS_TO = re.compile(r"failed to connect to (?P<host>\S+) port (?P<port>\d+)", re.IGNORECASE)
_NO_NAME = re.compile(r"could not resolve host", re.IGNORECASE)
_NO_LISTENER = re.compile(r"connection refused", re.IGNORECASE)
_TLS_FAILED = re.compile(_TLS, re.IGNORECASE)


def _explain_connection(url: RepositoryUrl, detail: str) -> tuple[str, str]:
    """Return what failed on the way to a host, and how to fix it."""
    detail = re.sub(r"^fatal: unable to access '[^']*': ", "", detail)
    host, proxies = url.host or "the file system", url.scheme == "https"
    proxy = " or the proxy (HTTPS_PROXY)" if proxies else ""
    connects = _CONNECTS_TO.search(detail)
    through_proxy = f"correct HTTPS_PROXY, let the proxy allow {host}, or name {host} in NO_PROXY"
    if proxies and connects and connects["host"] != url.host:
        proxy_at = f"{connects['host']}:{connects['port']}"
        return f"the proxy {proxy_at} on the way to {host} does not answer", through_proxy
    if proxies and _PROXY.search(detail):
        return (
            f"the proxy on the way to {host} does not let it through ({detail})",
            through_proxy,
        )
    if _NO_NAME.search(detail):
        return (
            f"this machine finds no address for the name {host}",
            f"correct the host in `url`, or the name service (DNS){proxy} of this machine",
        )
    if _NO_LISTENER.search(detail):
        return (
            f"no server listens at {url.server}",
            f"correct the host and the port in `url`{proxy}, or start the server",
        )
    if _TLS_FAILED.search(detail):
        return (
            f"this machine does not trust the connection to {host} ({detail})",
            "set GIT_SSL_CAINFO to the file of your organisation's certificates, or correct `url`",
        )
    if status := _SERVER_ERROR.search(detail):
        return (
            f"{host} answers with its error {status[1]}",
            "it is tried again by itself; if that goes on, ask the operators of that host",
        )
    return (
        f"the connection to {host} fails ({detail})",
        f"correct the host in `url`, or this machine's network{proxy}",
    )
