"""The definitions of a source file: the kind, the lines and the parent of each name.

They are read from the syntax tree by the queries of `definition_queries`. A file whose language has
no grammar here, or that takes too long to parse, has no answer at all: a caller must then say "not
checked". Parsing is bounded by bytes, by processor time and by the number of definitions.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from functools import lru_cache
from threading import Lock
from typing import Final, Literal, NamedTuple, TypeAlias

from tree_sitter import Language, Node, Query, QueryCursor, Tree

from bot.context.files.kinds import extension_of
from bot.context.grammars import load_language, parse
from bot.context.limits import resident_bytes
from bot.context.render import definition_queries as queries
from bot.context.render.components import COMPONENTS, read_script

Kind: TypeAlias = Literal[
    "type",
    "module",
    "function",
    "method",
    "constructor",
    "macro",
    "constant",
    "variable",
    "field",
    "heading",
]

LARGEST: Final = 500_000
"""Bytes of the largest file that is parsed."""
SECONDS: Final = 0.3
"""Processor time that the parser may take for one file."""
_LARGE: Final = 100_000
_large_parses: Final = Lock()
"""Held while a file of more than `_LARGE` bytes is parsed: one at a time in a process."""
GROWTH: Final = 100_000_000
"""Bytes by which the process may grow while a file is parsed. A file of 500 kB takes 30 MB."""
MOST: Final = 20_000
"""Definitions of one file that are kept."""
_LONGEST: Final = 400
_NODES: Final = 300_000
"""Nodes of a syntax tree that is searched: a real file of 500 kB has fewer."""
_TOKENS: Final = 4_000
"""Tokens in a row that may stand without a name between them. See `_is_searchable`."""
_MATCHES: Final = 4096


class Definition(NamedTuple):
    """One definition. Lines count from 1, as git counts them.

    `line` holds the name. `first` to `last` is the whole definition, with its decorators. `parent`
    is the dotted name of what it belongs to ("" at the top of a file). `declared` means that the
    body is elsewhere, as for a prototype in C.
    """

    name: str
    kind: Kind
    line: int
    first: int
    last: int
    parent: str = ""
    declared: bool = False

    @property
    def qualified(self) -> str:
        """The name with its parents, joined by dots."""
        return f"{self.parent}.{self.name}" if self.parent else self.name


class Definitions(NamedTuple):
    """All definitions of a file in the order of their lines.

    `whole` means that the syntax tree has no error. A name that is missing from a tree with errors
    may still be defined in the file.
    """

    items: tuple[Definition, ...]
    whole: bool

    def enclosing(self, line: int) -> Definition | None:
        """Return the innermost definition that holds a line, None at the top of the file."""
        inner: Definition | None = None
        for item in self.items:
            if item.first > line:
                break
            if item.last >= line and (
                inner is None or item.last - item.first <= inner.last - inner.first
            ):
                inner = item
        return inner


class _Grammar(NamedTuple):
    module: str
    query: str
    function: str = "language"
    fallback: str | None = None
    """Grammar to try if this one finds errors in the file."""


_GRAMMARS: Final[dict[str, _Grammar]] = {
    "py": _Grammar("python", queries.PYTHON),
    "js": _Grammar("javascript", queries.JAVASCRIPT, fallback="tsx"),
    "ts": _Grammar("typescript", queries.TYPESCRIPT, "language_typescript"),
    "tsx": _Grammar("typescript", queries.TYPESCRIPT, "language_tsx"),
    "go": _Grammar("go", queries.GO),
    "rs": _Grammar("rust", queries.RUST),
    "java": _Grammar("java", queries.JAVA),
    "c": _Grammar("c", queries.C),
    "h": _Grammar("c", queries.C, fallback="cpp"),
    "cpp": _Grammar("cpp", queries.CPP),
    "cs": _Grammar("c_sharp", queries.C_SHARP),
    "rb": _Grammar("ruby", queries.RUBY),
    "php": _Grammar("php", queries.PHP, "language_php"),
    "kt": _Grammar("kotlin", queries.KOTLIN),
    "swift": _Grammar("swift", queries.SWIFT),
    "scala": _Grammar("scala", queries.SCALA),
    "sh": _Grammar("bash", queries.BASH),
}
_ALIASES: Final = {
    "pyi": "py",
    "pyw": "py",
    "bzl": "py",
    "bazel": "py",
    "star": "py",
    "wscript": "py",
    "sconstruct": "py",
    "jsx": "js",
    "mjs": "js",
    "cjs": "js",
    "mts": "ts",
    "cts": "ts",
    "cc": "cpp",
    "cxx": "cpp",
    "c++": "cpp",
    "hpp": "cpp",
    "hh": "cpp",
    "hxx": "cpp",
    "h++": "cpp",
    "inl": "cpp",
    "ipp": "cpp",
    "tpp": "cpp",
    "cppm": "cpp",
    "ixx": "cpp",
    "ino": "cpp",
    "cu": "cpp",
    "cuh": "cpp",
    "csx": "cs",
    "rake": "rb",
    "gemspec": "rb",
    "ru": "rb",
    "gemfile": "rb",
    "podfile": "rb",
    "podspec": "rb",
    "brewfile": "rb",
    "fastfile": "rb",
    "vagrantfile": "rb",
    "guardfile": "rb",
    "capfile": "rb",
    "jbuilder": "rb",
    "rakefile": "rb",
    "phtml": "php",
    "kts": "kt",
    "sc": "scala",
    "sbt": "scala",
    "bash": "sh",
    "bats": "sh",
    "ksh": "sh",
    "bashrc": "sh",
    "bash_profile": "sh",
    "profile": "sh",
}
_INTERPRETERS: Final = {
    "python": "py",
    "ruby": "rb",
    "node": "js",
    "bash": "sh",
    "sh": "sh",
    "dash": "sh",
    "ksh": "sh",
    "php": "php",
    "deno": "ts",
    "tsx": "ts",
}
_SHEBANG = re.compile(rb"#![ \t]*\S*?(?:/env[ \t]+(?:-\S+[ \t]+)*)?/?([a-z]+)[\d.]*(?=\s|\Z)")
_HEADINGS: Final = frozenset({"md", "mdx", "markdown"})
_NAME_NODES: Final = frozenset(
    {
        "identifier",
        "field_identifier",
        "type_identifier",
        "destructor_name",
        "operator_name",
        "operator_cast",
        "qualified_identifier",
        "primitive_type",
    }
)
_FUNCTIONS: Final = frozenset({"function", "method", "constructor"})
_VALUES: Final = frozenset({"variable", "constant", "field"})
_TRANSPARENT: Final = frozenset(
    {"exports", "module.exports", "this", "self", "globalThis", "window"}
)
_GENERICS = re.compile(r"<[^<>]*>|\[[^\[\]]*\]")
_PARTS = re.compile(r"[A-Za-z_$][\w$]*")
_HEADING = re.compile(rb"(#{1,6})[ \t]+(.+?)[ \t]*#*[ \t]*$")
_UNDERLINE = re.compile(rb"[ ]{0,3}(=|-)\1+[ \t]*$")
_NO_TITLE = re.compile(rb"[ ]{0,3}(?:[|>#`~<]|[-*+][ \t]|\d+[.)][ \t]|---|===)")
_FENCE = re.compile(rb"[ ]{0,3}(```+|~~~+)")


def is_known(path: str) -> bool:
    """Return whether the file's language has a grammar here."""
    extension = extension_of(path)
    if extension in _HEADINGS or extension in COMPONENTS:
        return True
    return _ALIASES.get(extension, extension) in _GRAMMARS


