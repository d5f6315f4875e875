"""A context's repositories as they live: fetched, packed, carried from push to push, read.

One `Codebase` per context. `sync` fetches, `pack` brings the prefix up to the fetched commits in
the cheapest way and returns it, `snapshot` reads what is behind that very pack. Replicas that
share a state send the same bytes: the first one writes the pack, the others adopt it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from bot.clock import Now
from bot.context.child import Limits, Sessions, in_threads
from bot.context.config.load import ContextConfig, RepositoryConfig
from bot.context.config.schema import LimitsConfig
from bot.context.errors import (
    AuthenticationError,
    BusyError,
    RepositoryError,
    TokenError,
)
from bot.context.files.blob_cache import FactsCache, Progress
from bot.context.files.select import Rules, masked_note, printable
from bot.context.git.clone import Bounds, Clone, Secrets, Sources
from bot.context.git.credentials import Credentials
from bot.context.git.repository import GitRepository
from bot.context.pack import Omission, Pack, RepositoryState
from bot.context.pack_builder import Assembly, Member, Source, omissions, used_files
from bot.context.pack_store import MemoryState, PackState
from bot.context.packer import Packer, ReadExperience
from bot.context.reader import Reader
from bot.context.render.blocks import plural
from bot.context.render.token_estimate import CountTokens, Estimator
from bot.context.sizing import Size, SizePolicy
from bot.context.snapshot import GitSnapshot, View
from bot.context.update.policy import Decision
from bot.garbage_collection import set_aside


@dataclass
class _Followed:
    """One repository: its clone, and when it was last known to be up to date."""

    config: RepositoryConfig
    clone: Clone
    source: Source
    head: str | None = None
    synced_at: float | None = None
    failure: RepositoryError | None = None


class Codebase:
    """The repositories of one context.

    `home` is the folder of clones and caches, `now` the wall clock, `estimator` the first estimate
    of tokens, `count` the server's own counter if it has one, `state` the store in which base and
    overlays outlive the process, `credentials` the secrets for private repositories, `sources` the
    addresses that may be fetched. `sessions` opens the process that reads and packs, `reader` has
    the one that looks up. `experience` reads what earlier answers have taught.
    """

    def __init__(
        self,
        config: ContextConfig,
        home: Path,
        *,
        now: Now,
        estimator: Estimator | None = None,
        count: CountTokens | None = None,
        state: PackState | None = None,
        credentials: Credentials | None = None,
        sources: Sources | None = None,
        bounds: Bounds | None = None,
        progress: Progress | None = None,
        sessions: Sessions = in_threads,
        policy: SizePolicy | None = None,
        experience: ReadExperience | None = None,
        reader: Reader | None = None,
    ) -> None:
        self.config = config
        self.reader = reader
        self._policy = policy or SizePolicy(max_wait=config.max_wait)
        self._now = now
        self._followed = [
            _follow(repository, home, credentials, sources, bounds)
            for repository in config.repositories
        ]
        self._packer = Packer(
            config.name,
            config.pack_fingerprint,
            [followed.source for followed in self._followed],
            None if config.budget_tokens == "auto" else config.budget_tokens,
            config.model,
            MemoryState() if state is None else state,
            estimator=estimator,
            count=count,
            progress=progress,
            sessions=sessions,
            policy=self._policy if config.budget_tokens == "auto" else None,
            experience=experience,
        )
        self._pack: Pack | None = None
        self._lock = asyncio.Lock()

    def __repr__(self) -> str:
        state = repr(self._packer.assembly) if self._packer.assembly else "not packed"
        return f"<Codebase {self.config.name}: {state}>"

    # --- fetching --------------------------------------------------------------------------------

    async def sync(self) -> bool:
        """Fetch every repository; True if a head is not the packed one.

        A repository that cannot be fetched keeps its last good commit, and `pack` says since when.

        Raises:
            ForewarmError: one could not be fetched and there is nothing of it yet.
        """
        await asyncio.gather(*(self._sync(followed) for followed in self._followed))
        packed = self._packer.assembly.members if self._packer.assembly else ()
        return self._heads() != [member.commit for member in packed]

    async def _sync(self, followed: _Followed) -> None:
        try:
            followed.head = await followed.clone.fetch()
        except BusyError:
            # Another process fetches the same clone right now: its result is as good as ours.
            followed.head = await asyncio.to_thread(followed.clone.head)
        except RepositoryError as error:
            followed.failure = error
            followed.head = await asyncio.to_thread(followed.clone.head)
            if followed.head is None:
                raise
            if followed.synced_at is None:
                followed.synced_at = await asyncio.to_thread(followed.clone.fetched_at)
            return
        if followed.head is not None:
            followed.failure = None
            followed.synced_at = self._now()
            await asyncio.to_thread(followed.clone.note_fetched, followed.synced_at)

    def stale(self) -> dict[str, Stale]:
        """Return the repositories whose newest fetch failed, by name."""
        return {
            one.config.name: Stale(
                one.synced_at or 0.0,
                one.failure.user_message,
                isinstance(one.failure, AuthenticationError | TokenError),
            )
            for one in self._followed
            if one.failure is not None
        }

    async def ambiguous_refs(self) -> tuple[str, ...]:
        """Return the names of repositories whose `ref` is both a branch and a tag.

        Raises:
            RepositoryError: a remote cannot be asked.
        """
        found = await asyncio.gather(*(one.clone.ambiguous() for one in self._followed))
        pairs = zip(self._followed, found, strict=True)
        return tuple(one.config.name for one, ambiguous in pairs if ambiguous)

    # --- packing ---------------------------------------------------------------------------------

    async def pack(self, *, cold: bool = False) -> Pack:
        """Bring the prefix up to the fetched commits and return it.

        `cold` says that nothing of it is cached any more: updates are then folded into new bases.

        Raises:
            ForewarmError: a repository cannot be read.
        """
        async with self._lock:
            if any(followed.head is None for followed in self._followed):
                await self.sync()
            assembly = await self._packer.update_to(
                self._heads(), cold=cold, refresh=self._fetched_heads
            )
            self._pack = await asyncio.to_thread(self._describe, assembly)
            return self._pack

    @property
    def assembly(self) -> Assembly:
        """The assembly of the last `pack`. Raises `RuntimeError` before the first."""
        if self._packer.assembly is None:
            raise RuntimeError("pack() comes first")
        return self._packer.assembly

    def heads(self) -> list[tuple[Source, str]]:
        """Return each repository with the commit that was fetched last."""
        return [(one.source, one.head) for one in self._followed if one.head is not None]

    def _heads(self) -> list[str]:
        return [followed.head or "" for followed in self._followed]

    async def _fetched_heads(self) -> list[str]:
        await self.sync()
        return self._heads()

    def learn(self, estimated: int, actual: int) -> None:
        """Take in what a reply said a text took that was estimated here, in tokens.

        It corrects later estimates if nothing was measured yet: without a server
        that counts, the first reply is the first measurement.
        """
        self._packer.learn(estimated, actual)

    @property
    def estimator(self) -> Estimator:
        return self._packer.estimator

    @property
    def decision(self) -> Decision | None:
        """The last decision of `pack` and its reason; None for a first build."""
        return self._packer.decision

    @property
    def size(self) -> Size | None:
        """The size that `auto` chose for the last pack; None if the budget is set."""
        return self._packer.assembler.size

    @property
    def excerpt_tokens(self) -> int:
        """The most tokens that excerpts of one question take."""
        if self.config.excerpt_tokens != "auto":
            return self.config.excerpt_tokens
        if self.size is not None:
            return self.size.excerpt_tokens
        policy = replace(self._policy, speed=self._packer.speed or self._policy.speed)
        return policy.excerpts_beside(self._packer.assembler.budget or 0)

    # --- telling ---------------------------------------------------------------------------------

    def repositories(self) -> tuple[RepositoryState, ...]:
        """Return the state of each repository now, also when only a fetch has failed since."""
        return tuple(
            _state(followed, member)
            for followed, member in zip(self._followed, self.assembly.members, strict=True)
        )

    def snapshot(self) -> GitSnapshot:
        """Return the files behind the last pack.

        Raises:
            RuntimeError: nothing has been packed yet.
        """
        assembly = self.assembly
        assert self._pack is not None
        return GitSnapshot(
            [
                View(
                    followed.source,
                    state,
                    member.standing.survey,
                    member.base_commit,
                    self.reader,
                    None if member.origin is None else member.origin.survey,
                )
                for followed, member, state in zip(
                    self._followed, assembly.members, self._pack.repositories, strict=True
                )
            ]
        )

    def members(self) -> list[tuple[Source, Member]]:
        """Return each repository with its place in the last pack."""
        sources = (followed.source for followed in self._followed)
        return list(zip(sources, self.assembly.members, strict=True))

    def _describe(self, assembly: Assembly) -> Pack:
        members = assembly.members
        with set_aside():
            omitted = tuple(
                Omission(member.base.repository, printable(path), reason)
                for member in members
                for path, reason in {**omissions(member), **_masked(member)}.items()
            )
        files = sum(len(member.standing.shown) for member in members)
        size = "" if self.size is None else self.size.sentence()
        return Pack(
            assembly.blocks, self.repositories(), omitted, files, size, self._learned(assembly)
        )

    def _learned(self, assembly: Assembly) -> str:
        """Say what answers have taught the prefix; nothing if it shows every file anyway."""
        uses = self._packer.assembler.uses
        members = [member for member in assembly.members if not member.standing.complete]
        then = sum(member.used for member in members)
        now = sum(
            used_files(uses.get(one.base.repository, {}), one.standing.survey.files)
            for one in members
        )
        if not then and not now:
            return ""
        return (
            f"Learned from answers: {plural(then, 'file')} that they cited or read came first when "
            f"the base was built; the next base puts {now} first."
        )


def _follow(
    repository: RepositoryConfig,
    home: Path,
    credentials: Credentials | None,
    sources: Sources | None,
    bounds: Bounds | None,
) -> _Followed:
    clone = Clone(
        repository.name,
        repository.address,
        repository.ref,
        home,
        secrets=Secrets(credentials or Credentials(), repository.token, repository.ssh_key),
        sources=sources,
        depth=repository.depth,
        bounds=bounds,
    )
    cache = FactsCache(cache_path(home, clone))
    source = Source(rules_of(repository), GitRepository(clone.git_dir, repository.name), cache)
    return _Followed(repository, clone, source)


def limits_of(limits: LimitsConfig) -> Limits:
    """Return the limits of the child that packs a context."""
    return Limits(
        memory_bytes=limits.pack_memory_mb * 1_000_000,
        processor_seconds=limits.pack_seconds,
        seconds=limits.pack_seconds * 1.5,
    )


@dataclass(frozen=True, slots=True)
class Stale:
    """Since when a repository could not be fetched (Unix seconds of the last good fetch), and why.

    `is_refused` tells that the host refused the token or the key.

    Two are equal if they began at the same time.
    """

    since: float
    reason: str = field(compare=False)
    is_refused: bool = False


def cache_path(home: Path, clone: Clone) -> Path:
    """Return the file that holds what is known of a clone's files."""
    return home / "facts" / f"{clone.git_dir.stem}.json"


def rules_of(repository: RepositoryConfig) -> Rules:
    """Return what a context says of one repository's files."""
    return Rules(
        repository.name,
        repository.include,
        repository.exclude,
        repository.first,
        repository.max_file_bytes,
        repository.max_files,
    )


def _masked(member: Member) -> Mapping[str, str]:
    notes = {path: masked_note(file) for path, file in member.standing.shown.items()}
    return {path: note for path, note in notes.items() if note is not None}


def _state(followed: _Followed, member: Member) -> RepositoryState:
    failure = followed.failure
    return RepositoryState(
        name=member.base.repository,
        url=followed.config.address.remote,
        ref=followed.config.ref,
        commit=member.commit,
        committed_at=member.standing.survey.committed_at,
        base_commit=member.base_commit,
        web=followed.config.web_template,
        stale_since=None if failure is None else (followed.synced_at or 0.0),
        stale_reason=None if failure is None else failure.user_message,
    )
