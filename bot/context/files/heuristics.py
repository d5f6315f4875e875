"""The well-known signs that a tracked file is not worth a model's attention, or not safe for it.

Names follow what GitHub's linguist, package managers and code generators use; a repository's own
`.gitattributes` outranks them (see `bot.context.files.gitattributes`).
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from bot.context.files.kinds import Kind, is_binary_name

Sign = Literal[
    "binary",
    "credentials",
    "generated",
    "image",
    "large file pointer",
    "lock file",
    "minified",
    "vendored",
]

_LOCKS = re.compile(
    r"(?:.*/)?(?:package-lock\.json|npm-shrinkwrap\.json|yarn\.lock|pnpm-lock\.ya?ml|bun\.lockb?"
    r"|poetry\.lock|pdm\.lock|uv\.lock|pipfile\.lock|conda-lock\.ya?ml|gemfile\.lock|cargo\.lock"
    r"|composer\.lock|podfile\.lock|pubspec\.lock|mix\.lock|go\.sum|go\.work\.sum|flake\.lock"
    r"|packages\.lock\.json|package\.resolved|cartfile\.resolved|gradle\.lockfile|paket\.lock"
    r"|deno\.lock|brewfile\.lock\.json|\.terraform\.lock\.hcl|module\.bazel\.lock|pixi\.lock)"
)
_VENDORED = re.compile(
    r"(?:.*/)?(?:(?i:node_modules|bower_components|jspm_packages|vendors?|_vendor|\.yarn"
    r"|(?:third|3rd)[-_]?party|site-packages)|Godeps|Pods|Carthage)/.+"
)
_GENERATED = re.compile(
    r".*(?:\.pb\.(?:go|cc|h|swift|dart)|_pb2(?:_grpc)?\.pyi?|_pb\.(?:js|d\.ts)|\.pb\.validate\.go"
    r"|\.(?:g|freezed|gr|mocks)\.dart|\.designer\.cs|\.g\.(?:cs|i\.cs)|\.generated\.[a-z]+"
    r"|_generated\.[a-z]+|\.gen\.(?:go|ts|tsx|js)|zz_generated\.[a-z_.]*go|\.snap|\.map|\.pnp\.c?js"
    r"|/__generated__/.*|/__snapshots__/.*|/dist/.*\.(?:js|mjs|cjs|css|d\.ts))"
)
_MINIFIED = re.compile(r".*(?:[.-]min\.(?:js|mjs|cjs|css|html)|\.(?:bundle|chunk)\.(?:js|css))")
_CREDENTIALS = re.compile(
    r"(?:.*/)?(?:\.env(?:\.(?!.*(?:example|sample|template|dist|defaults?)).*)?|.*\.env"
    r"|\.netrc|\.pypirc|\.git-credentials|\.htpasswd|id_(?:rsa|dsa|ecdsa|ed25519)"
    r"|.*\.(?:pem|key|p12|pfx|ppk|asc|kdbx|keytab|jks)|.*\.tfstate(?:\.backup)?"
    r"|\.aws/credentials|service[-_]account.*\.json|credentials\.json)"
)
_GENERATED_HEAD = re.compile(
    rb"^[^\w\n]{0,8}[^\n]{0,200}(?:@generated\b|code generated\b[^\n]*\bdo not (?:edit|modify)"
    rb"|\bdo not (?:edit|modify)\b[^\n]*\bgenerated\b|\bgenerated\b[^\n]*\bdo not (?:edit|modify)\b"
    rb"|\bth(?:is|e) (?:file|code|document) (?:is|was|has been) (?:auto[- ]?|automatically )"
    rb"generated|\bauto-?generated (?:by|from|file|code)\b"
    rb"|\bautomatically generated (?:by|from)\b)",
    re.IGNORECASE | re.MULTILINE,
)
_GENERATOR = re.compile(rb"""<meta\s+name=["']?generator["']?\s""", re.IGNORECASE)
_COMMENT = re.compile(rb"[ \t]*(?:#|//|/\*|\*|--|<!--|;|%|\"\"\"|'''|\{-|\(\*|REM\b|@rem\b)")
_HEAD_LINES = 12


def path_sign(path: str) -> Sign | None:
    """Return what the path alone says against the file."""
    lower = path.lower()
    if is_binary_name(lower):
        return "binary"
    if lower.endswith(".svg"):
        return "image"
    if _LOCKS.fullmatch(lower):
        return "lock file"
    if _VENDORED.fullmatch(path):
        return "vendored"
    if _MINIFIED.fullmatch(lower):
        return "minified"
    if _GENERATED.fullmatch("/" + lower):
        return "generated"
    if _CREDENTIALS.fullmatch(lower):
        return "credentials"
    return None


class ContentSigns(NamedTuple):
    """What the bytes say against a file, whatever its name."""

    binary: bool = False
    pointer: bool = False
    minified: bool = False
    generated: bool = False


def content_signs(data: bytes, kind: Kind) -> ContentSigns:
    """Look for NUL bytes, a Git LFS pointer, lines too long to be written, a generator's mark."""
    if b"\0" in data:
        return ContentSigns(binary=True)
    if data.startswith(b"version https://git-lfs.github.com/spec/"):
        return ContentSigns(pointer=True)
    return ContentSigns(minified=_is_minified(data, kind), generated=_says_generated(data, kind))


_LONGEST = 20_000
_AVERAGE: dict[Kind, int] = {"code": 250, "markup": 400, "data": 1_000, "prose": 4_000}
"""Bytes a line on average above which nobody wrote the lines, by kind of file."""


def _is_minified(data: bytes, kind: Kind) -> bool:
    if len(data) < 2_000:
        return False
    lines = data.count(b"\n") + 1
    if len(data) / lines > _AVERAGE[kind]:
        return True
    return len(data) > _LONGEST and max(map(len, data.split(b"\n"))) > _LONGEST


def _says_generated(data: bytes, kind: Kind) -> bool:
    head = data[:4_000].split(b"\n", _HEAD_LINES)[:_HEAD_LINES]
    if kind == "markup" and _GENERATOR.search(data, 0, 4_000):
        return True
    comments = b"\n".join(line for line in head if _COMMENT.match(line))
    return _GENERATED_HEAD.search(comments) is not None
