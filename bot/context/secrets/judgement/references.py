"""Whether a value is a template, a path, a pattern, prose or an example, and so no secret."""

from __future__ import annotations

import re
import string
from functools import lru_cache

from bot.context.secrets.judgement.examples import is_example
from bot.context.secrets.judgement.randomness import (
    DATE,
    DIGEST,
    PUBLIC,
    is_random,
    is_sequence,
)
from bot.context.secrets.judgement.words import LONGEST_NAME, is_name, is_name_part

_TEMPLATE = re.compile(
    r"\\\([^()]{0,200}(?:\([^()]{0,200}\)[^()]{0,200}){0,4}\)|\$\{[^}]{0,200}\}?|\{\{.{0,200}?\}\}|<%.{0,200}?%>|\$\([^)]{0,200}\)|%\([^)]{0,60}\)[sdr]"
    r"|#\{[^}]{0,200}\}|%[-+#0 ]?\d{0,4}[sdvqxfi]\b|\{[\w.:!$]{0,60}\}|<[^<>]{1,80}>"
    r"|\[\[.{0,200}?\]\]|%[\w.:()-]{2,80}%|@[A-Z_.]{2,}@|__[A-Z_]{2,}__"
    r"|(?:(?<![A-Za-z0-9$])\$[A-Za-z_]|\$[A-Z_]{2})\w*(?:[.:\[][\w.:'\"\]-]*)?"
)
"""Parts of a value that a program fills in."""


def without_templates(value: str) -> str:
    """Return the value without the parts that a program fills in."""
    return _TEMPLATE.sub(" ", value) if any(char in value for char in "$%{<#[@_\\") else value


@lru_cache(maxsize=8_192)
def is_harmless(value: str) -> bool:
    """Tell whether a value is certainly no secret."""
    if is_reference(value):
        return True
    if len(value) > LONGEST_NAME:
        return False
    if value[0] in "#$!&*" and is_name(value.strip("#$!&*-")):
        return True
    return is_name(without_templates(value).strip())


_SHORTEST = 4
_WHOLE_TEMPLATE = re.compile(
    r"[<\[(].*[>\])]|\$[\w.:{(\[].*|!.+|@\w+[/.].*|(?:ENC|AES|vault|env|file|secret|ref)[\[(:].*",
    re.DOTALL,
)
_MARKUP = re.compile(
    r"[{\[(<].*[:\"',;=].*|\[?(?:String|ID|Int|Float|Boolean|[A-Z]\w*Input)!?\]?!|\w+:\\?\".*|(?:~|\.{1,2})[/\\].*"
    r"|[\w.]+(?:\[[\w., \[\]|]*\]|<[\w., <>|]*>|\([^()]*\))[?!;]?",
    re.DOTALL,
)
_RUN_OF_KEYS = re.compile(r"0000000|1234567|abcdefg|deadbeef|qwerty", re.IGNORECASE)
_PATTERN = re.compile(
    r"\\[dwsSWDb]|\[\^?[a-zA-Z0-9]-|\(\?|\.\*|\.\+|^\^|[\])}*+?]\$$|\\\.|\|\w+\||\]\{"
)
_ADDRESS = re.compile(
    r"[a-z][a-z0-9+.-]*://|(?:\.{0,2}|~|[A-Za-z]:)[/\\]{1,2}(?:[\w.@-]+[/\\])+", re.IGNORECASE
)


@lru_cache(maxsize=8_192)
def is_reference(value: str) -> bool:
    """Tell whether a value is a template, a path, a pattern, markup, prose or an example."""
    if len(value) < _SHORTEST or value[0].isspace() or value[-1].isspace():
        return True
    if is_encrypted(value):
        return False
    if len(value) > LONGEST_NAME:
        return " " in value or "\n" in value
    if not value.isascii() and _is_translation(value):
        return True
    if value[0] in "([{<" and (len(value) < 2 or value[1].isalpha() or value[1] in "\"'{ "):
        return True
    if _MARKUP.fullmatch(value) or DATE.fullmatch(value):
        return True
    if _WHOLE_TEMPLATE.fullmatch(value) or DIGEST.match(value) or is_sequence(value):
        return True
    if value.startswith(PUBLIC) or is_example(value) or _RUN_OF_KEYS.search(value):
        return True
    rest = without_templates(value).strip()
    if len(rest) < _SHORTEST or (rest != value and not is_random(rest.split()[-1])):
        return True
    if " " in value or _PATTERN.search(value):
        return True
    return _ADDRESS.match(value) is not None and not _is_base64(value)


_ENCRYPTED = re.compile(r"\{[A-Za-z0-9+/]{40,400}={0,2}\}")


def is_encrypted(value: str) -> bool:
    """Tell whether a value is one that Jenkins or Maven encrypted: base64 in braces."""
    return value[:1] == "{" and _ENCRYPTED.fullmatch(value) is not None


_LAST_LATIN = 0x24F


def _is_translation(value: str) -> bool:
    """Tell whether a value is a word of a language that writes beyond ASCII.

    Such a word has letters of another script, or accents and no digit. `value` holds UTF-8, one
    character a byte.
    """
    text = value.encode("latin-1", "replace").decode("utf-8", "replace")
    return not any(char in string.digits for char in value) or any(
        ord(char) > _LAST_LATIN and char.isalpha() for char in text
    )


def _is_base64(value: str) -> bool:
    """Tell whether a value that looks like a path is random: a part of it is, or it is AWS's."""
    if not is_random(value):
        return False
    return len(value) == 40 or any(
        len(part) >= 10 and not is_name_part(part) for part in re.split(r"[/.+-]", value)
    )
