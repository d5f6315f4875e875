"""Finding secrets in a text: by their own form, by their place, and by the name that they have.

Each step begins with a search for fixed words in C and looks closer only around its hits. So a text
without a secret's name costs little, and the time is linear in the length of any text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from bot.context.secrets.assignments.login_calls import LOGIN_WORDS, find_in_known_logins
from bot.context.secrets.assignments.named_values import find_named_values
from bot.context.secrets.assignments.names_in_text import NAME_WORDS, find_name_hits
from bot.context.secrets.candidate import Candidate
from bot.context.secrets.formats import ScanKind
from bot.context.secrets.judgement.line_syntax import is_text_on_line
from bot.context.secrets.mask import Span
from bot.context.secrets.places.addresses import ADDRESS_WORDS, find_in_addresses
from bot.context.secrets.places.calls import CALL_WORDS, find_keys_in_calls, find_pairs_in_calls
from bot.context.secrets.places.commands import COMMAND_WORDS, find_in_commands
from bot.context.secrets.places.document_logins import (
    DOCUMENT_WORDS,
    find_in_comments,
    find_in_documents,
)
from bot.context.secrets.places.headers import HEADER_WORDS, find_in_headers
from bot.context.secrets.places.java_logins import JAVA_WORDS, find_in_java_logins
from bot.context.secrets.places.kubernetes import find_kubernetes_secrets
from bot.context.secrets.places.server_settings import SERVER_WORDS, find_in_server_settings
from bot.context.secrets.places.sql_rows import ROW_WORDS, find_in_sql_rows
from bot.context.secrets.places.text_tables import find_in_text_tables
from bot.context.secrets.places.user_lists import (
    USER_LIST_WORDS,
    find_in_cloud_init,
    find_in_user_lists,
)
from bot.context.secrets.places.user_maps import USER_MAP_WORDS, find_in_user_maps
from bot.context.secrets.tokens.excerpt import Excerpt
from bot.context.secrets.tokens.forms import find_known_forms
from bot.context.secrets.tokens.prefixes import find_prefixed_tokens
from bot.context.secrets.tokens.private_keys import KEY_WORDS, find_private_keys, find_web_keys
from bot.context.secrets.tokens.rules import find_provider_tokens, preload
from bot.context.secrets.word_search import HeldWords

__all__ = ["find_secrets", "preload"]

_COMPILED_LANGUAGES = frozenset(
    ["c", "cpp", "csharp", "go", "java", "kotlin", "rust", "scala", "swift"]
)
"""Command lines are rare in their sources, and these are most of the text of a repository."""
_JAVA_LANGUAGES = frozenset(["java", "kotlin", "scala"])
_TEXT_KINDS = frozenset(["yaml", "config", "shell", "prose", "xml", "json"])


_HELD = HeldWords(
    ADDRESS_WORDS
    | CALL_WORDS
    | COMMAND_WORDS
    | DOCUMENT_WORDS
    | HEADER_WORDS
    | JAVA_WORDS
    | KEY_WORDS
    | LOGIN_WORDS
    | NAME_WORDS
    | ROW_WORDS
    | SERVER_WORDS
    | USER_LIST_WORDS
    | USER_MAP_WORDS
)


def find_secrets(data: bytes, kind: ScanKind) -> list[Span]:
    """Return the spans that hold secrets, in order, without overlap.

    `data` is the text as it would be shown. The time is linear in its length.
    """
    words = _HELD.within(data)
    spans = [
        *find_private_keys(data, words),
        *find_web_keys(data, words),
        *_find_tokens(data),
        *_find_by_syntax(data, words, kind),
    ]
    return _merge(spans)


def _find_tokens(data: bytes) -> Iterator[Span]:
    excerpt = Excerpt(data)
    if excerpt.data:
        for find in (find_known_forms, find_prefixed_tokens, find_provider_tokens):
            for span in find(excerpt.data):
                yield excerpt.placed(span)


def _find_by_syntax(data: bytes, words: frozenset[str], kind: ScanKind) -> Iterator[Span]:
    # One character a byte, so that places in the text are places in the data.
    text = data.decode("latin-1")
    found = [*_find_by_place(text, words, kind)]
    if kind not in _TEXT_KINDS:
        found += _find_by_call(text, words, kind)
    if hits := find_name_hits(data, words):
        found += find_in_sql_rows(text, words)
        found += find_named_values(text, hits, kind)
        if "secret" in words:
            found += find_kubernetes_secrets(text)
    if found:
        yield from _confirm(data, kind, found)


def _find_by_place(text: str, words: frozenset[str], kind: ScanKind) -> Iterator[Candidate]:
    """Yield the values that an address, a header, a list, a document or a command gives away."""
    yield from find_in_addresses(text, words)
    yield from find_in_headers(text, words)
    yield from find_in_server_settings(text, words, kind)
    if kind in {"config", "prose"}:
        yield from find_in_user_lists(text, words, kind)
    if kind in _JAVA_LANGUAGES:
        yield from find_in_java_logins(text, words)
    if kind == "prose":
        yield from find_in_documents(text, words)
        yield from find_in_text_tables(text)
    elif kind != "json":
        yield from find_in_comments(text, words)
    if kind not in _COMPILED_LANGUAGES:
        yield from find_in_commands(text, words)
        if "chpasswd" in words:
            yield from find_in_cloud_init(text)


def _find_by_call(text: str, words: frozenset[str], kind: ScanKind) -> Iterator[Candidate]:
    """Yield the values that a call or a map of users in a programming language gives away."""
    yield from find_keys_in_calls(text, words, kind)
    yield from find_pairs_in_calls(text, words)
    yield from find_in_user_maps(text, words)
    yield from find_in_known_logins(text, words, kind)


def _confirm(data: bytes, kind: ScanKind, found: Iterable[Candidate]) -> Iterator[Span]:
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


def _merge(spans: list[Span]) -> list[Span]:
    merged: list[Span] = []
    for span in sorted(spans):
        if merged and span.start < merged[-1].end:
            last = merged[-1]
            merged[-1] = Span(last.start, max(last.end, span.end), last.label)
        elif span.start < span.end:
            merged.append(span)
    return merged
