"""Carrying one context's prefix from push to push, through a state that replicas may share."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial

from bot.context.child import Run, Sessions, in_threads
from bot.context.errors import RepositoryError
from bot.context.files.blob_cache import Progress
from bot.context.files.tree import Survey
from bot.context.pack import Block
from bot.context.pack_builder import Assembler, Assembly, Experience, Member, Source
from bot.context.pack_manifest import Manifest, pack_text, unpack_text
from bot.context.pack_store import PackState
from bot.context.render.base_block import file_bytes
from bot.context.render.token_estimate import (
    UNMEASURED,
    CountTokens,
    Estimator,
    calibrate,
    sample,
)
from bot.context.sizing import SizePolicy, Speed
from bot.context.update.policy import Decision
from bot.errors import ForewarmError

_TRIES = 5
_REFITS = 3
_COUNTED_WHOLE = 8_000_000
"""A base of more bytes than this is not sent to be counted; no model could read it either."""


Refresh = Callable[[], Awaitable[Sequence[str]]]
ReadExperience = Callable[[], Awaitable[Experience]]


class Packer:
    """One context's assembly, as it stands in the state.

    `settings` is a fingerprint: what was kept under another one is void. `estimator` skips
    calibration; `count` is the server's own counter, if there is one; `experience` reads
    what earlier answers have taught: the next base is sized and ranked by it.
    """

    def __init__(
        self,
        name: str,
        settings: str,
        sources: Sequence[Source],
        budget: int | None,
        model: str,
        state: PackState,
        *,
        estimator: Estimator | None = None,
        count: CountTokens | None = None,
        progress: Progress | None = None,
        sessions: Sessions = in_threads,
        policy: SizePolicy | None = None,
        experience: ReadExperience | None = None,
    ) -> None:
        self.assembler = Assembler(sources, budget, policy)
        self.assembly: Assembly | None = None
        self.estimator = estimator or Estimator.of(model)
        self.decision: Decision | None = None
        """The last decision of `update_to` and its reason; None for a first build."""
        self._name = name
        self._settings = settings
        self._model = model
        self._state = state
        self._count = count
        self._progress = progress
        self._calibrated = estimator is not None
        self._kept: bytes | None = None
        self._unsaved = False
        self._sessions = sessions
        self._read_experience = experience
        self.speed: Speed | None = None
        """The speed of the model as it was measured; None if nothing measures it."""
        self._run: Run

    async def update_to(
        self, heads: Sequence[str], *, cold: bool = False, refresh: Refresh | None = None
    ) -> Assembly:
        """Bring the prefix to these commits, one per source, and keep it.

        `refresh` fetches anew and returns the heads: if a replica has gone further than these,
        they are out of date, and going back to them would tell the prefix to and fro.
        """
        if self._read_experience is not None:
            learned = await self._read_experience()
            self.assembler.uses, self.speed = learned.uses, learned.speed
            if self.assembler.policy is not None:
                self.assembler.policy = replace(self.assembler.policy, speed=learned.speed)
        async with self._sessions(self._name) as self._run:
            return await self._update_to(heads, cold, refresh)

    async def _update_to(
        self, heads: Sequence[str], cold: bool, refresh: Refresh | None
    ) -> Assembly:
        for _ in range(_TRIES):
            kept = await self._state.load(self._key("manifest"))
            if kept != self._kept or self.assembly is None:
                self.assembly = await self._adopt(kept)
                if kept is not None and refresh and self._differs(heads):
                    heads = await refresh()
                    self.assembly = self.assembly or await self._adopt(kept)
                self._kept = kept
            made = await self._advance(heads, cold)
            if await self._keep(made):
                return made
        # Others keep changing what stands: what was made is still right, only unshared.
        self.assembly = made
        return made

    def learn(self, estimated: int, actual: int) -> None:
        """Correct the estimator by the tokens that a reply counted, unless they were measured.

        Only the first reply counts: what was estimated before it keeps the figures it has.
        """
        if self.estimator.spread >= UNMEASURED:
            self.estimator = self.estimator.corrected(estimated, actual)
            self._unsaved = True

    def _differs(self, heads: Sequence[str]) -> bool:
        return self.assembly is None or list(heads) != _commits(self.assembly)

    # --- building --------------------------------------------------------------------------------

    async def _advance(self, heads: Sequence[str], cold: bool) -> Assembly:
        assembly = self.assembly
        if assembly is not None and not cold and list(heads) == _commits(assembly):
            parts = tuple(member.part for member in assembly.members)
            self.decision = Decision("keep", "these commits are packed already", parts)
            return assembly
        known: list[Survey | None] = [None] * len(heads)
        if assembly is not None:
            known = [member.standing.survey for member in assembly.members]
        surveys = await self._run(self.assembler.surveys, heads, known, self._progress)
        for source in self.assembler.sources:
            source.cache.forget()
        await self._calibrate(surveys)
        if self._unsaved:
            await self._state.save(self._estimator_key(), self.estimator.dump())
            self._unsaved = False
        if assembly is None:
            self.decision = None
            return await self._measured(surveys)
        made, self.decision = await self._decided(assembly, surveys, cold)
        if self.decision.act != "rebuild":
            return made
        if self.decision.start == 0:
            return await self._measured(surveys, made)
        return await self._renewed(surveys, made, self.decision.start)

    async def _decided(
        self, assembly: Assembly, surveys: Sequence[Survey], cold: bool
    ) -> tuple[Assembly, Decision]:
        """Decide on a push by the tokens that the server counts, if it can count."""
        if self.assembler.size is None:
            self.assembler.choose_size(surveys, self.estimator)
        counted: dict[bytes, int] = {}
        while True:
            made, decision = await self._run(
                partial(
                    self.assembler.advance,
                    assembly,
                    surveys,
                    self.estimator,
                    cold=cold,
                    counted=dict(counted),
                )
            )
            known = {block.text for block in assembly.overlays}
            texts = {block.text for block in made.overlays if block.text not in known}
            uncounted = [text for text in sorted(texts) if text.encode() not in counted]
            counts = [await self._ask(text) for text in uncounted]
            if not counts or None in counts:
                return made, decision
            # A true figure may ask for another act, whose text is counted in its turn; there are
            # only three.
            counted.update(
                (text.encode(), count)
                for text, count in zip(uncounted, counts, strict=True)
                if count is not None
            )

    async def _renewed(self, surveys: Sequence[Survey], made: Assembly, start: int) -> Assembly:
        """Have the bases from `start` on counted; build all anew if they are too large."""
        counts = await self._counted(made.members[start:])
        if counts is None:
            return made
        made = _recounted(made, counts, start)
        return made if self._fits(made.tokens) else await self._measured(surveys)

    async def _measured(self, surveys: Sequence[Survey], made: Assembly | None = None) -> Assembly:
        """Build all bases, have them counted if that is possible, and refit too large ones."""
        if made is None:
            made = await self._first(surveys)
        for _ in range(_REFITS):
            counts = await self._counted(made.members)
            if counts is None:
                return made
            actual = sum(counts)
            self.estimator = self.estimator.corrected(made.tokens, actual)
            await self._state.save(self._estimator_key(), self.estimator.dump())
            if self._fits(actual) and not _wasteful(made, actual):
                return _recounted(made, counts)
            made = await self._first(surveys)
        counts = await self._counted(made.members)
        return made if counts is None else _recounted(made, counts)

    async def _first(self, surveys: Sequence[Survey]) -> Assembly:
        self.assembler.choose_size(surveys, self.estimator)
        return await self._run(self.assembler.first, surveys, self.estimator)

    def _fits(self, tokens: int) -> bool:
        budget = self.assembler.budget
        return budget is None or tokens * (1 + self.estimator.spread) <= budget

    # --- counting --------------------------------------------------------------------------------

    async def _counted(self, members: Sequence[Member]) -> list[int] | None:
        """Count each base; None if one cannot be counted."""
        counts: list[int] = []
        for member in members:
            if len(member.base.text) > _COUNTED_WHOLE:
                return None
            counted = await self._ask(member.base.text)
            if counted is None:
                return None
            counts.append(counted)
        return counts

    async def _ask(self, text: str) -> int | None:
        """Count a text; a server that fails now is one that cannot count."""
        if self._count is None:
            return None
        try:
            return await self._count(text)
        except ForewarmError:
            return None

    async def _calibrate(self, surveys: Sequence[Survey]) -> None:
        """Set the ratios right, once per model, from what was kept or from counted samples."""
        if self._calibrated:
            return
        self._calibrated = True
        self.estimator = Estimator.load(self._model, await self._state.load(self._estimator_key()))
        if self._count is None or self.estimator.spread < UNMEASURED:
            return
        files = [
            (f"{found.rules.name}/{file.path}", file.kind, file_bytes(file))
            for found in surveys
            for file in found.ordered()
        ]
        calls = sample(files)
        kinds = {path: kind for path, kind, _ in files}
        sampled = await self._run(self.assembler.sample, surveys, calls)
        self.estimator = await calibrate(self.estimator, calls, kinds, sampled, self._ask)
        await self._state.save(self._estimator_key(), self.estimator.dump())

    # --- keeping ---------------------------------------------------------------------------------

    def _key(self, what: str) -> str:
        return f"{self._name}.{what}"

    def _estimator_key(self) -> str:
        return f"estimator.{hashlib.sha256(self._model.encode()).hexdigest()[:16]}"

    async def _adopt(self, kept: bytes | None) -> Assembly | None:
        """Restore the kept assembly; None if it is void or cannot be read any more."""
        manifest = await asyncio.to_thread(Manifest.load, kept, self._settings)
        names = [source.rules.name for source in self.assembler.sources]
        if manifest is None or [member.name for member in manifest.members] != names:
            return None
        blocks: dict[str, str] = {}
        for block in manifest.blocks:
            data = await self._state.load(self._key(block.fingerprint))
            try:
                text = await asyncio.to_thread(unpack_text, data or b"")
                blocks[block.fingerprint] = text
            except ValueError:
                return None
        with contextlib.suppress(RepositoryError):
            surveys = await self._run(_surveys_at, self.assembler, manifest, self._progress)
            if surveys is not None:
                return manifest.restore(surveys, blocks)
        return None

    async def _keep(self, made: Assembly) -> bool:
        """Store a new assembly; False if another replica has stored one meanwhile."""
        if made is self.assembly and self._kept is not None:
            return True
        old = {block.fingerprint for block in self.assembly.blocks} if self.assembly else set()
        # Texts and lists of megabytes would hold the event loop for tens of milliseconds.
        new = await asyncio.to_thread(lambda: {block.fingerprint for block in made.blocks})
        for block in made.blocks:
            if block.fingerprint not in old:
                data = await asyncio.to_thread(pack_text, block.text)
                await self._state.save(self._key(block.fingerprint), data)
        manifest = await asyncio.to_thread(lambda: Manifest.of(made, self._settings).dump())
        if not await self._state.swap(self._key("manifest"), self._kept, manifest):
            self.assembly = None
            return False
        for fingerprint in old - new:
            await self._state.delete(self._key(fingerprint))
        self.assembly, self._kept = made, manifest
        return True


def _surveys_at(
    assembler: Assembler, manifest: Manifest, progress: Progress | None
) -> list[Survey] | None:
    """Survey the kept commits, if the repositories still hold them and the bases'."""
    for source, member in zip(assembler.sources, manifest.members, strict=True):
        if not all(map(source.repository.has, (member.commit, member.base_commit))):
            return None
    commits = [member.commit for member in manifest.members]
    known: list[Survey | None] = [None] * len(commits)
    return assembler.surveys(commits, known, progress)


def _commits(assembly: Assembly) -> list[str]:
    return [member.commit for member in assembly.members]


def _wasteful(assembly: Assembly, actual: int) -> bool:
    """Tell whether the truth is so far below the estimate that more files would fit."""
    if all(member.base_paths is None for member in assembly.members):
        return False
    return actual < assembly.tokens * 0.93


def _recounted(assembly: Assembly, counts: Sequence[int], start: int = 0) -> Assembly:
    """Put counted figures in place of those that were estimated of the bases from `start` on."""
    members = list(assembly.members[:start])
    for member, tokens in zip(assembly.members[start:], counts, strict=True):
        base = Block("base", member.base.repository, member.base.text, tokens)
        part = replace(member.part, base=tokens, fresh=tokens)
        members.append(replace(member, base=base, part=part))
    return Assembly(tuple(members), assembly.overlays)
