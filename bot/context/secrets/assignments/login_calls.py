"""Calls that log in: they take a user and a password."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.context.secrets.candidate import Candidate
from bot.context.secrets.judgement.passwords import is_marked_password, is_password, is_word_secret
from bot.context.secrets.judgement.randomness import is_random
from bot.context.secrets.judgement.values import is_mixed
from bot.context.secrets.literals import STRING, is_key
from bot.context.secrets.word_search import find_places, word_of

_LOGINS = {
    "php": {"PDO": 2, "mysqli": 2, "mysqli_connect": 2, "ftp_login": 2, "ldap_bind": 2},
    "go": {"NewDialer": 3},
    "csharp": {"new SftpClient": 2, "new SshClient": 2, "CreateAsync": 1},
    "code": {"postgresql_password": 1, "mysql_password": 0, "DBI->connect": 2},
    "c": {"mysql_real_connect": 3, "WiFi.begin": 1},
    "cpp": {"mysql_real_connect": 3, "WiFi.begin": 1, ".connect": 2},
    "python": {
        "FTP": 2,
        "FTP_TLS": 2,
        "simple_bind": 1,
        "simple_bind_s": 1,
        "create_user": 2,
        "create_superuser": 2,
    },
    "javascript": {"new Sequelize": 2},
    "typescript": {"new Sequelize": 2},
}
"""Calls that take a user and a password although no word of their names says so, and the place of
the password among their arguments."""
_OF_OTHERS_TOO = frozenset(["CreateAsync"])
"""Calls of which only some take a password."""

LOGIN_WORDS = frozenset(word_of(call) for calls in _LOGINS.values() for call in calls)


def find_in_known_logins(text: str, words: frozenset[str], kind: str) -> Iterator[Candidate]:
    """Yield passwords among the arguments of the calls that log in, in the languages with such.

    `words` are those of `LOGIN_WORDS` that the text holds.
    """
    for word, place in _LOGINS.get(kind, {}).items():
        for at in find_places(text, word) if word_of(word) in words else ():
            is_sole = word not in _OF_OTHERS_TOO
            found = find_in_login(text, at + len(word), word, place, is_sole)
            if found:
                yield found


_LOGIN = re.compile(
    r"(?:[aA]uth|AUTH|[cC]redentials?|CREDENTIALS?|NetworkCredential|Password(?:Token)?|PasswordAuthentication|authenticate\w*|[lL]ogin"
    r"|[cC]onnect|getConnection|UserPass|Basic|OAuthHandler|OAuth1|OAuth1Session)$"
)


def is_login(name: str) -> bool:
    """Tell whether a call of this name takes a user and a password."""
    return _LOGIN.search(name) is not None


_OPENING = re.compile(
    r"(?:\(\)\.(?:preemptive\(\)\.)?(?:basic|digest)|::new)?\s{0,4}[=(]\s{0,4}\(?|[ \t](?=[\"'])"
)
"""Ruby's calls need no parentheses: `basic_auth "user", "…"`."""


def find_in_login(
    text: str, end: int, name: str, place: int | None = None, is_sole: bool = True
) -> Candidate | None:
    """Return the password of a call that takes a user and a password.

    It is the argument at the `place`, if that is known, or the last literal that looks like one.
    `is_sole` tells that nothing but a password stands at the place, so a word is one too.
    """
    opening = _OPENING.match(text, end)
    if opening is None:
        return None
    pair = _match_pair(text, opening, name)
    if pair:
        return Candidate(*pair.span("value"), "password", "quotes")
    stop = _find_end(text, opening)
    if place is not None:
        argument = _match_argument(text, opening.end(), stop, place)
        if argument and (is_word_secret if is_sole else is_marked_password)(argument["value"]):
            return Candidate(*argument.span("value"), "password", "quotes")
    last = _find_last(text, opening, stop, name)
    return Candidate(*last.span("value"), "password", "quotes") if last else None


def _find_last(text: str, opening: re.Match[str], stop: int, name: str) -> re.Match[str] | None:
    """Return the last literal among a call's arguments that looks like a password."""
    literals = [*STRING.finditer(text, opening.end(), stop)]
    alone = name.lower().endswith("auth") and "(" in opening.group()
    if not literals:
        return None
    if not alone and "," not in text[opening.end() : literals[-1].start()]:
        return _only_token(opening, literals)
    # Databases and brokers are connected to by host names too, and these hold digits.
    proof = (
        is_mixed if name.lower().endswith("connect") and len(literals) < 3 else is_marked_password
    )
    if len(literals) == 1 and re.search(r"(?:^|[.>:])auth$", name):
        proof = is_password
    last = next((it for it in reversed(literals) if proof(it["value"])), None)
    if last is None or is_key(text, last) or _is_member(text, last.start()):
        return None
    return last


def _only_token(opening: re.Match[str], literals: list[re.Match[str]]) -> re.Match[str] | None:
    """Return the only argument of a call if a machine made it: `login(key="…")`."""
    only = literals[0]
    return only if "(" in opening.group() and is_random(only["value"]) else None


_USER_AND_PASSWORD = re.compile(
    r"""(?:["'`](?P<user>[\w.@+-]{1,60})["'`]|(?P<name>[\w.$>-]{1,40}))\s{0,20},\s{0,40}"""
    r"""(?P<quote>["'`])(?P<value>[^"'`\n]{4,100})(?P=quote)\s{0,20}\)"""
)
_OF_USER = re.compile(r"(?i)user|mail|login|name\Z|account")
_SENDS = re.compile(
    r"(?:\A|[.>:_])(?:[lL]ogin|[lL]og_?[iI]n|[aA]uthenticate|NetworkCredential|http_auth|basic_auth|BasicAuth)\Z"
)


def _match_pair(text: str, opening: re.Match[str], name: str) -> re.Match[str] | None:
    """Return the password of `login(user, "…")`: both arguments, and no other."""
    if not _SENDS.search(name):
        return None
    pair = _USER_AND_PASSWORD.match(text, opening.end())
    if pair is None or not is_word_secret(pair["value"]):
        return None
    return pair if pair["user"] or _OF_USER.search(pair["name"]) else None


_SIDE = 240
"""Characters of a call's arguments that are looked at."""

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


def _match_argument(text: str, at: int, stop: int, place: int) -> re.Match[str] | None:
    """Return the literal that is the argument at a place, if no argument before holds a comma."""
    for _ in range(place):
        at = text.find(",", at, stop) + 1
        if at == 0:
            return None
    return STRING.match(text, at + len(text[at:stop]) - len(text[at:stop].lstrip()), stop)
