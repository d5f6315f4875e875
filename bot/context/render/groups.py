"""The group of a file: test, entry point, changelog, source and so on, by its path. Pure.

A folder name such as `samples` or `example` has two meanings. At the top of a repository it holds
examples. Below a source folder it is part of a package's name (`src/main/java/com/example`). So a
folder of examples counts only if no source folder stands above it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Literal

from bot.context.files.kinds import extension_of
from bot.context.files.select import File
from bot.context.render.components import COMPONENTS

Group = Literal[
    "named by the context",
    "top-level documentation",
    "manifest",
    "entry point",
    "source",
    "documentation",
    "configuration",
    "changelog",
    "test",
    "example",
    "fixture",
    "translation",
    "legal text",
]

ORDER: dict[Group, int] = {
    "named by the context": 0,
    "top-level documentation": 1,
    "manifest": 1,
    "entry point": 2,
    "source": 2,
    "test": 3,
    "documentation": 4,
    "configuration": 4,
    "changelog": 5,
    "example": 6,
    "fixture": 7,
    "translation": 8,
    "legal text": 9,
}
"""Groups with a lower number come first. The README and the manifests are short and tell most to a
newcomer. Then code: of 237 questions about five Python repositories, the files that answer are
source (73 %) and tests (20 %), and three in a hundred are documentation. With this order 27 % of
them are covered at 150,000 tokens; with documentation before tests it is 24 %.
"""

MOST_ENTRY_POINTS = 12
"""If more files than this have an entry point's name, only the least deep ones are entry points."""


def _word_set(text: str) -> frozenset[str]:
    return frozenset(text.split())


_SOURCE_FOLDERS = _word_set(
    "src source sources lib libs app apps pkg internal cmd main java kotlin scala groovy com org "
    "net io edu dev de uk fr jp cn"
)
"""Below one of these, a folder is a package."""
_EXAMPLES = _word_set("example examples demo demos tutorial tutorials sample samples playground")
_FIXTURES = _word_set("fixture fixtures testdata test_data test_files cassettes __snapshots__")
_SNAPSHOTS = _word_set("snapshot snapshots")
_TRANSLATIONS = _word_set("locale locales _locales i18n l10n lang langs translations")
_LANGUAGE_CODES = (
    "ar bg bn bs ca cs cy da de el eo es et eu fa fi fr ga gl he hi hr hu hy id is it ja ka kk km "
    "ko lt lv mk mn ms nb nl nn no pl pt ro ru sk sl sq sr sv sw ta te th tr uk ur uz vi zh"
)

