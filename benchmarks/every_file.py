"""Does the pack account for every text file that git tracks? A differential test on repositories.

git's own view (`git grep -I`) names the text files of a commit. Each of them has to be in the pack,
in the map, or among the omissions with a reason. The table of reasons shows where to look for a
rule that leaves out too much.
"""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from bot.context.files.blob_cache import FactsCache
from bot.context.files.select import Rules, printable
from bot.context.files.tree import survey
from bot.context.git.repository import GitRepository
from bot.context.render.base_block import plan_base
from bot.context.render.budget import base_room
from bot.context.render.token_estimate import Estimator

Repositories = Annotated[list[Path], typer.Argument(help="Local repositories, bare or not.")]

_SHOWN = re.compile(rb"^@@@ file (.*) \(\d+ lines?(?:, \d+ values? masked)?\)$", re.MULTILINE)


@dataclass(frozen=True)
class Account:
    """The fate of each text file of one commit."""

    texts: int
    shown: int
    reasons: Counter[str]
    unaccounted: tuple[str, ...]
    """Text files that the pack neither shows nor lists with a reason."""
    unreadable_texts: tuple[str, ...]
    """Text files that the tools cannot read although they are no secret."""


def account(repository: GitRepository, budget: int | None = None) -> Account:
    """Pack the HEAD of a repository and account for each of its text files."""
    commit = repository.resolve("HEAD")
    texts = _text_files(repository, commit)
    with tempfile.TemporaryDirectory() as folder:
        cache = FactsCache(Path(folder) / "facts.json")
        found = survey(repository, commit, Rules(repository.name), cache)
        estimator = Estimator.of("claude-sonnet-5-5")
        room = None if budget is None else base_room(budget, estimator.spread)
        plan = plan_base(repository, found, estimator, room)
        base = b"".join(plan.parts(repository))
    shown = {name.decode() for name in _SHOWN.findall(base)}
    reasons: Counter[str] = Counter()
    unaccounted: list[str] = []
    unreadable: list[str] = []
    for path in texts:
        if path in shown:
            continue
        reason = plan.omitted.get(path)
        if not reason:
            unaccounted.append(printable(path))
            continue
        reasons[reason.split(" (")[0]] += 1
        readable = path in found.files or path in found.readable
        if not readable and reason in {"generated", "vendored", "minified", "lock file", "image"}:
            unreadable.append(printable(path))
    return Account(
        len(texts), len(shown & set(texts)), reasons, tuple(unaccounted), tuple(unreadable)
    )


def _text_files(repository: GitRepository, commit: str) -> list[str]:
    """Return the files with at least one line that git takes for text."""
    arguments = ["grep", "-I", "--count", "--null", "--full-name", "--no-textconv"]
    out = repository.run("listing the texts of", *arguments, "-e", "", commit, ok=(0, 1))
    names = [line.rpartition(b"\0")[0] for line in out.split(b"\n") if b"\0" in line]
    # A name with a line end is cut in two by this listing. The tree has it whole.
    tracked = repository.tree(commit)
    found = (name.partition(b":")[2].decode("utf-8", "surrogateescape") for name in names)
    return [path for path in found if path in tracked]


def every_file(
    repositories: Repositories,
    budget: Annotated[int | None, typer.Option(help="Tokens of the pack; all if left out.")] = None,
) -> None:
    """Name every tracked text file that a pack neither shows nor lists with a reason."""
    failed = False
    for path in repositories:
        repository = GitRepository.discover(path)
        result = account(repository, budget)
        listed = ", ".join(f"{count} {reason}" for reason, count in result.reasons.most_common())
        typer.echo(
            f"{repository.git_dir}: {result.texts:,} texts, {result.shown:,} shown, "
            f"{len(result.unaccounted)} unaccounted; left out: {listed or 'none'}"
        )
        for name in (*result.unaccounted, *result.unreadable_texts):
            typer.echo(f"  {name}")
        failed |= bool(result.unaccounted or result.unreadable_texts)
    raise typer.Exit(1 if failed else 0)
