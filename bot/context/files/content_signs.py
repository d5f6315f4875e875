"""The evidence in a file's bytes that it is not worth a prompt's room, or must not be read. Pure.

`bot.context.files.heuristics` says which evidence a path makes worth looking for. A process that
meets known files alone does not import this module: its expressions take time to compile.
"""

from __future__ import annotations

import codecs
import re

from bot.context.files.generated import says_generated
from bot.context.files.heuristics import ContentSigns, Look
from bot.context.files.kinds import Kind
from bot.context.files.text import is_unicode_16_or_32

_ARMOUR = re.compile(rb"^-----BEGIN PGP ", re.MULTILINE)
_ARMOUR_LINE = re.compile(rb"^[A-Za-z0-9+/=]{40,76}\r?$", re.MULTILINE)
_KEY_FIELDS = re.compile(
    rb"""["']?(?:private_key|private_key_id|client_secret|refresh_token|access_token|secret_key"""
    rb"""|secret_access_key|aws_secret_access_key|api_?key|auth_token|client-key-data)["']?"""
    rb"""\s*[:=]\s*["']?[^\s"'{}\[\],$<]{16,}""",
    re.IGNORECASE,
)
_LOCK_WORDS = re.compile(
    rb"\b(?:sha(?:1|256|384|512)|checksums?|integrity|digest|hash(?:es)?|narHash|rev(?:ision)?"
    rb"|resolved|version|md5)\b",
    re.IGNORECASE,
)
_LFS = b"version https://git-lfs.github.com/spec/"
_UNITY = re.compile(rb"(?:\xef\xbb\xbf)?fileFormatVersion: \d+\r?\nguid: [0-9a-f]{32}")
_SOURCE_MAP = re.compile(rb"\s*(?:\)\]\}'?\s*)?\{\s*\"version\"\s*:\s*\d")
_BANNER = re.compile(
    rb"\s*(?:\(function[^\n]{0,80}\n\s*)?/(?:\*[!*]?|/)[^/]{0,400}?\bv?\d+\.\d+(?:\.\d+)?\b",
    re.DOTALL,
)
_BANNER_RIGHTS = re.compile(rb"licen[sc]|copyright|\(c\)|https?://", re.IGNORECASE)
_CONTROLS = bytes(set(range(1, 32)) - {7, 8, 9, 10, 12, 13, 27} | {127})


def content_signs(
    data: bytes, kind: Kind, look: Look = "", *, is_text: bool = False
) -> ContentSigns:
    """Look for the evidence in a file's bytes.

    `is_text` says that the repository itself declares the file a text: then a few bytes that no
    text holds do not count.
    """
    if _is_binary(data, is_text):
        return ContentSigns(binary=True)
    if data.startswith(_LFS) and len(data) < 2_000:
        return ContentSigns(pointer=True)
    return ContentSigns(
        minified=look in {"web", "library"} and _is_minified(data, kind),
        generated=_is_generated(data, kind, look),
        vendored=look == "library" and has_library_banner(data),
        lock=look == "lock" and _is_lock(data),
        recoded=is_unicode_16_or_32(data),
        credentials=(look == "armour" and _is_armour(data))
        or (look == "keys" and _KEY_FIELDS.search(data) is not None),
    )


def _is_armour(data: bytes) -> bool:
    """Tell if a file is a key or a signature, not a text that shows one."""
    if not _ARMOUR.search(data):
        return False
    return len(_ARMOUR_LINE.findall(data)) * 2 > data.count(b"\n") or data.startswith(b"-----BEGIN")


def _is_binary(data: bytes, is_text: bool) -> bool:
    if is_unicode_16_or_32(data):
        return False
    if b"\0" in data:
        return not is_text or data.count(b"\0") * 100 > len(data)
    if data.isascii() or data.startswith(codecs.BOM_UTF8):
        return False
    # Encrypted or packed bytes may lack a NUL by chance, but not the other control characters.
    # DOS ends a text with the character 26. A few bytes are no sample.
    sample = data.removesuffix(b"\x1a")[:8_000]
    return len(sample) - len(sample.translate(None, _CONTROLS)) > max(2, len(sample) // 20)


def _is_generated(data: bytes, kind: Kind, look: Look) -> bool:
    if look == "unity":
        return _UNITY.match(data) is not None
    if look == "map" and _SOURCE_MAP.match(data):
        return True
    if look == "template":
        # Its mark is for the files that are made from it.
        return False
    return says_generated(data, kind)


def _is_lock(data: bytes) -> bool:
    """Tell if most lines fix versions or checksums."""
    sample = data[:100_000]
    return len(_LOCK_WORDS.findall(sample)) * 5 > sample.count(b"\n") + 1 and len(sample) > 40


def has_library_banner(data: bytes) -> bool:
    """Tell if a script or style sheet opens with a library's banner: a version and its rights."""
    head = data[:1_500]
    found = _BANNER.match(head)
    return found is not None and _BANNER_RIGHTS.search(head) is not None


_LONG = 1_000
_FEW_BYTES = 4_000
_AVERAGE: dict[Kind, int] = {"code": 110, "markup": 400, "data": 1_000, "prose": 4_000}
"""Bytes a line on average above which a script may be a tool's output, by kind of file."""


def _is_minified(data: bytes, kind: Kind) -> bool:
    """Tell if a tool has joined the lines of a script, a style sheet or a page.

    A file with many written lines beside a long one is kept: there the long line is shortened.
    """
    if len(data) < 2_000 or len(data) <= _AVERAGE[kind] * (data.count(b"\n") + 1):
        return False
    long = sum(len(line) for line in data.split(b"\n") if len(line) > _LONG)
    return long * 10 > len(data) * 8 and len(data) - long < max(_FEW_BYTES, len(data) // 20)
