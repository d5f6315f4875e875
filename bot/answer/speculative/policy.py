"""Answers before Enter: when a draft in the ask-modal is worth a hidden answer. Pure.

An answer begun on a draft is wasted unless the draft is submitted as it stands. So it is begun
only when typing has paused on what reads as a whole question, and when the wait that it is likely
to save is worth more than the money that it is likely to waste.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

ENDED_PAUSE = 0.15
"""Seconds without a key after which a draft that ends like a sentence counts as paused."""
SHORTEST_PAUSE, LONGEST_PAUSE = 0.2, 0.8
"""Bounds of that pause for any other draft; between them it follows the typist's own rhythm."""
RHYTHMS = 1.5
LONGEST_GAP = 2.0
MOST_STARTS = 3
"""Answers begun on drafts of one modal: a user who goes on typing gets no further one."""
FEWEST_WORDS = 3
ANSWER_TOKENS = 600
"""Expected length of an answer in tokens, for its price."""

_UNFINISHED = re.compile(
    r"(?:[,;:(\[{/\\\u2013\u2014-]|\b(?:a|an|and|are|as|at|because|but|by|do|does|for|from|how|if|in|into|is|"
    r"of|on|or|that|the|then|to|what|when|where|which|who|why|with))\s*\Z",
    re.IGNORECASE,
)
_QUOTES = "\"'\u2018\u2019\u201c\u201d"
_OPENS = _QUOTES + "\u00a1\u00bf"
_CLOSES = _QUOTES + ".,;:?!\u2026"

Step = Literal["wait", "begin", "nothing"]


def reads_as_question(text: str) -> bool:
    """Tell whether a draft may be whole: some words, and not broken off in mid-sentence."""
    words = text.split()
    return len(words) >= FEWEST_WORDS and not _UNFINISHED.search(text)


def same(draft: str, submitted: str) -> bool:
    """Tell whether two texts ask the same, white space and punctuation of sentences aside.

    Only marks around words are set aside: within code, as in `a != b` or `f()`, they have meaning.
    """
    return _split_words(draft) == _split_words(submitted)


def _split_words(text: str) -> list[str]:
    bare = (_bare(word) for word in unicodedata.normalize("NFC", text).split())
    return [word for word in bare if word]


def _bare(word: str) -> str:
    if not any(character.isalnum() for character in word):
        return "" if all(character in _CLOSES for character in word) else word
    # A parenthesis that has its partner in the same word belongs to code: `f()`.
    opens = _OPENS + ("(" if ")" not in word else "")
    closes = _CLOSES + (")" if "(" not in word else "")
    return word.lstrip(opens).rstrip(closes)


@dataclass(frozen=True, slots=True)
class Odds:
    """How often drafts were submitted as they stood, in one context."""

    kept: int = 0
    dropped: int = 0

    @property
    def keeping(self) -> float:
        """The chance that the next one is: a third, until experience says otherwise."""
        return (self.kept + 1) / (self.kept + self.dropped + 3)

    def after(self, kept: bool) -> Odds:
        """Return the odds with one more draft; old ones fade, since habits change."""
        fade = self.kept + self.dropped >= 40
        before = Odds(self.kept // 2, self.dropped // 2) if fade else self
        return Odds(before.kept + kept, before.dropped + (not kept))


def is_worth(odds: Odds, seconds: float, wait_cost_per_hour: float, usd: float) -> bool:
    """Tell whether an answer on a draft pays.

    `seconds` is the wait that it saves if the draft is kept, `usd` what it costs; kept, it costs
    nothing, since the question would have.
    """
    gain = odds.keeping * seconds * wait_cost_per_hour / 3600
    return gain > (1 - odds.keeping) * usd


@dataclass(slots=True)
class Draft:
    """The state of one modal. Times are seconds of one clock.

    `order` is Slack's `action_ts`: key events may overtake each other. `gap` is the typist's usual
    time between two of them.
    """

    text: str = ""
    typed_at: float | None = None
    gap: float = 0.3
    order: str = ""
    starts: int = 0
    begun_on: str | None = None

    def typed(self, text: str, order: str, now: float) -> bool:
        """Take a key event; tell whether it changed what is asked."""
        if order and order < self.order:
            return False
        if self.typed_at is not None and now - self.typed_at < LONGEST_GAP:
            self.gap += (now - self.typed_at - self.gap) / 4
        self.order, self.typed_at = order, now
        changed = not same(text, self.text)
        self.text = text
        return changed

    @property
    def due(self) -> float:
        """When the draft counts as paused, unless another key comes."""
        ended = self.text.rstrip().endswith((".", "?", "!", "\u2026"))
        rhythm = min(max(RHYTHMS * self.gap, SHORTEST_PAUSE), LONGEST_PAUSE)
        return (self.typed_at or 0.0) + (ENDED_PAUSE if ended else rhythm)

    def step(self, now: float) -> Step:
        """Say what to do now, the worth of it aside."""
        if self.starts >= MOST_STARTS or not reads_as_question(self.text):
            return "nothing"
        if self.begun_on is not None and same(self.begun_on, self.text):
            return "nothing"
        return "begin" if now >= self.due else "wait"

    def begin(self) -> None:
        self.starts += 1
        self.begun_on = self.text
