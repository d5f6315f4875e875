"""The evidence in a path that a file is not worth a prompt's room, or must not be read. Pure.

A name decides alone only if it can mean nothing else (`package-lock.json`, `.env`, `photo.png`).
Every other name only says which bytes to look for: a `*.asc` file is a key if PGP's armour is in
it, a `*.meta` file is Unity's if it opens with Unity's version line
(`bot.context.files.content_signs`). A repository's own `.gitattributes` outranks both
(`bot.context.files.gitattributes`).
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from bot.context.files.kinds import extension_of, is_binary_name, kind_of
from bot.context.files.vendored import names_copy, names_library

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
    r"|mise(?:\.[\w.-]+)?\.lock|(?:\w+\.)?esy\.lock|juliamanifest(?:-v[\d.]+)?\.toml"
    r"|manifest-v[\d.]+\.toml|gradle/verification-metadata\.xml"
    r"|elm-package-lock\.json|dub\.selections\.json|vcpkg-lock\.json|conan\.lock|wally\.lock"
    r"|maven_install\.json|cargo-bazel-lock\.json|tuist\.lock|helmfile\.lock)"
)
_MAY_LOCK = re.compile(
    r"(?:.*/)?(?:[^/]*(?:^|/|[._-])lock(?:ed|file)?(?:\.(?:json|ya?ml|toml|hcl|txt))?"
    r"|manifest\.toml)"
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
_KEY_FILES = frozenset(["json", "yaml", "yml"])
_WEB = frozenset(["js", "mjs", "cjs", "css", "html", "htm", "xhtml", "jsx"])
_TEMPLATES = frozenset(
    ("j2", "jinja", "jinja2", "erb", "tmpl", "tpl", "gotmpl", "mustache", "hbs", "ejs", "twig")
) | frozenset(("template", "mako", "ftl", "vm", "liquid", "cog", "dust", "eex", "heex"))


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
    may_lock = "lock" in lower or lower.endswith("manifest.toml")
    if may_lock and _MAY_LOCK.fullmatch(lower) and kind_of(lower) != "prose":
        return "lock"
    if extension in _KEY_FILES and _MAY_HOLD_KEYS.fullmatch(lower):
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
