"""Tokens without a tokenizer: bytes by a ratio per model and kind of file, set right by the server.

Claude's tokenizer is not public. A ratio per kind comes near; a few free calls to `count_tokens` on
evenly drawn samples bring the ratios within a percent or two, one call on the finished base makes
its figure exact, and the usage that replies report keeps it so.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

from bot.context.files.kinds import KINDS, Kind

CountTokens = Callable[[str], Awaitable[int | None]]
"""Counts a text with the model's own tokenizer; None if the server cannot."""

Ratios = Mapping[Kind, float]
"""Bytes a token, by kind of file."""

_TODAY: Ratios = {"code": 2.75, "prose": 3.2, "data": 2.2, "markup": 2.4}
_EARLIER: Ratios = {"code": 3.4, "prose": 4.1, "data": 2.7, "markup": 3.0}
_OTHER: Ratios = {"code": 2.9, "prose": 3.7, "data": 2.1, "markup": 2.5}
_EARLIER_MODELS = ("claude-3", "claude-opus-4-0", "claude-opus-4-1", "claude-opus-4-5")
_EARLIER_SONNETS = ("claude-sonnet-4", "claude-haiku-4", "claude-opus-4-6")

UNMEASURED = 0.12
"""How far off an estimate may be before anything was measured, as a share."""
UPDATE_DENSITY = 1.2
"""How many times as many tokens a byte of an update makes as one of a whole file: its lines are
short, with signs, paths and numbers between. With the local model's tokenizer it is 1.1 to 1.2 over
all updates of three repositories, and more in small ones."""
SAMPLED = 0.03
MEASURED = 0.01
SAMPLE_BYTES = 48_000
SAMPLE_CALLS = 12
_SLICES = 24
_WORTH_A_CALL = 0.004
"""A kind with less than this share of the bytes is not sampled."""


def ratios_for(model: str) -> Ratios:
    """Return the ratios to begin with.

    Claude models since 4.7 make about 30 % more tokens of a text than those before them
    (docs/platform/claude.md#tokenizers). Other models are taken for common open ones.
    """
    if not model.startswith("claude-"):
        return _OTHER
    earlier = model.startswith((*_EARLIER_MODELS, *_EARLIER_SONNETS))
    return _EARLIER if earlier else _TODAY


@dataclass(frozen=True)
class Estimator:
    """Turns bytes into tokens. `spread` is how far off it may be, as a share of the truth."""

    model: str
    ratios: Ratios
    factor: float = 1.0
    spread: float = UNMEASURED

    def __repr__(self) -> str:
        ratios = ", ".join(f"{kind} {self.ratios[kind] / self.factor:.2f}" for kind in KINDS)
        return f"<Estimator of {self.model}: bytes a token {ratios}; ±{self.spread:.0%}>"

    @classmethod
    def of(cls, model: str) -> Estimator:
        return cls(model, ratios_for(model))

    def tokens(self, kind: Kind, size: int) -> int:
        """Estimate the tokens of `size` bytes of one kind."""
        return round(self.exactly(kind, size))

    def exactly(self, kind: Kind, size: int) -> float:
        return size / self.ratios[kind] * self.factor

    def total(self, sizes: Mapping[Kind, int]) -> int:
        return round(sum(self.exactly(kind, size) for kind, size in sizes.items()))

    def corrected(self, estimated: int, actual: int) -> Estimator:
        """Return one that would have been right on a text estimated by this one."""
        if estimated <= 0 or actual <= 0:
            return self
        return replace(self, factor=self.factor * actual / estimated, spread=MEASURED)

    def dump(self) -> bytes:
        """Return what `load` reads."""
        document = {"ratios": dict(self.ratios), "factor": self.factor, "spread": self.spread}
        return json.dumps(document, sort_keys=True).encode()

    @classmethod
    def load(cls, model: str, data: bytes | None) -> Estimator:
        """Read the dump for this model; begin anew if it cannot be read."""
        try:
            document = json.loads(data or b"")
            ratios = {kind: float(document["ratios"][kind]) for kind in KINDS}
            if min(ratios.values()) > 0 and document["factor"] > 0:
                return cls(model, ratios, float(document["factor"]), float(document["spread"]))
        except (ValueError, KeyError, TypeError):
            pass
        return cls.of(model)


