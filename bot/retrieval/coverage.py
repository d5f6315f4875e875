"""Coverage: does the prompt hold the files that an answer needs? Pure.

A file is covered if the prefix shows it in full, or if excerpts show at least 15 of its lines or
all. Coverage by lines asks more: an excerpt must also overlap a range of lines that the question's
evidence names. Coverage is not correctness: a model can read the right lines and answer wrongly.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from bot.errors import ForewarmError
from bot.retrieval.excerpts import Excerpt
from bot.retrieval.locations import find_locations

ENOUGH_LINES = 15
"""Lines of a file that excerpts must show for it to be covered, unless it has fewer."""

Where = Literal["prefix", "excerpts", "named", "search", "unreachable"]
"""The nearest place in which a needed file can be found."""

WHERES: tuple[Where, ...] = ("prefix", "excerpts", "named", "search", "unreachable")


class QuestionsError(ForewarmError):
    """A file of questions cannot be read. `line` counts from 1."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(
            f"Line {line} of the questions cannot be read: {problem}. "
            'A line is an object such as {"id": "a", "question": "…", "files": [{"path": "a.py"}]}.'
        )
        self.line = line


@dataclass(frozen=True)
class NeededFile:
    """A file that the answer needs, with the ranges of lines that hold the evidence."""

    path: str
    lines: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class EvidenceRow:
    """A question with known evidence.

    `commit` is None if the caller chooses it, `repository` if there is only one.
    """

    id: str
    question: str
    commit: str | None
    files: tuple[NeededFile, ...]
    repository: str | None = None


def read_rows(text: str) -> list[EvidenceRow]:
    """Read one JSON object per line; blank lines are skipped.

    Raises:
        QuestionsError: a line is not such an object.
    """
    rows: list[EvidenceRow] = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            rows.append(_read_row(number, line))
    return rows


def _read_row(number: int, line: str) -> EvidenceRow:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise QuestionsError(number, f"it is not JSON ({error})") from None
    if not isinstance(row, dict):
        raise QuestionsError(number, "it is not an object")
    question, files = row.get("question"), row.get("files")
    if not isinstance(question, str):
        raise QuestionsError(number, "`question` is not a text")
    commit, repository = (_optional_text(number, row, key) for key in ("commit", "repo"))
    if not isinstance(files, list):
        raise QuestionsError(number, "`files` is not a list")
    needed = tuple(_read_file(number, file) for file in files)
    return EvidenceRow(str(row.get("id", number)), question, commit, needed, repository)


def _optional_text(number: int, row: Mapping[str, object], key: str) -> str | None:
    value = row.get(key)
    if value is not None and not isinstance(value, str):
        raise QuestionsError(number, f"`{key}` is not a text")
    return value


def _read_file(number: int, file: object) -> NeededFile:
    if not isinstance(file, dict) or not isinstance(file.get("path"), str):
        raise QuestionsError(number, "a file has no `path`")
    ranges: list[tuple[int, int]] = []
    for pair in file.get("lines") or ():
        match pair:
            case [int(first), int(last)]:
                ranges.append((first, last))
            case _:
                raise QuestionsError(number, "`lines` is not a list of pairs of numbers")
    return NeededFile(file["path"], tuple(ranges))


def row_of_answer(id: str, question: str, answer: str) -> EvidenceRow | None:
    """Return a question with the places that its answer cites; None if it cites none.

    A citation without lines says too little: it may be a file that was only mentioned.
    """
    cited: dict[str, list[tuple[int, int]]] = {}
    for place in find_locations(answer):
        if place.first is not None and place.last is not None:
            cited.setdefault(place.path, []).append((place.first, place.last))
    files = tuple(NeededFile(path, tuple(lines)) for path, lines in cited.items())
    return EvidenceRow(id, question, None, files) if files else None


