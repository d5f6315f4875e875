"""Whether a value can be a secret, or is a placeholder, a name, a template, a path or prose."""

from __future__ import annotations

import math
import re
import string
from collections import Counter
from functools import lru_cache
from itertools import pairwise

_TEMPLATE = re.compile(
    r"\\\([^()]{0,200}(?:\([^()]{0,200}\)[^()]{0,200}){0,4}\)|\$\{[^}]{0,200}\}?|\{\{.{0,200}?\}\}|<%.{0,200}?%>|\$\([^)]{0,200}\)|%\([^)]{0,60}\)[sdr]"
    r"|#\{[^}]{0,200}\}|%[-+#0 ]?\d{0,4}[sdvqxfi]\b|\{[\w.:!$]{0,60}\}|<[^<>]{1,80}>"
    r"|\[\[.{0,200}?\]\]|%[\w.:()-]{2,80}%|@[A-Z_.]{2,}@|__[A-Z_]{2,}__"
    r"|(?:(?<![A-Za-z0-9$])\$[A-Za-z_]|\$[A-Z_]{2})\w*(?:[.:\[][\w.:'\"\]-]*)?"
)
"""Parts of a value that a program fills in."""
_WHOLE_TEMPLATE = re.compile(
    r"[<\[(].*[>\])]|\$[\w.:{(\[].*|!.+|@\w+[/.].*|(?:ENC|AES|vault|env|file|secret|ref)[\[(:].*",
    re.DOTALL,
)
_PLACEHOLDER_PARTS = re.compile(
    r"example|placeholder|changeme|change[-_ .]?(?:it|this|me|in)\b|replace|redact|\byour|your[-_ ]"
    r"|dummy|insert|todo\b|fixme|\.\.\.|\*\*\*|x{5}|(?:^|[-_])xxx|x-x-x|not[-_]?(?:a[-_]?)?real"
    r"|goes[-_]here|(?:password|secret|token|key|value)[-_]?here|\[masked",
    re.IGNORECASE,
)
_ENDS_IN_SECRET = re.compile(r"s[3e]cr[3e]t[-_]?(?:key|pass(?:word)?)?$", re.IGNORECASE)
_OF_AN_EXAMPLE = re.compile(
    r"(?:my|super|very|top|this|is|a|the|some|really|so|[-_])*", re.IGNORECASE
)
_RUN_OF_KEYS = re.compile(r"0000000|1234567|abcdefg|deadbeef|qwerty", re.IGNORECASE)
_TERM = (
    r"v\d+(?:alpha|beta|rc)?\d*|s3|k8s|oauth2?|sha\d+|md5|x509|[reh]s\d{3}|ed25519|base64|b64|utf8"
    r"|ipv[46]|ec2|p12|pkcs\d+|i18n|l10n|http2?|log4j2?|neo4j|e2e|h2|oidc|argon2(?:id?)?|auth0|web3"
    r"|\d{1,10}|\d{1,3}[a-z]{1,2}"
)
_NAME = re.compile(rf"(?:{_TERM}|[A-Za-z]+\d{{0,4}}|(?-i:V\d(?:[A-Z][a-z]+)+))", re.IGNORECASE)
_BRANDS = frozenset(["OAuth", "apiV", "ipV", "IPv", "PyPI"])
_SEPARATOR = re.compile(r"[-_./:#@\\ ,=|+?&;]+|'s\b")
_SIGN_INSIDE = re.compile(r"[^=/\s]*\w[&?]\w[^=/\s]*")
"""A sign that separates the parts of an address, in a value that is no address."""
_HUMP = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_VOWEL = re.compile(r"[aeiouyAEIOUY]|[A-Z]{2}|(?i:str|ctx|cfg|msg|src|ptr|css|db|js|md)")
"""A syllable, a run of capitals, or an abbreviation that is common in names."""
_CONSONANTS = re.compile(r"[bcdfghjklmnpqrstvwxz]{6,}", re.IGNORECASE)
_POLICY = re.compile(
    r"(?=.*[a-z])[A-Z][A-Za-z]{2,}[-@!][A-Z][A-Za-z]+\d{1,4}"
    r"|(?=.*[a-z])(?=.*[A-Z])[A-Za-z]{3,}\d{0,4}(?:[-@!][A-Za-z]{2,})+[-@!]\d{3,4}"
)
"""Passwords that a policy asks for: words with capitals, a sign and digits.

`Copper-Meadow5`, and `tundra3-Quiet-Lamp-4417`.
"""
_ENCRYPTED = re.compile(r"\{[A-Za-z0-9+/]{40,400}={0,2}\}")
_DATE = re.compile(
    r"\d{4}-\d\d-\d\d(?:[T ].*)?|\d{1,2}:\d\d(?::\d\d)?|\d{1,6}(?::\d{0,6}){2,5}(?:[\w:]*)"
)
"""Dates, times and places in a file: `7:4:7:8`."""
_MARKUP = re.compile(
    r"[{\[(<].*[:\"',;=].*|\[?(?:String|ID|Int|Float|Boolean|[A-Z]\w*Input)!?\]?!|\w+:\\?\".*|(?:~|\.{1,2})[/\\].*"
    r"|[\w.]+(?:\[[\w., \[\]|]*\]|<[\w., <>|]*>|\([^()]*\))[?!;]?",
    re.DOTALL,
)
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_HEX = re.compile(r"(?:0x)?[0-9a-f]+", re.IGNORECASE)
_DIGEST = re.compile(r"(?:sha(?:1|224|256|384|512)|md5)[-:=]", re.IGNORECASE)
_PATTERN = re.compile(
    r"\\[dwsSWDb]|\[\^?[a-zA-Z0-9]-|\(\?|\.\*|\.\+|^\^|[\])}*+?]\$$|\\\.|\|\w+\||\]\{"
)
_ADDRESS = re.compile(
    r"[a-z][a-z0-9+.-]*://|(?:\.{0,2}|~|[A-Za-z]:)[/\\]{1,2}(?:[\w.@-]+[/\\])+", re.IGNORECASE
)
_CALL = re.compile(r"[\w.]+\([^)]*\)?|.*[(){}]")
_TOKEN_CHARACTERS = re.compile(r"[A-Za-z0-9+/_.~=:%-]+")
PUBLIC = ("LS0tLS1CRUdJTiBDRVJU", "LS0tLS1CRUdJTiBQVUJM")
"""base64 of a certificate and of a public key."""
_SHORTEST = 4
_LONGEST_NAME = 200


