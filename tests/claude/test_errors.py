"""Each failure is one sentence for people and facts for the log."""

from __future__ import annotations

from typing import get_args

import httpx2
import pytest

from bot.claude.error_mapping import failure
from bot.claude.errors import ClaudeError, CutStream, ErrorKind, scrubbed
from bot.errors import ForewarmError


@pytest.mark.parametrize("kind", get_args(ErrorKind))
def test_every_kind_has_one_sentence_that_says_what_to_do(kind: ErrorKind) -> None:
    """Slack shows it under the question: no status, no type, no placeholder left over."""
    error = ClaudeError(kind, model="claude-x", request_id="req_1", retry_after=7.4)
    sentence = error.user_message
    assert isinstance(error, ForewarmError)
    assert sentence.endswith(".")
    assert sentence.count(". ") == 0
    assert "{" not in sentence
    assert any(mark in sentence for mark in (";", "until", "check"))


def test_the_wait_is_told_where_the_server_told_it() -> None:
    """The asker knows when to come back."""
    assert "7 s" in ClaudeError("rate_limited", retry_after=7.4).user_message
    assert "for a moment" in ClaudeError("rate_limited").user_message


@pytest.mark.parametrize(
    "text",
    [
        "key sk-ant-api03-abcdef was refused",
        "Authorization: Bearer abc.def",
        "x-api-key: 0123456789",
    ],
)
def test_keys_are_masked_in_details(text: str) -> None:
    """Servers repeat headers in their error texts; those go to logs."""
    masked = scrubbed(text)
    assert "[key]" in masked
    assert not any(secret in masked for secret in ("abcdef", "abc.def", "0123456789"))


def test_details_are_bounded() -> None:
    """A gateway's error page is an entire HTML document."""
    assert len(ClaudeError("server", detail="x" * 10_000).detail) == 500


def test_a_bug_is_not_dressed_up_as_a_failure_of_the_network() -> None:
    """It must reach the log as what it is."""
    with pytest.raises(KeyError):
        failure(KeyError("a bug"), "m")
    with pytest.raises(TypeError):
        failure(TypeError("another bug"), "m")


def test_network_failures_keep_their_causes_for_the_log() -> None:
    """`Connection error.` alone has never helped anybody."""
    error = httpx2.ConnectError("Connection error.")
    error.__cause__ = OSError(111, "Connection refused")
    assert failure(error, "m").kind == "connection"
    assert "Connection refused" in failure(error, "m").detail


def test_errors_tell_what_they_are() -> None:
    """In a traceback, the facts; the sentence is for people."""
    error = ClaudeError("overloaded", status=529, request_id="req_1")
    assert repr(error) == "<ClaudeError overloaded, status 529, req_1>"
    assert repr(CutStream()) == "<CutStream cut, status 200>"
