"""Makes foreign text harmless where Slack reads mrkdwn (docs/platform/slack.md#escaping). Pure."""

from __future__ import annotations

_MRKDWN = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def escape_mrkdwn(text: str) -> str:
    """Return text that mrkdwn shows as it is: no ping, no link, no entity comes alive."""
    return text.translate(_MRKDWN)
