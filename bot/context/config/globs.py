"""Globs over repository paths, with the meaning they have in `.gitignore`.

A pattern without a slash (but at its end) matches at any depth; one with a slash is anchored at
the top. `*` and `?` stop at a slash, `**` does not. A pattern that matches a directory matches
everything under it, unless it is one of `.gitattributes`: directories have no attributes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from bot.context.errors import GlobError

_CLASS_NAMES = {
    "alpha": "a-zA-Z",
    "digit": "0-9",
    "alnum": "a-zA-Z0-9",
    "upper": "A-Z",
    "lower": "a-z",
    "space": r"\s",
    "xdigit": "0-9a-fA-F",
    "punct": r"!-/:-@\[-`{-~",
}


def _bracket(pattern: str, start: int) -> tuple[str, int]:
    """Translate the bracket expression at `start`; return its regex and the place of its end."""
    at = start + 1
    negated = pattern[at : at + 1] in {"!", "^"}
    at += negated
    parts: list[str] = []
    first = True
    while at < len(pattern):
        char = pattern[at]
        if char == "]" and not first:
            body = "".join(parts)
            return (f"[^/{body}]" if negated else f"(?!/)[{body}]"), at + 1
        first = False
        name = re.match(r"\[:(\w+):\]", pattern[at:])
        if name and name.group(1) in _CLASS_NAMES:
            parts.append(_CLASS_NAMES[name.group(1)])
            at += name.end()
            continue
        if char == "\\" and at + 1 < len(pattern):
            at += 1
            char = pattern[at]
        parts.append(char if char.isalnum() or char in "-_ " else re.escape(char))
        at += 1
    raise GlobError(
        pattern, "a '[' is never closed; close it with ']', or write '[[]' for the character itself"
    )


def _pieces(segment: str) -> list[str]:
    """Translate what stands between the stars of one segment; a run of stars is one star."""
    pieces = [""]
    at = 0
    while at < len(segment):
        if segment[at] == "*":
            pieces.append("")
            while segment[at : at + 1] == "*":
                at += 1
        elif segment[at] == "?":
            pieces[-1] += "[^/]"
            at += 1
        elif segment[at] == "[":
            piece, at = _bracket(segment, at)
            pieces[-1] += piece
        elif segment[at] == "\\" and at + 1 < len(segment):
            pieces[-1] += re.escape(segment[at + 1])
            at += 2
        else:
            pieces[-1] += re.escape(segment[at])
            at += 1
    return pieces


def _segment(segment: str) -> str:
    """Translate one segment.

    The text between two stars is taken at its first place, and for good (an atomic group): the
    first place leaves most to the rest. Otherwise a pattern of many stars, which may come from a
    stranger's `.gitattributes`, takes ages on a long name.
    """
    first, *rest = _pieces(segment)
    if not rest:
        return first
    middle = "".join(f"(?>[^/]*?{piece})" for piece in rest[:-1])
    return f"{first}{middle}[^/]*{rest[-1]}"


def _translate(pattern: str) -> str:
    """Translate one pattern without its leading or trailing slash."""
    groups: list[list[str]] = [[]]
    for segment in pattern.split("/"):
        if segment == "**":
            if groups[-1] or len(groups) == 1:
                groups.append([])
        else:
            groups[-1].append(_segment(segment))
    if len(groups) == 1:
        return "/".join(groups[0])
    first, *middle, last = groups
    head = "".join(f"{segment}/" for segment in first)
    # As with stars: folders between two `**` are taken at their first place.
    through = "".join(f"(?>(?:[^/]+/)*?{'/'.join(group)}/)" for group in middle)
    if not last:
        return f"{head}{through}.+"
    return f"{head}{through}(?:[^/]+/)*{'/'.join(last)}"


def glob_regex(pattern: str, *, directories: bool = True) -> str:
    """Return the regex that a whole path must match.

    `directories=False` gives the meaning of `.gitattributes`: only the path itself counts.

    Raises:
        GlobError: the pattern is empty, negated, or has an open bracket.
    """
    if not pattern.strip():
        raise GlobError(pattern, "it is empty")
    if pattern.startswith("!"):
        raise GlobError(pattern, "a leading '!' has no meaning here; use `exclude`")
    if "\0" in pattern:
        raise GlobError(pattern, "it holds a NUL character")
    core = pattern
    only_inside = core.endswith("/")
    core = core.strip("/")
    if not core:
        raise GlobError(pattern, "it names no file")
    anchored = "/" in pattern.rstrip("/")
    if core.startswith("./"):
        core, anchored = core[2:], True
    head = "" if anchored else "(?:.*/)?"
    tail = "" if not directories else ("/.+" if only_inside else "(?:/.+)?")
    try:
        regex = head + _translate(core) + tail
        re.compile(regex)
    except GlobError as error:
        raise GlobError(pattern, error.problem) from None
    except re.error as error:
        raise GlobError(pattern, f"it is not a valid range ({error.msg})") from None
    return regex


def matcher(patterns: Sequence[str]) -> Callable[[str], bool]:
    """Return a function that tells whether any of the patterns matches a path.

    Raises:
        GlobError: one of them cannot be read.
    """
    if not patterns:
        return lambda path: False
    joined = "|".join(f"(?:{glob_regex(pattern)})" for pattern in patterns)
    match = re.compile(joined, re.DOTALL).fullmatch
    return lambda path: match(path) is not None


def is_literal(pattern: str) -> bool:
    """Tell whether the pattern names one path and has no wildcard."""
    return not any(char in pattern for char in "*?[\\")
