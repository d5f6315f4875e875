"""Which files are copies of other projects: by rules that GitHub's Linguist uses, and by evidence.

The names come from Linguist's list (`lib/linguist/vendor.yml`, MIT licence), written here as rules
of our own. The list also names what is not the team's main language but still the team's own work
(`testdata/`, `.github/`, `Jenkinsfile`, type declarations). Such names are not used here.

Some folder names have one meaning: `node_modules/`. Others have two: `vendor/` may hold copies, or
the code about vendors of a shop. Such a folder counts at the top of the repository, if it holds
packages of code. Below the top it counts only if it carries a proof: a licence text, or a package
manifest one level further down.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache

from bot.context.files.kinds import extension_of, kind_of

# Names with one meaning, at any depth.
_ALWAYS = re.compile(
    r"(?:^|/)(?:(?i:node_modules|bower_components|jspm_packages|site-packages|xvba_modules)"
    r"|Godeps|Pods|Carthage/(?:Build|Checkouts)|_?vendored|_vendor|ace-builds|elm-stuff"
    r"|\.yarn/(?:releases|plugins|sdks|versions|unplugged|cache)|\.bundle/(?:ruby|plugin)|flow-typed/npm"
    r"|vendors?/(?:bundle|cache/ruby|(?:[-0-9A-Za-z]+\.)+(?:com|edu|gov|in|me|net|org|fm|io|dev))"
    r"|[^/]+\.(?:framework|xcframework)|gradle/wrapper|\.mvn/wrapper)/."
)
_ALWAYS_FILE = re.compile(
    r"(?:^|/)(?:gradlew(?:\.bat)?|mvnw(?:\.cmd)?|erlang\.mk|config\.(?:guess|sub)|cpplint\.py"
    r"|dotnet-install\.(?:ps1|sh)|(?:libtool|lt(?:options|sugar|version|~obsolete))\.m4"
    r"|install-sh|depcomp|missing|ltmain\.sh|mkinstalldirs|ylwrap|test-driver"
    r"|activator(?:\.bat)?|\.pnp\.c?js)$"
)
LIBRARIES = (
    "jquery",
    "bootstrap",
    "angular",
    "react",
    "react-dom",
    "d3",
    "vue",
    "modernizr",
    "normalize",
    "font-?awesome",
    "foundation",
    "skeleton",
    "animate",
    "materialize",
    "select2",
    "bulma",
    "leaflet",
    "prototype",
    "mootools",
    "dojo",
    "yui",
    "ckeditor",
    "tiny_?mce",
    "knockout",
    "underscore",
    "backbone",
    "lodash",
    "moment",
    "mathjax",
    "chart",
    "codemirror",
    "highlight",
    "html5shiv",
    "respond",
    "popper",
    "slick",
    "swiper",
    "three",
    "ember",
    "handlebars",
    "mustache",
    "require",
    "cordova",
    "ext-all",
    "raphael",
    "zepto",
    "socket\\.io",
    "axios",
    "fuse",
    "hammer",
)
_NAME = rf"(?:{'|'.join(LIBRARIES)})(?:[-.](?:ui|core|plugins?|bundle|slim|pack|all|umd|global))*"
_WEB = frozenset(["js", "mjs", "cjs", "css"])
_RELEASE = r"[-.]v?\d+(?:(?:\.\d+)+(?:[-.]\w+)*|(?:[-.](?:min|slim|dev|prod\w*|umd))*)"

_AMBIGUOUS = re.compile(
    r"(?:vendors?|(?:3rd|third)[-_]?part(?:y|ies)|deps|dependencies|extern(?:als?)?)", re.IGNORECASE
)
_COPIES_ONLY = re.compile(r"vendors?|(?:3rd|third)[-_]?part(?:y|ies)", re.IGNORECASE)
_OWN_PACKAGE = frozenset(["__init__.py", "mod.rs", "package.json", "go.mod", "build.gradle"])
_ASSET_FOLDERS = frozenset(
    [
        "static",
        "assets",
        "public",
        "javascripts",
        "js",
        "css",
        "stylesheets",
        "www",
        "wwwroot",
        "web",
        "media",
        "htdocs",
    ]
)
_ASSETS = frozenset(["js", "mjs", "cjs", "css", "scss", "sass", "less", "map", "html", "htm", "ts"])
_COMPILED = frozenset(["c", "h", "cc", "cpp", "cxx", "hpp", "hh", "m", "mm", "s", "asm"])
_PROOF_DEPTH = 3


def names_copy(path: str) -> bool:
    """Tell if the path alone can mean nothing but another project's file."""
    if _ALWAYS.search(path) or _ALWAYS_FILE.search(path):
        return True
    return extension_of(path) in _WEB and _library_name(_RELEASE).search(path) is not None


def names_library(path: str) -> bool:
    """Tell if the file is called like a well-known library. Its content has to say so too."""
    return extension_of(path) in _WEB and _library_name("").search(path) is not None


