"""Passwords in the columns of tables in documents, and of text with commas or tabs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from bot.context.secrets.candidate import Candidate
from bot.context.secrets.judgement.names import is_password_name, secret_strength
from bot.context.secrets.judgement.passwords import is_password, is_words_secret
from bot.context.secrets.judgement.randomness import is_random
from bot.context.secrets.judgement.values import is_mixed
from bot.context.secrets.word_search import find_places


def find_in_text_tables(text: str) -> Iterator[Candidate]:
    """Yield the cells of password columns."""
    yield from _find_in_markdown(text)
    yield from _find_in_separated_values(text)


_OF_USERS = re.compile(r"user|login|account|e-?mail")
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
        has_users = any(_OF_USERS.search(head) for head in heads)
        done = rule.end() if rule else newline + 1
        while text.startswith("|", done) and not text.startswith("|===", done):
            newline = text.find("\n", done)
            end = newline if newline >= 0 else len(text)
            yield from _cells(text[done:end], done, columns, has_users)
            done = end + 1


def _find_in_separated_values(text: str) -> Iterator[Candidate]:
    """Yield the cells of a password column in text with commas, tabs or semicolons."""
    newline = text.find("\n", 0, 1_000)
    head = text[: max(newline, 0)]
    separator = next((char for char in ",;\t" if char in head), "")
    names = [cell.strip(" \r\"'") for cell in head.split(separator)] if separator else []
    if not all(map(_HEAD.fullmatch, names)):
        return
    columns = {at: _test_of(name) for at, name in enumerate(names) if secret_strength(name)}
    at = newline + 1
    while columns and at < len(text):
        newline = text.find("\n", at)
        end = newline if newline >= 0 else len(text)
        cells = _split(text[at:end], separator)
        for column in columns if len(cells) == len(names) else ():
            value = cells[column].strip().strip("\"'")
            if value and columns[column](value):
                yield _placed(cells, column, value, at)
        at = end + 1


_HEAD = re.compile(r"[\w.#/()-]{0,40}(?: [\w.#/()-]{1,40}){0,3}")
"""The name of a column."""


def _test_of(name: str) -> Callable[[str], bool]:
    """Return the test of a column's values."""
    if is_password_name(name):
        return _is_cell_or_word
    return _is_cell if secret_strength(name) == "password" else is_random


def _is_cell_or_word(value: str) -> bool:
    return _is_cell(value) or is_words_secret(value)


_CELLS = {
    char: re.compile(rf'(?:"[^"\n]{{0,400}}"|[^"{char}\n]|"){{0,2000}}')
    for char in (",", ";", "\t")
}
"""A cell, in which a separator may stand between quotes."""


def _split(row: str, separator: str) -> list[str]:
    """Return the cells of a row. Joined by the separator, they are the row."""
    if '"' not in row:
        return row.split(separator)
    cells: list[str] = []
    at = 0
    while at <= len(row):
        cell = _CELLS[separator].match(row, at)
        assert cell is not None
        cells.append(cell.group())
        at = cell.end() + 1
    return cells


def _is_column(cell: str) -> bool:
    return "passw" in cell and len(cell) < 40 and cell.strip().count(" ") < 2


def _cells(row: str, start: int, columns: list[int], has_users: bool) -> Iterator[Candidate]:
    test = _is_cell_or_word if has_users else _is_cell
    cells = row.split("|")
    for column in columns:
        value = cells[column].strip().strip("`*\"'") if column < len(cells) else ""
        if value and test(value):
            yield _placed(cells, column, value, start)


def _is_cell(value: str) -> bool:
    return is_mixed(value) or is_password(value) or is_random(value)


def _placed(cells: list[str], column: int, value: str, start: int) -> Candidate:
    """Return the value in a cell of a row that begins at `start`. One character divides cells."""
    begin = start + sum(len(cell) + 1 for cell in cells[:column]) + cells[column].find(value)
    return Candidate(begin, begin + len(value), "password", "form")
