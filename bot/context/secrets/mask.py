"""Where secrets stand in a text, and the text without them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

ScanKind = Literal["quoted", "config", "go", "c", "cpp"]
"""How a language writes values: where quotes may be missing, bare words count as values."""

SCANNER_VERSION = 1
"""Raise it when what the scanner finds changes: cached verdicts are then forgotten."""


class Span(NamedTuple):
    """Bytes `start:end` hold a secret; `label` says of which kind, in a word or two."""

    start: int
    end: int
    label: str


def mask(data: bytes, spans: Sequence[Span]) -> bytes:
    """Replace each span with `[masked: label]`. No line is added or lost."""
    out: list[bytes] = []
    at = 0
    for start, end, label in spans:
        lines = data.count(b"\n", start, end)
        out += [data[at:start], f"[masked: {label}]".encode(), b"\n" * lines]
        at = end
    out.append(data[at:])
    return b"".join(out)
