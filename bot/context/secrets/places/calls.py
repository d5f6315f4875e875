"""Keys that stand in the calls of well-known functions: those that sign, encrypt and check."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from bot.context.secrets.candidate import Candidate
from bot.context.secrets.judgement.passwords import is_marked_password, is_password
from bot.context.secrets.judgement.randomness import is_random
from bot.context.secrets.judgement.references import without_templates
from bot.context.secrets.judgement.values import is_mixed
from bot.context.secrets.literals import STRING, USER
from bot.context.secrets.word_search import find_places, word_of

_CALLS = (
    ("jwt.", r"\.(?:sign|verify|encode|decode)\w{0,12}\("),
    ("JWT::", r"(?:encode|decode)\("),
    ("JWT.", r"\.(?:sign|verify|encode|decode)\w{0,12}\("),
    ("Hmac(", r"\("),
    ("hmac.", r"\.[nN]ew\("),
    ("HMAC", r"(?:SHA\d{3}|\d{3}|[.:]{1,2}\w{1,12})?\("),
    ("hash_hmac(", r"\("),
    ("SecretKeySpec(", r"\("),
    ("SecurityKey(", r"\("),
    ("Fernet(", r"\("),
    ("ookieParser(", r"\("),
    ("NewCipher(", r"\("),
    ("ipheriv(", r"\("),
    ("AES.new(", r"\("),
    ("TOTP(", r"\("),
    ("SignedString(", r"\("),
    ("CookieStore(", r"\("),
    ("password_hash(", r"\("),
    ("HashPassword(", r"\("),
    ("GenerateFromPassword(", r"\("),
    ("Hash::make(", r"\("),
    ("hashpw(", r"\("),
    ("algoliasearch(", r"\("),
    ("NewStaticV", r"\d\("),
    ("NewStaticCredentials(", r"\("),
)
_OPENINGS = tuple(
    (word_of(anchor), anchor, len(anchor.rstrip("(.")), re.compile(opening))
    for anchor, opening in _CALLS
)
_ENCODERS = ("btoa(", "Buffer.from(", "64encode(", "64_encode(")
"""Calls that encode `user:password` for an `Authorization` header."""
_PROVIDERS = ("omniauth", "provider")
CALL_WORDS = frozenset(
    [word_of(anchor) for anchor, _ in _CALLS] + [*map(word_of, _ENCODERS), *_PROVIDERS]
)
_SCRIPTS = frozenset(["javascript", "typescript", "tsx", "code"])
_LANGUAGES_OF = {
    **dict.fromkeys(("ookieParser(", "ipheriv(", "algoliasearch("), _SCRIPTS),
    **dict.fromkeys(("Fernet(", "AES.new("), frozenset(["python", "ruby", "code"])),
    **dict.fromkeys(("hash_hmac(", "Hash::make(", "password_hash("), frozenset(["php", "code"])),
    **dict.fromkeys(
        ("SignedString(", "GenerateFromPassword(", "NewStaticV", "NewStaticCredentials("),
        frozenset(["go", "code"]),
    ),
    "CookieStore(": frozenset(["go", "code"]) | _SCRIPTS,
    "SecretKeySpec(": frozenset(["java", "kotlin", "scala", "code"]),
}
"""Languages that have a call."""
_SIDE = 240


@lru_cache(maxsize=32)
def _openings(kind: str) -> list[tuple[str, str, int, re.Pattern[str]]]:
    """Return the calls that a language has."""
    return [it for it in _OPENINGS if kind in _LANGUAGES_OF.get(it[1], (kind,))]


def find_keys_in_calls(text: str, words: frozenset[str], kind: str) -> Iterator[Candidate]:
    """Yield the literals among a call's arguments that look random.

    `words` are those of `CALL_WORDS` that the text holds, `kind` is its language.
    """
    for word, anchor, size, opening in _openings(kind):
        if word not in words:
            continue
        for at in find_places(text, anchor):
            found = opening.match(text, at + size)
            if found is None:
                continue
            newline = text.find("\n", found.end(), found.end() + _SIDE)
            stop = newline if newline >= 0 else found.end() + _SIDE
            for literal in STRING.finditer(text, found.end(), stop):
                if is_random(literal["value"]) or _is_argument(text, found.end(), literal, anchor):
                    yield Candidate(*literal.span("value"), "key", "quotes")
    if "jwt" in words:
        yield from _find_keys_of_parsers(text)
    if "auth" in words:
        yield from _find_secrets_of_providers(text, words)


_MADE = frozenset(["algoliasearch(", "NewStaticV", "NewStaticCredentials("])
"""Calls whose keys are made by a machine."""
_OF_PASSWORDS = frozenset(
    [
        "CookieStore(",
        "jwt.",
        "JWT.",
        "JWT::",
        "ookieParser(",
        "password_hash(",
        "HashPassword(",
        "GenerateFromPassword(",
        "Hash::make(",
        "hashpw(",
    ]
)
"""Calls that take nothing but keys or passwords."""
_BEFORE_ARGUMENT = re.compile(r"(?:[(,]|\A)\s{0,40}(?:b|\[\]byte\()?\Z")
_ALGORITHM = re.compile(
    r"(?i)(?:a?es|des|3des|rsa|[hrep]s|sha|md|utf|ecdsa|ed|hmac|base|chacha|id-|gcm|p)[-_]?\d.*|hmac(?:[-_]?(?:sha|md)\w*)?"
)


def _is_argument(text: str, start: int, literal: re.Match[str], anchor: str) -> bool:
    """Tell whether a literal is an argument of its own that a person made up as a key."""
    value = literal["value"]
    if anchor in _MADE:
        return False
    if anchor == "SecurityKey(" and " " in value:
        return len(value) >= 16 and without_templates(value) == value
    proof = is_password if anchor in _OF_PASSWORDS else is_marked_password
    if len(value) < 8 or _ALGORITHM.fullmatch(value) or not proof(value):
        return False
    head = text[max(start, literal.start() - 60) : literal.start()]
    return "{" not in text[start : literal.start()].rpartition("}")[2] and bool(
        _BEFORE_ARGUMENT.search(head)
    )


_PROVIDER = re.compile(
    r"(?:omniauth|provider)[ (]{1,4}:\w{1,40},\s{0,80}['\"][^'\"\n]{1,200}['\"],\s{0,80}"
    r"['\"](?P<value>[^'\"\n]{16,200})['\"]"
)
"""`provider :github, "id", "…"` of OmniAuth."""


def _find_secrets_of_providers(text: str, words: frozenset[str]) -> Iterator[Candidate]:
    for anchor in _PROVIDERS:
        for at in find_places(text, anchor) if anchor in words else ():
            found = _PROVIDER.match(text, at)
            if found and is_random(found["value"]):
                yield Candidate(*found.span("value"), "secret", "quotes")


_RETURNED = re.compile(r'return \[\]byte\("(?P<value>[^"\n]{8,400})"\)')
_NEAR = 600


def _find_keys_of_parsers(text: str) -> Iterator[Candidate]:
    """Yield the key that a function returns to Go's parser of JSON web tokens."""
    for at in find_places(text, "return []byte("):
        found = _RETURNED.match(text, at)
        if found and "jwt." in text[max(0, at - _NEAR) : at] and is_password(found["value"]):
            yield Candidate(*found.span("value"), "key", "quotes")


_ARGUMENT = re.compile(rf"\s{{0,40}}b?{STRING.pattern}")


def find_pairs_in_calls(text: str, words: frozenset[str]) -> Iterator[Candidate]:
    """Yield the password of a user and a password that are encoded together."""
    for anchor in _ENCODERS:
        for at in find_places(text, anchor) if word_of(anchor) in words else ():
            literal = _ARGUMENT.match(text, at + len(anchor))
            user = USER.match(literal["value"]) if literal else None
            if literal and user and is_mixed(literal["value"][user.end() :]):
                start = literal.start("value") + user.end()
                yield Candidate(start, literal.end("value"), "password", "quotes")
