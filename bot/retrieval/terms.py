"""Split text into search terms. Pure.

A word of code counts twice: by its parts, so that `parse_header` is found by "parsing headers", and
as a whole, so that the identifier itself outweighs its parts. Parts are reduced to a stem by an
ordered list of English suffixes, which merges "validation", "validator" and "validated".

Scripts without spaces between words are split into pairs of characters. All other letters, Arabic
for example, form words as they stand. Accents do not count, so that "configuración" has the stem of
`configuracion`; `ä` is found by `a` and, as identifiers write it, by `ae`.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from zlib import crc32

LONGEST_WORD = 80
"""Longer runs of letters are data, such as base64, and hold no terms."""

_WORD = re.compile(r"\w+")
# Signs within words that are no letters: vowels of Indian and other scripts, tones, joiners.
_MARKS = (
    r"\u0483-\u0487\u0591-\u05bd\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4"
    r"\u0900-\u0963\u0966-\u0e3a\u0e40-\u0e4e\u0e80-\u0ece\u0f18-\u0f84\u1000-\u1049\u1050-\u109f"
    r"\u1780-\u17d3\u200c\u200d\u3099\u309a"
)
_FOREIGN_WORD = re.compile(rf"[\w{_MARKS}]+")
# The scripts whose words stand without spaces: Thai, Lao, Burmese, Khmer, kana, Han, Hangul.
_UNSPACED = (
    r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
    r"\uf900-\ufaff"
)
_PART = re.compile(
    rf"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[0-9]+|[{_UNSPACED}]+"
    rf"|(?:[^\W\d_A-Za-z{_UNSPACED}]|(?![{_UNSPACED}])[{_MARKS}])+"
)
_IS_UNSPACED = re.compile(f"[{_UNSPACED}]")
_ACCENTS = re.compile("[\u0300-\u036f]")
_PAIRS = dict(zip("ßẞæÆœŒþÞ", ["ss", "SS", "ae", "Ae", "oe", "Oe", "th", "Th"], strict=True))
_LETTERS = str.maketrans("łŁđĐðÐħĦøØ\u0131", "lLdDdDhHoOi") | str.maketrans(_PAIRS)
"""Letters that are not a letter with an accent for Unicode, though for readers of English."""
_SPELLED = str.maketrans(
    dict(
        zip("äöüåøÄÖÜÅØ", ["ae", "oe", "ue", "aa", "oe", "Ae", "Oe", "Ue", "Aa", "Oe"], strict=True)
    )
)
_MAY_BE_SPELLED = re.compile("[äöüåøÄÖÜÅØ]")


def _split(text: str) -> tuple[str, ...]:
    return tuple(text.split())


ENGLISH_STOP_WORDS = frozenset(
    _split(
        "a about after all also an and any are as at be because been before being between both but "
        "by can could did do does doing during each few for from further had has have having he "
        "her here his how i if in into is it its itself just let may me might more most must my "
        "need no nor not of off on once only or other our out over own same shall she should so "
        "some such than that the their them then there these they this those through to too under "
        "until up very via was we were what when where whether which while who whom why will with "
        "within without would you your"
    )
)
# The longest suffix of a family comes first.
_SUFFIXES = _split(
    "ization isation ational ations ation ators ator ating ated ates ate ements ement ments ment "
    "nesses ness ities ity ically ical ally ables able ibles ible izing ized izes izer ize ising "
    "ised iser ise ings ing ions ion ors or ers er ies ied ively ives ive ances ance ences ence "
    "ants ant ents ent als al ed es ly s e y"
)
_SHORTEST_STEM = 3


@lru_cache(maxsize=100_000)
def stem(word: str) -> str:
    """Return the stem of a lower-case word: the word without its first matching suffix."""
    if len(word) <= _SHORTEST_STEM or not word.isascii():
        return word
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= _SHORTEST_STEM:
            if suffix == "s" and word.endswith("ss"):
                continue
            word = word[: -len(suffix)]
            break
    if len(word) > _SHORTEST_STEM and word[-1] == word[-2] and word[-1] not in "ls":
        word = word[:-1]
    return word


@lru_cache(maxsize=200_000)
def _terms_of(word: str) -> tuple[str, ...]:
    """Return the stems of a word's parts, then `=` and the whole if it has several parts."""
    if len(word) > LONGEST_WORD:
        return ()
    parts = _PART.findall(word)
    found: list[str] = []
    for part in parts:
        lower = part.lower()
        if _IS_UNSPACED.match(part):
            found += _pairs(part)
        elif len(lower) > 1 and lower not in ENGLISH_STOP_WORDS:
            found.append(stem(lower))
    if len(parts) > 1 and word.isascii():
        found.append("=" + word.strip("_").lower())
    return tuple(found)


def _pairs(run: str) -> list[str]:
    if len(run) == 1:
        return [run]
    return [run[at : at + 2] for at in range(len(run) - 1)]


def terms(text: str) -> Iterator[str]:
    """Yield the terms of a text in order. A term that begins with `=` is a whole identifier."""
    if text.isascii():
        for word in _WORD.findall(text):
            yield from _terms_of(word)
        return
    for word in _FOREIGN_WORD.findall(unicodedata.normalize("NFKC", text)):
        if word.isascii():
            yield from _terms_of(word)
        else:
            yield from _foreign_terms_of(word)


@lru_cache(maxsize=50_000)
def _foreign_terms_of(word: str) -> tuple[str, ...]:
    """Return the terms of a word without its accents, and those of its other spelling."""
    plain = _terms_of(_fold(word))
    if not _MAY_BE_SPELLED.search(word):
        return plain
    spelled = _terms_of(_fold(word.translate(_SPELLED)))
    return (*plain, *(term for term in spelled if term not in plain))


def _fold(word: str) -> str:
    """Return a word without accents. Hangul and kana keep theirs: they are letters of their own."""
    bare = _ACCENTS.sub("", unicodedata.normalize("NFKD", word.translate(_LETTERS)))
    return unicodedata.normalize("NFC", bare)


def plain_words(text: str) -> dict[str, str]:
    """Return the words of a text by their form in lower case and without accents."""
    words = _FOREIGN_WORD.findall(unicodedata.normalize("NFKC", text))
    return {(word if word.isascii() else _fold(word)).lower(): word for word in words}


def is_identifier(term: str) -> bool:
    """Return whether a term is a whole identifier of several parts."""
    return term.startswith("=")


def term_id(term: str) -> int:
    """Return 32 bits that stand for a term in the index.

    Two of a repository's 100,000 terms share an id with a chance of about one: such a pair adds
    little noise, and the index needs no dictionary.
    """
    return crc32(term.encode("utf-8", "surrogatepass"))


def count_terms(text: str) -> Counter[str]:
    return Counter(terms(text))
