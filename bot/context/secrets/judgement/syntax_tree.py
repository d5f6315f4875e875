"""Whether a place in a source file lies inside a string or a comment, by its syntax tree."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from tree_sitter import Node, Parser, Tree

from bot.context.grammars import load_language
from bot.context.secrets.judgement.line_syntax import is_text_on_line

_GRAMMARS: dict[str, tuple[str, str]] = {
    "python": ("python", "language"),
    "javascript": ("javascript", "language"),
    "typescript": ("typescript", "language_typescript"),
    "tsx": ("typescript", "language_tsx"),
    "go": ("go", "language"),
    "rust": ("rust", "language"),
    "java": ("java", "language"),
    "c": ("c", "language"),
    "cpp": ("cpp", "language"),
    "csharp": ("c_sharp", "language"),
    "ruby": ("ruby", "language"),
    "php": ("php", "language_php"),
    "kotlin": ("kotlin", "language"),
    "swift": ("swift", "language"),
    "scala": ("scala", "language"),
}
_TEXTS = ("string", "comment", "heredoc", "char", "text", "preproc_arg", "regex", "symbol_array")
_CODE = ("interpolation", "substitution")
_LARGEST = 400_000


def text_finder(data: bytes, kind: str) -> Callable[[int, int], bool]:
    """Return a function that tells whether bytes `start:end` lie in a string or a comment.

    A file is parsed when the first place is asked about. A language without a grammar, and a file
    that is too large to parse in bounded time, is judged by the quotes on the line.
    """
    trees: list[Tree | None] = []

    def is_text(start: int, end: int) -> bool:
        if not trees:
            fit = kind in _GRAMMARS and len(data) <= _LARGEST and not _is_ambiguous(data)
            trees.append(_parser(kind).parse(data) if fit else None)
        tree = trees[0]
        if tree is None:
            return is_text_on_line(data, start)
        return _is_text(tree.root_node, data, start, end)

    return is_text


_STATEMENT_END = re.compile(rb"[;{}]")
_MOST_ANGLES = 40


def _is_ambiguous(data: bytes) -> bool:
    """Tell whether a statement has so many `<` that a grammar may read it in too many ways.

    Java's took more than 4 GB for 50 kB of `a<a<a<`: each may begin types or compare.
    """
    return any(part.count(b"<") > _MOST_ANGLES for part in _STATEMENT_END.split(data))


@lru_cache(maxsize=len(_GRAMMARS))
def _parser(kind: str) -> Parser:
    module, function = _GRAMMARS[kind]
    return Parser(load_language(module, function))


def _is_text(root: Node, data: bytes, start: int, end: int) -> bool:
    node = root.descendant_for_byte_range(start, max(start, end - 1))
    while node is not None:
        kind = node.type
        if any(word in kind for word in _CODE):
            return False
        if any(word in kind for word in _TEXTS):
            return True
        if kind == "ERROR":
            return is_text_on_line(data, start)
        node = node.parent
    return False
