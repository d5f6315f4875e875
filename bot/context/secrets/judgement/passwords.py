"""Passwords that people make up: words with digits and signs, which resemble names.

Such a value is judged together with its place. `calvin99` is a password as the value of `password`,
and a name anywhere else.
"""

from __future__ import annotations

import re
from functools import lru_cache

from bot.context.secrets.judgement.references import is_reference
from bot.context.secrets.judgement.values import is_typed
from bot.context.secrets.judgement.words import DIGIT_TERM

_SHORTEST = 6
_LONGEST = 80
_TERM = re.compile(
    r"(?<![A-Za-z0-9])(?:v\d+|i18n|l10n|e2e|web3|neo4j|auth0|log4j2?|http2?|x64|x86|utf16|[rhe]s\d{3}"
    r"|aes\d{3}|rfc\d+|pbkdf2|bcrypt\d?|pkcs\d+|tls1\d?|s3|h2|ec2|d3|r2|l[2347]|x\d+|id\d|(?-i:db\d)|v\d)(?![A-Za-z0-9])",
    re.IGNORECASE,
)
"""Words with a digit that stand in names."""
_OF_A_NAME = re.compile(
    r"(?<![a-z])field|(?:text|word|name|pwd)field|input|column|param|label|header|error|valid|message|required|prompt|type|attr|form"
    r"|title|text|string|button|view|page|path|file|config|class|[_-]name|namespace|hash"
)
"""Words of names that hold something about a password."""
_IDENTIFIER = re.compile(
    r"(?:[A-Z][a-z]+)+\d|[a-z][a-z0-9]*(?:[A-Z][a-z0-9]+)*|[a-z0-9_.]+|[a-z0-9-]+"
)
_OF_A_SECRET = re.compile(r"passw|pwd|secret|token|cred|auth|key")
_LEET = re.compile(r"[A-Za-z]\d{1,2}[A-Za-z]|(?<![A-Za-z0-9])\d[a-z]{2,}")
"""A digit in place of a letter: `s3kret`, `3va`."""
_LEET_S = re.compile(r"(?<![A-Za-z])s3(?!bucket|client|key|url|path|object|uri|file)[a-z]{2}")
"""`s3lect`; behind other words, `s3` is Amazon's store."""
_SIGN = re.compile(r"[A-Za-z0-9][!@#$%^&*+~]|[!@#$%^&*+~][A-Za-z0-9]")
_FILE = re.compile(
    r".*\.(?:txt|json|ya?ml|toml|ini|env|key|pem|crt|com|net|org|io|local|svc|py|js|ts|go)"
)
_DOTTED_NAME = re.compile(r"[a-z_]+(?:\.[a-z_]+)*\.[a-z_]+\d?|[\w.]*\[\w*\][\w.]*")
_HOSTS = re.compile(r"(?:[\w.-]{1,80}:\d{2,5},?)+")
_SETTING = re.compile(r"[A-Za-z_]+=\w|@?[A-Z0-9]+(?:_[A-Z0-9]+)+\Z|[\w.-]+(?:/[\w.-]+)+@[\w.-]+\Z")
"""A setting, a constant, or a path with a version: `Microsoft.KeyVault/vaults@2022-07-01`."""
_RULES = re.compile(r"\w+(?::[\w,.]+)?(?:\|\w+(?::[\w,.]+)?)+")
"""What a validator asks of a value: `required|min:8`."""
_GROUPS = re.compile(r"[a-z]{4}(?: [a-z]{4}){3}")
"""A password that Google makes for one program."""
_WORDS = re.compile(r"[^\s]{2,20}(?: [^\s]{2,20}){1,3}")
_NO_START = "/.~-{<([|"


@lru_cache(maxsize=8_192)
def is_password(value: str) -> bool:
    """Tell whether a password's name can have this value. A word and a digit suffice."""
    if is_typed(value) or _GROUPS.fullmatch(value) or _is_phrase(value):
        return True
    digits, has_leet, of_a_name = _marks(value)
    if of_a_name or not digits:
        return has_leet
    return (
        has_leet
        or digits > 1
        or _IDENTIFIER.fullmatch(value) is None
        or not _OF_A_SECRET.search(value.lower())
    )


@lru_cache(maxsize=8_192)
def is_marked_password(value: str) -> bool:
    """Tell whether a value looks like a password even if its place only suggests one.

    It has a digit in place of a letter, two digits, or a digit beside a sign or letters of both
    cases, and it is no identifier.
    """
    if is_typed(value):
        return True
    digits, has_leet, of_a_name = _marks(value)
    if of_a_name or not digits:
        return has_leet
    is_mixed_case = value.lower() != value and value.upper() != value
    return (
        has_leet
        or digits > 1
        or _SIGN.search(value) is not None
        or (is_mixed_case and len(value) >= 8 and _IDENTIFIER.fullmatch(value) is None)
    )


