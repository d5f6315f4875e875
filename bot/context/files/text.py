"""From a blob's bytes to the text that a model sees, and lines as git counts them. Pure.

Text in UTF-16 or UTF-32 with a byte-order mark becomes UTF-8. A very long line and the output of a
notebook's cell are shortened: the cut says how much is missing, and no line is added or lost.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence

from bot.context.secrets.mask import Span, mask

LONGEST_LINE = 8_000
"""Bytes. A longer line is shortened."""
_KEPT_OF_LONG = 2_000
_KEPT_OF_DATA = 80
_KEPT_OUTPUT_LINES = 20
_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
"""UTF-32 comes first: its little-endian mark begins with that of UTF-16."""


def is_unicode_16_or_32(raw: bytes) -> bool:
    """Tell if the bytes are text in UTF-16 or UTF-32, by their mark and by decoding them."""
    return (
        raw[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, b"\0\0") and _decoded(raw) is not None
    )


def _decoded(raw: bytes) -> str | None:
    for bom, encoding in _BOMS:
        if raw.startswith(bom):
            try:
                text = raw[len(bom) :].decode(encoding)
            except UnicodeDecodeError:
                continue
            if "\0" not in text:
                return text
    return None


def normalize(raw: bytes) -> bytes:
    """Return valid UTF-8 with `\\n` line ends and no byte-order mark.

    Bytes that are not UTF-8 become U+FFFD, and so does a NUL. No line is added or lost: a lone
    carriage return is no line end for git, and becomes a space.
    """
    text = _decoded(raw) if raw[:2] in (b"\xff\xfe", b"\xfe\xff", b"\0\0") else None
    data = raw.removeprefix(codecs.BOM_UTF8) if text is None else text.encode("utf-8", "replace")
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b" ")
    if b"\0" in data:
        data = data.replace(b"\0", b"\xef\xbf\xbd")
    if not data.isascii():
        try:
            data.decode("utf-8")
        except UnicodeDecodeError:
            data = data.decode("utf-8", "replace").encode("utf-8")
    return data


def render_text(
    raw: bytes, spans: Sequence[Span], *, shorten: bool = False, notebook: bool = False
) -> bytes:
    """Return the text as it may be shown: normalized, its secrets masked, its long lines cut.

    `shorten` says that the text needs cuts (see `needs_cuts`).
    """
    data = normalize(raw)
    if spans:
        data = mask(data, spans)
    return cut(data, notebook=notebook) if shorten else data


def needs_cuts(raw: bytes, *, notebook: bool = False) -> bool:
    """Tell if the text is shown with cuts.

    A text with carriage returns as its line ends is one line for git. It is shown whole.
    """
    if notebook:
        return len(raw) > _KEPT_OF_LONG
    if len(raw) <= LONGEST_LINE or max(map(len, raw.split(b"\n"))) <= LONGEST_LINE:
        return False
    return max(map(len, re.split(rb"[\r\n]", raw))) > LONGEST_LINE


def cut(data: bytes, *, notebook: bool = False) -> bytes:
    """Shorten the long lines, and the outputs of a notebook. Every cut says how much is missing."""
    lines = data.split(b"\n")
    if notebook:
        _blank_outputs(lines)
    for at, line in enumerate(lines):
        if len(line) > (_KEPT_OF_LONG if notebook else LONGEST_LINE):
            lines[at] = _short(line, notebook)
    return b"\n".join(lines)


_BASE64 = re.compile(rb"[A-Za-z0-9+/=\\n]{400,}")


def _short(line: bytes, notebook: bool) -> bytes:
    kept = _KEPT_OF_LONG
    if notebook and (found := _BASE64.search(line)) and found.start() < kept:
        kept = found.start() + _KEPT_OF_DATA
    head = line[:kept].decode("utf-8", "ignore").encode()
    # A label that is cut in two would not tell that a value is masked.
    opened = head.rfind(b"[masked: ")
    if opened >= 0 and b"]" not in head[opened:]:
        head = head[:opened]
    return head + f" [… {len(line) - len(head):,} more bytes of this line]".encode()


_OUTPUTS = re.compile(rb'([ \t]*)"outputs": \[[ \t]*')
_OUTPUT_TEXT = re.compile(
    rb'[ \t]*"(?:text|text/[\w.+-]+|image/[\w.+-]+|traceback|application/[\w.+-]+)": \['
)


def _blank_outputs(lines: list[bytes]) -> None:
    """Empty the lines of each output beyond the first ones. The first of them says how many."""
    at = 0
    while at < len(lines):
        found = _OUTPUTS.fullmatch(lines[at])
        if not found:
            at += 1
            continue
        closing = found[1] + b"]"
        end = at + 1
        while end < len(lines) and lines[end].rstrip(b",") != closing:
            end += 1
        _blank_texts(lines, at + 1, end)
        at = end + 1


def _blank_texts(lines: list[bytes], start: int, end: int) -> None:
    at = start
    while at < end:
        if not _OUTPUT_TEXT.fullmatch(lines[at].rstrip()):
            at += 1
            continue
        indent = lines[at][: len(lines[at]) - len(lines[at].lstrip())]
        close = at + 1
        while close < end and lines[close].rstrip(b",") != indent + b"]":
            close += 1
        first = at + 1 + _KEPT_OUTPUT_LINES
        if close > first + 1:
            note = f"[… {close - first:,} more lines of this output]".encode()
            lines[first:close] = [indent + note, *[b""] * (close - first - 1)]
        at = close + 1


def count_lines(data: bytes) -> int:
    """Count lines; a last one without an end counts too."""
    return data.count(b"\n") + (1 if data and not data.endswith(b"\n") else 0)


def split_lines(data: bytes) -> list[bytes]:
    """Split into lines without their ends."""
    lines = data.split(b"\n")
    if not lines[-1]:
        lines.pop()
    return lines


def text_lines(text: str) -> list[str]:
    """Split a text into lines as git counts them: only `\\n` ends a line."""
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    return lines
