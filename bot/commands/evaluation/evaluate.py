"""Runs the questions of `forewarm eval` against repositories, offline."""

from __future__ import annotations

from collections import Counter
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

Done = Callable[[], None]
"""Called after each question."""
Pair = tuple[int, int]
"""Tokens of the prefix and of the excerpts."""


@dataclass(frozen=True)
class Subject:
    """A repository that questions are about. `head` is the commit of those that name none.

    `web` is the template of its pages, None if none is known.
    """

    repository: GitRepository
    rules: Rules
    facts: Path | None
    index: Path | None
    head: str = "HEAD"
    web: str | None = None


@dataclass(frozen=True)
class Plan:
    """Sizes to measure. `model` gives prices and the tokens of a byte.

    `learn` takes every other question as history, by whose files the prefix is ranked, and measures
    the rest; then the other way round.
    """

    budgets: Sequence[int]
    excerpts: Sequence[int]
    model: str
    speed: Speed
    max_wait: float
    learn: bool = False


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
            "rounds": round(self.coverage.rounds, 3),
            "wait": round(self.wait, 3),
            "warm_usd": round(self.warm, 5),
            "write_usd": round(self.write, 5),
            "where": dict(self.coverage.where),
        }


@dataclass(frozen=True)
class Evaluation:
    """Everything that one run has measured of one repository."""

    name: str
    commits: tuple[str, ...]
    tokens: int
    cells: tuple[Cell, ...]
    auto: Size
    absent: Mapping[str, Sequence[str]]
    verdicts: Mapping[Pair, Sequence[Verdict]] = field(repr=False)
    auto_verdicts: Sequence[Verdict] = field(repr=False)

    @property
    def questions(self) -> int:
        return len(self.auto_verdicts)


def best_cell(cells: Sequence[Cell], max_wait: float) -> Cell | None:
    """Return the pair that covers most with a predicted wait of at most `max_wait` seconds."""
    return max(
        (cell for cell in cells if cell.wait <= max_wait + 0.005),
        key=lambda cell: (cell.coverage.files, cell.coverage.lines, -cell.wait),
        default=None,
    )


def sum_cells(evaluations: Sequence[Evaluation]) -> tuple[Cell, ...]:
    """Return coverage over all questions of several repositories, by pair of sizes.

    The wait is the longest of any repository, money is the mean of a question.
    """
    summed: list[Cell] = []
    for own in zip(*(one.cells for one in evaluations), strict=True):
        pair = own[0].budget, own[0].excerpts
        verdicts = [verdict for one in evaluations for verdict in one.verdicts[pair]]
        counts = [cell.coverage.questions for cell in own]
        summed.append(
            Cell(
                *pair,
                tally(verdicts),
                max(cell.wait for cell in own),
                _mean([cell.warm for cell in own], counts),
                _mean([cell.write for cell in own], counts),
            )
        )
    return tuple(summed)


def _mean(values: Sequence[float], counts: Sequence[int]) -> float:
    weighted = sum(value * count for value, count in zip(values, counts, strict=True))
    return weighted / max(1, sum(counts))


def evaluate(
    subject: Subject,
    rows: Sequence[EvidenceRow],
    plan: Plan,
    *,
    done: Done | None = None,
    looking: BytesDone | None = None,
    indexing: BytesDone | None = None,
) -> Evaluation:
    """Measure every pair of sizes on the questions about one repository.

    Raises:
        ForewarmError: the repository or a commit cannot be read.
    """
    asked_at = by_commit(subject, rows)
    cache = FactsCache(subject.facts)
    estimator = Estimator.of(plan.model)
    index = RepositoryIndex(subject.repository, subject.index, estimator.ratios)
    sums = _Sums(plan)
    view: View | None = None
    try:
        for at, asked in asked_at.items():
            found = survey(subject.repository, at, subject.rules, cache, looking)
            view = index.update(found.files, view, indexing)
            for history, measured in _folds(asked, plan.learn):
                commit = _AtCommit(subject, found, view, estimator, plan, _uses(history))
                for row in measured:
                    sums.take(row, commit)
                    if done is not None:
                        done()
    finally:
        index.close()
    return sums.evaluation(subject.rules.name, tuple(asked_at))


