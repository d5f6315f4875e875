"""Each failure is one sentence for people and facts for the log."""

from __future__ import annotations

import re
from typing import get_args

import anthropic
import httpx2
import pytest

from bot.claude.error_mapping import failure, known_words
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


QUOTED = """
def charge(card): return vault.transfer(card, 'hunter2')
Warum schlägt die Rückzahlung fehl? why does 返金 fail for Grace Hopper?
xoxb-1-abcdef ghp_16C7e42F292c6912E7710c838347Ae178B4a glpat-zz sk-ant-api03-zz AKIAIOSFODNN7
Authorization: Bearer abc.ghi password=swordfish 491701234567890
"""
PRIVATE = re.compile(
    "charge|card|vault|hunter2|schl|zahlung|返金|Grace|Hopper|xoxb|abcdef|ghp|16C7|glpat|sk-|api03"
    "|AKIA|abc|ghi|swordfish|4917"
)
QUOTING = (
    "messages.0.content.0.text: Input should be valid, input_value='{}', input_type=str",
    "{}",
    "Invalid prompt: {}",
    "1 validation error for Request: {{'text': \"{}\"}} [type=string_type]",
    "Unexpected token at position 3: {}",
)


@pytest.mark.parametrize("status", [200, 400, 401, 500])
@pytest.mark.parametrize("form", QUOTING)
def test_no_word_of_a_request_reaches_the_detail(form: str, status: int) -> None:
    """The log holds `detail`. A server may quote the question, the code or the key in it."""
    said = form.format(QUOTED)
    body = {"type": "error", "error": {"type": "invalid_request_error", "message": said}}
    response = httpx2.Response(status, request=httpx2.Request("POST", "http://claude/v1/messages"))
    error = anthropic.APIStatusError(said, response=response, body=body)
    for one in (error, httpx2.RemoteProtocolError(said)):
        detail = failure(one, "m").detail
        assert "…" in detail
        assert not PRIVATE.search(detail), detail


@pytest.mark.parametrize(
    "said",
    [
        "prompt is too long: 215000 tokens > 200000 maximum",
        "messages.0.content.1.thinking.cache_control: Extra inputs are not permitted",
        "max_tokens: 99999 > 64000, which is the maximum allowed number of output tokens for m-1",
        '"thinking.type.enabled" is not supported for this model. Use "adaptive" and effort.',
        "Your credit balance is too low to access the API. Please go to Plans & Billing to upgrade",
        "You will regain access on 2026-12-01 at 00:00 UTC.",
        "text content blocks must be non-empty",
        "cache_control cannot be set for empty text blocks",
        "This model does not support assistant message prefill. The conversation must end with a"
        " user message.",
        "This model's maximum context length is 8192 tokens",
        "Output blocked by content filtering policy",
        "diagnostics: Extra inputs are not permitted",
    ],
)
def test_published_errors_reach_the_log_whole(said: str) -> None:
    assert known_words(said, "m-1") == said


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


def status_error(status: int, kind: str, message: str) -> anthropic.APIStatusError:
    """Return what the SDK raises for such a reply; status 200 is an error within a stream."""
    body = {"type": "error", "error": {"type": kind, "message": message}}
    request = httpx2.Request("POST", "https://api.example.com/v1/messages")
    response = httpx2.Response(status, json=body, request=request)
    client = anthropic.AsyncAnthropic(api_key="x")
    return client._make_status_error(str(body), body=body, response=response)


BAD = "invalid_request_error"


@pytest.mark.parametrize(
    ("status", "type_", "message", "kind"),
    [
        (400, BAD, "prompt is too long: 210340 tokens > 200000 maximum", "too_long"),
        (
            400,
            BAD,
            "input length and `max_tokens` exceed context limit: 199000 + 8192 > 200000, decrease "
            "input length or `max_tokens` and try again",
            "too_long",
        ),
        (400, BAD, "Input is too long for requested model.", "too_long"),
        (
            400,
            BAD,
            "The model returned the following errors: Input is too long for requested model.",
            "too_long",
        ),
        (
            400,
            "BadRequestError",
            "This model's maximum context length is 4096 tokens. However, you requested 5000 "
            "tokens in the messages, please reduce the length of the messages.",
            "too_long",
        ),
        (
            400,
            "BadRequestError",
            "The decoder prompt (length 9000) is longer than the maximum model length of 8192.",
            "too_long",
        ),
        (
            400,
            "exceed_context_size_error",
            "the request exceeds the available context size, try increasing it",
            "too_long",
        ),
        (500, "api_error", "request (9001 tokens) exceeds the available context size", "too_long"),
        (413, "request_too_large", "Request exceeds the maximum size", "too_long"),
        (400, BAD, "the prompt is longer than the model's context window", "too_long"),
        (400, BAD, "Please reduce the length of the messages or completion.", "too_long"),
        (400, BAD, "Number of tokens in the request exceeds the model's limit", "too_long"),
        (429, "insufficient_quota", "You exceeded your current quota, check it.", "spend_limit"),
        (200, BAD, "prompt is too long: 1 tokens > 0 maximum", "too_long"),
        (400, BAD, "Your credit balance is too low to access the Anthropic API.", "spend_limit"),
        (
            400,
            BAD,
            "You have reached your specified API usage limits. You will regain access on "
            "2026-12-01 at 00:00 UTC.",
            "spend_limit",
        ),
        (400, BAD, "Output blocked by content filtering policy", "filtered"),
        (200, BAD, "Output blocked by content filtering policy", "filtered"),
        (400, "BadRequestError", "The response was filtered by content_filter", "filtered"),
        (200, BAD, "messages: something else", "invalid"),
        (200, "overloaded_error", "Overloaded", "overloaded"),
        (200, "some_new_error", "No words for it", "cut"),
        (400, BAD, "max_tokens: 100000 > 8192, the maximum allowed output tokens", "invalid"),
        (429, "rate_limit_error", "This request would exceed your rate limit of tokens", "limited"),
        (429, "rate_limit_error", "too many tokens: input exceeds the context of it", "limited"),
        (529, "overloaded_error", "Overloaded", "overloaded"),
        (500, "api_error", "Internal server error", "server"),
    ],
)
def test_a_message_tells_what_is_wrong_in_the_words_of_each_server(
    status: int, type_: str, message: str, kind: str
) -> None:
    """One sentence and the right retry: none, with less, or later."""
    error = failure(status_error(status, type_, message), "m")
    assert error.kind == ("rate_limited" if kind == "limited" else kind)


def test_missing_money_is_told_in_its_own_words() -> None:
    """An administrator adds credit in one place, raises a limit in another, or waits for a date."""
    low = failure(status_error(400, BAD, "Your credit balance is too low to access it."), "m")
    assert "no credit left" in low.user_message
    limit = "You have reached your specified API usage limits. You will regain access on 2026-12-01"
    reached = failure(status_error(400, BAD, limit + " at 00:00 UTC."), "m")
    assert "until 2026-12-01 at 00:00 UTC" in reached.user_message


@pytest.mark.parametrize("kind", get_args(ErrorKind))
def test_people_who_ask_read_no_setting(kind: ErrorKind) -> None:
    """They can change none, and the names tell strangers how the bot is set up."""
    told = ClaudeError(kind, model="claude-sonnet-5-5").asker_message
    assert told.endswith(".")
    assert not re.search(r"`|[A-Z]+_[A-Z]+|file", told)