def definitions(
    path: str, text: bytes, seconds: float = SECONDS, growth: int = GROWTH
) -> Definitions | None:
    """Return the definitions of a file; None if they cannot be known.

    `text` is the file as it is shown: UTF-8, lines that end at `\\n`. The result does not depend on
    anything but `path`'s ending and `text`, except that a file may exceed `seconds` of processor
    time on a slow machine. `growth` bounds the memory that the parser may take, in bytes.
    """
    if len(text) > LARGEST:
        return None
    extension = extension_of(path)
    if extension in _HEADINGS:
        return Definitions(tuple(_headings(text))[:MOST], True)
    if extension in COMPONENTS:
        return _parsed(*read_script(extension, text), seconds, growth)
    name = _ALIASES.get(extension, extension)
    if name not in _GRAMMARS and (shebang := _SHEBANG.match(text[:200])) is not None:
        name = _INTERPRETERS.get(shebang[1].decode("ascii"), "")
    grammar = _GRAMMARS.get(name)
    if grammar is None:
        return None
    if name == "h" and _CPP_ONLY.search(text):
        return _parsed("cpp", text, seconds, growth)
    found = _parsed(name, text, seconds, growth)
    if grammar.fallback is not None and found is not None and not found.whole:
        other = _parsed(grammar.fallback, text, seconds, growth)
        if other is not None and (other.whole or len(other.items) > len(found.items)):
            return other
    return found


