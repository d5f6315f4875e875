"""Values that are secrets by their characters: typed passwords, salts and seed phrases."""

from __future__ import annotations

import re

from bot.context.secrets.judgement.examples import is_example
from bot.context.secrets.judgement.randomness import is_uuid
from bot.context.secrets.judgement.references import is_encrypted, is_harmless, without_templates
from bot.context.secrets.judgement.words import DIGIT_TERM, HUMP


def is_typed(value: str) -> bool:
    """Tell whether a value could be a password that a person made up: not harmless, one word."""
    return is_word_password(value) or _is_typed(value)


def _is_typed(value: str) -> bool:
    return (
        not is_harmless(value)
        and not value.isspace()
        and not is_uuid(value)
        and (not value.isdigit() or len(value) >= 6)
    )


_PASSPHRASE = re.compile(r"[a-z]{3,12}(?:[-_. ][a-z]{3,12}){2,}[-_. ]?\d{2,4}")
_WORD_AND_DIGITS = re.compile(
    r"(?:[A-Z][a-z]{2,12}[-_.][A-Za-z]{3,12}|[a-z]{3,12}[A-Z][a-z]{2,12}|[A-Z][a-z]{3,12})"
    r"\d{2,4}[!#$%*]?"
)
_WORDS_OF_NAMES = re.compile(
    r"pass|secret|token|key|cred|auth|cert|tls|test|app|user|admin|login|service|config|demo|field|error"
)


def is_word_password(value: str) -> bool:
    """Tell whether a value is made of words as a person's password is.

    `Wombat77`, `Wombat.pond77`, `quietPond77`, or four words.
    """
    form = _PASSPHRASE.fullmatch(value) or _WORD_AND_DIGITS.fullmatch(value)
    return bool(
        form
        and not _WORDS_OF_NAMES.search(value.lower())
        and not is_example(value)
        and not DIGIT_TERM.search(value)
    )


_CALL = re.compile(r"[\w.]+\([^)]*\)?|.*[(){}]")


def is_mixed(value: str) -> bool:
    """Tell whether a value is a password beyond doubt: letters and digits or signs, 8 or more."""
    if len(value) < 8:
        return False
    return is_encrypted(value) or (
        _is_typed(value)
        and any(char.isalpha() for char in value)
        and (any(char.isdigit() for char in value) or _is_scrambled(value))
        and value.isascii()
        and not _CALL.match(value)
    )


def _is_scrambled(value: str) -> bool:
    """Tell whether letters alone are a random run: mixed in case, and no name by their look."""
    humps = HUMP.findall(value)
    return len(value) >= 12 and value.isalpha() and len(humps) > 3 and len(value) < 3.5 * len(humps)


def is_dense(value: str) -> bool:
    """Tell whether a long value mixes all kinds of characters, as generated salts do."""
    kinds = (str.isdigit, str.isupper, str.islower, lambda char: not char.isalnum())
    return (
        len(value) >= 32
        and all(sum(map(kind, value)) >= 3 for kind in kinds)
        and (not is_harmless(value) or _is_salt(value))
    )


_LEAST_PLAIN = 40
"""Characters of a salt without what looks like templates."""
_SALT = re.compile(r"[\w!@#$%^&*+=?~.,:;<>/`'\"-]{48,100}")


def _is_salt(value: str) -> bool:
    """Tell whether a value is a long random run of signs in which a pattern stands by chance."""
    return (
        _SALT.fullmatch(value) is not None
        and "://" not in value
        and not is_example(value)
        and len(without_templates(value)) >= _LEAST_PLAIN
    )


_MNEMONIC = re.compile(r"[a-z]{3,8}(?: [a-z]{3,8}){11,23}")
_NO_MNEMONIC = re.compile(r"\b(?:the|and|for|with|must|are|not|from|has|test)\b")


def is_mnemonic(value: str) -> bool:
    """Tell whether a value is a wallet's seed phrase (BIP 39)."""
    return bool(
        _MNEMONIC.fullmatch(value)
        and not _NO_MNEMONIC.search(value)
        and len(set(value.split())) > 8
    )
