"""Gathers the facts of a receipt when an answer is whole."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from bot.answer import receipt
from bot.answer.dependencies import Dependencies
from bot.answer.feedback import Mark
from bot.answer.interfaces import Current
from bot.answer.loop import Progress
from bot.answer.prepare import Prepared
from bot.answer.receipt import Receipt, counted_behind
from bot.answer.thread.prompt import Conversation
from bot.delivery.slack_api import JsonObject
from bot.errors import ForewarmError

FAR_BEHIND = 100
"""Commits that are looked through for the one that was used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The facts of an answer at its end. `citations` are good, corrected, struck."""

    mark: Mark
    prepared: Prepared | None
    talk: Conversation | None
    progress: Progress
    citations: tuple[int, int, int]
    wait: float | None
    cold: str = ""


async def blocks_for(parts: Dependencies, finished: Finished) -> tuple[JsonObject, ...]:
    """Return what stands under the answer; one that no model began on has no receipt."""
    prepared, progress = finished.prepared, finished.progress
    if prepared is None or progress.started_at is None:
        return receipt.blocks(None, finished.mark)
    notices = finished.talk.notices if finished.talk is not None else ()
    good, corrected, struck = finished.citations
    facts = Receipt(
        pack=prepared.current.pack,
        cached=progress.usage.cache_read,
        usd=progress.usd,
        wait=finished.wait,
        cold=finished.cold,
        cited=good + corrected,
        struck=struck,
        look_ups=progress.look_ups,
        excerpts=prepared.excerpts.count,
        behind=await count_commits_behind(parts, finished.mark.context, prepared.current),
        notices=(*prepared.notices, *notices),
    )
    return receipt.blocks(facts, finished.mark)


async def count_commits_behind(
    parts: Dependencies, context: str, used: Current
) -> Mapping[str, int]:
    """Count by how many commits each branch has moved on while the answer was given."""
    counts: dict[str, int] = {}
    with suppress(ForewarmError):
        newest = await parts.sources.current(context)
        heads = {state.name: state.commit for state in newest.pack.repositories}
        for state in used.pack.repositories:
            if heads.get(state.name, state.commit) != state.commit:
                counts[state.name] = await asyncio.get_running_loop().run_in_executor(
                    parts.executor, commits_behind, newest, state.name, state.commit
                )
    return counts


def commits_behind(newest: Current, repository: str, used: str) -> int:
    """Return how many commits the branch has gained since the one that was used, at least one."""
    changes = newest.snapshot.history(repository, "", FAR_BEHIND)
    return max(1, counted_behind([change.commit for change in changes], used))
