"""Passwords in maps of users: `users = {"admin": "…"}`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.context.secrets.candidate import Candidate
from bot.context.secrets.judgement.passwords import is_marked_password, is_password, is_word_secret
from bot.context.secrets.word_search import find_places

USER_MAP_WORDS = frozenset(["users", "accounts", "passwords", "credentials", "logins"])

_PASSWORDS = re.compile(
    r"""(?i:passwords)["']?[ \t]{0,8}(?::=|[=:>)])[^\n{}]{0,60}\{(?P<body>[^{}]{4,2000})\}"""
)
_USERS = re.compile(
    r"""(?:users|USERS|Users|accounts|Accounts|ACCOUNTS)["']?[^\n{}]{0,60}[=:>)][^\n{}]{0,60}\{(?P<body>[^{}]{4,2000})\}"""
)
_MEMBER = re.compile(
    r"""["']?[\w.@-]{1,60}["']?\s{0,4}(?::|=>?)\s{0,4}["'](?P<value>[^"'\s]{4,100})["']"""
)


_CREDENTIALS = re.compile(
    r"""(?i:credentials|logins)["']?[ \t]{0,8}(?::=|[=:])[ \t]{0,8}\{(?P<body>[^{}]{4,2000})\}"""
)
_OF_SETTING = re.compile(
    r"""(?i)["'](?:\w*(?:user|name|mail|host|region|zone|type|url|uri|key|token|secret|passw?\w*"""
    r"""|scopes?|method|provider|version|path|file|format)|(?:\w*_)?id)["']\s{0,4}(?::|=)"""
)
"""A key of an object of settings, whose keys are no users."""
_PAIRS = re.compile(
    r"""(?i:users|accounts|credentials|logins)["']?[ \t]{0,8}(?::[^=\n]{0,40}=|[=:])[ \t]{0,8}"""
    r"""[\[({]\s{0,20}(?P<body>[(\[{]\s{0,8}["'][^=:]{4,2000}?[)\]}]\s{0,8},?\s{0,20}[\])}])"""
)
"""A list of pairs of texts."""
_PAIR = re.compile(
    r"""[(\[{]\s{0,8}["'][^"'\n]{1,60}["']\s{0,8},\s{0,8}["'](?P<value>[^"'\s]{4,100})["']\s{0,8}[)\]}]"""
)


def find_in_user_maps(text: str, words: frozenset[str]) -> Iterator[Candidate]:
    """Yield the passwords of `users = {"admin": "…"}` and of `passwords = {"admin": "…"}`.

    `words` are those of `USER_MAP_WORDS` that the text holds.
    """
    for at in _places(text, words, "passwords"):
        yield from _find_in_passwords(text, at)
    for word in ("users", "accounts"):
        for at in _places(text, words, word):
            yield from _find_in_users(text, at)
            yield from _find_in_pairs(text, at)
    for word in ("credentials", "logins"):
        for at in _places(text, words, word):
            yield from _find_in_credentials(text, at)
            yield from _find_in_pairs(text, at)


def _places(text: str, words: frozenset[str], word: str) -> Iterator[int]:
    for written in (word, word.upper(), word.capitalize()) if word in words else ():
        yield from find_places(text, written)


def _find_in_passwords(text: str, at: int) -> Iterator[Candidate]:
    found = _PASSWORDS.match(text, at)
    for member in _MEMBER.finditer(text, *found.span("body")) if found else ():
        if member["value"][0].islower() and is_word_secret(member["value"]):
            yield Candidate(*member.span("value"), "password", "quotes")


def _find_in_users(text: str, at: int) -> Iterator[Candidate]:
    found = _USERS.match(text, at)
    for member in _MEMBER.finditer(text, *found.span("body")) if found else ():
        if member["value"][0] not in "#\\" and is_password(member["value"]):
            yield Candidate(*member.span("value"), "password", "quotes")


def _find_in_credentials(text: str, at: int) -> Iterator[Candidate]:
    """Yield the passwords of `credentials = {"ada": "…"}`, but none of an object of settings."""
    found = _CREDENTIALS.match(text, at)
    if found is None or _OF_SETTING.search(found["body"]):
        return
    for member in _MEMBER.finditer(text, *found.span("body")):
        if is_marked_password(member["value"]):
            yield Candidate(*member.span("value"), "password", "quotes")


def _find_in_pairs(text: str, at: int) -> Iterator[Candidate]:
    """Yield the passwords of `users = [("ada", "…"), …]`: words only beside a clear password."""
    found = _PAIRS.match(text, at)
    pairs = [*_PAIR.finditer(text, *found.span("body"))] if found else []
    has_clear = any(is_marked_password(pair["value"]) for pair in pairs)
    for pair in pairs:
        if (is_word_secret if has_clear else is_password)(pair["value"]):
            yield Candidate(*pair.span("value"), "password", "quotes")
