"""Passwords in addresses and connection strings, and the signatures and keys in their queries."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.context.secrets.candidate import Candidate, candidate_from
from bot.context.secrets.judgement.passwords import is_marked_password
from bot.context.secrets.judgement.randomness import is_random
from bot.context.secrets.judgement.references import without_templates
from bot.context.secrets.judgement.written import PORT, is_plain, is_written_password
from bot.context.secrets.word_search import find_places, word_of


def find_in_addresses(text: str, words: frozenset[str]) -> Iterator[Candidate]:
    """Yield passwords in addresses with and without `://`, signatures and keys in queries.

    `words` are those of `ADDRESS_WORDS` that the text holds.
    """
    yield from _find_in_urls(text)
    if "@" in text:
        yield from _find_without_scheme(text, words)
    yield from _find_signatures(text, words)
    if "appid" in words:
        yield from _find_query_keys(text)


_ADDRESS_END = re.compile(r"[^\s\"'`<>\\]{1,2000}")
_JOINED = re.compile(
    r"""://[\w.-]{1,60}:["'][ ]?[+.][ ]?["'](?P<value>[^"'\n]{4,200})["'][ ]?[+.][ ]?["']@"""
)


def _find_in_urls(text: str) -> Iterator[Candidate]:
    at = text.find("://")
    while at >= 0:
        following = text.find("://", at + 3)
        run = _ADDRESS_END.match(text, at + 3, following if following >= 0 else len(text))
        joined = _JOINED.match(text, at)
        if joined and is_marked_password(joined["value"]):
            yield candidate_from(joined)
        if run is not None and "@" in run.group():
            yield from _user_part(text, at + 3, run.group())
        at = following


_HOST = re.compile(r"[\w\[{$%.~*-]")


def _user_part(text: str, start: int, run: str) -> Iterator[Candidate]:
    """Yield the password, or the token that stands for a user, of an address behind its `//`."""
    user, colon, _ = run.partition(":")
    last = run.rfind("@")
    if not colon or len(user) > last:
        user = run[: run.find("@")]
        if len(user) >= 20 and "/" not in user and is_random(user):
            yield Candidate(start, start + len(user), "token", "form")
        return
    # A user may be an address of mail; then the host follows a second sign.
    if any(char in user for char in "/?#") or ("@" in user and len(user) > run.rfind("@")):
        return
    begin = len(user) + 1
    secret = run[begin:last]
    if PORT.match(secret):
        secret = run[begin : run.find("@", begin)]
    # A path or a query may hold a further @: the host follows the right one.
    while not _HOST.match(run, begin + len(secret) + 1) and "@" in secret:
        secret = secret[: secret.rfind("@")]
    if is_written_password(secret):
        yield Candidate(start + begin, start + begin + len(secret), "password", "form")


_MYSQL = re.compile(r"[\w.-]{1,64}:(?P<value>[^\s:@\"'`/]{3,200})@(?:tcp|unix|udp)\(")
_ORACLE = re.compile(r"(?:thin|oci):[\w$.-]{1,64}/(?P<value>[^\s\"'`/]{3,200})@")
_SQLPLUS = re.compile(r"sqlplus\s+(?:-\w\s+)?[\w$]{1,64}/(?P<value>[^\s\"'`/]{3,200})@")
_DRIVERS = (
    ("@tcp(", _MYSQL),
    ("@unix(", _MYSQL),
    ("thin:", _ORACLE),
    ("oci:", _ORACLE),
    ("sqlplus", _SQLPLUS),
)


def _find_without_scheme(text: str, words: frozenset[str]) -> Iterator[Candidate]:
    """Yield passwords of addresses without `://`: MySQL's for Go, Oracle's, those of sqlplus."""
    for anchor, pattern in _DRIVERS:
        for at in find_places(text, anchor) if word_of(anchor) in words else ():
            match = pattern.search(text, max(0, at - 270), at + 300)
            if match is None or is_plain(match["value"]):
                continue
            if without_templates(match["value"]) == match["value"]:
                yield candidate_from(match)


_SIGNATURE = re.compile(r"sig(?:nature)?=(?P<value>[A-Za-z0-9%+/=_-]{20,200})", re.IGNORECASE)


def _find_signatures(text: str, words: frozenset[str]) -> Iterator[Candidate]:
    """Yield the signatures of Azure's shared access and of Amazon's addresses."""
    for anchor, before in (("sig=", 0), ("Signature=", 6)):
        for at in find_places(text, anchor) if word_of(anchor) in words else ():
            match = _SIGNATURE.match(text, at)
            in_query = text[max(0, at - before - 1) : at] in ("?", "&", ";", "?X-Amz-", "&X-Amz-")
            if match and in_query and is_random(match["value"].replace("%", "")):
                yield candidate_from(match, "signature")


_QUERY_KEY = re.compile(r"[?&]appid=(?P<value>[0-9a-f]{32})(?![0-9a-f])")


def _find_query_keys(text: str) -> Iterator[Candidate]:
    """Yield the keys of OpenWeather: `?appid=…`."""
    for at in find_places(text, "appid="):
        match = _QUERY_KEY.match(text, at - 1)
        if match:
            yield candidate_from(match)


ADDRESS_WORDS = frozenset(
    ["sig", "signature", "appid", *(word_of(anchor) for anchor, _ in _DRIVERS)]
)
