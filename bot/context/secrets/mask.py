"""Places of secrets in a text, and the text without them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

SCANNER_VERSION = 12
"""Raise it when the scanner finds other values than before: cached results are then forgotten."""


class Span(NamedTuple):
    """Bytes `start:end` hold a secret; `label` names its kind, in a word or two."""

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
