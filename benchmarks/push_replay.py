"""Replaying a repository's pushes: what each costs our prefix, a re-packed one, and others' orders.

Sizes are bytes of the prefix. A push writes what no longer stands in front of the cache's end.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from statistics import mean, median

from bot.context.files.blob_cache import FactsCache
from bot.context.files.select import File, Rules
from bot.context.files.text import split_lines
from bot.context.files.tree import Survey, survey, survey_next, texts
from bot.context.git.repository import GitRepository
from bot.context.pack_store import MemoryState
from bot.context.packer import Packer
from bot.context.render.base_block import file_bytes, plan_base
from bot.context.render.token_estimate import Estimator
from bot.context.update.changes import moves
from bot.context.update.diff import Hunk, diff_lines

Progress = Callable[[int, int], None]
PLAIN_CONTEXT = 3
BOUNDS = [percent / 200 for percent in range(2, 160)]


@dataclass
class Ours:
    """Our prefix, push by push. `fresh` is the size of a newly built base."""

    written: list[int] = field(default_factory=list)
    written_tokens: list[int] = field(default_factory=list)
    growth: list[float] = field(default_factory=list)
    acts: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    one_file_seconds: list[float] = field(default_factory=list)


@dataclass
class Replay:
    """The figures of one repository."""

    name: str
    pushes: int
    first_bytes: int
    repacked: int
    repacked_tokens: int
    orders: dict[str, int]
    plain: int
    plain_bound: float
    plain_rebuilds: int
    ours: Ours

    @property
    def ratio(self) -> float:
        """How many times fewer bytes than re-packing."""
        return self.repacked / max(1, sum(self.ours.written))

    def document(self) -> dict[str, object]:
        """Return what `--json` prints."""
        ours = self.ours
        pushes = max(1, self.pushes)
        best = min(self.orders, key=lambda name: self.orders[name])
        return {
            "repository": self.name,
            "pushes": self.pushes,
            "first_base_bytes": self.first_bytes,
            "bytes_per_push": {
                "repack": round(self.repacked / pushes),
                "best_order": round(self.orders[best] / pushes),
                "plain_diff": round(self.plain / pushes),
                "ours": round(sum(ours.written) / pushes),
            },
            "tokens_per_push": {
                "repack": round(self.repacked_tokens / pushes),
                "best_order": round(self.orders[best] / pushes * self._tokens_a_byte()),
                "ours": round(sum(ours.written_tokens) / pushes),
            },
            "best_order": best,
            "orders": {name: round(total / pushes) for name, total in self.orders.items()},
            "times_fewer_than_repacking": round(self.ratio, 1),
            "of_plain_diff_at_equal_growth": round(sum(ours.written) / max(1, self.plain), 3),
            "plain_diff_bound": self.plain_bound,
            "plain_diff_rebuilds": self.plain_rebuilds,
            "mean_growth": round(mean(ours.growth), 4),
            "largest_growth": round(max(ours.growth), 4),
            "rebuilds": ours.acts["rebuild"],
            "folds": ours.acts["fold"],
            "milliseconds_per_push": _milliseconds(ours.seconds),
            "milliseconds_per_one_file_push": _milliseconds(ours.one_file_seconds),
        }

    def _tokens_a_byte(self) -> float:
        return self.repacked_tokens / max(1, self.repacked)


def _milliseconds(seconds: Sequence[float]) -> dict[str, float] | None:
    if not seconds:
        return None
    ordered = sorted(seconds)
    at_95 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]
    return {"median": round(median(ordered) * 1e3, 1), "p95": round(at_95 * 1e3, 1)}


async def replay(
    repository: GitRepository, cache: FactsCache, commits: int, model: str, progress: Progress
) -> Replay:
    """Walk the last first-parent commits, oldest first, and carry every policy along."""
    from bot.context.pack_builder import Source

    walk = first_parents(repository, commits)
    rules = Rules(repository.name)
    estimator = Estimator.of(model)
    source = Source(rules, repository, cache)
    packer = Packer(rules.name, "replay", [source], None, model, MemoryState(), estimator=estimator)
    await packer.update_to([walk[0]])
    found = survey(repository, walk[0], rules, cache)
    first_bytes = fresh = _fresh_bytes(found)
    orders = Orders(repository, walk[0], found)
    plain = PlainDiffs(repository, found)
    ours = Ours()
    repacked = repacked_tokens = 0
    for number, commit in enumerate(walk[1:], 1):
        began = time.perf_counter()
        before = packer.assembly
        assembly = await packer.update_to([commit])
        seconds = time.perf_counter() - began
        assert before is not None
        last, found = found, survey_next(repository, found, commit, cache)[0]
        changed = len(repository.changes(last.commit, commit))
        fresh = _fresh_bytes(found)
        standing = sum(len(block.text.encode()) for block in assembly.blocks)
        old = {block.fingerprint for block in before.blocks}
        new = [block for block in assembly.blocks if block.fingerprint not in old]
        ours.written.append(sum(len(block.text.encode()) for block in new))
        ours.written_tokens.append(sum(block.tokens for block in new))
        ours.growth.append(standing / fresh - 1)
        ours.acts[packer.decision.act if packer.decision else "keep"] += 1
        ours.seconds.append(seconds)
        if changed == 1 and packer.decision and packer.decision.act == "append":
            ours.one_file_seconds.append(seconds)
        if new:
            repacked += fresh
            repacked_tokens += plan_base(repository, found, estimator, None).tokens
        orders.step(found)
        plain.step(found)
        progress(number, commits)
    bound, written, rebuilds = plain.best(mean(ours.growth))
    return Replay(
        repository.name,
        len(walk) - 1,
        first_bytes,
        repacked,
        repacked_tokens,
        orders.written,
        written,
        bound,
        rebuilds,
        ours,
    )


def first_parents(repository: GitRepository, commits: int) -> list[str]:
    """Return the last commits and the one before them, oldest first."""
    out = repository.run(
        "reading the history of", "rev-list", "--first-parent", f"-n{commits + 1}", "HEAD"
    )
    return out.decode("ascii").split()[::-1]


def _fresh_bytes(found: Survey) -> int:
    return sum(map(file_bytes, found.files.values())) + 300


class Orders:
    """Tokens that pushes write if the whole is packed again in a fixed order of files.

    Bytes before the first difference are taken as cached, which is more than a cache with four
    breakpoints can keep.
    """

    def __init__(self, repository: GitRepository, commit: str, found: Survey) -> None:
        self.written = {"path": 0, "fewest changes first": 0, "oldest change first": 0}
        history = repository.touched(commit, 1_000)
        self._touches: Counter[str] = Counter()
        self._latest: dict[str, int] = {}
        for age, paths in enumerate(history):
            self._touches.update(paths)
            for path in paths:
                self._latest.setdefault(path, -age)
        self._step = 0
        self._files = dict(found.files)
        self._packs = {name: self._ordered(name, found) for name in self.written}

    def _ordered(self, name: str, found: Survey) -> list[File]:
        keys: dict[str, Callable[[File], tuple[int, str]]] = {
            "path": lambda file: (0, file.path),
            "fewest changes first": lambda file: (self._touches[file.path], file.path),
            "oldest change first": lambda file: (self._latest.get(file.path, -(10**6)), file.path),
        }
        return sorted(found.files.values(), key=keys[name])

    def step(self, found: Survey) -> None:
        """Take the next commit in."""
        self._step += 1
        for path, file in found.files.items():
            known = self._files.get(path)
            if known is None or known.oid != file.oid:
                self._touches[path] += 1
                self._latest[path] = self._step
        self._files = dict(found.files)
        for name in self.written:
            pack = self._ordered(name, found)
            self.written[name] += _after_common(self._packs[name], pack)
            self._packs[name] = pack


def _after_common(old: Sequence[File], new: Sequence[File]) -> int:
    """Return the bytes of the new pack behind what both begin with."""
    if [(f.path, f.oid) for f in old] == [(f.path, f.oid) for f in new]:
        return 0
    same = 0
    for one, other in zip(old, new, strict=False):
        if (one.path, one.oid) != (other.path, other.oid):
            break
        same += 1
    return sum(file_bytes(file) for file in new[same:])


class PlainDiffs:
    """Tokens that appended unified diffs with three lines of context write, by rebuild bound."""

    def __init__(self, repository: GitRepository, found: Survey) -> None:
        self._repository = repository
        self._found = found
        self._steps: list[tuple[int, int]] = [(0, _fresh_bytes(found))]

    def step(self, found: Survey) -> None:
        """Take the next commit in."""
        changes = self._repository.changes(self._found.commit, found.commit)
        made = moves(self._found.files, found.files, changes, lambda file: True)
        size = 0
        for move in made:
            files = [file for file in (move.old, move.new) if file is not None]
            read = [split_lines(text) for text in texts(self._repository, files)]
            old = read[0] if move.old else []
            new = read[-1] if move.new else []
            size += _plain_size(move.path, old, new)
        self._found = found
        self._steps.append((size, _fresh_bytes(found)))

    def best(self, growth: float) -> tuple[float, int, int]:
        """Return bound, bytes and rebuilds of the cheapest bound with no more mean growth."""
        outcomes = [(bound, *self._with_bound(bound)) for bound in BOUNDS]
        fitting = [outcome for outcome in outcomes if outcome[2] <= growth] or outcomes[:1]
        bound, written, _, rebuilds = min(fitting, key=lambda outcome: outcome[1])
        return bound, written, rebuilds

    def _with_bound(self, bound: float) -> tuple[int, float, int]:
        base, overlay, written, rebuilds = self._steps[0][1], 0, 0, 0
        grown: list[float] = []
        for size, fresh in self._steps[1:]:
            if overlay + size > bound * base:
                base, overlay = fresh, 0
                written += fresh
                rebuilds += 1
            else:
                overlay += size
                written += size
            grown.append((base + overlay) / fresh - 1)
        return written, mean(grown), rebuilds


def _plain_size(path: str, old: Sequence[bytes], new: Sequence[bytes]) -> int:
    """Return the bytes of a unified diff as git prints it, without its index line."""
    hunks = diff_lines(old, new)
    if not hunks:
        return 0
    size = len(f"diff --git a/{path} b/{path}\n--- a/{path}\n+++ b/{path}\n".encode())
    for group in _plain_groups(hunks):
        first, last = group[0], group[-1]
        low = max(0, first.new_start - PLAIN_CONTEXT)
        high = min(len(new), last.new_end + PLAIN_CONTEXT)
        size += len("@@ -,+, @@\n") + 2 * len(f"{first.old_start}{first.new_start}")
        size += sum(len(line) + 2 for line in new[low:high])
        size += sum(len(line) + 2 for hunk in group for line in old[hunk.old_start : hunk.old_end])
    return size


def _plain_groups(hunks: Sequence[Hunk]) -> Iterator[list[Hunk]]:
    group: list[Hunk] = []
    for hunk in hunks:
        if group and hunk.new_start - group[-1].new_end > 2 * PLAIN_CONTEXT:
            yield group
            group = []
        group.append(hunk)
    yield group
