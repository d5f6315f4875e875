"""Whether a place in a source file lies inside a string or a comment, by its line alone."""

from __future__ import annotations

import re

_COMMENTS = ("//", "/*", "#", "--", ";", "%", "<!--", "*", "REM ")


def is_text_on_line(data: bytes, start: int) -> bool:
    """Judge by the line alone: an open quote or a comment's mark stands before the place."""
    floor = max(0, start - 2_000)
    head = data[max(floor, data.rfind(b"\n", floor, start) + 1) : start].decode("latin-1")
    if head.lstrip().startswith(_COMMENTS) or " // " in head or " # " in head or " -- " in head:
        return True
    return _OPEN_QUOTE.search(_LITERAL.sub("", head)) is not None


_LITERAL = re.compile(r"""\\.|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`""")
_OPEN_QUOTE = re.compile("[\"'`]")
