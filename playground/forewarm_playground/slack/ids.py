"""Ids, time stamps and JSON values."""

from __future__ import annotations

import re
from typing import Any

Json = dict[str, Any]
"""A JSON object: what Slack sends and takes is checked where it is read, member by member."""

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_TS = re.compile(r"\d{1,12}\.\d{6}")


def base36(number: int) -> str:
    """Return `number` in the digits and capitals that Slack's ids are written in."""
    digits = ""
    while number:
        number, rest = divmod(number, 36)
        digits = _ALPHABET[rest] + digits
    return digits or "0"


def is_ts(value: str) -> bool:
    """Tell whether `value` has the form of a message's time stamp."""
    return _TS.fullmatch(value) is not None


def ts_to_us(ts: str) -> int:
    """Return a time stamp as whole microseconds, the only form in which two may be compared."""
    seconds, _, micros = ts.partition(".")
    return int(seconds) * 1_000_000 + int(micros.ljust(6, "0")[:6] or "0")


def us_to_ts(us: int) -> str:
    """Return microseconds as a time stamp, `seconds.micros`."""
    return f"{us // 1_000_000}.{us % 1_000_000:06d}"


class Ids:
    """Mints ids that no other start of the emulator mints.

    An app keeps event ids to drop duplicates, so a restarted emulator must not begin again at one:
    `start` (microseconds of Unix time) goes into every id.
    """

    def __init__(self, start: int) -> None:
        self._mark = base36(start % 36**6)
        self._uuid = f"{start % 16**15:015x}"
        self._count = 0

    def __repr__(self) -> str:
        return f"<Ids [{self._count} minted]>"

    def next(self, prefix: str) -> str:
        """Return a new id such as `Ev0…`; prefixes are Slack's.

        Source: docs/platform/slack.md#ids-and-time-stamps.
        """
        self._count += 1
        return f"{prefix}0{self._mark}{self._count:05X}"

    def uuid(self) -> str:
        """Return a new UUID of version 4, as envelopes and client messages carry."""
        self._count += 1
        mark = self._uuid
        return f"{mark[:8]}-{mark[8:12]}-4{mark[12:15]}-8000-{self._count:012x}"

    def number(self) -> int:
        """Return a number that was not returned before."""
        self._count += 1
        return self._count
