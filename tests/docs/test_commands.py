"""Every command in the documents: its options exist, and it is run here or by a test named here."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from bot.cli import build

ROOT = Path(__file__).parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    ROOT / "playground" / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
]
FENCE = re.compile(r"^```sh ?\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(forewarm [^`\n]+)`")
PLACEHOLDERS = {"NAME", "FILE", "PATH", "CHANNEL", "TRACE…", "…", "$CHANNEL"}

RUN_BY = {
    "docs/first-run.md": "tests/docs/test_first_run.py",
    "docs/operations.md": "tests/docs/test_operations.py",
    "docs/evidence.md": "tests/docs/test_blocks.py",
    "docs/claude.md": "tests/claude/test_model_check.py",
    "docs/providers.md": "tests/claude",
    "docs/playground.md": "tests/docs/test_blocks.py",
    "docs/git-hosts.md": "tests/docs/test_blocks.py",
    "docs/shipping.md": "tests/durability/test_shipping.py",
    "playground/README.md": "tests/playground/test_distributions.py",
    "README.md": "tests/docs/test_first_run.py",
    "CONTRIBUTING.md": "tests/docs/test_blocks.py",
}
"""For each page with commands, the test that runs them, or what of them runs on one machine."""


def commands() -> Iterator[tuple[str, str]]:
    """Yield each `forewarm …` of the documents with its page."""
    for page in PAGES:
        text = page.read_text("utf-8")
        name = str(page.relative_to(ROOT))
        for block in FENCE.findall(text):
            for line in re.sub(r"\\\n", " ", block).splitlines():
                found = re.search(r"(?:^|bin/|\s)(forewarm [a-z-].*)", line.split("  #")[0])
                if found and not line.startswith(("pip", "uv", "docker", "sudo", "git ", "#")):
                    yield name, found[1]
        for command in INLINE.findall(FENCE.sub("", text)):
            yield name, command


def _words(command: str) -> list[str]:
    bare = re.split(r"\s[>|&;]|\s#", command)[0].replace("…", "").replace("[", "").replace("]", "")
    return [word for word in shlex.split(bare.replace("'", ""))[1:] if word not in PLACEHOLDERS]


def _resolve(words: list[str]) -> tuple[Any, list[str]]:
    found: Any = typer.main.get_command(build())
    while words and hasattr(found, "get_command"):
        inner = found.get_command(None, words[0])
        assert inner is not None, f"there is no command {words[0]!r}"
        found, words = inner, words[1:]
    return found, words


@pytest.mark.parametrize(("page", "command"), sorted(set(commands())))
def test_each_command_and_its_options_exist(page: str, command: str) -> None:
    words = _words(command)
    if not words or words[0].startswith(("-", "$")):
        return
    found, rest = _resolve(words)
    options = {name for parameter in found.params for name in parameter.opts}
    given = {word.partition("=")[0] for word in rest if word.startswith("--")}
    assert given <= options | {"--help", "--version", "--install-completion"}


def test_each_page_with_commands_has_a_test_that_runs_them() -> None:
    """A page with a new block of commands must name its test."""
    pages = {str(p.relative_to(ROOT)) for p in PAGES if FENCE.search(p.read_text("utf-8"))}
    assert pages == set(RUN_BY)
    assert [test for test in RUN_BY.values() if not (ROOT / test).exists()] == []
