"""The errors between a context file and its pack."""

from __future__ import annotations

import re

from bot.errors import ForewarmError

UNREADABLE = (
    "I cannot read this code at the moment, so I have no answer. The operators find the reason in"
    " my log."
)
"""The words for askers about every fault of a context or a repository."""


class ContextError(ForewarmError):
    """A context file cannot be used. `file` is its name; `line` counts from 1, if it is known."""

    def __init__(
        self, file: str, problem: str, *, line: int | None = None, key: str | None = None
    ) -> None:
        place = file if line is None else f"{file}, line {line}"
        super().__init__(f"{place}: {problem}", asker_message=UNREADABLE)
        self.file = file
        self.line = line
        self.key = key
        self.problem = problem


class ContextErrors(ForewarmError):
    """Several things are wrong with one context."""

    def __init__(self, problems: tuple[ContextError, ...]) -> None:
        text = " ".join(f"{problem.user_message}." for problem in problems)
        super().__init__(text, asker_message=UNREADABLE)
        self.problems = problems


class GlobError(ForewarmError):
    """A pattern of `include`, `exclude` or `first` cannot be read."""

    def __init__(self, pattern: str, problem: str) -> None:
        super().__init__(f"The pattern {pattern!r} cannot be read: {problem}.")
        self.pattern = pattern
        self.problem = problem


class UrlError(ForewarmError):
    """A repository's address is not one that may be fetched. `url` holds no credentials."""

    def __init__(self, url: str, problem: str) -> None:
        text = f"The repository address {url!r} cannot be used: {problem}."
        super().__init__(text, asker_message=UNREADABLE)
        self.url = url
        self.problem = problem


class RepositoryError(ForewarmError):
    """A repository could not be read or fetched. `repository` is its name in the context."""

    def __init__(self, repository: str, user_message: str) -> None:
        super().__init__(user_message, asker_message=UNREADABLE)
        self.repository = repository


class GitMissingError(RepositoryError):
    """There is no git on this machine."""

    def __init__(self, repository: str) -> None:
        super().__init__(
            repository,
            "git was not found, so no repository can be read: install git 2.30 or newer.",
        )


class GitFailedError(RepositoryError):
    """git ended with an error that has no better name. `detail` is its last line, cleaned."""

    def __init__(self, repository: str, doing: str, detail: str) -> None:
        super().__init__(
            repository,
            f"git failed while {doing} {repository}, so it was left as it was: "
            f"{detail or 'no reason given'}.",
        )
        self.doing = doing
        self.detail = detail


class GitTimeoutError(RepositoryError):
    """git did not end in time. `seconds` is the bound."""

    def __init__(self, repository: str, doing: str, seconds: float) -> None:
        super().__init__(
            repository,
            f"git took longer than {seconds:.0f} s while {doing} {repository} and was stopped: "
            "check the network, or raise the bound.",
        )
        self.seconds = seconds


_NAMED_BRANCHES = 10
_PART_OF_COMMIT = re.compile(r"[0-9a-f]{7,39}")


class RefMissingError(RepositoryError):
    """The branch, tag or commit is not there."""

    def __init__(self, repository: str, ref: str, branches: tuple[str, ...] = ()) -> None:
        named = "name a branch, tag or commit that exists in `ref`"
        if branches:
            listed = ", ".join(branches[:_NAMED_BRANCHES])
            more = len(branches) - _NAMED_BRANCHES
            listed += f" and {more} more" if more > 0 else ""
            named = f"set `ref` to one of its branches ({listed})"
        if _PART_OF_COMMIT.fullmatch(ref):
            named += ", or to all 40 digits of a commit"
        lacks = f"has no branch, tag or commit {ref!r}"
        if ref == "HEAD":
            lacks = "names no branch that exists as its HEAD"
        super().__init__(
            repository, f"The repository {repository} {lacks}, so its code cannot be read: {named}."
        )
        self.ref = ref
        self.branches = branches


class EmptyRepositoryError(RepositoryError):
    """The repository has no commit yet."""

    def __init__(self, repository: str) -> None:
        super().__init__(
            repository, f"{repository} has no commit yet, so there is nothing to pack: push one."
        )


class AuthenticationError(RepositoryError):
    """The host refused us. `refusal` says why, and how to get in."""

    def __init__(self, repository: str, host: str, refusal: str) -> None:
        super().__init__(
            repository, f"{host} refused access to the repository {repository}, because {refusal}."
        )
        self.host = host


class HostKeyError(RepositoryError):
    """The ssh key of a host is not the one that was expected."""

    def __init__(self, repository: str, host: str, why: str, fix: str) -> None:
        super().__init__(
            repository, f"{host} was not trusted with {repository}, because {why}: {fix}."
        )
        self.host = host


class TokenError(RepositoryError):
    """`issuer` gave no token for a repository."""

    def __init__(self, repository: str, issuer: str, why: str, fix: str) -> None:
        super().__init__(
            repository, f"The {issuer} gave no token for {repository}, because {why}: {fix}."
        )
        self.issuer = issuer


class UnreachableError(RepositoryError):
    """The host could not be reached. `why` says what failed on the way, and `fix` what to do."""

    def __init__(self, repository: str, why: str, fix: str) -> None:
        super().__init__(
            repository, f"The repository {repository} cannot be fetched, because {why}: {fix}."
        )
        self.why = why


class TooLargeError(RepositoryError):
    """A bound on size or number was passed, and what was fetched is thrown away. `fix` helps."""

    def __init__(self, repository: str, what: str, bound: str, fix: str) -> None:
        super().__init__(repository, f"{repository} has more than {bound} {what}: {fix}.")
        self.what = what
        self.bound = bound


def too_many_files(repository: str, most: int) -> TooLargeError:
    """Return the error for a commit that tracks too many files, or names of too many bytes."""
    fix = "raise `max_files` of this repository, if it is yours"
    return TooLargeError(repository, "files (or paths as long)", f"{most:,}", fix)


class LimitError(RepositoryError):
    """Work on a context's repositories took more than its limits. `limit` says which one."""

    def __init__(self, name: str, limit: str) -> None:
        super().__init__(
            name,
            f"Packing {name} took more than {limit}, so it was stopped: narrow it with `include` "
            "or `max_file_bytes`, or raise `pack_memory_mb` and `pack_seconds` in [limits].",
        )
        self.limit = limit


class LookUpLimitError(RepositoryError):
    """A look-up in a context's repositories took more than its limits. `limit` says which one."""

    def __init__(self, name: str, limit: str) -> None:
        super().__init__(
            name, f"Reading {name} took more than {limit}, so it was stopped: ask for less of it."
        )
        self.limit = limit


class BusyError(RepositoryError):
    """Another process has held the clone's lock for too long."""

    def __init__(self, repository: str, seconds: float) -> None:
        super().__init__(
            repository,
            f"Another process has been syncing {repository} for more than {seconds:.0f} s: "
            "this one goes on with what it has.",
        )


class WebhookError(ForewarmError):
    """A push webhook is not signed as it should be, or cannot be read."""
