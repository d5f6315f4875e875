"""Tree-sitter's grammars, and parsing that can be stopped.

The grammars are the ones that their maintainers publish as wheels: each is there once installed.
(`tree-sitter-language-pack` fetches its grammars when first used since 1.0, which a bot behind a
firewall cannot.) A grammar is loaded when a file of its language is first seen.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from importlib import import_module

from tree_sitter import Language, Parser, Point, Tree

_PIECE = 1 << 16


@lru_cache(maxsize=64)
def load_language(module: str, function: str = "language") -> Language:
    """Load the grammar that `function` of the wheel `tree_sitter_MODULE` returns."""
    return Language(getattr(import_module(f"tree_sitter_{module}"), function)())


def parse(language: Language, text: bytes, is_over: Callable[[], bool]) -> Tree | None:
    """Parse a text; None if `is_over`, which is asked again and again, ends it.

    `Node.text` crashes the interpreter for such a tree, since it was read piece by piece (0.26.1).
    """
    view = memoryview(text)

    def read(offset: int, point: Point) -> memoryview:
        return view[offset : offset + _PIECE]

    def stop(offset: int, error: bool) -> bool:
        return is_over()

    # A parser keeps state while it runs, so each call has its own: threads share none.
    try:
        return Parser(language).parse(read, progress_callback=stop)
    except ValueError:
        return None
