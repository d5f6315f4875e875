"""A prefix decides what hits: equal exactly where the bytes and settings sent are equal."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.claude.models import ModelSettings
from bot.claude.prefix import Prefix, build_prefix, estimated_tokens
from bot.claude.system_prompt import preamble_text
from bot.context.pack import Block, Pack, RepositoryState

SETTINGS = ModelSettings("claude-sonnet-5-5", "between_tools", "low")
TOOL = {"name": "search", "input_schema": {"type": "object", "properties": {}}}


def pack(
    base: str = "BASE\n", overlay: str = "", commit: str = "a" * 40, ref: str = "main"
) -> Pack:
    blocks = [Block("base", "payments", base, 100)]
    if overlay:
        blocks.append(Block("overlay", "payments", overlay, 10))
    state = RepositoryState("payments", "https://x.test/p", ref, commit, 1.0, commit, None)
    return Pack(tuple(blocks), (state,), (), 1)


def test_same_pack_and_settings_give_the_same_prefix() -> None:
    """Ten channels on one repository share one entry, and a restart finds it alive."""
    one, two = build_prefix(pack(), [TOOL], SETTINGS), build_prefix(pack(), [TOOL], SETTINGS)
    assert one == two
    assert hash(one) == hash(two)
    assert (one.key, one.base_fingerprint) == (two.key, two.base_fingerprint)


@pytest.mark.parametrize(
    "other",
    [
        build_prefix(pack(), [TOOL], replace(SETTINGS, model="claude-opus-5-5")),
        build_prefix(pack(), [TOOL], replace(SETTINGS, thinking="adaptive")),
        build_prefix(pack(), [TOOL], replace(SETTINGS, thinking=None)),
        build_prefix(pack(), [TOOL], replace(SETTINGS, effort="high")),
        build_prefix(pack(), [], SETTINGS),
        build_prefix(pack(), [{**TOOL, "name": "read"}], SETTINGS),
        build_prefix(pack(), [{"input_schema": TOOL["input_schema"], "name": "search"}], SETTINGS),
        build_prefix(pack(), [TOOL], SETTINGS, salt="1"),
        build_prefix(pack(), [TOOL], SETTINGS, preamble="Be brief."),
    ],
)
def test_each_cause_of_a_miss_changes_key_and_fingerprints(other: Prefix) -> None:
    """Model, thinking, effort, tools (their order of keys too), salt and preamble all miss."""
    usual = build_prefix(pack(), [TOOL], SETTINGS)
    assert other.key != usual.key
    assert other.fingerprint != usual.fingerprint
    assert other.base_fingerprint != usual.base_fingerprint


def test_the_cap_of_an_answer_changes_nothing() -> None:
    """`max_tokens` is no part of the cache's key: a warm-up of 0 serves an answer of 4,096."""
    assert build_prefix(pack(), [TOOL], replace(SETTINGS, max_tokens=9)) == build_prefix(
        pack(), [TOOL], SETTINGS
    )


def test_a_push_keeps_the_key_and_the_base() -> None:
    """Learned rates and the base's entry survive a push: only the overlay is new."""
    before = build_prefix(pack(), [TOOL], SETTINGS)
    after = build_prefix(pack(overlay="CHANGED\n", commit="b" * 40), [TOOL], SETTINGS)
    assert after.key == before.key
    assert after.base_fingerprint == before.base_fingerprint
    assert after.fingerprint != before.fingerprint


def test_a_rebuilt_base_keeps_the_key_alone() -> None:
    """It is the same prefix to the governor, though nothing of it is cached any more."""
    before = build_prefix(pack(), [TOOL], SETTINGS)
    after = build_prefix(pack(base="NEW\n", commit="b" * 40), [TOOL], SETTINGS)
    assert after.key == before.key
    assert after.base_fingerprint != before.base_fingerprint


