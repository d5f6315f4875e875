"""How much of what a team touches next a pack under a budget holds, against the order of paths."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from bot.context.files.blob_cache import FactsCache
from bot.context.files.select import File, Rules
from bot.context.files.text import split_lines
from bot.context.files.tree import Survey, survey, survey_next, texts
from bot.context.git.repository import GitRepository
from bot.context.render.base_block import file_bytes, plan_base
from bot.context.render.token_estimate import Estimator
from bot.context.update.changes import moves
from bot.context.update.diff import diff_lines

SHARE = 0.25
AHEAD = 100


@dataclass(frozen=True)
class Choice:
    """Shares of what the next commits touch that were held, by two weights.

    `by_file`: each touch of a file weighs the file's tokens. `by_line`: the tokens of the lines
    that it adds or takes away. Files that did not exist at the start count for neither.
    """

    ours_by_file: float
    paths_by_file: float
    ours_by_line: float
    paths_by_line: float

    def document(self) -> dict[str, float]:
        """Return what `--json` prints."""
        return {
            "by_file_ours": round(self.ours_by_file, 3),
            "by_file_path_order": round(self.paths_by_file, 3),
            "by_file_times": round(self.ours_by_file / max(1e-9, self.paths_by_file), 2),
            "by_line_ours": round(self.ours_by_line, 3),
            "by_line_path_order": round(self.paths_by_line, 3),
            "by_line_times": round(self.ours_by_line / max(1e-9, self.paths_by_line), 2),
        }


def choice(
    repository: GitRepository, walk: list[str], cache: FactsCache, estimator: Estimator
) -> Choice | None:
    """Choose at a quarter of all tokens a hundred commits before the end; None if there are fewer.

    The order of paths fills the same budget to the brim; our choice holds the map besides. The
    a part that a running bot leaves to updates is taken from neither.
    """
    if len(walk) <= AHEAD:
        return None
    rules = Rules(repository.name)
    start = survey(repository, walk[-AHEAD - 1], rules, cache)
    # Both sides are measured by the same estimate, so it is taken for the truth.
    estimator = replace(estimator, spread=0.0)
    budget = int(sum(_tokens(file, estimator) for file in start.files.values()) * SHARE)
    plan = plan_base(repository, start, estimator, budget)
    by_path = _first_by_path(start.ordered(), estimator, budget)
    files, lines = _touched(repository, start, walk[-AHEAD:], cache, estimator)
    return Choice(
        _held(plan.shown, files),
        _held(by_path, files),
        _held(plan.shown, lines),
        _held(by_path, lines),
    )


def _tokens(file: File, estimator: Estimator) -> float:
    return estimator.exactly(file.kind, file_bytes(file))


def _first_by_path(files: Iterable[File], estimator: Estimator, budget: int) -> set[str]:
    left = float(budget)
    taken: set[str] = set()
    for file in files:
        tokens = _tokens(file, estimator)
        if tokens <= left:
            taken.add(file.path)
            left -= tokens
    return taken


def _touched(
    repository: GitRepository,
    start: Survey,
    walk: Iterable[str],
    cache: FactsCache,
    estimator: Estimator,
) -> tuple[dict[str, float], dict[str, float]]:
    """Weigh every touch of a file that was there at the start, by file and by changed lines."""
    by_file: dict[str, float] = {}
    by_line: dict[str, float] = {}
    last = start
    for commit in walk:
        found = survey_next(repository, last, commit, cache)[0]
        made = moves(
            last.files, found.files, repository.changes(last.commit, commit), lambda f: True
        )
        for move in made:
            if move.old is None or move.old.path not in start.files:
                continue
            path = move.old.path
            by_file[path] = by_file.get(path, 0.0) + _tokens(start.files[path], estimator)
            changed = _changed_bytes(repository, move.old, move.new)
            by_line[path] = by_line.get(path, 0.0) + estimator.exactly(move.old.kind, changed)
        last = found
    return by_file, by_line


def _changed_bytes(repository: GitRepository, old: File, new: File | None) -> int:
    files = [old] if new is None else [old, new]
    sides = [split_lines(text) for text in texts(repository, files)]
    before, now = sides[0], sides[1] if new is not None else []
    size = 0
    for hunk in diff_lines(before, now):
        size += sum(len(line) + 1 for line in before[hunk.old_start : hunk.old_end])
        size += sum(len(line) + 1 for line in now[hunk.new_start : hunk.new_end])
    return size


def _held(held: Mapping[str, File] | set[str], touched: Mapping[str, float]) -> float:
    whole = sum(touched.values())
    return sum(weight for path, weight in touched.items() if path in held) / max(1e-9, whole)
