"""Logins and cookies in the headers of requests, and in recordings and settings of them."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator

from bot.context.secrets.candidate import Candidate, candidate_from
from bot.context.secrets.judgement.randomness import is_random
from bot.context.secrets.literals import ENCODED_BYTE
from bot.context.secrets.word_search import find_places

HEADER_WORDS = frozenset(["auth", "asic", "plain", "cookie"])


def find_in_headers(text: str, words: frozenset[str]) -> Iterator[Candidate]:
    """Yield base64 of a user and a password, and the cookies of sessions.

    `words` are those of `HEADER_WORDS` that the text holds.
    """
    yield from _find_basic_logins(text, words)
    if "plain" in words:
        yield from _find_sasl_logins(text)
    if "cookie" in words:
        yield from _find_cookies(text)


_DOCKER_AUTH = re.compile(
    r"""auth\\{0,2}["']?[ \t]{0,8}[:=][ \t]{0,8}\\{0,2}["']?"""
    r"(?P<value>[A-Za-z0-9+/]{8,2000}={0,2})"
)
_BASIC = re.compile(r"asic[ \t]{1,4}(?P<value>[A-Za-z0-9+/]{8,2000}={0,2})")


def _find_basic_logins(text: str, words: frozenset[str]) -> Iterator[Candidate]:
    """Yield base64 of `user:password`: of an `Authorization` header, and of Docker's settings."""
    for anchor, pattern in (("auth", _DOCKER_AUTH), ("asic ", _BASIC)):
        for at in find_places(text, anchor) if anchor.strip() in words else ():
            match = pattern.match(text, at)
            if match and _is_login(match["value"]):
                yield candidate_from(match)


def _is_login(encoded: str) -> bool:
    try:
        plain = base64.b64decode(encoded[: len(encoded) // 4 * 4])
    except (binascii.Error, ValueError):
        return False
    user, colon, secret = plain.partition(b":")
    return bool(colon and user and secret) and plain.isascii() and plain.decode().isprintable()


_SASL = re.compile(r"AUTH PLAIN (?P<value>[A-Za-z0-9+/]{8,400}={0,2})")


def _find_sasl_logins(text: str) -> Iterator[Candidate]:
    """Yield the logins of mail: `AUTH PLAIN …`."""
    for at in find_places(text, "AUTH PLAIN "):
        match = _SASL.match(text, at)
        if match and match["value"][:1].isalnum() and _is_sasl(match["value"]):
            yield candidate_from(match)


def _is_sasl(encoded: str) -> bool:
    try:
        return base64.b64decode(encoded).count(b"\0") == 2
    except (binascii.Error, ValueError):
        return False


_COOKIES = re.compile(
    r"""ookie(?::[ ]|\\{0,2}["']\s{0,8}(?:,\s{0,40}["']value["']\s{0,4})?(?:=>|[:=,])\s{0,8}"""
    r"""\\{0,2}["'](?=[^"'\n]{1,80}=))"""
)
_SESSION = re.compile(
    r"(?i:[\w.-]{0,40}(?:sess|sid|auth|token|csrf|xsrf)[\w.-]{0,40})=(?P<value>[^;\s\"']{16,400})"
)


def _find_cookies(text: str) -> Iterator[Candidate]:
    """Yield the values of session cookies in headers, in code and in a browser's recordings."""
    done = 0
    for at in find_places(text, "ookie"):
        if at < done:
            continue
        head = _COOKIES.match(text, at)
        if head is None:
            listed = _RECORDED.match(text, at)
            if listed:
                done = listed.end()
                yield from _find_recorded_cookies(text, listed)
            continue
        newline = text.find("\n", at, at + 600)
        done = stop = newline if newline >= 0 else at + 600
        for match in _SESSION.finditer(text, head.end(), stop):
            if is_random(ENCODED_BYTE.sub("", match["value"])):
                yield candidate_from(match, "cookie")


_RECORDED = re.compile(r'ookies"\s{0,4}:\s{0,4}\[[^\]]{0,4000}')
_RECORDED_VALUE = re.compile(r'"value"\s{0,4}:\s{0,4}"(?P<value>[^"\\]{16,2000})"')


def _find_recorded_cookies(text: str, listed: re.Match[str]) -> Iterator[Candidate]:
    """Yield the values of the list `"cookies"` in a recording of a browser (HAR)."""
    for match in _RECORDED_VALUE.finditer(text, *listed.span()):
        if is_random(ENCODED_BYTE.sub("", match["value"])):
            yield candidate_from(match, "cookie")
