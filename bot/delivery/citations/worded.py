"""Recognises lines that are said in words before or behind a path. Pure.

`lines 5-8 of src/a.py`, `src/a.py` (lines 5, 9 and 12), `src/a.py`: line 5, `src/a.py`:5, and all
of it in one piece of code or in none. A form is a sequence of stages, each with the texts that may
stand there. So one table says what is a citation, and what may still become one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from bot.delivery.citations.citation import LONGEST, Citation, Paths
from bot.delivery.citations.line_words import LINE_WORDS

Ranges: TypeAlias = tuple[tuple[int, int], ...]
Stages: TypeAlias = tuple[tuple[str, ...], ...]

_NEAR = 80
"""Characters before a path in which its lines are looked for, and behind it."""
_FLAT = str.maketrans("\n\t\u00a0\u202f\u3000", " " * 5)
_DASHES = "-\u2010\u2011\u2012\u2013\u2014\u2212\u301c\uff5e~"
_FOREIGN = tuple(w for w in (*LINE_WORDS.to, *LINE_WORDS.and_) if not w.isascii())
"""Words that may stand between numbers without blanks."""


def _any_of(words: Iterable[str]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


def _spaced(words: Iterable[str]) -> tuple[str, ...]:
    """Return words that a number may follow with a blank or without."""
    return tuple(word + blank for word in words for blank in (" ", ""))


_AGAIN = rf"(?:(?:{_any_of((*LINE_WORDS.line, *LINE_WORDS.lines))}) |\u7b2c ?)?"
"""The word for a line may stand before the last number as well: "line 5 to line 8"."""
_NUMBER = re.compile(r"L?(\d{1,7})", re.IGNORECASE)
_UNTIL = re.compile(
    rf"(?: ?(?:[{_DASHES}]|\.\.\.?|\u2026) ?| (?:{_any_of(LINE_WORDS.to)}) "
    rf"| ?(?:{_any_of((*LINE_WORDS.ordinal, *LINE_WORDS.counter))})?(?:{_any_of(_FOREIGN)}) ?)"
    rf"{_AGAIN}(?=L?\d)",
    re.IGNORECASE,
)
_AND = re.compile(
    rf"(?: ?[,;\u3001\uff0c] ?(?:(?:{_any_of(LINE_WORDS.and_)}) )?"
    rf"| (?:{_any_of(LINE_WORDS.and_)}) |{_any_of(_FOREIGN)})(?=L?\d)",
    re.IGNORECASE,
)
_SEPARATORS = tuple(
    separator + letter
    for separator in (
        *(
            f"{before}{sign}{behind}"
            for sign in (*_DASHES, "..", "...", "\u2026", *",;\u3001\uff0c")
            for before in ("", " ")
            for behind in ("", " ")
        ),
        *(f" {word} " for word in (*LINE_WORDS.to, *LINE_WORDS.and_)),
        *(f",{blank}{word} " for blank in ("", " ") for word in LINE_WORDS.and_),
        *_FOREIGN,
        *(f"{one}{word}" for one in LINE_WORDS.ordinal for word in _FOREIGN),
        *(f"{one}{word}" for one in LINE_WORDS.counter for word in _FOREIGN),
        *(f" {to} {word} " for to in LINE_WORDS.to for word in LINE_WORDS.line),
    )
    for letter in ("", "l", "\u7b2c")
)
_GOES_ON = re.compile(r"[A-Za-z0-9_]|[:.-]\d|,? respectively\b")
_COUNTS = re.compile(r" ?[^\W\d_]| ?[%\u2030\u20ac$\u00b0\u00d7+/]")
"""The text behind a number that says what it counts."""

_CLOSINGS = {"(": ")", "[": "]", "\uff08": "\uff09", "\u3010": "\u3011"}
_OPENINGS = ("", *_CLOSINGS)
_BOLD = ("", "**", "*", "_", "__")
_LEAD: Stages = (("", *"*_\"')]\u201d\u2019\u00bb\u300d"),) * 3
"""The ends of emphasis and quotation marks behind a path."""
_LINKS = (
    *("", " ", ",", ", ", ":", ": ", " - ", " \u2013 ", " \u2014 ", " \u2192 ", " | "),
    *(" @ ", " \u00b7 ", "s ", "@"),
    *("\u3001", "\uff0c", "\uff1a", "\u306e", "\u306e ", " \u306e", " \u306e "),
    *("\u7684", "\u7684 ", " \u7684", " \u7684 ", "\uc758 "),
)
"""Texts between a path and the words."""
_AT = ("", *(f"{word} " for word in LINE_WORDS.at))
_ABOUT = ("", *_spaced(LINE_WORDS.about))
_SIGNS = ("", "~", "\u2248", "`", "**", "*")
_ORDINALS = tuple(blank + one for one in LINE_WORDS.ordinal for blank in ("", " "))
_COUNTERS = tuple(blank + one for one in LINE_WORDS.counter for blank in ("", " "))
_PLACES = (*_ORDINALS, *_COUNTERS)
_BEFORE_PLACES = ("\u7b2c", "\u7b2c ")


@dataclass(frozen=True, slots=True)
class _Lines:
    """Lines that are said behind a path.

    `end` is where they end. `grows` means that more text could change them; `ranges` is empty if
    they are not complete.
    """

    ranges: Ranges
    end: int
    grows: bool


_NOTHING = _Lines((), 0, False)


class _Form:
    """One way to say lines behind a path.

    `many` allows several ranges. One of the texts in `needs` must follow. `is_range` refuses lines
    that are no range: one number could count anything. `is_closed` asks for the closing bracket,
    `ends` for the end of the statement.
    """

    def __init__(
        self,
        *stages: tuple[str, ...],
        many: bool = True,
        needs: tuple[str, ...] = (),
        is_range: bool = False,
        is_closed: bool = False,
        ends: bool = False,
    ) -> None:
        self._stages = tuple(_by_first_letter(stage) for stage in stages)
        self._many, self._needs, self._ends = many, needs, ends
        self._is_range, self._is_closed = is_range, is_closed
        parts = "".join(f"({_any_of(stage)})" for stage in stages)
        self._pattern = re.compile(parts + r"(?=L?\d)", re.IGNORECASE)

    def read(self, rest: str) -> _Lines:
        """Read the lines at the beginning of a text whose blanks are single spaces."""
        lead = self._pattern.match(rest)
        if lead is None:
            return _Lines((), 0, _may_begin(self._stages, rest.lower()))
        ranges, end, grows = _read_ranges(rest, lead.end(), self._many)
        tail = rest[end:].lower()
        closing = _closing_of(lead.groups())
        ends = " " if self._ends else " respectively"
        expected = (*_SEPARATORS, *self._needs, closing, ends, ", respectively", ":")
        grows = grows or any(one.startswith(tail) for one in expected)
        after = self._end_of(rest, end, ranges, closing)
        return _Lines(ranges if after is not None else (), after or 0, grows)

    def _end_of(self, rest: str, end: int, ranges: Ranges, closing: str) -> int | None:
        """Return the end of the form, None if something is missing."""
        if self._is_range and any(first >= last for first, last in ranges):
            return None
        if self._needs:
            low = rest.lower()
            need = next((one for one in self._needs if low.startswith(one, end)), None)
            if need is None:
                return None
            end += len(need.rstrip("| "))
        elif _GOES_ON.match(rest, end) or (self._ends and _COUNTS.match(rest, end)):
            return None
        if closing and rest.startswith(closing, end):
            return end + len(closing)
        return None if self._is_closed else end


def _closing_of(lead: Sequence[str]) -> str:
    """Return the marks that end what the lead has begun: emphasis, code, a bracket."""
    begun = lead[len(_LEAD) :]
    marks = [one for one in begun if one in ("**", "*", "_", "__", "`")]
    brackets = [_CLOSINGS[one] for one in begun if one in _CLOSINGS]
    return "".join(reversed(marks)) + "".join(brackets)


def _by_first_letter(texts: Sequence[str]) -> Mapping[str, Sequence[str]]:
    """Return texts by their first letter in lower case; that of an empty one is empty."""
    found: dict[str, list[str]] = {}
    for text in texts:
        found.setdefault(text[:1].lower(), []).append(text.lower())
    return found


def _may_begin(stages: Sequence[Mapping[str, Sequence[str]]], rest: str) -> bool:
    """Return whether a text in lower case may be the beginning of the stages and a number."""
    if not stages or not rest:
        return rest in ("", "l")
    stage, following = stages[0], stages[1:]
    if any(
        one.startswith(rest) or (rest.startswith(one) and _may_begin(following, rest[len(one) :]))
        for one in stage.get(rest[0], ())
    ):
        return True
    return "" in stage and _may_begin(following, rest)


_FORMS = (
    _Form(*_LEAD, (":", ":L", "#L")),
    _Form(*_LEAD, (": ",), is_range=True, ends=True),
    _Form(*_LEAD, (": L",), ends=True),
    _Form(*_LEAD, _LINKS, _OPENINGS, _BOLD, _AT, _ABOUT, _spaced(LINE_WORDS.lines), _SIGNS),
    _Form(
        *(*_LEAD, _LINKS, _OPENINGS, _BOLD, _AT, _ABOUT, _spaced(LINE_WORDS.line), _SIGNS),
        many=False,
    ),
    _Form(*_LEAD, (" ", ", ", ""), _OPENINGS, _BOLD, _AT, ("L", "~L")),
    _Form(*_LEAD, _LINKS, _OPENINGS, _ABOUT, _BEFORE_PLACES, needs=_PLACES),
    _Form(*_LEAD, _LINKS, _OPENINGS, _ABOUT, needs=_ORDINALS),
    _Form(*_LEAD, _LINKS, _OPENINGS, needs=_COUNTERS, is_range=True),
    _Form(*_LEAD, ("", " "), tuple(_CLOSINGS), is_range=True, is_closed=True),
    _Form(*_LEAD, (" | ",), ("", "`"), needs=(" |", "` |"), is_range=True),
    _Form(*_LEAD, (" | L", " | `L")),
)
_NAME = re.compile(r"[*_]{0,3}#(?P<name>[A-Za-z_$][\w$]*(?:(?:\.|::)[A-Za-z_$][\w$]*)*[?!]?)")
_NAME_BEGINS = re.compile(r"[*_]{0,3}(?:#[\w$.:]*)?\Z")
_WORD = rf"(?P<many>{_any_of(LINE_WORDS.lines)}|L)|{_any_of(LINE_WORDS.line)}"
_RANGES = rf"L?\d{{1,7}}(?:(?:{_UNTIL.pattern}|{_AND.pattern})L?\d{{1,7}}){{0,20}}"
_OF = (
    rf"(?<!\w)(?:{_WORD})(?: |(?=\d))(?P<lines>{_RANGES})"
    rf"(?: (?:{_any_of(LINE_WORDS.of)}) [*_(]{{0,3}}|(?P<bracket>[*_]{{0,3}} ?\([*_]{{0,3}}))"
)
_BEFORE = re.compile(rf"{_OF}\Z", re.IGNORECASE)
_AFTER_PATH = ("", *" \n.,:;!?)*_")
_OF_PATH = (
    "of",
    "of the file",
    "von",
    "de",
    "du",
    "del",
    "do",
    "da",
    "di",
    "van",
    "av",
    "af",
    "\u0438\u0437",
)
_OF_NEXT = re.compile(
    rf" (?:{_any_of(_OF_PATH)}) [*_]{{0,3}}(?:`|[^\s`]*[./][^\s`])", re.IGNORECASE
)
"""The lines are of what follows, a path or a definition: `see a.py (lines 5-6 of b.py)`."""
_OF_NEXT_BEGINS = re.compile(
    rf" (?:{_any_of(_OF_PATH)}) [*_]{{0,3}}[^\s`./]*[./]?\Z", re.IGNORECASE
)
_STATEMENT = re.compile(r"(?:\A|[.;:!?] |[\u2022|] ?|\A[ >]*(?:[-*+]|\d+[.)]) )[*_]{0,3}\Z")
_PATH = re.compile(
    r"(?<![\w./\\-])[^\s`'\"<>|*()\[\]#:,;]*[./][^\s`'\"<>|*()\[\]#:,;]*[^\s`'\"<>|*()\[\]#:,;.!?_]"
)
_ATTACHED = re.compile(r"[:#](?!\s)")
"""Lines without words, which `citation.SHAPE` knows."""
_FOREIGN_SIGN = re.compile(r"[^\x00-\x7f]")
_MOST_PARTS = 40
_PATH_END = re.compile(r"(?<=[^\s,:])(?=[,:]?\s|\()")
_ENDS = (*"0123456789)]", *(one[-1] for one in _PLACES))


def _read_ranges(text: str, at: int, many: bool) -> tuple[Ranges, int, bool]:
    """Read ranges of lines that begin at a place, in rising order.

    Returns them, their end, and whether a further number may still grow into one of them.
    """
    ranges: list[tuple[int, int]] = []
    number, end = _NUMBER.match(text, at), at
    while number is not None:
        first = last = int(number[1])
        behind = number.end()
        if (until := _UNTIL.match(text, behind)) is not None:
            number = _NUMBER.match(text, until.end())
            assert number is not None
            last, behind = int(number[1]), number.end()
        if ranges and first <= ranges[-1][1]:
            return tuple(ranges), end, number.end() == len(text)
        ranges.append((first, last))
        end = behind
        more = _AND.match(text, end) if many else None
        if more is not None and text[max(0, at - 1)] in "Ll" and text[more.end()] not in "Ll":
            # "L5, 10 callers"
            break
        number = _NUMBER.match(text, more.end()) if more is not None else None
    return tuple(ranges), end, False


def cite_whole(text: str, paths: Paths | None) -> Citation | None:
    """Return the citation that a piece of code is, None if its path is not known."""
    if paths is None or len(text) > LONGEST or not text.endswith(_ENDS):
        return None
    for found in _PATH_END.finditer(text):
        path = text[: found.start()]
        if paths.knows(path):
            cited, end = cite_behind(path, text, found.start(), final=True)
            if cited is not None and end == len(text):
                return cited
    return None


def cite_before(path: str, line: str) -> Citation | None:
    """Return the citation of a path behind the words `lines 5-8 of`, which end the line so far.

    `line` must not hold words that say the lines of an earlier path.
    """
    line = line.translate(_FLAT)
    found = _BEFORE.search(line, max(0, len(line) - _NEAR))
    return None if found is None else _cited_before(found, line, path)


def _cited_before(found: re.Match[str], line: str, path: str) -> Citation | None:
    if found["bracket"] and _STATEMENT.search(line[: found.start()]) is None:
        return None
    ranges, end, _ = _read_ranges(found["lines"], 0, bool(found["many"]))
    return Citation(path, ranges, text=path) if end == len(found["lines"]) else None


def cite_behind(path: str, text: str, at: int, *, final: bool) -> tuple[Citation | None, int]:
    """Return the citation of a path whose lines follow at a place, and where they end.

    The end is -1 if more text may say them.
    """
    rest = text[at : at + _NEAR].translate(_FLAT)
    final = final or len(rest) == _NEAR
    read = _read_forms(rest)
    name = _NAME.match(rest)
    if not final and (
        any(one.grows or (one.ranges and _may_name_next(rest[one.end :])) for one in read)
        or _NAME_BEGINS.match(rest) is not None
    ):
        return None, -1
    for lines in read:
        if lines.ranges and _OF_NEXT.match(rest, lines.end) is None:
            return Citation(path, lines.ranges, text=path), at + lines.end
    if name is not None:
        return Citation(path, symbol=name["name"], text=path + name[0]), at + name.end()
    return None, at


def lines_alone(text: str) -> Ranges:
    """Return the lines that a whole text says, such as the label of a link; none if it does not."""
    text = text.strip()
    if len(text) >= _NEAR or not text.endswith(_ENDS):
        return ()
    read = (one for one in _read_forms(f" {text.translate(_FLAT)}") if one.ranges)
    return next((one.ranges for one in read if one.end == len(text) + 1), ())


@lru_cache(maxsize=1_024)
def _read_forms(rest: str) -> Sequence[_Lines]:
    """Read the text behind a path in every form. It is often the same: a blank, a full stop."""
    return [form.read(rest) for form in _FORMS]


def _may_name_next(tail: str) -> bool:
    """Return whether a text may be the beginning of `of` and the path that the lines are of."""
    low = tail.lower()
    return any(f" {word} `".startswith(low) for word in _OF_PATH) or bool(
        _OF_NEXT_BEGINS.match(tail)
    )


def may_follow(text: str, paths: Paths) -> bool:
    """Return whether an unfinished piece of code is a path, and its lines may follow in words."""
    ends = (found.start() for found in _PATH_END.finditer(text[:LONGEST]))
    return any(
        paths.knows(text[:end]) and cite_behind(text[:end], text, end, final=False) != (None, end)
        for end in ends
    )


@dataclass(frozen=True, slots=True)
class InWords:
    """A path in running text whose lines are said in words.

    It stands from `begin` to `end`, and the words behind it end at `words_end`. `cited` is None if
    more text may say them.
    """

    begin: int
    end: int
    words_end: int
    cited: Citation | None


def in_words(line: str, text: str, paths: Paths, *, final: bool) -> Iterator[InWords]:
    """Yield the paths in running text whose lines are said in words, in order.

    `line` is the line up to the text, without words that say the lines of an earlier path.
    """
    taken = -_NEAR
    for found in _PATH.finditer(text):
        begin, end = _known_part(found, paths)
        path = text[begin:end]
        if not paths.knows(path):
            continue
        cited = _cited_before_in(line, text, taken, begin, path)
        if cited is not None:
            yield InWords(begin, end, end, cited)
        elif _ATTACHED.match(text, end) is None:
            cited, words_end = cite_behind(path, text, end, final=final)
            if cited is not None or words_end == -1:
                taken = words_end
                yield InWords(begin, end, words_end, cited)


def _cited_before_in(line: str, text: str, taken: int, begin: int, path: str) -> Citation | None:
    """Return the citation of a path at a place in a text if the words before it say its lines.

    The text up to `taken` says the lines of an earlier path.
    """
    before = text[max(0, taken, begin - _NEAR) : begin]
    if taken < 0:
        before = line[-_NEAR:] + before
    following = text[begin + len(path) : begin + len(path) + 1]
    return cite_before(path, before) if following in _AFTER_PATH else None


def _known_part(found: re.Match[str], paths: Paths) -> tuple[int, int]:
    """Return the part of a word that is a known path, the whole word if there is none.

    Words of other scripts may stand beside a path without a blank.
    """
    word = found[0]
    begins = [0, *(one.end() for one in _FOREIGN_SIGN.finditer(word))]
    ends = [len(word), *(one.start() for one in reversed(list(_FOREIGN_SIGN.finditer(word))))]
    for begin in begins[:_MOST_PARTS]:
        for end in ends[:_MOST_PARTS]:
            if begin < end and paths.knows(word[begin:end]):
                return found.start() + begin, found.start() + end
    return found.span()
