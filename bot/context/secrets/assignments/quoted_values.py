"""Values between quotes: which of them count, and the literals that continue them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.context.secrets.assignments.names_in_text import NameInText
from bot.context.secrets.assignments.proof import OF_MESSAGES, Proof, counts, is_interface_key
from bot.context.secrets.assignments.quoted_spans import QuotedSpan
from bot.context.secrets.assignments.surroundings import (
    LINE_SIDE,
    is_beside_user,
    is_of_service,
    is_set_option,
)
from bot.context.secrets.candidate import Candidate
from bot.context.secrets.formats import WITHOUT_STATEMENTS
from bot.context.secrets.judgement.names import is_sole_password
from bot.context.secrets.judgement.values import is_mnemonic
from bot.context.secrets.literals import SCHEME, USER

_ENCODER = re.compile(r"\{(?:noop|plain|cipher|pbkdf2|scrypt|sha256|ldap|MD5)\}")
_SCHEMES = frozenset(["Bearer", "Basic", "Token", "token", "bearer"])


def find_quoted_values(
    secret: NameInText, literal: QuotedSpan, proof: Proof
) -> Iterator[Candidate]:
    """Yield the literal that a name is given, if it counts, and those that continue it."""
    text, name = secret.text, secret.name
    at, to, _ = literal
    if proof == "likely" and secret.kind != "prose" and _is_sole(secret, literal):
        proof = "sole"
    value = text[at:to]
    scheme = SCHEME.match(value)
    prefix = scheme or _ENCODER.match(value)
    if name.lower().endswith(("userpwd", "userpass")):
        prefix = USER.match(value)
    if prefix:
        at += prefix.end()
        value = text[at:to]
    certain = bool(scheme) or is_interface_key(value, name)
    if counts(value, secret.strength, proof, certain) or _is_seed_phrase(value, name):
        yield Candidate(at, to, secret.label, "quotes")
        yield from find_following(secret, at, to)
    elif value.strip() in _SCHEMES and (part := _NEXT_PART.match(text, to)):
        yield Candidate(*part.span("value"), secret.label, "quotes")


def _is_seed_phrase(value: str, name: str) -> bool:
    return name.lower().endswith("mnemonic") and is_mnemonic(value)


_NEXT_PART = re.compile(
    r"""["'`]\s{0,80}(?:[+.&\\]\s{0,80})?(?:[bBrRuUfF]{1,2})?(?P<quote>["'`])(?P<value>[^"'`\s\\]{8,400})(?P=quote)"""
)
"""A literal that continues the one before: both are one text."""
_NEXT_ITEM = re.compile(
    r"""["'`]\s{0,40},\s{0,80}(?P<quote>["'`])(?P<value>[^"'`\n]{4,400})(?P=quote)(?!\s{0,20}(?::|=>))"""
)


def find_following(secret: NameInText, at: int, to: int) -> Iterator[Candidate]:
    """Yield the literals that continue the secret `at:to`, and the further items of its list."""
    text = secret.text
    part = _NEXT_PART.match(text, to)
    while part:
        yield Candidate(*part.span("value"), secret.label, "quotes")
        part = _NEXT_PART.match(text, part.end("value"))
    if "[" in text[secret.end : at] or "{" in text[secret.end : at]:
        item = _NEXT_ITEM.match(text, to)
        while item:
            if counts(item["value"], secret.strength):
                yield Candidate(*item.span("value"), secret.label, "quotes")
            item = _NEXT_ITEM.match(text, item.end("value"))


def is_set(secret: NameInText, literal: QuotedSpan) -> bool:
    """Tell whether a literal is the only argument of a setter: `setPassword("…")`.

    A builder sets the user too: `.username("ada").password("…")`. A list of
    arguments sets an option.
    """
    text, start, end = secret.text, secret.start, secret.end
    is_setter = text.startswith(("set", "Set"), start) or ".set" in text[start:end].lower()
    if text[start] == "-" and _NEXT_ARGUMENT.fullmatch(text, end, literal.at):
        return " " not in text[literal.at : literal.to]
    if text[end : literal.at] != '("' or not text.startswith('")', literal.to):
        return False
    return is_setter or (text[start] == "." and is_beside_user(text, start, literal.to + 2))


_ASSIGNED = re.compile(
    r"[^\n\"']{0,60}(?:(?<![=!<>])=|<-)[ \t]{0,8}[bBrRuULN@]{0,2}\\{0,2}[\"'`]\Z"
)
_PUT = re.compile(r"""(?:put|setProperty)\([\"'][\w.]{0,40}\Z""")
_NEXT_ARGUMENT = re.compile(r"""["'],[ ]?["']""")
"""A list of arguments: `["--password", "…"]`."""
_BLOCK = re.compile(r"""\)[ ]{0,4}\{[ ]{0,4}["']""")
"""A value that a test in Ruby names: `let(:password) { "…" }`."""
_IN_CONFIG = re.compile(r"(?:\A|\n)config[ ]:[^\n]{1,200}(?:\n[ \t]{1,20}[^\n]{0,200}){0,12}\Z")
"""A statement of a configuration in Elixir."""
_OF_PAIR = re.compile(r"""["'],\s{0,80}["']value["']:\s{0,8}["']\Z""")


def _is_sole(secret: NameInText, literal: QuotedSpan) -> bool:
    """Tell whether a literal stands in a place that holds nothing but a password.

    That is a setting of a service, the password beside its user, or a variable of a program. The
    labels of a user interface and the messages about passwords begin with a capital.
    """
    text, kind, start, end = secret.text, secret.kind, secret.start, secret.end
    at, to, is_assigned = literal
    name = text[start:end]
    if OF_MESSAGES.search(name):
        return False
    if not is_assigned:
        is_lower = text[at : at + 1].islower()
        return is_set(secret, literal) and (is_lower or is_beside_user(text, start, to))
    if is_sole_password(name) or is_set_option(secret):
        return True
    if not text[at : at + 1].islower():
        return False
    between = text[end:at]
    if kind not in WITHOUT_STATEMENTS and kind != "json" and _ASSIGNED.match(between):
        return "." not in name
    if kind == "ruby" and _BLOCK.fullmatch(between):
        return True
    if _PUT.search(text, max(0, start - 40), start):
        return True
    if "\n" not in between and is_beside_user(text, start, to):
        return True
    if kind in {"yaml", "config"} and "\n" not in between and is_of_service(text, start, name):
        return True
    if kind == "code" and _IN_CONFIG.search(text, max(0, start - LINE_SIDE), start):
        return True
    return kind == "json" and _OF_PAIR.match(between) is not None
