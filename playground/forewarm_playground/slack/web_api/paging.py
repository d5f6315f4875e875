"""Cursors: a page at a time of what a method lists."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import TypeVar

from forewarm_playground.slack.errors import SlackError
from forewarm_playground.slack.web_api.arguments import Arguments

T = TypeVar("T")


def encode(mark: str) -> str:
    """Return a cursor that stands for a place in a listing."""
    return base64.b64encode(f"next:{mark}".encode()).decode()


def decode(cursor: str) -> str:
    """Return the place that a cursor stands for, or refuse with `invalid_cursor`."""
    try:
        kind, _, mark = base64.b64decode(cursor, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise SlackError("invalid_cursor") from None
    if kind != "next" or not mark:
        raise SlackError("invalid_cursor")
    return mark


def limit(arguments: Arguments, *, default: int, most: int) -> int:
    """Return how many items a page may have, or refuse with `invalid_limit`."""
    wanted = arguments.integer("limit", default) or default
    if not 1 <= wanted <= max(most, 1000):
        raise SlackError("invalid_limit")
    return min(wanted, most)


def page(
    arguments: Arguments, items: Sequence[T], *, default: int, most: int
) -> tuple[Sequence[T], str]:
    """Return the page that a call asks for, and the cursor of the next or ""."""
    count = limit(arguments, default=default, most=most)
    cursor = arguments.optional("cursor")
    mark = decode(cursor) if cursor else "0"
    if not mark.isdigit():
        raise SlackError("invalid_cursor")
    start = int(mark)
    end = start + count
    return items[start:end], encode(str(end)) if end < len(items) else ""