_CPP_ONLY = re.compile(
    rb"^[ \t]*(?:template[ \t]*<|namespace\b[^;=()]{0,200}\{|class[ \t]+\w[^;()]{0,200}[{:]"
    rb"|(?:public|private|protected)[ \t]*:|using[ \t]+\w)",
    re.MULTILINE,
)
"""Lines of a header that no C has. Of C++ with many macros both grammars misread a part."""


def _parsed(name: str, text: bytes, seconds: float, growth: int) -> Definitions | None:
    # The tree of a large file may take 100 MB, and its query holds the interpreter's lock.
    with _large_parses if len(text) > _LARGE else nullcontext():
        return _parsed_now(name, text, seconds, growth)


def _parsed_now(name: str, text: bytes, seconds: float, growth: int) -> Definitions | None:
    tree = _tree(name, text, seconds, growth)
    if tree is None or not _is_searchable(tree.root_node):
        return None
    items = tuple(_nested(_captures(name, tree, text)))[:MOST]
    return Definitions(
        tuple(sorted(items, key=lambda item: item.first)), not tree.root_node.has_error
    )


def _language(name: str) -> Language:
    grammar = _GRAMMARS[name]
    return load_language(grammar.module, grammar.function)


@lru_cache(maxsize=len(_GRAMMARS))
def _query(name: str) -> Query:
    return Query(_language(name), _GRAMMARS[name].query)


def _tree(name: str, text: bytes, seconds: float, growth: int) -> Tree | None:
    """Parse a text; None if that takes longer than `seconds` of this thread's processor time.

    It ends as well if this process grows by more than `growth` meanwhile: for some texts the parser
    takes a gigabyte in a second.
    """
    language = _language(name)
    until, most = time.thread_time() + seconds, resident_bytes() + growth
    return parse(language, text, lambda: time.thread_time() > until or resident_bytes() > most)


def _is_searchable(root: Node) -> bool:
    """Return whether a query takes a bounded time.

    For every token the query looks for the next sibling that has a name, so the time is quadratic
    in the length of a row of bare tokens, such as a hundred thousand brackets.
    """
    if root.descendant_count > _NODES:
        return False
    large = [root]
    while large:
        node = large.pop()
        row = 0
        for child in node.children:
            row = 0 if child.is_named else row + 1
            if row > _TOKENS:
                return False
            if child.descendant_count > _TOKENS:
                large.append(child)
    return True


class _Capture(NamedTuple):
    """One node that a query found, by its bytes. `order` puts what encloses before the rest."""

    start: int
    end: int
    order: int
    kind: str
    name: str
    line: int
    first: int
    last: int
    parent: str
    modifier: str


def _captures(name: str, tree: Tree, text: bytes) -> list[_Capture]:
    # The cursor's own progress callback crashes the interpreter (tree-sitter 0.26.1), so the limit
    # is on the patterns that it follows at once.
    cursor = QueryCursor(_query(name), match_limit=_MATCHES)
    best: dict[tuple[int, int], tuple[int, _Capture]] = {}
    for pattern, captured in cursor.matches(tree.root_node):
        found = _capture(captured, text)
        if found is None:
            continue
        key = (found[0], found[1].order)
        if key not in best or pattern < best[key][0]:
            best[key] = (pattern, found[1])
    return sorted((capture for _, capture in best.values()), key=_nesting)


def _nesting(capture: _Capture) -> tuple[int, int, int]:
    return capture.start, -capture.end, capture.order


def _capture(captured: dict[str, list[Node]], text: bytes) -> tuple[int, _Capture] | None:
    """Return one match as a capture, with the byte that tells equal ones apart."""
    label = next(name for name in captured if name not in _HELPERS)
    node = captured[label][0]
    kind, _, modifier = label.partition(".")
    if kind in ("wrap", "opaque"):
        order = 0 if kind == "wrap" else 3
        return node.start_byte, _of(node, order, kind, "", node, "", modifier)
    if "declarator" in captured:
        return _declared(captured["declarator"][0], node, kind, modifier, text)
    named = captured["name"][0]
    if not _is_wanted(captured, named, text):
        return None
    parent = _dotted(_text(captured["parent"][0], text)) if "parent" in captured else ""
    name = _text(named, text)
    if kind == "scope":
        return named.start_byte, _of(node, 1, kind, _dotted(name), named, "", modifier)
    if ("::" in name or "." in name) and kind in ("type", "module"):
        outer, _, name = _dotted(name).rpartition(".")
        parent = f"{parent}.{outer}".strip(".")
    return named.start_byte, _of(node, 2, kind, _bare(name), named, parent, modifier)


