"""The scripts of component files. Vue, Svelte and Astro write markup and code in one file. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

COMPONENTS: Final = frozenset({"vue", "svelte", "astro"})
"""Endings of the files whose scripts `read_script` finds."""
_MOST_SCRIPTS: Final = 20
_LONGEST_TAG: Final = 500
_CLOSING = re.compile(rb"</script\s*>", re.IGNORECASE)
_OPENING = re.compile(rb"<script(?=[\s>])", re.IGNORECASE)
_LANGUAGE = re.compile(rb"""\blang\s*=\s*["']?([\w-]+)""")
_TYPE = re.compile(rb"""\stype\s*=\s*["']?([\w/+-]+)""")
_LANGUAGES: Final = {b"ts": "ts", b"typescript": "ts", b"js": "ts", b"javascript": "ts"} | {
    b"tsx": "tsx",
    b"jsx": "tsx",
}
_TYPES: Final = frozenset({b"module", b"text/javascript", b"application/javascript", b"text/babel"})
_NOT_BREAK = re.compile(rb"[^\n]")


def read_script(ending: str, text: bytes) -> tuple[str, bytes]:
    """Return a component's scripts and the grammar for them: "ts" or "tsx".

    All else in the file becomes blanks, so that no line and no byte moves.
    """
    grammar = "ts"
    kept: list[tuple[int, int]] = []
    if ending == "astro":
        kept += _front_matter(text)
    for language, first, end in _scripts(text):
        grammar = "tsx" if language == "tsx" else grammar
        kept.append((first, end))
    pieces: list[bytes] = []
    at = 0
    for first, end in kept:
        pieces += [_NOT_BREAK.sub(b" ", text[at:first]), text[first:end]]
        at = end
    return grammar, b"".join([*pieces, _NOT_BREAK.sub(b" ", text[at:])])


def _front_matter(text: bytes) -> Iterator[tuple[int, int]]:
    """Yield the place of Astro's script, which stands between two lines of hyphens at the top."""
    opening = re.match(rb"\s*---[ \t]*\n", text)
    closing = text.find(b"\n---", opening.end() - 1) if opening is not None else -1
    if opening is not None and closing >= 0:
        yield opening.end(), closing + 1


def _scripts(text: bytes) -> Iterator[tuple[str, int, int]]:
    """Yield the language and the place of each script that the browser or a bundler would run."""
    at = 0
    for _ in range(_MOST_SCRIPTS):
        opening = _OPENING.search(text, at)
        first = text.find(b">", opening.end(), opening.end() + _LONGEST_TAG) if opening else -1
        closing = _CLOSING.search(text, first) if first >= 0 else None
        if opening is None or closing is None:
            return
        tag = text[opening.end() : first]
        language, kind = _LANGUAGE.search(tag), _TYPE.search(tag)
        grammar = _LANGUAGES.get(language[1]) if language is not None else "ts"
        if grammar is not None and (kind is None or kind[1] in _TYPES):
            yield grammar, first + 1, closing.start()
        at = closing.end()
