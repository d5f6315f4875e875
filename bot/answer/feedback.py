"""What a feedback button carries, so that a click is understood after any restart. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast

Value = Literal["up", "down"]


@dataclass(frozen=True, slots=True)
class Mark:
    """Which answer the buttons stand under: the question's id, the context, the prefix."""

    question: str
    context: str
    fingerprint: str

    def encode(self, value: Value) -> str:
        """Return the button's value; Slack takes 2,000 characters of it."""
        return "\n".join((value, self.question, self.context, self.fingerprint))


def decode(value: str) -> tuple[Mark, Value] | None:
    """Return what `Mark.encode` was given; None for anything else."""
    parts = value.split("\n")
    if len(parts) != 4 or parts[0] not in ("up", "down"):
        return None
    return Mark(parts[1], parts[2], parts[3]), cast(Value, parts[0])
