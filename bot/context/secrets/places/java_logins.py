"""Passwords among the arguments of Java's connections to databases, and in arrays of characters."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.context.secrets.candidate import Candidate, candidate_from
from bot.context.secrets.judgement.passwords import is_marked_password, is_word_secret
from bot.context.secrets.word_search import find_places

JAVA_WORDS = frozenset(["getconnection", "jdbc", "tochararray"])


def find_in_java_logins(text: str, words: frozenset[str]) -> Iterator[Candidate]:
    """Yield the passwords in a text of Java, Kotlin or Scala.

    `words` are those of `JAVA_WORDS` that the text holds.
    """
    if "getconnection" in words:
        yield from _find_in_connections(text, "getConnection", _CONNECTION)
    if "jdbc" in words:
        yield from _find_in_connections(text, '"jdbc:', _AFTER_JDBC)
    if "tochararray" in words:
        yield from _find_in_character_arrays(text)


_CONNECTION = re.compile(
    r"""getConnection\s{0,4}\([^()\n]{0,300},\s{0,40}"(?P<value>[^"\n]{4,200})"\s{0,4}\)"""
)
_AFTER_JDBC = re.compile(
    r'"jdbc:[^"\n]{1,300}"\s{0,4},\s{0,40}"[^"\n]{1,60}"\s{0,4},\s{0,40}"(?P<value>[^"\n]{4,200})"'
)
"""An address, a user and a password, as all libraries for databases take them."""


def _find_in_connections(text: str, anchor: str, pattern: re.Pattern[str]) -> Iterator[Candidate]:
    for at in find_places(text, anchor):
        found = pattern.match(text, at)
        if found and is_word_secret(found["value"]):
            yield candidate_from(found)


_CHARACTERS = re.compile(r'"(?P<value>[^"\\\n]{4,200})\Z')
"""Java takes passwords as arrays of characters, and little else."""


def _find_in_character_arrays(text: str) -> Iterator[Candidate]:
    for at in find_places(text, '".toCharArray()'):
        found = _CHARACTERS.search(text, max(0, at - 200), at)
        floor = max(0, at - 200)
        is_login = text.rfind("assword", floor, at) > text.rfind("\n", floor, at)
        if found and (is_word_secret if is_login else is_marked_password)(found["value"]):
            yield candidate_from(found)
