"""A built repository context: ordered text blocks and the commits that they show.

A `Pack` knows no model: its token figures are estimates of its builder. Same
commit, same configuration and same uses by answers give the same bytes on every machine.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeVar

R = TypeVar("R")

BlockKind = Literal["base", "overlay"]


def fingerprint(text: str) -> str:
    """Return the SHA-256 of the text's UTF-8 bytes, in hex."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class Block:
    """One text block of the prefix. All bases come before all overlays."""

    kind: BlockKind
    repository: str
    text: str
    tokens: int
    _fingerprint: str = field(default="", init=False, repr=False, compare=False)

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of the text, worked out once: a base may hold many megabytes."""
        if not self._fingerprint:
            object.__setattr__(self, "_fingerprint", fingerprint(self.text))
        return self._fingerprint

    def __repr__(self) -> str:
        return f"<Block {self.kind} of {self.repository}: {self.tokens} tokens>"


@dataclass(frozen=True, slots=True)
class Omission:
    """A tracked file that was left out (or masked), and why, in a few words."""

    repository: str
    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class RepositoryState:
    """The state of one repository of the context.

    `web` is a template with `{sha}`, `{path}`, `{start}`, `{end}`, or None if no page shows the
    repository. `stale_since` is the Unix time of the last good sync when the newest one failed.
    """

    name: str
    url: str
    ref: str
    commit: str
    committed_at: float
    base_commit: str
    web: str | None
    stale_since: float | None = None
    stale_reason: str | None = None


@dataclass(frozen=True, slots=True)
class Pack:
    """Ordered text blocks, the commits they show and what was left out."""

    blocks: tuple[Block, ...]
    repositories: tuple[RepositoryState, ...]
    omitted: tuple[Omission, ...]
    files: int
    size: str = ""
    """The size that `budget_tokens = "auto"` chose and why, as a sentence."""
    learned: str = ""
    """How many files come first because answers used them, as a sentence."""

    @property
    def tokens(self) -> int:
        return sum(block.tokens for block in self.blocks)

    @property
    def bytes(self) -> int:
        return sum(len(block.text.encode("utf-8", "surrogatepass")) for block in self.blocks)

    @property
    def fingerprint(self) -> str:
        return fingerprint("\n".join(block.fingerprint for block in self.blocks))

    def __repr__(self) -> str:
        at = ", ".join(f"{r.name}@{r.commit[:7]}" for r in self.repositories)
        return f"<Pack {at}: {self.files} files, {self.tokens} tokens>"


@dataclass(frozen=True, slots=True)
class Match:
    """One line found by `Snapshot.search`. `line` counts from 1."""

    repository: str
    path: str
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Change:
    """One commit that touched a path."""

    commit: str
    at: float
    author: str
    subject: str


SMALL_BYTES = 64_000
SMALL_LINES = 2_000
"""The most that a file may have that is split and parsed in the bot's own process."""


class Snapshot(Protocol):
    """The context's files at the pack's head commits: inside its globs, secrets masked.

    A file left out for want of budget is readable here; what it left out because it is
    secret, binary or excluded is not. Every call is bounded and safe to run in a thread.
    """

    def repositories(self) -> Sequence[RepositoryState]: ...

    def paths(self, repository: str) -> Sequence[str]: ...

    def has(self, repository: str, path: str) -> bool:
        """Tell whether `paths` has this one."""
        return path in self.paths(repository)

    def read(self, repository: str, path: str) -> str | None:
        """Return the masked text at the head, or None if no such readable file exists."""

    def read_base(self, repository: str, path: str) -> str | None:
        """Return the masked text at the base commit, for citations of lines that have moved."""

    def ask(
        self, repository: str, path: str, function: Callable[..., R], /, *arguments: Any
    ) -> R | None:
        """Return `function(path, text, *arguments)`; None if no such readable file exists.

        The text of a large file may stay in another process: the function is that of a module, and
        its result is small.
        """
        text = self.read(repository, path)
        return None if text is None else function(path, text, *arguments)

    def ask_versions(
        self, repository: str, path: str, function: Callable[..., R], /, *arguments: Any
    ) -> R | None:
        """Do as `ask`, with a function that takes path, text at the head and text at the base.

        The last is None if there is none, or if the base is the head.
        """
        head = self.read(repository, path)
        moved = any(
            state.name == repository and state.commit != state.base_commit
            for state in self.repositories()
        )
        base = self.read_base(repository, path) if moved and head is not None else None
        return None if head is None else function(path, head, base, *arguments)

    def search(
        self, pattern: str, *, regex: bool, repository: str | None, under: str | None, limit: int
    ) -> Sequence[Match]: ...

    def history(self, repository: str, path: str, limit: int) -> Sequence[Change]: ...

    def at(self, repository: str, ref: str) -> Snapshot:
        """Return one repository's files at another branch, tag or commit, by the same rules.

        Raises:
            ForewarmError: the clone has no such ref.
        """
