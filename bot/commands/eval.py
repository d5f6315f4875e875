"""`forewarm eval`: does the prompt hold the files that questions need, and at what price?"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.errors import ForewarmError

if TYPE_CHECKING:
    from bot.commands.evaluation.evaluate import Done, Evaluation, Plan, Subject
    from bot.retrieval.coverage import EvidenceRow

BUDGETS = "10000,30000,54000,80000,119000,150000,400000"
EXCERPTS = "0,3000,6000,8000,10000,11000"


def evaluate(
    questions: Annotated[
        list[Path] | None,
        typer.Argument(help="Files of questions with the files that they need (JSON lines)."),
    ] = None,
    context: Annotated[str | None, typer.Option(help="The context that they are about.")] = None,
    repository: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATH",
            help="The repository that they are about; here by default. Several, each as PATH or "
            "NAME=PATH, if each question names its own in `repo`.",
        ),
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
    max_wait: Annotated[
        float, typer.Option(min=0.5, max=60, help="Seconds to the first words.")
    ] = 2.0,
    learn: Annotated[
        bool, typer.Option("--learn", help="Take every other question as history for the rest.")
    ] = False,
    chart: Annotated[
        Path | None, typer.Option("--plot", help="Write a chart to this file.", dir_okay=False)
    ] = None,
    through_model: Annotated[
        bool,
        typer.Option("--ask", help="Also ask the model: needs a key, costs money."),
    ] = False,
    answers: Annotated[
        Path, typer.Option(help="With --ask: write the answers for people to judge.")
    ] = Path("answers.md"),
    most_usd: Annotated[
        float, typer.Option(help="With --ask: ask no more once so many USD are spent.", min=0)
    ] = 10.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure coverage: the share of questions whose needed files are in the prompt.

    No key is needed, except with --ask.
    """
    from bot.commands.evaluation.evaluate import Plan
    from bot.commands.evaluation.evaluate import evaluate as run
    from bot.commands.evaluation.results import asked_report, document, report
    from bot.commands.evaluation.subjects import share_out
    from bot.commands.outputs import require_writable
    from bot.commands.packing import show_progress
    from bot.context.sizing import Speed

    sizes = _numbers("budget", budget), _numbers("excerpts", excerpts)
    plan = Plan(*sizes, model, Speed(), max_wait, learn)
    if rows is not None and len(plan.budgets) * len(plan.excerpts) != 1:
        raise ForewarmError("--rows needs one budget and one excerpt size: give one of each.")
    require_writable(rows=rows, plot=chart, answers=answers if through_model else None)
    asked = _read_questions(questions or [], context, days)
    shared = share_out(asked, _subjects(context, repository or [], at))
    with _progress(len(asked)) as done:
        found = [
            run(
                subject,
                own,
                plan,
                done=done,
                looking=show_progress(),
                indexing=show_progress("Indexing"),
            )
            for subject, own in shared
        ]
    if rows is not None:
        _write_rows(rows, found)
    if chart is not None:
        from bot.commands.evaluation.plot import plot

        plot(found, chart)
    put = None
    if through_model:
        there = [
            (subject, [row for row in own if row.id not in one.absent])
            for (subject, own), one in zip(shared, found, strict=True)
        ]
        put = _ask(there, plan, most_usd, answers)
    if as_json:
        typer.echo(json.dumps(document(found, max_wait, put), indent=2))
        return
    typer.echo("\n".join(report(found, max_wait)))
    if put is not None:
        typer.echo("\n".join(asked_report(put, answers)))


def _ask(
    shared: Sequence[tuple[Subject, Sequence[EvidenceRow]]],
    plan: Plan,
    most_usd: float,
    answers: Path,
) -> dict[str, object]:
    """Put the questions to the model and write the answers down."""
    from bot.claude.client import ClaudeClient
    from bot.commands.evaluation.ask import AskedAll, ask, markdown, summary
    from bot.settings import read_settings

    settings = read_settings()
    key = settings.anthropic_api_key
    total = sum(len(own) for _, own in shared)

    async def run(done: Done | None) -> list[AskedAll]:
        found: list[AskedAll] = []
        async with ClaudeClient.connect(
            api_key=key.get_secret_value() if key else None,
            base_url=settings.anthropic_base_url,
        ) as client:
            for subject, own in shared:
                left = most_usd - sum(one.usd for one in found)
                found.append(await ask(client, subject, own, plan, most_usd=left, done=done))
        return found

    with _progress(total, "Answers") as done:
        found = asyncio.run(run(done))
    try:
        answers.write_text(markdown(found), "utf-8")
    except OSError as error:
        raise ForewarmError(
            f"{answers} cannot be written ({error.strerror}): give another --answers."
        ) from None
    return summary(found)


def _read_questions(
    paths: Sequence[Path], context: str | None, days: float | None
) -> list[EvidenceRow]:
    """Return the questions of files, or those that a context has answered."""
    from bot.commands.evaluation.subjects import answered_questions, read_questions

    if bool(paths) == (days is not None):
        raise ForewarmError("Name a file of questions, or give --from-store DAYS, not both.")
    if days is None:
        return read_questions(paths)
    if context is None:
        raise ForewarmError("--from-store needs --context: each context has its own questions.")
    return answered_questions(context, days)


def _subjects(context: str | None, paths: Sequence[str], at: str | None) -> list[Subject]:
    from bot.commands.evaluation.subjects import subject_of_context, subjects_of_paths

    if context is not None and not paths:
        return [subject_of_context(context, at)]
    return subjects_of_paths(paths, at)


def _numbers(option: str, text: str) -> list[int]:
    try:
        numbers = [int(part.replace("_", "")) for part in text.split(",")]
    except ValueError:
        numbers = [-1]
    if min(numbers) < 0:
        raise ForewarmError(f"--{option} {text!r} is not a list of numbers: write 54000,150000.")
    return list(dict.fromkeys(numbers))


@contextmanager
def _progress(total: int, what: str = "Questions") -> Iterator[Done | None]:
    """Show how many are done, on a terminal only."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda: bar.advance(task)


def _write_rows(path: Path, found: Sequence[Evaluation]) -> None:
    verdicts = (verdict for one in found for own in one.verdicts.values() for verdict in own)
    lines = [json.dumps(verdict.document(), ensure_ascii=False) for verdict in verdicts]
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
