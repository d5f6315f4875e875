"""From one commit to the next: the update block that tells a prefix what a push changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from bot.context.files.kinds import Kind
from bot.context.files.select import File, printable
from bot.context.files.tree import Survey, texts
from bot.context.git.repository import GitRepository, TreeChange
from bot.context.render.base_block import BasePlan, files_tokens
from bot.context.render.blocks import marker
from bot.context.render.token_estimate import UPDATE_DENSITY, Estimator
from bot.context.update.changes import Move, after, moves
from bot.context.update.overlay import FileChange, overlay_block


@dataclass(frozen=True)
class Standing:
    """The files of one repository that a prefix shows: in full or mapped, at one survey.

    `complete` says that all that may be shown is shown, so that new files are taken in.
    """

    survey: Survey
    shown: Mapping[str, File]
    mapped: frozenset[str]
    complete: bool

    @classmethod
    def of(cls, plan: BasePlan) -> Standing:
        return cls(plan.survey, plan.shown, plan.mapped, plan.complete)

    def __repr__(self) -> str:
        whole = "all" if self.complete else "some"
        return f"<Standing {self.survey!r}: {whole}, {len(self.shown)} files in full>"


@dataclass(frozen=True)
class Update:
    """An update block (empty if nothing shown has changed) and the state after it.

    `grown` is by how many tokens a fresh base would be larger than before.
    """

    text: bytes
    tokens: int
    standing: Standing
    grown: int = 0


Admit = Callable[[File], bool]


def build_update(
    repository: GitRepository,
    standing: Standing,
    survey: Survey,
    changes: Sequence[TreeChange],
    admit: Admit,
    estimator: Estimator,
) -> Update:
    """Return the block that leads from what stands to the survey's commit."""
    known = standing.survey.files

    def take(file: File) -> bool:
        # A file without room in the base gets none in an update: only new files are considered.
        return standing.complete or (file.path not in known and admit(file))

    made = moves(standing.shown, survey.files, changes, take)
    kept = [move for move in made if move.status != "deleted"]
    read = _read(repository, (file for move in kept for file in (move.old, move.new)))
    told = [_with_texts(move, read, survey) for move in made]
    shown = after(standing.shown, made)
    notes, mapped = _map_news(repository, standing, survey, shown)
    name = survey.rules.name
    text = overlay_block(name, survey.commit, survey.committed_at, told, notes)
    next_standing = replace(standing, survey=survey, shown=shown, mapped=mapped)
    return Update(text, _tokens(told, text, estimator), next_standing, _grown(made, estimator))


def _grown(made: Sequence[Move], estimator: Estimator) -> int:
    new = {move.path: move.new for move in made if move.new is not None}
    old = {move.path: move.old for move in made if move.old is not None}
    return files_tokens(new, estimator) - files_tokens(old, estimator)


_Texts = dict[tuple[str, str], bytes]
"""Shown texts by blob and path: a path has one text before a push and another after it."""


def _read(repository: GitRepository, files: Iterable[File | None]) -> _Texts:
    wanted = {(file.oid, file.path): file for file in files if file is not None}
    return dict(zip(wanted, texts(repository, list(wanted.values())), strict=True))


def _with_texts(move: Move, read: _Texts, survey: Survey) -> FileChange:
    if move.status == "deleted":
        return FileChange("deleted", move.path, reason=survey.omitted.get(move.path))
    assert move.new is not None
    old = read[move.old.oid, move.old.path] if move.old else b""
    new = read[move.new.oid, move.new.path]
    source = move.old.path if move.old and move.status == "renamed" else None
    return FileChange(move.status, move.path, move.new, old, new, source)


def _map_news(
    repository: GitRepository, standing: Standing, survey: Survey, shown: Mapping[str, File]
) -> tuple[bytes, frozenset[str]]:
    """Tell what changed of files that are only mapped: new, gone, or declaring something else."""
    if standing.complete:
        return b"", standing.mapped
    from bot.context.render.file_map import declares, news
    from bot.context.render.signatures import signatures

    before, now = standing.survey.files, survey.files
    parts: list[bytes] = []
    mapped = set(standing.mapped)
    for path in sorted((before.keys() | now.keys()) - standing.shown.keys() - shown.keys()):
        old, new = before.get(path), now.get(path)
        if new is None:
            parts.append(marker(f"deleted {printable(path)}"))
            mapped.discard(path)
        elif old is None:
            parts.append(news(new, ()))
        elif old.oid != new.oid and path in standing.mapped:
            read = _read(repository, (old, new))
            was = signatures(path, read[old.oid, path])
            found = signatures(path, read[new.oid, path])
            if declares(was) != declares(found):
                parts.append(news(new, found))
    return b"".join(parts), frozenset(mapped)


def _tokens(told: Sequence[FileChange], text: bytes, estimator: Estimator) -> int:
    """Estimate a block's tokens by the kinds of the files that it tells of."""
    weights: dict[Kind, int] = {}
    for change in told:
        if change.file is not None:
            size = abs(len(change.new) - len(change.old)) + 200
            weights[change.file.kind] = weights.get(change.file.kind, 0) + size
    whole = sum(weights.values())
    if not whole:
        weights, whole = {"code": 1}, 1
    sizes = {kind: len(text) * part // whole for kind, part in weights.items()}
    return round(estimator.total(sizes) * UPDATE_DENSITY)
