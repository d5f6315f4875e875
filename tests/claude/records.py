"""A journal for the tests of the client."""

from __future__ import annotations

from dataclasses import dataclass, field

from bot.claude.events import RequestEnded


@dataclass
class Records:
    """A journal that keeps every record."""

    kept: list[object] = field(default_factory=list)

    def write(self, record: object) -> None:
        self.kept.append(record)

    @property
    def ended(self) -> list[RequestEnded]:
        return [record for record in self.kept if isinstance(record, RequestEnded)]
