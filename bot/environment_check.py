"""What an environment holds that no setting can use, each told in one sentence.

The functions take the environment as an argument: only `bot.settings` reads it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from bot.nearest import nearest

OURS = "FOREWARM_"
FAMILIES = ("FOREWARM_GIT_TOKEN_", "FOREWARM_REPOSITORY_TOKEN_")
"""How variables begin whose rest names a host or a repository."""

PROXIES = ("HTTPS_PROXY", "HTTP_PROXY")
_TOKEN = re.compile(r"[!-~]*", re.ASCII)
CERTIFICATES = ("SSL_CERT_FILE", "GIT_SSL_CAINFO")


def address_problem(address: str) -> str | None:
    """Return why no HTTP client can use an address, None if one can."""
    try:
        parts = urlsplit(address)
        parts.port  # noqa: B018 - it is checked when it is read
    except ValueError:
        return "it is no address, such as one with a port that is no number up to 65535"
    if parts.scheme not in ("http", "https"):
        return "it must begin with https:// or http://"
    if not parts.hostname or any(letter.isspace() for letter in address):
        return "it names no host"
    return None


def network_problems(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return a sentence for each proxy, certificate and git token that no connection can use."""
    given = {name.upper(): value for name, value in environment.items() if value}
    return (
        *_proxy_problems(given),
        *_certificate_problems(given),
        *_git_token_problems(environment),
    )


def _proxy_problems(given: Mapping[str, str]) -> Iterator[str]:
    for name in PROXIES:
        # The value is not shown: it may hold a password.
        problem = address_problem(given[name]) if name in given else None
        if problem is not None:
            yield (
                f"{name} cannot be used as a proxy: {problem}; set it to an address such as"
                " http://proxy.example.com:3128, or remove it."
            )


def _certificate_problems(given: Mapping[str, str]) -> Iterator[str]:
    for name in CERTIFICATES:
        problem = _unusable_bundle(Path(given[name])) if name in given else None
        if problem is not None:
            yield (
                f"{name} is {given[name]}, which cannot be used ({problem}), so no certificate can"
                " be checked: set it to a file of certificates in PEM, or remove it."
            )


def _git_token_problems(environment: Mapping[str, str]) -> Iterator[str]:
    """Tell of tokens that a git host would call wrong, because of how they were written."""
    for name, value in environment.items():
        token = value.strip()
        if not name.startswith(FAMILIES):
            continue
        if token[:1] in ("'", '"'):
            yield f"{name} begins with a quotation mark: remove it at both ends."
        elif _TOKEN.fullmatch(token) is None:
            yield (
                f"{name} holds a blank, a line break or another character that no token has: copy"
                " the token again, and nothing else."
            )


def _unusable_bundle(path: Path) -> str | None:
    import ssl

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
    except ssl.SSLError:
        return "it holds no certificate"
    except OSError as error:
        return (error.strerror or "it cannot be read").lower()
    return None


def unknown_settings(environment: Mapping[str, str], known: Collection[str]) -> dict[str, str]:
    """Return the variables that look like settings and are none, each with the nearest name.

    The name is empty if no setting resembles it.
    """
    # All begin alike, so only the rest is compared.
    rests = [name.removeprefix(OURS).lower() for name in known if name.startswith(OURS)]
    found = {}
    for name in sorted(name for name, value in environment.items() if value):
        upper = name.upper()
        if upper.startswith(OURS) and upper not in known and not upper.startswith(FAMILIES):
            close = nearest(upper.removeprefix(OURS).lower(), rests)
            found[name] = f"{OURS}{close.upper()}" if close else ""
    return found
