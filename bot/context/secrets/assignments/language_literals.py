"""Values in a language's own way of writing: heredocs, `%q(…)`, `${name:…}`, lists of bytes."""

from __future__ import annotations

import re

from bot.context.secrets.assignments.names_in_text import NameInText
from bot.context.secrets.assignments.proof import Proof, counts
from bot.context.secrets.candidate import Candidate
from bot.context.secrets.formats import WITHOUT_STATEMENTS
from bot.context.secrets.judgement.names import is_password_name
from bot.context.secrets.judgement.passwords import is_word_secret

_SHELL_DEFAULT = re.compile(r"""=["']?\$\{\w{1,40}:?[-=](?P<value>[^}\s"'$]{4,200})\}""")
"""`PASSWORD=${1:-…}`"""
_TYPED_INTO = re.compile(
    r"""[]*:. ]{0,3}[\\]?["'`][]"'`]{0,3}(?:\){1,3}\s{0,80}\.(?:first\(\)\.|clear\(\)\.)?"""
    r"""(?:fill|type|sendKeys|send_keys|setValue|set_value|set|typeText|enterText|replaceText|input)"""
    r"""\w{0,12}\(|[ ]?,[ ]with:[ ]|[ ]?,[ ]:with[ ]=>[ ])\s{0,8}["'`](?P<value>[^"'`\n{]{4,100})"""
)
"""A password that a test types into a form: `getByLabel("Password").fill("…")`."""
_FILLS = re.compile(r"""\.(?:fill|type|setValue|typeText)\([ ]?["'`][^\n,]{0,60}\Z""")
_BEHIND_SELECTOR = re.compile(
    r"""["'`]?\]?(?P<quote>["'`]),[ ]?["'`](?P<value>[^"'`\n{]{4,100})["'`][,)]"""
)


def _typed_by_selector(text: str, start: int, end: int) -> re.Match[str] | None:
    """Match what a test types: `page.fill('input[name="password"]', '…')`."""
    if _FILLS.search(text, max(0, start - 80), start) is None:
        return None
    return _BEHIND_SELECTOR.match(text, end)


_BYTES = re.compile(
    r"(?:\[[^\]\n]{0,20}\]){0,2}[ \t]{0,20}(?::[ ]?[\[\]\w; ]{1,20})?(?::?=|:)"
    r"[ \t]{0,20}\n?[ \t]{0,40}(?:[\w.!\[\] ]{1,30})?[\[{(]{1,2}\s{0,40}"
    r"(?P<value>(?:0x[0-9A-Fa-f]{1,2}|\d{1,3})"
    r"(?:\s{0,40},\s{0,40}(?:0x[0-9A-Fa-f]{1,2}|\d{1,3})){15,4000})"
)
"""A key as a list of bytes."""
_DISTINCT_BYTES = 10
_GROUPS = re.compile(
    r"[\"']?[ \t]{0,8}[:=][ \t]{0,8}(?P<value>[a-z]{4}(?: [a-z]{4}){3})[ \t]{0,8}(?:\n|\Z)"
)
"""A password that Google makes for one program."""


def find_language_literal(secret: NameInText, proof: Proof) -> Candidate | None:
    """Return the value of a name that is written as no other language writes it."""
    text, kind, start, end = secret.text, secret.kind, secret.start, secret.end
    strength, label = secret.strength, secret.label
    found = _SHELL_DEFAULT.match(text, end) if kind == "shell" else None
    if found:
        is_secret = counts(found["value"], strength, proof)
        return Candidate(*found.span("value"), label) if is_secret else None
    if proof == "likely" and kind not in WITHOUT_STATEMENTS and kind != "json":
        typed = _TYPED_INTO.match(text, end)
        if typed and is_word_secret(typed["value"]):
            return Candidate(*typed.span("value"), label, "quotes")
    if is_password_name(secret.name) and (typed := _typed_by_selector(text, start, end)):
        is_secret = is_word_secret(typed["value"])
        return Candidate(*typed.span("value"), label, "quotes") if is_secret else None
    is_key = strength == "password" or secret.name.lower().endswith("key")
    if is_key and (bytes_found := _BYTES.match(text, end)):
        is_secret = len(set(bytes_found["value"].split(","))) >= _DISTINCT_BYTES
        return Candidate(*bytes_found.span("value"), label, "form") if is_secret else None
    if proof == "likely" and (groups := _GROUPS.match(text, end)):
        return Candidate(*groups.span("value"), label)
    span = _find_span(text, kind, start, end)
    if span and counts(text[span[0] : span[1]], strength, proof):
        return Candidate(*span, label, "form")
    return None


_WITH_QUOTE_LIKE = frozenset(["ruby", "code", "shell", "php"])
_REFERENCE = re.compile(r":-?(?P<value>[^}\s\"'$]{4,200})\}")
"""The default of `${db.password:…}`, as Spring writes it within any text."""
_QUOTE_LIKE = re.compile(
    r"(?:[\"']?[}\]])?[ \t]{0,20}(?:(?:\|\||//)?=>?|:|,)[ \t]{0,20}"
    r"(?:(?:%[qQ]?|q{1,2})[({\[|/!<](?P<value>[^\s)}\]|/!>]{4,200})[)}\]|/!>]"
    r"|\[\[(?P<long>[^\]\n]{4,200})\]\]"
    r"|<<<?[~-]?[\"']?\w{1,40}[\"']?[^\n]{0,40}\n[ \t]{0,80}(?P<row>\S{4,400})\n)"
)
"""Literals without quotes in Ruby, Perl and Lua, and the one line of a heredoc."""
_DEFAULT_BEFORE = re.compile(
    r'\bdefault(?:_value)?\s{0,4}=\s{0,4}"(?P<value>[^"\n]{4,200})"'
    r'[^"\n]{0,20}\]\s{0,80}(?:pub )?\Z'
)
"""The default in a Rust attribute, which stands before its field."""


def _find_span(text: str, kind: str, start: int, end: int) -> tuple[int, int] | None:
    """Return the span of a default of Spring's or Rust's, or of a literal without quotes."""
    found = None
    if text.endswith("${", max(0, start - 2), start):
        found = _REFERENCE.match(text, end)
    elif kind in _WITH_QUOTE_LIKE:
        found = _QUOTE_LIKE.match(text, end)
    elif kind == "rust" and text.endswith(("] ", "]\n", "pub "), max(0, start - 4), start):
        found = _DEFAULT_BEFORE.search(text, max(0, start - 320), start)
    if found is None:
        return None
    named = found.groupdict()
    return found.span(next(name for name in ("value", "row", "long") if named.get(name)))
