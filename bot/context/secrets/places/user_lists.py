"""Passwords in files and blocks that list users, a row for each."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from bot.context.secrets.candidate import Candidate, candidate_from
from bot.context.secrets.judgement.passwords import is_password, is_word_secret
from bot.context.secrets.word_search import find_places

USER_LIST_WORDS = frozenset(["users", "passwords", "chpasswd"])


def find_in_user_lists(text: str, words: frozenset[str], kind: str) -> Iterator[Candidate]:
    """Yield the passwords of PostgreSQL, PgBouncer, Apache, mail relays and sections of users.

    `words` are those of `USER_LIST_WORDS` that the text holds.
    """
    proof = is_word_secret if kind == "config" else is_password
    yield from _find_in_rows(text, _PGPASS, proof)
    yield from _find_in_rows(text, _HTDIGEST, is_password)
    if '" "' in text:
        yield from _find_in_rows(text, _PGBOUNCER, is_password)
    yield from _find_in_relays(text, kind)
    if kind == "config" and not words.isdisjoint(("users", "passwords")):
        yield from _find_in_sections(text)


_PGPASS = re.compile(
    r":(?:\d{1,5}|\*):[\w.*-]{1,64}:[\w.*-]{1,64}:(?P<value>(?:[^\s:\\]|\\.){4,200})$", re.MULTILINE
)
_HTDIGEST = re.compile(r":[\w. @-]{1,60}:(?P<value>[0-9a-f]{32})$", re.MULTILINE)
"""Apache's file of `user:realm:hash`."""
_PGBOUNCER = re.compile(r'^"[\w.-]{1,60}" "(?P<value>[^"\s]{8,200})"$', re.MULTILINE)


def _find_in_rows(
    text: str, pattern: re.Pattern[str], proof: Callable[[str], bool]
) -> Iterator[Candidate]:
    for match in pattern.finditer(text):
        if proof(match["value"]) or "\\" in match["value"]:
            yield candidate_from(match)


_RELAY = re.compile(
    r"\[?[\w.*-]{1,80}\]?(?::\d{1,5})?(?:[ \t]{1,20}|:)"
    r"[\w.+-]{1,60}@[\w.-]{1,60}:(?P<value>[^\s:]{4,200})(?:\n|\Z)"
)
"""A row of Postfix's or Exim's passwords of relays."""
_PAIR_OF_HOST = re.compile(
    r"=>?[ \t]{0,8}(?!mailto|sips?:|git:|ssh:|acct:)[\w.+-]{2,40}:"
    r"(?P<value>[^\s:@/\"'<>]{4,100})@\Z"
)
"""A user and a password before a host, without a scheme: `register => user:…@host`."""


def _find_in_relays(text: str, kind: str) -> Iterator[Candidate]:
    proof = is_word_secret if kind == "config" else is_password
    for at in find_places(text, "@"):
        start = max(text.rfind("\n", max(0, at - 250), at) + 1, at - 250, 0)
        row = _RELAY.match(text, start)
        if row and row.start("value") > at and proof(row["value"]):
            yield candidate_from(row)
        pair = (
            _PAIR_OF_HOST.search(text, max(start, at - 150), at + 1) if kind == "config" else None
        )
        if pair and is_password(pair["value"]):
            yield candidate_from(pair)


_USER_SECTION = re.compile(
    r"^\[{1,2}[^\]\n]{0,60}(?:users|passwords)\]{1,2}[ \t]{0,8}\n"
    r"(?P<rows>(?:[\w.@\"'-]{1,60}[ \t]{0,20}=[^\n]{1,200}(?:\n|\Z)){1,200})",
    re.MULTILINE,
)
_OF_AUTH = re.compile(r"[^\]\n]*(?:auth|passw)")
_USER_ROW = re.compile(
    r"=[ \t]{0,20}[\"']?(?P<value>[^\s\"'{}\[\]]{4,100})[\"']?[ \t]*$", re.MULTILINE
)


def _find_in_sections(text: str) -> Iterator[Candidate]:
    """Yield the passwords of `[users]` and `[passwords]` in settings."""
    for section in _USER_SECTION.finditer(text):
        proof = is_word_secret if _OF_AUTH.match(section.group()) else is_password
        for row in _USER_ROW.finditer(text, *section.span("rows")):
            if proof(row["value"]):
                yield candidate_from(row)


_USERS = re.compile(
    r"chpasswd:[ \t]*\n(?:[ \t]+expire:[^\n]{0,40}\n)?[ \t]+list:[ \t]*[|>]?[-+]?[ \t]*\n"
)
_USER = re.compile(
    r"[ \t]+(?:- )?[\"']?[\w.-]{1,40}:(?P<value>[^\s\"']{4,200})[\"']?[ \t]*(?:\n|\Z)"
)


def find_in_cloud_init(text: str) -> Iterator[Candidate]:
    """Yield the passwords of the users that cloud-init creates: `chpasswd: list:`."""
    for at in find_places(text, "chpasswd:"):
        head = _USERS.match(text, at)
        row = _USER.match(text, head.end()) if head else None
        while row:
            if is_password(row["value"]):
                yield Candidate(*row.span("value"), "password")
            row = _USER.match(text, row.end())
