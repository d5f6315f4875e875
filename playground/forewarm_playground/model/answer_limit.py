"""Limit of a small model's answer: about 120 words, and no run of words twice.

A model of 135 million parameters often repeats itself until its tokens are used up. The limit is
applied while the answer streams, and delays words only while they repeat earlier ones.

State: the words so far, normalised, and the words that are withheld. After each word the longest
suffix that also stands earlier in the answer is known, and its words are withheld. If it reaches
`REPEATED` words, they are discarded and the answer ends. If it becomes shorter, the words before it
are released. A word of more than `LONGEST_WORD` characters ends the answer before it.
"""

from __future__ import annotations

import re

WORDS = 120
"""From this many words on, the answer ends with its sentence."""
MOST_WORDS = 150
"""An answer of one long sentence ends here."""
REPEATED = 8
"""An answer that repeats so many words in a row ends before them."""
LONGEST_WORD = 80
"""A run of so many characters without a space is no word: a small model repeats within it."""
_WORD = re.compile(r"\s*\S+\s+")
_SENTENCE_END = re.compile(r"[.!?:][\"')*_`]*\s*$|\n\s*$")


class AnswerLimit:
    """Filters the text of one answer. `ended` tells that nothing more is wanted."""

    def __init__(self, words: int = WORDS, most_words: int = MOST_WORDS) -> None:
        self.ended = False
        self._most = words, most_words
        self._words: list[str] = []
        self._partial = ""
        self._withheld: list[str] = []
        self._shown = ""

    def feed(self, text: str) -> str:
        """Return what may be shown after the next piece of the answer."""
        if self.ended:
            return ""
        self._partial += text
        shown = ""
        while found := _WORD.match(self._partial):
            self._partial = self._partial[found.end() :]
            shown += self._take(found[0])
            if self.ended:
                break
        if len(self._partial.strip()) > LONGEST_WORD:
            self.ended = True
        self._shown += shown
        return shown

    def finish(self) -> str:
        """Return the rest, when the model ended by itself or the limit ended the answer."""
        rest = ""
        if not self.ended:
            rest = self._take(self._partial) if self._partial.strip() else self._partial
            if not self.ended:
                rest += "".join(self._withheld)
        cut, self.ended = self.ended, True
        self._shown += rest
        return rest + (self._closing() if cut else "")

    def _take(self, word: str) -> str:
        """Return what may be shown after one more word, its white space included."""
        self._words.append(re.sub(r"\W+", "", word).lower() or word.strip())
        repeated = _repeated(self._words)
        if repeated >= REPEATED or len(word.strip()) > LONGEST_WORD:
            self.ended = True
            return ""
        pieces = [*self._withheld, word]
        free = len(pieces) - repeated
        count = len(self._words)
        usual, most = self._most
        if count >= most or (count >= usual and _SENTENCE_END.search(word)):
            self.ended, free = True, len(pieces)
        self._withheld = pieces[free:]
        return "".join(pieces[:free])

    def _closing(self) -> str:
        """Return what completes a text that was cut: an ellipsis, and the end of a fence."""
        text = self._shown
        whole = not text or _SENTENCE_END.search(text) or text.endswith("```")
        gap = "" if text[-1:].isspace() else " "
        return ("" if whole else gap + "…") + ("\n```" if text.count("```") % 2 else "")


def _repeated(words: list[str]) -> int:
    """Return the length of the longest suffix, up to `REPEATED`, that also ends earlier."""
    longest = 0
    for end in range(len(words) - 1, 0, -1):
        length = 0
        while length < min(end, REPEATED) and words[end - 1 - length] == words[-1 - length]:
            length += 1
        longest = max(longest, length)
    return longest
