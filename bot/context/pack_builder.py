"""All repositories of a context put together: bases, overlays, and what each push makes of them.

Everything here blocks (it reads repositories) and is meant for a thread; what it works on is
immutable, so the loser of a race drops its result.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from bot.context.errors import GitFailedError
from bot.context.files.blob_cache import FactsCache, Progress
from bot.context.files.select import File, Rules
from bot.context.files.tree import Survey, survey, survey_next, texts
from bot.context.git.repository import GitRepository
from bot.context.pack import Block
from bot.context.render.base_block import NO_USES, BasePlan, files_tokens, plan_base
from bot.context.render.blocks import body, file_marker
from bot.context.render.budget import RESERVE, base_room, split
from bot.context.render.rank import LEAST_USES
from bot.context.render.token_estimate import Estimator, Slice
from bot.context.sizing import Size, SizePolicy, Speed
from bot.context.update.build import Standing, Update, build_update
from bot.context.update.policy import Decision, Part, decide

Counted = Mapping[bytes, int]
"""Tokens by update text, as the server counts them."""
Uses = Mapping[str, Mapping[str, float]]
"""How often answers used each file, decayed, by repository and path."""


@dataclass(frozen=True)
class Experience:
    """The experience of earlier answers: the files that they used, and how fast the model is."""

    uses: Uses
    speed: Speed


@dataclass(frozen=True)
class Source:
    """One repository to pack: its files, its rules, and the cache of facts about its blobs."""

    rules: Rules
    repository: GitRepository
    cache: FactsCache


@dataclass(frozen=True)
class Member:
    """One repository's place in a prefix.

    `base_paths` are the files that the base shows in full (None: all there were).
    """

    base: Block
    base_commit: str
    base_paths: frozenset[str] | None
    base_mapped: frozenset[str]
    standing: Standing
    part: Part
    reasons: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The reasons for which the budget kept files out, as far as they are still known."""
    origin: Standing | None = field(default=None, repr=False)
    """The files that the base itself shows. They are looked up again after a restart."""
    used: int = 0
    """The files that came first in the base because answers had used them."""

    @property
    def commit(self) -> str:
        return self.standing.survey.commit


@dataclass(frozen=True)
class Assembly:
    """A prefix's blocks: all bases in the context's order, then all overlays as they came."""

    members: tuple[Member, ...]
    overlays: tuple[Block, ...] = ()

    @property
    def blocks(self) -> tuple[Block, ...]:
        return (*(member.base for member in self.members), *self.overlays)

    @property
    def tokens(self) -> int:
        return sum(block.tokens for block in self.blocks)

    def __repr__(self) -> str:
        commits = ", ".join(f"{m.base.repository}@{m.commit[:7]}" for m in self.members)
        return f"<Assembly {commits}: {len(self.overlays)} overlays, {self.tokens} tokens>"


@dataclass
class _Step:
    """One repository on the way to its next commit. `fold` is made only if it is asked for."""

    source: Source
    member: Member
    update: Update
    part: Part
    fold: Update | None = None

    @property
    def name(self) -> str:
        return self.source.rules.name

    def block(self) -> Block:
        """Return the update as a block of the prefix."""
        return _block(self.source, self.update)

    def next_member(self) -> Member:
        """Return the repository's place in the prefix after this step."""
        return replace(self.member, standing=self.update.standing, part=self.part)


