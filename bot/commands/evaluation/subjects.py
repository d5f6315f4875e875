"""Finds what `forewarm eval` is about: its repositories, and the questions about each."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bot.app.contexts.clones import git_credentials
from bot.clock import system_now
from bot.commands.cite import address
from bot.commands.evaluation.evaluate import Subject
from bot.commands.packing import cache_file, find_context
from bot.commands.stored_records import open_store
from bot.context.codebase import Codebase
from bot.context.files.select import Rules, printable
from bot.context.git.clone import Sources
from bot.context.git.repository import GitRepository
from bot.errors import ForewarmError
from bot.retrieval.coverage import EvidenceRow, read_rows, row_of_answer
from bot.settings import read_settings


def read_questions(paths: Sequence[Path]) -> list[EvidenceRow]:
    """Return the questions of some files in order.

    Raises:
        ForewarmError: a file or a line cannot be read, or a file holds no question.
    """
    rows: list[EvidenceRow] = []
    for path in paths:
        own = read_rows(_text(path))
        if not own:
            raise ForewarmError(f"{path} holds no question: write one JSON object per line.")
        rows += own
    return rows


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ForewarmError(
            f"{path} cannot be read ({why}): name a file of questions, one JSON object per line."
        ) from None


def answered_questions(context: str, days: float) -> list[EvidenceRow]:
    """Return the questions that a context has answered, with the places that the answers cite.

    Raises:
        ForewarmError: the store cannot be read, or there is none.
    """
    rows = asyncio.run(_answered(context, days))
    if not rows:
        raise ForewarmError(
            f"{context} has answered no question with a citation in the last {days:g} days: "
            "give more days, or a file of questions."
        )
    return rows


async def _answered(context: str, days: float) -> list[EvidenceRow]:
    async with open_store(read_settings()) as store:
        found = await store.history.answered(system_now() - days * 86_400, context)
    rows = (row_of_answer(one.id, one.text, _answer_text(one.messages)) for one in found)
    return [row for row in rows if row is not None]


def _answer_text(messages: Sequence[Mapping[str, Any]]) -> str:
    """Return the model's own words of a turn."""
    texts: list[str] = []
    for message in messages:
        content = message.get("content")
        if message.get("role") == "assistant":
            blocks = [{"text": content}] if isinstance(content, str) else content or []
            texts += [str(block["text"]) for block in blocks if "text" in block]
    return "\n".join(texts)


def subject_of_context(name: str, at: str | None) -> Subject:
    """Return the one repository of a context.

    Raises:
        ForewarmError: there is no such context, it has several, or they cannot be fetched.
    """
    config = find_context(name)
    if config is None:
        raise ForewarmError(
            f"There is no context called {name!r}: name a file of the contexts folder, "
            "without .toml."
        )
    settings = read_settings()
    codebase = Codebase(
        config,
        settings.home,
        now=system_now,
        credentials=git_credentials(settings, system_now),
        # A user who can run this command can read those folders anyway.
        sources=Sources(local=(Path("/"),)),
    )
    asyncio.run(codebase.sync())
    (source, head), *others = codebase.heads()
    if others:
        raise ForewarmError(
            f"{config.name} has several repositories: name one of them with --repository."
        )
    facts, index = _caches(source.repository)
    web = config.repositories[0].web_template
    return Subject(source.repository, source.rules, facts, index, at or head, web)


def subjects_of_paths(named: Sequence[str], at: str | None) -> list[Subject]:
    """Return the repositories that `PATH` or `NAME=PATH` name; the current folder if none does.

    Raises:
        ForewarmError: a path is in no repository, or two have the same name.
    """
    subjects: dict[str, Subject] = {}
    for one in named or ["."]:
        name, mark, path = one.rpartition("=")
        folder = Path(path)
        if not mark or Path(one).exists():
            folder = Path(one)
            name = folder.resolve().name.removesuffix(".git")
        repository = GitRepository.discover(folder, printable(name))
        if repository.name in subjects:
            raise ForewarmError(
                f"Two repositories are called {repository.name}: write --repository NAME=PATH."
            )
        facts, index = _caches(repository)
        subjects[repository.name] = Subject(
            repository, Rules(repository.name), facts, index, at or "HEAD", address(repository)[1]
        )
    return list(subjects.values())


def _caches(repository: GitRepository) -> tuple[Path, Path]:
    return cache_file(repository), cache_file(repository, "index", "db")


def share_out(
    rows: Sequence[EvidenceRow], subjects: Sequence[Subject]
) -> list[tuple[Subject, list[EvidenceRow]]]:
    """Return each repository with its questions; one without questions is left out.

    A question's `repo` names its repository. It does not matter if there is only one.

    Raises:
        ForewarmError: a question is about none of several repositories.
    """
    if len(subjects) == 1:
        return [(subjects[0], list(rows))]
    by_name: dict[str | None, list[EvidenceRow]] = {one.rules.name: [] for one in subjects}
    for row in rows:
        if row.repository not in by_name:
            known = ", ".join(one.rules.name for one in subjects)
            raise ForewarmError(
                f'Question {row.id} is about no repository of {known}: give it a "repo", or write '
                "--repository NAME=PATH."
            )
        by_name[row.repository].append(row)
    return [(one, by_name[one.rules.name]) for one in subjects if by_name[one.rules.name]]
