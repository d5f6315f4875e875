"""Whether a value says that it is an example: `changeme`, `your-token`, `my-app-secret`."""

from __future__ import annotations

import re

from bot.context.secrets.judgement.words import is_name

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


def is_placeholder(token: str) -> bool:
    """Tell whether a text in a token's form is an example: it says so, or it is made of words."""
    return is_example(token) or is_name(token)


def is_example(value: str) -> bool:
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
