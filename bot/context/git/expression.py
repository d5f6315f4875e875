"""From a model's regular expression to one that git reads. Pure.

Models write Perl's expressions. Some builds of git know only POSIX's extended ones, to which `\\d`
is the letter "d". And git's lines may end with a carriage return, which shown lines do not have.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_PIECE = re.compile(r"\\.|\[\^?\]?(?:\[:\w+:\]|\\.|[^\]\\])*\]|\(\?:|.", re.DOTALL)
_IGNORE_CASE = "(?i)"
_LINE_END: Final = "\r?$"
_ESCAPES: Final = {"\\d": "[0-9]", "\\D": "[^0-9]", "\\t": "\t", "\\r": "\r", "\\h": "[ \t]"}
_IN_CLASS: Final = {
    "d": "0-9",
    "w": "[:alnum:]_",
    "s": "[:space:]",
    "t": "\t",
    "r": "\r",
    "h": " \t",
    # No line holds a line feed.
    "n": "",
}
_CLASS_PIECE = re.compile(r"\[:\w+:\]|\\.|.", re.DOTALL)


class Expression(NamedTuple):
    """An expression as git reads it. `options` are options of `git grep`."""

    text: str
    options: tuple[str, ...]


def read_expression(pattern: str, dialect: str) -> Expression:
    """Return the expression in git's dialect: `--perl-regexp` or `--extended-regexp`."""
    is_perl = dialect == "--perl-regexp"
    options = [dialect]
    if not is_perl and pattern.startswith(_IGNORE_CASE):
        pattern = pattern.removeprefix(_IGNORE_CASE)
        options.append("--ignore-case")
    return Expression(
        "".join(_translate(piece, is_perl) for piece in _PIECE.findall(pattern)), tuple(options)
    )


def _translate(piece: str, is_perl: bool) -> str:
    if piece == "$":
        return _LINE_END
    if is_perl:
        return piece
    if piece == "(?:":
        return "("
    if piece[0] == "[" and len(piece) > 1:
        return _posix_class(piece)
    return _ESCAPES.get(piece, piece)


def _posix_class(piece: str) -> str:
    """Return a set of characters without escapes: to POSIX a backslash in a set is a backslash."""
    if "\\" not in piece:
        return piece
    inner = piece[1:-1]
    negation = "^" if inner.startswith("^") else ""
    brackets, members, hyphen = "", "", ""
    for one in _CLASS_PIECE.findall(inner.removeprefix("^")):
        bare = _IN_CLASS.get(one[1], one[1]) if one[0] == "\\" else one
        if bare == "]":
            brackets = "]"
        elif one == "\\-":
            hyphen = "-"
        else:
            members += bare
    if members.startswith("^") and not negation and not brackets:
        # A caret that comes first would negate the set.
        members = members[1:] + "^" if len(members) > 1 or hyphen else "\\^"
    if not brackets + members + hyphen:
        return "." if negation else piece
    return f"[{negation}{brackets}{members}{hyphen}]"
