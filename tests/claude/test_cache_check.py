"""A prefix taken for warm that is cold costs a user the wait that the product promises away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bot.claude.cache_check import explain_read, explain_warm_up, is_complete, measured_tokens
from bot.claude.last_request import LastRequests
from bot.claude.prefix import Prefix
from bot.claude.usage import Usage
from bot.context.pack import Pack


@pytest.mark.parametrize(
    ("usage", "reports", "complete"),
    [
        (Usage(input=8, write_5m=5_000), True, True),
        (Usage(input=8, cache_read=5_000), True, True),
        (Usage(input=8, cache_read=4_000, write_1h=1_000), True, True),
        (Usage(input=108, write_5m=4_900), True, True),
        (Usage(input=140, write_5m=4_868), True, False),
        (Usage(input=5_008), True, False),
        (Usage(input=5_008), False, True),
        (Usage(input=8, cache_read=5_000), False, True),
        (Usage(), False, False),
        (Usage(), True, False),
    ],
)
def test_warm_means_98_percent_covered(usage: Usage, reports: bool, complete: bool) -> None:
    """Read and written where writing is told; read and processed where it is not."""
    assert is_complete(usage, reports) is complete
    assert (explain_warm_up(usage, reports) is None) is complete


def test_a_prefix_below_the_minimum_says_so() -> None:
    """A silent zero was misdiagnosed as a library's bug for weeks."""
    assert explain_warm_up(Usage(input=400), True) == (
        "nothing was cached: the prefix is shorter than the model's minimum"
    )


def test_the_prefix_is_measured_without_its_tail() -> None:
    """The estimators are set right by this figure."""
    assert measured_tokens(Usage(input=9, cache_read=100, write_1h=20), True) == 120
    assert measured_tokens(Usage(input=1, cache_read=127), False) == 120


@pytest.mark.parametrize(
    ("read", "miss", "changed", "words"),
    [
        (1000, None, None, None),
        (980, "system_changed", "base", None),
        (979, None, None, "expired or evicted"),
        (0, "messages_changed", None, "expired or evicted"),
        (0, "previous_message_not_found", None, "expired or evicted"),
        (0, "tools_changed", None, "tools_changed"),
        (0, "system_changed", "overlay", "overlay_changed"),
    ],
)
def test_a_short_read_is_explained(
    read: int, miss: str | None, changed: str | None, words: str | None
) -> None:
    """Our own fingerprints first, then the API's word; of its words only three explain a miss."""
    assert explain_read(Usage(cache_read=read), 1000, miss, changed) == words


def test_nothing_expected_is_never_a_miss() -> None:
    """A cold question is cold, not broken."""
    assert explain_read(Usage(input=5000), 0) is None


def test_memory_names_what_changed_since_the_last_request(
    make_prefix: Callable[..., Prefix], make_pack: Callable[..., Pack]
) -> None:
    """After a push only the overlay differs; after a rebuild the base."""
    memory = LastRequests()
    before = make_prefix(make_pack(bases=["b"]))
    assert (memory.message_id(before), memory.changed(before)) == (None, None)
    memory.note(before, "msg_1")
    assert (memory.message_id(before), memory.changed(before)) == ("msg_1", None)
    assert memory.changed(make_prefix(make_pack(bases=["b"], overlays=["o"]))) == "overlay"
    assert memory.changed(make_prefix(make_pack(bases=["c"]))) == "base"


def test_memory_is_bounded(make_prefix: Callable[..., Prefix]) -> None:
    """Every cold run makes a new key; the bot runs for months."""
    memory = LastRequests(kept=2)
    prefixes: list[Any] = [make_prefix(salt=str(n)) for n in range(3)]
    for n, prefix in enumerate(prefixes):
        memory.note(prefix, f"msg_{n}")
    assert [memory.message_id(prefix) for prefix in prefixes] == [None, "msg_1", "msg_2"]
    assert repr(memory) == "<LastRequests of 2 prefixes>"
