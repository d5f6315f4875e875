"""End a reply when the model begins to write the next question itself, as small models do. Pure.

A stop sequence of the API would do the same within a fence too: an answer that quotes such a tag
would end in the middle of its code.
"""

from __future__ import annotations

from bot.answer.thread.prompt import NEXT_TURN
from bot.delivery.markdown.outline import Outline


class NextTurn:
    """Reads a reply in pieces. `found`: the next turn has begun, so the reply is over."""

    def __init__(self) -> None:
        self.found = False
        self._outline = Outline()
        self._held = ""

    def feed(self, text: str) -> str:
        """Return the text that belongs to the reply; a tail that may be a tag waits."""
        text, self._held = self._held + text, ""
        at = 0
        while (place := text.find(NEXT_TURN, at)) >= 0:
            line = place + 1
            self._outline.read(text[at:line])
            if not self._outline.is_code(""):
                self.found = True
                return text[:place]
            at = line
        kept = len(text) - _open_tag(text)
        self._outline.read(text[at:kept])
        self._held = text[kept:]
        return text[:kept]

    def end(self) -> str:
        """Return the text that still waits: the reply has ended by itself."""
        held, self._held = self._held, ""
        return held


def _open_tag(text: str) -> int:
    """Return how many characters at the end of a text may be the beginning of a tag."""
    for length in range(min(len(NEXT_TURN) - 1, len(text)), 0, -1):
        if text.endswith(NEXT_TURN[:length]):
            return length
    return 0
