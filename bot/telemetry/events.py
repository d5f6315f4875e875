"""Journal records of the installation itself. Other packages have records of their own."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryAt:
    """The commit at which a repository of a prefix is."""

    name: str
    ref: str
    commit: str
    committed_at: float
    stale_since: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefixBuilt:
    """A context's prefix was built, at start or because its repository moved.

    `prefix` is the key that stays the same across pushes; `fingerprint` names the very bytes.
    `omitted` counts the files that were left out, `seconds` is what packing took.
    """

    at: float
    prefix: str
    fingerprint: str
    context: str
    model: str
    tokens: int
    files: int
    omitted: int
    seconds: float
    repositories: tuple[RepositoryAt, ...]
    size: str = ""
    """The size that was chosen and why, and what answers have taught the prefix, as sentences."""
    workspace: str = ""
    """The workspace of the context; empty unless the app is installed with OAuth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextDropped:
    """A context answers no more: it was removed, or it turned out to be broken."""

    at: float
    context: str
