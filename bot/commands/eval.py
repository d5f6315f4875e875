"""`forewarm eval`: does the prompt hold the files that questions need, and at what price?"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bot.errors import ForewarmError

if TYPE_CHECKING:
    from bot.commands.evaluation.evaluate import Cell, Done, Evaluation, Subject
    from bot.retrieval.coverage import EvidenceRow

BUDGETS = "10000,30000,54000,80000,119000,150000,400000"
EXCERPTS = "0,3000,6000,8000,10000,11000"


def evaluate(
    questions: Annotated[
        Path | None,
        typer.Argument(help="A file of questions with the files that they need (JSON lines)."),
    ] = None,
    context: Annotated[str | None, typer.Option(help="The context that they are about.")] = None,
    repository: Annotated[
        Path | None, typer.Option(help="The repository that they are about; here by default.")
    ] = None,
    at: Annotated[
        str | None, typer.Option(metavar="COMMIT", help="For questions that name no commit.")
    ] = None,
    days: Annotated[
        float | None,
        typer.Option(
            "--from-store", metavar="DAYS", help="The context's own answers, not a file.", min=0
        ),
    ] = None,
    budget: Annotated[str, typer.Option(metavar="N,N", help="Tokens of the prefix.")] = BUDGETS,
    excerpts: Annotated[str, typer.Option(metavar="N,N", help="Tokens of excerpts.")] = EXCERPTS,
    rows: Annotated[
        Path | None,
        typer.Option(
            help="Write one JSON object per question; for one pair of sizes.", dir_okay=False
        ),
    ] = None,
    model: Annotated[str, typer.Option(help="Whose prices and tokens.")] = "claude-sonnet-5-5",
    max_wait: Annotated[float, typer.Option(help="Seconds to the first words.")] = 2.0,
    chart: Annotated[
        Path | None, typer.Option("--plot", help="Write a chart to this file.", dir_okay=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure coverage: the share of questions whose needed files are in the prompt. No key."""
    from bot.commands.evaluation.evaluate import Plan
    from bot.commands.evaluation.evaluate import evaluate as run
    from bot.commands.packing import show_progress
    from bot.context.sizing import Speed

    plan = Plan(
        _numbers("budget", budget), _numbers("excerpts", excerpts), model, Speed(), max_wait
    )
    if rows is not None and len(plan.budgets) * len(plan.excerpts) != 1:
        raise ForewarmError("--rows needs one budget and one excerpt size: give one of each.")
    asked = _asked(questions, context, days)
    subject, head = _subject(context, repository)
    with _progress(len(asked)) as done:
        found = run(
            subject,
            asked,
            at or head,
            plan,
            done=done,
            looking=show_progress(),
            indexing=show_progress("Indexing"),
        )
    if rows is not None:
        _write_rows(rows, found)
    if chart is not None:
        from bot.commands.evaluation.plot import plot

        plot(found, chart)
    if as_json:
        typer.echo(json.dumps(document(found, max_wait), indent=2))
    else:
        typer.echo("\n".join(report(found, max_wait)))


def _asked(path: Path | None, context: str | None, days: float | None) -> list[EvidenceRow]:
    """Return the questions of a file, or those that a context has answered."""
    from bot.retrieval.coverage import read_rows

    if (path is None) == (days is None):
        raise ForewarmError("Name a file of questions, or give --from-store DAYS, not both.")
    if path is not None:
        rows = read_rows(_text(path))
        if not rows:
            raise ForewarmError(f"{path} holds no question: write one JSON object per line.")
        return rows
    if context is None:
        raise ForewarmError("--from-store needs --context: each context has its own questions.")
    rows = asyncio.run(_answered(context, days or 0.0))
    if not rows:
        raise ForewarmError(
            f"{context} has answered no question with a citation in the last {days:g} days: "
            "give more days, or a file of questions."
        )
    return rows


async def _answered(context: str, days: float) -> list[EvidenceRow]:
    from bot.clock import system_now
    from bot.commands.stored_records import open_store
    from bot.retrieval.coverage import row_of_answer
    from bot.settings import read_settings

    async with open_store(read_settings()) as store:
        found = await store.history.answered(system_now() - days * 86_400, context)
    rows = (row_of_answer(one.id, one.text, _answer_text(one.messages)) for one in found)
    return [row for row in rows if row is not None]


def _answer_text(messages: Sequence[Mapping[str, Any]]) -> str:
    """Return the model's own words of a turn."""
    texts: list[str] = []
    for message in messages:
        content = message.get("content")
        if message.get("role") == "assistant":
            blocks = [{"text": content}] if isinstance(content, str) else content or []
            texts += [str(block["text"]) for block in blocks if "text" in block]
    return "\n".join(texts)


