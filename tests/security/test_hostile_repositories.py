"""Repositories that are made to hurt: each is packed, or refused in one sentence, and runs nothing.

`make soak` packs all of them in child processes. `python -m benchmarks hostile` gives them to a
running bot, and measures its memory and its pauses.
"""

from __future__ import annotations

import resource
import time
from pathlib import Path

import pytest

from benchmarks.hostile_repositories import REPOSITORIES, SMALL, build
from bot.context.child import Limits, in_children, in_threads
from bot.context.codebase import Codebase
from bot.context.config.load import load_context
from bot.context.git.clone import Sources
from bot.errors import ForewarmError
from tests.samples import IS_SOAK

SAMPLE = (
    "tree_bomb",
    "strange_names",
    "one_name_twice",
    "modes_that_lie",
    "links",
    "odd_refs",
    "settings_that_run_programs",
    "objects_cut_short",
    "rules_that_nest",
)
REFUSED = {"tree_bomb", "modes_that_lie", "objects_cut_short"}
"""The samples that cannot be packed. In the others a file of ours must be in the pack."""
MOST_GROWTH = 200_000_000


def test_there_are_sixty_hostile_repositories() -> None:
    """A number that SECURITY.md names must not shrink unnoticed."""
    assert len(REPOSITORIES) >= 60
    assert set(SAMPLE) <= set(SMALL)


async def _packed(codebase: Codebase) -> tuple[str, str]:
    """Return the packed text, and the sentence of a refusal."""
    try:
        pack = await codebase.pack()
    except ForewarmError as error:
        return "", error.user_message
    return "".join(block.text for block in pack.blocks), ""


@pytest.mark.parametrize("name", list(REPOSITORIES) if IS_SOAK else SAMPLE)
async def test_it_is_packed_or_refused_and_runs_nothing(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"{name}.git"
    build(name, path)
    file = tmp_path / "hostile.toml"
    file.write_text(
        'channels = ["C0PAY"]\nmodel = "claude-sonnet-5-5"\nbudget_tokens = 50000\n'
        f'[[repositories]]\nurl = "{path}"\nname = "code"\n'
    )
    sessions = in_children(Limits()) if IS_SOAK else in_threads
    sources = Sources(local=(tmp_path,))
    home = tmp_path / "home"
    codebase = Codebase(load_context(file), home, now=time.time, sources=sources, sessions=sessions)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    shown, sentence = await _packed(codebase)
    if sentence:
        assert name in REFUSED or IS_SOAK
        assert "\n" not in sentence
        assert len(sentence) < 500
    else:
        assert name not in REFUSED
        assert "def pay(amount)" in shown or IS_SOAK
        assert not {"\x1b", "\x07", "\u202e"} & set(shown)
    assert not list(tmp_path.glob("*-ran"))
    if IS_SOAK:
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert (after - before) * 1_000 < MOST_GROWTH
