"""Passwords in the rows of a table: `INSERT INTO users (…, password) VALUES (…)`, `COPY … FROM`."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator

from bot.context.secrets.candidate import Candidate
from bot.context.secrets.judgement.names import is_password_name, secret_strength
from bot.context.secrets.judgement.passwords import is_password, is_word_secret
from bot.context.secrets.judgement.randomness import is_random
from bot.context.secrets.word_search import find_places

_INTO = re.compile(
    r"(?:INTO|into|Into)\s{1,8}(?P<table>[\w.`\"\[\]\\]{1,120})\s{0,8}"
    r"(?:\((?P<columns>[^()]{1,4000})\)\s{0,40})?(?:VALUES|values|Values)\s{0,40}(?=\()"
)
_COPY = re.compile(
    r"COPY[ ][\w.\"]{1,120}[ ]\((?P<columns>[^()\n]{1,4000})\)[ ]FROM[ ]stdin[^\n]{0,80}\n",
    re.IGNORECASE,
)
_PIECE = re.compile(r"'(?P<value>(?:[^'\\]|''|\\.){0,2000})'|[^'(),]{1,2000}|[(),]")
_NEXT_ROW = re.compile(r"\s{0,40},(?:\s{0,40}(?:--[^\n]{0,200}\n)?){0,4}(?=\()")

ROW_WORDS = frozenset(["into", "copy"])
Columns = dict[int, Callable[[str], bool]]


def find_in_sql_rows(text: str, words: frozenset[str]) -> Iterator[Candidate]:
    """Yield the values of columns whose names hold secrets.

    `words` are those of `ROW_WORDS` that the text holds.
    """
    tables: dict[str, str] | None = None
    for anchor in ("INTO", "into", "Into") if "into" in words else ():
        done = 0
        for at in find_places(text, anchor):
            head = _INTO.match(text, at) if at >= done else None
            if head is None:
                continue
            if tables is None and not head["columns"]:
                tables = _read_tables(text)
            written = head["columns"] or (tables or {}).get(head["table"], "")
            if columns := _secret_columns(written):
                done = yield from _inserted(text, head.end(), columns)
    for anchor in ("COPY ", "copy ") if "copy" in words else ():
        for at in find_places(text, anchor):
            head = _COPY.match(text, at)
            if head and (columns := _secret_columns(head["columns"])):
                yield from _copied(text, head.end(), columns)


_CREATE = re.compile(
    r"CREATE TABLE (?:IF NOT EXISTS )?(?P<table>[\w.`\"\[\]]{1,120})\s{0,8}\(\s{0,40}",
    re.IGNORECASE,
)
_COLUMN = re.compile(
    r"(?P<name>[`\"\[]?\w{1,64}[`\"\]]?)(?:[^,()\n]|\([^()\n]{0,200}\)){0,400},?\s{0,40}"
    r"(?:--[^\n]{0,200}\n\s{0,40})?"
)


def _read_tables(text: str) -> dict[str, str]:
    """Return the columns of the tables that a dump creates: its rows need not name them."""
    tables: dict[str, str] = {}
    for anchor in ("CREATE TABLE ", "create table "):
        for at in find_places(text, anchor):
            head = _CREATE.match(text, at)
            names: list[str] = []
            column = _COLUMN.match(text, head.end()) if head else None
            while column:
                names.append(column["name"])
                column = _COLUMN.match(text, column.end())
            if head:
                tables[head["table"]] = ",".join(names)
    return tables


def _secret_columns(written: str) -> Columns:
    names = [name.strip(" \t\n\r\"'`[]\\") for name in written.split(",")]
    return {at: _test_of(name) for at, name in enumerate(names) if secret_strength(name)}


def _test_of(name: str) -> Callable[[str], bool]:
    """Return the test of a column's values."""
    if is_password_name(name):
        return is_word_secret
    return is_password if secret_strength(name) == "password" else is_random


def _inserted(text: str, at: int, columns: Columns) -> Generator[Candidate, None, int]:
    """Yield the secrets of rows in parentheses; return the place behind the last row."""
    column = depth = 0
    while piece := _PIECE.match(text, at):
        at = piece.end()
        sign = piece.group()
        if sign == "(":
            depth += 1
        elif sign == ")":
            depth -= 1
        elif sign == "," and depth == 1:
            column += 1
        elif piece["value"] and column in columns and columns[column](piece["value"]):
            yield Candidate(*piece.span("value"), "password", "quotes")
        if depth == 0:
            following = _NEXT_ROW.match(text, at)
            if following is None:
                return at
            at = following.end()
            column = 0
    return at


def _copied(text: str, at: int, columns: Columns) -> Iterator[Candidate]:
    """Yield the secrets of rows that tabs divide, up to the line with `\\.`."""
    while at < len(text) and not text.startswith("\\.", at):
        newline = text.find("\n", at)
        end = newline if newline >= 0 else len(text)
        for number, cell in enumerate(text[at:end].split("\t")):
            if number in columns and columns[number](cell):
                yield Candidate(at, at + len(cell), "password", "form")
            at += len(cell) + 1
        at = end + 1