def _numbers(option: str, text: str) -> list[int]:
    try:
        numbers = [int(part.replace("_", "")) for part in text.split(",")]
    except ValueError:
        numbers = [-1]
    if min(numbers) < 0:
        raise ForewarmError(f"--{option} {text!r} is not a list of numbers: write 54000,150000.")
    return list(dict.fromkeys(numbers))


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ForewarmError(
            f"{path} cannot be read ({error}): name a file of questions, one JSON object per line."
        ) from None


def _subject(context: str | None, path: Path | None) -> tuple[Subject, str]:
    """Return the repository to read and the commit that stands for it."""
    from bot.commands.evaluation.evaluate import Subject
    from bot.commands.packing import cache_file
    from bot.context.files.select import Rules, printable
    from bot.context.git.repository import GitRepository

    if context is not None:
        return _of_context(context)
    where = path or Path.cwd()
    name = printable(where.resolve().name).removesuffix(".git")
    repository = GitRepository.discover(where, name)
    facts = cache_file(repository)
    index = cache_file(repository, "index", "db")
    return Subject(repository, Rules(repository.name), facts, index), "HEAD"


def _of_context(name: str) -> tuple[Subject, str]:
    from bot.clock import system_now
    from bot.commands.evaluation.evaluate import Subject
    from bot.commands.packing import cache_file, find_context
    from bot.context.codebase import Codebase
    from bot.context.git.clone import Sources
    from bot.context.git.credentials import Tokens

    config = find_context(name)
    if config is None:
        raise ForewarmError(
            f"There is no context called {name!r}: name a file of the contexts folder, "
            "without .toml."
        )
    codebase = Codebase(
        config,
        Path(os.environ.get("FOREWARM_HOME") or ".forewarm"),
        now=system_now,
        tokens=Tokens.from_environment(os.environ),
        # A user who can run this command can read those folders anyway.
        sources=Sources(local=(Path("/"),)),
    )
    asyncio.run(codebase.sync())
    (source, head), *others = codebase.heads()
    if others:
        raise ForewarmError(
            f"{config.name} has several repositories: name one of them with --repository."
        )
    facts = cache_file(source.repository)
    index = cache_file(source.repository, "index", "db")
    return Subject(source.repository, source.rules, facts, index), head


@contextmanager
def _progress(total: int) -> Iterator[Done | None]:
    """Show how many questions are done, on a terminal only."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Questions", total=total)
        yield lambda done, total: bar.update(task, completed=done)


def _write_rows(path: Path, found: Evaluation) -> None:
    (verdicts,) = found.verdicts.values()
    lines = [json.dumps(verdict.document(), ensure_ascii=False) for verdict in verdicts]
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")


def document(found: Evaluation, max_wait: float) -> dict[str, object]:
    """Return what `--json` prints."""
    best = found.best(max_wait)
    auto = found.auto
    return {
        "repository": found.name,
        "commits": list(found.commits),
        "tokens": found.tokens,
        "questions": found.questions,
        "absent": [{"id": row, "files": list(files)} for row, files in found.absent.items()],
        "table": [cell.document() for cell in found.cells],
        "max_wait": max_wait,
        "best": None if best is None else best.document(),
        "auto": auto.document(),
    }


def report(found: Evaluation, max_wait: float) -> Iterator[str]:
    """Yield the lines of the table."""
    yield f"{found.name}: {found.questions} questions, {found.tokens:,} tokens"
    if found.absent:
        yield f"{len(found.absent)} more need a file that the commit does not have"
    yield ""
    yield from _table(found.cells)
    yield ""
    yield "files: every needed file is in the prefix, or 15 of its lines in excerpts; lines: the"
    yield "excerpt also overlaps the evidence; named: needed files in the prompt or its map;"
    yield "search: covered, or found by one search; wait: predicted, to the first words."
    best = found.best(max_wait)
    if best is not None:
        yield (
            f"Most is covered within {max_wait:.1f} s by budget_tokens = {best.budget} and "
            f"excerpt_tokens = {best.excerpts}."
        )
    auto = found.auto
    yield f"Auto takes {auto.sentence()}"


def _table(cells: Sequence[Cell]) -> Iterator[str]:
    yield "  budget  excerpts   files   lines   named  search   wait   warm question   cold write"
    for cell in cells:
        coverage = cell.coverage
        yield (
            f"{cell.budget:>8,}  {cell.excerpts:>8,}  {coverage.files:>6.1%}  "
            f"{coverage.lines:>6.1%}  {coverage.known:>6.1%}  {coverage.reachable:>6.1%}  "
            f"{cell.wait:>4.1f} s        ${cell.warm:.4f}      ${cell.write:.3f}"
        )
