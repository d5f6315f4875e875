"""Counting: an estimate by ratio, set right by few calls, never far off after that."""

from __future__ import annotations

import itertools
import random
import re
from typing import TYPE_CHECKING

import pytest

from bot.context.files.kinds import KINDS, Kind
from bot.context.render.token_estimate import (
    SAMPLE_CALLS,
    UNMEASURED,
    Estimator,
    calibrate,
    sample,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

WORD = re.compile(r"\w{1,6}|[^\w\s]|\s+")


def _tokens(text: str) -> int:
    """Count as a tokenizer might: short words, each sign, runs of white space."""
    return len(WORD.findall(text))


def _corpus(seed: int) -> list[tuple[str, Kind, bytes]]:
    source = random.Random(seed)
    files: list[tuple[str, Kind, bytes]] = []
    for number in range(150):
        kind = source.choice(KINDS)
        words = {
            "code": ["def ", "self.", "x", " = ", "(", ")", "\n    ", "return ", "value"],
            "prose": ["the ", "repository ", "holds ", "of ", "answers. ", "\n"],
            "data": ['"k":', "12345", ", ", "{", "}", "\n", "true"],
            "markup": ["<div>", "</div>", ' class="x"', "text ", "\n"],
        }[kind]
        size = source.randrange(200, 9_000)
        # Files differ: each leans on some of its kind's words.
        weights = [source.random() ** 2 + 0.05 for _ in words]
        text = "".join(source.choices(words, weights, k=size // 4))
        files.append((f"f{number}.{kind}", kind, text.encode()))
    return files


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_sampled_ratios_come_within_two_percent(seed: int) -> None:
    """Every budget and every price preview stands on this figure."""
    files = _corpus(seed)
    calls = sample([(path, kind, len(text)) for path, kind, text in files])
    made: list[int] = []

    async def count(text: str) -> int | None:
        made.append(len(text))
        return _tokens(text)

    texts = {path: text for path, _, text in files}
    kinds = {path: kind for path, kind, _ in files}
    found = await calibrate(Estimator.of("local"), calls, kinds, texts, count)
    estimated = sum(found.exactly(kind, len(text)) for _, kind, text in files)
    actual = sum(_tokens(text.decode()) for _, _, text in files)
    assert abs(estimated - actual) <= 0.02 * actual
    assert len(made) <= SAMPLE_CALLS
    assert found.spread < UNMEASURED


def test_what_is_drawn_is_evenly_spread_and_inside_its_files() -> None:
    """A sample of the first files is a sample of one folder."""
    files: list[tuple[str, Kind, int]] = [(f"f{n}", "code", 5_000) for n in range(1_000)]
    calls = sample(files)
    assert 1 <= len(calls) <= SAMPLE_CALLS
    assert all(0 <= low < high <= 5_000 for call in calls for _, low, high in call)
    touched = sorted({int(path[1:]) for call in calls for path, _, _ in call})
    gaps = [after - before for before, after in itertools.pairwise(touched)]
    assert max(gaps) <= 3 * (1_000 / len(touched))


@pytest.mark.parametrize("sizes", [[], [0], [1], [10, 0, 3], [5_000_000]])
def test_any_sizes_can_be_drawn_from(sizes: Sequence[int]) -> None:
    """An empty repository and a single huge file are repositories too."""
    files: list[tuple[str, Kind, int]] = [(f"f{n}", "code", size) for n, size in enumerate(sizes)]
    slices = [piece for call in sample(files) for piece in call]
    assert all(0 <= low < high <= sizes[int(path[1:])] for path, low, high in slices)


async def test_a_small_kind_is_counted_whole() -> None:
    """Where everything fits a call, there is nothing to estimate."""
    text = b"x = 1\n" * 50
    calls = sample([("a", "code", len(text))])
    assert sum(high - low for call in calls for _, low, high in call) == len(text)


async def test_who_cannot_count_changes_nothing() -> None:
    """Without the endpoint the first guess stands, and says how far off it may be."""

    async def cannot(text: str) -> int | None:
        return None

    first = Estimator.of("claude-sonnet-5-5")
    calls = sample([("a", "code", 900)])
    assert await calibrate(first, calls, {"a": "code"}, {"a": b"x" * 900}, cannot) == first


def test_a_correction_makes_the_next_estimate_right() -> None:
    """The figures of a reply correct the estimate."""
    first = Estimator.of("claude-sonnet-5-5")
    guess = first.tokens("code", 100_000)
    corrected = first.corrected(guess, round(guess * 1.3))
    assert corrected.tokens("code", 100_000) == pytest.approx(guess * 1.3, rel=1e-3)
    assert first.corrected(0, 5) == first


def test_models_since_4_7_make_more_tokens() -> None:
    """A budget in tokens holds less text for today's models."""
    today = Estimator.of("claude-sonnet-5-5").tokens("code", 10_000)
    earlier = Estimator.of("claude-sonnet-4-5").tokens("code", 10_000)
    assert today > earlier * 1.2


def test_an_estimator_survives_being_kept() -> None:
    """A restart must not count everything again."""
    kept = Estimator.of("claude-sonnet-5-5").corrected(100, 117)
    assert Estimator.load("claude-sonnet-5-5", kept.dump()) == kept
    for damaged in (None, b"", b"{}", b'{"ratios": {"code": 0}}', b"\xff"):
        assert Estimator.load("claude-sonnet-5-5", damaged) == Estimator.of("claude-sonnet-5-5")
