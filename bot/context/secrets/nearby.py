"""Literals that stand near a secret's name: further on in its statement, or in a login's call."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from bot.context.secrets.candidate import Candidate
from bot.context.secrets.judgement.names import Strength
from bot.context.secrets.judgement.passwords import is_marked_password, is_password, is_word_secret
from bot.context.secrets.judgement.randomness import is_random
from bot.context.secrets.judgement.values import is_mixed

STRING = re.compile(r"""(?P<quote>\\{0,2}["'`])(?P<value>[^"'`\n]{0,400})(?P=quote)""")
_WORD = re.compile(r"""["'`]([^\s"'`\\]{8,200})\\{0,2}["'`]""")
"""A literal of one word, whether its quotes belong together or not."""
KEY_AFTER = re.compile(r"[ \t]{0,20}(?::(?!:)|=>)")
"""A literal before these is a key, not a value."""
_ENDING = re.compile(r"[\n;}]|\\n")
USER = re.compile(r"[\w.@-]{1,60}:(?=.)")
_SIDE = 240
"""Characters of a line that are looked at on each side of a name."""
_MOST = 4
_IMPORT = re.compile(r"\b(?:import|require|from|include|use|using|package|module|class|href|src)\b")
_LOGIN = re.compile(
    r"(?:[aA]uth|AUTH|[cC]redentials?|CREDENTIALS?|NetworkCredential|Password(?:Token)?|PasswordAuthentication|authenticate\w*|[lL]ogin"
    r"|[cC]onnect|getConnection|UserPass|Basic|OAuthHandler|OAuth1|OAuth1Session)$"
)
_DIGEST = re.compile(r"\bDigest[ \t]")
"""A header whose values are hashes: `Authorization: Digest username="…", uri="…"`."""
_OPENING = re.compile(
    r"(?:\(\)\.(?:preemptive\(\)\.)?(?:basic|digest)|::new)?\s{0,4}[=(]\s{0,4}\(?|[ \t](?=[\"'])"
)
"""Ruby's calls need no parentheses: `basic_auth "user", "…"`."""


_DEFAULT = re.compile(r"""\bdefault[ ]?[=:][ ]?["'](?P<value>[^"'\n]{4,200})["']""")
_IS_VALUE = re.compile(r"""[\w"'][ \t]{0,4}:[ \t]{0,4}["'][^"'\n]{0,60}\Z""")


def in_statement(text: str, start: int, end: int, strength: Strength) -> Iterator[Candidate]:
    """Yield the first literal behind a name, on its line, that is a secret beyond doubt.

    It finds `PASSWORDS = {"admin": "…"}` and `add_argument("--password", default="…")`.
    """
    ending = _ENDING.search(text, end, end + _SIDE)
    stop = ending.start() if ending else min(len(text), end + _SIDE)
    proof = is_mixed if strength == "password" else is_random
    default = _DEFAULT.search(text, end, stop) if strength == "password" else None
    if default and is_password(default["value"]):
        yield Candidate(*default.span("value"), "password", "quotes")
        return
    if not any(proof(word[1]) for word in _WORD.finditer(text, end, stop)):
        return
    floor = max(text.rfind("\n", max(0, start - _SIDE), start) + 1, start - _SIDE, 0)
    if text[end : end + 1] in ('"', "'") and _IS_VALUE.search(text, max(floor, start - 80), start):
        return
    if _IMPORT.search(text, floor, end) or _DIGEST.search(text, floor, stop):
        return
    behind = (found for found in STRING.finditer(text, floor, stop) if found.start() >= end)
    for literal in islice(behind, _MOST):
        if proof(literal["value"]) and not _is_key(text, literal):
            user = USER.match(literal["value"]) if text[start:end].endswith("USERPWD") else None
            begin = literal.start("value") + (user.end() if user else 0)
            yield Candidate(begin, literal.end("value"), "secret", "quotes")
            return


def _is_key(text: str, literal: re.Match[str]) -> bool:
    """Tell whether a literal is the key of a value or the index of a table."""
    before = text[max(0, literal.start() - 2) : literal.start()]
    subscript = before[-1:] == "[" and (before[0].isalnum() or before[0] in "_])")
    return subscript or KEY_AFTER.match(text, literal.end()) is not None


def is_login(name: str) -> bool:
    """Tell whether a call of this name takes a user and a password."""
    return _LOGIN.search(name) is not None


def in_login(
    text: str, end: int, name: str, place: int | None = None, is_sole: bool = True
) -> Iterator[Candidate]:
    """Yield the password of a call that takes a user and a password.

    It is the argument at the `place`, if that is known, or the last literal that looks like one.
    `is_sole` tells that nothing but a password stands at the place, so a word is one too.
    """
    opening = _OPENING.match(text, end)
    if opening is None:
        return
    pair = _pair(text, opening, name)
    if pair:
        yield Candidate(*pair.span("value"), "password", "quotes")
        return
    stop = _find_end(text, opening)
    if place is not None:
        argument = _argument(text, opening.end(), stop, place)
        if argument and (is_word_secret if is_sole else is_marked_password)(argument["value"]):
            yield Candidate(*argument.span("value"), "password", "quotes")
            return
    literals = [*STRING.finditer(text, opening.end(), stop)]
    alone = name.lower().endswith("auth") and "(" in opening.group()
    if not literals or not (alone or "," in text[opening.end() : literals[-1].start()]):
        return
    # Databases and brokers are connected to by host names too, and these hold digits.
    proof = (
        is_mixed if name.lower().endswith("connect") and len(literals) < 3 else is_marked_password
    )
    if len(literals) == 1 and re.search(r"(?:^|[.>:])auth$", name):
        proof = is_password
    last = next((it for it in reversed(literals) if proof(it["value"])), None)
    if last is not None and not _is_key(text, last) and not _is_member(text, last.start()):
        yield Candidate(*last.span("value"), "password", "quotes")


_USER_AND_PASSWORD = re.compile(
    r"""(?:["'`](?P<user>[\w.@+-]{1,60})["'`]|(?P<name>[\w.$>-]{1,40}))\s{0,20},\s{0,40}"""
    r"""(?P<quote>["'`])(?P<value>[^"'`\n]{4,100})(?P=quote)\s{0,20}\)"""
)
_OF_USER = re.compile(r"(?i)user|mail|login|name\Z|account")
_SENDS = re.compile(r"(?:\A|[.>:_])(?:[lL]ogin|[lL]og_?[iI]n|[aA]uthenticate|NetworkCredential)\Z")


def _pair(text: str, opening: re.Match[str], name: str) -> re.Match[str] | None:
    """Return the password of `login(user, "…")`: both arguments, and no other."""
    if not _SENDS.search(name):
        return None
    pair = _USER_AND_PASSWORD.match(text, opening.end())
    if pair is None or not is_word_secret(pair["value"]):
        return None
    return pair if pair["user"] or _OF_USER.search(pair["name"]) else None


_BRACKET = re.compile(r"[()]")


def _find_end(text: str, opening: re.Match[str]) -> int:
    """Return the end of a call's arguments: the line's, or that of the brackets it opened."""
    limit = opening.end() + _SIDE
    if opening.group().isspace():
        newline = text.find("\n", opening.end(), limit)
        return newline if newline >= 0 else limit
    depth = 0
    for bracket in _BRACKET.finditer(text, opening.end(), limit):
        if bracket.group() == "(":
            depth += 1
        elif bracket.group() == ")":
            depth -= 1
            if depth < 0 or (depth == 0 and "(" not in opening.group()):
                return bracket.start()
    return limit


_MEMBER = re.compile(r"""(?:=>|["'`]\s{0,4}:)\s{0,8}\Z""")


def _is_member(text: str, at: int) -> bool:
    """Tell whether a literal is the value of a key, whose name says what it is."""
    return _MEMBER.search(text, max(0, at - 20), at) is not None


def _argument(text: str, at: int, stop: int, place: int) -> re.Match[str] | None:
    """Return the literal that is the argument at a place, if no argument before holds a comma."""
    for _ in range(place):
        at = text.find(",", at, stop) + 1
        if at == 0:
            return None
    return STRING.match(text, at + len(text[at:stop]) - len(text[at:stop].lstrip()), stop)
