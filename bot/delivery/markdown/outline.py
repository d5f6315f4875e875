"""The block structure of Markdown while it streams: fences, quotations, tables, lists. Pure.

`Outline` reads lines as CommonMark and GitHub's tables do, as far as two things need it. The engine
needs the marks that close a message and reopen the next: which fence, quotation, list item, table
or code span is open. The filter for links needs to know whether a line is code, because code must
not be changed and everything else must be checked.

A block quotation holds an outline of its own for the text behind its `>`, so that code in it is
found by the same rules.
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
_MARKS = re.compile(
    r"(?:[ \t]*(?:>|(?:[-*+]|\d{1,9}[.)])(?=[ \t]|\Z)))*[ \t]*"
    r"(?:`{3,}|~{3,}|#{1,6}(?=[ \t]|\Z))?"
)
"""The marks of quotations and items at a line's beginning, then of a fence or a heading."""
_MAY_DEFINE = re.compile(r"\[[^\]]*(?:\]:|\]?\Z)")
"""The beginning of a text that may define the target of links."""

ELLIPSIS = "…"
"""The mark for the text of a list item that an earlier message holds."""

LONGEST_INFO = 80


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
    """The structure that is open after the text read so far; `line` is the unfinished last line.

    `code`: the last line is code, or the mark of a fence. `after_list`: a list came before that
    some parsers take for open. `quote` is the structure within the open
    quotation, whose marker is at column `quote_column` in the item with content column
    `quote_base`.
    """

    fence: Fence | None = None
    items: tuple[Item, ...] = ()
    table: tuple[str, str] | None = None
    head: str | None = None
    paragraph: bool = False
    blank: bool = True
    heading: bool = False
    rows: int = 0
    line: str = ""
    code: bool = False
    after_list: bool = False
    quote: Outline | None = None
    quote_column: int = 0
    quote_base: int = 0

    def copy(self) -> Outline:
        quote = self.quote.copy() if self.quote is not None else None
        return replace(self, quote=quote)

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

    def is_code(self, lead: str) -> bool:
        """Return whether a line is code that begins with `lead` and goes on with a letter.

        `lead` holds white space and the markers of quotations. A line that opens a fence is none.
        """
        probe = replace(self.copy(), line="")
        probe._read_line(lead + "x")
        return probe.code

    @property
    def open_fence(self) -> Fence | None:
        """The open fence, at any depth of quotations."""
        return self.fence if self.quote is None else self.quote.open_fence

    @property
    def in_table(self) -> bool:
        """Whether the next line may be a row of a table."""
        return self.table is not None or (self.quote is not None and self.quote.in_table)

    @property
    def in_row(self) -> bool:
        """Whether the text stops within a line that may be a row of a table."""
        return (
            bool(self.line.strip())
            and self.open_fence is None
            and (self.in_table or "|" in self.line)
        )

    @property
    def expects_delimiter(self) -> bool:
        """Whether the last line would be a table's head if a delimiter row followed."""
        if self.quote is not None:
            return self.quote.expects_delimiter
        return self.table is None and self.paragraph and self.head is not None and "|" in self.head

    # The marks round a cut

    def closing(self) -> str:
        """Return the marks that make a message whole that ends here.

        They are the end of a fence, or that of a code span.
        """
        end = self.ended()
        mark = end._fence_end()
        if mark:
            return ("\n" if self.line else "") + mark
        ticks = "" if end.code else open_ticks(self.line)
        return (" " if ticks and self.line.endswith("`") else "") + ticks

    def _fence_end(self) -> str:
        if self.quote is not None:
            mark = self.quote._fence_end()
            return " " * self.quote_column + "> " + mark if mark else ""
        return " " * self.fence.indent + self.fence.marker if self.fence is not None else ""

    def reopening(self, upcoming: str) -> str:
        """Return the marks with which the next message must begin, `upcoming` following them."""
        if self.line:
            again = self._to_repeat(upcoming)
            if again is None:
                return self._reopen_line(upcoming)
            begun = replace(self, line="")
            return begun.reopening(self.line + upcoming) + again
        first = upcoming.split("\n", 1)[0]
        if self.quote is not None and (inner := _quoted(first)) is not None:
            return self._reopen_quote(self.quote.reopening(inner))
        if self.fence is not None:
            # A name of a language is short. A long one would take the room of the message.
            info = self.fence.info if len(self.fence.info) <= LONGEST_INFO else ""
            opener = " " * self.fence.indent + self.fence.marker + info
            return self._ancestors(self.fence.container, opener) + opener + "\n"
        if self.head is not None and self._makes_table(first):
            return self._ancestors(columns(self.head)[0], self.head) + self.head + "\n"
        if self.table is not None and self._continues_table(first):
            head = self.table[0]
            return self._ancestors(columns(head)[0], head) + "\n".join(self.table) + "\n"
        filled = upcoming.lstrip("\n").split("\n", 1)[0]
        return self._ancestors(columns(filled)[0], filled)

    def _reopen_quote(self, marks: str) -> str:
        if not marks:
            return ""
        lead = " " * self.quote_column + "> "
        lines = "".join(f"{lead}{line}\n" for line in marks.rstrip("\n").split("\n"))
        return self._ancestors(self.quote_base, lead) + lines

    def _to_repeat(self, upcoming: str) -> str | None:
        """Return what has left of the line and must stand again; None if the rest can go on.

        The rest of a line means something else than in the text if that text did not stand alone:
        behind indentation and markers, within the line of a fence's opening, and within the row of
        dashes below a table's head.
        """
        first = upcoming.split("\n", 1)[0]
        end = self.ended()
        bare = not self.line.strip() or (not end.code and not self.line.strip(" \t>"))
        if bare or self._stops_in_markers(first) or self._makes_table(self.line + first):
            return self.line
        fence = end.open_fence
        if fence is None or self.open_fence is not None:
            return None
        # A name of a language is short. A long one would take the room of the message.
        is_long = len(fence.info) > LONGEST_INFO
        return self.line.rstrip(" \t").removesuffix(fence.info) if is_long else self.line

    def _stops_in_markers(self, rest: str) -> bool:
        """Return whether only marks of blocks have left of the line, so that `rest` needs them."""
        line = self.line + rest
        marks = _MARKS.match(line)
        if marks is None or marks.end() < len(self.line):
            return False
        after = self._innermost_after(rest)
        if after.code:
            return after.fence is not None and self.open_fence is None
        if after.paragraph and after.head is not None:
            # A number that cannot begin a list here is a word of the paragraph.
            return after.head.strip() == line[marks.end() :].strip()
        return True

    def _innermost_after(self, rest: str) -> Outline:
        """Return the structure in the deepest quotation if the line ends with `rest`."""
        probe = replace(self.copy(), line="")
        probe._read_line(self.line + rest)
        while probe.quote is not None:
            probe = probe.quote
        return probe

    def _makes_table(self, line: str) -> bool:
        """Return whether a line makes a table's head of the line before."""
        probe = replace(self.copy(), line="")
        probe._read_line(line)
        return probe.in_table and not self.in_table

    def _reopen_line(self, upcoming: str) -> str:
        end = self.ended()
        lines = end._reopen_within()
        if end.code or end.open_fence is not None:
            return lines
        ticks = open_ticks(self.line)
        if not ticks and self._differs_at_beginning(upcoming):
            return lines + ELLIPSIS
        # A tick that follows the mark directly would make it a longer one.
        return lines + ticks + (" " if ticks and upcoming.startswith("`") else "")

    def _differs_at_beginning(self, upcoming: str) -> bool:
        """Return whether the rest of a line would begin a block, or define a link's target."""
        rest = columns(upcoming)[1]
        return self._starts_block(rest) or _MAY_DEFINE.match(rest) is not None

    def _reopen_within(self) -> str:
        """Return the marks before the rest of a line that was read as ended."""
        if self.quote is not None:
            inner = self.quote._reopen_within()
            *lines, last = inner.split("\n")
            lead = " " * self.quote_column + "> "
            above = self._ancestors(self.quote_base, lead)
            return above + "".join(f"{lead}{line}\n" for line in lines) + lead + last
        if self.fence is not None:
            return self.reopening("") + " " * self.fence.container
        if self.code:
            # Without a blank line it would go on with the paragraph of its item.
            return self._ancestors_of(self.items, apart=True) + " " * (self._content + 4)
        if self.table is not None:
            column = columns(self.table[0])[0]
            return self._ancestors(column, "|") + "\n".join(self.table) + "\n" + " " * column
        return self._ancestors_of(self.items, inline=True)

    @property
    def _content(self) -> int:
        return self.items[-1].content if self.items else 0

    def _ancestors(self, column: int, upcoming: str) -> str:
        """Return the lines of the items that contain a line starting at `column`."""
        within = tuple(item for item in self.items if item.content <= column)
        rest = columns(upcoming)[1]
        marker = _MARKER.match(rest)
        glued = bool(marker and (not marker[2] or marker[2] == "1")) or bool(_opener(rest))
        is_indented = bool(within) and column - within[-1].content >= 4
        return self._ancestors_of(within, apart=is_indented or not glued)

    @staticmethod
    def _ancestors_of(items: tuple[Item, ...], *, inline: bool = False, apart: bool = False) -> str:
        """Return the lines of items, with a blank line behind them if `apart`."""
        lines = []
        for depth, item in enumerate(items):
            # An ordered item interrupts a paragraph only if it is numbered 1.
            blank = depth and item.marker[0].isdigit() and item.marker[:-1] != "1"
            lines.append(("\n" if blank else "") + item.mark)
        if not lines:
            return ""
        return "\n".join(lines) + (" " if inline else "\n\n" if apart else "\n")

    # Reading lines

    def _continues_table(self, line: str) -> bool:
        column, rest = columns(line)
        base = columns(self.table[0])[0] if self.table else 0
        return bool(rest) and column - base < 4 and not self._starts_block(rest)

    @staticmethod
    def _starts_block(rest: str) -> bool:
        return rest.startswith(">") or bool(
            _opener(rest) or _HEADING.match(rest) or _RULE.match(rest) or _MARKER.match(rest)
        )

    def _read_line(self, line: str) -> None:
        column, rest = columns(line)
        if self.fence is not None and self._read_fenced(column, rest):
            return
        self.code = False
        if self.quote is not None and not rest.startswith(">") and self._read_lazy(rest):
            return
        if not rest:
            self._close_leaf()
            self.blank = True
            return
        self._read_block(column, rest, line)
        self.blank = False

    def _read_lazy(self, rest: str) -> bool:
        """Read a line without the mark of the open quotation; False if it ends the quotation."""
        quote = self.quote
        if quote is not None and rest and quote._takes_lazy() and not self._starts_block(rest):
            return True
        self.quote = None
        # Some parsers take an indented line directly behind a quotation for a part of it.
        self.after_list |= bool(rest)
        return False

    def _takes_lazy(self) -> bool:
        return self.quote._takes_lazy() if self.quote is not None else self.paragraph

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
        self.code = True
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
        if self.quote is not None:
            # The mark is indented too far to be one, so the quotation has ended, or goes on lazily.
            if self.quote._takes_lazy():
                return
            self.quote, self.after_list = None, True
        if self.table is not None and self._continues_table(line):
            self.rows += 1
            return
        if self.paragraph:
            self._continue_paragraph(rest, line)
            return
        # Parsers do not agree whether an indented line is code that follows a table, or a list that
        # no blank line has ended.
        doubtful = self.table is not None or (self.after_list and not depth)
        if self.items and not depth:
            doubtful = self.after_list = not self.blank or column >= 4
        elif self.blank and column < 4:
            self.after_list = False
        self.items = self.items[:depth]
        self._close_leaf()
        self.heading = False
        if column - base < 4:
            self.paragraph = True
            self.head = line
        else:
            self.code = not doubtful
            self.after_list |= doubtful

    def _continue_paragraph(self, rest: str, line: str) -> None:
        head = self.head
        if head is not None and _DELIMITER.match(rest) and self._is_delimiter(rest):
            self._close_leaf()
            self.table, self.rows = (head, line), 0
        else:
            self.head = line

    def _read_opening(self, column: int, rest: str, depth: int, base: int) -> bool:
        """Read a line that opens a block; False if it opens none."""
        if rest.startswith(">"):
            self._read_quoted(column, rest, depth, base)
            return True
        if (opener := _opener(rest)) is not None:
            self._enter(depth)
            self.fence, self.rows = Fence(column, opener[0], opener[1], base), 0
            self.code = True
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

    def _read_quoted(self, column: int, rest: str, depth: int, base: int) -> None:
        quote = self.quote if self.quote_base == base else None
        self._enter(depth)
        self.quote = quote or Outline()
        self.quote_column, self.quote_base = column, base
        self.quote._read_line(_behind_mark(rest, column))
        self.code = self.quote.code

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
        self.quote = None


