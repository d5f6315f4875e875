"""Why a read fell short of what the ledger expected, in words.

Of the server's diagnoses only changes of model, system or tools explain a miss: the tail of a
warm-up always differs from a question's. No divergence and no read means expired or evicted.
"""

from __future__ import annotations

from bot.claude.cache_check import EXPLAINS_A_MISS
from bot.warm.cache_entry import Entry
from bot.warm.types import PrefixFacts

_WORDS = {
    "model_changed": "the model or its speed differs from the request that wrote it",
    "system_changed": "the system blocks differ from the request that wrote it",
    "tools_changed": "the tools differ from the request that wrote it",
}


def explained(entry: Entry, facts: PrefixFacts, diagnosis: str | None) -> str:
    """Return the reason, from our own fingerprints and from the server's diagnosis."""
    if diagnosis in EXPLAINS_A_MISS:
        return f"{_WORDS[diagnosis]} (a bug: the fingerprints are {_same(entry, facts)})"
    if entry.fingerprint != facts.fingerprint:
        return "evicted before its time; the overlay has changed, but the base had not"
    return f"evicted before its time, which was {entry.ttl}"


def _same(entry: Entry, facts: PrefixFacts) -> str:
    return "the same" if entry.fingerprint == facts.fingerprint else "the same in the base only"
