"""How often answers have used each file of a context, so that its next base shows these first.

A use is a citation that holds or a file that a look-up has read. It counts half after `HALF_LIFE`
seconds. Paths alone are kept: no question, no words of an answer, no person.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping

import structlog

from bot.clock import Now
from bot.store.key_value import State, Versioned

log = structlog.get_logger(__name__)

KIND = "uses"
HALF_LIFE = 30 * 86_400.0
MOST_FILES = 2_000
"""Files of a context that are kept: those that are used most."""
_LEAST = 0.05
_TRIES = 5

Weights = dict[tuple[str, str], float]
"""Decayed uses by repository and path."""


class FileUses:
    """Keeps the uses in the store. Implements `bot.answer.interfaces.FileUses`."""

    def __init__(self, state: State, now: Now) -> None:
        self._state = state
        self._now = now

    async def record(self, context: str, files: Collection[tuple[str, str]]) -> None:
        """Count one use of each file. Replicas may do so at the same time.

        Raises:
            StoreError: the store cannot be reached.
        """
        if not files:
            return
        for _ in range(_TRIES):
            found = await self._state.look(KIND, context)
            now = self._now()
            weights = decay(found, now)
            for key in files:
                weights[key] = weights.get(key, 0.0) + 1.0
            version = found.version if found else None
            if await self._state.swap(KIND, context, _dump(weights, now), version):
                return
        log.warning("file_uses_not_stored", context=context)

    async def weights(self, context: str) -> Mapping[str, Mapping[str, float]]:
        """Return the uses of each file by now: by repository and path."""
        found: dict[str, dict[str, float]] = {}
        for (name, path), weight in decay(
            await self._state.look(KIND, context), self._now()
        ).items():
            found.setdefault(name, {})[path] = weight
        return found


def decay(found: Versioned | None, now: float) -> Weights:
    """Return what is stored as it counts now; nothing if it cannot be read."""
    try:
        document = json.loads(found.value if found else b"{}")
        factor = 0.5 ** (max(0.0, now - document.get("at", now)) / HALF_LIFE)
        rows = document.get("files", ())
        return {(str(name), str(path)): float(weight) * factor for name, path, weight in rows}
    except (ValueError, TypeError, AttributeError):
        return {}


def _dump(weights: Weights, now: float) -> bytes:
    most = sorted(weights.items(), key=lambda pair: (-pair[1], pair[0]))[:MOST_FILES]
    rows = [[name, path, round(weight, 4)] for (name, path), weight in most if weight >= _LEAST]
    return json.dumps({"at": now, "files": rows}, separators=(",", ":")).encode()
