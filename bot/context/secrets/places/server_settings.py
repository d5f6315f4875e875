"""Secrets in settings of servers and tools whose names do not say so."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.context.secrets.candidate import Candidate, candidate_from
from bot.context.secrets.judgement.passwords import is_marked_password, is_word_secret
from bot.context.secrets.judgement.randomness import is_random
from bot.context.secrets.word_search import find_places

SERVER_WORDS = frozenset(["plain", "encrypt", "random", "snmp", "community", "dns"])
_WITH_DNS = frozenset(["config", "code"])
_WITH_COMMUNITIES = frozenset(["yaml", "config", "json", "code"])


def find_in_server_settings(text: str, words: frozenset[str], kind: str) -> Iterator[Candidate]:
    """Yield the secrets of Dovecot, Consul, Terraform, Caddy and SNMP.

    `words` are those of `SERVER_WORDS` that the text holds.
    """
    if "plain" in words:
        yield from _find_dovecot_passwords(text)
    if "encrypt" in words:
        yield from _find_gossip_keys(text)
    if "random" in words and kind == "json":
        yield from _find_terraform_passwords(text)
    if kind == "config":
        yield from _find_link_secrets(text)
    if "dns" in words and kind in _WITH_DNS:
        yield from _find_dns_tokens(text)
    if "snmp" in words and "community" in words and kind in _WITH_COMMUNITIES:
        yield from _find_snmp_communities(text)


_PLAIN_SCHEME = re.compile(r"\{PLAIN\}(?P<value>[^\s:\"'<>]{4,100})")


def _find_dovecot_passwords(text: str) -> Iterator[Candidate]:
    """Yield the passwords of `{PLAIN}…`, which Dovecot keeps without a hash."""
    for at in find_places(text, "{PLAIN}"):
        match = _PLAIN_SCHEME.match(text, at)
        if match:
            yield candidate_from(match)


_GOSSIP = re.compile(
    r"""encrypt["']?\s{0,8}[:=]\s{0,8}["']?"""
    r"""(?P<value>[A-Za-z0-9+/]{22}==|[A-Za-z0-9+/]{43}=)(?![\w+/=])"""
)
"""The key with which Consul's and Nomad's servers talk to each other."""


def _find_gossip_keys(text: str) -> Iterator[Candidate]:
    for at in find_places(text, "encrypt"):
        match = _GOSSIP.match(text, at)
        if match and is_random(match["value"]):
            yield candidate_from(match, "key")


_MADE_PASSWORD = re.compile(
    r'"random_password"[^\]]{0,2000}?"result"\s{0,4}:\s{0,4}"(?P<value>[^"\n]{4,200})"'
)
"""A password in Terraform's state."""


def _find_terraform_passwords(text: str) -> Iterator[Candidate]:
    for at in find_places(text, '"random_password"'):
        made = _MADE_PASSWORD.match(text, at)
        if made:
            yield candidate_from(made)


_LINK = re.compile(
    r"secure_link_md5[ \t]+[\"']?[^\"'\n;]{0,200}[ ](?P<value>[^\s\"'$;{}]{4,60})[\"']?;"
)
"""The word with which nginx signs its links."""


def _find_link_secrets(text: str) -> Iterator[Candidate]:
    for at in find_places(text, "secure_link_md5"):
        match = _LINK.match(text, at)
        if match and is_word_secret(match["value"]):
            yield candidate_from(match, "secret")


_DNS = re.compile(r"\bdns[ \t]{1,8}[a-z]\w{2,20}[ \t]{1,8}(?P<value>[\w-]{20,100})(?=[ \t]*\n)")
"""A provider's token with which Caddy proves that it owns a domain."""


def _find_dns_tokens(text: str) -> Iterator[Candidate]:
    for at in find_places(text, "dns "):
        match = _DNS.search(text, max(0, at - 1), at + 160)
        if match and is_random(match["value"]):
            yield candidate_from(match, "token")


_COMMUNITY = re.compile(
    r"""community[\w"']{0,12}[ \t]{0,8}[:=][ \t]{0,8}["']?(?P<value>[^\s"',;]{4,60})"""
)
"""The password of SNMP's versions 1 and 2."""


def _find_snmp_communities(text: str) -> Iterator[Candidate]:
    for at in find_places(text, "community"):
        found = _COMMUNITY.match(text, at)
        if found and is_marked_password(found["value"]):
            yield Candidate(*found.span("value"), "password")