def without_templates(value: str) -> str:
    """Return the value without the parts that a program fills in."""
    return _TEMPLATE.sub(" ", value) if any(char in value for char in "$%{<#[@_\\") else value


def _is_sequence(value: str) -> bool:
    """Tell whether most characters follow the one before: alphabets, `12345678`, `aaaa`."""
    if len(set(value.replace("-", ""))) <= 3:
        return True
    steps = sum(ord(b) - ord(a) in (0, 1) for a, b in pairwise(value))
    return steps * 10 >= 6 * (len(value) - 1)


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
    humps = _HUMP.findall(letters)
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
    humps = _HUMP.findall(value)
    return len(humps) > 4 and sum(map(len, humps)) >= 4 * len(humps)


DIGIT_TERM = re.compile(
    r"OAuth2?|[oO]auth[12]|(?i:sha(?:1|224|256|384|512)|base64|b64|x509|ipv[46]|utf-?8|md5|ed25519|argon2)"
    r"|K8[sS]|S3(?=[A-Z]|$)|(?<![A-Za-z])s3|(?:(?<=[a-z]{3})|(?<![A-Za-z]))[vV]\d{1,2}(?=[A-Z]|$)|(?<=[a-z]{3})2(?=[A-Z][a-z])"
)
"""Terms with digits that stand in names: `OAuth2AccessToken`, `V1SecretReference`."""


@lru_cache(maxsize=65_536)
def _is_name_part(part: str) -> bool:
    if part.isalpha() and part.isascii():
        return _is_plausible(part)
    part = DIGIT_TERM.sub("Term", part)
    return not part or (_NAME.fullmatch(part) is not None and _is_plausible(part))


def is_name(value: str) -> bool:
    """Tell whether a value consists of words: a name, a path, a host, a sentence."""
    return (
        len(value) <= _LONGEST_NAME
        and all(map(_is_name_part, _SEPARATOR.split(value)))
        and not (value[-1:].isdigit() and _POLICY.fullmatch(value))
        and not (("&" in value or "?" in value) and _SIGN_INSIDE.fullmatch(value))
    )


def is_placeholder(token: str) -> bool:
    """Tell whether a text in a token's form is an example: it says so, or it is made of words."""
    return _is_example(token) or is_name(token)


def _is_example(value: str) -> bool:
    """Tell whether a value says that it is none: `changeme`, `your-token`, `my-app-secret`."""
    if _PLACEHOLDER_PARTS.search(value):
        return True
    ending = _ENDS_IN_SECRET.search(value)
    if ending is None:
        return False
    rest = value[: ending.start()]
    if ending.group().isalpha():
        return is_name(rest) and not any(map(str.isdigit, rest))
    return _OF_AN_EXAMPLE.fullmatch(rest) is not None


def entropy(value: str) -> float:
    """Return the Shannon entropy of the characters, in bits a character."""
    size = len(value)
    return -sum(n / size * math.log2(n / size) for n in Counter(value).values())


