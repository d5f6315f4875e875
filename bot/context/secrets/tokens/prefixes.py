"""Tokens of providers without a rule: a short prefix and a long random rest."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.context.secrets.judgement.randomness import entropy
from bot.context.secrets.judgement.references import is_harmless
from bot.context.secrets.judgement.words import is_camel_case
from bot.context.secrets.mask import Span

_LONG_RUN = re.compile(rb"[_-][A-Za-z0-9]{20,200}(?![A-Za-z0-9])")
_HEAD = re.compile(
    rb"(?:(?<![A-Za-z0-9_./+=-])(?<!s:)|(?<=[A-Za-z_]=))"
    rb"[A-Za-z][A-Za-z0-9]{0,9}(?:[_-][A-Za-z][A-Za-z0-9]{0,9}){0,2}\Z"
)
_REST = re.compile(rb"(?:[_-][A-Za-z0-9]{1,100}){0,3}(?![A-Za-z0-9_/+=@-])")
"""A short prefix and a long random rest: how providers without a rule form their tokens."""
_NO_TOKEN = re.compile(
    rb"(?:sha\d*|md5|h1|rev|commit|chunk|bundle|index|main|vendor|css|js|img|hash|git|id|test|file|diff|v\d+|x\d+|win|linux|darwin|uuid)[_-]",
    re.IGNORECASE,
)
_HEX = re.compile(rb"[0-9a-f]+")
_OF_A_KEY = re.compile(rb"(?:\A|[_-])(?:live|prod|secret|sk|key|token|pat)\Z")
"""Prefixes of keys in hexadecimal digits. Behind other words such digits are a digest."""


def find_prefixed_tokens(data: bytes) -> Iterator[Span]:
    """Yield strings that look like a provider's token although no rule names the provider."""
    for run in _LONG_RUN.finditer(data):
        head = _HEAD.search(data, max(0, run.start() - 36), run.start())
        rest = _REST.match(data, run.end())
        if head is None or rest is None:
            continue
        body = data[run.start() + 1 : rest.end()]
        if _NO_TOKEN.match(head.group() + b"_") or len(body) < 30 or body.startswith(b"01"):
            continue
        digits = sum(48 <= char <= 57 for char in body)
        upper = sum(65 <= char <= 90 for char in body)
        lower = sum(97 <= char <= 122 for char in body)
        text = body.decode()
        if digits < 1 or lower < 3 or (upper < 3 and digits < 6):
            continue
        longest = max(re.split(rb"[_-]", body), key=len)
        if _HEX.fullmatch(longest) and not _OF_A_KEY.search(head.group()):
            continue
        if entropy(text) >= 3.8 and not is_harmless(text) and not is_camel_case(text):
            yield Span(head.start(), rest.end(), "token")
