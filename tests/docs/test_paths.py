"""Paths that are written down in the repository exist in it."""

from __future__ import annotations

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
