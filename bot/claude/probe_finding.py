"""Finding of a probe of a real service, in words and in a form that can be sent to others."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from bot.stored import dump

Outcome = Literal["found", "person", "unprobed", "failed"]


@dataclass(frozen=True, slots=True)
class ProbeFinding:
    """One thing that was not established before. `facts` hold no token, name, id or address.

    `person` means that a person has to act for it, `unprobed` that it cannot be told from
    outside, or not within minutes; `text` says what, or why.
    """

    item: str
    outcome: Outcome
    text: str
    facts: Mapping[str, Any] = field(default_factory=dict)

    def line(self) -> str:
        """Return it as one line of JSON."""
        return json.dumps(dump(self), ensure_ascii=False, sort_keys=True)
