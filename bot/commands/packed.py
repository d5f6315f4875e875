"""Output of `forewarm pack`: figures for machines, a tree for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.context.files.select import File, printable
from bot.context.render.base_block import file_bytes
from bot.context.render.blocks import HINTS
from bot.context.render.token_estimate import Estimator

MODEL = "claude-sonnet-5-5"
"""Whose tokens are estimated for a path; a context names its own model."""


@dataclass
class Packed:
    """Result of packing. `omitted` holds repository, path and reason."""

    title: str
    blocks: list[dict[str, Any]] = field(default_factory=list)
    files: list[tuple[str, File]] = field(default_factory=list)
    omitted: list[tuple[str, str, str]] = field(default_factory=list)
    bytes: int = 0
    fingerprint: str = ""
    estimator: Estimator = field(default_factory=lambda: Estimator.of(MODEL))
    note: str = ""

    @property
    def tokens(self) -> int:
        return sum(int(block["tokens"]) for block in self.blocks)

    @property
    def overhead(self) -> float:
        """Bytes beyond the contents of the files that are shown, as a share of those."""
        contents = sum(file.size for _, file in self.files)
        return self.bytes / contents - 1 if contents else 0.0

    def document(self, seconds: float) -> dict[str, Any]:
        """Return what `--json` prints."""
        return {
            "target": self.title,
            "tokens": self.tokens,
            "bytes": self.bytes,
            "files": len(self.files),
            "overhead": round(self.overhead, 4),
            "omitted": [
                {"repository": repository, "path": path, "reason": reason}
                for repository, path, reason in self.omitted
            ],
            "fingerprint": self.fingerprint,
            "blocks": self.blocks,
            "seconds": round(seconds, 4),
        }


_SHOWN_FOLDERS = 40
_SHOWN_PATHS = 5


def report(packed: Packed, seconds: float) -> Iterable[str]:
    yield _headline(packed)
    if packed.note:
        yield f"  {packed.note}"
    yield ""
    yield from _tree(packed)
    yield ""
    yield from _left_out(packed.omitted)
    yield f"fingerprint {packed.fingerprint}"
    yield f"{seconds:.2f} s"


def summary(packed: Packed, seconds: float, output: Path) -> str:
    note = f" ({packed.note})" if packed.note else ""
    return f"{_headline(packed)}, written to {output} in {seconds:.2f} s{note}"


def _headline(packed: Packed) -> str:
    blocks = f"{len(packed.blocks)} block{'s' if len(packed.blocks) > 1 else ''}"
    return (
        f"{packed.title}: {len(packed.files):,} files, {packed.tokens:,} tokens, "
        f"{packed.bytes:,} bytes ({packed.overhead:.1%} beyond the files'), {blocks}"
    )


def _tree(packed: Packed) -> Iterable[str]:
    """Show tokens by folder, two deep, the folders in order of their paths."""
    sums: dict[tuple[str, ...], tuple[int, int]] = {}
    several = len({repository for repository, _ in packed.files}) > 1
    for repository, file in packed.files:
        tokens = packed.estimator.tokens(file.kind, file_bytes(file))
        folders = file.path.split("/")[:-1][:2]
        parts = (*([repository] if several else []), *folders)
        for depth in range(len(parts) + 1):
            count, total = sums.get(parts[:depth], (0, 0))
            sums[parts[:depth]] = (count + 1, total + tokens)
    biggest = sorted(sums, key=lambda parts: -sums[parts][1])[:_SHOWN_FOLDERS]
    for parts in sorted(biggest):
        count, tokens = sums[parts]
        name = f"{parts[-1]}/" if parts else "."
        label = "  " * len(parts) + printable(name)
        yield f"  {label:<44} {tokens:>11,} tokens  {count:>6,} files"
    if len(sums) > len(biggest):
        yield f"  … and {len(sums) - len(biggest)} smaller folders"


def _left_out(omitted: Sequence[tuple[str, str, str]]) -> Iterable[str]:
    by_reason: dict[str, list[str]] = {}
    for _, path, reason in omitted:
        heading = reason.split(" (")[0] if reason.startswith("over the budget") else reason
        if heading in HINTS:
            heading = f"{heading} ({HINTS[heading]})"
        by_reason.setdefault(heading, []).append(path)
    for reason in sorted(by_reason, key=lambda reason: (-len(by_reason[reason]), reason)):
        paths = sorted(by_reason[reason])
        more = len(paths) - _SHOWN_PATHS
        yield f"  {len(paths):>6,} {reason}: {', '.join(paths[:_SHOWN_PATHS])}" + (
            f" and {more:,} more" if more > 0 else ""
        )
    if omitted:
        yield ""
