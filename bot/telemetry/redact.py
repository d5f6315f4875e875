"""Redaction: tokens and the text of messages never reach a log. Pure.

Tokens are known by their form wherever they stand; text is known by the names under which Slack,
Claude and this program pass it around.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

STARS = "[redacted]"

_TOKENS = re.compile(
    r"""
      \b xox[a-z]{1,3}(?:-|\.)[\w.-]+          # Slack: bot, user, refresh, rotated tokens
    | \b xapp-[\w-]+                           # Slack: app-level
    | \b sk-ant-[\w-]+                         # Anthropic
    | \b gh[pousr]_\w+ | \b github_pat_\w+     # GitHub
    | \b glpat-[\w-]+                          # GitLab
    | \b AKIA[0-9A-Z]{12,}                     # AWS
    | hooks\.slack\.com/[\w/.-]+               # Slack: response_url, incoming webhooks
    | (?<=://) [^\s/@:]* : [^\s/@]+ (?=@)      # user:password in a URL
    | (?i: \b bearer \s+ ) [^\s"',;]+
    | (?i: (?:[?&;]|\b) (?:token|api_key|key|secret|password|ticket|trigger_id|signature) = )
      [^\s&"',;]+
    | -----BEGIN[ ][A-Z ]*PRIVATE[ ]KEY-----.*? (?: -----END[ ][A-Z ]*PRIVATE[ ]KEY----- | \Z )
    """,
    re.VERBOSE | re.DOTALL,
)

TEXT_KEYS = frozenset(
    {
        *("answer", "blocks", "body", "comment", "content", "draft", "markdown_text", "message"),
        *("messages", "payload", "prompt", "question_text", "reply", "snippet", "system", "text"),
        *("thread_text", "value", "values", "view"),
    }
)
"""Names under which text of people or of Claude is passed; their values are never logged."""

SET = "set"
"""What a log line says of a secret that is set."""

SECRET_KEYS = frozenset(
    {
        *("api_key", "authorization", "cookie", "password", "private_metadata", "response_url"),
        *("secret", "signing_secret", "token", "trigger_id"),
    }
)

_QUOTING = re.compile(r"""[\n{\[('"`]|error: """)


def redact_text(text: str) -> str:
    """Return the text with everything that looks like a token replaced."""
    return _TOKENS.sub(STARS, text)


def is_quoting(text: str) -> bool:
    """Tell whether a library's line may quote a request or a reply: text of a message, perhaps."""
    return _QUOTING.search(text) is not None


def redact(value: Any, depth: int = 6) -> Any:
    """Return a plain value fit for a log: no token, no text of a message, nothing bottomless."""
    if isinstance(value, str):
        return redact_text(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if depth == 0:
        return f"<{type(value).__name__}>"
    if isinstance(value, Mapping):
        return {str(key): _field(str(key), item, depth - 1) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redact(item, depth - 1) for item in value]
    if isinstance(value, bytes | bytearray):
        return f"<{len(value)} bytes>"
    return redact_text(repr(value))


def redact_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return a log event's fields fit for a log."""
    return {name: _field(name, value, 6) for name, value in fields.items()}


def _field(name: str, value: Any, depth: int) -> Any:
    lowered = name.lower()
    if lowered in SECRET_KEYS or lowered.endswith(("_token", "_secret", "_password")):
        # `started` says `set` of a secret, and that word is no secret.
        return STARS if value and value != SET else value
    if lowered in TEXT_KEYS:
        return f"<{len(value)} characters>" if isinstance(value, str) else STARS
    return redact(value, depth)
