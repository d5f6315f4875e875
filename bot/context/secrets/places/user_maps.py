"""Passwords in maps of users: `users = {"admin": "…"}`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.context.secrets.candidate import Candidate
from bot.context.secrets.judgement.passwords import is_password, is_word_secret
from bot.context.secrets.word_search import find_places

USER_MAP_WORDS = frozenset(["users", "accounts", "passwords"])

_PASSWORDS = re.compile(
    r"""(?i:passwords)["']?[ \t]{0,8}(?::=|[=:>)])[^\n{}]{0,60}\{(?P<body>[^{}]{4,2000})\}"""
)
_USERS = re.compile(
    r"""(?:users|USERS|Users|accounts|Accounts|ACCOUNTS)["']?[^\n{}]{0,60}[=:>)][^\n{}]{0,60}\{(?P<body>[^{}]{4,2000})\}"""
)
_MEMBER = re.compile(
    r"""["']?[\w.@-]{1,60}["']?\s{0,4}(?::|=>?)\s{0,4}["'](?P<value>[^"'\s]{4,100})["']"""
)


def find_in_user_maps(text: str, words: frozenset[str]) -> Iterator[Candidate]:
    """Yield the passwords of `users = {"admin": "…"}` and of `passwords = {"admin": "…"}`.

    `words` are those of `USER_MAP_WORDS` that the text holds.
    """
    for word in ("passwords", "PASSWORDS", "Passwords"):
        for at in find_places(text, word) if "passwords" in words else ():
            found = _PASSWORDS.match(text, at)
            for member in _MEMBER.finditer(text, *found.span("body")) if found else ():
                if member["value"][0].islower() and is_word_secret(member["value"]):
                    yield Candidate(*member.span("value"), "password", "quotes")
    for word in ("users", "Users", "USERS", "accounts", "Accounts", "ACCOUNTS"):
        for at in find_places(text, word) if word.lower() in words else ():
            found = _USERS.match(text, at)
            for member in _MEMBER.finditer(text, *found.span("body")) if found else ():
                if member["value"][0] not in "#\\" and is_password(member["value"]):
                    yield Candidate(*member.span("value"), "password", "quotes")
