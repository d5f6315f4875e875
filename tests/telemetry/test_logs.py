"""No token and no message text in a log line of any module; one id per question."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import ForewarmError
from bot.log_context import about_question
from bot.telemetry.logs import configure
from bot.telemetry.redact import redact, redact_fields, redact_text
from tests.loglines import log_lines, logged

TOKENS = [
    "xoxb-123456789012-123456789012-abcdefABCDEF",
    "xoxp-1-2-3-abc",
    "xoxe.xoxb-1-MzMyabc_def-ghi",
    "xoxe-1-abc",
    "xapp-1-A1-22-abcdef",
    "sk-ant-api03-abc_DEF-123",
    "ghp_0123456789abcdef",
    "github_pat_11ABC_def",
    "gho_abc123",
    "glpat-abc-123",
    "AKIAIOSFODNN7EXAMPLE",
    "https://hooks.slack.com/services/T1/B1/abcdef",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIabc\n-----END RSA PRIVATE KEY-----",
]
WORDS = "the very words of the question"


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    with log_lines() as stream:
        yield stream


@pytest.mark.parametrize("token", TOKENS)
def test_a_token_is_taken_out_wherever_it_stands(token: str) -> None:
    """In a sentence, in a nested value, in a key's value, beside punctuation."""
    for said in (token, f"got {token}, sorry", f"<{token}>", f"a={token}&b=1"):
        assert token not in redact_text(said)
    nested = redact({"a": [{"b": (f"see {token}",)}], "n": 1})
    assert token not in json.dumps(nested)


@pytest.mark.parametrize(
    ("said", "hidden"),
    [
        ("Authorization: Bearer abc.def-ghi", "abc.def-ghi"),
        ("postgres://user:hunter2@host/db", "hunter2"),
        ("GET /state?token=hunter2&x=1", "hunter2"),
        ("wss://x/link/?ticket=hunter2", "hunter2"),
    ],
)
def test_secrets_known_by_their_place_are_taken_out(said: str, hidden: str) -> None:
    """They have no form of their own."""
    assert hidden not in redact_text(said)


def test_harmless_words_stay_as_they_are() -> None:
    """A log of stars from end to end is useless."""
    for said in ("warmed payments@4f2c1a9 in 1.9 s", "skipping tests", "https://github.com/a/b#L1"):
        assert redact_text(said) == said


def test_fields_that_carry_text_or_secrets_are_never_shown() -> None:
    """Slack, Claude and this program pass text around under these names."""
    cleaned = redact_fields(
        {
            "text": WORDS,
            "blocks": [{"type": "section"}],
            "payload": {"event": {"text": WORDS}},
            "event_body": {"message": {"text": WORDS}},
            "bot_token": "whatever",
            "headers": {"Authorization": "whatever"},
            "channel": "C1",
        }
    )
    shown = json.dumps(cleaned)
    assert WORDS not in shown
    assert "whatever" not in shown
    assert cleaned["channel"] == "C1"
    assert cleaned["text"] == f"<{len(WORDS)} characters>"


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=5) | st.binary(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
        max_leaves=10,
    ),
    st.sampled_from(TOKENS),
)
def test_any_logged_value_can_be_written_and_holds_no_token(value: Any, token: str) -> None:
    """A log line that raises is as bad as one that leaks."""
    assert token not in json.dumps(redact({"deep": value, "list": [value, {"k": token}]}))


def test_bottomless_values_are_cut() -> None:
    """A structure may contain itself."""
    loop: dict[str, Any] = {}
    loop["again"] = loop
    assert "<dict>" in json.dumps(redact(loop))


def test_every_line_is_json_with_time_level_and_logger(lines: io.StringIO) -> None:
    """For a collector of logs."""
    structlog.get_logger("bot.warm").warning("warmed", tokens=5)
    (line,) = logged(lines)
    assert line["event"] == "warmed"
    assert (line["level"], line["logger"], line["tokens"]) == ("warning", "bot.warm", 5)
    assert line["timestamp"].endswith("Z")


