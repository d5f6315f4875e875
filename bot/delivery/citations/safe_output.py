"""The way out for checked text: at no seam between two pieces can a link come alive. Pure.

Nothing but `link` writes `](`, and addresses leave in code or in links alone. What would come alive
where two pieces meet is parted by a space, what would within a piece by a space of no width.
"""

from __future__ import annotations

import re

from bot.delivery.markdown.outline import Outline

TICK = "\u02cb"
"""Looks like a backtick and opens no code."""

_BORN_LIVE = re.compile(r"://|www\.|\]\(", re.IGNORECASE)
_LABEL_LEAD = re.compile(r"[ \t]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)*\Z")
_SEAM = 4


class SafeMarkdownWriter:
    """Collects what may be shown, and knows the structure of all that has left.

    `written` counts the characters that have left.
    """

    def __init__(self) -> None:
        self.outline = Outline()
        self.written = 0
        self._pieces: list[str] = []
        self._tail = "\n"
        self._label_leads = False

    def __repr__(self) -> str:
        return f"<SafeMarkdownWriter after {self.written} characters>"

    @property
    def within_word(self) -> bool:
        """Whether what has left ends within a word or a path."""
        return self._tail[-1:].isalnum() or self._tail[-1:] in ("/", ".", "_", "-")

    def taken(self) -> str:
        """Return what has been collected since the last time."""
        text = "".join(self._pieces)
        self._pieces.clear()
        return text

    def text(self, text: str) -> None:
        """Let out prose: whatever in it might be a link is disarmed."""
        disarmed = _BORN_LIVE.sub(lambda found: f"{found[0][:1]}\u200b{found[0][1:]}", text)
        self._join(disarmed)

    def raw(self, text: str) -> None:
        """Let out what stands in code."""
        if text:
            self._pieces.append(text)
            self.outline.read(text)
            self.written += len(text)
            self._tail = (self._tail + text)[-_SEAM:]

    def newline(self) -> None:
        self.raw("\n")
        self._label_leads = False

    def bracket(self, text: str) -> None:
        """Let out a bracket that opens no link."""
        self._label_leads |= _LABEL_LEAD.match(self.outline.line) is not None
        self.text(text)

    def link(self, label: str, url: str) -> None:
        """Let out a link; label and address have been made safe."""
        self._join(f"[{label}]({url})")

    def begin_code(self, ticks: str) -> None:
        self._join((" " if self._tail.endswith("`") else "") + ticks)

    def in_code(self, text: str) -> None:
        """Let out a part of a code span whose end is not known yet."""
        parted = text.startswith("`") and self._tail.endswith("`")
        self.text(" " + text if parted else text)

    def end_code(self, ticks: str) -> None:
        self.raw((" " if self._tail.endswith("`") else "") + ticks)

    def code(self, ticks: str, content: str) -> None:
        """Let out a whole code span."""
        if not content.strip():
            self.text(TICK * len(ticks) + content)
            return
        self.begin_code(ticks)
        # A pipe may end a table's cell, and the code in it; other runs Slack may not know.
        if len(ticks) == 1 and "|" not in content:
            self.raw(content)
        else:
            self.text(content)
        self.end_code(ticks)

    def address(self, url: str) -> None:
        """Show an address as code: to be read, not to be followed."""
        self.begin_code("`")
        self.part_of_address(url or " ")
        self.raw("`")

    def part_of_address(self, text: str) -> None:
        """Let out an address within code. Behind a pipe that code may end with a table's cell."""
        if "|" in self.outline.line:
            self.text(readable(text))
        else:
            self.raw(readable(text))

    def opens_fence(self, line: str) -> bool:
        """Whether a fence begins here, if the line goes on like this."""
        after = self.outline.copy()
        after.read(line + "\n")
        return after.fence is not None

    def _join(self, text: str) -> None:
        if not text:
            return
        lives = _BORN_LIVE.search(self._tail + text[:_SEAM])
        crosses = lives is not None and lives.start() < len(self._tail) < lives.end()
        image = text.startswith("[") and self._tail.endswith("!")
        defines = self._label_leads and text.startswith(":") and self._tail.endswith("]")
        self.raw(" " + text if crosses or image or defines else text)


def readable(url: str) -> str:
    """Return an address that can stand in code, in a table too."""
    return "".join(c for c in url if c.isprintable() and c != "`").replace("|", "%7C")
