"""The function words of questions in other languages than English.

In English code such words are rare, so a ranking would take them for the most telling words of a
question: "Où est" would find the tables of languages. A word such as `die` or `os` has a meaning in
code too. So the words of a language are left out only if the question is in that language.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Final

from bot.retrieval.terms import ENGLISH_STOP_WORDS, plain_words, terms

_CODE = re.compile(r"`[^`]{1,400}`")
_LEAST: Final = 2
"""Words that tell a language."""


@cache
def _languages() -> Mapping[str, frozenset[str]]:
    text = files("bot.retrieval").joinpath("stop_words.toml").read_text("utf-8")
    return {name: frozenset(plain_words(words)) for name, words in tomllib.loads(text).items()}


def stop_terms(text: str) -> frozenset[str]:
    """Return the terms of a question that are function words of its language.

    English is left to `terms`. Words in code spans are meant as they stand.
    """
    prose = _CODE.sub(" ", text)
    words = plain_words(prose)
    english = len(words.keys() & ENGLISH_STOP_WORDS)
    foreign = words.keys() - ENGLISH_STOP_WORDS
    counts = {name: len(foreign & known) for name, known in _languages().items()}
    best = max(counts, key=lambda name: counts[name])
    if counts[best] < max(_LEAST, english + 1):
        return frozenset()
    known = _languages()[best]
    found = {term for plain, word in words.items() if plain in known for term in terms(word)}
    coded = {term for span in _CODE.findall(text) for term in terms(span)}
    return frozenset(found - coded)
