"""How an answer may end, and the one honest line that says so. Pure.

A complete answer has no such line. Every other end has exactly one. Otherwise readers would take
half an answer for a whole one, or wait for one that will not come.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bot.answer.events import Outcome
from bot.claude.errors import ClaudeError, ErrorKind
from bot.errors import ForewarmError

EndingKind = Literal[
    "complete",
    "length",  # max_tokens
    "window",  # model_context_window_exceeded
    "refused",  # the model declined
    "filtered",  # the provider's output filter stopped it
    "exhausted",  # it went on asking for look-ups after the last one
    "empty",  # it ended without a word, twice
    "unfinished",  # it ended before the answer, twice
    "stopped",  # by the asker
    "deleted",  # the question is gone
    "denied",  # the day's money is spent: Claude is not asked
    "forbidden",  # the person may not see this code any more, or Slack cannot say
    "superseded",  # the question was edited: another answer takes this one's place
    "joined",  # the asker wrote again before any word: one answer is given to both messages
    "overloaded",  # Claude is, or limits us, and stayed so
    "cut",  # the stream broke, and broke again
    "failed",
]


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of an answer. `error` holds the sentence for a user, if something failed."""

    kind: EndingKind
    error: ForewarmError | None = None

    @property
    def last_line(self) -> str:
        """Return the line as Slack markdown; empty for a complete answer."""
        if self.kind in ("failed", "overloaded", "denied") and self.error is not None:
            return self.error.asker_message
        return _LINES[self.kind]

    @property
    def is_unavailable(self) -> bool:
        """Whether Claude could not be asked at all, or only after a wait."""
        if self.kind in ("overloaded", "cut", "denied"):
            return True
        if self.kind != "failed" or self.error is None:
            return False
        # An error that is not Claude's own here means that there is no prefix to ask on.
        return not isinstance(self.error, ClaudeError) or self.error.kind in _UNAVAILABLE

    def outcome(self, said: bool) -> Outcome:
        """Return what the journal calls it; `said` tells whether any words were shown."""
        if self.kind in ("length", "window", "exhausted", "unfinished"):
            return "answered" if said else "failed"
        return _OUTCOMES[self.kind]

    @property
    def is_remembered(self) -> bool:
        """Whether the next question of the thread builds on what was said here.

        Not on a refusal, which would be refused again, nor on what broke off by accident.
        """
        return self.kind in (
            "complete",
            "length",
            "window",
            "exhausted",
            "unfinished",
            "stopped",
        )


_LINES: dict[EndingKind, str] = {
    "complete": "",
    "length": "_The answer reached its length limit here. Ask me to go on and I will._",
    "window": "_The model's context is full here. Ask in a new thread to go on._",
    "refused": "_Claude declined to go on with this question. Rephrase it to try again._",
    "filtered": "_The output filter of the model's provider stopped this answer. Ask another way._",
    "unfinished": "_Claude stopped before the answer was complete. Ask me to go on._",
    "exhausted": "_I reached the limit of look-ups for one question. Ask about one part of it._",
    "empty": "_Claude ended without an answer. Ask again in other words._",
    "stopped": "_Stopped at your request._",
    "deleted": "_The question was deleted, so I stopped here._",
    "denied": "_Claude is not asked at the moment. Ask again later._",
    "forbidden": "_I could not make sure that you may still see this code, so I stopped._",
    "superseded": "",
    "joined": "",
    "overloaded": "_Claude is overloaded at the moment. Ask again in a minute._",
    "cut": "_The connection to Claude broke off twice, so this answer is incomplete. Ask again._",
    "failed": "_Something went wrong on my side, so this answer is incomplete. Ask again._",
}
_OUTCOMES: dict[EndingKind, Outcome] = {
    "complete": "answered",
    "refused": "refused",
    "filtered": "refused",
    "empty": "failed",
    "stopped": "stopped",
    "denied": "denied",
    "forbidden": "denied",
    "deleted": "stopped",
    "superseded": "stopped",
    "joined": "stopped",
    "overloaded": "overloaded",
    "cut": "failed",
    "failed": "failed",
}
_STOP_REASONS: dict[str, EndingKind] = {
    "max_tokens": "length",
    "max_output_tokens": "length",
    "length": "length",
    "max_length": "length",
    "model_length": "window",
    "error_limit": "window",
    "model_context_window_exceeded": "window",
    "refusal": "refused",
    "content_filter": "filtered",
    "content_filtered": "filtered",
    "guardrail_intervened": "filtered",
    "safety": "filtered",
    "recitation": "filtered",
    "blocklist": "filtered",
    "prohibited_content": "filtered",
    "spii": "filtered",
    "sensitive": "filtered",
    "error_toxic": "filtered",
    "error": "unfinished",
    "abort": "unfinished",
    "cancelled": "unfinished",
    "user_cancel": "unfinished",
    "incomplete": "unfinished",
    "insufficient_system_resource": "unfinished",
    "language": "unfinished",
    "network_error": "unfinished",
    "other": "unfinished",
    "timeout": "unfinished",
}
"""Anthropic's stop reasons, and those that gateways pass on from Bedrock, vLLM and others."""
_LOOK_UPS = frozenset(
    {
        "tool_use",
        "tool_calls",
        "function_call",
        "malformed_tool_use",
        "malformed_function_call",
        "malformed_model_output",
        "unexpected_tool_call",
        "too_many_tool_calls",
    }
)
_UNAVAILABLE: frozenset[ErrorKind] = frozenset(
    {"authentication", "permission", "spend_limit", "server", "connection", "timeout"}
)
_PRESSED: frozenset[ErrorKind] = frozenset({"overloaded", "rate_limited"})


def ending_of(stop_reason: str) -> Ending:
    """Return the ending that a complete reply's stop reason means.

    Source: docs/platform/claude.md#stop-reasons.
    """
    return Ending(_STOP_REASONS.get(_normalize(stop_reason), "complete"))


def announces_look_up(stop_reason: str) -> bool:
    """Return whether a reply ended for a look-up, be it there or broken."""
    return _normalize(stop_reason) in _LOOK_UPS


def _normalize(stop_reason: str) -> str:
    """Return a stop reason in one way of writing: `FINISH_REASON_MAX_TOKENS`, `max-tokens`."""
    return stop_reason.lower().replace("-", "_").removeprefix("finish_reason_")


def ending_for(error: ForewarmError) -> Ending:
    """Return the ending of an answer that an error ended for good."""
    if not isinstance(error, ClaudeError):
        return Ending("failed", error)
    if error.kind == "cut":
        return Ending("cut")
    if error.kind == "refusal":
        return Ending("refused")
    if error.kind == "filtered":
        return Ending("filtered")
    return Ending("overloaded" if error.kind in _PRESSED else "failed", error)
