"""Find the places at which a text may be cut so that both messages are whole. Pure.

Every line's end is a place to cut, some better than others; within a line the places are the
spaces outside code spans and links, and in need any character that splits no entity.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from bot.delivery.markdown.escape import escaped_size, settled_length
from bot.delivery.markdown.outline import Outline, code_spans, columns

BLOCK = 3.0
"""The least score of a cut between two blocks, as against one inside a fence, table or list."""
ITEM = 2.0
"""The least score of a cut between two items of a list."""
LINE = 1.0
"""The least score of a cut that splits no paragraph and parts no heading from its text."""

_ITEM = re.compile(r"(?:[-*+]|\d{1,9}[.)])(?:[ \t]|\Z)")
_LINK = re.compile(r"!?\[[^\]\n]*\]\([^)\n]*\)")
_LOOK_BACK = 400
"""Characters before the last possible place within which a better one is looked for."""
_ENTITY = re.compile(r"&[#A-Za-z0-9]{1,31};")
_JOINERS = "\u200c\u200d\ufe0e\ufe0f"
_JOINED_VOWELS = "\u0e33\u0eb3"
"""Vowels of Thai and Lao that are letters to Unicode, and one character to readers."""
_VIRAMA = 9
"""The combining class of the sign that joins the next consonant."""


@dataclass(frozen=True, slots=True)
class SplitPoint:
    """A place in a text: how many characters come before it, how good it is, what is open there."""

    length: int
    score: float
    size: int
    outline: Outline


def score(outline: Outline, following: str | None) -> float:
    """Grade a cut at a line's end; `following` is what is known of the next line, or None.

    0 or less: only if no other cut is left.
    """
    if outline.expects_delimiter and not (following or "").strip("|:- \t"):
        return -1.0
    if outline.quote is not None:
        return score(outline.quote, None)
    if outline.fence is not None:
        return 0.5 if not outline.rows else 1.5 if outline.blank else 1.2
    if outline.table is not None:
        return 1.2 if outline.rows else -1.0
    if outline.heading:
        return 0.3
    if outline.items:
        return _score_in_list(outline, following)
    if outline.blank:
        return 4.0
    return 0.6 if outline.paragraph else 3.5


def _score_in_list(outline: Outline, following: str | None) -> float:
    if following is None:
        return 1.0 if outline.blank else 0.6
    column, rest = columns(following)
    if rest and column == outline.items[0].indent and _ITEM.match(rest):
        return 3.0
    if outline.blank and rest and column < outline.items[0].content:
        return 4.0
    if rest and _ITEM.match(rest):
        return 2.0
    return 1.0 if outline.blank else 0.6


def line_cuts(outline: Outline, text: str) -> Iterator[SplitPoint]:
    """Yield the cut at each line's end of `text`, which follows what `outline` has read."""
    here = outline.copy()
    start, size = 0, 0
    while (end := text.find("\n", start)) >= 0:
        piece = text[start : end + 1]
        here.read(piece)
        size += escaped_size(piece)
        start = end + 1
        stop = text.find("\n", start)
        following = text[start:stop] if stop >= 0 else (text[start:] or None)
        yield SplitPoint(start, score(here, following), size, here.copy())


def best_cut(
    outline: Outline, text: str, room: int, least: int, beyond: int = 0
) -> SplitPoint | None:
    """Return the best cut whose bytes, closing mark included, fit into `room`; None if none is.

    It lies more than `beyond` characters into the text. Among the cuts of at least `least` bytes
    the best score wins, then the later one. Without one it is the latest that is no worse than a
    line's end.
    """
    best: SplitPoint | None = None
    early: SplitPoint | None = None
    for cut in line_cuts(outline, text):
        if cut.size > room:
            break
        if cut.length <= beyond or cut.size + escaped_size(cut.outline.closing()) > room:
            continue
        if cut.size >= least and (best is None or cut.score >= best.score):
            best = cut
        elif cut.size < least and cut.score >= LINE:
            early = cut
    if best is not None and best.score > 0:
        return best
    return early or cut_within(outline, text, room) or best


