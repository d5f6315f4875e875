"""Passwords at places that hold nothing else, such as addresses: all but those of examples."""

from __future__ import annotations

import re

from bot.context.secrets.judgement.references import without_templates
from bot.context.secrets.judgement.values import is_mixed
from bot.context.secrets.literals import ENCODED_BYTE

PORT = re.compile(r"\d{2,5}(?:/|$|\?|#)")
_PLAIN = re.compile(
    r"(?:pass(?:word|wd|phrase)?|pwd?|user(?:name)?|admin|root|guest|test|changeme|xxx+"
    r"|\*+|postgres(?:ql)?|mysql|redis|rabbitmq|mongo(?:db)?|api[-_]?key|key|foo|bar|baz|example|pw"
    r"|my[-_]?\w+|your\w*|some\w*|x-access-token|hidden|redacted|null|none|[px]|\.+|…)\d{0,3}",
    re.IGNORECASE,
)
"""Passwords of examples."""


def is_plain(secret: str) -> bool:
    """Tell whether a password is that of an example: `password`, `test1`, the user's own name."""
    return _PLAIN.fullmatch(secret) is not None


_CODE = "(){}[]\\,"


def is_written_password(secret: str) -> bool:
    """Tell whether a text at a password's place is one: no port, no template, no example."""
    # A dollar sign within a password is no variable: those are written with braces there.
    secret = ENCODED_BYTE.sub("0", secret)
    named = "$" not in secret or secret[0] == "$" or any(char in secret for char in "{(")
    plain = without_templates(secret).strip() if named else secret
    if len(plain) < 3 or secret[0] in "/?" or plain[0] in "[({<" or "..." in secret:
        return False
    if PORT.match(secret) or is_plain(secret):
        return False
    if secret != plain:
        return is_mixed(plain)
    return any(char.isdigit() for char in secret) or not any(char in secret for char in _CODE)
