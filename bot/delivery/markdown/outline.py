"""The block structure of Markdown as it streams by: fences, tables, lists. Pure.

`Outline` reads lines as CommonMark and GitHub's tables do, as far as a roll to a new message needs
it: which fence is open, under which list items we are, whose table this row belongs to. From that
follow the marks that close a message and reopen the next.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

_FENCE = re.compile(r"(`{3,})([^`]*)\Z|(~{3,})(.*)\Z", re.DOTALL)
_HEADING = re.compile(r"#{1,6}(?:[ \t]|\Z)")
_RULE = re.compile(r"(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,})\Z")
_UNDERLINE = re.compile(r"(?:=+|-+)[ \t]*\Z")
_MARKER = re.compile(r"([-*+]|(\d{1,9})[.)])(?:([ \t]+)|\Z)")
_DELIMITER = re.compile(r"\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*\Z")
_PIPE = re.compile(r"(?<!\\)\|")

ELLIPSIS = "…"
"""What stands for the text of a list item that an earlier message holds."""


@dataclass(frozen=True, slots=True)
class Fence:
    """An open code fence. Columns count from 0; `container` is the content column of its item."""

    indent: int
    marker: str
    info: str
    container: int


@dataclass(frozen=True, slots=True)
class Item:
    """An open list item: the columns of its marker and of its content."""

    indent: int
    marker: str
    content: int

    @property
    def mark(self) -> str:
        """The item's line in a later message, without a newline."""
        lead = " " * self.indent + self.marker
        return lead.ljust(self.content) + ELLIPSIS


def columns(line: str) -> tuple[int, str]:
    """Return the column of the first character that is not white, and the text from there."""
    rest = line.lstrip(" \t")
    lead = line[: len(line) - len(rest)]
    return len(lead.expandtabs(4)), rest.rstrip(" \t")


def cells(line: str) -> int:
    """Return how many cells a table row has."""
    row = line.strip()
    inner = row[1:] if row.startswith("|") else row
    ends = bool(re.search(r"(?<!\\)\|\Z", inner))
    return len(_PIPE.findall(inner)) + (0 if ends else 1)


def _opener(rest: str) -> tuple[str, str] | None:
    found = _FENCE.match(rest)
    if found is None:
        return None
    return (found[1], found[2]) if found[1] else (found[3], found[4])


