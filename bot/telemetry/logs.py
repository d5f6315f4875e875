"""JSON logs on stderr, one line an event, with the question's id on everything done for it.

Warnings and errors of libraries go through here too, whole and without tokens. A line that may
quote a request, as Bolt's do, could hold text of a message: its place in the library is told
instead. Less important lines of libraries are not written, unless the level is DEBUG. Exceptions
are shown by kind and place; the text of one is shown only if this program wrote it, since a
library's may quote a message.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import MutableMapping
from typing import IO, Any

import structlog

from bot.errors import ForewarmError
from bot.log_context import question_in_work
from bot.telemetry.redact import is_quoting, redact_fields, redact_text

Event = MutableMapping[str, Any]

TALKATIVE = (
    "slack_bolt",
    "slack_sdk",
    "aiohttp.access",
    "anthropic",
    "httpx2",
    "httpcore2",
    "asyncio",
)
"""Libraries whose debug logs quote requests and replies."""

FRAMES = 12
LEFT_OUT = "a line that may quote a request was left out ({file}, line {line})"


def configure(level: str = "INFO", stream: IO[str] | None = None) -> None:
    """Send every log line of the process to `stream` (stderr) as JSON.

    Raises ValueError for a level that `logging` does not know.
    """
    shared: list[Any] = [
        name_question,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        show_exception,
        clean,
    ]
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
            pass_foreign_args=True,
        )
    )
    root = logging.getLogger()
    if level.upper() != "DEBUG":
        handler.addFilter(_matters)
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(max(logging.INFO, root.level))
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def _matters(record: logging.LogRecord) -> bool:
    """Tell whether a record is ours, or important enough of a library's."""
    return record.name.startswith("bot.") or record.levelno >= logging.WARNING


def name_question(logger: object, name: str, event: Event) -> Event:
    """Put the id of the question that is worked on on the line, unless it names one itself."""
    question = question_in_work()
    if question is not None:
        event.setdefault("question", question)
    return event


def show_exception(logger: object, name: str, event: Event) -> Event:
    """Replace an exception by its kind, its place, and its text if that is safe to show."""
    info = event.pop("exc_info", None)
    if info is True:
        info = sys.exc_info()
    error = info[1] if isinstance(info, tuple) else info
    if isinstance(error, BaseException):
        event["error"] = _described(error)
    event.pop("stack_info", None)
    return event


def clean(logger: object, name: str, event: Event) -> Event:
    """Take out tokens and text of messages."""
    record = event.pop("_record", None)
    values = event.pop("positional_args", None)
    from_structlog = event.pop("_from_structlog", None)
    said, cleaned = str(event.get("event", "")), redact_fields(event)
    ours = record is None or event.get("logger", "").startswith("bot.")
    if not ours and record is not None and _may_quote(record, said, bool(values)):
        said = LEFT_OUT.format(file=record.filename, line=record.lineno)
    cleaned["event"] = redact_text(said)
    if record is not None:
        cleaned.update(_record=record, _from_structlog=from_structlog)
    return cleaned


def _may_quote(record: logging.LogRecord, said: str, has_values: bool) -> bool:
    """Tell whether a library's line may hold text of a request: by its form, or by its values."""
    talkative = record.name.partition(".")[0] in TALKATIVE
    return is_quoting(said) or (talkative and has_values)


def _described(error: BaseException) -> dict[str, Any]:
    frames = traceback.extract_tb(error.__traceback__)[-FRAMES:]
    described: dict[str, Any] = {
        "kind": type(error).__name__,
        "at": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames],
    }
    if isinstance(error, ForewarmError):
        described["says"] = error.user_message
    elif isinstance(error, OSError) and error.strerror:
        described["says"] = error.strerror
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        described["because"] = type(cause).__name__
    return described
