"""An assembly as it is kept: a small manifest, and one stored value per block of text.

The bytes that were sent are kept, so that a restart sends the same. A change of the
format, of the secret scanner or of the context's settings makes a kept assembly void.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.context.files.blob_cache import FACTS_VERSION
from bot.context.files.tree import Survey
from bot.context.pack import Block
from bot.context.pack_builder import Assembly, Member
from bot.context.render.blocks import FORMAT_VERSION
from bot.context.update.build import Standing
from bot.context.update.policy import Part

_VERSION = f"1.{FORMAT_VERSION}.{FACTS_VERSION}"


@dataclass(frozen=True)
class KeptMember:
    """One repository of a kept assembly. Paths are None if everything was shown."""

    name: str
    commit: str
    base_commit: str
    base_paths: frozenset[str] | None
    base_mapped: frozenset[str]
    shown_paths: frozenset[str] | None
    mapped: frozenset[str]
    part: Part
    used: int = 0


@dataclass(frozen=True)
class KeptBlock:
    kind: str
    repository: str
    fingerprint: str
    tokens: int


@dataclass(frozen=True)
class Manifest:
    """The contents of a context's prefix, without the text."""

    settings: str
    members: tuple[KeptMember, ...]
    blocks: tuple[KeptBlock, ...]

    @classmethod
    def of(cls, assembly: Assembly, settings: str) -> Manifest:
        return cls(
            settings,
            tuple(_keep(member) for member in assembly.members),
            tuple(
                KeptBlock(block.kind, block.repository, block.fingerprint, block.tokens)
                for block in assembly.blocks
            ),
        )

    def dump(self) -> bytes:
        document = {
            "version": _VERSION,
            "settings": self.settings,
            "members": [_member_row(member) for member in self.members],
            "blocks": [[b.kind, b.repository, b.fingerprint, b.tokens] for b in self.blocks],
        }
        return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()

    @classmethod
    def load(cls, data: bytes | None, settings: str) -> Manifest | None:
        """Read what was dumped; None if it is void, of another version or other settings."""
        try:
            document = json.loads(data or b"")
            if document["version"] != _VERSION or document["settings"] != settings:
                return None
            members = tuple(_member_of(row) for row in document["members"])
            blocks = tuple(KeptBlock(*row) for row in document["blocks"])
        except (ValueError, KeyError, TypeError):
            return None
        return cls(settings, members, blocks)

    def restore(self, surveys: Sequence[Survey], texts: Mapping[str, str]) -> Assembly:
        """Put the assembly together again. `surveys` are those of the members' commits."""
        blocks = [
            Block(
                "base" if b.kind == "base" else "overlay",
                b.repository,
                texts[b.fingerprint],
                b.tokens,
            )
            for b in self.blocks
        ]
        bases = {block.repository: block for block in blocks if block.kind == "base"}
        members = tuple(
            _restored(member, bases[member.name], found)
            for member, found in zip(self.members, surveys, strict=True)
        )
        return Assembly(members, tuple(block for block in blocks if block.kind == "overlay"))


def pack_text(text: str) -> bytes:
    """Return a block's text as it is stored."""
    return zlib.compress(text.encode("utf-8"), 1)


def unpack_text(data: bytes) -> str:
    """Raise `ValueError` if the data is not a result of `pack_text`."""
    try:
        return zlib.decompress(data).decode("utf-8")
    except zlib.error as error:
        raise ValueError(str(error)) from None


def _keep(member: Member) -> KeptMember:
    standing = member.standing
    return KeptMember(
        member.base.repository,
        member.commit,
        member.base_commit,
        member.base_paths,
        member.base_mapped,
        None if standing.complete else frozenset(standing.shown),
        standing.mapped,
        member.part,
        member.used,
    )


def _member_row(member: KeptMember) -> dict[str, Any]:
    part = member.part
    return {
        "name": member.name,
        "commit": member.commit,
        "base": member.base_commit,
        "base_paths": _paths(member.base_paths),
        "base_mapped": _paths(member.base_mapped),
        "shown": _paths(member.shown_paths),
        "mapped": _paths(member.mapped),
        "used": member.used,
        "part": [part.base, part.overlays, part.append, part.fresh, part.carried, part.pushes],
    }


def _member_of(row: Mapping[str, Any]) -> KeptMember:
    return KeptMember(
        row["name"],
        row["commit"],
        row["base"],
        _set(row["base_paths"]),
        frozenset(row["base_mapped"]),
        _set(row["shown"]),
        frozenset(row["mapped"]),
        Part(*row["part"]),
        row.get("used", 0),
    )


def _paths(paths: frozenset[str] | None) -> list[str] | None:
    return None if paths is None else sorted(paths)


def _set(paths: Sequence[str] | None) -> frozenset[str] | None:
    return None if paths is None else frozenset(paths)


def _restored(member: KeptMember, base: Block, found: Survey) -> Member:
    paths = member.shown_paths
    shown = found.files if paths is None else {p: found.files[p] for p in paths if p in found.files}
    standing = Standing(found, shown, member.mapped, paths is None)
    return Member(
        base,
        member.base_commit,
        member.base_paths,
        member.base_mapped,
        standing,
        member.part,
        used=member.used,
    )