def _is_wanted(captured: dict[str, list[Node]], named: Node, text: bytes) -> bool:
    if "self" in captured:
        return _text(captured["self"][0], text) in ("self", "cls")
    if "decorator" in captured:
        return _text(captured["decorator"][0], text) == "overload"
    if "call" in captured:
        call = _text(captured["call"][0], text)
        if named.parent is not None and named.parent.type == "pair":
            return call in queries.CALLS_WITH_PAIRS
        arguments = queries.CALLS.get(call)
        before = text[captured["call"][0].end_byte : named.start_byte]
        return arguments == "every" or (arguments == "first" and b"," not in before)
    return True


_HELPERS: Final = frozenset({"name", "declarator", "parent", "self", "call", "decorator"})


def _of(
    node: Node, order: int, kind: str, name: str, named: Node, parent: str, modifier: str
) -> _Capture:
    last = node.end_point[0] + (1 if node.end_point[1] else 0)
    first = node.start_point[0] + 1
    line = named.start_point[0] + 1
    return _Capture(
        node.start_byte,
        node.end_byte,
        order,
        kind,
        name,
        line,
        first,
        max(first, last),
        parent,
        modifier,
    )


def _declared(
    declarator: Node, node: Node, kind: str, modifier: str, text: bytes
) -> tuple[int, _Capture] | None:
    """Read a C declarator. Its innermost part is the name; parameters make it a function."""
    at, function, pointer = declarator, False, False
    while at.type not in _NAME_NODES:
        function = function or (at.type == "function_declarator" and not pointer)
        inner = at.child_by_field_name("declarator")
        if inner is None:
            inner = next(iter(at.named_children), None)
        if inner is None:
            return None
        # The name of a pointer to a function stands in brackets and is a variable.
        pointer = inner.type == "parenthesized_declarator"
        if pointer:
            function = False
        at = inner
    name, parent = _qualified(at, text)
    if not name:
        return None
    if function and kind in ("variable", "field"):
        kind, modifier = "function", "declared"
    elif kind == "variable" and text.startswith(b"extern ", node.start_byte):
        modifier = "declared"
    return at.start_byte, _of(node, 2, kind, name, _innermost(at), parent, modifier)


def _innermost(node: Node) -> Node:
    while node.type == "qualified_identifier":
        inner = node.child_by_field_name("name")
        if inner is None:
            break
        node = inner
    return node


def _qualified(node: Node, text: bytes) -> tuple[str, str]:
    """Return the name of a C++ declarator and the dotted scopes before it."""
    scopes: list[str] = []
    while node.type == "qualified_identifier":
        scope, inner = node.child_by_field_name("scope"), node.child_by_field_name("name")
        if scope is not None:
            scopes.append(_dotted(_text(scope, text)))
        if inner is None:
            return "", ""
        node = inner
    name = _text(node, text)
    if node.type == "operator_cast":
        name = name.partition("(")[0]
    if node.type in ("template_function", "template_method"):
        name = name.partition("<")[0]
    return " ".join(name.split()), ".".join(scopes)


def _text(node: Node, text: bytes) -> str:
    """Return the node's text, of at most `_LONGEST` bytes."""
    return text[node.start_byte : min(node.end_byte, node.start_byte + _LONGEST)].decode(
        "utf-8", "replace"
    )


def _bare(name: str) -> str:
    """Return a name without the marks of its syntax: a symbol's colon, quotes."""
    if name[:1] in "\"'`" and name[-1:] == name[:1] and len(name) > 2:
        return name[1:-1]
    if name.startswith(":") and len(name) > 1 and name[1] != ":":
        return name[1:]
    return " ".join(name.split())


def _dotted(text: str) -> str:
    """Return the identifiers of a type or an object, joined by dots; generics do not count."""
    while (shorter := _GENERICS.sub("", text)) != text:
        text = shorter
    parts = [part for part in _PARTS.findall(text) if part not in _NOISE]
    dotted = ".".join(parts)
    return "" if dotted in _TRANSPARENT else dotted


_NOISE: Final = frozenset({"prototype", "dyn", "mut", "const", "crate", "struct"})


class _Open(NamedTuple):
    start: int
    end: int
    kind: str
    path: str


