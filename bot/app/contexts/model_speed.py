"""How fast each model is here, measured on the bot's own requests, for the choice of sizes.

The wait for the first event is taken as `base + uncached * tokens + cached * tokens`. The three are
fitted to the requests of this installation by weighted least squares. The guess for the model is a
weak prior: a few requests outweigh it, and figures that no request tells apart stay near it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import structlog
from numpy.typing import NDArray

from bot.claude.events import RequestEnded
from bot.claude.providers.table import is_claude
from bot.context.sizing import LOCAL_SPEED, Speed
from bot.errors import ForewarmError
from bot.store.key_value import State
from bot.tasks import Tasks

log = structlog.get_logger(__name__)

KIND = "speed"
_KEPT = 0.98
"""Weight that an observation keeps with each later one: about fifty count."""
_PRIOR_SPREAD = 3.0
"""Standard deviation of the guess, as a multiple of it."""
_NOISE, _RELATIVE_NOISE = 0.2, 0.2
"""Standard deviation of a wait: seconds, and a share of the wait."""
_FASTEST = 0.005
"""The least that a measured figure may be of the guess: waits are noisy, and never negative."""
_THOUSAND = 1_000.0
_TRIES = 5

Array = NDArray[np.float64]


def guessed_speed(model: str) -> Speed:
    """Return the guess for a model before any request."""
    return Speed() if is_claude(model) else LOCAL_SPEED


@dataclass(frozen=True, eq=False)
class SpeedFit:
    """Sums of the observations of one model. Tokens count in thousands."""

    squares: Array
    products: Array
    requests: int

    @classmethod
    def empty(cls) -> SpeedFit:
        return cls(np.zeros((3, 3)), np.zeros(3), 0)

    def with_wait(self, uncached: float, cached: float, seconds: float) -> SpeedFit:
        """Add a request: tokens that were not read from the cache, tokens that were, the wait."""
        row = np.array([1.0, uncached / _THOUSAND, cached / _THOUSAND])
        weight = 1.0 / (_NOISE + _RELATIVE_NOISE * seconds) ** 2
        return SpeedFit(
            _KEPT * self.squares + weight * np.outer(row, row),
            _KEPT * self.products + weight * seconds * row,
            self.requests + 1,
        )

    def speed(self, guess: Speed) -> Speed:
        """Return the guess corrected by the observations."""
        if not self.requests:
            return guess
        # A model whose cached tokens are taken for free still needs a scale.
        least = 1e-6 * _THOUSAND
        prior = np.array([guess.base, guess.uncached * _THOUSAND, guess.cached * _THOUSAND])
        precision = np.diag(1.0 / (_PRIOR_SPREAD * np.maximum(prior, least)) ** 2)
        fitted = np.linalg.solve(self.squares + precision, self.products + precision @ prior)
        base, uncached, cached = np.maximum(fitted, _FASTEST * prior).tolist()
        return Speed(base, uncached / _THOUSAND, cached / _THOUSAND, self.requests)

    def dump(self) -> bytes:
        document = {
            "squares": self.squares.tolist(),
            "products": self.products.tolist(),
            "requests": self.requests,
        }
        return json.dumps(document).encode()

    @classmethod
    def load(cls, data: bytes | None) -> SpeedFit:
        """Return what was dumped, and an empty fit for anything else."""
        try:
            document: Mapping[str, Any] = json.loads(data or b"{}")
            squares = np.array(document["squares"], dtype=np.float64).reshape(3, 3)
            products = np.array(document["products"], dtype=np.float64).reshape(3)
            return cls(squares, products, int(document["requests"]))
        except (ValueError, KeyError, TypeError):
            return cls.empty()


class ModelSpeeds:
    """Keeps the fits in the store; replicas share them."""

    def __init__(self, state: State, tasks: Tasks) -> None:
        self._state = state
        self._tasks = tasks
        self._waits: dict[str, list[tuple[float, float, float]]] = {}
        self._lock = asyncio.Lock()

    def observe(self, record: RequestEnded) -> None:
        """Take in a request that was answered; returns at once."""
        usage = record.usage
        if record.error or record.seconds <= 0 or not usage.total_input:
            return
        wait = (float(usage.input + usage.written), float(usage.cache_read), record.seconds)
        self._waits.setdefault(record.model, []).append(wait)
        self._tasks.start(self._save(record.model))

    async def speed(self, model: str) -> Speed:
        """Return the speed of a model, as far as it was measured."""
        fit = SpeedFit.load(await self._state.get(KIND, model))
        return fit.speed(guessed_speed(model))

    async def _save(self, model: str) -> None:
        async with self._lock:
            waits = self._waits.pop(model, [])
            try:
                for _ in range(_TRIES if waits else 0):
                    found = await self._state.look(KIND, model)
                    fit = SpeedFit.load(found.value if found else None)
                    for wait in waits:
                        fit = fit.with_wait(*wait)
                    version = found.version if found else None
                    if await self._state.swap(KIND, model, fit.dump(), version):
                        return
            except ForewarmError as error:
                log.warning("speed_not_stored", model=model, why=str(error))