@dataclass(frozen=True)
class Verdict:
    """Coverage of one question, and the place of each file that it needs.

    `reachable` tells whether every file is covered or found by one search.
    """

    row: EvidenceRow
    files: bool
    lines: bool
    reachable: bool
    where: Mapping[str, Where]
    excerpts: Sequence[Excerpt]

    @property
    def rounds(self) -> int:
        """Return the rounds of a model that asks for exactly the needed files.

        It answers in one if all are covered. One more reads those that are named, and one before
        it searches for those that are not.
        """
        if self.files:
            return 1
        return 3 if set(self.where.values()) & {"search", "unreachable"} else 2

    def document(self) -> dict[str, object]:
        """Return what `--rows` writes."""
        return {
            "id": self.row.id,
            "covered": self.files,
            "lines_covered": self.lines,
            "rounds": self.rounds,
            "excerpts": [
                {"path": one.path, "first": one.first, "last": one.last, "tokens": one.tokens}
                for one in self.excerpts
            ],
            "files": [{"path": path, "where": where} for path, where in self.where.items()],
        }


@dataclass(frozen=True)
class Prompt:
    """The view without a look-up: files in full, files by name, and lengths in lines."""

    shown: Container[str]
    named: Container[str]
    lengths: Mapping[str, int]


def judge(
    row: EvidenceRow, prompt: Prompt, excerpts: Sequence[Excerpt], found: Container[str]
) -> Verdict:
    """Say what a prompt with these excerpts covers; `found` are the files that a search finds."""
    lines: dict[str, set[int]] = {}
    for one in excerpts:
        lines.setdefault(one.path, set()).update(range(one.first, one.last + 1))
    where: dict[str, Where] = {}
    by_lines = True
    for file in row.files:
        seen = lines.get(file.path, set())
        where[file.path] = _where(file.path, prompt, seen, found)
        if where[file.path] == "excerpts" and file.lines:
            by_lines = by_lines and any(
                number in seen for first, last in file.lines for number in range(first, last + 1)
            )
    missed = [path for path, place in where.items() if place not in {"prefix", "excerpts"}]
    reachable = all(path in found for path in missed)
    return Verdict(row, not missed, not missed and by_lines, reachable, where, excerpts)


def _where(path: str, prompt: Prompt, seen: set[int], found: Container[str]) -> Where:
    if path in prompt.shown:
        return "prefix"
    if seen and len(seen) >= min(ENOUGH_LINES, prompt.lengths[path]):
        return "excerpts"
    if path in prompt.named:
        return "named"
    return "search" if path in found else "unreachable"


@dataclass(frozen=True)
class Coverage:
    """Coverage of many questions by one pair of sizes. Shares are from 0 to 1."""

    questions: int
    files: float
    lines: float
    known: float
    """Share of needed files that are in the prompt or named there."""
    reachable: float
    """Share of questions whose files are covered or found by one search."""
    rounds: float
    """Mean rounds of a model that asks for exactly the needed files."""
    where: Mapping[Where, int]


def tally(verdicts: Sequence[Verdict]) -> Coverage:
    """Sum up."""
    where: Counter[Where] = Counter()
    for verdict in verdicts:
        where.update(verdict.where.values())
    files = sum(where.values())
    unknown = where["search"] + where["unreachable"]
    return Coverage(
        len(verdicts),
        _ratio(sum(verdict.files for verdict in verdicts), len(verdicts)),
        _ratio(sum(verdict.lines for verdict in verdicts), len(verdicts)),
        _ratio(files - unknown, files),
        _ratio(sum(verdict.reachable for verdict in verdicts), len(verdicts)),
        _ratio(sum(verdict.rounds for verdict in verdicts), len(verdicts)),
        {place: where[place] for place in WHERES},
    )


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def absent_files(row: EvidenceRow, tree: Container[str]) -> list[str]:
    """Return the needed files that the commit does not have."""
    return [file.path for file in row.files if file.path not in tree]
