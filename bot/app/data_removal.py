"""Stops the bot and erases what it keeps: of the workspace, a channel, or a person.

The order is always the same: stop the work that could write more, erase, then tell the other
replicas, which do the same for themselves. What is erased, and what stays, is written in
docs/privacy.md.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import uuid
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import structlog

from bot.app.contexts.clones import KIND as PACKS
from bot.app.contexts.clones import paths_of
from bot.app.contexts.file_uses import KIND as USES
from bot.app.contexts.model_speed import KIND as SPEEDS
from bot.app.contexts.registry import ContextRegistry
from bot.app.contexts.slack_contexts import DRAFTS, TRUSTED, SlackContexts
from bot.app.excerpts import ExcerptSearch
from bot.app.replica_actions import INTERRUPTIONS
from bot.app.warmth import KIND as WARMTH
from bot.app.warmth import Warmth
from bot.clock import Now
from bot.context.config.load import ContextConfig
from bot.errors import ForewarmError
from bot.store.erase import REMOVALS
from bot.store.store import Store
from bot.stored import UnreadableValue, dump, load
from bot.telemetry.journal import Journal

log = structlog.get_logger(__name__)

SHARED_STATE = (PACKS, DRAFTS, INTERRUPTIONS, SPEEDS, TRUSTED, USES, WARMTH)
"""Kinds of `state` that belong to the installation and go with its last workspace."""
KEPT_SECONDS = 60.0
"""How long a removal is announced: longer than any replica takes to look."""
LOOK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Removal:
    """Erased rows. An empty `workspace` means every workspace; `at` is in Unix seconds.

    `until` is a time stamp of Slack. Questions that a channel asked after it stay; without it, all
    go.
    """

    what: Literal["workspace", "channel", "user"]
    at: float
    workspace: str = ""
    channel: str = ""
    user: str = ""
    until: str = ""


class Memory(Protocol):
    """Something of this process that remembers people or channels."""

    async def forget(
        self, *, channel: str | None = None, user: str | None = None, until: str = ""
    ) -> None:
        """Stop work on a channel or a person and forget them. Without either: everything.

        Questions that a channel asked after `until`, a time stamp of Slack, go on.
        """


class DataRemoval:
    """`bot.slack.lifecycle.Forgetting` for one workspace.

    `memories` are told before the store is erased, so that nothing is written anew. `halt` stops
    the workspace's work; it is called when the app was removed from the workspace. `dropped` is
    called with the name of each context that goes with it; the indexes among `indexes` that end by
    that are waited for. If the workspace `is_only`, state that belongs to the whole installation
    goes as well.
    """

    def __init__(
        self,
        store: Store,
        library: ContextRegistry,
        slack_contexts: SlackContexts,
        warmth: Warmth,
        journal: Journal,
        memories: Iterable[Memory],
        halt: Callable[[], Awaitable[None]],
        dropped: Callable[[str], None],
        indexes: ExcerptSearch,
        *,
        workspace: str,
        is_only: bool,
        home: Path,
        now: Now,
    ) -> None:
        self._store = store
        self._library = library
        self._slack_contexts = slack_contexts
        self._warmth = warmth
        self._journal = journal
        self._memories = list(memories)
        self._halt = halt
        self._dropped = dropped
        self._indexes = indexes
        self._workspace = workspace
        self._shared_state = SHARED_STATE if is_only else ()
        self._home = home
        self._now = now
        self._done: set[str] = set()
        self._removed = asyncio.Event()

    def __repr__(self) -> str:
        state = ", the app was removed" if self.removed else ""
        return f"<DataRemoval in {self._workspace}{state}>"

    @property
    def removed(self) -> bool:
        """Tell whether the app was removed from the workspace. Then nothing is answered."""
        return self._removed.is_set()

    def include(self, memory: Memory) -> None:
        """Tell one more memory of every removal: one that is built after this."""
        self._memories.append(memory)

    async def forget_channel(self, channel: str, until: str) -> None:
        """The bot left a channel, or it was archived: erase it here and at the other replicas."""
        removal = Removal(
            "channel", self._now(), workspace=self._workspace, channel=channel, until=until
        )
        await self._carry_out(removal)

    async def forget_everything(self) -> None:
        """The app was uninstalled or its token revoked: answer nothing more, keep nothing."""
        if not self.removed:
            await self._carry_out(Removal("workspace", self._now(), workspace=self._workspace))

    async def begin(self) -> None:
        """Pass over what was announced before: it concerns nothing that is remembered here."""
        self._done.update(await self._store.state.all(REMOVALS))

    async def follow(self, key: str, value: bytes) -> None:
        """Carry out a removal that another process announced, once."""
        if key in self._done or self.removed:
            return
        try:
            removal = load(Removal, json.loads(value))
        except UnreadableValue as error:
            self._done.add(key)
            log.warning("removal_unreadable", why=error.problem)
            return
        if self._now() > removal.at + KEPT_SECONDS:
            await self._store.state.remove(REMOVALS, key)
        elif removal.workspace in ("", self._workspace):
            self._done.add(key)
            await self._erase(removal)

    async def _carry_out(self, removal: Removal) -> None:
        """Erase, then announce: a replica that follows erases what it has written meanwhile."""
        await self._erase(removal)
        self._done.add(await announce(self._store, removal))

    async def _erase(self, removal: Removal) -> None:
        log.warning("data_removed", what=removal.what)
        before = self._library.all()
        if removal.what == "workspace":
            self._removed.set()
            await self._halt()
            await self._forget_here()
            for context in before:
                self._library.drop(context.name)
                self._dropped(context.name)
                await self._store.state.remove(USES, context.name)
            await self._journal.flush()
            await self._store.erase.workspace(self._workspace, self._shared_state)
        elif removal.what == "channel":
            self._warmth.forget_channel(removal.channel, float(removal.until or removal.at))
            await self._forget_here(channel=removal.channel, until=removal.until)
            await self._journal.flush()
            await self._store.erase.channel(self._workspace, removal.channel, until=removal.until)
            await self._slack_contexts.follow()
        else:
            await self._forget_here(user=removal.user)
            await self._journal.flush()
            await self._store.erase.user(removal.workspace, removal.user)
        # A git, a child or an index that is still at work would write the files anew.
        await self._library.wait_for_ends()
        await self._indexes.wait_for_ends()
        await asyncio.to_thread(delete_clones, self._home, before, self._library.all())

    async def _forget_here(
        self, *, channel: str | None = None, user: str | None = None, until: str = ""
    ) -> None:
        for memory in self._memories:
            await memory.forget(channel=channel, user=user, until=until)


async def keep_following(store: Store, removals: Callable[[], Iterable[DataRemoval]]) -> None:
    """Carry out in each workspace what other processes announce, until cancelled."""
    while True:
        try:
            for key, kept in (await store.state.all(REMOVALS)).items():
                for one in removals():
                    await one.follow(key, kept.value)
        except ForewarmError as error:
            log.warning("removals_not_read", why=str(error))
        await asyncio.sleep(LOOK_SECONDS)


async def announce(store: Store, removal: Removal) -> str:
    """Tell the running replicas what was erased; return the key of the announcement."""
    key = uuid.uuid4().hex
    value = json.dumps(dump(removal, defaults=False)).encode()
    await store.state.put(REMOVALS, key, value)
    return key


def delete_clones(
    home: Path, before: Iterable[ContextConfig], after: Iterable[ContextConfig]
) -> None:
    """Delete the clones and caches of repositories that no context uses any more. Blocks."""
    used = {path for config in after for path in paths_of(config, home)}
    for config in before:
        for path in paths_of(config, home):
            if path in used:
                continue
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
