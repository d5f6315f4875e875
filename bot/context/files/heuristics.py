"""The evidence that a tracked file is not worth a prompt's room, or must not be read. Pure.

A name decides alone only if it can mean nothing else (`package-lock.json`, `.env`, `photo.png`).
Every other name only says which bytes to look for: a `*.asc` file is a key if PGP's armour is in
it, a `*.meta` file is Unity's if it opens with Unity's version line. A repository's own
`.gitattributes` outranks both (see `bot.context.files.gitattributes`).
"""

from __future__ import annotations

import codecs
import re
from typing import Literal, NamedTuple

from bot.context.files.kinds import Kind, extension_of, is_binary_name, kind_of
from bot.context.files.text import is_unicode_16_or_32
from bot.context.files.vendored import has_library_banner, names_copy, names_library

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

Look = Literal[
    "", "armour", "keys", "library", "lock", "map", "notebook", "template", "unity", "web"
]
"""The evidence that a path makes worth looking for in the bytes."""

_LOCKS = re.compile(
    r"(?:.*/)?(?:package-lock\.json|npm-shrinkwrap\.json|yarn\.lock|pnpm-lock\.ya?ml|bun\.lockb?"
    r"|poetry\.lock|pdm\.lock|uv\.lock|pipfile\.lock|conda-lock\.ya?ml|gemfile\.lock|cargo\.lock"
    r"|composer\.lock|podfile\.lock|pubspec\.lock|mix\.lock|go\.sum|go\.work\.sum|flake\.lock"
    r"|packages\.lock\.json|project\.assets\.json|package\.resolved|cartfile\.resolved"
    r"|gradle\.lockfile|paket\.lock|deno\.lock|brewfile\.lock\.json|\.terraform\.lock\.hcl"
    r"|module\.bazel\.lock|pixi\.lock|rebar\.lock|gopkg\.lock|glide\.lock|chart\.lock"
    r"|requirements\.lock|shard\.lock|berksfile\.lock|puppetfile\.lock|buf\.lock|renv\.lock"
    r"|stack\.yaml\.lock|spago\.lock|gems\.locked|cabal\.project\.freeze|cpanfile\.snapshot"
    r"|mise(?:\.[\w.-]+)?\.lock|(?:\w+\.)?esy\.lock|(?:julia)?manifest(?:-v[\d.]+)?\.toml"
    r"|elm-package-lock\.json|dub\.selections\.json|vcpkg-lock\.json|conan\.lock|wally\.lock"
    r"|maven_install\.json|cargo-bazel-lock\.json|tuist\.lock|helmfile\.lock)"
)
_MAY_LOCK = re.compile(
    r"(?:.*/)?[^/]*(?:^|/|[._-])lock(?:ed|file)?(?:\.(?:json|ya?ml|toml|hcl|txt))?"
)
_GENERATED = re.compile(
    r".*(?:\.pb\.(?:go|cc|h|swift|dart)|_pb2(?:_grpc)?\.pyi?|_pb\.(?:js|d\.ts)|\.pb\.validate\.go"
    r"|\.(?:g|freezed|gr|mocks)\.dart|\.designer\.(?:cs|vb)|\.g\.(?:cs|i\.cs)|\.feature\.cs"
    r"|\.generated\.[a-z]+|\.gen\.(?:go|ts|tsx|js)|zz_generated\.[a-z_.]*go|_tlb\.pas"
    r"|\.(?:js|mjs|cjs|css|ts)\.map|/\.secrets\.baseline|/\.sqlx/query-[a-f\d]{64}\.json"
    r"|/__generated__/.*|/__snapshots__/.*|/htmlcov/.*"
    r"|\.(?:xcuserstate|xcworkspacedata|nib|pbxuser))"
)
_BUILT = re.compile(r"(?P<above>(?:[^/]+/)*?)dist/.*\.(?:js|mjs|cjs|css|d\.ts)")
_SOURCE_ABOVE = re.compile(r"(?:^|/)(?:src|source|lib|app|pkg|internal)/")
_MINIFIED = re.compile(r".*(?:[.-]min\.(?:js|mjs|cjs|css|html)|\.(?:bundle|chunk)\.(?:js|css))")
_SOURCE_ENDINGS = (
    r"(?:ts|tsx|js|jsx|mjs|cjs|py|rb|go|rs|java|kt|php|cs|md|mdx|rst|txt|html|j2|erb|tpl|tmpl"
    r"|jinja|go-template|gotmpl)"
)
_CREDENTIALS = re.compile(
    rf"(?:.*/)?(?:\.env(?:\.(?!.*(?:example|sample|template|dist|defaults?))"
    rf"(?!(?:.*\.)?{_SOURCE_ENDINGS}$).*)?|.*[^/]\.env"
    r"|[._]netrc|\.pypirc|\.git-credentials|\.htpasswd|\.pgpass|\.vault[-_](?:pass|token)|\.?vault[-_]pass(?:word)?(?:\.txt)?"
    r"|id_(?:rsa|dsa|ecdsa|ed25519)(?:_\w+)?"
    r"|.*\.(?:pem|key|p12|pfx|ppk|kdbx|keytab|jks|keystore)|.*\.tfstate(?:\.backup)?"
    r"|\.aws/credentials)"
)
_MAY_HOLD_KEYS = re.compile(
    r"(?:.*/)?(?:[^/]*service[-_]?account[^/]*|[^/]*credentials?[^/]*|client[-_]secrets?[^/]*"
    r"|[^/]*secrets?|kubeconfig[^/]*|key(?:s|file)?)\.(?:json|ya?ml)"
)
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
_WEB = frozenset(["js", "mjs", "cjs", "css", "html", "htm", "xhtml", "jsx"])
_TEMPLATES = frozenset(
    ("j2", "jinja", "jinja2", "erb", "tmpl", "tpl", "gotmpl", "mustache", "hbs", "ejs", "twig")
) | frozenset(("template", "mako", "ftl", "vm", "liquid", "cog", "dust", "eex", "heex"))
_CONTROLS = bytes(set(range(1, 32)) - {7, 8, 9, 10, 12, 13, 27} | {127})


