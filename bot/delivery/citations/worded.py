"""Recognises lines that are said in words before or behind a path. Pure.

`lines 5-8 of src/a.py`, `src/a.py` (lines 5-8), `src/a.py`, line 5, `src/a.py`:5, and all of it in
one piece of code.
"""

from __future__ import annotations

import re

from bot.delivery.citations.citation import LONGEST, Citation, Paths

_LINES = (
    r"(?P<first>\d{1,7})(?:\s?(?:[-\u2013\u2014]|\.\.|to|through)\s?L?(?P<last>\d{1,7}))?(?![\w:])"
)
_WORDS = r",?\s?\(?(?:(?:at|on|in|from|see)\s)?(?:[Ll]ines?\s|L)"
_OF = rf"\b[Ll]ines?\s{_LINES}\s(?:of|in)\s(?:the\sfile\s)?[*_(]{{0,3}}"
_BEHIND = re.compile(rf"[*_]{{0,3}}(?::\s?L?|{_WORDS}){_LINES}\)?")
_NAME = re.compile(r"[*_]{0,3}#(?P<name>[A-Za-z_$][\w$]*(?:(?:\.|::)[A-Za-z_$][\w$]*)*[?!]?)")
_MORE = re.compile(r"\s?(?:[-\u2013\u2014]|\.{1,2}|:{1,2}|to?|thr?o?u?g?h?)?\s?L?\)?\Z")
_PATH_END = re.compile(r"(?<=[^\s,])(?=,?\s)")
_BEFORE = re.compile(rf"{_OF}\Z")
_BEFORE_WORD = re.compile(
    rf"{_OF}(?P<path>[^\s`'\"<>|*()]*[^\s`'\"<>|*().,:;!?])(?![^\s.,:;!?)*_])"
)
_WHOLE = re.compile(rf"(?P<path>\S.*?)(?=[,\s(]){_WORDS}{_LINES}\)?\Z")
_BEGINNINGS = (
    *(":", ":L", "#"),
    *(
        between + word + lines
        for between in (" ", ", ", " (")
        for word in ("", "at ", "on ", "in ", "from ", "see ")
        for lines in ("line ", "lines ", "Lines ", "L")
    ),
)
_NEAR = 60
"""Characters before a path in which its lines are looked for, and behind it."""


def cite_whole(text: str, paths: Paths | None) -> Citation | None:
    """Return the citation that a piece of code is, None if its path is not known."""
    if paths is None or len(text) > LONGEST or text[-1:] not in "0123456789)":
        return None
    found = _WHOLE.match(text)
    return _cited(found, found["path"]) if found and paths.knows(found["path"]) else None


def cite_before(path: str, line: str) -> Citation | None:
    """Return the citation of a path behind the words `lines 5-8 of`, which end the line so far."""
    found = _BEFORE.search(line[-_NEAR:])
    return None if found is None else _cited(found, path)


def cite_behind(path: str, text: str, at: int, *, final: bool) -> tuple[Citation | None, int]:
    """Return the citation of a path whose lines follow at a place, and where they end.

    The end is -1 if more text may say them.
    """
    rest = text[at : at + _NEAR]
    found = _BEHIND.match(rest) or _NAME.match(rest)
    grows = _MORE.match(rest, found.end()) is not None if found else _may_begin(rest)
    if grows and not final:
        return None, -1
    if found is None:
        return None, at
    end = at + found.end()
    if found.re is _NAME:
        return Citation(path, symbol=found["name"], text=path + found[0]), end
    return _cited(found, path), end


def may_follow(text: str, paths: Paths) -> bool:
    """Return whether an unfinished piece of code is a path, and its lines may follow in words."""
    ends = (found.start() for found in _PATH_END.finditer(text[:LONGEST]))
    return any(
        paths.knows(text[:end])
        and (_may_begin(text[end:]) or _BEHIND.match(text[end:]) is not None)
        for end in ends
    )


def _may_begin(rest: str) -> bool:
    bare = rest.lstrip("*_")
    return any(beginning.startswith(bare) for beginning in _BEGINNINGS)


def in_words(line: str, text: str) -> list[tuple[int, int, Citation]]:
    """Return the citations in running text, each with its path's beginning and end in `text`.

    `line` is the line up to the text.
    """
    line = line[-_NEAR:]
    found = [*_BEFORE_WORD.finditer(line + text)] if "ine" in line + text else []
    size = len(line)
    return [
        (one.start("path") - size, one.end("path") - size, _cited(one, one["path"]))
        for one in found
        if one.start("path") >= size
    ]


def _cited(found: re.Match[str], path: str) -> Citation:
    first = int(found["first"])
    return Citation(path, ((first, int(found["last"] or first)),), text=path)
