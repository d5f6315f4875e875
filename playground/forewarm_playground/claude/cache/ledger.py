"""Ledger of requests: the usage and cost of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from forewarm_playground.claude.cache.usage import Usage, cost
from forewarm_playground.claude.models import Model

Outcome = Literal["open", "complete", "cut", "abandoned"]
"""`cut`: the connection ended after the response began; `abandoned`: before."""


@dataclass(slots=True)
class Charge:
    """One request in the ledger. Money in USD at list prices; times in Unix seconds.

    `factor` is what the provider takes for it, as a multiple of the list price.
    """

    at: float
    request_id: str
    message_id: str
    workspace: str
    model: Model
    usage: Usage
    geo: str | None = None
    free: bool = False
    factor: float = 1.0
    outcome: Outcome = "open"

    @property
    def usd(self) -> float:
        return 0.0 if self.free else self.factor * cost(self.usage, self.model, self.geo)


class Ledger:
    """All charges, in the order in which requests started."""

    def __init__(self) -> None:
        self.charges: list[Charge] = []

    def __repr__(self) -> str:
        return f"<Ledger [{len(self.charges)} requests, ${self.usd:.4f}]>"

    def __iter__(self) -> Iterator[Charge]:
        return iter(self.charges)

    def __len__(self) -> int:
        return len(self.charges)

    @property
    def usd(self) -> float:
        """All money spent."""
        return sum(charge.usd for charge in self.charges)

    @property
    def usage(self) -> Usage:
        """All tokens used."""
        used = [charge.usage for charge in self.charges]
        return Usage(
            input=sum(one.input for one in used),
            read=sum(one.read for one in used),
            write_5m=sum(one.write_5m for one in used),
            write_1h=sum(one.write_1h for one in used),
            output=sum(one.output for one in used),
            thinking=sum(one.thinking for one in used),
        )
