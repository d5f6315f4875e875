"""Search for fixed words: which of them a text holds, and at which places.

The scanner seeks some hundred fixed texts, and nearly all files hold few of them. Splitting a text
into its words once takes a fraction of the time that seeking each of them takes.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import AnyStr

_RUN = re.compile(r"[a-z]{2,}")


@lru_cache(maxsize=512)
def word_of(anchor: str) -> str:
    """Return the longest run of letters of a text that is sought, in small letters."""
    runs: list[str] = _RUN.findall(anchor.lower())
    return max(runs, key=len)


_AS_WORDS = bytes(
    ord(chr(byte).lower()) if chr(byte) in string.ascii_letters else 0x20 for byte in range(256)
)
_MOST_KEPT = 1_000_000
"""Bytes of words that are remembered."""


class HeldWords:
    """Tells which of the words `sought` a text holds, also within longer words, in any case."""

    def __init__(self, sought: Iterable[str]) -> None:
        # A word that holds another one is sought only in texts with that one.
        self._sought: dict[bytes, list[bytes]] = {}
        for word in sorted({word.encode() for word in sought}, key=lambda word: (len(word), word)):
            shorter = next((other for other in self._sought if other in word), None)
            if shorter is None:
                self._sought[word] = []
            else:
                self._sought[shorter].append(word)
        # The words of texts repeat: for most, a look into this set is all.
        self._without: set[bytes] = set()
        self._kept = 0

    def within(self, data: bytes) -> frozenset[str]:
        """Return the sought words that stand in the data."""
        fresh = set(data.translate(_AS_WORDS).split()) - self._without
        joined = b" ".join(fresh)
        held = [word for word in self._sought if word in joined]
        for word in held:
            fresh.difference_update(_words_with(word, joined))
        self._remember(fresh)
        held += [longer for word in held for longer in self._sought[word] if longer in joined]
        return frozenset([word.decode() for word in held])

    def _remember(self, words: set[bytes]) -> None:
        self._kept += sum(map(len, words))
        if self._kept > _MOST_KEPT:
            self._without.clear()
            self._kept = 0
        else:
            self._without |= words


def _words_with(part: bytes, joined: bytes) -> Iterator[bytes]:
    at = joined.find(part)
    while at >= 0:
        end = joined.find(b" ", at)
        end = end if end >= 0 else len(joined)
        yield joined[joined.rfind(b" ", 0, at) + 1 : end]
        at = joined.find(part, end)


def find_places(text: AnyStr, word: AnyStr) -> Iterator[int]:
    """Yield the places of a word, without overlap."""
    at = text.find(word)
    while at >= 0:
        yield at
        at = text.find(word, at + len(word))
