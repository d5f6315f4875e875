"""Where the pieces of Markdown's inline text end: code, brackets, addresses, words. Pure."""

from __future__ import annotations

import re

WAIT = -1
"""What stands here may still change its meaning."""

SPECIAL = re.compile(r"[\n`~\[\]!\\&]|[a-z0-9+.-]{2,20}://|www\.", re.IGNORECASE)
"""What begins something other than running words."""
ADDRESS_END = re.compile(r"[\s<>`\"\[\]]")
ENTITY = re.compile(r"&[#A-Za-z0-9]{0,31}")
SHOWN_ENTITIES = frozenset({"lt", "gt", "amp"})
"""What Slack decodes (docs/platform/slack.md#escaping)."""
EXPRESSION = re.compile(r"[\w$.:]*?([A-Za-z_$][\w$]{2,})(?:\([^()]*\))?\Z")
"""Code that names one thing: its last name is group 1."""
PATHLIKE = re.compile(r"[^\s`'\"<>|*?\\]*(?:\s?[-\u2013]\s?L?\d*)?\Z")
"""What may become a citation's text."""

_ADDRESS_TAIL = re.compile(r"[.,;:!?'*_)]+\Z")
_ADDRESS_BEGINS = ("https://", "http://", "www.")
_TITLE = re.compile(r"\s+(?:\"[^\"]*\"|'[^']*'|\([^()]*\))\s*\Z")
_CODE_LABEL = re.compile(r"`[^`\[\]]+`\Z")
_LABEL = str.maketrans({"[": "(", "]": ")", "`": None, "\\": None})
_ACTIVE = re.compile(r"[*_~]")


def run_end(raw: str, at: int) -> int:
    """Return where the run of one letter that begins at `at` ends."""
    end = at
    while end < len(raw) and raw[end] == raw[at]:
        end += 1
    return end


def line_end(raw: str, at: int) -> tuple[int, bool]:
    """Return where the line ends, and whether its end is there already."""
    newline = raw.find("\n", at)
    return (newline, True) if newline >= 0 else (len(raw), False)


def closing_run(raw: str, begin: int, stop: int, size: int) -> int:
    """Return where a run of exactly `size` backticks begins, or -1."""
    at = begin
    while (at := raw.find("`", at, stop)) >= 0:
        end = min(run_end(raw, at), stop)
        if end - at == size:
            return at
        at = end
    return -1


def matching(raw: str, at: int, closing: str) -> int | None:
    """Return where the bracket at `at` is closed; None if not on its line; WAIT if not yet."""
    depth, position, opening = 0, at, raw[at]
    while position < len(raw):
        letter = raw[position]
        if letter == "\n":
            return None
        if letter == "\\":
            position += 1
        elif letter == opening:
            depth += 1
        elif letter == closing:
            depth -= 1
            if depth == 0:
                return position
        position += 1
    return WAIT


def may_be_address(word: str) -> bool:
    """Whether a word at the text's end may be growing into an address."""
    return any(begin.startswith(word.lower()) for begin in _ADDRESS_BEGINS)


def target(inner: str) -> str:
    """Return a link's destination, without its title and angle brackets."""
    bare = inner.strip()
    if bare.startswith("<"):
        return bare[1:].split(">", 1)[0]
    return _TITLE.sub("", bare)


def label(text: str) -> str:
    """Return a text that can stand within a link's brackets and end neither early."""
    bare = text.strip()
    if _CODE_LABEL.match(bare):
        return bare
    return _ACTIVE.sub(r"\\\g<0>", bare.translate(_LABEL)).lstrip("!")


def without_tail(url: str) -> str:
    """Return an address without the punctuation that belongs to the sentence."""
    found = _ADDRESS_TAIL.search(url)
    if found is None:
        return url
    tail = found[0]
    if tail.startswith(")") and url.count("(") >= url.count(")"):
        tail = tail[1:]
    return url[: len(url) - len(tail)]
