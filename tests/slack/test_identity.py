"""Who the bot is: a server that is not Slack is told apart from a refusal of Slack."""

from __future__ import annotations

from typing import Any

import pytest
from slack_sdk.errors import SlackApiError

from bot.slack.identity import slack_word


class _Reply:
    def __init__(self, data: Any) -> None:
        self.data = data


@pytest.mark.parametrize(
    ("data", "word"),
    [
        ({"ok": False, "error": "invalid_auth"}, "invalid_auth"),
        ({"error": {"type": "not_found_error"}}, None),
        ("404: Not Found", None),
        ({}, None),
        (b"", None),
    ],
)
def test_only_a_word_is_a_refusal_of_slack(data: Any, word: str | None) -> None:
    assert slack_word(SlackApiError("refused", _Reply(data))) == word
    if isinstance(data, dict):
        assert slack_word(SlackApiError("refused", data)) == word
