"""Ends of the pieces of Markdown's inline text: code, brackets, addresses, words. Pure."""

from __future__ import annotations

import re

WAIT = -1
"""Later text may change the meaning of the construct here."""

SCHEMES = (
    *("http", "https", "ftp", "ftps", "sftp", "ssh", "git", "git+https", "git+ssh", "svn", "file"),
    *("ws", "wss", "s3", "gs", "postgres", "postgresql", "mysql", "redis", "rediss", "mongodb"),
    *("mongodb+srv", "amqp", "amqps", "ldap", "ldaps", "vscode", "slack"),
)
"""Schemes whose addresses are shown as one piece of code; of others, the part behind the colon."""
_BEGINS = (*(f"{scheme}://" for scheme in SCHEMES), "www.")
_KNOWN = "|".join(re.escape(begin) for begin in _BEGINS)
# "ASCII letters only": an address may follow directly on a word of another script.
ADDRESS = re.compile(rf"(?<![A-Za-z0-9+])(?:{_KNOWN})", re.IGNORECASE)
SPECIAL = re.compile(rf"[\n`~\[\]!\\&<@]|{ADDRESS.pattern}|://", re.IGNORECASE)
"""The beginning of everything that is not running words."""
INNER_SPECIAL = re.compile(r"[\n`~\[\]!\\&<@]|://")
"""The same within a word, in which no known scheme can begin."""
_GROWING = re.compile(r"([A-Za-z0-9+]{0,20})(:?/?)\Z")
ADDRESS_END = re.compile(r"[\s<>`\"\[\]|]|~~|[^\x00-\x7f]")
HOST = re.compile(r"[A-Za-z0-9._-]{0,255}")
LONGEST_LINK = 1_000
"""Characters of the longest label, and of the longest target."""
DEEPEST = 4
"""Brackets within brackets that a link's label or target may hold."""
ENTITY = re.compile(r"&[#A-Za-z0-9]{0,31}")
SHOWN_ENTITIES = frozenset({"lt", "gt", "amp"})
"""Entities that Slack decodes (docs/platform/slack.md#escaping)."""
EXPRESSION = re.compile(r"[\w$.:]*?([A-Za-z_$][\w$]{2,})(?:\([^()]*\))?\Z")
"""Code that names one thing: its last name is group 1."""
BARE_LINE = re.compile(r"[^\S\n]*(?:(?:from|source|in)\b:?)?[^\w\n`\[<&]*", re.IGNORECASE)
"""The part of a line beside a citation that says nothing of its own: signs, "Source:"."""
PATHLIKE = re.compile(r"[^\s`]*[\s\d,;L\u2013-]*\Z")
"""Text that may become a citation."""

_ADDRESS_TAIL = re.compile(r"[.,;:!?'*_~)]+\Z")
_TITLE = re.compile(r"\s+(?:\"[^\"]*\"|'[^']*'|\([^()]*\))\s*\Z")
_CODE_LABEL = re.compile(r"`[^`\[\]]+`\Z")
_SIMPLE_ADDRESS = re.compile(r"[\w./:#?=&%+,-]*\Z", re.ASCII)
_LIVE_LABEL = re.compile(r"://|www\.|[\w.+-]@\w", re.IGNORECASE)
_LABEL = str.maketrans({"[": "(", "]": ")", "`": None, "\\": None})
_BOLD = re.compile(r"(\*{1,3})(?=[^\s*])([^*]*[^\s*])\1")
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
    """Return where the bracket at `at` is closed; None if it closes no link; WAIT if not yet.

    Brackets that lie deeper, and longer texts, are no links: so that a text of many brackets is
    read in linear time.
    """
    depth, opening = 0, raw[at]
    for position in range(at, min(len(raw), at + LONGEST_LINK)):
        letter = raw[position]
        if letter == "\n":
            return None
        if letter == "\\":
            continue
        if letter == opening and not _is_escaped(raw, at, position):
            depth += 1
            if depth > DEEPEST:
                return None
        elif letter == closing and not _is_escaped(raw, at, position):
            depth -= 1
            if depth == 0:
                return position
    return WAIT if len(raw) - at < LONGEST_LINK else None


def _is_escaped(raw: str, begin: int, at: int) -> bool:
    slashes = at
    while slashes > begin and raw[slashes - 1] == "\\":
        slashes -= 1
    return (at - slashes) % 2 == 1


def growing_address(text: str, last: str) -> int:
    """Return how many characters at the end of `text` may be the beginning of an address.

    `last` is the character before `text`.
    """
    found = _GROWING.search(text)
    if found is None or not found[0]:
        return 0
    before = text[found.start() - 1 : found.start()] or (last if not found.start() else "")
    word = found[0].lower()
    known = any(begin.startswith(word) for begin in _BEGINS)
    if word and known and not is_word_sign(before):
        return len(word)
    return len(found[2])


def is_word_sign(sign: str) -> bool:
    """Return whether no known scheme can begin behind this character."""
    return sign.isascii() and (sign.isalnum() or sign == "+")


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
    if _LIVE_LABEL.search(bare):
        # Some parsers make a link of an address within a label, and none of the whole.
        return f"`{bare.translate(_LABEL)}`"
    return plain_label(bare)


def address_label(url: str) -> str:
    """Return the label of a link that shows its own address."""
    return plain_label(url) if _SIMPLE_ADDRESS.match(url) else label(url)


def plain_label(text: str) -> str:
    """Return a text as a label in which nothing is formatted, without marks of emphasis."""
    bare = _BOLD.sub(r"\g<2>", text.translate(_LABEL))
    return _ACTIVE.sub(r"\\\g<0>", bare).lstrip("!")


def without_tail(url: str) -> str:
    """Return an address without the punctuation that belongs to the sentence."""
    found = _ADDRESS_TAIL.search(url)
    if found is None:
        return url
    tail = found[0]
    if tail.startswith(")") and url.count("(") >= url.count(")"):
        tail = tail[1:]
    return url[: len(url) - len(tail)]