def _behind_mark(rest: str, column: int) -> str:
    """Return the line behind the mark of a quotation at `column`; tabs keep their width."""
    text = rest[1:].lstrip(" \t")
    white = rest[1 : len(rest) - len(text)]
    width = len((" " * (column + 1) + white).expandtabs(4)) - column - 1
    return " " * (width - 1) + text


def _quoted(line: str) -> str | None:
    """Return what stands behind the mark of a quotation; None if the line has none."""
    rest = line.lstrip(" \t")
    return rest[1:].removeprefix(" ") if rest.startswith(">") else None


def code_spans(line: str) -> list[tuple[int, int, int]]:
    """Return every code span of a line: its beginning, its end, and the number of its ticks.

    A span that is not closed in the line ends with the line.
    """
    spans, at = [], 0
    while at < len(line):
        if line[at] == "\\":
            at += 2
            continue
        if line[at] != "`":
            at += 1
            continue
        begin, at = at, _run_end(line, at)
        close = _closing_ticks(line, at, at - begin)
        end = close + at - begin if close >= 0 else len(line)
        spans.append((begin, end, at - begin))
        at = end
    return spans


def _run_end(line: str, at: int) -> int:
    while at < len(line) and line[at] == "`":
        at += 1
    return at


def _closing_ticks(line: str, at: int, size: int) -> int:
    while (at := line.find("`", at)) >= 0:
        end = _run_end(line, at)
        if end - at == size:
            return at
        at = end
    return -1


def open_ticks(line: str) -> str:
    """Return the ticks of the code span in which a line stops; empty if it stops in none."""
    spans = code_spans(line) if "`" in line else []
    if not spans or spans[-1][1] < len(line):
        return ""
    begin, end, size = spans[-1]
    closed = end - begin > 2 * size and _closing_ticks(line, begin + size, size) == end - size
    return "" if closed else "`" * size
