"""Text that Slack's markdown shows as it is: no ping, no link tag, no entity split. Pure.

Model text is escaped character by character, so any piece of it may be escaped alone; it must be
cut *before* it is escaped (docs/platform/slack.md#escaping).
"""

from __future__ import annotations

import re

_OPEN_ENTITY = re.compile(r"&[#A-Za-z0-9]{0,31}\Z")
_UNSHOWABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
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
    """Return text without control characters, carriage returns and lone surrogates."""
    return _UNSHOWABLE.sub("", text) if _UNSHOWABLE.search(text) else text


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