class Assembler:
    """Builds and advances assemblies of one context. `budget` is in tokens, None for no bound."""

    def __init__(
        self,
        sources: Sequence[Source],
        budget: int | None,
        policy: SizePolicy | None = None,
    ) -> None:
        self.sources = tuple(sources)
        self.budget = budget
        self.size: Size | None = None
        """The choice of `policy`; None before the first pack, and without a policy."""
        self.policy = policy
        """Chooses the sizes; None if the budget is set."""
        self.uses: Uses = {}

    def surveys(
        self,
        commits: Sequence[str],
        known: Sequence[Survey | None],
        progress: Progress | None = None,
    ) -> list[Survey]:
        """Survey each repository at its commit, from what is known of an earlier one."""
        return [
            _surveyed(source, commit, last, progress)
            for source, commit, last in zip(self.sources, commits, known, strict=True)
        ]

    def sample(
        self, surveys: Sequence[Survey], calls: Sequence[Sequence[Slice]]
    ) -> dict[str, bytes]:
        """Return the texts of the files that `calls` name, by repository and path.

        A text is counted as it will be sent: markers and line numbers are tokens too.
        """
        wanted = {path for call in calls for path, _, _ in call}
        found: dict[str, bytes] = {}
        for source, at_commit in zip(self.sources, surveys, strict=True):
            name = at_commit.rules.name
            files = [f for f in at_commit.files.values() if f"{name}/{f.path}" in wanted]
            for file, text in zip(files, texts(source.repository, files), strict=True):
                found[f"{name}/{file.path}"] = file_marker(file) + body(text)
        return found

    def first(self, surveys: Sequence[Survey], estimator: Estimator) -> Assembly:
        """Build every base anew."""
        return Assembly(self._members(surveys, estimator, ()))

    def advance(
        self,
        assembly: Assembly,
        surveys: Sequence[Survey],
        estimator: Estimator,
        *,
        cold: bool,
        counted: Counted = MappingProxyType({}),
    ) -> tuple[Assembly, Decision]:
        """Bring the prefix to the surveys' commits in the cheapest way.

        `counted` are update texts whose tokens are known; those of others are estimated.
        """
        steps = [
            self._step(source, member, found, estimator, counted)
            for source, member, found in zip(self.sources, assembly.members, surveys, strict=True)
        ]

        def folded() -> int:
            told = {block.repository for block in assembly.overlays}
            for step in steps:
                if step.fold is None and (step.name in told or step.update.text):
                    step.fold = _as_counted(self._fold(step, estimator), counted)
            return sum(step.fold.tokens for step in steps if step.fold is not None)

        parts = [step.part for step in steps]
        decision = decide(parts, room=self._room(estimator), cold=cold, folded=folded)
        for step, part in zip(steps, decision.parts, strict=True):
            step.part = part
        if decision.act == "rebuild":
            start = decision.start
            kept = steps[:start]
            names = {step.name for step in kept}
            overlays = [block for block in assembly.overlays if block.repository in names]
            overlays += [step.block() for step in kept if step.update.text]
            members = [step.next_member() for step in kept]
            fresh = self._members(surveys[start:], estimator, members)
            return Assembly(fresh, tuple(overlays)), decision
        if decision.act == "fold":
            overlays = [_block(s.source, s.fold) for s in steps if s.fold and s.fold.text]
        else:
            news = [step.block() for step in steps if step.update.text]
            overlays = [*assembly.overlays, *news]
        return Assembly(tuple(step.next_member() for step in steps), tuple(overlays)), decision

    def choose_size(self, surveys: Sequence[Survey], estimator: Estimator) -> None:
        """Set the budget by the policy, if there is one, for what the surveys hold."""
        if self.policy is not None:
            whole = sum(files_tokens(found.files, estimator) for found in surveys)
            self.size = self.policy.choose(whole)
            self.budget = self.size.budget_tokens

    # --- bases -----------------------------------------------------------------------------------

    def _members(
        self, surveys: Sequence[Survey], estimator: Estimator, kept: Sequence[Member]
    ) -> tuple[Member, ...]:
        """Build the bases of the surveys; `kept` are members before them that stay."""
        sources = self.sources[len(kept) :]
        shares = self._divide_budget(surveys, estimator, kept)
        members: list[Member] = list(kept)
        for source, found in zip(sources, surveys, strict=True):
            room = None if shares is None else shares[source.rules.name]
            uses = self.uses.get(source.rules.name, NO_USES)
            plan = plan_base(source.repository, found, estimator, room, uses)
            members.append(_member(source, plan, uses))
        return tuple(members)

    def _divide_budget(
        self, surveys: Sequence[Survey], estimator: Estimator, kept: Sequence[Member]
    ) -> dict[str, int] | None:
        if self.budget is None:
            return None
        room = base_room(self.budget, estimator.spread)
        room -= sum(member.part.base + member.part.overlays for member in kept)
        wants = {
            found.rules.name: int(files_tokens(found.files, estimator) * 1.05) + 500
            for found in surveys
        }
        return split(wants, max(0, room))

    def _room(self, estimator: Estimator) -> int | None:
        return None if self.budget is None else int(self.budget / (1 + estimator.spread))

    # --- overlays --------------------------------------------------------------------------------

    def _step(
        self,
        source: Source,
        member: Member,
        found: Survey,
        estimator: Estimator,
        counted: Counted,
    ) -> _Step:
        if found.commit == member.commit:
            update = Update(b"", 0, replace(member.standing, survey=found))
        else:
            repository = source.repository
            changes = repository.changes(member.commit, found.commit)
            admit = self._admit(member, estimator)
            update = build_update(repository, member.standing, found, changes, admit, estimator)
        update = _as_counted(update, counted)
        return _Step(source, member, update, _weighed(member, update))

    def _admit(self, member: Member, estimator: Estimator) -> Callable[[File], bool]:
        """Return a test for new files: each has to leave most of the room to later pushes."""
        if self.budget is None:
            return lambda file: True
        left = [self.budget * RESERVE - member.part.overlays]

        def admit(file: File) -> bool:
            tokens = files_tokens({file.path: file}, estimator)
            if tokens > left[0] * 0.25:
                return False
            left[0] -= tokens
            return True

        return admit

    def _fold(self, step: _Step, estimator: Estimator) -> Update:
        """Return all updates of a repository since its base as one."""
        head, shown = step.update.standing.survey, step.update.standing.shown
        repository = step.source.repository
        return build_update(
            repository,
            self._at_base(step.source, step.member),
            head,
            repository.changes(step.member.base_commit, head.commit),
            lambda file: file.path in shown,
            estimator,
        )

    def _at_base(self, source: Source, member: Member) -> Standing:
        if member.origin is not None:
            return member.origin
        then = survey(source.repository, member.base_commit, source.rules, source.cache)
        paths = member.base_paths
        shown = (
            then.files
            if paths is None
            else {path: file for path, file in then.files.items() if path in paths}
        )
        return Standing(then, shown, member.base_mapped, paths is None)


