"""Logins that a document or a comment tells: a user and a password in a sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.context.secrets.candidate import Candidate, candidate_from
from bot.context.secrets.judgement.passwords import is_marked_password, is_password, is_word_secret
from bot.context.secrets.word_search import find_places

DOCUMENT_WORDS = frozenset(["login", "credentials", "passw"])


def find_in_documents(text: str, words: frozenset[str]) -> Iterator[Candidate]:
    """Yield the passwords that stand beside their user or service in a document.

    `words` are those of `DOCUMENT_WORDS` that the text holds.
    """
    yield from _find_in_sentences(text)
    yield from _find_in_spans(text)
    yield from _find_in_notes(text)
    if "passw" in words:
        yield from _find_passwords_of_services(text)
        yield from _find_passwords_of_users(text)


def find_in_comments(text: str, words: frozenset[str]) -> Iterator[Candidate]:
    """Yield the passwords of `login: …` and `credentials: …` in a text that is no document.

    `words` are those of `DOCUMENT_WORDS` that the text holds.
    """
    for word, anchor in (("login", "ogin: "), ("credentials", "redentials: ")):
        for at in find_places(text, anchor) if word in words else ():
            found = _LOGIN.match(text, at)
            if found and is_marked_password(found["value"]):
                yield Candidate(*found.span("value"), "password")


_LOGIN = re.compile(
    r"(?:ogin|og in|ign in|redentials?)(?: with| as| using)?[ \t:*]{1,8}[`*]{0,3}[\w.@-]{1,40}"
    r"(?:[`*]{0,3}[ \t]{0,2}[/:][ \t]{0,2}[`*]{0,3}|`,? (?:and|with|/)(?: password)? `)"
    r"(?P<value>[^\s`*\"'<>]{6,200})"
)
_LOGIN_ANCHORS = ("ogin", "og in", "ign in", "redential")
"""A user and a password in a sentence: `Default login: admin / …`."""


def _find_in_sentences(text: str) -> Iterator[Candidate]:
    for at in (place for anchor in _LOGIN_ANCHORS for place in find_places(text, anchor)):
        found = _LOGIN.match(text, at)
        if found is None:
            continue
        is_pair = " / " in found.group() and text[found.end() : found.end() + 1] in ("", "\n")
        if (is_word_secret if is_pair else is_marked_password)(found["value"]):
            yield candidate_from(found)


_PAIR_OF_NOTE = re.compile(
    r"(?:[wW]i-?[fF]i|WLAN|(?i:\b(?:account|login|user|db|database|server|router|admin"
    r"|portal|prod(?:uction)?|staging|vpn|ftp|ssh|grafana|jenkins)))[^\n:]{0,40}:[ ]"
    r"[`*]{0,3}[\w.@+-]{2,60}[`*]{0,3}\Z"
)
_END_OF_NOTE = re.compile(
    r" / [`*]{0,3}(?P<value>[^\s/`*]{5,80}[^\s/`*.,;)])[.;,]?[`*]{0,3}[ \t]*(?:\n|\Z)"
)


def _find_in_notes(text: str) -> Iterator[Candidate]:
    """Yield the password at the end of a line: `prod db: app / …`, `Wi-Fi: guests / …`."""
    for at in find_places(text, " / "):
        found = _END_OF_NOTE.match(text, at)
        if found is None or not is_password(found["value"]):
            continue
        floor = max(text.rfind("\n", max(0, at - 120), at) + 1, at - 120, 0)
        if _PAIR_OF_NOTE.search(text[floor:at]):
            yield candidate_from(found)


_IN_BRACKETS = re.compile(r"\((?P<user>[\w.@-]{2,40}) ?/ ?(?P<value>[^\s()]{6,80})\)")
_SPANS = re.compile(
    r"(?P<mark>`|\*\*)(?P<user>[\w.@+-]{2,60})(?P=mark) ?/ ?"
    r"(?P=mark)(?P<value>[^`*\s]{6,80})(?P=mark)"
)
_PAIRS = (("` / `", _SPANS), ("`/`", _SPANS), ("** / **", _SPANS), (" / ", _IN_BRACKETS))
_OF_LOGINS = re.compile(r"(?i)log(?:ged)?[ -]?in|sign[ -]?in|credential|account|user|://")


def _find_in_spans(text: str) -> Iterator[Candidate]:
    """Yield the password of a user in a document: `` `demo@acme.com` / `…` ``."""
    for anchor, pattern in _PAIRS:
        for at in find_places(text, anchor):
            floor = max(text.rfind("\n", max(0, at - 300), at) + 1, at - 300, 0)
            found = pattern.search(text, max(floor, at - 62), at + 90)
            if found is None or not is_marked_password(found["value"]):
                continue
            if "@" in found["user"] or _OF_LOGINS.search(text, floor, at):
                yield candidate_from(found)


_SERVICE_PASSWORD = re.compile(
    r"(?i:\b(?:(?:db|database|root|admin|mysql|postgres(?:ql)?|redis|s?ftp|ssh|smtp|imap|mail|wi-?fi|vpn"
    r"|ldap|router|staging|master|grafana|jenkins|nexus)[ -]){1,3}(?:password|pw|passwd))"
    r"(?:(?P<is> is)?[ :=]{1,3})(?P<quote>[`*\"']{0,3})(?P<value>[^\s`*\"']{5,60}?)(?P=quote)"
    r"(?:[.,;)]{0,2}[ \t]{0,4}(?:\n|\Z)|[.,;)]{0,2}[ ](?=[A-Z(])|[.,;][ ])"
)
"""The password of a service in a sentence. Behind `is` it stands between marks."""


def _find_passwords_of_services(text: str) -> Iterator[Candidate]:
    """Yield the passwords of services that a document tells: `DB root password: …`."""
    for at in (place for anchor in ("assword", " pw ") for place in find_places(text, anchor)):
        found = _SERVICE_PASSWORD.search(text, max(0, at - 40), at + 100)
        if found is None or found.start("value") < at:
            continue
        plain = not found["quote"]
        if plain and (found["is"] or not found["value"][0].islower()):
            continue
        if is_word_secret(found["value"]):
            yield candidate_from(found)


_USER_AND_PASSWORD = re.compile(
    r"(?i:user\w{0,6}|login|account|\bas)(?: is|:)?[ ](?P<mark>`|\*\*)[\w.@-]{1,60}(?P=mark)"
    r"[^\n`*]{0,40}(?i:password):?[ ](?P=mark)(?P<value>[^\s`*]{4,60})(?P=mark)"
)


def _find_passwords_of_users(text: str) -> Iterator[Candidate]:
    """Yield the passwords of users that a document tells: ``user `admin`, password `…` ``."""
    for anchor in ("assword `", "assword **", "assword: `", "assword: **"):
        for at in find_places(text, anchor):
            found = _USER_AND_PASSWORD.search(text, max(0, at - 120), at + 90)
            if found and found.start("value") > at and is_word_secret(found["value"]):
                yield candidate_from(found)