def cut_within(outline: Outline, text: str, room: int) -> SplitPoint | None:
    """Return the last cut between two words, else between two characters; None if none fits."""
    length = _fitting(text, room - escaped_size(outline.closing()) - 1)
    while length > 0:
        fenced = outline.open_fence is not None
        place = _character_end(text, length) if fenced else _word_end(outline, text, length)
        after = outline.copy()
        after.read(text[:place])
        size = escaped_size(text[:place])
        if place and size + escaped_size(after.closing()) <= room:
            return SplitPoint(place, 0.0, size, after)
        length = min(length, place) - 8
    return None


def _fitting(text: str, room: int) -> int:
    """Return the most characters of `text` whose escaped bytes fit into `room`."""
    low, high = 0, min(len(text), max(room, 0))
    while low < high:
        middle = (low + high + 1) // 2
        if escaped_size(text[:middle]) <= room:
            low = middle
        else:
            high = middle - 1
    return low


def _word_end(outline: Outline, text: str, most: int) -> int:
    """Return the last place up to `most` between two words outside of code and links.

    If a code span is too long for that, it is cut too: its marks are closed and opened again.
    """
    if most >= len(text):
        return _character_end(text, most)
    start = text.rfind("\n", 0, most) + 1
    end = text.find("\n", most)
    # The span may have begun in the part of the line that is shown already.
    head = outline.line if start == 0 else ""
    line = head + text[start : end if end >= 0 else len(text)]
    shift, code = start - len(head), code_spans(line)
    links = [found.span() for found in _LINK.finditer(line)]
    place, least = most - shift, len(head)
    for low, high in [*((low, high) for low, high, _ in code), *links]:
        if low < place < high and low > max(least, place - _LOOK_BACK):
            place = low
    if any(low < place < high and low == least for low, high in links):
        # Half a link would be an address of its own; it goes into the next message as a whole.
        return start
    closed = [*((low, high) for low, high, _ in code), *links]
    for at in range(place, max(place - _LOOK_BACK, least), -1):
        if line[at - 1] == " " and not any(low < at < high for low, high in closed):
            return shift + at
    return _beside_ticks(text, _character_end(text, shift + place if place > least else most))


def _beside_ticks(text: str, place: int) -> int:
    """Return the last place up to `place` that touches no tick: two runs would become one.

    It is 0 if the text begins with ticks that reach up to `place`.
    """
    at = place
    while 0 < at < len(text) and "`" in text[at - 1 : at + 1]:
        at -= 1
    return at


def _character_end(text: str, most: int) -> int:
    """Return the last place up to `most` that splits neither an entity nor a visible character."""
    place = most
    for found in _ENTITY.finditer(text, max(0, most - 33), min(len(text), most + 33)):
        if found.start() < place < found.end():
            place = found.start()
    if place == len(text):
        place = settled_length(text)
    while 0 < place < len(text) and most - place < 64 and _joins(text, place):
        place -= 1
    return place


def _joins(text: str, at: int) -> bool:
    """Return whether the character at `at` is shown as one with that before it."""
    before, sign = text[at - 1], text[at]
    if sign.isascii():
        return False
    if sign in _JOINERS or before == "\u200d" or unicodedata.category(sign) in ("Mn", "Mc", "Me"):
        return True
    if unicodedata.combining(before) == _VIRAMA or sign in _JOINED_VOWELS or _is_tone(sign):
        return True
    if _is_flag_letter(sign):
        return _flag_letters_before(text, at) % 2 == 1
    return "\u1160" <= sign <= "\u11ff" and "\u1100" <= before <= "\u11ff"


def _is_tone(sign: str) -> bool:
    """Return whether a sign gives the emoji before it a colour of skin."""
    return "\U0001f3fb" <= sign <= "\U0001f3ff"


def _is_flag_letter(sign: str) -> bool:
    return "\U0001f1e6" <= sign <= "\U0001f1ff"


def _flag_letters_before(text: str, at: int) -> int:
    begin = at
    while begin and _is_flag_letter(text[begin - 1]):
        begin -= 1
    return at - begin