_TEST_FOLDER = re.compile(
    r"(?:^|/)(?:tests?|testing|specs?|__tests__|e2e|[^/]*[-_]tests?|tests?[-_][^/]*)/",
    re.IGNORECASE,
)
_NO_TEST_FOLDER = re.compile(
    r"(?:^|/)(?:ab|a_b|a-b|split|speed|latest|load)[-_]tests?/", re.IGNORECASE
)
_TEST_NAME = re.compile(
    r"(?:^|/)(?:test_[^/]*\.\w+|conftest\.py|[^/]*[._-](?:test|spec|tests|stories)"
    r"\.(?:py|[jt]sx?|[cm][jt]s|go|rb|java|kt|rs|php|cs|swift|dart|exs?|erl|clj[sc]?|lua|c|cc|cpp))$",
    re.IGNORECASE,
)
# Case tells `OrderTest.java` from `Latest.java`.
_TEST_CLASS = re.compile(
    r"(?:^|/)[^/]*(?:Tests?|TestCase|IT|Spec)\.(?:java|kt|cs|swift|php|scala|groovy|vb|fs)$"
)
# Tests that have a language or a name of their own.
_TEST_PROGRAM = re.compile(
    r"(?:^|/)(?:x?t/(?:.*/)?[^/]*\.t|[^/]*\.(?:bats|feature|robot)|[^/]*_SUITE\.erl"
    r"|[^/]*_tb\.(?:sv|v|vhdl?))$"
)
_LEGAL = re.compile(
    r"(?:^|/)(?:un)?(?:licen[sc]es?|copying|copyright|authors|notice|patents|code_of_conduct)"
    r"(?:[-_.][^/]*)?$",
    re.IGNORECASE,
)
_LEGAL_ENDINGS = _word_set("html htm lesser lib gpl lgpl mit apache bsd mpl spdx")
_CHANGELOG = re.compile(
    r"(?:^|/)(?:change[-_]?log|changes|history|news|releases|release[-_]?notes?|whats[-_]?new)"
    r"(?:[-_.][^/]*)?$"
    r"|(?:^|/)(?:changelogs?|\.changes?|changelog\.d|newsfragments|releases|release[-_]?notes"
    r"|whats[-_]?new)/",
    re.IGNORECASE,
)
_MANIFEST = re.compile(
    r"(?:^|/)(?:pyproject\.toml|setup\.(?:py|cfg)|package\.json|deno\.jsonc?|cargo\.toml|go\.mod"
    r"|pom\.xml|(?:build|settings)\.gradle(?:\.kts)?|build\.sbt|gemfile|[^/]+\.gemspec"
    r"|composer\.json|dockerfile|(?:docker-)?compose\.ya?ml|makefile|rakefile|justfile|procfile"
    r"|cmakelists\.txt|meson\.build|module\.bazel|[^/]+\.(?:csproj|fsproj|sln|cabal|opam|rockspec)"
    r"|package\.swift|mix\.exs|rebar\.config|pubspec\.yaml|dune-project|shard\.yml|project\.clj"
    r"|deps\.edn|chart\.yaml|flake\.nix|configure\.ac|build\.zig(?:\.zon)?|project\.toml"
    r"|requirements(?:[-_.]\w+)?\.(?:txt|in)|pipfile|environment\.ya?ml|elm\.json|podfile|cpanfile"
    r"|conanfile\.(?:py|txt)|vcpkg\.json|go\.work|pnpm-workspace\.yaml|stack\.yaml|package\.yaml"
    r"|directory\.build\.props|(?-i:DESCRIPTION))$",
    re.IGNORECASE,
)
_ENTRY_LANGUAGES: dict[str, frozenset[str]] = {
    "__main__": _word_set("py"),
    "main": _word_set(
        "py go rs c cc cpp cxx m mm js mjs ts tsx java kt kts swift dart cs rb php lua zig nim ml "
        "hs scala ex exs erl cr jl pl d f90"
    ),
    "cli": _word_set("py js mjs cjs ts go rs rb php java kt"),
    "app": _word_set("py js mjs jsx ts tsx vue svelte rb php dart kt swift go rs java"),
    "server": _word_set("py js mjs cjs ts go rs rb php java kt c cpp"),
    "manage": _word_set("py"),
    "wsgi": _word_set("py"),
    "asgi": _word_set("py"),
    "program": _word_set("cs fs vb"),
    "startup": _word_set("cs"),
    "lib": _word_set("rs"),
}
_ENTRY_DEPTH = 3
# A Java class may lie at any depth: its folders spell its package.
_APPLICATION = re.compile(r"(?:^|/)src/main/(?:java|kotlin)/.*(?:Application|Main)\.(?:java|kt)$")
_COMMAND = re.compile(r"^(?:.*/)?(?:cmd/[^/]+/main\.go|src/bin/[^/]+\.rs)$")
_WORDS_TOO = _word_set("am da el et he hr id is it lt ms no ro sk te")
"""Codes that configuration has other meanings for: `db-ro.yaml` is read-only, not Romanian."""
_CODES = "|".join(_LANGUAGE_CODES.split())
_CLEAR_CODES = "|".join(code for code in _LANGUAGE_CODES.split() if code not in _WORDS_TOO)
_REGION = r"(?:[_-](?:[A-Za-z]{2}|Hans|Hant|Latn|Cyrl))?"
_ENGLISH = r"en[_-](?!us)[A-Za-z]{2}"
"""Texts in American English are usually the ones that the others are translated from."""
_LANGUAGE = rf"(?:{_CODES}){_REGION}|{_ENGLISH}"
_TRANSLATED = re.compile(
    rf"[_.-](?:{_LANGUAGE})\.(?:resx|strings|ftl|xliff?|xlf|arb)$"
    rf"|[_.-](?:(?:{_CLEAR_CODES}){_REGION}|{_ENGLISH})\.(?:properties|json|ya?ml)$"
    r"|(?:^|[/_.-])(?:messages?|strings?|texts?|labels?|translations?|locale|lang|i18n|l10n|intl|nls)"
    rf"[_.-](?:{_LANGUAGE})\.(?:properties|json|ya?ml)$"
    # Android, Apple and scripts: the folder or the name of the file is the language.
    rf"|(?:^|/)values-(?:{_LANGUAGE.replace('[_-]', '-r?')})/[^/]+\.xml$"
    rf"|(?:^|/)(?:{_LANGUAGE})\.lproj/"
    rf"|(?:^|/)(?:_?locales?|i18n|l10n|translations)/(?:[^/]+/)?(?:{_LANGUAGE})"
    r"(?:\.(?:[jt]s|php)$|/.*\.(?:[jt]s|php)$)"
    rf"|(?:^|/)lang/(?:{_LANGUAGE})/.*\.php$",
    re.IGNORECASE,
)
_PROGRAMS = COMPONENTS | _word_set("hbs graphql graphqls gql")
"""Endings of files that are programs, though their tokens count like those of markup or data."""
_PAGE_OF_PROGRAM = re.compile(r"\.component\.html$")
_HOUSEKEEPING = re.compile(r"^\.[^/]+/|(?:^|/)\.[^/]+$")