@dataclass(slots=True)
class Outline:
    """What is open after the text read so far; `line` is the last, unfinished line."""

    fence: Fence | None = None
    items: tuple[Item, ...] = ()
    table: tuple[str, str] | None = None
    head: str | None = None
    paragraph: bool = False
    blank: bool = True
    heading: bool = False
    rows: int = 0
    line: str = ""

    def copy(self) -> Outline:
        return replace(self)

    def read(self, text: str) -> None:
        """Take in the next piece of the text."""
        start = 0
        while (end := text.find("\n", start)) >= 0:
            self._read_line(self.line + text[start:end])
            self.line = ""
            start = end + 1
        if start < len(text):
            self.line += text[start:]

    def ended(self) -> Outline:
        """Return a copy in which the unfinished line counts as read."""
        end = self.copy()
        if end.line:
            end._read_line(end.line)
            end.line = ""
        return end

    @property
    def in_row(self) -> bool:
        """Whether the text stops within a line that may be a row of a table."""
        return (
            bool(self.line.strip())
            and self.fence is None
            and (self.table is not None or "|" in self.line)
        )

    @property
    def expects_delimiter(self) -> bool:
        """Whether the last line would be a table's head if a delimiter row followed."""
        return self.table is None and self.paragraph and self.head is not None and "|" in self.head

    def closing(self) -> str:
        """Return the mark that makes a message whole that ends here: a fence's end, or nothing."""
        end = self.ended()
        if end.fence is None:
            return ""
        return ("\n" if self.line else "") + " " * end.fence.indent + end.fence.marker

    def reopening(self, upcoming: str) -> str:
        """Return the mark with which the next message must begin, `upcoming` following it."""
        if self.line.strip():
            return self._reopen_line()
        if self.line:
            # The indentation has left already, and must stand here again.
            begun = replace(self, line="")
            return begun.reopening(self.line + upcoming) + self.line
        if self.fence is not None:
            opener = " " * self.fence.indent + self.fence.marker + self.fence.info
            return self._ancestors(self.fence.container, opener) + opener + "\n"
        first = upcoming.split("\n", 1)[0]
        if self.table is not None and self._continues_table(first):
            head = self.table[0]
            return self._ancestors(columns(head)[0], head) + "\n".join(self.table) + "\n"
        filled = upcoming.lstrip("\n").split("\n", 1)[0]
        return self._ancestors(columns(filled)[0], filled)

    def _reopen_line(self) -> str:
        end = self.ended()
        if end.fence is not None:
            return end.reopening("") + " " * end.fence.container
        if self.table is not None:
            column = columns(self.table[0])[0]
            return self._ancestors(column, "|") + "\n".join(self.table) + "\n" + " " * column
        return self._ancestors_of(end.items, inline=True)

    def _ancestors(self, column: int, upcoming: str) -> str:
        """Return the lines of the items that contain a line starting at `column`."""
        within = tuple(item for item in self.items if item.content <= column)
        lines = self._ancestors_of(within)
        marker = _MARKER.match(columns(upcoming)[1])
        glued = bool(marker and (not marker[2] or marker[2] == "1")) or bool(
            _opener(columns(upcoming)[1])
        )
        return lines if glued or not lines else lines + "\n"

    @staticmethod
    def _ancestors_of(items: tuple[Item, ...], *, inline: bool = False) -> str:
        lines = []
        for depth, item in enumerate(items):
            # An ordered item interrupts a paragraph only if it is numbered 1.
            apart = depth and item.marker[0].isdigit() and item.marker[:-1] != "1"
            lines.append(("\n" if apart else "") + item.mark)
        if not lines:
            return ""
        return "\n".join(lines) + (" " if inline else "\n")

    def _continues_table(self, line: str) -> bool:
        column, rest = columns(line)
        base = columns(self.table[0])[0] if self.table else 0
        return bool(rest) and column - base < 4 and not self._starts_block(rest)

    @staticmethod
    def _starts_block(rest: str) -> bool:
        return bool(
            _opener(rest) or _HEADING.match(rest) or _RULE.match(rest) or _MARKER.match(rest)
        )

    def _read_line(self, line: str) -> None:
        column, rest = columns(line)
        if self.fence is not None and self._read_fenced(column, rest):
            return
        if not rest:
            self._close_leaf()
            self.blank = True
            return
        self._read_block(column, rest, line)
        self.blank = False

    def _read_fenced(self, column: int, rest: str) -> bool:
        """Read a line inside a fence; False if its item has ended, and the fence with it."""
        fence = self.fence
        assert fence is not None
        if rest and column < fence.container:
            self.fence = None
            self._close_leaf()
            return False
        closes = len(rest) >= len(fence.marker) and not rest.strip(fence.marker[0])
        if closes and column - fence.container < 4:
            self.fence = None
            self._close_leaf()
        self.blank = not rest
        self.rows += 1
        return True

    def _close_leaf(self) -> None:
        self.table = None
        self.head = None
        self.paragraph = False

    def _read_block(self, column: int, rest: str, line: str) -> None:
        depth = sum(item.content <= column for item in self.items)
        base = self.items[depth - 1].content if depth else 0
        if column - base < 4 and self._read_opening(column, rest, depth, base):
            return
        if self.table is not None and self._continues_table(line):
            self.rows += 1
            return
        if self.paragraph:
            self._continue_paragraph(rest, line)
            return
        self.items = self.items[:depth]
        self._close_leaf()
        self.heading = False
        if column - base < 4:
            self.paragraph = True
            self.head = line

    def _continue_paragraph(self, rest: str, line: str) -> None:
        head = self.head
        if head is not None and _DELIMITER.match(rest) and self._is_delimiter(rest):
            self._close_leaf()
            self.table, self.rows = (head, line), 0
        else:
            self.head = line

    def _read_opening(self, column: int, rest: str, depth: int, base: int) -> bool:
        """Read a line that opens a block; False if it opens none."""
        if (opener := _opener(rest)) is not None:
            self._enter(depth)
            self.fence, self.rows = Fence(column, opener[0], opener[1], base), 0
            return True
        if _HEADING.match(rest):
            self._enter(depth)
            self.heading = True
            return True
        if self.paragraph and depth == len(self.items) and _UNDERLINE.match(rest):
            if not self._is_delimiter(rest):
                self._enter(depth)
                self.heading = True
                return True
            return False
        if _RULE.match(rest):
            self._enter(depth)
            return True
        return self._read_item(column, rest, depth)

    def _is_delimiter(self, rest: str) -> bool:
        return self.head is not None and "|" in self.head + rest and cells(self.head) == cells(rest)

    def _read_item(self, column: int, rest: str, depth: int) -> bool:
        found = _MARKER.match(rest)
        if found is None:
            return False
        empty = found.end() == len(rest)
        interrupts = self.paragraph and depth == len(self.items)
        if interrupts and (empty or (found[2] and int(found[2]) != 1)):
            return False
        after, text = columns(rest[found.end(1) :])
        wide = after if not empty and after < 5 else 1
        self._enter(depth)
        content = column + len(found[1]) + wide
        self.items = (*self.items, Item(column, found[1], content))
        if text:
            self._read_block(column + len(found[1]) + after, text, " " * content + text)
        return True

    def _enter(self, depth: int) -> None:
        self.items = self.items[:depth]
        self._close_leaf()
        self.heading = False
