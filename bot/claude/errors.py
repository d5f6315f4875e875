"""Failures of requests to Claude, as one error with a kind.

Statuses, types and codes are those of docs/platform/claude.md#rate-limits-and-errors
and docs/platform/claude.md#error-wording. The text that the server sent is kept,
scrubbed, for the log; people are shown one sentence of ours.
"""

from __future__ import annotations

import re
from typing import Literal

from bot.claude.models import similar_model
from bot.errors import ForewarmError

ErrorKind = Literal[
    "authentication",  # no key, or a wrong one
    "permission",  # the key may not do this
    "unknown_model",  # 404 that names the model, or a server without this endpoint
    "rate_limited",  # 429; retry_after in seconds if the server gave it
    "spend_limit",  # the money agreed with Anthropic is spent: waiting does not help
    "overloaded",  # 529
    "server",  # any other 5xx
    "too_long",  # the prompt exceeds the model's window, or the body the server's
    "invalid",  # any other 4xx: a bug of ours, or a setting the model refuses
    "connection",  # no answer, or the connection broke before the reply began
    "timeout",  # connected, but silent for too long
    "cut",  # a reply began and did not end as it should
    "refusal",  # the model declined
    "filtered",  # the provider's filter stopped the answer, before or after its first words
]

_SENTENCES: dict[ErrorKind, str] = {
    "authentication": (
        "Claude did not accept the API key, so nothing can be answered; "
        "set ANTHROPIC_API_KEY to a valid key."
    ),
    "permission": (
        "The API key may not use this model or feature, so nothing can be answered; "
        "grant it in the Claude Console or choose another model."
    ),
    "unknown_model": (
        "The model server does not know the model {model}{meant}, so nothing can be answered with"
        " it; correct `model` in the context's file."
    ),
    "rate_limited": (
        "Claude is limiting how fast this organisation may ask{wait}; please ask again then."
    ),
    "spend_limit": (
        "The organisation's spend limit at Claude is reached, so nothing can be answered "
        "until it is raised in the Claude Console."
    ),
    "overloaded": "Claude is overloaded at the moment; please ask again in a minute.",
    "server": "Claude had an internal error, so there is no answer; please ask again.",
    "too_long": (
        "The question with its thread and code is longer than the model can read; "
        "ask in a new thread, or lower `budget_tokens` in the context's file."
    ),
    "invalid": (
        "Claude refused the request as invalid, so there is no answer; "
        "the log holds the reason{request}."
    ),
    "connection": ("The model server cannot be reached; check the network and ANTHROPIC_BASE_URL."),
    "timeout": "The model server stopped responding, so there is no answer; please ask again.",
    "cut": "The answer broke off on its way from the model; please ask again.",
    "filtered": ("The output filter of the model's provider stopped this answer; ask another way."),
    "refusal": "Claude declined to answer this question; rephrase it to go on.",
}

_NEEDS_OPERATOR = (
    "Claude does not take my questions at the moment, so I have no answer. The operators find the"
    " reason in my log."
)
_FOR_ASKERS: dict[ErrorKind, str] = {
    "authentication": _NEEDS_OPERATOR,
    "permission": _NEEDS_OPERATOR,
    "unknown_model": _NEEDS_OPERATOR,
    "spend_limit": _NEEDS_OPERATOR,
    "invalid": _NEEDS_OPERATOR,
    "too_long": "The question with its thread and code is longer than the model can read. Ask in a"
    " new thread.",
    "connection": "Claude cannot be reached at the moment, so I have no answer. Ask again in a few"
    " minutes.",
}
"""Sentences for people who ask, if those of `_SENTENCES` are for operators."""

_SECRET = re.compile(r"(sk-[A-Za-z0-9_-]{6,}|Bearer\s+\S+|x-api-key\s*[:=]\s*\S+)", re.IGNORECASE)


def scrubbed(text: str) -> str:
    """Return the text with anything that looks like a key masked, at most 500 characters."""
    return _SECRET.sub("[key]", text)[:500]


class ClaudeError(ForewarmError):
    """A request to Claude failed.

    `kind` says how, `status` is the HTTP status (200 for an error inside a stream, None if
    there was no reply), `retry_after` seconds if the server named them, `request_id` what
    Anthropic's support asks for, `detail` the server's own words, scrubbed, for the log only.
    `may_be_charged` tells that the server may have begun to work on the request.
    """

    def __init__(
        self,
        kind: ErrorKind,
        *,
        model: str | None = None,
        status: int | None = None,
        retry_after: float | None = None,
        request_id: str | None = None,
        detail: str = "",
        user_message: str | None = None,
        asker_message: str | None = None,
        may_be_charged: bool = False,
    ) -> None:
        super().__init__(
            user_message or sentence(kind, model, retry_after, request_id),
            asker_message=asker_message or _FOR_ASKERS.get(kind),
        )
        self.kind: ErrorKind = kind
        self.model = model
        self.status = status
        self.retry_after = retry_after
        self.request_id = request_id
        self.detail = scrubbed(detail)
        # Status 200: the reply had begun when it failed.
        self.may_be_charged = may_be_charged or status == 200

    def __repr__(self) -> str:
        facts: list[str] = [self.kind]
        if self.status is not None:
            facts.append(f"status {self.status}")
        if self.request_id is not None:
            facts.append(self.request_id)
        return f"<{type(self).__name__} {', '.join(facts)}>"


class CapReached(ClaudeError):
    """A cap of this installation refused a request before it left: Claude said nothing."""

    def __init__(self, text: str, *, model: str, detail: str) -> None:
        super().__init__(
            "spend_limit", model=model, detail=detail, user_message=text, asker_message=text
        )


class CutStream(ClaudeError):
    """A stream ended without `message_stop`, or broke: what came is not a complete answer."""

    def __init__(
        self, *, model: str | None = None, request_id: str | None = None, detail: str = ""
    ) -> None:
        super().__init__("cut", model=model, status=200, request_id=request_id, detail=detail)


def sentence(
    kind: ErrorKind, model: str | None, retry_after: float | None, request_id: str | None
) -> str:
    """Return the one sentence that a person reads for this kind of failure."""
    wait = f" for another {max(1, round(retry_after))} s" if retry_after is not None else ""
    similar = similar_model(model) if model and kind == "unknown_model" else None
    return _SENTENCES[kind].format(
        meant=f" (did you mean `{similar}`?)" if similar and similar != model else "",
        model=f"`{model}`" if model else "in the context's file",
        wait=wait or " for a moment",
        request=f" under {request_id}" if request_id else "",
    )