Slice = tuple[str, int, int]
"""Path, from and to: bytes of the shown text."""


def sample(files: Iterable[tuple[str, Kind, int]], calls: int = SAMPLE_CALLS) -> list[list[Slice]]:
    """Choose what to count: evenly spaced slices of each kind, more calls for what is more.

    `files` gives path, kind and size, in the order in which they stand. Each list is one call.
    """
    by_kind: dict[Kind, list[tuple[str, int]]] = {}
    for path, kind, size in files:
        if size:
            by_kind.setdefault(kind, []).append((path, size))
    totals = {kind: sum(size for _, size in found) for kind, found in by_kind.items()}
    whole = sum(totals.values())
    worth = {kind: size for kind, size in totals.items() if size >= whole * _WORTH_A_CALL}
    plan: list[list[Slice]] = []
    for kind, rounds in _shared_out(worth, calls).items():
        wanted = min(totals[kind], SAMPLE_BYTES * rounds)
        slices = _spaced(by_kind[kind], totals[kind], wanted, _SLICES * rounds)
        # Dealt out in turn, so that every call sees the whole breadth.
        plan += [slices[at::rounds] for at in range(min(rounds, len(slices)))]
    return plan


def _shared_out(totals: Mapping[Kind, int], calls: int) -> dict[Kind, int]:
    """Share the calls out by size: each kind one at least, none more than its bytes need."""
    whole = sum(totals.values())
    most = max(totals, key=lambda kind: totals[kind], default=None)
    rounds = {kind: max(1, calls * totals[kind] // whole) for kind in totals if kind != most}
    if most is not None:
        rounds[most] = calls - sum(rounds.values())
    return {kind: min(rounds[kind], -(-totals[kind] // SAMPLE_BYTES)) for kind in totals}


def _spaced(files: Sequence[tuple[str, int]], total: int, wanted: int, count: int) -> list[Slice]:
    """Cut `count` slices of equal length at even distances out of the files laid end to end."""
    if wanted >= total:
        return [(path, 0, size) for path, size in files]
    length = max(1, wanted // count)
    stride = total / count
    slices: list[Slice] = []
    position, index = 0, 0
    for number in range(count):
        start = int(number * stride + (stride - length) / 2)
        end = start + length
        while index < len(files) and position + files[index][1] <= start:
            position += files[index][1]
            index += 1
        at, base = index, position
        while at < len(files) and base < end:
            path, size = files[at]
            low, high = max(0, start - base), min(size, end - base)
            if high > low:
                slices.append((path, low, high))
            base += size
            at += 1
    return slices


async def calibrate(
    estimator: Estimator,
    calls: Sequence[Sequence[Slice]],
    kinds: Mapping[str, Kind],
    texts: Mapping[str, bytes],
    count: CountTokens,
) -> Estimator:
    """Count the drawn samples and return an estimator with the ratios that they show.

    One that cannot count (None) leaves the estimator as it is.
    """
    sizes: dict[Kind, int] = {}
    tokens: dict[Kind, int] = {}
    for slices in calls:
        text = "".join(
            texts[path][low:high].decode("utf-8", "ignore") for path, low, high in slices
        )
        counted = await count(text)
        if counted is None:
            return estimator
        kind = kinds[slices[0][0]]
        sizes[kind] = sizes.get(kind, 0) + len(text.encode())
        tokens[kind] = tokens.get(kind, 0) + counted
    measured = {kind: sizes[kind] / tokens[kind] for kind in sizes if tokens[kind] > 0}
    if not measured:
        return estimator
    drift = _drift(estimator, sizes, tokens)
    ratios = {kind: measured.get(kind, estimator.ratios[kind] / drift) for kind in KINDS}
    return replace(
        estimator, ratios=cast(Ratios, ratios), factor=1.0, spread=min(estimator.spread, SAMPLED)
    )


def _drift(estimator: Estimator, sizes: Mapping[Kind, int], tokens: Mapping[Kind, int]) -> float:
    """How much more tokens there are than the first guess, for kinds that were not sampled."""
    guessed = sum(size / estimator.ratios[kind] for kind, size in sizes.items())
    return max(0.2, sum(tokens.values()) / max(1.0, guessed))
