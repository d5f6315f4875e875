"""Passwords in the columns of tables in documents, and of text with commas or tabs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.context.secrets.candidate import Candidate
from bot.context.secrets.judgement.passwords import is_password
from bot.context.secrets.judgement.values import is_mixed
from bot.context.secrets.word_search import find_places


def find_in_text_tables(text: str) -> Iterator[Candidate]:
    """Yield the cells of password columns."""
    yield from _find_in_markdown(text)
    yield from _find_in_separated_values(text)


_RULE_LINE = re.compile(r"[ \t]{0,8}\|[-|: ]{3,400}\n")


def _find_in_markdown(text: str) -> Iterator[Candidate]:
    """Yield the cells of a Markdown table's password column."""
    done = 0
    for hit in find_places(text, "assw"):
        start = text.rfind("\n", max(0, hit - 400), hit) + 1
        newline = text.find("\n", hit, hit + 400)
        if hit < done or newline < 0 or not text.startswith("|", start):
            continue
        rule = _RULE_LINE.match(text, newline + 1)
        if rule is None and not text.endswith("|===\n", 0, start):
            continue
        heads = text[start:newline].lower().split("|")
        columns = [at for at, head in enumerate(heads) if _is_column(head)]
        done = rule.end() if rule else newline + 1
        while text.startswith("|", done) and not text.startswith("|===", done):
            newline = text.find("\n", done)
            end = newline if newline >= 0 else len(text)
            yield from _cells(text[done:end], done, columns)
            done = end + 1


def _find_in_separated_values(text: str) -> Iterator[Candidate]:
    """Yield the cells of a password column in text with commas, tabs or semicolons."""
    newline = text.find("\n", 0, 1_000)
    head = text[: max(newline, 0)]
    separator = next((char for char in ",;\t" if char in head), "")
    if not separator or "passw" not in head.lower():
        return
    columns = [at for at, cell in enumerate(head.lower().split(separator)) if _is_column(cell)]
    at = newline + 1
    while columns and at < len(text):
        newline = text.find("\n", at)
        end = newline if newline >= 0 else len(text)
        yield from _cells(text[at:end], at, columns, separator)
        at = end + 1


def _is_column(cell: str) -> bool:
    return "passw" in cell and len(cell) < 40 and cell.strip().count(" ") < 2


def _cells(row: str, start: int, columns: list[int], separator: str = "|") -> Iterator[Candidate]:
    cells = row.split(separator)
    for column in columns:
        if column >= len(cells):
            continue
        value = cells[column].strip().strip("`*\"'")
        if is_mixed(value) or is_password(value):
            begin = start + len(separator.join(cells[:column])) + 1 + cells[column].find(value)
            yield Candidate(begin, begin + len(value), "password", "form")