def _surveyed(
    source: Source, commit: str, last: Survey | None, progress: Progress | None
) -> Survey:
    if last is not None:
        if last.commit == commit:
            return last
        # A commit that is known of but gone from the clone leaves nothing to compare with.
        with contextlib.suppress(GitFailedError):
            return survey_next(source.repository, last, commit, source.cache)[0]
    return survey(source.repository, commit, source.rules, source.cache, progress)


def used_files(uses: Mapping[str, float], files: Mapping[str, File]) -> int:
    """Count the files that come first because answers used them."""
    return sum(uses.get(path, 0.0) >= LEAST_USES for path in files)


def _member(source: Source, plan: BasePlan, uses: Mapping[str, float]) -> Member:
    text = b"".join(plan.parts(source.repository)).decode("utf-8")
    standing = Standing.of(plan)
    return Member(
        Block("base", source.rules.name, text, plan.tokens),
        plan.survey.commit,
        None if plan.complete else frozenset(plan.shown),
        plan.mapped,
        standing,
        Part(plan.tokens, 0, 0, plan.tokens),
        plan.omitted,
        standing,
        0 if plan.complete else used_files(uses, plan.survey.files),
    )


def _as_counted(update: Update, counted: Counted) -> Update:
    return replace(update, tokens=counted.get(update.text, update.tokens))


def _block(source: Source, update: Update) -> Block:
    return Block("overlay", source.rules.name, update.text.decode("utf-8"), update.tokens)


def _weighed(member: Member, update: Update) -> Part:
    """Bring the ledger up to date with what the push would add and a fresh base would take."""
    fresh = max(1, member.part.fresh + update.grown)
    return replace(member.part, append=update.tokens, fresh=fresh)


def omissions(member: Member) -> dict[str, str]:
    """Return what is not shown in full now, with its reason, by path."""
    files, shown = member.standing.survey.files, member.standing.shown
    hidden = {
        path: member.reasons.get(path, "over the budget") for path in files if path not in shown
    }
    return {**member.standing.survey.omitted, **hidden}
