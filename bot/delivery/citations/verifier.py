"""One answer's citations: which files they need, where they hold, how many did. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from bot.delivery.citations.check import Citation, Evidence, Finding, candidates, check
from bot.delivery.citations.links import Hosts, Pages, permalink
from bot.delivery.citations.path_index import FileKey, PathIndex, Source
from bot.delivery.citations.safe_output import SafeMarkdownWriter

NEAR_QUOTE = 80
"""Characters between a quoted block and the citation that belongs to it."""
SHORTEST_PATH = 3
"""Characters of a word that are enough to take it for the beginning of a path."""
NEAR_NAME = 90
"""Characters between a name in backticks and the citation that belongs to it."""


@dataclass(slots=True)
class Counts:
    """Citations by their fate."""

    good: int = 0
    corrected: int = 0
    struck: int = 0


class Verifier:
    """Checks citations as they come by; `forcing` means that no file is waited for any more.

    `waiting` is set when a whole citation waits for a file; whoever looks for that clears it.
    """

    def __init__(
        self, hosts: Hosts, index: PathIndex | None, sources: Mapping[FileKey, Source]
    ) -> None:
        self.hosts = hosts
        self.counts = Counts()
        self.forcing = False
        self.waiting = False
        self.sources = dict(sources)
        self._index = index
        self._pages = Pages.of(tuple(index.states.values()) if index is not None else ())
        self._asked: dict[FileKey, bool] = {}
        self._quote: tuple[str, ...] = ()
        self._quoted_at = 0
        self._name: str | None = None
        self._named_at = 0

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

    def wanted(self) -> Sequence[FileKey]:
        """Return the files that are needed and were not named before."""
        new = [key for key, asked in self._asked.items() if not asked]
        self._asked.update(dict.fromkeys(new, True))
        return new

    def may_begin_path(self, word: str) -> bool:
        """Whether a word at the text's end may be growing into a citation."""
        if self._index is None or len(word) < SHORTEST_PATH:
            return False
        path = word.split(":", 1)[0].split("#", 1)[0]
        return self._index.begins(word) if path == word else self.foresee(word)

    def foresee(self, text: str) -> bool:
        """Ask for the files that an unfinished citation names; False if it names none."""
        if self._index is None:
            return False
        keys, _ = self._index.find(text.split(":", 1)[0].split("#", 1)[0])
        for key in keys:
            if key not in self.sources:
                self._asked.setdefault(key, False)
        return bool(keys)

    def quoted(self, lines: Sequence[str], at: int) -> None:
        """A fenced block has ended after `at` characters."""
        self._quote, self._quoted_at = tuple(lines), at

    def named(self, name: str | None, at: int) -> None:
        """A name has stood in backticks; None: its line is over."""
        self._name, self._named_at = name, at

    def verify(self, cited: Citation, at: int) -> Finding | Literal["wait"] | None:
        """Check a citation and count it; "wait" until what it needs has been read."""
        if self._index is None:
            if not self.forcing:
                return self._wait()
            self.counts.struck += 1
            return None
        keys, _ = candidates(cited, self._index)
        lacking = [key for key in keys if key not in self.sources]
        for key in lacking:
            self._asked.setdefault(key, False)
        if lacking and not self.forcing:
            return self._wait()
        if not keys and not self._index.looks_like_file(cited.path):
            return None
        evidence = self._evidence(at)
        finding = None if lacking else check(cited, self._index, self.sources, evidence)
        self._count(finding)
        return finding

    def _wait(self) -> Literal["wait"]:
        self.waiting = True
        return "wait"

    def struck(self) -> None:
        """A citation has been shown before it could be checked."""
        self._count(None)

    def page(self, address: str) -> Citation | None:
        """Read an address of a repository's own pages as the citation that it is."""
        page = self._pages.read(address)
        if page is None:
            return None
        repository, path, start, end = page
        return Citation(path, start, end, repository=repository)

    def permalink(self, finding: Finding) -> str | None:
        assert self._index is not None
        state = self._index.states[finding.key[0]]
        return permalink(state, finding.key[1], finding.start, finding.end)

    def show(self, outlet: SafeMarkdownWriter, finding: Finding, written: str) -> None:
        """Let out a citation that holds, as a link where a page shows it."""
        shown = written if finding.fate == "good" else finding.label
        url = self.permalink(finding)
        if url is not None and "[" not in shown and "]" not in shown:
            outlet.link(f"`{shown}`", url)
            return
        outlet.code("`", shown)
        if url is not None:
            # Brackets within a link's label are read differently by different parsers.
            outlet.text(" ")
            outlet.link("\u2197", url)

    def _evidence(self, at: int) -> Evidence:
        quote = self._quote if at - self._quoted_at <= NEAR_QUOTE else ()
        near = self._name is not None and at - self._named_at <= NEAR_NAME
        names = (self._name,) if near and self._name else ()
        self._quote, self._name = (), None
        return Evidence(quote, names)

    def _count(self, finding: Finding | None) -> None:
        if finding is None:
            self.counts.struck += 1
        elif finding.fate == "good":
            self.counts.good += 1
        else:
            self.counts.corrected += 1