def path_sign(path: str) -> Sign | None:
    """Return the reason against the file that its path alone gives, if it gives one."""
    lower = path.lower()
    if is_binary_name(lower):
        return "binary"
    if lower.endswith(".svg"):
        return "image"
    if _LOCKS.fullmatch(lower):
        return "lock file"
    if names_copy(path):
        return "vendored"
    if _MINIFIED.fullmatch(lower):
        return "minified"
    if _GENERATED.fullmatch("/" + lower) or _is_built(lower):
        return "generated"
    if _CREDENTIALS.fullmatch(lower):
        return "credentials"
    return None


def _is_built(path: str) -> bool:
    """Tell if a script lies in a build's output. Below a source folder `dist` is a word."""
    found = _BUILT.fullmatch(path)
    return found is not None and not _SOURCE_ABOVE.search(found["above"])


def look_of(path: str) -> Look:
    """Return the evidence that the path makes worth looking for in the bytes."""
    lower = path.lower()
    extension = extension_of(lower)
    if extension == "ipynb":
        return "notebook"
    if extension == "asc":
        return "armour"
    if extension == "meta":
        return "unity"
    if extension == "map":
        return "map"
    if _MAY_LOCK.fullmatch(lower) and kind_of(lower) != "prose":
        return "lock"
    if _MAY_HOLD_KEYS.fullmatch(lower):
        return "keys"
    if extension in _TEMPLATES:
        return "template"
    if names_library(path):
        return "library"
    return "web" if extension in _WEB else ""


class ContentSigns(NamedTuple):
    """The evidence in the bytes, by the reason that it gives.

    The last two are no reasons: `shortened` says that the text is shown with cuts, `recoded` that
    its bytes are in UTF-16 or UTF-32.
    """

    binary: bool = False
    pointer: bool = False
    minified: bool = False
    generated: bool = False
    vendored: bool = False
    lock: bool = False
    credentials: bool = False
    shortened: bool = False
    recoded: bool = False


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
    sample = data[:8_000]
    return len(sample) - len(sample.translate(None, _CONTROLS)) > len(sample) // 20


def _is_generated(data: bytes, kind: Kind, look: Look) -> bool:
    if look == "unity":
        return _UNITY.match(data) is not None
    if look == "map" and _SOURCE_MAP.match(data):
        return True
    if look == "template":
        # Its mark is for the files that are made from it.
        return False
    # A process that meets known blobs alone needs none of these expressions.
    from bot.context.files.generated import says_generated

    return says_generated(data, kind)


def _is_lock(data: bytes) -> bool:
    """Tell if most lines fix versions or checksums."""
    sample = data[:100_000]
    return len(_LOCK_WORDS.findall(sample)) * 5 > sample.count(b"\n") + 1 and len(sample) > 40


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
