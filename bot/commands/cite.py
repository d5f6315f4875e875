"""`forewarm cite`: check the citations of a Markdown text as the bot checks those of an answer."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from bot.commands.packing import cache_file, show_progress
from bot.context.files.blob_cache import FactsCache
from bot.context.files.select import Rules, printable
from bot.context.files.tree import survey
from bot.context.git.repository import GitRepository
from bot.context.git.urls import parse_url, without_credentials
from bot.context.pack import RepositoryState
from bot.context.pack_builder import Source
from bot.context.snapshot import GitSnapshot, View
from bot.delivery.citations.filter import check_text
from bot.delivery.citations.verifier import Checked
from bot.errors import ForewarmError

MOST_BYTES = 10_000_000
"""Longest text that is read."""


def cite(
    repository: Annotated[Path, typer.Argument(help="A folder with a git repository.")],
    file: Annotated[
        Path | None, typer.Argument(help="The Markdown text; standard input by default.")
    ] = None,
    at: Annotated[
        str | None, typer.Option(metavar="COMMIT", help="A branch, tag or commit; HEAD by default.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one object per citation, as a JSON list.")
    ] = False,
) -> None:
    """Check the citations of a Markdown text and print it with links."""
    text = _read(file)
    snapshot = open_snapshot(repository, at)
    shown, checked = check_text(text, snapshot)
    if as_json:
        print(json.dumps(document(checked), indent=2))  # noqa: T201 - the result itself
        return
    print(shown, end="" if shown.endswith("\n") else "\n")  # noqa: T201
    typer.secho(summary(checked), err=True)


def document(checked: Sequence[Checked]) -> list[dict[str, Any]]:
    """Return what `--json` prints, in the order of the text."""
    return [
        {
            "text": one.text,
            "path": one.path,
            "first": one.first,
            "last": one.last,
            "verdict": one.verdict,
        }
        for one in checked
    ]


def summary(checked: Sequence[Checked]) -> str:
    """Return one line for people."""
    counts = Counter(one.verdict for one in checked)
    parts = [f"{counts[verdict]} {verdict}" for verdict in sorted(counts)]
    many = f"{len(checked)} citation" + ("" if len(checked) == 1 else "s")
    return f"{many}: {', '.join(parts)}" if parts else "No citation was found."


def open_snapshot(path: Path, at: str | None = None) -> GitSnapshot:
    """Return the files of a repository at a commit, as a context without rules shows them.

    Raises:
        ForewarmError: there is no such repository or commit.
    """
    if not path.exists():
        raise ForewarmError(
            f"There is no folder {str(path)!r}: name a folder that has a git repository."
        )
    name = printable(path.resolve().name).removesuffix(".git") or "repository"
    repository = GitRepository.discover(path, name)
    rules = Rules(repository.name)
    cache = FactsCache(cache_file(repository))
    commit = repository.resolve(at or "HEAD")
    found = survey(repository, commit, rules, cache, show_progress())
    url, web = address(repository)
    state = RepositoryState(name, url, at or "HEAD", commit, found.committed_at, commit, web)
    return GitSnapshot([View(Source(rules, repository, cache), state, found, commit)])


def address(repository: GitRepository) -> tuple[str, str | None]:
    """Return the address of the remote `origin` and the template of its pages."""
    raw = repository.run("reading the remote of", "config", "--get", "remote.origin.url", ok=(0, 1))
    url = raw.decode("utf-8", "replace").strip()
    try:
        return without_credentials(url), parse_url(url).web
    except ForewarmError:
        return "", None


def _read(file: Path | None) -> str:
    if file is None or str(file) == "-":
        data = sys.stdin.buffer.read(MOST_BYTES + 1)
    else:
        try:
            with file.open("rb") as stream:
                data = stream.read(MOST_BYTES + 1)
        except OSError as error:
            raise ForewarmError(
                f"{file} cannot be read ({error.strerror}): name a file with Markdown text."
            ) from None
    if len(data) > MOST_BYTES:
        raise ForewarmError(
            f"The text has more than {MOST_BYTES:,} bytes: check it in several parts."
        )
    return data.decode("utf-8", "replace").replace("\r\n", "\n")
