"""Whether a value was made by a machine: its characters, their order and their entropy."""

from __future__ import annotations

import math
import re
from collections import Counter
from functools import lru_cache
from itertools import pairwise

from bot.context.secrets.judgement.examples import is_example
from bot.context.secrets.judgement.words import HUMP, LONGEST_NAME, is_name

PUBLIC = ("LS0tLS1CRUdJTiBDRVJU", "LS0tLS1CRUdJTiBQVUJM")
"""base64 of a certificate and of a public key."""
DATE = re.compile(
    r"\d{4}-\d\d-\d\d(?:[T ].*)?|\d{1,2}:\d\d(?::\d\d)?|\d{1,6}(?::\d{0,6}){2,5}(?:[\w:]*)"
)
"""Dates, times and places in a file: `7:4:7:8`."""
DIGEST = re.compile(r"(?:sha(?:1|224|256|384|512)|md5)[-:=]", re.IGNORECASE)


def is_sequence(value: str) -> bool:
    """Tell whether most characters follow the one before: alphabets, `12345678`, `aaaa`."""
    if len(set(value.replace("-", ""))) <= 3:
        return True
    steps = sum(ord(b) - ord(a) in (0, 1) for a, b in pairwise(value))
    # A word may hold three such pairs: `stucco`.
    least = 8 if len(value) < 12 and value.isalpha() else 6
    return steps * 10 >= least * (len(value) - 1)


def entropy(value: str) -> float:
    """Return the Shannon entropy of the characters, in bits a character."""
    size = len(value)
    return -sum(n / size * math.log2(n / size) for n in Counter(value).values())


_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)


def is_uuid(value: str) -> bool:
    return _UUID.fullmatch(value) is not None


_TOKEN_CHARACTERS = re.compile(r"[A-Za-z0-9+/_.~=:%-]+")
_HEX = re.compile(r"(?:0x)?[0-9a-f]+", re.IGNORECASE)


@lru_cache(maxsize=8_192)
def is_random(value: str) -> bool:
    """Tell whether a value was made by a machine: long, of a token's characters, without words."""
    if len(value) < 16 or not _TOKEN_CHARACTERS.fullmatch(value) or is_sequence(value):
        return False
    if is_uuid(value):
        return True
    if "://" in value or value.startswith(PUBLIC) or DATE.fullmatch(value):
        return False
    digits = sum(char.isdigit() for char in value)
    if _HEX.fullmatch(value):
        return len(value) >= 20 and 3 <= digits < len(value) and entropy(value) > 2.8
    if len(value) <= LONGEST_NAME and is_name(value):
        return False
    if is_example(value) or DIGEST.match(value):
        return False
    return (digits >= 2 or len(value) >= 32 or _is_scattered(value)) and entropy(value) > 3.2


def _is_scattered(value: str) -> bool:
    """Tell whether letters of both cases follow each other without order, around one digit."""
    humps = HUMP.findall(value)
    return len(value) >= 20 and len(humps) > 5 and sum(map(len, humps)) < 2.8 * len(humps)
