"""The files that citations name: which paths there are, what their lines say. Pure once read."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from bot.context.pack import RepositoryState, Snapshot

FileKey: TypeAlias = tuple[str, str]
"""Repository and path."""

_FEW = 4


@dataclass(frozen=True)
class Source:
    """One file at the head commit and at the base; None where it is not there or not readable.

    `base` is None as well where the base is the head: no line can have moved.
    """

    head: str | None
    base: str | None

    @cached_property
    def lines(self) -> list[str]:
        return (self.head or "").splitlines()

    @cached_property
    def base_lines(self) -> list[str]:
        return (self.base or "").splitlines()

    @property
    def moved(self) -> bool:
        return self.base is not None and self.base != self.head


def read_source(snapshot: Snapshot, key: FileKey) -> Source:
    """Read a file at both commits. Blocks; run it in a thread.

    Each reading starts a git, and a citation waits for it: where both are one commit, one is read.
    """
    at = next((state for state in snapshot.repositories() if state.name == key[0]), None)
    moved = at is None or at.commit != at.base_commit
    return Source(snapshot.read(*key), snapshot.read_base(*key) if moved else None)


class PathIndex:
    """Every citable path of a snapshot. Built once, in a thread, and shared by its answers."""

    def __init__(
        self, states: Sequence[RepositoryState], paths: Mapping[str, Sequence[str]]
    ) -> None:
        self.states = {state.name: state for state in states}
        self._keys: dict[str, list[FileKey]] = defaultdict(list)
        self._by_name: dict[str, list[FileKey]] = defaultdict(list)
        for repository, names in paths.items():
            for path in names:
                key = (repository, path)
                self._keys[path].append(key)
                self._by_name[path.rsplit("/", 1)[-1]].append(key)
        self._sorted = sorted({*self._keys, *self._by_name})
        self._endings = {name.rsplit(".", 1)[-1] for name in self._by_name if "." in name}

    def __repr__(self) -> str:
        return f"<PathIndex of {', '.join(self.states)}: {len(self._keys)} paths>"

    @classmethod
    def of(cls, snapshot: Snapshot) -> PathIndex:
        """Blocks; run it in a thread."""
        states = snapshot.repositories()
        return cls(states, {state.name: snapshot.paths(state.name) for state in states})

    def find(self, text: str) -> tuple[list[FileKey], bool]:
        """Return the files that a path may mean, and whether it was given in full."""
        path = text.removeprefix("./").lstrip("/")
        exact = self._within_named(path) or self._keys.get(path, [])
        if exact:
            return list(exact), True
        tail = "/" + path
        near = self._by_name.get(path.rsplit("/", 1)[-1], [])
        return [key for key in near if ("/" + key[1]).endswith(tail)][:_FEW], False

    def _within_named(self, path: str) -> list[FileKey]:
        """Return the file whose path is given with its repository's name before it."""
        for name in self.states:
            for separator in "/:":
                if path.startswith(name + separator):
                    key = (name, path[len(name) + 1 :])
                    if key in self._keys.get(key[1], []):
                        return [key]
        return []

    def begins(self, text: str) -> bool:
        """Whether a known path, or the name of a file, begins so."""
        at = bisect_left(self._sorted, text)
        if at < len(self._sorted) and self._sorted[at].startswith(text):
            return True
        return any((name + "/").startswith(text) for name in self.states) or any(
            text.startswith(name + "/") and self.begins(text[len(name) + 1 :])
            for name in self.states
        )

    def looks_like_file(self, path: str) -> bool:
        """Whether a path that is not known ends as known files do."""
        name = path.rsplit("/", 1)[-1]
        return "." in name and name.rsplit(".", 1)[-1] in self._endings
