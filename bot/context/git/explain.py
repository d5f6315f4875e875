"""From git's own words to the error that tells a person what to do. Pure."""

from __future__ import annotations

import re

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
    r"could not resolve host(?:name)?|connection (?:refused|timed out|reset)|failed to connect"
    r"|network is unreachable|no route to host|returned error: 5\d\d|early eof"
    rf"|remote end hung up|operation too slow|operation timed out|{_TLS}",
    re.IGNORECASE,
)
_NO_REF = re.compile(r"couldn't find remote ref|no such remote ref|not our ref", re.IGNORECASE)


def explain(
    name: str, url: RepositoryUrl, ref: str, doing: str, stderr: str, fix: str
) -> RepositoryError:
    """Turn what git wrote into the error that tells a person what to do.

    `fix` says how to get in, if the host refused us.
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
    if _REFUSED.search(stderr):
        return AuthenticationError(name, url.host or "The file system", fix)
    if _UNREACHABLE.search(stderr):
        return UnreachableError(name, url.host or "The file system", detail)
    return GitFailedError(name, doing, detail)