async def test_everything_done_for_a_question_carries_its_id(lines: io.StringIO) -> None:
    """Also in the tasks begun for it, and not in those of others."""
    log = structlog.get_logger("bot.answer")

    async def work(name: str) -> None:
        with about_question(name):
            await asyncio.create_task(inner(name))

    async def inner(name: str) -> None:
        await asyncio.sleep(0)
        log.info(f"inside {name}")

    await asyncio.gather(work("q1"), work("q2"))
    log.info("outside")
    assert {
        (line["event"], line.get("question"))
        for line in logged(lines)
        if line["logger"] == "bot.answer"
    } == {
        ("inside q1", "q1"),
        ("inside q2", "q2"),
        ("outside", None),
    }


async def test_what_outlives_a_question_goes_on_without_its_id(lines: io.StringIO) -> None:
    """A timer that a question's signal has set may warm for others an hour later."""
    log, over = structlog.get_logger("bot.warm"), asyncio.Event()

    async def outlive() -> None:
        log.info("during")
        await over.wait()
        log.info("after")

    with about_question("q1"):
        with about_question("q1"):
            task = asyncio.create_task(outlive())
            await asyncio.sleep(0)
        await asyncio.to_thread(log.info, "between")
    over.set()
    await task
    said = {line["event"]: line.get("question") for line in logged(lines)}
    assert (said["during"], said["between"], said["after"]) == ("q1", "q1", None)


def test_a_line_that_names_a_question_keeps_it(lines: io.StringIO) -> None:
    """One question's work may tell of another's."""
    with about_question("q1"):
        structlog.get_logger("bot.app").info("orphan_found", question="q2")
    assert logged(lines)[0]["question"] == "q2"


def test_lines_of_libraries_that_may_quote_a_request_are_left_out(lines: io.StringIO) -> None:
    """Bolt quotes events it cannot handle, aiohttp and asyncio quote requests and exceptions."""
    bolt = logging.getLogger("slack_bolt.AsyncApp")
    bolt.warning(f"Unhandled request ({{'type': 'message', 'text': '{WORDS}'}})")
    bolt.error(f"Failed to run listener function (error: {WORDS})")
    bolt.error("Failed for %s", WORDS)
    logging.getLogger("asyncio").error(f"Task exception was never retrieved\nfuture: {WORDS}")
    logging.getLogger("slack_sdk").debug(f"Sending a request - {WORDS}")
    assert WORDS not in lines.getvalue()
    told = [line["event"] for line in logged(lines)]
    assert len(told) == 4
    assert all(one.startswith("a line that may quote a request was left out (") for one in told)


def test_other_lines_of_libraries_are_whole_or_not_there(lines: io.StringIO) -> None:
    """`HTTP Request: %s %s` told an operator nothing, in every second line."""
    configure("INFO", lines)
    logging.getLogger("httpx2").info("HTTP Request: %s %s", "POST", "https://example.com")
    logging.getLogger("alembic.runtime").info("Context impl %s.", "SQLiteImpl")
    logging.getLogger("aiohttp.server").warning("Too many connections from %s", "10.0.0.1")
    logging.getLogger("sqlalchemy.pool").error("Pool limit of %d reached: xoxb-1-secret", 5)
    assert [line["event"] for line in logged(lines)] == [
        "Too many connections from 10.0.0.1",
        "Pool limit of 5 reached: [redacted]",
    ]


def test_an_exception_is_shown_by_kind_and_place_without_its_text(lines: io.StringIO) -> None:
    """A parser's error quotes what it could not parse."""
    log = structlog.get_logger("bot.answer")
    for error in (
        ValueError(WORDS),
        ForewarmError("The database is full."),
        OSError(28, "No space"),
    ):
        try:
            raise error
        except Exception:
            log.exception("failed")
            logging.getLogger("library").exception("failed")
    assert WORDS not in lines.getvalue()
    shown = [line["error"] for line in logged(lines)]
    assert [e["kind"] for e in shown[::2]] == ["ValueError", "ForewarmError", "OSError"]
    assert [e.get("says") for e in shown[::2]] == [None, "The database is full.", "No space"]
    assert all("test_logs.py" in e["at"][-1] for e in shown)


def test_an_exception_tells_what_caused_it_by_kind(lines: io.StringIO) -> None:
    """The kind of the cause is often all that is needed."""
    try:
        try:
            raise KeyError(WORDS)
        except KeyError as error:
            raise ForewarmError("Slack refused.") from error
    except ForewarmError:
        structlog.get_logger("bot").exception("failed")
    (line,) = logged(lines)
    assert line["error"]["because"] == "KeyError"
    assert WORDS not in lines.getvalue()
