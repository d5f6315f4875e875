"""Text that Slack's markdown shows as it is: no ping, no link tag, no entity split. Pure.

Model text is escaped character by character, so any piece of it may be escaped alone; it must be
cut *before* it is escaped (docs/platform/slack.md#escaping).
"""

from __future__ import annotations

import re
import unicodedata

_OPEN_ENTITY = re.compile(r"&[#A-Za-z0-9]{0,31}\Z")
_INVISIBLE = re.compile(
    "[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\xad\\u034f\\u061c\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180f"
    "\\u200b\\u200e\\u200f\\u2028-\\u202e\\u2060-\\u206f\\u2800\\u3164\\ufeff\\uffa0\\ufff0-\\ufffb"
    "\\ufffe\\uffff\\ud800-\\udfff\\U0001d173-\\U0001d17a\\U000e0000-\\U000e0fff]"
)
_JOINERS = "\u200c\u200d\ufe0e\ufe0f"
_DOUBTFUL = re.compile(
    f"{_INVISIBLE.pattern}|[{_JOINERS}]|[\\u0300-\\u0fff\\u1a00-\\u20ff\\ufe00-\\ufe2f]"
)
_KEYCAPS = "0123456789#*"
MOST_MARKS = 6
"""Combining marks that may follow one letter; Hebrew and Vietnamese texts need up to four."""
_WIDEST_ENTITY = 33
_ITEM = r"(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)*"
_QUOTATION = re.compile(rf"[ \t]*{_ITEM}(?:>[ \t]*{_ITEM})+")
_ADDRESS = re.compile(r"(?<=:)(?=//)|(?<=www)(?=\.)", re.IGNORECASE)


def escape(text: str, line: str = "") -> str:
    """Return text in which `<` and `>` are entities. `&` stays, since it stands in addresses.

    The `>` of a quotation stays too: Slack does not read entities as marks, and without a `<` it
    begins no tag. `line` is the beginning of the line that `text` continues.
    """
    text = text.replace("<", "&lt;")
    if ">" not in text:
        return text
    first, *others = text.split("\n")
    return "\n".join([_escape_line(first, line), *(_escape_line(one, "") for one in others)])


def _escape_line(text: str, before: str) -> str:
    lead = _QUOTATION.match(before + text)
    kept = max(0, lead.end() - len(before)) if lead is not None else 0
    return text[:kept] + text[kept:].replace(">", "&gt;")


def escaped_size(text: str) -> int:
    """Return the UTF-8 bytes of the escaped text."""
    plain = len(text) if text.isascii() else len(text.encode("utf-8", "replace"))
    return plain + 3 * (text.count("<") + text.count(">"))


def showable(text: str) -> str:
    """Return text without characters that are invisible or change how others are read."""
    return Visible().feed(text)


class Visible:
    """Takes invisible characters out of a text that comes in pieces.

    Control characters, bidirectional controls and characters without a shape are left out: they
    could show a text in another order than it has, or hide a part of it. Joiners and selectors stay
    behind a character of a script or an emoji that uses them. Of a flood of combining marks the
    first `MOST_MARKS` stay. Line and paragraph separators become spaces.
    """

    def __init__(self) -> None:
        self._last = ""
        self._marks = 0

    def feed(self, text: str) -> str:
        if not _DOUBTFUL.search(text) and not self._marks:
            self._last = text[-1:] or self._last
            return text
        return "".join(self._see(sign) for sign in text)

    def _see(self, sign: str) -> str:
        if _INVISIBLE.match(sign):
            return " " if sign in "\x85\u2028\u2029" else ""
        if sign in _JOINERS:
            if self._last.isascii() and not (sign == "\ufe0f" and self._last in _KEYCAPS):
                return ""
            if self._last in _JOINERS and sign != "\u200d":
                return ""
        self._marks = self._marks + 1 if unicodedata.category(sign) in ("Mn", "Me") else 0
        if self._marks > MOST_MARKS:
            return ""
        self._last = sign
        return sign


def settled_length(text: str) -> int:
    """Return how many characters come before an entity that is still open at the end."""
    found = _OPEN_ENTITY.search(text, max(0, len(text) - _WIDEST_ENTITY))
    return found.start() if found else len(text)


def one_line(text: str, most: int) -> str:
    """Return text for a title: one line, escaped, at most `most` characters once escaped.

    A space of no width parts what Slack might take for an address.
    """
    room = _ADDRESS.sub("\u200b", " ".join(showable(text).split()))
    while len(escape(room)) > most:
        room = room[: len(room) - max(1, (len(escape(room)) - most) // 4)]
    return escape(room[: settled_length(room)])
