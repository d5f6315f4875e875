"""Whether a text consists of words: a name, a path, a host or a sentence."""

from __future__ import annotations

import re
from functools import lru_cache

LONGEST_NAME = 200
HUMP = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_VOWEL = re.compile(r"[aeiouyAEIOUY]|[A-Z]{2}|(?i:str|ctx|cfg|msg|src|ptr|css|db|js|md)")
"""A syllable, a run of capitals, or an abbreviation that is common in names."""
_CONSONANTS = re.compile(r"[bcdfghjklmnpqrstvwxz]{6,}", re.IGNORECASE)
_BRANDS = frozenset(["OAuth", "apiV", "ipV", "IPv", "PyPI"])
_VOWELS = str.maketrans("", "", "aeiouyAEIOUY")


def _count_vowels(letters: str) -> int:
    return len(letters) - len(letters.translate(_VOWELS))


def _is_plausible(word: str) -> bool:
    """Tell whether letters could be words in camelCase: no random case, no run of consonants."""
    letters = word.rstrip("0123456789")
    if not letters:
        return True
    if letters.islower() or letters.isupper() or letters.istitle():
        spoken = (
            letters.isupper() or len(letters) < 10 or _count_vowels(letters) * 5 >= len(letters)
        )
        return len(letters) <= 24 and spoken and not _CONSONANTS.search(letters)
    humps = HUMP.findall(letters)
    if len(letters) < 7 and len(letters) < len(word) and letters not in _BRANDS:
        return False
    if len(letters) < 6:
        return all(len(hump) > 1 for hump in humps) or letters[1:].istitle()
    if len(humps) > 3 and len(letters) < 2.8 * len(humps):
        return False
    single = sum(len(hump) < 2 for hump in humps)
    if len(humps) > 4 and 2 * sum(len(hump) > 1 and hump.isupper() for hump in humps) >= len(humps):
        return False
    silent = sum(len(hump) > 1 and not _VOWEL.search(hump) for hump in humps)
    return (
        (_are_words(humps) or (len(humps) <= 8 and not _CONSONANTS.search(letters)))
        and single * 4 <= len(humps)
        and (silent < 2 or silent * 3 < len(humps))
    )


def _are_words(humps: list[str]) -> bool:
    """Tell whether the parts of a long name are as long as words are."""
    return sum(map(len, humps)) >= 4.5 * len(humps) and not any(
        _CONSONANTS.search(hump) for hump in humps if not hump.isupper()
    )


def is_camel_case(value: str) -> bool:
    """Tell whether a long text is words in camelCase, whatever signs and digits divide them."""
    humps = HUMP.findall(value)
    return len(humps) > 4 and sum(map(len, humps)) >= 4 * len(humps)


_TERM = (
    r"v\d+(?:alpha|beta|rc)?\d*|s3|k8s|oauth2?|sha\d+|md5|x509|[reh]s\d{3}|ed25519|base64|b64|utf8"
    r"|ipv[46]|ec2|p12|pkcs\d+|i18n|l10n|http2?|log4j2?|neo4j|e2e|h2|oidc|argon2(?:id?)?|auth0|web3"
    r"|\d{1,10}|\d{1,3}[a-z]{1,2}"
)
_NAME = re.compile(rf"(?:{_TERM}|[A-Za-z]+\d{{0,4}}|(?-i:V\d(?:[A-Z][a-z]+)+))", re.IGNORECASE)
DIGIT_TERM = re.compile(
    r"OAuth2?|[oO]auth[12]|(?i:sha(?:1|224|256|384|512)|base64|b64|x509|ipv[46]|utf-?8|md5|ed25519|argon2)"
    r"|K8[sS]|S3(?=[A-Z]|$)|(?<![A-Za-z])s3|(?:(?<=[a-z]{3})|(?<![A-Za-z]))[vV]\d{1,2}(?=[A-Z]|$)|(?<=[a-z]{3})2(?=[A-Z][a-z])"
)
"""Terms with digits that stand in names: `OAuth2AccessToken`, `V1SecretReference`."""


@lru_cache(maxsize=65_536)
def is_name_part(part: str) -> bool:
    if part.isalpha() and part.isascii():
        return _is_plausible(part)
    part = DIGIT_TERM.sub("Term", part)
    return not part or (_NAME.fullmatch(part) is not None and _is_plausible(part))


_SEPARATOR = re.compile(r"[-_./:#@\\ ,=|+?&;]+|'s\b")
_SIGN_INSIDE = re.compile(r"[^=/\s]*\w[&?]\w[^=/\s]*")
"""A sign that separates the parts of an address, in a value that is no address."""
_POLICY = re.compile(
    r"(?=.*[a-z])[A-Z][A-Za-z]{2,}[-@!][A-Z][A-Za-z]+\d{1,4}"
    r"|(?=.*[a-z])(?=.*[A-Z])[A-Za-z]{3,}\d{0,4}(?:[-@!][A-Za-z]{2,})+[-@!]\d{3,4}"
)
"""Passwords that a policy asks for: words with capitals, a sign and digits.

`Copper-Meadow5`, and `tundra3-Quiet-Lamp-4417`.
"""


def is_name(value: str) -> bool:
    """Tell whether a value consists of words: a name, a path, a host, a sentence."""
    return (
        len(value) <= LONGEST_NAME
        and all(map(is_name_part, _SEPARATOR.split(value)))
        and not (value[-1:].isdigit() and _POLICY.fullmatch(value))
        and not (("&" in value or "?" in value) and _SIGN_INSIDE.fullmatch(value))
    )
