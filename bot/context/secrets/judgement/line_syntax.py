"""Whether a place lies in a string or a comment, as its line alone tells it."""

from __future__ import annotations

import re

_COMMENTS = ("//", "/*", "#", "--", ";", "%", "<!--", "*", "REM ")
_LITERAL = re.compile(r"""\\.|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`""")
_OPEN_QUOTE = re.compile("[\"'`]")


def is_text_on_line(data: bytes, start: int) -> bool:
    """Tell whether a place is in a string or comment: after an open quote or a comment's mark."""
    floor = max(0, start - 2_000)
    head = data[max(floor, data.rfind(b"\n", floor, start) + 1) : start].decode("latin-1")
    if head.lstrip().startswith(_COMMENTS) or " // " in head or " # " in head or " -- " in head:
        return True
    return _OPEN_QUOTE.search(_LITERAL.sub("", head)) is not None
