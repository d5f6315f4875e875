"""Secrets of Kubernetes: every value under `data` and `stringData` of a `kind: Secret`."""

from __future__ import annotations

import base64
import binascii
import re
from bisect import bisect_right
from collections.abc import Generator, Iterator

from bot.context.secrets.candidate import Candidate
from bot.context.secrets.judgement.names import is_password_name
from bot.context.secrets.judgement.passwords import is_word_secret
from bot.context.secrets.judgement.randomness import PUBLIC, is_random
from bot.context.secrets.judgement.references import is_harmless
from bot.context.secrets.judgement.values import is_mixed, is_typed

_KIND = re.compile(r"""^[ \t-]{0,40}["']?kind["']?[ \t]*:[ \t]*["']?(\w{1,60})""", re.MULTILINE)
_JSON_KIND = re.compile(r"""["']kind\\{0,3}["'][ \t]*:[ \t]*\\{0,3}["'](\w{1,60})""")
_IS_SECRET = re.compile(r"kind[\"'\\]{0,4}[ \t]*:[ \t]*[\"'\\]{0,4}Secret")
_DOCUMENT = re.compile(r"^---", re.MULTILINE)
_SECTION = re.compile(
    r"""^([ \t]*)["']?(data|stringData)["']?[ \t]*:[ \t]*(?:#[^\n]*)?$""", re.MULTILINE
)
_ENTRY = re.compile(r"""([ \t]*)["']?([\w./-]{1,253})["']?[ \t]*:[ \t]*([^\n]*)$""", re.MULTILINE)
_JSON_SECTION = re.compile(r""""(data|stringData)"[ \t]*:[ \t]*\{([^{}]{0,20000})\}""")
_JSON_ENTRY = re.compile(r""""([^"\n]{1,253})"\s{0,40}:\s{0,40}"([^"\n]{1,200000})\"""")
_BASE64 = re.compile(r"[A-Za-z0-9+/]{4,}={0,2}")
_SETTING = re.compile(r"[\w.-]{1,100}[\"']?[ \t]*[=:](?!=*$)")
"""A line of a file within a secret: the names on it tell which of its values are secrets."""
_LITERAL = re.compile(r"[\"']([^\"'\n]{8,400})[\"']")
_BLOCK = re.compile(r"[|>][+-]?\d?[ \t]*(?:#.*)?$")
_LABEL = "Kubernetes secret"


def find_kubernetes_secrets(text: str) -> Iterator[Candidate]:
    """Yield the values of Kubernetes secrets, in YAML and JSON, also within longer texts."""
    if not _IS_SECRET.search(text):
        return
    start = 0
    for mark in _DOCUMENT.finditer(text):
        yield from _document(text, start, mark.start())
        start = mark.end()
    yield from _document(text, start, len(text))


def _document(text: str, start: int, end: int) -> Iterator[Candidate]:
    if text.find("Secret", start, end) < 0:
        return
    kinds = [*_KIND.finditer(text, start, end), *_JSON_KIND.finditer(text, start, end)]
    if not any(kind[1] == "Secret" for kind in kinds):
        return
    kinds.sort(key=lambda kind: kind.start())
    at = [kind.start() for kind in kinds]
    done = start
    for section in _SECTION.finditer(text, start, end):
        if section.start() >= done and _belongs(kinds, at, section.start()):
            done = yield from _entries(text, section, end)
    for section in _JSON_SECTION.finditer(text, start, end):
        if _belongs(kinds, at, section.start()):
            for entry in _JSON_ENTRY.finditer(text, *section.span(2)):
                if _is_secret(entry[2], section[1] == "data"):
                    yield Candidate(entry.start(2), entry.end(2), _LABEL)


def _belongs(kinds: list[re.Match[str]], at: list[int], place: int) -> bool:
    """Tell whether the object around a place is a secret: its kind may follow its data."""
    before = bisect_right(at, place) - 1
    return kinds[max(before, 0)][1] == "Secret"


def _entries(text: str, section: re.Match[str], end: int) -> Generator[Candidate, None, int]:
    """Yield the values of a section and return its end."""
    indent = len(section[1])
    encoded = section[2] == "data"
    block = -1
    public = False
    at = section.end() + 1
    while at < end:
        newline = text.find("\n", at)
        stop = newline if newline >= 0 else len(text)
        line = text[at:stop]
        depth = len(line) - len(line.lstrip())
        bare = line.strip()
        if bare and (bare.startswith("```") or (depth <= indent and not bare.startswith("#"))):
            return at
        if "-----" in bare:
            public = "BEGIN" in bare and "PRIVATE" not in bare
        elif block >= 0 and bare and depth > block:
            if not public and _SETTING.match(bare) is None and _is_secret(bare, encoded):
                yield Candidate(at + depth, at + depth + len(bare), _LABEL)
        elif bare:
            block = -1
            entry = _ENTRY.match(line)
            if entry and _BLOCK.match(entry[3]):
                block = depth
            elif entry:
                yield from _scalar(entry[3], at + entry.start(3), encoded, entry[2])
        at = stop + 1
    return at


def _scalar(value: str, at: int, encoded: bool, name: str) -> Iterator[Candidate]:
    quoted = len(value) > 1 and value[0] in "\"'" and value.rstrip()[-1:] == value[0]
    if quoted:
        value = value.rstrip()
        at, value = at + 1, value[1:-1]
    else:
        value = value.partition(" #")[0].rstrip()
    if "{{" in value:
        for literal in _LITERAL.finditer(value):
            if is_mixed(literal[1]):
                yield Candidate(at + literal.start(1), at + literal.end(1), _LABEL)
    elif _is_secret(value, encoded) or (
        not encoded and is_password_name(name) and is_word_secret(value)
    ):
        yield Candidate(at, at + len(value), _LABEL)


def _is_secret(value: str, encoded: bool) -> bool:
    if not encoded:
        return is_typed(value) or is_random(value)
    if not _BASE64.fullmatch(value) or value.startswith(PUBLIC):
        return is_typed(value) and not value.startswith(PUBLIC)
    try:
        plain = base64.b64decode(value + "=" * (-len(value) % 4)).decode()
    except (binascii.Error, ValueError):
        return len(value) >= 12
    return not is_harmless(plain.strip())
