"""Which tracked files may be shown, and why the others are not. Pure: facts come in."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from bot.context.config.globs import matcher
from bot.context.files.blob_cache import Facts, Wanted
from bot.context.files.gitattributes import Attributes
from bot.context.files.heuristics import ContentSigns, path_sign
from bot.context.files.kinds import Kind, kind_of, scan_kind_of
from bot.context.git.repository import SUBMODULE, SYMLINK, Entry
from bot.context.secrets.mask import Span

LONGEST_PATH = 1_024
LARGEST_TREE = 200_000
"""How many files a repository may have, and how long a path may be, in bytes."""

_UNSAFE_NAME = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)


class File(NamedTuple):
    """A file that may be shown. `size` and `lines` are those of the shown text."""

    path: str
    oid: str
    size: int
    lines: int
    kind: Kind
    spans: tuple[Span, ...]


@dataclass(frozen=True)
class Rules:
    """What a context says about one repository's files."""

    name: str
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    first: tuple[str, ...] = ()
    max_file_bytes: int = 1_000_000

    def scope(self) -> Callable[[str], bool]:
        """Return a function that tells whether a path is inside the context's globs."""
        excluded = matcher(self.exclude)
        if not self.include:
            return lambda path: not excluded(path)
        included = matcher(self.include)
        return lambda path: included(path) and not excluded(path)


@dataclass(frozen=True, slots=True)
class Selection:
    """Files by path, in the order of their paths' bytes, and reasons by path for the rest.

    What the context's globs leave aside is in neither.
    """

    files: dict[str, File]
    omitted: dict[str, str]

    def __repr__(self) -> str:
        return f"<Selection {len(self.files)} files, {len(self.omitted)} left out>"


@dataclass(frozen=True, slots=True)
class Shortlist:
    """What is worth looking into, before any content is read."""

    wanted: dict[str, Wanted]
    omitted: dict[str, str]


def shortlist(
    tree: Mapping[str, Entry],
    scope: Callable[[str], bool],
    attributes: Attributes,
) -> Shortlist:
    """Sort out by path, mode and `.gitattributes` alone."""
    wanted: dict[str, Wanted] = {}
    omitted: dict[str, str] = {}
    for path, entry in tree.items():
        if not scope(path):
            continue
        reason = _name_reason(path, entry.mode)
        if reason is None:
            marks = attributes.marks(path)
            reason = _path_reason(path, marks.binary, marks.generated, marks.vendored)
            if reason is None:
                vouched = marks.generated is False
                wanted[path] = Wanted(entry.oid, kind_of(path), scan_kind_of(path), vouched)
        if reason is not None:
            omitted[path] = reason
    return Shortlist(wanted, omitted)


def _name_reason(path: str, mode: int) -> str | None:
    if mode == SUBMODULE:
        return "submodule"
    if mode == SYMLINK:
        return "symbolic link"
    if _UNSAFE_NAME.search(path):
        return "its name holds characters that cannot be shown"
    if len(path) > LONGEST_PATH // 4 and len(path.encode()) > LONGEST_PATH:
        return f"its path is longer than {LONGEST_PATH} bytes"
    return None


def _path_reason(
    path: str, binary: bool | None, generated: bool | None, vendored: bool | None
) -> str | None:
    if binary:
        return "binary"
    if generated:
        return "generated"
    if vendored:
        return "vendored"
    sign = path_sign(path)
    if sign in {"generated", "minified"} and generated is False:
        return None
    if sign == "vendored" and vendored is False:
        return None
    return sign


def settle(listed: Shortlist, facts: Mapping[Wanted, Facts | int], limit: int) -> Selection:
    """Decide on what the content says. A number in place of facts is the size of what is too large.

    `limit` is the most bytes that a file may have.
    """
    files: dict[str, File] = {}
    omitted = dict(listed.omitted)
    for path, wanted in listed.wanted.items():
        known = facts[wanted]
        if isinstance(known, int):
            omitted[path] = _size_reason(known, limit)
            continue
        reason = _content_reason(known.signs, wanted.vouched)
        if reason is None:
            files[path] = File(path, wanted.oid, known.size, known.lines, wanted.kind, known.spans)
        else:
            omitted[path] = reason
    return Selection(files, omitted)


def _size_reason(size: int, limit: int) -> str:
    if size < 0:
        return "its content is missing from the clone"
    return f"larger than {limit:,} bytes"


def _content_reason(signs: ContentSigns, not_generated: bool) -> str | None:
    if signs.binary:
        return "binary"
    if signs.pointer:
        return "large file pointer"
    if signs.minified and not not_generated:
        return "minified"
    if signs.generated and not not_generated:
        return "generated"
    return None


def printable(path: str) -> str:
    """Return a path as it may be shown anywhere: what cannot be shown is escaped."""
    escaped = _UNSAFE_NAME.sub(lambda match: _escape(match.group()), path)
    return escaped if len(escaped) <= 300 else escaped[:299] + "…"


def _escape(char: str) -> str:
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return char.encode("unicode_escape").decode("ascii")


def masked_note(file: File) -> str | None:
    """Say what was masked in a file, if anything was."""
    if not file.spans:
        return None
    labels = sorted({span.label for span in file.spans})
    count = len(file.spans)
    return f"shown, {count} value{'s' if count > 1 else ''} masked: {', '.join(labels)}"
