"""Telemetry's need of the store: lines, kept in one order that all replicas see."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

FREQUENT = frozenset({"SignalReceived", "RequestStarted"})
"""Kinds of records that come by the thousand and serve only the near past."""


@dataclass(frozen=True, slots=True)
class Line:
    """One record on its way to the store. `number` counts a source's records from 1."""

    number: int
    at: float
    kind: str
    body: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One stored record. `seq` grows over all sources, in the order of becoming visible."""

    seq: int
    source: str
    number: int
    at: float
    kind: str
    body: str


class JournalStore(Protocol):
    """Keeps lines. Each call raises `ForewarmError` if the store does not answer."""

    async def append(self, source: str, lines: Sequence[Line]) -> None:
        """Store the lines in order; a line that is there already is left alone."""

    async def read(
        self,
        after: int = 0,
        *,
        limit: int = 2000,
        upto: int | None = None,
        kinds: Collection[str] | None = None,
        since: float | None = None,
        not_from: str | None = None,
    ) -> Sequence[Entry]:
        """Return at most `limit` entries with `after < seq <= upto`, in order."""

    async def last(self) -> int:
        """Return the newest sequence number, 0 if there is none."""
