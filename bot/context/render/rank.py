"""Which files are worth the room when not all fit: deterministic, and explained file by file. Pure.

What the context names comes first; then what tells a newcomer most: documentation of the top
level, manifests and entry points; then the rest of source, documentation and configuration; tests,
examples and fixtures come last. Within a group a file is worth how often and how lately the team
has worked on it, and what its size and the files that refer to it add: the questions of a team are
about what it works on and what everything leans on.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from bot.context.config.globs import glob_regex, is_literal
from bot.context.files.select import File, Rules
from bot.context.render.references import referred

Group = Literal[
    "named by the context",
    "top-level documentation",
    "manifest",
    "entry point",
    "source",
    "documentation",
    "configuration",
    "test",
    "example",
    "fixture",
    "legal text",
]

_ORDER: dict[Group, int] = {
    "named by the context": 0,
    "top-level documentation": 1,
    "manifest": 1,
    "entry point": 1,
    "source": 2,
    "documentation": 2,
    "configuration": 2,
    "test": 3,
    "example": 4,
    "fixture": 5,
    "legal text": 6,
}

_TEST = re.compile(
    r"(?:^|/)(?:tests?|testing|specs?|__tests__|e2e|[^/]*[-_]tests?|tests?[-_][^/]*)/"
    r"|(?:^|/)(?:test_[^/]*\.\w+|conftest\.py|[^/]*[._-](?:test|spec|tests|stories)"
    r"\.(?:py|[jt]sx?|[cm][jt]s|go|rb|java|kt|rs|php|cs|swift)"
    r"|[^/]*tests?\.(?:java|kt|cs|swift|php|scala))$",
    re.IGNORECASE,
)
_EXAMPLE = re.compile(r"(?:^|/)(?:examples?|demos?|tutorials?|playground)/", re.IGNORECASE)
_FIXTURE = re.compile(
    r"(?:^|/)(?:fixtures?|testdata|test_data|test_files|samples?|snapshots?|cassettes|locales?"
    r"|i18n)/",
    re.IGNORECASE,
)
_LEGAL = re.compile(
    r"(?:^|/)(?:licen[sc]es?|copying|authors|notice|code_of_conduct)[^/]*$", re.IGNORECASE
)
_MANIFEST = re.compile(
    r"(?:^|/)(?:pyproject\.toml|setup\.(?:py|cfg)|package\.json|cargo\.toml|go\.mod|pom\.xml"
    r"|build\.gradle(?:\.kts)?|gemfile|composer\.json|dockerfile|docker-compose\.ya?ml|makefile"
    r"|procfile)$",
    re.IGNORECASE,
)
_ENTRY = re.compile(
    r"(?:^|/)(?:__main__|main|cli|app|server|manage|wsgi|asgi|program)\.[a-z]+$", re.IGNORECASE
)
_HOUSEKEEPING = re.compile(r"^\.[^/]+/|(?:^|/)\.[^/]+$")

HISTORY = 3_000
"""How many first-parent commits are looked back on. What a monorepo touches next it has touched
often before, though not always lately: with 500 commits the choice holds three per cent less of
what onyx touches next, with all of its 9,000 one per cent more."""
_HALVED = 100
"""After so many commits a touch counts half, after twice as many a third: it fades fast while it is
news and slowly once it is history. 50 and 200 choose within a percent or two as well."""
_BUSIEST = 50
"""A commit that touches more files than this says less of each."""
_EXPECTED = 0.002
"""What size and references let expect, in touches: of a middling file about an eighth of a fresh
one. Any touch of the last 700 commits outweighs it; without history it alone decides."""
_REFERENCE_OF_A_TEST = 0.25


@dataclass(frozen=True, slots=True)
class Ranked:
    """A file in its place. `why` says in a few words what put it there."""

    file: File
    group: Group
    score: float
    why: str


def group_of(file: File) -> Group:
    """Return what a file is to a reader, by its path."""
    path, depth = file.path, file.path.count("/")
    for pattern, group in _LATE:
        if pattern.search(path):
            return group
    if depth == 0 and file.kind == "prose":
        return "top-level documentation"
    if depth <= 1 and _MANIFEST.search(path):
        return "manifest"
    if depth <= 3 and _ENTRY.search(path):
        return "entry point"
    if _HOUSEKEEPING.search(path) or file.kind in {"data", "markup"}:
        return "configuration"
    return "documentation" if file.kind == "prose" else "source"


_LATE: tuple[tuple[re.Pattern[str], Group], ...] = (
    (_TEST, "test"),
    (_EXAMPLE, "example"),
    (_FIXTURE, "fixture"),
    (_LEGAL, "legal text"),
)


def rank(
    files: Mapping[str, File],
    references: Mapping[str, Sequence[str]],
    touched: Sequence[Sequence[str]],
    rules: Rules,
) -> list[Ranked]:
    """Return every file, the most useful first.

    `references` are what each file refers to, `touched` the paths of each commit, newest first
    (empty where the history is cut short, since two machines could then differ).
    """
    groups = {path: group_of(file) for path, file in files.items()}
    weights = {
        path: _REFERENCE_OF_A_TEST if _ORDER[group] >= _ORDER["test"] else 1.0
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
        why = _why(group, leaned_on[path], busy)
        key = (_ORDER[group], place or 0, -round(score, 9), path)
        ranked.append((key, Ranked(file, group, score, why)))
    return [entry for _, entry in sorted(ranked, key=lambda pair: pair[0])]


def _named(rules: Rules) -> list[re.Pattern[str]]:
    """What the context names: `first`, then the paths that `include` spells out."""
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
    """Return how much a file is likely to be worked on: what was done, and what is to be expected.

    Long files and those that others lean on are touched more often. Size counts no further: room is
    paid by the token and valued by the token, so what remains is the chance that a file is needed.
    """
    return busy + _EXPECTED * (1 + 0.3 * math.log1p(references)) * math.sqrt(size)


def _why(group: Group, references: float, busy: float) -> str:
    said: list[str] = [group]
    if references >= 1:
        said.append(f"referred to {round(references)} times")
    if busy >= 0.5:
        said.append("worked on lately or often")
    return ", ".join(said)
