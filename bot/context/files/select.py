"""Which tracked files may be shown, and why the others are not. Pure: facts come in."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from bot.context.config.globs import matcher
from bot.context.files.blob_cache import Facts, Wanted
from bot.context.files.gitattributes import Attributes, Marks
from bot.context.files.heuristics import ContentSigns, Sign, look_of, path_sign
from bot.context.files.kinds import Kind, kind_of
from bot.context.files.vendored import VendoredFolders
from bot.context.git.repository import SUBMODULE, SYMLINK, Entry
from bot.context.secrets.formats import scan_kind_of
from bot.context.secrets.mask import Span

LONGEST_PATH = 1_024
LARGEST_TREE = 200_000
"""How long a path may be, in bytes, and how many files a repository may have at a command line."""
LARGEST_READABLE = 8_000_000
"""Bytes of a file that the prompt leaves out and a look-up may still read."""

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
    shortened: bool = False
    """Whether long lines or outputs are cut in the shown text."""
    recoded: bool = False
    """Whether the blob is in UTF-16 or UTF-32: git takes it for binary."""

    @property
    def differs(self) -> bool:
        """Whether a line of the shown text may differ from the blob's line."""
        return bool(self.spans) or self.recoded


@dataclass(frozen=True)
class Rules:
    """The rules of a context for one repository's files."""

    name: str
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    first: tuple[str, ...] = ()
    max_file_bytes: int = 1_000_000
    max_files: int = LARGEST_TREE

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

    `readable` are the omitted files that may be read all the same. A path that the context's globs
    leave aside is in none of the three.
    """

    files: dict[str, File]
    omitted: dict[str, str]
    readable: dict[str, Wanted] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"<Selection {len(self.files)} files, {len(self.omitted)} left out>"


@dataclass(frozen=True, slots=True)
class Shortlist:
    """The files to look into, before any content is read. `readable` as in `Selection`."""

    wanted: dict[str, Wanted]
    omitted: dict[str, str]
    readable: dict[str, Wanted]


class Claims(NamedTuple):
    """The claims of a tree's files about its other files."""

    attributes: Attributes
    vendored: VendoredFolders
    generated: frozenset[str] = frozenset()


def shortlist(
    tree: Mapping[str, Entry],
    scope: Callable[[str], bool],
    claims: Claims,
) -> Shortlist:
    """Sort out by path, mode and the repository's own claims alone."""
    listed = Shortlist({}, {}, {})
    for path, entry in tree.items():
        if not scope(path):
            continue
        if reason := _name_reason(path, entry.mode):
            listed.omitted[path] = reason
            continue
        marks = claims.attributes.marks(path)
        if path in claims.generated and marks.generated is None:
            marks = marks._replace(generated=True)
        wanted = Wanted(
            entry.oid,
            kind_of(path),
            scan_kind_of(path),
            marks.generated is False,
            look_of(path),
            marks.vendored is False,
            marks.is_text,
        )
        sign = _path_sign(path, marks, claims.vendored)
        if sign is None:
            listed.wanted[path] = wanted
            continue
        listed.omitted[path] = sign
        if sign not in _UNREADABLE:
            listed.readable[path] = wanted
    return listed


MOST_MASKED_IN_ALL = 100_000
"""Values that are masked in all files of a repository. Further files are left out."""
_TOO_MANY_MASKED = "too many masked values in the repository"
_UNREADABLE = frozenset[str]([*("binary", "credentials", "large file pointer"), _TOO_MANY_MASKED])


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


def _path_sign(path: str, marks: Marks, vendored: VendoredFolders) -> Sign | None:
    """Return the reason against a file before its content is read; the repository's word first."""
    if marks.binary:
        return "binary"
    sign = path_sign(path)
    if sign == "credentials":
        return sign
    if marks.generated:
        return "generated"
    if marks.vendored:
        return "vendored"
    if sign in {"generated", "minified", "lock file"} and marks.generated is False:
        sign = None
    if sign == "vendored" and marks.vendored is False:
        sign = None
    if sign in {"binary", "image"} and marks.is_text:
        sign = None
    if sign is None and marks.vendored is None and vendored.hold(path):
        return "vendored"
    return sign


def settle(listed: Shortlist, facts: Mapping[Wanted, Facts | int], limit: int) -> Selection:
    """Decide by the content. A number in place of facts is the size of a file that is too large.

    `limit` is the most bytes that a file may have.
    """
    files: dict[str, File] = {}
    masked = 0
    omitted, readable = dict(listed.omitted), dict(listed.readable)
    for path, wanted in listed.wanted.items():
        known = facts[wanted]
        if isinstance(known, int):
            omitted[path] = _size_reason(known, limit)
            if 0 <= known <= LARGEST_READABLE:
                readable[path] = wanted
            continue
        reason: str | None = _content_reason(known.signs, wanted)
        if reason is None and known.size > limit:
            reason = _size_reason(known.size, limit)
        masked += len(known.spans)
        if reason is None and known.spans and masked > MOST_MASKED_IN_ALL:
            reason = _TOO_MANY_MASKED
        if reason is None:
            files[path] = file_of(path, wanted, known)
            continue
        omitted[path] = reason
        if reason not in _UNREADABLE:
            readable[path] = wanted
    return Selection(files, omitted, readable)


def file_of(path: str, wanted: Wanted, facts: Facts) -> File:
    return File(
        path,
        wanted.oid,
        facts.size,
        facts.lines,
        wanted.kind,
        facts.spans,
        facts.signs.shortened,
        facts.signs.recoded,
    )


def _size_reason(size: int, limit: int) -> str:
    if size < 0:
        return "its content is missing from the clone"
    return f"larger than {limit:,} bytes"


def _content_reason(signs: ContentSigns, wanted: Wanted) -> Sign | None:
    if signs.binary:
        return "binary"
    if signs.pointer:
        return "large file pointer"
    if signs.credentials:
        return "credentials"
    if signs.vendored and not wanted.ours:
        return "vendored"
    if wanted.vouched:
        return None
    if signs.lock:
        return "lock file"
    if signs.minified:
        return "minified"
    return "generated" if signs.generated else None


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
    """Say what was masked or cut in a file, if anything was."""
    cut = ", its long lines or outputs shortened" if file.shortened else ""
    if not file.spans:
        return f"shown{cut}" if cut else None
    labels = sorted({span.label for span in file.spans})
    count = len(file.spans)
    return f"shown{cut}, {count} value{'s' if count > 1 else ''} masked: {', '.join(labels)}"
