"""Texts that are made to be slow are scanned in bounded time, and nothing in them is lost."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bot.context.secrets.find import find_secrets
from bot.context.secrets.formats import ScanKind
from tests.context.secrets.hostile import HOSTILE
from tests.samples import IS_SOAK

Show = Callable[[str, str], str]
SIZE = 300_000
TOKEN = "ghp" + "_" + "aZ3kP9qLx7Rt2Wv8bN5mQ1cJaZ3kP9qLx7Rt"
KINDS: tuple[ScanKind, ...] = ("python", "yaml", "prose")
CASES = [
    (name, kind)
    for number, name in enumerate(HOSTILE)
    for kind in (KINDS if IS_SOAK else (KINDS[number % 3],))
]


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_a_hostile_text_hides_no_token_behind_it(name: str, kind: ScanKind) -> None:
    """Quadratic time over this much text would exceed the suite's limit for one test."""
    data = f"{HOSTILE[name](SIZE)}\n{TOKEN}\n".encode()
    start = data.index(TOKEN.encode())
    found = find_secrets(data, kind)
    assert any(span.start <= start and span.end >= start + len(TOKEN) for span in found)


@pytest.mark.parametrize("size", [100, 500, 5_000, 200_000])
def test_a_value_of_any_length_is_masked_whole(size: int, show: Show) -> None:
    """A bound on what is looked at must not leave the rest of a value in the clear."""
    value = "aZ3kP9qLx7Rt2Wv8" * (size // 16)
    for path, text in (
        ("a.py", f'password = "{value}"'),
        ("a.yml", f"password: {value}"),
        ("a.env.example", f"API_TOKEN={value}"),
        ("a.py", f'x = "ghp_{value}"'),
    ):
        assert value[-12:] not in show(path, text)


@pytest.mark.parametrize("kind", ["java", "typescript", "cpp", "csharp", "kotlin"])
def test_a_grammar_never_sees_what_it_reads_in_too_many_ways(kind: ScanKind) -> None:
    """Java's grammar takes gigabytes for a chain of comparisons that could be types."""
    data = b"a<" * 25_000 + b"\nf(); // password: Falcon-x7Qa212\n"
    assert any(
        data[span.start : span.end] == b"Falcon-x7Qa212" for span in find_secrets(data, kind)
    )
