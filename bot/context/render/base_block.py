"""Building one repository's base: what goes in, in which order, and its bytes piece by piece."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from bot.context.files.kinds import Kind
from bot.context.files.select import File
from bot.context.files.tree import Survey, in_order, texts
from bot.context.git.repository import GitRepository
from bot.context.render.blocks import base_head, base_parts, base_tail, body_size, file_marker
from bot.context.render.token_estimate import Estimator

_HEAD_BYTES = 400
NO_USES: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True)
class BasePlan:
    """The contents of a base. `shown` are the files in full, `mapped` those with signatures in the
    map, `omitted` everything else with its reason, what the budget kept out included.
    """

    survey: Survey
    head: bytes
    overview: bytes
    shown: dict[str, File]
    mapped: frozenset[str]
    omitted: dict[str, str]
    tokens: int
    named: frozenset[str] = frozenset()
    """Paths that the map names."""

    @property
    def complete(self) -> bool:
        """Whether nothing was kept out for want of room."""
        return len(self.shown) == len(self.survey.files)

    def parts(self, repository: GitRepository) -> Iterator[bytes]:
        """Yield the block's bytes in order, reading each file when its turn comes."""
        files = in_order(self.shown)
        pairs = zip(files, texts(repository, files), strict=True)
        yield from base_parts(self.head, pairs, base_tail(self.survey.rules.name), self.overview)


def file_bytes(file: File) -> int:
    """Return about how many bytes a file takes in a base, its marker included."""
    return body_size(file.size, file.lines) + len(file_marker(file))


def files_tokens(files: Mapping[str, File], estimator: Estimator) -> int:
    sizes: dict[Kind, int] = {}
    for file in files.values():
        sizes[file.kind] = sizes.get(file.kind, 0) + file_bytes(file)
    return estimator.total(sizes)


def plan_base(
    repository: GitRepository,
    survey: Survey,
    estimator: Estimator,
    room: int | None,
    uses: Mapping[str, float] = NO_USES,
) -> BasePlan:
    """Decide what the base holds within `room` tokens (None: everything).

    `uses` tells how often answers used each file, as far as that is known.
    """
    whole = files_tokens(survey.files, estimator)
    frame = estimator.tokens("code", len(_head(survey, survey.files)) + _HEAD_BYTES)
    if room is None or whole + frame <= room:
        head = _head(survey, survey.files)
        return BasePlan(
            survey, head, b"", dict(survey.files), frozenset(), dict(survey.omitted), whole + frame
        )
    return _plan_within(repository, survey, estimator, room, uses)


def _head(survey: Survey, files: Mapping[str, File]) -> bytes:
    rules = survey.rules
    return base_head(
        rules.name,
        survey.commit,
        survey.committed_at,
        list(files.values()),
        survey.omitted,
        rules.include,
        survey.submodules,
    )


def _plan_within(
    repository: GitRepository,
    survey: Survey,
    estimator: Estimator,
    room: int,
    uses: Mapping[str, float],
) -> BasePlan:
    # Only a repository over its budget needs grammars and ranking.
    from bot.context.render.budget import choose
    from bot.context.render.file_map import build_map, most_room
    from bot.context.render.rank import rank
    from bot.context.render.signatures import Signature, signatures

    def cost(size: int) -> int:
        return estimator.tokens("code", size)

    def file_cost(file: File) -> int:
        return estimator.tokens(file.kind, file_bytes(file))

    @cache
    def look(file: File) -> Sequence[Signature]:
        return signatures(file.path, next(texts(repository, [file])))

    ranked = rank(survey.files, *_evidence(repository, survey), survey.rules, uses)
    head_room = cost(len(_head(survey, {})) + _HEAD_BYTES)
    map_room = most_room(ranked, cost, room)
    # The map takes less than its share if little is hidden: the rest goes to files. The second
    # round asks for most of the same signatures, so `look` keeps them.
    for _ in range(2):
        choice = choose(ranked, file_cost, max(0, room - head_room - map_room))
        hidden = [entry for entry in ranked if entry.file.path not in choice.files]
        text, entries, named = build_map(hidden, look, cost, map_room, room)
        map_room = min(map_room, cost(len(text)))
    head = _head(survey, choice.files)
    tokens = files_tokens(choice.files, estimator) + cost(len(head) + len(text) + 40)
    omitted = {**survey.omitted, **choice.omitted}
    return BasePlan(survey, head, text, choice.files, entries, omitted, tokens, named)


def _evidence(
    repository: GitRepository, survey: Survey
) -> tuple[dict[str, list[str]], list[list[str]]]:
    """Read the evidence for ranking: references, and history if it is whole.

    A shallow clone's history ends at its fetch: two machines would rank differently.
    """
    from bot.context.render.rank import history_length
    from bot.context.render.references import references

    files = list(survey.files.values())
    referring = {
        file.path: references(file.path, text)
        for file, text in zip(files, texts(repository, files), strict=True)
    }
    if repository.is_shallow():
        return referring, []
    length = history_length([*survey.files, *survey.omitted])
    return referring, repository.touched(survey.commit, length)
