"""Coverage is the project's measure of context: each rule of it is checked on made-up prompts."""

from __future__ import annotations

import pytest

from bot.retrieval.coverage import (
    EvidenceRow,
    NeededFile,
    Prompt,
    QuestionsError,
    Verdict,
    judge,
    read_rows,
    row_of_answer,
    tally,
)
from bot.retrieval.excerpts import Excerpt

LENGTHS = {"a.py": 100, "b.py": 100, "short.py": 4, "c.py": 50}


def row(*files: NeededFile) -> EvidenceRow:
    return EvidenceRow("q", "?", None, files)


def excerpt(path: str, first: int, last: int) -> Excerpt:
    return Excerpt(path, first, last, 100, 1.0)


def verdict(
    needed: NeededFile, *excerpts: Excerpt, shown: set[str] | None = None, found: str = ""
) -> Verdict:
    prompt = Prompt(shown or set(), {"c.py"}, LENGTHS)
    return judge(row(needed), prompt, excerpts, {found})


def test_a_file_in_the_prefix_is_covered_for_any_lines() -> None:
    one = verdict(NeededFile("a.py", ((1, 2),)), shown={"a.py"})
    assert (one.files, one.lines, one.where) == (True, True, {"a.py": "prefix"})


@pytest.mark.parametrize(
    ("pieces", "covered"),
    [
        ([(1, 15)], True),
        ([(1, 14)], False),
        ([(1, 8), (50, 56)], True),
        ([(1, 10), (1, 10)], False),
    ],
)
def test_fifteen_lines_in_all_cover_a_file(pieces: list[tuple[int, int]], covered: bool) -> None:
    found = verdict(NeededFile("a.py"), *(excerpt("a.py", *piece) for piece in pieces))
    assert found.files is covered


def test_all_lines_of_a_short_file_cover_it() -> None:
    assert verdict(NeededFile("short.py"), excerpt("short.py", 1, 4)).files
    assert not verdict(NeededFile("short.py"), excerpt("short.py", 1, 3)).files


@pytest.mark.parametrize(("lines", "covered"), [((30, 40), True), ((31, 40), False)])
def test_lines_are_covered_only_if_an_excerpt_overlaps_the_evidence(
    lines: tuple[int, int], covered: bool
) -> None:
    found = verdict(NeededFile("a.py", (lines,)), excerpt("a.py", 10, 30))
    assert (found.files, found.lines) == (True, covered)


def test_every_needed_file_counts() -> None:
    needed = row(NeededFile("a.py"), NeededFile("b.py"))
    found = judge(needed, Prompt({"a.py"}, set(), LENGTHS), [], set())
    assert not found.files
    assert found.where == {"a.py": "prefix", "b.py": "unreachable"}


def test_where_a_file_is_found_is_the_nearest_place() -> None:
    assert verdict(NeededFile("c.py")).where == {"c.py": "named"}
    assert verdict(NeededFile("c.py"), excerpt("c.py", 1, 3)).where == {"c.py": "named"}
    assert verdict(NeededFile("b.py"), found="b.py").where == {"b.py": "search"}
    assert verdict(NeededFile("b.py")).where == {"b.py": "unreachable"}


def test_shares_are_of_questions_and_of_files() -> None:
    verdicts = [
        verdict(NeededFile("a.py", ((90, 91),)), excerpt("a.py", 1, 20)),
        verdict(NeededFile("c.py")),
        verdict(NeededFile("b.py"), found="b.py"),
        verdict(NeededFile("b.py")),
    ]
    found = tally(verdicts)
    assert (found.questions, found.files, found.lines) == (4, 0.25, 0.0)
    assert (found.known, found.reachable) == (0.5, 0.5)
    assert [one.rounds for one in verdicts] == [1, 2, 3, 3]
    assert found.rounds == 2.25
    assert found.where == {"prefix": 0, "excerpts": 1, "named": 1, "search": 1, "unreachable": 1}


def test_no_question_has_no_share() -> None:
    assert tally([]).files == 0.0


def test_rows_are_read_with_and_without_lines() -> None:
    text = (
        '{"id": 7, "question": "q", "files": [{"path": "a", "lines": [[1, 2]]}], "repo": "x"}\n\n'
    )
    text += '{"question": "r", "commit": "abc", "files": [{"path": "b"}]}'
    assert read_rows(text) == [
        EvidenceRow("7", "q", None, (NeededFile("a", ((1, 2),)),), "x"),
        EvidenceRow("3", "r", "abc", (NeededFile("b"),)),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "no json",
        "[]",
        "{}",
        '{"question": 1, "files": []}',
        '{"question": "q"}',
        '{"question": "q", "files": ["a"]}',
        '{"question": "q", "files": [{"path": 1}]}',
        '{"question": "q", "files": [{"path": "a", "lines": [3]}]}',
        '{"question": "q", "files": [{"path": "a", "lines": [[1, "2"]]}]}',
        '{"question": "q", "commit": 1, "files": []}',
        '{"question": "q", "repo": 1, "files": []}',
    ],
)
def test_a_line_that_cannot_be_read_is_named(line: str) -> None:
    with pytest.raises(QuestionsError, match="Line 2 of the questions cannot be read"):
        read_rows(f'{{"question": "q", "files": []}}\n{line}\n')


def test_an_answer_needs_what_it_cites() -> None:
    found = row_of_answer("q", "why?", "See `src/a.py:10-12` and src/a.py:40; also b.py.")
    assert found == EvidenceRow("q", "why?", None, (NeededFile("src/a.py", ((10, 12), (40, 40))),))
    assert row_of_answer("q", "why?", "I cannot tell.") is None