_PHRASE = re.compile(r"(?=.*\d)[A-Z][\w'!?$%&-]*(?: [\w'!?$%&-]+){1,5}")
_OF_SENTENCES = re.compile(
    r"(?i)\b(?:passw\w*|passcode|token|key|secret|least|must|is|are|be|your|enter|the|character\w*|min\w*|max\w*"
    r"|required|please|digits?|letters?|step|version|repeat|invalid|not|no|for|with|to|in|or|and)\b"
)


def _is_phrase(value: str) -> bool:
    """Tell whether a value is a password of several words: `Master of 7 Puppets!`."""
    return (
        len(value) >= 10
        and _PHRASE.fullmatch(value) is not None
        and _OF_SENTENCES.search(value) is None
    )


def _marks(value: str) -> tuple[int, bool, bool]:
    """Return how many digits no term explains, if one stands for a letter, and if it is a name."""
    if not _SHORTEST <= len(value) <= _LONGEST or not value.isascii() or value[0] in _NO_START:
        return 0, False, False
    plain = _TERM.sub("", DIGIT_TERM.sub("", value))
    has_leet = (_LEET.search(plain) or _LEET_S.search(value)) is not None
    if " " in value:
        return 0, has_leet and _WORDS.fullmatch(value) is not None, False
    lower = value.lower()
    if (
        is_reference(value)
        or _FILE.fullmatch(lower)
        or _HOSTS.fullmatch(value)
        or _SETTING.match(value)
        or _RULES.fullmatch(value)
        or not any(map(str.isalpha, plain))
    ):
        return 0, False, False
    of_a_name = _DOTTED_NAME.fullmatch(value) is not None or (
        _IDENTIFIER.fullmatch(value) is not None and _OF_A_NAME.search(lower) is not None
    )
    return sum(map(str.isdigit, plain)), has_leet, of_a_name


_WORDS_OF_PASSWORD = re.compile(r"[A-Za-z][\w'!-]{1,20}(?: [\w'!-]{1,20}){1,6}", re.ASCII)


@lru_cache(maxsize=8_192)
def is_words_secret(value: str) -> bool:
    """Tell whether a place that holds nothing but a password can have these words of a phrase."""
    return is_word_secret(value) or (
        len(value) >= 8
        and _WORDS_OF_PASSWORD.fullmatch(value) is not None
        and _OF_SENTENCES.search(value) is None
        and _OF_NO_SECRET.search(value) is None
    )


_JOINED = re.compile(r"[a-z]{2,20}(?:[_-][a-z0-9]{2,20}){2,6}")


@lru_cache(maxsize=8_192)
def is_joined_secret(value: str) -> bool:
    """Tell whether the secret of sessions can have this value: signs may join its words."""
    return is_words_secret(value) or (
        _JOINED.fullmatch(value) is not None
        and _OF_NO_SECRET.search(value) is None
        and not is_reference(value)
    )


_WORD_SECRET = re.compile(r"(?![a-z]+[A-Z])[A-Za-z][A-Za-z0-9!@%^*+'-]{4,60}")
_OF_NO_SECRET = re.compile(
    r"(?i)pass|pwd|secret|token|(?<!mon)(?<!don)(?<!tur)key(?!board)|cred|auth|admin|root|user|login|test|demo"
    r"|(?<![a-z])(?:foo|bar|baz|abc|env|var|byte)(?![a-z])|foobar|sample|string"
    r"|text|hidden|none|null|true|false|undefined|required|optional|default|value|prompt|input|(?<![a-z-])field"
    r"|type|name|config|file|change|enter|kennwort|contrase|senha|motde|wachtwoord|parola"
    r"|heslo|haslo|salasana|jelszo|losenord|empty|invalid|missing|wrong|bool|byte|object|array"
    r"|integer|column|encrypt|hashed|plain|stdin|generate|random|unset|disable|enable|nothing|blank"
    r"|mask|redact|xxx|guest|postgres|mysql|mariadb|redis|mongo|rabbit|minio|vagrant|oracle|docker"
    r"|localhost|public|private|remember|facebook|google|github|basic|digest|bearer|ldap|expired"
    r"|adgangskode|sifre|lozinka|geslo|slaptazodis|parool|clave|match|incorrect|short|weak|strong|length"
)
"""Words of examples, types, labels and messages, and users whose password is their name."""


@lru_cache(maxsize=8_192)
def is_word_secret(value: str) -> bool:
    """Tell whether a place that holds nothing but a secret can have this value, even a mere word.

    Placeholders, references, identifiers and the words of labels stay.
    """
    return is_password(value) or (
        _WORD_SECRET.fullmatch(value) is not None
        and _OF_NO_SECRET.search(value) is None
        and not is_reference(value)
    )
