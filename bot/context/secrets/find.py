"""Finding secrets in a blob: a cheap prefilter, then detect-secrets' detectors on what it lets by.

The prefilter runs over the whole text in C; only lines that it names reach the detectors, which
are detect-secrets' own patterns and heuristics, called without its file handling (which reads
work trees) and without its verification (which calls out). Patterns of tokens that it lacks are
added here. Results are spans of bytes, so that a value is masked and its line number stays.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from bot.context.secrets.mask import ScanKind, Span

if TYPE_CHECKING:
    from bot.context.secrets.detectors import Detectors

_OWNERS = tuple(b"api auth service account db database priv private client".split())
_BEFORE_KEY = tuple(owner + joint for owner in _OWNERS for joint in (b"", b"_"))
"""What stands before `key` in the names that detect-secrets knows."""
_FARTHEST_BEFORE_KEY = max(map(len, _BEFORE_KEY))
_PASSWORDS = tuple(
    rb"dbpass db_pass databasepass database_pass keypass key_pass password passwd pwd secret "
    rb"contrase".split()
)
_QUOTED = re.compile(rb"""["'](?:[0-9a-fA-F]{9,}|[A-Za-z0-9+/\\\-_=]{23,})["']""")
_ASSIGNED = re.compile(rb"""[=:][ \t]{0,4}["']?[A-Za-z0-9_\-]{32,}""")
_URL_WITH_PASSWORD = re.compile(rb"://[^:/?#\[\]@!$&'()*+,;=\s]+:[^:/?#\[\]@!$&'()*+,;=\s]+@")
_ANCHORS = tuple(
    rb"AKC A3T ABIA ACCA AKIA ASIA AccountKey= SharedAccessKey= github_pat_ GR1348941 "
    rb"eyJ _authToken T3BlbkFJ pypi-Ag SG. xox XOX xapp- hooks.slack.com sq0csp k_live_ k_test_ "
    rb"AIza GOCSPX- sk-ant- sk-proj- sk-svcacct- hf_ npm_ whsec_ dop_v1_ shpat_ ya29.".split()
)
_SHAPES = (
    re.compile(rb"AP[\dA-F][A-Za-z0-9]{8,}"),
    re.compile(rb"AC[a-z0-9]{32}"),
    re.compile(rb"SK[a-z0-9]{32}"),
    re.compile(rb"gh[oprsu]_"),
    re.compile(rb"gl(?:pat|dt|ft|soat|rt|cbt|imt|ptt|agent|oas)-"),
    re.compile(rb":[0-9A-Za-z_-]{35}"),
    re.compile(rb"\.[a-zA-Z\d_-]{6}\.[a-zA-Z\d_-]{27}"),
    re.compile(rb"-us[0-9]{1,2}\b"),
)
"""What tokens without a fixed word look like. Each begins with bytes that are sought in C; where a
token begins before them (Telegram's, Discord's), its line is looked at all the same."""
_PRIVATE_KEY = re.compile(
    rb"(-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY"
    rb"|PuTTY-User-Key-File-\d)"
)
_KEY_LINE = re.compile(rb"""[\s"'>+,()\\#*]*(?:[A-Za-z0-9+/]{16,}={0,2}|[A-Za-z-]+: [^\n]*)""")
_KEY_BODY = re.compile(rb"[A-Za-z0-9+/]{16,}={0,2}")
_KEY_LINES = 200
_REACH = 1_000
_LONGEST = 2_500
"""How far from a hit a long line is looked at, and the most that is looked at in one piece, in
bytes: the detectors' patterns are quadratic, and some line may be made for them."""
_TOKEN_TAIL = re.compile(rb"[A-Za-z0-9_\-]+(?:[./+=]+[A-Za-z0-9_\-]+)*=*")


class _Segment(NamedTuple):
    start: int
    end: int


def find_secrets(data: bytes, kind: ScanKind) -> list[Span]:
    """Return the spans that hold secrets, in order, without overlap.

    `data` is the text as it would be shown. The time is linear in its length.
    """
    spans = [*_private_keys(data)]
    keyword = _segments(data, _keyword_hits(data))
    quoted = _segments(data, (match.span() for match in _QUOTED.finditer(data)))
    assigned = _segments(data, (match.span() for match in _ASSIGNED.finditer(data)))
    shaped = _segments(data, _shape_hits(data))
    if keyword or quoted or assigned or shaped:
        detectors = _detectors()
        for segments, find in (
            (keyword, lambda line: detectors.keyword(line, kind)),
            (quoted, detectors.entropy),
            ([*keyword, *assigned], detectors.assignments),
            (shaped, detectors.formats),
        ):
            for start, end in segments:
                line = data[start:end].decode("utf-8", "surrogateescape")
                for at, to, label in find(line):
                    spans.append(_placed(data, start, line, at, to, label))
    return _merged(spans)


def preload() -> None:
    """Load the detectors now, so that no push has to wait for them."""
    _detectors()


@lru_cache(maxsize=1)
def _detectors() -> Detectors:
    """Load detect-secrets only when a prefilter has let something by: it costs 0.1 s."""
    from bot.context.secrets.detectors import Detectors

    return Detectors()


def _keyword_hits(data: bytes) -> Iterator[tuple[int, int]]:
    # One search per word is three times as fast as one expression for all of them.
    lower = data.lower()
    yield from _found(lower, _PASSWORDS)
    for at, to in _found(lower, (b"key",)):
        # `endswith` asks for all of them at once.
        if lower[max(0, at - _FARTHEST_BEFORE_KEY) : at].endswith(_BEFORE_KEY):
            yield at, to


def _found(data: bytes, words: Iterable[bytes]) -> Iterator[tuple[int, int]]:
    for word in words:
        at = data.find(word)
        while at >= 0:
            yield at, at + len(word)
            at = data.find(word, at + 1)


def _shape_hits(data: bytes) -> Iterator[tuple[int, int]]:
    yield from _found(data, _ANCHORS)
    for shape in (_URL_WITH_PASSWORD, *_SHAPES):
        for match in shape.finditer(data):
            yield match.span()


def _segments(data: bytes, hits: Iterable[tuple[int, int]]) -> list[_Segment]:
    """Widen each hit to its line, or on a long line to its surroundings, and join what touches."""
    found: list[_Segment] = []
    for at, to in sorted(hits):
        if found and to <= found[-1].end:
            continue
        floor, ceiling = max(0, at - _REACH), to + _REACH
        start = max(floor, data.rfind(b"\n", floor, at) + 1)
        newline = data.find(b"\n", to, ceiling)
        end = newline if newline >= 0 else min(len(data), ceiling)
        if found and start < found[-1].end and end - found[-1].start <= _LONGEST:
            found[-1] = _Segment(found[-1].start, end)
        else:
            found.append(_Segment(start, end))
    return found


def _placed(data: bytes, base: int, line: str, at: int, to: int, label: str) -> Span:
    """Turn a span of characters into bytes, and run on to the end of the token it cuts."""
    start = base + len(line[:at].encode("utf-8", "surrogateescape"))
    end = base + len(line[:to].encode("utf-8", "surrogateescape"))
    if (data[end - 1 : end].isalnum() or data[end - 1 : end] in b"._-") and (
        tail := _TOKEN_TAIL.match(data, end)
    ):
        end = tail.end()
    return Span(start, end, label)


def _private_keys(data: bytes) -> Iterator[Span]:
    """Mask a key's body: the rest of its header's line, then line by line while it lasts."""
    at = 0
    while header := _PRIVATE_KEY.search(data, at):
        at = header.end()
        for _ in range(_KEY_LINES):
            newline = data.find(b"\n", at)
            line_end = newline if newline >= 0 else len(data)
            for body in _KEY_BODY.finditer(data, at, line_end):
                yield Span(body.start(), body.end(), "private key")
            at = line_end
            if newline < 0 or not _KEY_LINE.match(data, at + 1):
                break
            at += 1


def _merged(spans: list[Span]) -> list[Span]:
    merged: list[Span] = []
    for span in sorted(spans):
        if merged and span.start < merged[-1].end:
            last = merged[-1]
            merged[-1] = Span(last.start, max(last.end, span.end), last.label)
        elif span.start < span.end:
            merged.append(span)
    return merged
