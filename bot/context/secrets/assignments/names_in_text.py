"""The names of secrets in a text: their places, and what each name says of its value.

A cheap search finds the words that such names hold. Only the names around them are read.
"""

from __future__ import annotations

import re
import string
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from bot.context.secrets.assignments.login_calls import is_login
from bot.context.secrets.judgement.names import (
    Strength,
    is_key_name,
    is_password_name,
    secret_strength,
)
from bot.context.secrets.word_search import word_of

_WORDS = {
    word_of(word): word.encode()
    for word in (
        "pass",
        "pw",
        "secret",
        "token",
        "cred",
        "auth",
        "key",
        "bearer",
        "login",
        "connect",
        "psk",
        "jwt",
        "salt",
        "pepper",
        "mnemonic",
        "sessionid",
        "erlang",
    )
}
"""The words of secrets' names, by the longest run of letters in each."""

NAME_WORDS = frozenset(_WORDS)


@dataclass(slots=True)
class NameInText:
    """A secret's name at the characters `start:end` of a text.

    `kind` tells how the file writes values. `name` is the name without a method. `strength` and
    `label` tell the kind of its secret.
    """

    text: str
    kind: str
    start: int
    end: int
    name: str
    strength: Strength
    label: str


def find_name_hits(data: bytes, words: frozenset[str]) -> list[int]:
    """Return the places of the words of secrets' names, in order.

    `words` are those of `NAME_WORDS` that the data holds.
    """
    hits: list[int] = []
    if words.isdisjoint(_WORDS):
        return hits
    lower = data.lower()
    for gate, word in _WORDS.items():
        at = lower.find(word) if gate in words else -1
        while at >= 0:
            hits.append(at)
            at = lower.find(word, at + len(word))
    hits.sort()
    return hits


_NAME_CHARACTERS = (string.ascii_letters + string.digits + "_-$.").encode()
_NAME_SHAPE = bytes(0x61 if byte in _NAME_CHARACTERS else 0x20 for byte in range(256))
_FARTHEST = 100
"""Characters of a name that are looked at, before and after the word that was found."""


def name_shape(text: str) -> bytes:
    """Return the text with `a` for each character of a name and a blank for each other one."""
    return text.encode("latin-1").translate(_NAME_SHAPE)


def find_name(text: str, shape: bytes, hit: int) -> tuple[int, int]:
    """Return the start and end of the name around a hit; `shape` is the text's `name_shape`."""
    # This runs for each hit: a call of `max` would take as long as the search.
    start = shape.rfind(b" ", hit - _FARTHEST if hit > _FARTHEST else 0, hit) + 1
    if not start and hit > _FARTHEST:
        start = hit - _FARTHEST
    end = shape.find(b" ", hit, hit + _FARTHEST)
    if end < 0:
        end = min(len(text), hit + _FARTHEST)
    while text[end - 1] in "-.$":
        end -= 1
    return start, end


class Meaning(NamedTuple):
    """What a name says: the name without a method, and which values it may have."""

    name: str
    strength: Strength | None
    takes_login: bool
    is_key: bool
    is_password: bool
    label: str


NOTHING = Meaning("", None, False, False, False, "")
_METHOD = re.compile(r"\.(?:equals(?:IgnoreCase)?|eq|compareTo|set|push|add|append|new)\Z")


@lru_cache(maxsize=16_384)
def read_name(written: str) -> Meaning:
    """Return what a name says, or `NOTHING` if its value is no secret and it takes no login."""
    name = _METHOD.sub("", written)
    strength = secret_strength(name)
    is_key = strength is None and is_key_name(name)
    is_password = strength == "password" and is_password_name(name)
    takes_login = is_login(name)
    if strength is None and not takes_login and not is_key:
        return NOTHING
    label = label_of(name, strength or "key")
    return Meaning(name, strength, takes_login, is_key, is_password, label)


def label_of(name: str, strength: Strength) -> str:
    """Return the word that a masked value of this name is labelled with."""
    lower = name.lower()
    for word in ("password", "passwd", "pwd", "passphrase", "pass"):
        if word in lower:
            return "password"
    if "token" in lower or "bearer" in lower:
        return "token"
    if "secret" in lower or strength == "password":
        return "secret"
    return "key"
