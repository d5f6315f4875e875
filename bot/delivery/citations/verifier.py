"""One answer's citations: which files they need, if they hold, how many did. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, TypeVar

from bot.context.files.select import printable
from bot.delivery.citations.check import (
    Evidence,
    Failure,
    Finding,
    Inquiry,
    candidates,
    check,
)
from bot.delivery.citations.citation import (
    LONGEST,
    MARKED,
    SHAPE,
    Citation,
    heading_end,
    may_locate,
    prose_end,
    ranges_of,
    read,
    without_emphasis,
)
from bot.delivery.citations.compound import Part, find_parts, may_have_parts
from bot.delivery.citations.line_words import LINE_WORDS
from bot.delivery.citations.links import Hosts, Pages, file_page, permalink
from bot.delivery.citations.path_index import FileKey, LargeFile, PathIndex, Source
from bot.delivery.citations.safe_output import TICK, SafeMarkdownWriter
from bot.delivery.citations.worded import InWords, cite_behind, cite_whole, in_words, may_follow

NEAR_QUOTE = 80
"""Characters between a quoted block and the citation that belongs to it."""
NEAR_NAME = 90
"""Characters between a name in backticks and a citation that may belong to it."""
_BESIDE = re.compile(
    r"[\s(*_,:;\u2013\u2014-]*(?:(?:is|was|are)\s+)?"
    r"(?:(?:defined|declared|implemented|set|found|located|lives|see)\s+)?"
    r"(?:(?:at|in|on|from)\s+)?(?:lines?\s+)?[\s(*_]*"
)
"""The words between a name and the citation of its place. A name that is farther off proves nothing
about the lines that are cited."""
_PLACE = re.compile(r"\A|(?<=[^A-Za-z0-9./\\-])")
"""Places in a word at which a path may begin: behind letters of other scripts and signs."""
_NO_PATH_YET = re.compile(r"(?:[^\x00-\x7f]|[$=+~^%&!,;]|\w+=)*")
_UNKNOWN = re.compile(r"[\w-][./]\w[\w./-]*(?:[:#][\w$.,:#-]*)?\Z")
_LISTED = re.compile(
    rf"[\s,;&/+*_\u2192\u3001>()-]*(?:(?:{'|'.join(map(re.escape, LINE_WORDS.and_))})\s)?[\s*_]*",
    re.IGNORECASE,
)
"""The text between names that are listed."""
_LINES_ALONE = re.compile(r"(?::L?|#?L)\d{1,7}(?:\s?[-\u2013]\s?L?\d{1,7})?")
_NO_WORD = r"(?<![\w./\\-])"
_WORD_START = re.compile(
    rf"(?:{_NO_WORD}|(?<={_NO_WORD}_)|(?<={_NO_WORD}__)|(?<=[^\x00-\x7f]))(?=[^\s`])", re.ASCII
)
"""Places at which a path may begin: also behind the marks of emphasis, and other scripts."""

Item = TypeVar("Item")
Verdict: TypeAlias = Literal["good", "corrected", "wrong", "unchecked"]


@dataclass(frozen=True, slots=True)
class Checked:
    """One citation as it was written, and the verdict. Lines are None if they are not known."""

    text: str
    path: str
    first: int | None
    last: int | None
    verdict: Verdict


@dataclass(slots=True)
class Counts:
    """Citations by their fate."""

    good: int = 0
    corrected: int = 0
    struck: int = 0


class Verifier:
    """Checks citations as they come by.

    `forcing` means that no file is waited for any more. `muted` means that nothing is checked: the
    text was checked before. `waiting` is set when a whole citation waits for a file; the filter
    clears it.
    """

    def __init__(
        self,
        hosts: Hosts,
        index: PathIndex | None,
        sources: Mapping[FileKey, Source | LargeFile],
    ) -> None:
        self.hosts = hosts
        self.counts = Counts()
        self.forcing = False
        self.muted = False
        self.waiting = False
        self.counting = True
        self.sources = dict(sources)
        self.findings: dict[Inquiry, Finding | Failure] = {}
        self._index = index
        self._pages = Pages.of(tuple(index.states.values()) if index is not None else ())
        self._asked: dict[FileKey, bool] = {}
        self._inquired: dict[Inquiry, bool] = {}
        self._quote: tuple[str, ...] = ()
        self._quoted_at = 0
        self._names: tuple[str, ...] = ()
        self._named_at = 0
        self._claimed = 0
        self._cited: FileKey | None = None
        self._cited_at = 0
        self.checked: list[Checked] = []
        self.used: set[FileKey] = set()

    def __repr__(self) -> str:
        counts = self.counts
        return (
            f"<Verifier [{counts.good} good | {counts.corrected} corrected | "
            f"{counts.struck} struck]>"
        )

    def know(self, index: PathIndex) -> None:
        """From now on citations can be checked."""
        self._index = index
        self._pages = Pages.of(tuple(index.states.values()))

    def files_to_read(self) -> Sequence[FileKey]:
        """Return the files that are needed and were not named before."""
        return _take_new(self._asked)

    def inquiries(self) -> Sequence[Inquiry]:
        """Return the checks of large files that are needed and were not named before."""
        return _take_new(self._inquired)

    def read(self, text: str) -> Citation | None:
        """Return the citation that a whole text is, None if it is none."""
        found = read(text, self._index) or cite_whole(text.strip(), self._index)
        if self._index is None or (found is not None and self._index.knows(found.path)):
            return found
        may_be_page = "/" in text and ("#" in text or "line=" in text)
        return (self.page(text.strip()) if may_be_page else None) or found

    def names_path(self, text: str) -> bool:
        """Return whether a text is the path of a file, without lines."""
        is_path = 0 < len(text) <= LONGEST and ("/" in text or "." in text)
        return (
            self._index is not None
            and not self.muted
            and (self._index.knows(text) if is_path else self._index.find(text)[1])
        )

    def claim_words(self, until: int) -> None:
        """Note that the words up to a place say the lines of a path: they say no other's."""
        self._claimed = until

    def free_words(self, line: str, at: int) -> str:
        """Return the end of a line that says the lines of no path yet. `at` is its place."""
        return line[max(0, len(line) - max(0, at - self._claimed)) :]

    def in_words(self, line: str, text: str, *, final: bool) -> Iterator[InWords]:
        """Yield the paths in running text whose lines are said in words: see `worded.in_words`."""
        if self._index is None or self.muted or not ("." in text or "/" in text):
            return iter(())
        return in_words(line, text, self._index, final=final)

    def open_words(self, line: str, text: str) -> int:
        """Return the start of the last path of a text if more text may say its lines.

        It is the text's length if there is none.
        """
        found = self.in_words(line, text, final=False)
        return next((one.begin for one in found if one.words_end < 0), len(text))

    def may_grow(self, text: str) -> bool:
        """Return whether an unfinished code span or word may be growing into a citation."""
        if self._index is None:
            # The paths will be known before the next words, in all likelihood.
            return True
        return (
            self._index.begins(text) or self.foresee(text) or may_follow(text.strip(), self._index)
        )

    def foresee(self, text: str) -> bool:
        """Ask for the files that an unfinished citation names; False if it names none."""
        if self._index is None:
            return False
        for at in (place for place in range(1, len(text) + 1) if text[place : place + 1] in _ENDS):
            path = _MARK.sub("", text[:at])
            keys, _ = self._index.find(path)
            if keys and may_locate(text[at:]):
                if len(path) < at:
                    return True
                self._ask(keys)
                return True
        return False

    def may_name_file(self, cited: Citation) -> bool:
        """Return whether a citation is checked: its path is known, or ends as known files do."""
        index = self._index
        return index is None or index.knows(cited.path) or index.looks_like_file(cited.path)

    def read_known(self, text: str) -> Citation | None:
        """Return the citation of a known path that a whole text is, None if it is none."""
        cited = self.read(text)
        known = cited is not None and self._index is not None and self._index.knows(cited.path)
        return cited if known else None

    def more_lines(self, code: str, line: str, at: int) -> Citation | None:
        """Return the citation that a code such as `:20` is right behind one of the same file."""
        distance = at - self._cited_at
        if self._cited is None or MARKED.fullmatch(self._cited[1]) or distance > len(line):
            return None
        if not _LINES_ALONE.fullmatch(code) or not _LISTED.fullmatch(line[len(line) - distance :]):
            return None
        repository, path = self._cited
        return Citation(path, ranges_of(f":{code.lstrip(':#')}"), repository=repository, text=code)

    def parts(self, code: str) -> Sequence[Part]:
        """Return the citations in a piece of code that is no citation as a whole."""
        return find_parts(code, self.read_known) if self._index is not None else ()

    def may_have_parts(self, code: str) -> bool:
        """Return whether an unfinished piece of code may come to hold several citations."""
        return self._index is not None and may_have_parts(code, self.read_known, self.may_grow)

    def are_ready(self, cited: Sequence[Citation]) -> bool:
        """Return whether several citations can be checked now, all of them without evidence."""
        if self._index is None or self.forcing or self.muted:
            return True
        keys = [(key, one) for one in cited for key in candidates(one, self._index)[0]]
        lacking = self._ask([key for key, _ in keys])
        if lacking or self._inquire(Inquiry(key, one, Evidence()) for key, one in keys):
            self._wait()
            return False
        return True

    def words_before(self, text: str) -> int:
        """Return how many characters before a citation belong to other words.

        Chinese and Japanese put no blank before a path, and signs such as `=` or `$` need none.
        """
        if self._index is None:
            return 0
        for found in _PLACE.finditer(text):
            if self.read_known(text[found.start() :]) is not None:
                return found.start()
        lead = _NO_PATH_YET.match(text)
        return lead.end() if lead is not None and lead.end() < len(text) else 0

    def may_be_unknown(self, word: str) -> bool:
        """Return whether an unfinished word may become the citation of a path that is not known.

        It is held so that it is counted once it is whole.
        """
        return self._index is not None and _UNKNOWN.search(word) is not None

    def odd_in_prose(
        self, raw: str, at: int, stop: int, *, within_word: bool, final: bool
    ) -> InWords | None:
        """Find a citation in running text whose path no pattern could find.

        Its `words_end` is -1 if more text may belong to it. It must begin in `raw[at:stop]`.
        """
        if self._index is None or not self._index.has_odd:
            return None
        for found in _WORD_START.finditer(raw, at, min(len(raw), stop + 1)):
            begin = found.start()
            if begin > stop or (begin == stop and raw[begin : begin + 1] != "["):
                break
            if begin == at and within_word:
                continue
            path = self._index.odd_at(raw, begin)
            if path is not None:
                end = prose_end(raw, begin + len(path), final=final)
                if end is not None:
                    end = heading_end(raw, begin, end) if end > 0 else end
                    end = -1 if not raw[end:].strip("-") and not final else end
                    whole = without_emphasis(raw[begin:end]) if end > 0 else ""
                    end = begin + len(whole) if whole else end
                    return InWords(begin, end, end, self.read(whole) if whole else None)
                end = begin + len(path)
                cited, words_end = cite_behind(path, raw, end, final=final)
                if cited is not None or words_end < 0:
                    return InWords(begin, end, words_end, cited)
            if final or len(raw) - begin > LONGEST:
                continue
            rest = raw[begin:]
            if self._index.odd_begins(rest):
                return InWords(begin, begin, -1, None)
        return None

    def quoted(self, lines: Sequence[str], at: int) -> None:
        """A fenced block has ended after `at` characters."""
        self._quote, self._quoted_at = tuple(lines), at

    def named(self, name: str, line: str, size: int, at: int) -> None:
        """A name has stood in backticks at the end of a line, `size` characters with them.

        Names that are listed count together: a citation behind them may be that of each.
        """
        before = line[: len(line) - size]
        distance = at - size - self._named_at
        listed = distance <= len(before) and _LISTED.fullmatch(before[len(before) - distance :])
        self._names = (*self._names, name) if self._names and listed else (name,)
        self._named_at = at

    def forget_names(self) -> None:
        """The line of the names is over."""
        self._names = ()

    def is_beside_quote(self, at: int) -> bool:
        """Return whether a citation here may be that of the quoted block above."""
        return bool(self._quote) and at - self._quoted_at <= NEAR_QUOTE

    def _odd_within(self, text: str) -> Iterator[Citation]:
        at = 0
        while found := self.odd_in_prose(text, at, len(text), within_word=False, final=True):
            if found.cited is not None:
                yield found.cited
            at = max(found.end, found.begin + 1)

    def is_ready(self, text: str) -> bool:
        """Return whether the files are there that the citations in a link's label need."""
        if self._index is None or self.forcing or self.muted:
            return True
        pieces = [*_SPAN.findall(text), *(found[0] for found in SHAPE.finditer(text))]
        cited = [one for piece in pieces if (one := self.read(piece)) is not None]
        cited += self._odd_within(text)
        keys = [key for one in cited for key in candidates(one, self._index)[0]]
        lacking = self._ask(keys)
        if lacking:
            self._wait()
        return not lacking

    def verify(
        self,
        cited: Citation,
        at: int,
        line: str,
        *,
        alone: bool = False,
        evidence: Evidence | None = None,
    ) -> Finding | Literal["wait"] | None:
        """Check a citation and count it; "wait" until the files that it needs have been read.

        `at` counts the characters before it, `line` is its line up to it, `alone` means that the
        line holds nothing else. `evidence` replaces what they tell.
        """
        if self.muted:
            return None
        if self._index is None:
            if not self.forcing:
                return self._wait()
            self._count(cited, None, "wrong")
            return None
        keys, _ = candidates(cited, self._index)
        lacking = self._ask(keys)
        if lacking and not self.forcing:
            return self._wait()
        if not keys and not self._index.looks_like_file(cited.path):
            return None
        evidence = self._evidence(at, line, alone) if evidence is None else evidence
        is_open = self._inquire(Inquiry(key, cited, evidence) for key in keys)
        if is_open and not self.forcing:
            return self._wait()
        self._quote, self._names = (), ()
        found: Finding | Failure = "wrong"
        if not lacking and not is_open:
            found = check(cited, self._index, self.sources, evidence, self.findings)
        self._cited = None
        if isinstance(found, Finding):
            self._count(cited, found, found.fate)
            self._cited = found.key
            return found
        self._count(cited, None, found)
        return None

    def _ask(self, keys: Sequence[FileKey]) -> list[FileKey]:
        """Ask for the files that are not read yet, and return them."""
        lacking = [key for key in keys if key not in self.sources]
        for key in lacking:
            self._asked.setdefault(key, False)
        return lacking

    def _inquire(self, inquiries: Iterable[Inquiry]) -> bool:
        """Ask about large files; return whether an answer is not there yet."""
        new = [
            one
            for one in inquiries
            if isinstance(self.sources.get(one.key), LargeFile) and one not in self.findings
        ]
        for one in new:
            self._inquired.setdefault(one, False)
        return bool(new)

    def _wait(self) -> Literal["wait"]:
        self.waiting = True
        return "wait"

    def struck(self, text: str) -> None:
        """Count a citation that was shown before it could be checked."""
        cited = self.read(text)
        if cited is not None and self.may_name_file(cited):
            self._count(cited, None, "wrong")

    def page(self, address: str) -> Citation | None:
        """Read an address of a repository's own pages as the citation that it is."""
        page = self._pages.read(address)
        if page is None:
            return None
        repository, path, start, end = page
        path = self._path_at_branch(repository, path)
        return Citation(path, ((start, end),), repository=repository, text=address)

    def _path_at_branch(self, repository: str, path: str) -> str:
        """Return a path without the rest of a branch's name, which may hold a slash."""
        rest = path
        while self._index is not None and rest:
            keys, exact = self._index.find(rest)
            if exact and any(key[0] == repository for key in keys):
                return rest
            rest = rest.partition("/")[2]
        return path

    def is_page_of(self, address: str, path: str) -> bool:
        """Return whether an address is a repository's own page of a file."""
        return self._pages.path(address) == path

    def file_page(self, address: str) -> tuple[str, str] | None:
        """Return the path and the page of the one file that an address without lines names."""
        if self._index is None or not self.names_path(address):
            return None
        keys, _ = self._index.find(address)
        url = file_page(self._index.states[keys[0][0]], keys[0][1]) if len(keys) == 1 else None
        return (keys[0][1], url) if url is not None else None

    def names_file(self, text: str) -> bool:
        """Return whether a text is the path of a file, with lines or without."""
        return self.file_named(text) is not None

    def file_named(self, text: str) -> str | None:
        """Return the path of the file that a text names, with lines or without; None if none."""
        if self._index is None or not text:
            return None
        cited = self.read(text)
        keys, _ = self._index.find(cited.path if cited is not None else text)
        return keys[0][1] if keys else None

    def is_same(self, one: Citation, other: Citation) -> bool:
        """Return whether two citations name the same file and the same lines."""
        if self._index is None:
            return True
        files, _ = candidates(one, self._index)
        others, _ = candidates(other, self._index)
        same = bool(set(files) & set(others))
        return same and (one.ranges, one.symbol) == (other.ranges, other.symbol)

    def permalink(self, finding: Finding) -> str | None:
        assert self._index is not None
        state = self._index.states[finding.key[0]]
        path, source = finding.key[1], self.sources.get(finding.key)
        if source is not None and source.commit is not None:
            state, path = replace(state, commit=source.commit), path.rpartition("@")[0]
        return permalink(state, path, *finding.linked)

    def show(self, writer: SafeMarkdownWriter, finding: Finding, written: str) -> None:
        """Write a citation that holds, as a link if a page shows it."""
        shown = written if finding.fate == "good" else label_of(finding)
        url = self.permalink(finding)
        if url is not None and not _BREAKS_LABEL.search(shown):
            writer.link(f"`{shown}`", url)
        else:
            writer.code("`", shown)
            if url is not None:
                # Parsers differ in how they read a bracket or a bar within a link's label.
                writer.text(" ")
                writer.link("\u2197", url)
        self._cited_at = writer.written

    def _evidence(self, at: int, line: str, alone: bool) -> Evidence:
        quote = self._quote if alone and self.is_beside_quote(at) else ()
        distance = at - self._named_at
        names: tuple[str, ...] = ()
        if self._names and distance <= min(NEAR_NAME, len(line)):
            names = self._names if _BESIDE.fullmatch(line[len(line) - distance :]) else ()
        return Evidence(quote, names)

    def _count(self, cited: Citation, finding: Finding | None, verdict: Verdict) -> None:
        if not self.counting:
            return
        counts = self.counts
        if verdict == "good":
            counts.good += 1
        elif verdict == "corrected":
            counts.corrected += 1
        elif verdict == "wrong":
            counts.struck += 1
        path, first, last = cited.path, cited.first, cited.last
        if finding is not None:
            path, first, last = finding.key[1], finding.first, finding.last
            if not MARKED.fullmatch(path):
                self.used.add(finding.key)
        self.checked.append(Checked(cited.text, path, first, last, verdict))


def _take_new(asked: dict[Item, bool]) -> list[Item]:
    new = [item for item, taken in asked.items() if not taken]
    asked.update(dict.fromkeys(new, True))
    return new


def label_of(finding: Finding) -> str:
    """Return the right citation as text that can stand in code."""
    return printable(finding.label).replace("`", TICK)


_SPAN = re.compile(r"`([^`\n]+)`")
_MARK = re.compile(r"@[0-9a-f]{0,64}\Z")
_ENDS = (":", "#", "")
_BREAKS_LABEL = re.compile(r"[\[\]|]")
