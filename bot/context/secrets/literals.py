"""Parts of a text that several searches share: literals, users, schemes, encoded bytes."""

from __future__ import annotations

import re

STRING = re.compile(r"""(?P<quote>\\{0,2}["'`])(?P<value>[^"'`\n]{0,400})(?P=quote)""")
KEY_AFTER = re.compile(r"[ \t]{0,20}(?::(?!:)|=>)")
"""A literal before these is a key, not a value."""
USER = re.compile(r"[\w.@-]{1,60}:(?=.)")
SCHEME = re.compile(
    r"(?:Basic|Bearer|Token|ApiKey|AccessKey|token|bearer|basic|SSWS|GenieKey)[ \t]+"
)
"""What stands before the credential in a header."""
ENCODED_BYTE = re.compile(r"%[0-9A-Fa-f]{2}")


def is_key(text: str, literal: re.Match[str]) -> bool:
    """Tell whether a literal is the key of a value or the index of a table."""
    before = text[max(0, literal.start() - 2) : literal.start()]
    subscript = before[-1:] == "[" and (before[0].isalnum() or before[0] in "_])")
    return subscript or KEY_AFTER.match(text, literal.end()) is not None
