"""Literals further on in the statement of a secret's name."""

from __future__ import annotations

import re
from itertools import islice

from bot.context.secrets.assignments.names_in_text import NameInText
from bot.context.secrets.candidate import Candidate
from bot.context.secrets.judgement.passwords import is_password
from bot.context.secrets.judgement.randomness import is_random
from bot.context.secrets.judgement.values import is_mixed
from bot.context.secrets.literals import STRING, USER, is_key

_SIDE = 240
"""Characters of a line that are looked at on each side of a name."""
_MOST = 4
_ENDING = re.compile(r"[\n;}]|\\n")
_DEFAULT = re.compile(r"""\bdefault[ ]?[=:][ ]?["'](?P<value>[^"'\n]{4,200})["']""")
_WORD = re.compile(r"""["'`]([^\s"'`\\]{8,200})\\{0,2}["'`]""")
"""A literal of one word, whether its quotes belong together or not."""
_IS_VALUE = re.compile(r"""[\w"'][ \t]{0,4}:[ \t]{0,4}["'][^"'\n]{0,60}\Z""")
_IMPORT = re.compile(r"\b(?:import|require|from|include|use|using|package|module|class|href|src)\b")
_DIGEST = re.compile(r"\bDigest[ \t]")
"""A header whose values are hashes: `Authorization: Digest username="…", uri="…"`."""


def find_in_statement(secret: NameInText) -> Candidate | None:
    """Return the first literal behind a name, on its line, that is a secret beyond doubt.

    It finds `PASSWORDS = {"admin": "…"}` and `add_argument("--password", default="…")`.
    """
    text, start, end, strength = secret.text, secret.start, secret.end, secret.strength
    ending = _ENDING.search(text, end, end + _SIDE)
    stop = ending.start() if ending else min(len(text), end + _SIDE)
    proof = is_mixed if strength == "password" else is_random
    default = _DEFAULT.search(text, end, stop) if strength == "password" else None
    if default and is_password(default["value"]):
        return Candidate(*default.span("value"), "password", "quotes")
    if not any(proof(word[1]) for word in _WORD.finditer(text, end, stop)):
        return None
    floor = max(text.rfind("\n", max(0, start - _SIDE), start) + 1, start - _SIDE, 0)
    if text[end : end + 1] in ('"', "'") and _IS_VALUE.search(text, max(floor, start - 80), start):
        return None
    if _IMPORT.search(text, floor, end) or _DIGEST.search(text, floor, stop):
        return None
    behind = (found for found in STRING.finditer(text, floor, stop) if found.start() >= end)
    for literal in islice(behind, _MOST):
        if proof(literal["value"]) and not is_key(text, literal):
            user = USER.match(literal["value"]) if text[start:end].endswith("USERPWD") else None
            begin = literal.start("value") + (user.end() if user else 0)
            return Candidate(begin, literal.end("value"), "secret", "quotes")
    return None
