"""Finding secrets in a text: by the providers' forms, and by the name that a value is given to.

Each step begins with a search for fixed words in C and looks closer only around its hits. So a text
without a secret's name costs little, and the time is linear in the length of any text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from bot.context.secrets.addresses import ADDRESS_WORDS, addresses, in_user_maps
from bot.context.secrets.assigned import NAME_WORDS, assigned, in_logins, name_hits
from bot.context.secrets.calls import CALL_WORDS, keys_in_calls, pairs_in_calls
from bot.context.secrets.candidate import Candidate
from bot.context.secrets.commands import COMMAND_WORDS, in_commands
from bot.context.secrets.documents import kubernetes_secrets
from bot.context.secrets.formats import ScanKind
from bot.context.secrets.judgement.line_syntax import is_text_on_line
from bot.context.secrets.mask import Span
from bot.context.secrets.table_rows import ROW_WORDS, in_rows
from bot.context.secrets.tokens.excerpt import Excerpt
from bot.context.secrets.tokens.forms import known_forms
from bot.context.secrets.tokens.prefixes import prefixed_tokens
from bot.context.secrets.tokens.private_keys import KEY_WORDS, private_keys, web_keys
from bot.context.secrets.tokens.rules import preload, provider_tokens
from bot.context.secrets.word_search import HeldWords

__all__ = ["find_secrets", "preload"]

_COMPILED_LANGUAGES = frozenset(
    ["c", "cpp", "csharp", "go", "java", "kotlin", "rust", "scala", "swift"]
)
"""Command lines are rare in their sources, and these are most of the text of a repository."""
_TEXT_KINDS = frozenset(["yaml", "config", "shell", "prose", "xml", "json"])


_HELD = HeldWords(ADDRESS_WORDS | CALL_WORDS | COMMAND_WORDS | KEY_WORDS | NAME_WORDS | ROW_WORDS)


def find_secrets(data: bytes, kind: ScanKind) -> list[Span]:
    """Return the spans that hold secrets, in order, without overlap.

    `data` is the text as it would be shown. The time is linear in its length.
    """
    words = _HELD.within(data)
    spans = [
        *private_keys(data, words),
        *web_keys(data, words),
        *_tokens(data),
        *_by_syntax(data, words, kind),
    ]
    return _merged(spans)


def _tokens(data: bytes) -> Iterator[Span]:
    excerpt = Excerpt(data)
    if excerpt.data:
        for find in (known_forms, prefixed_tokens, provider_tokens):
            for span in find(excerpt.data):
                yield excerpt.placed(span)


def _by_syntax(data: bytes, words: frozenset[str], kind: ScanKind) -> Iterator[Span]:
    # One character a byte, so that places in the text are places in the data.
    text = data.decode("latin-1")
    hits = name_hits(data, words)
    found: list[Candidate] = list(addresses(text, words, kind))
    if kind not in _COMPILED_LANGUAGES:
        found += in_commands(text, words)
    if hits:
        found += in_rows(text, words)
    if kind not in _TEXT_KINDS:
        found += keys_in_calls(text, words, kind)
        found += pairs_in_calls(text, words)
        found += in_user_maps(text, words)
        found += in_logins(text, words, kind)
    if hits:
        found += assigned(text, hits, kind)
        if "secret" in words:
            found += kubernetes_secrets(text)
    if found:
        yield from _confirmed(data, kind, found)


def _confirmed(data: bytes, kind: ScanKind, found: Iterable[Candidate]) -> Iterator[Span]:
    """Yield the candidates that lie in the language's text, never those in its code."""
    is_text: Callable[[int, int], bool] | None = None
    for start, end, label, written in found:
        certain = written == "form" or (written == "quotes" and is_text_on_line(data, start))
        if kind not in _TEXT_KINDS and not certain:
            if is_text is None:
                # Loading a grammar takes as long as scanning a megabyte.
                from bot.context.secrets.judgement.syntax_tree import text_finder

                is_text = text_finder(data, kind)
            if not is_text(start, end):
                continue
        yield Span(start, end, label)


def _merged(spans: list[Span]) -> list[Span]:
    merged: list[Span] = []
    for span in sorted(spans):
        if merged and span.start < merged[-1].end:
            last = merged[-1]
            merged[-1] = Span(last.start, max(last.end, span.end), last.label)
        elif span.start < span.end:
            merged.append(span)
    return merged
