"""How a file writes values, judged by its path: which grammar or which format."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

ScanKind = Literal[
    "c",
    "code",
    "config",
    "cpp",
    "csharp",
    "go",
    "java",
    "javascript",
    "json",
    "kotlin",
    "php",
    "prose",
    "python",
    "ruby",
    "rust",
    "scala",
    "shell",
    "swift",
    "tsx",
    "typescript",
    "xml",
    "yaml",
]
"""A language with a grammar, `code` for any other language, or a format of text."""
WITHOUT_STATEMENTS = frozenset(["prose", "xml", "config", "yaml"])
"""Formats whose lines are no statements of a program."""

_EXTENSIONS: dict[ScanKind, str] = {
    "c": "c m",
    "config": (
        "ini cfg conf cnf cf properties env toml netrc pypirc npmrc pgpass htpasswd htdigest envrc "
        "editorconfig service config desktop textproto credentials secrets ldif args"
    ),
    "cpp": "cpp cc cxx hpp hh h mm ino cu",
    "csharp": "cs",
    "go": "go",
    "java": "java",
    "javascript": "js jsx mjs cjs",
    "json": "json jsonl json5 jsonc ipynb geojson har avsc webmanifest tfstate",
    "kotlin": "kt kts",
    "php": "php phtml",
    "prose": (
        "md mdx markdown rst txt adoc asciidoc org tex textile pod po pot log patch diff csv tsv "
        "eml http rest"
    ),
    "python": "py pyi",
    "ruby": "rb rake gemspec ru",
    "rust": "rs",
    "scala": "scala sc",
    "shell": (
        "sh bash zsh fish ksh ps1 bat cmd dockerfile containerfile mk makefile justfile procfile"
    ),
    "swift": "swift",
    "tsx": "tsx",
    "typescript": "ts mts cts",
    "xml": "xml xsd html htm xhtml svg plist csproj props targets config xaml pom jelly",
    "yaml": "yaml yml eyaml sls asset",
}
_BY_EXTENSION = {
    extension: kind for kind, extensions in _EXTENSIONS.items() for extension in extensions.split()
}
_BY_NAME: dict[str, ScanKind] = {
    "dockerfile": "shell",
    "containerfile": "shell",
    "makefile": "shell",
    "gnumakefile": "shell",
    ".env": "config",
    "env.": "config",
    "_netrc": "config",
    ".netrc": "config",
    ".npmrc": "config",
    ".pypirc": "config",
    ".yarnrc": "config",
    ".bash": "shell",
    ".zsh": "shell",
    ".profile": "shell",
    "gemfile": "ruby",
    "rakefile": "ruby",
    "vagrantfile": "ruby",
    "caddyfile": "config",
    "readme": "prose",
    "credentials": "config",
    "inventory": "config",
    "kubeconfig": "yaml",
    "crontab": "config",
    "pgpass": "config",
    "passwd": "config",
    "htdigest": "config",
    "htpasswd": "config",
}
_CONFIG_ENDINGS = ("rc", "cfg", "conf", "config")
"""Ends of names without a dot: `muttrc`, `s3cfg`."""
_NAME_STARTS = tuple(_BY_NAME)
_WITH_SUFFIX = ("dockerfile", "containerfile", "makefile", "gnumakefile")
"""Names that keep their kind if anything follows a dot: `Dockerfile.dev`."""
_WRAPPERS = frozenset(
    ["sample", "example", "template", "dist", "tmpl", "tpl", "j2", "erb", "in", "orig", "bak"]
)
"""Endings that stand behind the one that counts: `config.yml.example`."""


@lru_cache(maxsize=4096)
def scan_kind_of(path: str) -> ScanKind:
    """Return how the file writes values. `.env.local` and `Dockerfile.dev` are judged by name."""
    name = path.rpartition("/")[2].lower()
    head, dot, extension = name.rpartition(".")
    if head and extension in _WRAPPERS:
        return scan_kind_of(head)
    if extension in _BY_EXTENSION and not name.startswith(_WITH_SUFFIX):
        return _BY_EXTENSION[extension]
    if name.startswith(_NAME_STARTS):
        return next(_BY_NAME[start] for start in _NAME_STARTS if name.startswith(start))
    if (dot and not head) or (not dot and name.endswith(_CONFIG_ENDINGS)):
        return "config"
    return "code"
