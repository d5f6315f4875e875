"""Paths that are written down in the repository exist in it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_contexts_of_this_repository_name_paths_that_exist() -> None:
    """A file that has moved would silently leave the demo's prefix."""
    for file in sorted((ROOT / "contexts").glob("*.toml")):
        for repository in tomllib.loads(file.read_text("utf-8"))["repositories"]:
            named = [*repository.get("first", ()), *repository.get("include", ())]
            for pattern in named:
                place = pattern.removesuffix("/**")
                assert (ROOT / place).exists(), f"{file.name} names {pattern}"


def test_the_map_of_the_architecture_names_modules_that_exist() -> None:
    """A reader follows the map instead of searching the code."""
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    modules = set(re.findall(r"`((?:[a-z_]+/)*[a-z_0-9]+\.py)`", text)) - {"interfaces.py"}
    assert len(modules) > 40
    assert [name for name in sorted(modules) if not (ROOT / "bot" / name).exists()] == []
