"""Private keys in PEM, PGP, OpenSSH and PuTTY form, behind any line prefix, and in base64."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator

from bot.context.secrets.mask import Span

_HEADER = re.compile(
    rb"(?:-{3,5} ?)?BEGIN [A-Za-z0-9 ]{0,40}(?:PRIVATE KEY|Static key V1)(?: BLOCK)?(?: ?-{3,5})?"
    rb"|Private-Lines: \d+"
)
KEY_WORDS = frozenset(["private", "static", "crudjti", "kty"])
"""Words of which a text with a key holds one. `CRUdJTi` stands in base64 of `BEGIN`."""
_ANCHORS = (b"PRIVATE KEY", b"Private-Lines: ", b"Static key")
_FOOTER = re.compile(rb"-{3,5} ?END [A-Za-z0-9 ]{0,40}|Private-MAC:")
_RUN = re.compile(rb"\\{1,4}[nrt]|([A-Za-z0-9+/]{4,}={0,2}|=[A-Za-z0-9+/]{4}(?![A-Za-z0-9+/]))")
_PREFIX = re.compile(rb"[^A-Za-z0-9+/=\n]{0,80}")
_ROW = re.compile(rb"[A-Za-z0-9+/]{1,}={0,3}|=[A-Za-z0-9+/]{4}", re.ASCII)
_LEGEND = re.compile(rb"[A-Za-z][A-Za-z-]{2,30}: ?[^\n]{0,200}")
_TRAILER = re.compile(rb"""(?:\\{1,4}[nr])?[\s"'`,+;()\[\]\\|<&.-]{0,40}(?:\*/)?""")
_FIRST_ROW = 16
_BASE64_PEM = re.compile(rb"LS0tLS1CRUdJTi[A-Za-z0-9+/_=-]{16,}")
_FOLDED = re.compile(rb"\n[ \t]{1,40}([A-Za-z0-9+/]{16,}={0,2})[ \t]*(?=\n|\Z)")
_WEB_KEY = re.compile(rb'"(?:d|p|q|dp|dq|qi|k)"\s{0,8}:\s{0,8}"([A-Za-z0-9_-]{16,8000})"')
_LABEL = "private key"


def find_private_keys(data: bytes, words: frozenset[str]) -> Iterator[Span]:
    """Yield the rows of private keys. A key ends at its footer, or at a line that is no row.

    `words` are those of `KEY_WORDS` that the data holds.
    """
    if ("private" in words or "static" in words) and any(anchor in data for anchor in _ANCHORS):
        at = 0
        while header := _HEADER.search(data, at):
            spans, at = _block(data, header)
            yield from spans
    at = data.find(b"LS0tLS1CRUdJTi") if "crudjti" in words else -1
    while at >= 0:
        match = _BASE64_PEM.match(data, at)
        end = match.end() if match else at + 14
        if match and _is_private(match.group()):
            yield Span(at, end, _LABEL)
            while folded := _FOLDED.match(data, end):
                yield Span(folded.start(1), folded.end(1), _LABEL)
                end = folded.end()
        at = data.find(b"LS0tLS1CRUdJTi", end)


def find_web_keys(data: bytes, words: frozenset[str]) -> Iterator[Span]:
    """Yield the private members of JSON Web Keys (RFC 7518, section 6)."""
    at = data.find(b'"kty"') if "kty" in words else -1
    while at >= 0:
        start = max(data.rfind(b"{", max(0, at - 4_000), at), at - 4_000, 0)
        end = data.find(b"}", at, at + 4_000)
        for member in _WEB_KEY.finditer(data, start, end if end >= 0 else at + 4_000):
            yield Span(*member.span(1), _LABEL)
        at = data.find(b'"kty"', at + 5)


def _is_private(encoded: bytes) -> bool:
    """Tell whether base64 of PEM holds a private key. A certificate may be shown."""
    head = encoded[:96].replace(b"-", b"+").replace(b"_", b"/").rstrip(b"=")
    try:
        text = base64.b64decode(head[: len(head) // 4 * 4])
    except (binascii.Error, ValueError):
        return True
    return b"CERTIFICATE" not in text and b"PUBLIC" not in text


def _block(data: bytes, header: re.Match[bytes]) -> tuple[list[Span], int]:
    """Return the rows behind one header, and the place at which the search goes on."""
    line_start = data.rfind(b"\n", max(0, header.start() - 200), header.start()) + 1
    if line_start == 0:
        line_start = max(0, header.start() - 200)
    prefix = data[line_start : header.start()]
    spans: list[Span] = []
    at = header.end()
    end, closed = _line_end(data, at)
    spans += _runs(data, at, end)
    at = end
    blanks = 0
    while not closed and at < len(data):
        start = at + 1
        end, closed = _line_end(data, start)
        row = _row(data, start, end, prefix, bool(spans))
        if row is None:
            if closed:
                spans += _runs(data, start, end)
            break
        if isinstance(row, Span):
            spans.append(row)
            blanks = 0
        elif (blanks := blanks + 1) > 12:
            break
        at = end
    return spans, max(at, header.end())


def _line_end(data: bytes, at: int) -> tuple[int, bool]:
    """Return the end of the line, or the footer on it and that there is one."""
    newline = data.find(b"\n", at)
    end = newline if newline >= 0 else len(data)
    footer = _FOOTER.search(data, at, end)
    return (footer.start(), True) if footer else (end, False)


def _runs(data: bytes, at: int, end: int) -> list[Span]:
    """Return the rows of a key that stands on one line, with escapes between them."""
    found = [m.span(1) for m in _RUN.finditer(data, at, end) if m.group(1)]
    if not any(to - start >= _FIRST_ROW for start, to in found):
        return []
    return [Span(start, to, _LABEL) for start, to in found]


def _row(data: bytes, start: int, end: int, prefix: bytes, begun: bool) -> Span | bool | None:
    """Return a row's span, True for a line without a value, None for what ends the key."""
    at = start
    if prefix and data.startswith(prefix, start):
        at += len(prefix)
    elif prefix.rstrip() and data.startswith(prefix.rstrip(), start):
        at += len(prefix.rstrip())
    skipped = _PREFIX.match(data, at, end)
    assert skipped is not None
    at = skipped.end()
    if at >= end or data[at:end].strip() in {b"", b"REM"}:
        return True
    match = _ROW.match(data, at, end)
    if match is None:
        return None
    if data[at - 1 : at] == b"\\" and match.group() in (b"n", b"r"):
        return True
    trailer = _TRAILER.match(data, match.end(), end)
    whole = trailer is not None and trailer.end() >= end
    size = match.end() - at
    if whole and (size >= _FIRST_ROW or (begun and not match.group().isalpha())):
        return Span(at, match.end(), _LABEL)
    if whole and begun and _FOOTER.search(data, end, end + 240):
        return Span(at, match.end(), _LABEL)
    if _LEGEND.match(data, at, end):
        return True
    words = data[at:end].split()
    # A log's prefix differs from line to line: its last word is the row.
    if words and prefix.strip() and _ROW.fullmatch(words[-1]) and len(words[-1]) >= _FIRST_ROW:
        begin = data.rfind(words[-1], at, end)
        return Span(begin, begin + len(words[-1]), _LABEL)
    return None
