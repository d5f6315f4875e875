"""What warmth has saved so far against prompt caching alone: speculation is paid out of that.

Beside every prefix runs a shadow: what the same questions would have cost had nobody warmed
anything, each writing for 5 minutes where it found nothing. Waiting counts at its price on both
sides. A speculative request must fit into what was saved, a small part of the shadow's own bill, a
larger one of the waiting on it, and a credit worth so many cold waits: where waiting costs nothing,
there is no credit.
"""

from __future__ import annotations

from typing import Any

from bot.warm.economics.costs import Costs

PART = 0.013
"""The part of the shadow's bill by which ours may exceed it."""
WAITED = 0.5
"""The same of the waiting on it: who was out of luck early may try again, the more it matters."""
CREDIT = 8.0
"""Cold waits that may be spent on learning before anything was saved."""
SHADOW_LIFE = 300.0


class Savings:
    """The two bills of one prefix, in USD, waits valued. `waited` is the part of the shadow's that
    is waiting."""

    __slots__ = ("_shadow_until", "ours", "shadow", "waited")

    def __init__(self) -> None:
        self.ours = 0.0
        self.shadow = 0.0
        self.waited = 0.0
        self._shadow_until = float("-inf")

    def asked(self, at: float, costs: Costs) -> None:
        """A question came: charge the shadow."""
        if at < self._shadow_until:
            self.shadow += costs.read
        else:
            waits = costs.second * costs.prefill
            self.shadow += costs.write_5m + waits
            self.waited += waits
        self._shadow_until = at + SHADOW_LIFE

    def spent(self, usd: float) -> None:
        """Charge ours: money, or waiting at its price."""
        self.ours += usd

    def allows(self, usd: float, costs: Costs) -> bool:
        """Tell whether so much more may be spent on a guess."""
        credit = CREDIT * costs.second * costs.prefill
        return self.ours + usd <= self.shadow * (1.0 + PART) + self.waited * WAITED + credit

    def snapshot(self) -> dict[str, Any]:
        return {"ours": self.ours, "shadow": self.shadow, "waited": self.waited}

    @classmethod
    def restored(cls, saved: dict[str, Any]) -> Savings:
        savings = cls()
        savings.ours, savings.shadow = float(saved["ours"]), float(saved["shadow"])
        # Written since the first version.
        savings.waited = float(saved.get("waited", 0.0))
        return savings
