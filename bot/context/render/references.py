"""Which files refer to which: imports, includes and links, resolved by the ends of paths. Pure.

No language is parsed in full: one regular expression per family finds what is referred to, and a
reference counts for the file whose path ends like it and lies nearest to the file that refers.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from posixpath import dirname, normpath

from bot.context.files.kinds import extension_of

_PYTHON = re.compile(
    rb"^[ \t]*(?:from[ \t]+([.\w]+)[ \t]+import[ \t]+(\([^)]{0,2000}\)|[^\n#]+)"
    rb"|import[ \t]+([\w., \t]+))",
    re.MULTILINE,
)
_SCRIPT = re.compile(
    rb"""(?:\bfrom|\bimport|\brequire\(|\bimport\()[ \t]*['"]([^'"\n]{1,200})['"]"""
)
_GO = re.compile(
    # Possessive: a long line without a closing quote would otherwise take time by its square.
    rb'^[ \t]*+(?:import[ \t]++)?+(?:[\w.]++[ \t]++)?+"((?:[\w.~-]++/)++[\w.~-]++)"',
    re.MULTILINE,
)
_DOTTED = re.compile(rb"^[ \t]*(?:import|using|use)[ \t]+(?:static[ \t]+)?([\w.\\]+)", re.MULTILINE)
_RUST = re.compile(
    rb"^[ \t]*(?:pub(?:\([\w ]+\))?[ \t]+)?(?:use[ \t]+([\w:]+)|mod[ \t]+(\w+)[ \t]*;)", re.M
)
_INCLUDE = re.compile(rb'^[ \t]*#[ \t]*include[ \t]*["<]([^">\n]+)[">]', re.MULTILINE)
_RUBY = re.compile(rb"^[ \t]*require(?:_relative)?[ \t(]+['\"]([^'\"\n]+)['\"]", re.MULTILINE)
_DART = re.compile(
    rb"""^[ \t]*(?:import|export|part)[ \t]+['"](?:package:\w+/)?([^'"\n]{1,200})['"]""",
    re.MULTILINE,
)
_QUOTED_FILE = re.compile(
    rb"""(?:@import|\binclude|\bsource|\brequire|\bdofile|^-include(?:_lib)?|^[ \t]*import)"""
    rb"""[ \t]*\(?[ \t]*["']([^"'\n]{1,200})["']""",
    re.MULTILINE,
)
"""Erlang, Julia, Lua, protobuf, R, Zig and others name files or modules in quotes."""
_MODULE = re.compile(
    rb"^[ \t]*(?:import|use|alias|require)[ \t]+(?:qualified[ \t]+|safe[ \t]+)*"
    rb"([A-Z]\w*(?:(?:\.|::)[A-Z]\w*)+)",
    re.MULTILINE,
)
"""Elixir, Elm, Haskell, Perl and PureScript name modules by their paths."""
_CLOJURE = re.compile(rb"[\[(]([a-z][\w-]*(?:\.[\w-]+)+)(?=[ \t\n]+:(?:as|refer)|[\])])")
_SHELL = re.compile(
    rb"""^[ \t]*(?:source|\.)[ \t]+["']?(?:\$[{(]?[^/\n]{1,80}/)?([\w./-]{1,200})""", re.M
)
_MODULE_FOLDER = re.compile(rb'^[ \t]*source[ \t]*=[ \t]*"(\.{1,2}/[^"\n]{1,200})"', re.MULTILINE)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_LINK = re.compile(rb"\]\(([^)\s#]{1,200})")
_NAME = re.compile(rb"\w+")

_SCRIPTS = frozenset(
    ["js", "jsx", "ts", "tsx", "mjs", "cjs", "mts", "cts", "vue", "svelte", "astro"]
)
_DOTS = frozenset(["java", "kt", "kts", "scala", "groovy", "cs", "php"])
_CS = frozenset(["c", "h", "cc", "cpp", "cxx", "hpp", "hh", "m", "mm"])
_FILES = frozenset(["erl", "hrl", "jl", "lua", "proto", "r", "sol", "zig"])
_MODULES = frozenset(["elm", "hs", "pl", "pm", "purs", "t"])
_ELIXIR = frozenset(["ex", "exs", "heex"])
_CLOJURES = frozenset(["clj", "cljs", "cljc"])
_SHELLS = frozenset(["sh", "bash", "bats", "zsh"])
_STEMS = ("/__init__", "/index", "/mod", "/README", "/lib", "/main")
_MOST_CANDIDATES = 40
_LONGEST = 400
"""Characters of a reference: no path is longer, and a file can spell out one of its own size."""
_MOST_NAMESAKES = 200
"""Files with the same last two parts among which one is looked for."""
MOST_RESOLVED = 600_000
"""References of one repository that are resolved, in some twenty seconds."""
_MOST_OF_PACKAGE = 2_000
"""A reference to a folder of more files tells nothing of any of them, and costs each of them."""


def references(path: str, text: bytes) -> list[str]:
    """Return what the file refers to, as ends of paths without extension. Bounded by its length.

    A reference that starts with `/` is anchored at the top; others may match anywhere.
    """
    extension = extension_of(path)
    folder = dirname(path)
    found: Iterable[str] = ()
    if extension in {"py", "pyi"}:
        found = _python(folder, text)
    elif extension in _SCRIPTS:
        found = (_relative(folder, name) for name in _names(_SCRIPT, text))
    elif extension == "go":
        found = _names(_GO, text)
    elif extension == "rs":
        found = _rust(folder, text)
    elif extension in _DOTS:
        found = (re.sub(r"[.\\]", "/", name) for name in _names(_DOTTED, text))
    elif extension in _CS:
        found = (_relative(folder, name) for name in _names(_INCLUDE, text))
    elif extension == "rb":
        found = (_relative(folder, name) for name in _names(_RUBY, text))
    elif extension == "dart":
        found = (_relative(folder, name) for name in _names(_DART, text))
    elif extension in _FILES:
        found = (_file(extension, folder, name) for name in _names(_FILE_PATTERNS[extension], text))
    elif extension in _MODULES:
        found = (re.sub(r"\.|::", "/", name) for name in _names(_MODULE, text))
    elif extension in _ELIXIR:
        found = map(_elixir, _names(_MODULE, text))
    elif extension in _CLOJURES:
        found = (re.sub("[.]", "/", name).replace("-", "_") for name in _names(_CLOJURE, text))
    elif extension in _SHELLS:
        found = (_relative(folder, name) for name in _names(_SHELL, text))
    elif extension == "tf":
        found = (_relative(folder, name) for name in _names(_MODULE_FOLDER, text))
    elif extension in {"md", "mdx", "rst"}:
        found = (_relative(folder, "./" + name) for name in _names(_LINK, text) if ":" not in name)
    return sorted({name for name in found if 0 < len(name) <= _LONGEST})


def _names(pattern: re.Pattern[bytes], text: bytes) -> Iterator[str]:
    for match in pattern.finditer(text):
        for group in match.groups():
            if group:
                yield group.decode("utf-8", "replace")


def _relative(folder: str, name: str) -> str:
    """Resolve `./x` and `../x`; cut the extension and an alias such as `@/`."""
    if name.startswith("."):
        joined = normpath(f"{folder}/{name}")
        return "" if joined.startswith("..") else "/" + _stem(joined).lstrip("/")
    return _stem(name.removeprefix("@/").removeprefix("~/"))


_FILE_PATTERNS = dict.fromkeys(_FILES, _QUOTED_FILE) | {"sol": _SCRIPT}


def _file(extension: str, folder: str, name: str) -> str:
    """Resolve a file or, in Lua, a module whose folders are divided by dots."""
    if extension == "lua" and "/" not in name:
        return name.removesuffix(".lua").replace(".", "/")
    return _relative(folder, name)


def _elixir(module: str) -> str:
    """Return the path of `Shop.OrderLine`: `shop/order_line`."""
    return "/".join(_CAMEL.sub("_", part).lower() for part in module.split("."))


def _stem(path: str) -> str:
    head, slash, name = path.rpartition("/")
    return head + slash + (name.partition(".")[0] or name)


def _python(folder: str, text: bytes) -> Iterator[str]:
    for match in _PYTHON.finditer(text):
        source, names, plain = match.groups()
        if plain is not None:
            for name in plain.decode("utf-8", "replace").split(","):
                yield name.split(" as ")[0].strip().replace(".", "/")
            continue
        module = _python_module(folder, source.decode("utf-8", "replace"))
        if module is None:
            continue
        yield module
        for name in _NAME.findall(names)[:60]:
            yield f"{module.rstrip('/')}/{name.decode('utf-8', 'replace')}"


def _python_module(folder: str, source: str) -> str | None:
    dots = len(source) - len(source.lstrip("."))
    if not dots:
        return source.replace(".", "/")
    parts = folder.split("/") if folder else []
    if dots - 1 > len(parts):
        return None
    above = parts[: len(parts) - (dots - 1)]
    return "/" + "/".join([*above, *filter(None, source[dots:].split("."))])


def _rust(folder: str, text: bytes) -> Iterator[str]:
    for match in _RUST.finditer(text):
        used, module = match.groups()
        if module is not None:
            yield f"/{folder}/{module.decode()}".replace("//", "/")
            continue
        parts = [
            part for part in used.decode().split("::") if part not in {"crate", "self", "super"}
        ]
        yield "/".join(parts)
        yield "/".join(parts[:-1])


class Resolver:
    """Finds the files that references mean."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._left = MOST_RESOLVED
        self._by_name: dict[str, list[str]] = {}
        self._by_whole: dict[str, list[str]] = {}
        self._by_end: dict[str, list[tuple[str, str]]] = {}
        self._by_folder: dict[str, list[str]] = {}
        self._language: dict[str, str] = {}
        for path in paths:
            for whole in _wholes(path):
                self._by_name.setdefault(whole.rpartition("/")[2], []).append(path)
                self._by_whole.setdefault(whole, []).append(path)
                self._by_end.setdefault(_end(whole), []).append((whole, path))
            self._language[path] = _language(extension_of(path))
            if path.endswith(".go"):
                self._by_folder.setdefault(dirname(path), []).append(path)

    def resolve(self, referrer: str, reference: str) -> list[str]:
        """Return the files meant; several only if they are equally near.

        Of a repository with more than `MOST_RESOLVED` references the others mean nothing.
        """
        self._left -= 1
        if self._left < 0:
            return []
        if referrer.endswith(".go"):
            return self._package(reference)
        candidates = self._named(reference) if "/" in reference else self._near(referrer, reference)
        if not candidates:
            return []
        extension = extension_of(referrer)
        language = _language(extension)
        fitting = [
            path
            for path in candidates
            if path != referrer and (extension in _PROSE or self._language[path] == language)
        ]
        if len(fitting) <= 1:
            return fitting
        nearest = max(_shared(referrer, path) for path in fitting)
        kept = [path for path in fitting if _shared(referrer, path) == nearest]
        return kept if len(kept) <= 3 else []

    def _near(self, referrer: str, name: str) -> list[str]:
        candidates = self._by_name.get(name, ())
        if len(candidates) > _MOST_CANDIDATES:
            return []
        return [path for path in candidates if _is_near(referrer, path)]

    def _named(self, reference: str) -> list[str]:
        anchored = reference.startswith("/")
        wanted = reference.lstrip("/")
        ending = self._by_end.get(_end(wanted), ())
        if anchored or len(ending) > _MOST_NAMESAKES:
            return self._by_whole.get(wanted, [])[:_MOST_NAMESAKES]
        return [p for whole, p in ending if whole == wanted or whole.endswith("/" + wanted)]

    def _package(self, reference: str) -> list[str]:
        parts = reference.split("/")
        for skip in range(len(parts)):
            files = self._by_folder.get("/".join(parts[skip:]))
            if files:
                if len(files) > _MOST_OF_PACKAGE:
                    return []
                return [path for path in files if not path.endswith("_test.go")]
        return []


def _wholes(path: str) -> list[str]:
    """Return what a reference may spell out: the file's stem, and its folder for an index."""
    stem = _stem(path)
    return [stem, *(stem.removesuffix(suffix) for suffix in _STEMS if stem.endswith(suffix))]


def _end(path: str) -> str:
    """Return the last two parts: few files share them."""
    folders, _, name = path.rpartition("/")
    folder = folders.rpartition("/")[2]
    return f"{folder}/{name}" if folder else name


_PROSE = frozenset(["md", "mdx", "rst"])
"""May refer to anything; all else only to files of its own language."""
_FAMILIES = (
    *(frozenset(["py", "pyi"]), _SCRIPTS | {"css", "scss", "json"}, _DOTS, _CS),
    *(_ELIXIR, _CLOJURES, _SHELLS, frozenset(["erl", "hrl"]), frozenset(["pl", "pm", "t"])),
)
_LANGUAGES = {extension: min(family) for family in _FAMILIES for extension in family}


def _language(extension: str) -> str:
    return _LANGUAGES.get(extension, extension)


def _is_near(referrer: str, path: str) -> bool:
    """Tell whether a bare name can mean the file: a neighbour, or something at a source root.

    A C header may lie on any include path.
    """
    if extension_of(referrer) in _CS:
        return True
    folder = dirname(path)
    if _stem(path).rpartition("/")[2] in {"__init__", "index"}:
        folder = dirname(folder)
    return folder in {"", "src", "lib", dirname(referrer)}


def _shared(one: str, other: str) -> int:
    """Count the leading folders that two paths share."""
    count = 0
    for mine, yours in zip(one.split("/")[:-1], other.split("/")[:-1], strict=False):
        if mine != yours:
            break
        count += 1
    return count


def referred(referring: Mapping[str, Iterable[str]], weight: Mapping[str, float]) -> Counter[str]:
    """Sum, for each file, the weights of the files that refer to it.

    `referring` maps every path to its references, `weight` says what a reference from it counts.
    """
    resolver = Resolver(referring)
    sums: Counter[str] = Counter()
    for path in sorted(referring):
        meant: set[str] = set()
        for reference in referring[path]:
            meant.update(resolver.resolve(path, reference))
        for target in meant:
            sums[target] += weight[path]  # type: ignore[assignment]  # Counter sums floats too
    return sums
