"""Why a request read fewer tokens than were believed cached, in words.

Of the server's diagnoses only changes of model, system or tools explain a miss: the messages of a
warm-up and of a question always differ. If nothing differs, the entry expired or was evicted
(docs/platform/claude.md#cache-diagnostics).
"""

from __future__ import annotations

from bot.claude.cache_check import EXPLAINS_A_MISS
from bot.warm.cache_entry import CacheEntry
from bot.warm.types import PrefixFacts

_WORDS = {
    "model_changed": "the model or its speed differs from the request that wrote it",
    "system_changed": "the system blocks differ from the request that wrote it",
    "tools_changed": "the tools differ from the request that wrote it",
}


def explain_miss(entry: CacheEntry, facts: PrefixFacts, diagnosis: str | None) -> str:
    """Return the reason, from the bot's own fingerprints and from the server's diagnosis."""
    if diagnosis in EXPLAINS_A_MISS:
        is_same = entry.fingerprint == facts.fingerprint
        equal = "the same" if is_same else "the same in the base only"
        return f"{_WORDS[diagnosis]} (a bug: the fingerprints are {equal})"
    if entry.fingerprint != facts.fingerprint:
        return "evicted before its time; the overlay has changed, but the base had not"
    return f"evicted before its time, which was {entry.ttl}"
