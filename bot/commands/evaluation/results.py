"""Shows the results of `forewarm eval`: as JSON, and as a table for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bot.commands.evaluation.evaluate import Cell, Evaluation, best_cell, sum_cells
from bot.retrieval.coverage import tally


def document(
    found: Sequence[Evaluation], max_wait: float, asked: Mapping[str, object] | None = None
) -> dict[str, object]:
    """Return what `--json` prints: of one repository, or of several with their sum."""
    measured = _measured(found, max_wait)
    return measured if asked is None else {**measured, "asked": asked}


def _measured(found: Sequence[Evaluation], max_wait: float) -> dict[str, object]:
    if len(found) == 1:
        return _repository(found[0], max_wait)
    cells = sum_cells(found)
    best = best_cell(cells, max_wait)
    auto = tally([verdict for one in found for verdict in one.auto_verdicts])
    return {
        "questions": auto.questions,
        "table": [cell.document() for cell in cells],
        "max_wait": max_wait,
        "best": None if best is None else best.document(),
        "auto": {"files": round(auto.files, 4), "lines": round(auto.lines, 4)},
        "repositories": [_repository(one, max_wait) for one in found],
    }


def _repository(found: Evaluation, max_wait: float) -> dict[str, object]:
    best = best_cell(found.cells, max_wait)
    auto = tally(found.auto_verdicts)
    return {
        "repository": found.name,
        "commits": list(found.commits),
        "tokens": found.tokens,
        "questions": found.questions,
        "absent": [{"id": row, "files": list(files)} for row, files in found.absent.items()],
        "table": [cell.document() for cell in found.cells],
        "max_wait": max_wait,
        "best": None if best is None else best.document(),
        "auto": {
            **found.auto.document(),
            "files": round(auto.files, 4),
            "lines": round(auto.lines, 4),
        },
    }


def report(found: Sequence[Evaluation], max_wait: float) -> Iterator[str]:
    """Yield the lines of the table."""
    for one in found:
        yield f"{one.name}: {one.questions} questions, {one.tokens:,} tokens"
        if one.absent:
            yield f"{len(one.absent)} more need a file that the commit does not have"
    yield ""
    cells = sum_cells(found)
    yield from _table(cells)
    yield ""
    yield "files: every needed file is in the prefix, or 15 of its lines in excerpts; lines: the"
    yield "excerpt also overlaps the evidence; named: needed files in the prompt or its map;"
    yield "search: covered, or found by one search; rounds: of a model that asks for exactly the"
    yield "needed files; wait: predicted, to the first words; warm, write: USD of the input of a"
    yield "warm question, and of writing the prefix."
    best = best_cell(cells, max_wait)
    if best is not None:
        yield (
            f"Most is covered within {max_wait:.1f} s by budget_tokens = {best.budget} and "
            f"excerpt_tokens = {best.excerpts}."
        )
    for one in found:
        auto = tally(one.auto_verdicts)
        whose = "Auto" if len(found) == 1 else f"For {one.name} auto"
        yield (
            f"{whose} takes {one.auto.sentence()} It covers {auto.files:.1%} by files and "
            f"{auto.lines:.1%} by lines."
        )


def _table(cells: Sequence[Cell]) -> Iterator[str]:
    yield "  budget  excerpts   files   lines   named  search  rounds   wait     warm       write"
    for cell in cells:
        coverage = cell.coverage
        yield (
            f"{cell.budget:>8,}  {cell.excerpts:>8,}  {coverage.files:>6.1%}  "
            f"{coverage.lines:>6.1%}  {coverage.known:>6.1%}  {coverage.reachable:>6.1%}  "
            f"{coverage.rounds:>6.2f}  "
            f"{cell.wait:>4.1f} s  ${cell.warm:.4f}  ${cell.write:>8.3f}"
        )


def asked_report(asked: Mapping[str, Any], path: Path) -> Iterator[str]:
    """Yield what came of the questions that were put to the model, for people."""
    yield ""
    yield f"{asked['questions']} questions asked, {asked['answered']} answers complete."
    if asked["wait_p50"] is not None:
        yield (
            f"First words after {asked['wait_p50']:.1f} s (median), {asked['wait_p95']:.1f} s "
            "(95th percentile), as the model streamed them."
        )
    yield (
        f"{asked['rounds']:.2f} rounds and {asked['look_ups']:.2f} look-ups a question; "
        f"${asked['usd_per_question']:.4f} a question, ${asked['usd']:.2f} in all."
    )
    counts = ", ".join(f"{n} {verdict}" for verdict, n in sorted(asked["citations"].items()))
    yield f"Citations: {counts or 'none'}."
    yield (
        f"{asked['needed_files_cited']:.1%} of the needed files are cited; all of them in "
        f"{asked['questions_with_all_files_cited']} answers, at the lines of the evidence in "
        f"{asked['questions_with_all_lines_cited']}."
    )
    yield f"The answers are in {path}: people have to judge whether they are right."
