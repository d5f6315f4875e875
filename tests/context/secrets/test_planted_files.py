"""Secrets in whole files, as they stand in repositories, are hidden; their surroundings stay."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.context.secrets.find import find_secrets
from bot.context.secrets.formats import scan_kind_of
from tests.context.secrets.planted_files import read_planted

FOLDER = Path(__file__).with_name("planted")
SETS = sorted(path.name for path in FOLDER.glob("*.txt"))
SEEDS = (1, 2)
LEAST = {
    "services.txt": 0.97,
    "personnel.txt": 0.96,
    "customers.txt": 0.93,
    "shop.txt": 0.97,
    "freight.txt": 0.98,
    "carrier.txt": 0.97,
    "orchard.txt": 0.97,
    "harbour.txt": 0.94,
    "lagoon.txt": 0.98,
    "quarry.txt": 0.91,
}
"""The third set has more passwords whose place says little: in tables of tests, in prose, in lists
of a program's own form. Of the last three, many passwords are words. At the first look 80.4 % of
the 179 values of `freight` were hidden and 74.9 % of the 171 of `carrier`. When the rules had been
mended by `freight` alone, 81.9 % of `carrier` were. `orchard` has 68 values of ordinary kinds and
was written after that: 94.1 % at its first look. `harbour` and `lagoon` are halves of one set: at
the first look 84.0 % of the 144 values and 75.5 % of the 143 were hidden. When the rules had been
mended by `harbour` alone, 75.5 % of `lagoon` were. `quarry` has ordinary files whose passwords are
words, and was written after that: 74.1 % of its 139 values at the first look."""
MOST_SHOWN = 7
"""Bytes of a secret in a row that may be shown: no more than a template's word or a prefix."""


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("seed", SEEDS)
def test_planted_secrets_are_hidden_and_nothing_else_is(name: str, seed: int) -> None:
    """A set is written before a look at the rules, so it holds what engineers write."""
    shown: list[str] = []
    masked: list[str] = []
    planted = 0
    for file in read_planted(FOLDER / name, seed):
        covered = bytearray(len(file.data))
        for span in find_secrets(file.data, scan_kind_of(file.path)):
            covered[span.start : span.end] = b"\1" * (span.end - span.start)
        planted += len(file.secrets)
        for start, end in file.secrets:
            if _longest_shown(bytes(covered[start:end])) > min(MOST_SHOWN, (end - start) // 2):
                shown.append(f"{file.path}: {file.data[start:end].decode()!r}")
        for start, end in file.harmless:
            if any(covered[start:end]):
                masked.append(f"{file.path}: {file.data[start:end].decode()!r}")
    assert planted >= 60
    assert len(shown) <= (1 - LEAST[name]) * planted, shown
    assert not masked


def _longest_shown(covered: bytes) -> int:
    return max(map(len, covered.split(b"\1")))
