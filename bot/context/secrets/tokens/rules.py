"""Kingfisher's rules for the tokens of some hundred providers, in process and without network.

The rules are Betterleaks' and Veles', compiled into one automaton. Compiling takes seconds, so
Kingfisher keeps the automaton in the user's cache folder; loading it takes a fifth of a second.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from typing import TYPE_CHECKING

from bot.context.secrets.judgement.examples import is_placeholder
from bot.context.secrets.mask import Span

if TYPE_CHECKING:
    from kingfisher_sdk import Scanner

_VENDORS = ("betterleaks.", "veles.secrets/", "kingfisher.")
_NO_CREDENTIAL = (
    "-id",
    "-url",
    "-host",
    "-domain",
    "-name",
    "public-key",
    "-pub-key",
    "-repository",
    "-connection-string",
)
_OWN = frozenset(
    [
        "private-key",
        "generic-credential-uri",
        "kubernetes-secret-yaml",
        "curl-auth-user",
        "curl-auth-header",
        "jwt",
        "jwt-base64",
        "gcp-service-account",
        "gcp-application-default-credentials",
    ]
)
"""Rules that our own detection by syntax covers with exact positions."""


_PUBLIC_NAME = re.compile(
    rb"""(?:site|public|publishable|pub)[-_]?key[\"']?[ \t]{0,8}[:=][ \t]{0,8}[\"']?\Z""",
    re.IGNORECASE,
)
"""The name of a key that a page shows: it may have the length of a secret of Amazon's."""
_SPACED = bytes(0x20 if byte in b",()[]{}*" else byte for byte in range(256))
_SENTENCE_END = re.compile(rb"[.:?!](?=\s|\Z)")
"""The rules end a token at a blank or a quote only: in prose a comma or a full stop may follow."""


@lru_cache(maxsize=1)
def preload() -> Future[Scanner]:
    """Load the rules beside other work: loading them does not hold the interpreter's lock."""
    executor = ThreadPoolExecutor(1, "rules")
    loading = executor.submit(_load)
    executor.shutdown(wait=False)
    return loading


def _load() -> Scanner:
    from kingfisher_sdk import Rules, Scanner

    return Scanner(Rules(confidence="medium"), base64=False)


def find_provider_tokens(data: bytes) -> Iterator[Span]:
    """Yield what Kingfisher's rules find. The label is the rule's name."""
    for finding in preload().result().scan(_SENTENCE_END.sub(b" ", data.translate(_SPACED))):
        rule = finding.rule_id
        for vendor in _VENDORS:
            rule = rule.removeprefix(vendor)
        rule = rule.rstrip("0123456789").rstrip(".")
        if rule in _OWN or rule.endswith(_NO_CREDENTIAL):
            continue
        place = finding.location
        if place["line"] != place["end_line"]:
            continue
        start, end = place["start_offset"], place["end_offset"]
        if is_placeholder(data[start:end].decode("latin-1")):
            continue
        if _PUBLIC_NAME.search(data, max(0, start - 80), start):
            continue
        yield Span(start, end, rule.replace("-", " "))