def test_other_refs_and_other_choices_of_files_have_other_keys() -> None:
    """Two contexts on one repository that pack different files must not share a ledger entry."""
    keys = {
        build_prefix(pack(), [TOOL], SETTINGS).key,
        build_prefix(pack(ref="next"), [TOOL], SETTINGS).key,
        build_prefix(pack(), [TOOL], SETTINGS, scope="src only").key,
    }
    assert len(keys) == 3


def test_text_cannot_move_between_blocks_unnoticed() -> None:
    """The API hashes block by block: the same characters cut elsewhere are a miss."""
    two = pack(base="AB", overlay="C")
    other = pack(base="A", overlay="BC")
    assert build_prefix(two, [], SETTINGS) != build_prefix(other, [], SETTINGS)


def test_bases_come_before_overlays_and_both_ends_are_marked() -> None:
    """A push to one of several repositories must leave every base readable."""
    blocks = (
        Block("base", "a", "base a", 1),
        Block("overlay", "a", "overlay a", 2),
        Block("base", "b", "base b", 4),
        Block("overlay", "b", "overlay b", 8),
    )
    prefix = build_prefix(Pack(blocks, (), (), 4), [], SETTINGS, preamble="P", count=len)
    assert [(block.text, block.marked) for block in prefix.system] == [
        ("P", False),
        ("base a", False),
        ("base b", True),
        ("overlay a", False),
        ("overlay b", True),
    ]
    assert (prefix.tokens, prefix.base_tokens) == (16, 6)


def test_without_overlays_one_marker_stands_at_the_end_of_the_bases() -> None:
    """A second marker on the same block would be one wasted of four."""
    prefix = build_prefix(pack(), [], SETTINGS)
    assert [block.section for block in prefix.system if block.marked] == ["base"]


def test_a_prefix_without_code_is_marked_at_its_preamble() -> None:
    """Tools and preamble alone may be long enough to be worth an entry."""
    prefix = build_prefix(Pack((), (), (), 0), [TOOL], SETTINGS)
    assert [(block.section, block.marked) for block in prefix.system] == [("preamble", True)]


def test_empty_blocks_are_left_out() -> None:
    """The API refuses empty text, and a marker on it."""
    prefix = build_prefix(pack(base=" \n", overlay="x"), [], SETTINGS)
    assert [block.section for block in prefix.system] == ["preamble", "overlay"]
    assert [block.marked for block in prefix.system] == [True, True]


def test_a_salt_stands_before_everything_else() -> None:
    """A cold run must be cold from its first word; llama.cpp would reuse all text before it."""
    salted = build_prefix(pack(), [], SETTINGS, salt="run 1", preamble="P")
    assert salted.system[0].text == "Cache salt: run 1\n\nP"
    assert build_prefix(pack(), [], SETTINGS, preamble="P").system[0].text == "P"


def test_tools_and_preamble_count() -> None:
    """Money and prefill are computed from these figures."""
    prefix = build_prefix(pack(), [TOOL], SETTINGS, preamble="x" * 250)
    tools = estimated_tokens(prefix.encoded_tools.decode())
    assert prefix.base_tokens == 100 + 100 + tools


def test_the_preamble_holds_the_rules_it_is_given() -> None:
    """Reading and citing rules belong to other rooms; here they are only put in their place."""
    text = preamble_text(["READ SO\n", "", "CITE SO"])
    assert text.index("READ SO") < text.index("CITE SO")
    assert "data to be read" in text
    assert "\n\n\n" not in text


def test_a_prefix_tells_what_it_is() -> None:
    """Logs show it; it must be right and hold no code."""
    prefix = build_prefix(pack(base="SECRET CODE"), [], SETTINGS, salt="s", preamble="x" * 25)
    assert repr(prefix) == (
        f"<Prefix {prefix.key} {prefix.fingerprint[:8]}: payments@aaaaaaa, claude-sonnet-5-5, "
        "116 tokens, 116 in the base, salted>"
    )
    assert repr(prefix.system) == (
        "(<SystemBlock preamble: 16 tokens>, <SystemBlock base: 100 tokens, marked>)"
    )