def _nested(captures: Sequence[_Capture]) -> Iterator[Definition]:
    """Yield the definitions with their parents. `captures` are in the order of their nesting."""
    stack: list[_Open] = []
    wraps: list[_Capture] = []
    for capture in captures:
        while stack and stack[-1].end <= capture.start:
            stack.pop()
        while wraps and wraps[-1].end <= capture.start:
            wraps.pop()
        if stack and stack[-1][:2] == (capture.start, capture.end) and capture.kind in _VALUES:
            # One statement defines several names.
            stack.pop()
        outer = stack[-1].path if stack else ""
        if capture.kind == "wrap":
            wraps.append(capture)
            continue
        if capture.kind == "opaque":
            stack.append(_Open(capture.start, capture.end, "opaque", outer))
            wraps.clear()
            continue
        path = ".".join(part for part in (outer, capture.parent, capture.name) if part)
        if capture.kind == "scope":
            before, _, name = path.rpartition(".")
            if name:
                extension = capture._replace(name=name, modifier="declared")
                yield _definition(extension, "type", before, wraps)
            stack.append(_Open(capture.start, capture.end, "type", path))
            wraps.clear()
            continue
        holder = next((open.kind for open in reversed(stack) if open.kind not in _VALUES), "")
        if capture.modifier == "attribute":
            outer = next((open.path for open in reversed(stack) if open.kind == "type"), "")
            if not outer:
                continue
            yield _definition(capture, "field", outer, wraps)
            continue
        if capture.kind in _VALUES and (holder in _FUNCTIONS or holder == "opaque"):
            continue
        parent = ".".join(part for part in (outer, capture.parent) if part)
        kind = _kind(capture, holder, parent)
        yield _definition(capture, kind, parent, wraps)
        wraps.clear()
        if capture.modifier != "leaf":
            stack.append(_Open(capture.start, capture.end, kind, path))


def _kind(capture: _Capture, holder: str, parent: str) -> Kind:
    kind = capture.kind
    if kind == "function" and (holder == "type" or capture.parent):
        last = parent.rpartition(".")[2]
        constructors = (last, "constructor", "__construct", "__init__", "init", "initialize")
        return "constructor" if capture.name in constructors else "method"
    if kind == "variable" and holder == "type":
        return "field"
    return kind  # type: ignore[return-value]  # the queries capture no other kinds


def _definition(
    capture: _Capture, kind: Kind, parent: str, wraps: Sequence[_Capture]
) -> Definition:
    outer = wraps[0] if wraps else capture
    return Definition(
        capture.name,
        kind,
        capture.line,
        min(outer.first, capture.first),
        max(outer.last, capture.last),
        parent,
        capture.modifier == "declared",
    )


def _headings(text: bytes) -> Iterator[Definition]:
    """Yield the headings of a Markdown file; each lasts until the next of its level."""
    lines = text.split(b"\n")
    count = len(lines) - (1 if not lines[-1] else 0)
    found: list[tuple[int, int, str]] = []
    fence = b""
    for number, line in enumerate(lines, 1):
        if not fence and (underline := _UNDERLINE.match(line)) and _may_be_title(lines, number - 2):
            title = lines[number - 2].decode("utf-8", "replace").strip()
            found.append((number - 1, 1 if underline[1] == b"=" else 2, title))
        elif opened := _FENCE.match(line):
            mark = opened.group(1)[:3]
            fence = b"" if fence == mark else fence or mark
        elif not fence and line.startswith(b"#") and (heading := _HEADING.match(line[:500])):
            title = heading.group(2).decode("utf-8", "replace").strip()
            found.append((number, len(heading.group(1)), title))
    ends = _section_ends(found, count)
    open_: list[tuple[int, str]] = []
    for (number, level, title), end in zip(found[:MOST], ends, strict=False):
        while open_ and open_[-1][0] >= level:
            open_.pop()
        parent = ".".join(name for _, name in open_)
        yield Definition(title, "heading", number, number, end, parent)
        open_.append((level, title))


def _may_be_title(lines: Sequence[bytes], at: int) -> bool:
    """Return whether a line that stands above an underline is a title, alone between blank lines.

    Above a line of hyphens a table, a list or the head of a document may stand too.
    """
    if at < 0 or (at > 0 and lines[at - 1].strip() and not lines[at - 1].startswith(b"#")):
        return False
    line = lines[at][:_LONGEST]
    return (
        bool(line.strip()) and not line.startswith((b"    ", b"\t")) and not _NO_TITLE.match(line)
    )


def _section_ends(found: Sequence[tuple[int, int, str]], count: int) -> list[int]:
    """Return the last line of each heading's section: before the next heading of its level."""
    ends: list[int] = []
    following = [count + 1] * 7
    for number, level, _ in reversed(found):
        ends.append(min(following[: level + 1]) - 1)
        following[level] = number
    return ends[::-1]
