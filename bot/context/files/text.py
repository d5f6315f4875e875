"""From a blob's bytes to the text that a model sees, and lines as git and GitHub count them."""

from __future__ import annotations

import codecs
from collections.abc import Sequence

from bot.context.secrets.mask import Span, mask


def normalize(raw: bytes) -> bytes:
    """Return valid UTF-8 with `\\n` line ends and no byte-order mark.

    Bytes that are not UTF-8 become U+FFFD. No line is added or lost: a lone carriage return is no
    line end for git either, and becomes a space.
    """
    data = raw.removeprefix(codecs.BOM_UTF8)
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b" ")
    if not data.isascii():
        try:
            data.decode("utf-8")
        except UnicodeDecodeError:
            data = data.decode("utf-8", "replace").encode("utf-8")
    return data


def shown(raw: bytes, spans: Sequence[Span]) -> bytes:
    """Return the text as it may be shown: normalized, its secrets masked."""
    data = normalize(raw)
    return mask(data, spans) if spans else data


def count_lines(data: bytes) -> int:
    """Count lines; a last one without an end counts too."""
    return data.count(b"\n") + (1 if data and not data.endswith(b"\n") else 0)


def split_lines(data: bytes) -> list[bytes]:
    """Split into lines without their ends."""
    lines = data.split(b"\n")
    if not lines[-1]:
        lines.pop()
    return lines