def group_of(file: File) -> Group:
    """Return what a file is to a reader, by its path."""
    path, depth = file.path, file.path.count("/")
    late = _late_group(file)
    if late is not None:
        return late
    if depth == 0 and file.kind == "prose" and path.lower().startswith("readme"):
        return "top-level documentation"
    if _MANIFEST.search(path):
        return "configuration" if depth else "manifest"
    if is_entry_point(path):
        return "entry point"
    if _HOUSEKEEPING.search(path):
        return "configuration"
    if extension_of(path) in _PROGRAMS or _PAGE_OF_PROGRAM.search(path):
        return "source"
    if file.kind in {"data", "markup"}:
        return "configuration"
    return "documentation" if file.kind == "prose" else "source"


def _late_group(file: File) -> Group | None:
    """Return the group of a file that few questions are about, None for any other file."""
    path = file.path
    folders = path.rpartition("/")[0].lower()
    if _is_test(path):
        is_input = file.kind != "code" and _FIXTURES & set(folders.split("/"))
        return "fixture" if is_input else "test"
    if folders and (found := _example_or_fixture(folders)):
        return found
    if file.kind in {"data", "prose"} and folders and (found := _data_group(folders)):
        return found
    if extension_of(path) in {"po", "pot"} or _TRANSLATED.search(path):
        return "translation"
    if _LEGAL.search(path) and _is_text_name(file):
        return "legal text"
    if file.kind == "prose" and _CHANGELOG.search(path):
        return "changelog"
    return None


@lru_cache(maxsize=16_384)
def _example_or_fixture(folders: str) -> Group | None:
    """Return the group that a folder name gives a file, if no source folder stands above it."""
    for name in folders.split("/"):
        if name in _SOURCE_FOLDERS:
            return None
        if name in _EXAMPLES:
            return "example"
        if name in _FIXTURES:
            return "fixture"
    return None


@lru_cache(maxsize=16_384)
def _data_group(folders: str) -> Group | None:
    """Return the group of a data file or a text. A program may have a package of these names."""
    names = set(folders.split("/"))
    if names & (_FIXTURES | _SNAPSHOTS):
        return "fixture"
    return "translation" if names & _TRANSLATIONS else None


def _is_text_name(file: File) -> bool:
    name = file.path.rpartition("/")[2]
    return file.kind == "prose" or "." not in name or extension_of(name) in _LEGAL_ENDINGS


def _is_test(path: str) -> bool:
    if _TEST_NAME.search(path) or _TEST_CLASS.search(path) or _TEST_PROGRAM.search(path):
        return True
    return bool(_TEST_FOLDER.search(path)) and not _NO_TEST_FOLDER.search(path)


def is_entry_point(path: str) -> bool:
    """Tell if a program starts in this file: by its name, its language and its place."""
    if _APPLICATION.search(path) or _COMMAND.match(path):
        return True
    stem, dot, extension = path.rpartition("/")[2].lower().rpartition(".")
    languages = _ENTRY_LANGUAGES.get(stem)
    return bool(dot and languages and extension in languages and path.count("/") <= _ENTRY_DEPTH)


def most_central(paths: Iterable[str]) -> frozenset[str]:
    """Return the entry points that keep this group: the least deep, if there are too many.

    Fifty files `main.c` are fifty programs of one collection. Then none of them is the start.
    """
    found = sorted(paths, key=lambda path: (path.count("/"), path))
    if len(found) <= MOST_ENTRY_POINTS:
        return frozenset(found)
    least = found[0].count("/")
    nearest = [path for path in found if path.count("/") == least]
    return frozenset(nearest if len(nearest) <= MOST_ENTRY_POINTS else ())
