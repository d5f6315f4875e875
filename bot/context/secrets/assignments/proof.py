"""How well a name and its place prove that a value is a secret, and the tests that follow."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Literal

from bot.context.secrets.assignments.names_in_text import NameInText
from bot.context.secrets.assignments.surroundings import is_of_session
from bot.context.secrets.judgement.names import Strength
from bot.context.secrets.judgement.passwords import (
    is_joined_secret,
    is_marked_password,
    is_password,
    is_words_secret,
)
from bot.context.secrets.judgement.randomness import is_random, is_uuid
from bot.context.secrets.judgement.references import is_harmless
from bot.context.secrets.judgement.values import is_dense, is_mixed, is_typed

Proof = Literal["typed", "marked", "likely", "sole", "session"]
"""How well a place proves that it holds a password. A `likely` one needs a digit only, a `sole` one
may be a word, and one of a `session` several words."""
TESTS: dict[Proof, Callable[[str], bool]] = {
    "typed": is_typed,
    "marked": is_marked_password,
    "likely": is_password,
    "sole": is_words_secret,
    "session": is_joined_secret,
}
OF_MESSAGES = re.compile(r"(?i)err|valid|label|msg|message|i18n|title|hint|rule|placeholder|schema")


def choose_proof(secret: NameInText, is_password: bool) -> Proof:
    """Return what a name proves by itself. `is_password` tells that it is a password's name."""
    if secret.strength != "password":
        return "typed"
    if is_password:
        return "likely"
    if is_of_session(secret.text, secret.start, secret.end, secret.kind):
        return "session"
    # In YAML, the value of `secret` is often the name of one.
    return "marked" if secret.kind != "yaml" or secret.name.isupper() else "typed"


_LONGEST = 4_000
"""Characters of a value that are judged."""


def counts(value: str, strength: Strength, proof: Proof = "typed", certain: bool = False) -> bool:
    """Tell whether a value is a secret. A `certain` key is one of any length."""
    if len(value) > _LONGEST:
        value = value[:_LONGEST]
    if strength == "password" or certain:
        return TESTS[proof](value) or (
            is_uuid(value) and strength == "password" and not is_harmless(value)
        )
    return is_random(value) or is_dense(value)


_OF_INTERFACES = ("apikey", "accesskey", "apitoken", "accesstoken", "authtoken", "signingsalt")


@lru_cache(maxsize=4_096)
def _is_of_interface(name: str) -> bool:
    letters = name.lower().replace("_", "").replace("-", "").replace(".", "")
    return letters.endswith(_OF_INTERFACES)


def is_interface_key(value: str, name: str) -> bool:
    """Tell whether a value of few characters is the key of an interface, as its name says."""
    if not _is_of_interface(name):
        return False
    return len(value) >= (8 if name.lower().endswith("salt") else 12) and is_mixed(value)