def is_encrypted(value: str) -> bool:
    """Tell whether a value is one that Jenkins or Maven encrypted: base64 in braces."""
    return _ENCRYPTED.fullmatch(value) is not None


def is_uuid(value: str) -> bool:
    return _UUID.fullmatch(value) is not None


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


@lru_cache(maxsize=8_192)
def is_harmless(value: str) -> bool:
    """Tell whether a value is certainly no secret."""
    if is_reference(value):
        return True
    if len(value) > _LONGEST_NAME:
        return False
    if value[0] in "#$!&*" and is_name(value.strip("#$!&*-")):
        return True
    return is_name(without_templates(value).strip())


@lru_cache(maxsize=8_192)
def is_reference(value: str) -> bool:
    """Tell whether a value is a template, a path, a pattern, markup, prose or an example."""
    if len(value) < _SHORTEST or value[0].isspace() or value[-1].isspace():
        return True
    if value[0] == "{" and is_encrypted(value):
        return False
    if len(value) > _LONGEST_NAME:
        return " " in value or "\n" in value
    if not value.isascii() and _is_translation(value):
        return True
    if value[0] in "([{<" and (len(value) < 2 or value[1].isalpha() or value[1] in "\"'{ "):
        return True
    if _MARKUP.fullmatch(value) or _DATE.fullmatch(value):
        return True
    if _WHOLE_TEMPLATE.fullmatch(value) or _DIGEST.match(value) or _is_sequence(value):
        return True
    if value.startswith(PUBLIC) or _is_example(value) or _RUN_OF_KEYS.search(value):
        return True
    rest = without_templates(value).strip()
    if len(rest) < _SHORTEST or (rest != value and not is_random(rest.split()[-1])):
        return True
    if " " in value or _PATTERN.search(value):
        return True
    return _ADDRESS.match(value) is not None and not _is_base64(value)


def _is_base64(value: str) -> bool:
    """Tell whether a value that looks like a path is random: a part of it is, or it is AWS's."""
    if not is_random(value):
        return False
    return len(value) == 40 or any(
        len(part) >= 10 and not _is_name_part(part) for part in re.split(r"[/.+-]", value)
    )


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


def is_mixed(value: str) -> bool:
    """Tell whether a value is a password beyond doubt: letters and digits or signs, 8 or more."""
    return is_encrypted(value) or (
        len(value) >= 8
        and _is_typed(value)
        and any(char.isalpha() for char in value)
        and (any(char.isdigit() for char in value) or _is_scrambled(value))
        and value.isascii()
        and not _CALL.match(value)
    )


def _is_scrambled(value: str) -> bool:
    """Tell whether letters alone are a random run: mixed in case, and no name by their look."""
    humps = _HUMP.findall(value)
    return len(value) >= 12 and value.isalpha() and len(humps) > 3 and len(value) < 3.5 * len(humps)


def is_dense(value: str) -> bool:
    """Tell whether a long value mixes all kinds of characters, as generated salts do."""
    kinds = (str.isdigit, str.isupper, str.islower, lambda char: not char.isalnum())
    return (
        len(value) >= 32
        and all(sum(map(kind, value)) >= 3 for kind in kinds)
        and (not is_harmless(value) or _is_salt(value))
    )


_SALT = re.compile(r"[\w!@#$%^&*+=?~.,:;<>/`'\"-]{48,100}")


def _is_salt(value: str) -> bool:
    """Tell whether a value is a long random run of signs in which a pattern stands by chance."""
    return (
        _SALT.fullmatch(value) is not None
        and "://" not in value
        and not _is_example(value)
        and without_templates(value) == value
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
        and not _is_example(value)
        and not DIGIT_TERM.search(value)
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


@lru_cache(maxsize=8_192)
def is_random(value: str) -> bool:
    """Tell whether a value was made by a machine: long, of a token's characters, without words."""
    if len(value) < 16 or not _TOKEN_CHARACTERS.fullmatch(value) or _is_sequence(value):
        return False
    if is_uuid(value):
        return True
    if "://" in value or value.startswith(PUBLIC) or _DATE.fullmatch(value):
        return False
    digits = sum(char.isdigit() for char in value)
    if _HEX.fullmatch(value):
        return len(value) >= 20 and 3 <= digits < len(value) and entropy(value) > 2.8
    if len(value) <= _LONGEST_NAME and is_name(value):
        return False
    if _is_example(value) or _DIGEST.match(value):
        return False
    return (digits >= 2 or len(value) >= 32 or _is_scattered(value)) and entropy(value) > 3.2


def _is_scattered(value: str) -> bool:
    """Tell whether letters of both cases follow each other without order, around one digit."""
    humps = _HUMP.findall(value)
    return len(value) >= 20 and len(humps) > 5 and sum(map(len, humps)) < 2.8 * len(humps)