def by_commit(subject: Subject, rows: Sequence[EvidenceRow]) -> dict[str, list[EvidenceRow]]:
    """Return the questions by the commit that they are about.

    Raises:
        RepositoryError: the repository does not have a commit.
    """
    found: dict[str, list[EvidenceRow]] = {}
    for row in rows:
        at = subject.repository.resolve(row.commit or subject.head)
        found.setdefault(at, []).append(row)
    return found


def _folds(
    rows: Sequence[EvidenceRow], learn: bool
) -> list[tuple[Sequence[EvidenceRow], Sequence[EvidenceRow]]]:
    """Return which questions are history for which: none, or each half for the other."""
    return [(rows[1::2], rows[0::2]), (rows[0::2], rows[1::2])] if learn else [((), rows)]


def _uses(history: Sequence[EvidenceRow]) -> dict[str, float]:
    """Return how often earlier questions needed each file."""
    return dict(Counter[str](file.path for row in history for file in row.files))


class _AtCommit:
    """The prompts of one commit by budget."""

    def __init__(
        self,
        subject: Subject,
        found: Survey,
        view: View,
        estimator: Estimator,
        plan: Plan,
        uses: Mapping[str, float],
    ) -> None:
        self.view = view
        self.lengths = {path: file.lines for path, file in found.files.items()}
        self.tokens = files_tokens(found.files, estimator)
        self.size = choose_size(
            self.tokens, plan.speed, rates_of(plan.model, 0), max_wait=plan.max_wait
        )
        self.bases = {
            budget: plan_base(
                subject.repository, found, estimator, base_room(budget, estimator.spread), uses
            )
            for budget in dict.fromkeys((*plan.budgets, self.size.budget_tokens))
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
        self._absent: dict[str, Sequence[str]] = {}
        self._verdicts: dict[Pair, list[Verdict]] = {
            (budget, excerpts): [] for budget in plan.budgets for excerpts in plan.excerpts
        }
        self._auto: list[Verdict] = []
        self._size: Size | None = None
        self._tokens = 0
        self._complete = dict.fromkeys(plan.budgets, True)

    def take(self, row: EvidenceRow, at: _AtCommit) -> None:
        if self._size is None or at.tokens > self._tokens:
            self._size, self._tokens = at.size, at.tokens
        if missing := absent_files(row, at.lengths):
            self._absent[row.id] = missing
            return
        matches = at.view.match(row.question)
        found = at.found_by_search(row.question)

        def verdict(budget: int, tokens: int) -> Verdict:
            base = at.bases[budget]
            excerpts = [] if base.complete else matches.choose(tokens, base.shown.keys())
            return judge(row, at.prompt(base), excerpts, found)

        for budget in self._complete:
            self._complete[budget] = self._complete[budget] and at.bases[budget].complete
        for (budget, tokens), verdicts in self._verdicts.items():
            verdicts.append(verdict(budget, tokens))
        self._auto.append(verdict(at.size.budget_tokens, at.size.excerpt_tokens))

    def evaluation(self, name: str, commits: tuple[str, ...]) -> Evaluation:
        assert self._size is not None  # Every repository has a question.
        return Evaluation(
            name,
            commits,
            self._tokens,
            tuple(self._cells()),
            self._size,
            self._absent,
            self._verdicts,
            self._auto,
        )

    def _cells(self) -> Iterator[Cell]:
        """Yield the sums. A repository that is whole in the prefix has no excerpts."""
        speed = self._plan.speed
        for (budget, excerpts), verdicts in self._verdicts.items():
            complete = self._complete[budget]
            prefix, own = (min(budget, self._tokens), 0) if complete else (budget, excerpts)
            rates = rates_of(self._plan.model, prefix + own)
            yield Cell(
                budget,
                excerpts,
                tally(verdicts),
                speed.wait(prefix, own),
                rates.warm(prefix, own),
                rates.cold(prefix),
            )
