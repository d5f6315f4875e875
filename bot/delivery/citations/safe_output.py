"""The last step before the screen: concatenated pieces never form a link. Pure.

Only `link` writes `](`, and addresses leave in code or in links alone. Prose is checked character
by character together with the characters before it, so that the result does not depend on the
pieces in which it comes: a space is put into each sequence from which a parser could make a link.
Code is written byte for byte, with one exception: in a row of a table a bare `|` would end the cell
and the code in it, so it gets the backslash that tables want there.
"""

from __future__ import annotations

import re

from bot.delivery.markdown.outline import Outline

TICK = "\u02cb"
"""Looks like a backtick and opens no code."""

_BORN_LIVE = re.compile(r":\\?/\\?/|www\\?\.|\]\(|\]:|~~", re.IGNORECASE)
_LABEL_LEAD = re.compile(r"[ \t>]*(?:(?:[-*+]|\d{1,9}[.)])[ \t>]+)*\Z")
_ROW_LEAD = re.compile(r"[ \t>]*\|")
_DELIMITER = re.compile(r"[ \t>]*[|:-][|: \t-]*\|[|: \t-]*\Z")
_BARE_PIPE = re.compile(r"(?<!\\)\|")
_SEAM = 4


class SafeMarkdownWriter:
    """Collects the text that may be shown, and knows the structure of all that has left.

    `written` counts the characters that have left. `head_has_pipe`: the line before this one holds
    a bare pipe in code, so it must not become the head of a table.
    """

    def __init__(self) -> None:
        self.outline = Outline()
        self.written = 0
        self.head_has_pipe = False
        self._pipe_in_code = False
        self._table_like = False
        self._pieces: list[str] = []
        self._tail = "\n"

    @property
    def last(self) -> str:
        """The last character that has left."""
        return self._tail[-1:]

    @property
    def within_word(self) -> bool:
        """Whether the text that has left ends within a word or a path."""
        return self.last.isalnum() or self.last in ("/", ".", "_", "-")

    def take_text(self) -> str:
        """Return the text collected since the last time."""
        text = "".join(self._pieces)
        self._pieces.clear()
        return text

    def text(self, text: str) -> None:
        """Write prose: a space parts each sequence that could be a link."""
        joined = self._tail + text
        start = done = len(self._tail)
        for found in _BORN_LIVE.finditer(joined):
            last = found.end() - 1
            if last < start or (found[0] == "]:" and not self._defines(joined, found.start())):
                continue
            self.raw(joined[done:last] + " ")
            done = last
        self.raw(joined[done:])

    def _defines(self, joined: str, bracket: int) -> bool:
        """Return whether a colon behind this bracket would define the target of a link."""
        line = joined[len(self._tail) : bracket].rpartition("\n")
        before = line[2] if line[1] else self.outline.line + line[2]
        label, opened, _ = before.partition("[")
        # Without an opening bracket the label has begun in a line above.
        return not opened or _LABEL_LEAD.match(label) is not None

    def raw(self, text: str) -> None:
        """Write text as it is."""
        if text:
            self._pieces.append(text)
            self.outline.read(text)
            self.written += len(text)
            self._tail = (self._tail + text)[-_SEAM:]

    def newline(self) -> None:
        line = self.outline.line
        self.raw("\n")
        # Some parsers begin a table although the numbers of cells differ.
        self._table_like = _DELIMITER.match(line) is not None or (
            self._table_like and bool(line.strip())
        )
        self.head_has_pipe, self._pipe_in_code = self._pipe_in_code, False

    def link(self, label: str, url: str) -> None:
        """Write a link whose label and address have been made safe."""
        self._separate("!", "\\")
        self.raw(f"[{label}]({url})")

    def begin_code(self, ticks: str) -> None:
        self._separate("`", "\\")
        self.raw(ticks)

    def _separate(self, *signs: str) -> None:
        """Write a space if the last character would change the meaning of the next."""
        if self.last in signs:
            self.raw(" ")

    def in_code(self, text: str) -> None:
        """Write a part of a code span."""
        if text.startswith("`"):
            self._separate("`")
        if "|" in text:
            text = self._in_cell(text)
        self.raw(text)

    def _in_cell(self, text: str) -> str:
        in_table = self.outline.in_table or self._table_like
        if not (in_table or _ROW_LEAD.match(self.outline.line)):
            self._pipe_in_code = True
            return text
        lead = "\\" if self.last == "\\" else ""
        return _BARE_PIPE.sub(r"\\|", lead + text)[len(lead) :]

    def end_code(self, ticks: str) -> None:
        self._separate("`")
        self.raw(ticks)

    def code(self, ticks: str, content: str) -> None:
        """Write a whole code span."""
        if not content.strip():
            self.text(TICK * len(ticks) + content)
            return
        self.begin_code(ticks)
        self.in_code(content)
        self.end_code(ticks)

    def address(self, url: str) -> None:
        """Show an address as code: to be read, not to be followed."""
        self.begin_code("`")
        self.part_of_address(url or " ")
        self.raw("`")

    def part_of_address(self, text: str) -> None:
        """Write a part of an address within code."""
        self.raw(readable(text))

    def opens_fence(self, line: str) -> bool:
        """Return whether a fence begins here, if the line goes on like this."""
        after = self.outline.copy()
        after.read(line + "\n")
        return after.open_fence is not None


def readable(url: str) -> str:
    """Return an address that can stand in code, in a table too."""
    return "".join(c for c in url if c.isprintable() and c != "`").replace("|", "%7C")
