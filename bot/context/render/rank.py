"""Which files are worth the room when not all fit: deterministic, and explained file by file. Pure.

The files that the context names come first. Then come the README and the manifests, source, tests,
documentation and configuration, and at the end examples, fixtures and licences (see `groups`).
Within a group a file is worth how often and how lately the team has worked on it, and how many
files refer to it, for the room that it takes: a team asks about the code that it works on and that
everything leans on.

Files that answers have used come before all but the files that the context names: those that
checked citations name and that look-ups read. Among themselves they keep their order, unless one is
used many times as often.
"""

from __future__ import annotations

import heapq
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from posixpath import dirname

from bot.context.config.globs import glob_regex, is_literal
from bot.context.files.select import File, Rules
from bot.context.render.groups import ORDER, Group, group_of, most_central
from bot.context.render.references import referred

HISTORY = 3_000
"""How many first-parent commits are looked back on. A monorepo touches next the files that it has
touched often before, though not always lately: with 500 commits the choice holds three per cent
less of the files that onyx touches next, with all of its 9,000 one per cent more."""
_MOST_COMPARED = 30_000_000
"""Entries of trees that git may compare for the history. To compare two commits it reads the whole
list of each folder that changed, so a folder of 195,000 files costs as much as many commits."""
_HALVED = 100
"""After so many commits a touch counts half, after twice as many a third: it fades fast while it is
news and slowly once it is history. 50 and 200 choose within a percent or two as well."""
_BUSIEST = 50
"""A commit that touches more files than this says less of each."""
_EXPECTED = 0.002
"""The touches that size and references let expect: of a middling file about an eighth of a fresh
one. Any touch of the last 700 commits outweighs it; without history it alone decides."""
_REFERENCE_OF_A_TEST = 0.25
_HALF_AT = 0.1
"""The share of a folder's bytes at which its next file counts half."""
_SMALL = 2_000
"""Files of fewer bytes are not worth more for being shorter."""
LEAST_USES = 0.5
"""The decayed uses from which a file comes before others: one use, until its half-life is over."""
_MORE_USED = 16
"""A file that is used so many times as often comes before others that are used too."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """A file in its place. `why` says in a few words what put it there."""

    file: File
    group: Group
    score: float
    why: str
    used: bool = False


def history_length(paths: Iterable[str]) -> int:
    """Return how many commits are looked back on, for the paths of a repository.

    It follows from the paths and not from a clock: every machine must rank alike.
    """
    largest = max(Counter(path.rpartition("/")[0] for path in paths).values(), default=1)
    return min(HISTORY, max(1, _MOST_COMPARED // largest))


def rank(
    files: Mapping[str, File],
    references: Mapping[str, Sequence[str]],
    touched: Sequence[Sequence[str]],
    rules: Rules,
    uses: Mapping[str, float],
) -> list[Ranked]:
    """Return every file, the most useful first.

    `references` are what each file refers to, `touched` the paths of each commit, newest first
    (empty if the history is cut short, since two machines could then differ), `uses` how often
    answers used each file, decayed.
    """
    groups = _groups(files)
    weights = {
        path: _REFERENCE_OF_A_TEST if ORDER[group] >= ORDER["test"] else 1.0
        for path, group in groups.items()
    }
    known = {path: references.get(path, ()) for path in files}
    leaned_on = referred(known, weights)
    activity = _activity(touched)
    named = _named(rules)
    ranked: list[tuple[tuple[object, ...], Ranked]] = []
    for path, file in files.items():
        place = next((at for at, pattern in enumerate(named) if pattern.fullmatch(path)), None)
        group = groups[path] if place is None else "named by the context"
        busy = activity.get(path, 0.0)
        score = _score(file.size, leaned_on[path], busy)
        used = uses.get(path, 0.0) >= LEAST_USES
        why = _why(group, leaned_on[path], busy, used)
        key = (ORDER[group], place or 0, -round(score, 9), path)
        ranked.append((key, Ranked(file, group, score, why, used)))
    spread = _spread([entry for _, entry in sorted(ranked, key=lambda pair: pair[0])])
    return sorted(spread, key=lambda entry: _precedence(entry, uses))


def _precedence(entry: Ranked, uses: Mapping[str, float]) -> tuple[bool, int]:
    """Return a key that puts used files before others, and leaves the order as it is otherwise."""
    tier = 0
    if entry.used:
        tier = 1 + int(math.log(uses[entry.file.path] / LEAST_USES, _MORE_USED))
    return entry.group != "named by the context", -tier


def _spread(ranked: Sequence[Ranked]) -> list[Ranked]:
    """Reorder source files and entry points, so that no folder takes all the first places.

    The more of a folder's bytes is placed, the less its next file is worth: half, once the share
    `_HALF_AT` is placed. So a folder's part in the choice follows its part in the repository.
    Questions come to every part, not to the busiest folder alone.
    """
    place = ORDER["source"]
    sources = [entry for entry in ranked if ORDER[entry.group] == place]
    rest = [entry for entry in ranked if ORDER[entry.group] != place]
    before = sum(ORDER[entry.group] < place for entry in rest)
    # Within a folder the order of the scores stays, so only the best file of each folder competes.
    queues: dict[str, list[Ranked]] = {}
    for entry in reversed(sources):
        queues.setdefault(dirname(entry.file.path), []).append(entry)
    whole = {name: 1 + sum(e.file.size for e in queue) for name, queue in queues.items()}
    placed = dict.fromkeys(whole, 0)

    def bid(folder: str) -> tuple[float, str, str]:
        best = queues[folder][-1]
        worth = best.score * _HALF_AT / (_HALF_AT + placed[folder] / whole[folder])
        return -worth, best.file.path, folder

    heap = [bid(folder) for folder in queues]
    heapq.heapify(heap)
    spread: list[Ranked] = []
    while heap:
        folder = heapq.heappop(heap)[2]
        entry = queues[folder].pop()
        placed[folder] += entry.file.size
        spread.append(entry)
        if queues[folder]:
            heapq.heappush(heap, bid(folder))
    return [*rest[:before], *spread, *rest[before:]]


def _groups(files: Mapping[str, File]) -> dict[str, Group]:
    groups = {path: group_of(file) for path, file in files.items()}
    entries = [path for path, group in groups.items() if group == "entry point"]
    for path in set(entries) - most_central(entries):
        groups[path] = "source"
    return groups


def _named(rules: Rules) -> list[re.Pattern[str]]:
    """Return the patterns of the context: `first`, then the paths that `include` spells out."""
    spelled = [pattern for pattern in rules.include if is_literal(pattern)]
    return [re.compile(glob_regex(pattern), re.DOTALL) for pattern in (*rules.first, *spelled)]


def _activity(touched: Sequence[Sequence[str]]) -> dict[str, float]:
    sums: dict[str, float] = {}
    for age, paths in enumerate(touched):
        weight = _HALVED / (_HALVED + age) * min(1.0, _BUSIEST / max(1, len(paths)))
        for path in paths:
            sums[path] = sums.get(path, 0.0) + weight
    return sums


def _score(size: int, references: float, busy: float) -> float:
    """Return the value of a file for its room: the chance that a question needs it, by size.

    Files that the team works on, long files and files that others refer to are asked about more
    often. A file of four times the size costs four times the room, and its chance is about twice as
    high: so the chance is divided by the square root of the size.
    """
    length = math.sqrt(max(size, _SMALL))
    return busy / length + _EXPECTED * (1 + 0.3 * math.log1p(references)) * math.sqrt(size) / length


def _why(group: Group, references: float, busy: float, used: bool) -> str:
    said: list[str] = [group]
    if used:
        said.append("used by answers")
    if references >= 1:
        said.append(f"referred to {round(references)} times")
    if busy >= 0.5:
        said.append("worked on lately or often")
    return ", ".join(said)
