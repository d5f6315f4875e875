"""Benchmark: the index that finds excerpts, on one repository of any size."""

from __future__ import annotations

import json
import random
import resource
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from typing import Annotated, TypeVar

import typer

from bot.context.files.blob_cache import FactsCache
from bot.context.files.select import File, Rules
from bot.context.files.tree import survey, texts
from bot.context.git.repository import GitRepository
from bot.context.render.token_estimate import Estimator
from bot.retrieval.excerpts import Excerpt
from bot.retrieval.index import Query, RepositoryIndex, View

Result = TypeVar("Result")

SEED = 7
_EXCERPT_TOKENS = 8_000
_WORDS = 30
"""Words of a question: a line of the repository's own text with what surrounds it."""


def retrieval(
    repository: Annotated[Path, typer.Argument(help="A local repository, bare or not.")],
    questions: Annotated[int, typer.Option(help="Queries that are timed.")] = 300,
    pushes: Annotated[int, typer.Option(help="Files that are added one by one.")] = 30,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Time the first build, queries, an update by one file, and a restart.

    Times are milliseconds: of this thread's processor and elapsed. Memory counts the whole process.
    """
    result = measure(GitRepository.discover(repository), questions, pushes)
    if as_json:
        typer.echo(json.dumps(result))
        return
    for name, figure in result.items():
        typer.echo(f"{name}: {figure:,.1f}".removesuffix(".0"))


def measure(repository: GitRepository, questions: int, pushes: int) -> dict[str, float]:
    """Return the figures by name."""
    chosen = random.Random(SEED)  # noqa: S311 - a sample of files
    estimator = Estimator.of("claude-sonnet-5-5")
    with tempfile.TemporaryDirectory() as folder:
        commit = repository.resolve("HEAD")
        cache = FactsCache(Path(folder) / "facts.json")
        files = survey(repository, commit, Rules(repository.name), cache).files
        tokens = sum(estimator.tokens(file.kind, file.size) for file in files.values())
        path = Path(folder) / "index.db"
        later = dict(chosen.sample(sorted(files.items()), min(pushes, len(files) // 2)))
        first = {path: file for path, file in files.items() if path not in later}
        index = RepositoryIndex(repository, path, estimator.ratios)
        built, view = _timed(lambda: index.update(first))
        asked = _questions(repository, [*first.values()], questions, chosen)
        _search(view, asked[0])
        updates = _updates(index, view, first, later)
        view = index.update(files)
        _search(view, asked[0])
        queries = [_clocks(partial(_search, view, question))[0] for question in asked]
        index.close()
        again = RepositoryIndex(repository, path, estimator.ratios)
        restart, _ = _timed(lambda: again.update(files))
        again.close()
        disk = sum(item.stat().st_size for item in Path(folder).glob("index.db*"))
    return {
        "files": len(files),
        "tokens": tokens,
        "first build, s": built,
        **_percentiles("query", queries),
        **_percentiles("update by one file", updates),
        "restart, s": restart,
        "arrays, MB": view.nbytes / 1e6,
        "disk, MB": disk / 1e6,
        "peak memory, MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
    }


def _questions(
    repository: GitRepository, files: Sequence[File], count: int, chosen: random.Random
) -> list[str]:
    """Return pieces of the repository's own text: they hold terms of every frequency."""
    asked: list[str] = []
    for text in texts(repository, chosen.choices(files, k=3 * count)):
        words = text.decode("utf-8", "replace").split()
        if words and len(asked) < count:
            at = chosen.randrange(max(1, len(words) - _WORDS))
            asked.append(" ".join(words[at : at + _WORDS]))
    return asked


def _updates(
    index: RepositoryIndex, view: View, first: Mapping[str, File], later: Mapping[str, File]
) -> list[tuple[float, float]]:
    """Add files one by one, as pushes do, and return the times."""
    times = []
    files = dict(first)
    for path, file in later.items():
        files[path] = file
        spent, view = _clocks(partial(index.update, dict(files), view))
        times.append(spent)
    return times


def _timed(work: Callable[[], View]) -> tuple[float, View]:
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result


def _search(view: View, question: str) -> list[Excerpt]:
    return view.search(Query(question, _EXCERPT_TOKENS))


def _clocks(work: Callable[[], Result]) -> tuple[tuple[float, float], Result]:
    """Return the milliseconds of this thread's processor and of the clock, and the result."""
    processor, clock = time.thread_time(), time.perf_counter()
    result = work()
    spent = (time.thread_time() - processor) * 1e3, (time.perf_counter() - clock) * 1e3
    return spent, result


def _percentiles(name: str, times: Sequence[tuple[float, float]]) -> dict[str, float]:
    figures = {}
    for kind, values in zip(("processor", "elapsed"), zip(*times, strict=True), strict=True):
        figures[f"{name}, {kind}, median ms"] = median(values)
        figures[f"{name}, {kind}, 99th percentile ms"] = quantiles(values, n=100)[98]
    return figures
