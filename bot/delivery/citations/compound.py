"""Recognises citations in a piece of code that says more: brackets, a name, several of them. Pure.

`(src/a.py:5)`, `in src/a.py:5.`, `login (src/a.py:5)`, `src/a.py:5 — login`, `src/a.py:5, b.py:3`,
`src/a.py:5: def login():`.
Code that says anything else stays as it is: `pytest test_a.py::test_login` is a command.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import TypeAlias

from bot.delivery.citations.citation import LONGEST, Citation
from bot.delivery.citations.line_words import LINE_WORDS

Read: TypeAlias = Callable[[str], Citation | None]
"""Returns the citation of a known path that a whole text is."""
Part: TypeAlias = tuple[int, int, Citation]
"""A citation with its beginning and end in the code."""

_EXPRESSION = r"[A-Za-z_$][\w$]*+(?:(?:\.|::|#)[\w$]++)*+(?:\([^()]*\))?"
_FRAME = re.compile(
    r"[\s(\"'<\[]*(?:-{1,2}>\s+|(?:at|in|see|from|on|of|source:|file:)\s+)?[(\"'<\[]*", re.I
)
_NAMED = re.compile(
    rf"(?:at\s+)?{_EXPRESSION}\s*(?:(?:[(\[@:]|->|=>|[\u2192\u2014\u2013]| -\s| (?:in|at) )\s*)"
)
_NAME_ALONE = re.compile(
    rf"(?:-{{1,2}}>?|(?:at\s+)?{_EXPRESSION}[.:#]{{0,2}})\s*(?:-|=|\s-|in|i|at|a)?\s?"
)
_NAMED_BEHIND = re.compile(
    rf"\s*(?:[(\[]|\s(?:#|//|->|[\u2192\u2014\u2013-])\s|:\s)\s*{_EXPRESSION}\s*[)\]]?\Z"
)
_QUOTING = re.compile(r"(?P<cited>[^\s:][^:]*:L?\d{1,7}(?:-L?\d{1,7})?):(?!\d)\s*\S")
"""A citation with its line behind it, as `grep -n` prints it."""
_NAME_MAY_FOLLOW = re.compile(
    rf"\s*(?:[(\[]|\s?(?:#|//?|->?|[\u2192\u2014\u2013-])\s?|:\s?)?\s*(?:{_EXPRESSION}|[\w$.:#(]*)?[)\]]?\Z"
)
_WORDS = "|".join(re.escape(word) for word in LINE_WORDS.and_)
_SEPARATOR = re.compile(
    rf"\s*(?:[,;+\u3001\uff0c]|->|=>|[\u2192\u2014\u2013])\s*|\s+(?:(?:{_WORDS})\s+)?",
    re.IGNORECASE,
)
_BREAK = re.compile(r"[\s(\[:#]")
_TAIL = ")\"'>]},.;:!? "
_MOST_PARTS = 12


def find_parts(code: str, read: Read) -> Sequence[Part]:
    """Return the citations in a piece of code, none if it says more than citations and a name."""
    if len(code) > LONGEST:
        return ()
    one = _framed(code, 0, len(code), read) or _with_name(code, read)
    return [one] if one is not None else _listed(code, read)


def _framed(code: str, begin: int, end: int, read: Read) -> Part | None:
    """Return the citation that is a part of a code but for brackets and a word before it."""
    frame = _FRAME.match(code, begin, end)
    for first in {begin, frame.end() if frame is not None else begin}:
        last = end
        while last > first:
            if (cited := read(code[first:last])) is not None:
                return first, last, cited
            if code[last - 1] not in _TAIL:
                break
            last -= 1
    return None


def _with_name(code: str, read: Read) -> Part | None:
    named = _NAMED.match(code)
    if named is not None and (part := _framed(code, named.end(), len(code), read)) is not None:
        return part
    behind = _NAMED_BEHIND.search(code)
    if behind is not None and (part := _framed(code, 0, behind.start(), read)) is not None:
        return part
    quoting = _QUOTING.match(code)
    return _framed(code, 0, quoting.end("cited"), read) if quoting is not None else None


def _listed(code: str, read: Read) -> Sequence[Part]:
    parts, at = [], 0
    separators = [*_SEPARATOR.finditer(code.rstrip(_TAIL))]
    if not 1 <= len(separators) < _MOST_PARTS:
        return ()
    for separator in [*separators, None]:
        end = separator.start() if separator is not None else len(code)
        part = _framed(code, at, end, read)
        if part is None:
            return ()
        parts.append(part)
        at = separator.end() if separator is not None else end
    return parts


def may_have_parts(code: str, read: Read, grows: Callable[[str], bool]) -> bool:
    """Return whether an unfinished piece of code may become one of citations and a name.

    `grows` tells whether a text may be growing into a citation.
    """
    if _NAME_ALONE.fullmatch(code) is not None:
        return True
    quoting = _QUOTING.match(code)
    if quoting is not None and _framed(code, 0, quoting.end("cited"), read) is not None:
        return True
    if any(not code[at:] or grows(code[at:]) for at in _beginnings(code, read)):
        return True
    ends = (found.start() for found in islice(_BREAK.finditer(code), _MOST_PARTS))
    return any(
        _NAME_MAY_FOLLOW.fullmatch(code, end) is not None
        and _framed(code, 0, end, read) is not None
        for end in ends
    )


def _beginnings(code: str, read: Read) -> Iterator[int]:
    """Yield the places at which the citation may begin that is growing at the end of a code."""
    for found in (_FRAME.match(code), _NAMED.match(code)):
        if found is not None:
            yield found.end()
            if (frame := _FRAME.match(code, found.end())) is not None:
                yield frame.end()
    at = 0
    for separator in islice(_SEPARATOR.finditer(code), _MOST_PARTS):
        if _framed(code, at, separator.start(), read) is not None:
            at = separator.end()
            yield at
