"""Runs the questions of `forewarm eval` against one repository, offline."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bot.claude.prices import rates_of
from bot.context.files.blob_cache import FactsCache
from bot.context.files.blob_cache import Progress as BytesDone
from bot.context.files.select import Rules
from bot.context.files.tree import Survey, survey
from bot.context.git.repository import GitRepository
from bot.context.render.base_block import BasePlan, files_tokens, plan_base
from bot.context.render.budget import base_room
from bot.context.render.token_estimate import Estimator
from bot.context.sizing import Size, Speed, choose_size
from bot.retrieval.coverage import (
    Coverage,
    EvidenceRow,
    Prompt,
    Verdict,
    absent_files,
    judge,
    tally,
)
from bot.retrieval.index import Matches, RepositoryIndex, View
from bot.retrieval.ranking import rarest_terms, score_chunks

SEARCHED_TERMS = 20
FOUND_FILES = 150
"""A search for so many of a question's rarest terms names so many files."""

Done = Callable[[int, int], None]
"""Called with the questions that are done and the questions in all."""


@dataclass(frozen=True)
class Subject:
    """The repository that the questions are about."""

    repository: GitRepository
    rules: Rules
    facts: Path | None
    index: Path | None


@dataclass(frozen=True)
class Plan:
    """Sizes to measure. `model` gives prices and the tokens of a byte."""

    budgets: Sequence[int]
    excerpts: Sequence[int]
    model: str
    speed: Speed
    max_wait: float


@dataclass(frozen=True)
class Cell:
    """Coverage at one pair of sizes. `wait` in seconds, `warm` and `write` in USD a question."""

    budget: int
    excerpts: int
    coverage: Coverage
    wait: float
    warm: float
    write: float

    def document(self) -> dict[str, object]:
        """Return what `--json` prints of the pair."""
        return {
            "budget": self.budget,
            "excerpts": self.excerpts,
            "files": round(self.coverage.files, 4),
            "lines": round(self.coverage.lines, 4),
            "named": round(self.coverage.known, 4),
            "search": round(self.coverage.reachable, 4),
            "wait": round(self.wait, 3),
            "warm_usd": round(self.warm, 5),
            "write_usd": round(self.write, 5),
            "where": dict(self.coverage.where),
        }


@dataclass(frozen=True)
class Evaluation:
    """Everything that one run has measured."""

    name: str
    commits: tuple[str, ...]
    tokens: int
    cells: tuple[Cell, ...]
    auto: Size
    absent: Mapping[str, Sequence[str]]
    verdicts: Mapping[tuple[int, int], Sequence[Verdict]] = field(repr=False)

    @property
    def questions(self) -> int:
        return self.cells[0].coverage.questions if self.cells else 0

    def best(self, max_wait: float) -> Cell | None:
        """Return the pair that covers most with a predicted wait of at most `max_wait` seconds."""
        allowed = [cell for cell in self.cells if cell.wait <= max_wait + 0.005]
        return max(
            allowed,
            key=lambda cell: (cell.coverage.files, cell.coverage.lines, -cell.wait),
            default=None,
        )


def evaluate(
    subject: Subject,
    rows: Sequence[EvidenceRow],
    commit: str,
    plan: Plan,
    *,
    done: Done | None = None,
    looking: BytesDone | None = None,
    indexing: BytesDone | None = None,
) -> Evaluation:
    """Measure every pair of sizes. `commit` is for rows that name none.

    Raises:
        ForewarmError: the repository or a commit cannot be read.
    """
    by_commit: dict[str, list[EvidenceRow]] = {}
    for row in rows:
        at = subject.repository.resolve(row.commit or commit)
        by_commit.setdefault(at, []).append(row)
    cache = FactsCache(subject.facts)
    estimator = Estimator.of(plan.model)
    index = RepositoryIndex(subject.repository, subject.index, estimator.ratios)
    sums = _Sums(plan)
    view: View | None = None
    tokens, finished = 0, 0
    try:
        for at, asked in by_commit.items():
            found = survey(subject.repository, at, subject.rules, cache, looking)
            tokens = max(tokens, files_tokens(found.files, estimator))
            view = index.update(found.files, view, indexing)
            commits = _AtCommit(subject, found, view, estimator, plan)
            for row in asked:
                sums.take(row, commits)
                finished += 1
                if done is not None:
                    done(finished, len(rows))
    finally:
        index.close()
    return Evaluation(
        subject.rules.name,
        tuple(by_commit),
        tokens,
        tuple(sums.cells(tokens)),
        choose_size(tokens, plan.speed, rates_of(plan.model, 0), max_wait=plan.max_wait),
        sums.absent,
        sums.verdicts,
    )


class _AtCommit:
    """The prompts of one commit by budget."""

    def __init__(
        self, subject: Subject, found: Survey, view: View, estimator: Estimator, plan: Plan
    ) -> None:
        self.survey = found
        self.view = view
        self.lengths = {path: file.lines for path, file in found.files.items()}
        self.bases = {
            budget: plan_base(
                subject.repository, found, estimator, base_room(budget, estimator.spread)
            )
            for budget in plan.budgets
        }

    def prompt(self, base: BasePlan) -> Prompt:
        return Prompt(base.shown.keys(), base.named, self.lengths)

    def found_by_search(self, question: str) -> frozenset[str]:
        """Return the files that one search for the question's rarest terms shows."""
        corpus = self.view.corpus
        wanted = rarest_terms(corpus, question, SEARCHED_TERMS)
        matches = Matches(corpus, score_chunks(corpus, wanted), ())
        return frozenset(path for path, _ in matches.files(FOUND_FILES))


class _Sums:
    """Verdicts by pair of sizes."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.absent: dict[str, Sequence[str]] = {}
        self.verdicts: dict[tuple[int, int], list[Verdict]] = {
            (budget, excerpts): [] for budget in plan.budgets for excerpts in plan.excerpts
        }
        self._found: list[frozenset[str]] = []
        self._complete = dict.fromkeys(plan.budgets, True)

    def take(self, row: EvidenceRow, at: _AtCommit) -> None:
        if missing := absent_files(row, at.lengths):
            self.absent[row.id] = missing
            return
        matches = at.view.match(row.question)
        found = at.found_by_search(row.question)
        self._found.append(found)
        for budget, base in at.bases.items():
            self._complete[budget] = self._complete[budget] and base.complete
            prompt = at.prompt(base)
            for tokens in self._plan.excerpts:
                excerpts = [] if base.complete else matches.choose(tokens, base.shown.keys())
                self.verdicts[budget, tokens].append(judge(row, prompt, excerpts, found))

    def cells(self, whole: int) -> Iterator[Cell]:
        """Yield the sums. A repository that is whole in the prefix has no excerpts."""
        speed = self._plan.speed
        for (budget, excerpts), verdicts in self.verdicts.items():
            complete = self._complete[budget]
            prefix, own = (min(budget, whole), 0) if complete else (budget, excerpts)
            rates = rates_of(self._plan.model, prefix + own)
            yield Cell(
                budget,
                excerpts,
                tally(verdicts, self._found),
                speed.wait(prefix, own),
                rates.warm(prefix, own),
                rates.cold(prefix),
            )
