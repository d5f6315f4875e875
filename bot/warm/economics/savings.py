"""Bill of a prefix beside that of prompt caching alone: guesses are paid out of the difference.

A warm-up is a guess, and a forecast can be wrong for weeks on a channel that changed its habits.
So beside every prefix runs a shadow: the bill of the same questions if nothing were ever warmed.
In the shadow, a question writes for 5 minutes if the last one was longer ago, and reads otherwise.
Waiting is charged at its price on both sides. A guess of x USD is allowed only if

    ours + x ≤ shadow · (1 + SHADOW_SHARE) + shadow's waiting · WAITING_SHARE + CREDIT_WAITS waits

The first term lets warmth cost a little more than prompt caching at most. The second and third
let it learn: after bad luck in the first days it may try again, the more so the more waiting
matters. If waiting costs nothing, both are zero. See docs/governor.md#limits.
"""

from __future__ import annotations

from typing import Any

from bot.warm.economics.costs import Costs

SHADOW_SHARE = 0.013
"""Share of the shadow's bill by which ours may exceed it."""
WAITING_SHARE = 0.5
"""The same of the waiting in the shadow's bill."""
CREDIT_WAITS = 8.0
"""Cold waits that may be spent on learning before anything was saved."""
SHADOW_LIFE = 300.0
"""Seconds that an entry of the shadow lives."""


class SavingsLedger:
    """The two bills of one prefix in USD, waiting included.

    `waited` is the part of the shadow's bill that is waiting.
    """

    __slots__ = ("_shadow_until", "ours", "shadow", "waited")

    def __init__(self) -> None:
        self.ours = 0.0
        self.shadow = 0.0
        self.waited = 0.0
        self._shadow_until = float("-inf")

    def charge_shadow(self, at: float, costs: Costs) -> None:
        """Charge the shadow for a question."""
        # Prompt caching renews its entry at each question, so only a long gap costs a write.
        if at < self._shadow_until:
            self.shadow += costs.read
        else:
            waiting = costs.second * costs.prefill
            self.shadow += costs.write_5m + waiting
            self.waited += waiting
        self._shadow_until = at + SHADOW_LIFE

    def charge(self, usd: float) -> None:
        """Charge ours with money, or with waiting at its price."""
        self.ours += usd

    def allows(self, usd: float, costs: Costs) -> bool:
        """Tell whether so much more may be spent on a guess."""
        credit = CREDIT_WAITS * costs.second * costs.prefill
        limit = self.shadow * (1.0 + SHADOW_SHARE) + self.waited * WAITING_SHARE + credit
        return self.ours + usd <= limit

    def snapshot(self) -> dict[str, Any]:
        """Return the bills as JSON."""
        return {"ours": self.ours, "shadow": self.shadow, "waited": self.waited}

    @classmethod
    def from_snapshot(cls, state: dict[str, Any]) -> SavingsLedger:
        """Return the bills that `snapshot` returned."""
        savings = cls()
        savings.ours, savings.shadow = float(state["ours"]), float(state["shadow"])
        # States of the first version have no such key.
        savings.waited = float(state.get("waited", 0.0))
        return savings
