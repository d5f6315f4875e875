"""Expressions for parts of a text that several searches share: literals, users, encoded bytes."""

from __future__ import annotations

import re

STRING = re.compile(r"""(?P<quote>\\{0,2}["'`])(?P<value>[^"'`\n]{0,400})(?P=quote)""")
KEY_AFTER = re.compile(r"[ \t]{0,20}(?::(?!:)|=>)")
"""A literal before these is a key, not a value."""
USER = re.compile(r"[\w.@-]{1,60}:(?=.)")
ENCODED_BYTE = re.compile(r"%[0-9A-Fa-f]{2}")