# A command on a repository without such files ends before these expressions would be compiled.
@cache
def _library_name(release: str) -> re.Pattern[str]:
    return re.compile(rf"(?:^|/){_NAME}{release}\.(?:js|mjs|cjs|css)$", re.IGNORECASE)


@cache
def _licence() -> re.Pattern[str]:
    return re.compile(
        r"(?:(?:un)?licen[sc]es?|copying|copyright|notice)(?:[-_.](?:md|txt|rst|html?|mit|apache"
        r"|bsd|gpl|lgpl|mpl|lib|lesser|\d)[^/]*)?|modules\.txt|autoload\.php"
        r"|\.cargo-checksum\.json|readme\.(?:chromium|vendor\w*)|\.gitrepo|vendor\.(?:json|conf)"
        r"|pkg-info|bower\.json",
        re.IGNORECASE,
    )


@cache
def _manifest() -> re.Pattern[str]:
    return re.compile(
        r"package\.json|composer\.json|cargo\.toml|go\.mod|setup\.(?:py|cfg)|pyproject\.toml"
        r"|configure|configure\.(?:ac|in)|makefile\.am|pom\.xml|rebar\.config|mix\.exs"
        r"|meson\.build|.*\.(?:gemspec|podspec|nuspec|cabal)",
        re.IGNORECASE,
    )


@dataclass
class _Folder:
    """The facts about one folder with an ambiguous name."""

    top: bool
    licence: bool = False
    unit_manifest: bool = False
    own_package: bool = False
    nested_code: int = 0
    direct_code: int = 0
    texts: int = 0
    assets: int = 0
    compiled: int = 0
    files: int = 0

    def add(self, below: list[str]) -> None:
        """Take in one file, given by its path below the folder."""
        name = below[-1]
        self.files += 1
        if len(below) <= _PROOF_DEPTH and _licence().fullmatch(name):
            self.licence = True
        if 2 <= len(below) <= _PROOF_DEPTH and _manifest().fullmatch(name):
            self.unit_manifest = True
        if len(below) == 1 and name in _OWN_PACKAGE:
            self.own_package = True
        extension = extension_of(name)
        if extension == "ipynb" or kind_of(name) == "prose":
            self.texts += 1
        elif kind_of(name) == "code" and "." in name:
            if len(below) == 1:
                self.direct_code += 1
            else:
                self.nested_code += 1
            self.compiled += extension in _COMPILED
        self.assets += extension in _ASSETS


@dataclass(frozen=True)
class VendoredFolders:
    """The folders of one tree that hold copies, as prefixes with a slash at their end."""

    prefixes: frozenset[str] = field(default_factory=frozenset)

    @classmethod
    def of(cls, paths: Iterable[str]) -> VendoredFolders:
        """Judge every folder with an ambiguous name by the files that it holds."""
        folders: dict[str, _Folder] = {}
        for path in paths:
            if _MAY_BE_BELOW.search(path):
                parts = path.split("/")
                for depth, name in enumerate(parts[:-1]):
                    if _AMBIGUOUS.fullmatch(name):
                        prefix = "/".join(parts[: depth + 1]) + "/"
                        folder = folders.setdefault(prefix, _Folder(top=depth == 0))
                        folder.add(parts[depth + 1 :])
                        break
        return cls(frozenset(prefix for prefix, found in folders.items() if _holds(prefix, found)))

    def hold(self, path: str) -> bool:
        """Tell if the file lies in a folder of copies."""
        if not self.prefixes or "/" not in path:
            return False
        at = path.find("/")
        while at >= 0:
            if path[: at + 1] in self.prefixes:
                return True
            at = path.find("/", at + 1)
        return False


_MAY_BE_BELOW = re.compile(
    r"(?:^|/)(?:vendors?|(?:3rd|third)[-_]?part(?:y|ies)|deps|dependencies|extern(?:als?)?)/",
    re.IGNORECASE,
)


def may_change_folders(path: str) -> bool:
    """Tell if a change of this path may change which folders hold copies."""
    return _MAY_BE_BELOW.search(path) is not None


def _holds(prefix: str, found: _Folder) -> bool:
    name = prefix.rstrip("/").rpartition("/")[2]
    parents = prefix.lower().split("/")[:-2]
    if found.own_package and not found.licence:
        return False
    copies_only = _COPIES_ONLY.fullmatch(name) is not None
    # A monorepo may keep packages of its own below `deps/`.
    if found.licence or (found.unit_manifest and (found.top or copies_only)):
        return True
    code = found.nested_code + found.direct_code
    if found.top:
        return code >= max(1, found.texts) and (copies_only or found.nested_code > 0)
    if copies_only and found.assets * 2 > found.files and _ASSET_FOLDERS & set(parents):
        return True
    return copies_only and not name.lower().startswith("vendor") and found.compiled * 2 > code > 0
