"""Whether a warm-up did its work, and why a read fell short: pure, from what replies say."""

from __future__ import annotations

from dataclasses import dataclass

from bot.claude.usage import Ttl, Usage

PLACEHOLDER_TOKENS = 8
MOST_PLACEHOLDER_TOKENS = 32
"""Tokens of a warm-up's prompt behind the prefix: as measured, and at the very most."""

COVERED = 0.98
"""Share of a prefix's tokens that must be cached for it to count as warm.

Source: docs/claude.md#warm-ups.
"""

EXPLAINS_A_MISS = frozenset({"model_changed", "system_changed", "tools_changed"})
"""The diagnoses that do: `messages_changed` always holds, since a warm-up's tail differs."""


@dataclass(frozen=True, slots=True)
class WarmResult:
    """Result of a warm-up. `started_at` is Unix seconds at sending: a TTL counts from there.

    `seconds` is how long it took, which is the prefill if `usage` shows a write. `tokens` is
    the prefix's length as the server measured it, as against the estimate in the Prefix.
    `complete` tells whether the prefix may be taken as cached; `missed` says in words why not, or
    why less was read than was expected. `lives` are the lives that entries can have there, as far
    as is known now.
    """

    usage: Usage
    usd: float
    seconds: float
    started_at: float
    ttl: Ttl
    tokens: int
    complete: bool
    request_id: str | None
    message_id: str | None
    missed: str | None = None
    lives: tuple[Ttl, ...] | None = None


def not_sent(at: float, ttl: Ttl, usd: float, why: str) -> WarmResult:
    """Return the result of a warm-up that was not sent, since no warmth exists.

    `usd` is what the probe cost that found it out.
    """
    return WarmResult(Usage(), usd, 0.0, at, ttl, 0, False, None, None, why, lives=())


def covered_tokens(usage: Usage, reports_writes: bool) -> int:
    """Return how many tokens the cache now holds of this prompt, by what the reply says.

    A server that does not report its writing keeps all it has processed.
    """
    return usage.cache_read + (usage.written if reports_writes else usage.input)


def measured_tokens(usage: Usage, reports_writes: bool) -> int:
    """Return the length of a warmed prefix as the server counted it.

    If writing is reported, the cached part is exactly the prefix. If not, the placeholder's
    turn, about as long as in Anthropic's own example, is taken off the whole prompt.
    """
    covered = covered_tokens(usage, reports_writes)
    if reports_writes and covered:
        return covered
    return max(0, usage.total_input - PLACEHOLDER_TOKENS)


def measured_by_question(usage: Usage, tail: int) -> int | None:
    """Return the prefix's length by the reply to a question whose own turns are `tail` tokens.

    The tail is an estimate, so it must be small beside the prefix. Returns None if it is not.
    """
    if usage.total_input == 0 or tail > (1 - COVERED) * usage.total_input:
        return None
    return usage.total_input - tail


def is_complete(usage: Usage, reports_writes: bool) -> bool:
    """Tell whether a warm-up's reply shows at least 98 % of the prefix in the cache.

    The whole is what the server counted, not our estimate: a tokenizer that is off by a tenth
    must not make every warm-up look like a failure.
    """
    covered = covered_tokens(usage, reports_writes)
    return covered > 0 and covered >= COVERED * (usage.total_input - MOST_PLACEHOLDER_TOKENS)


def explain_warm_up(usage: Usage, reports_writes: bool) -> str | None:
    """Return why a warm-up left the prefix cold, or None if it did not."""
    if is_complete(usage, reports_writes):
        return None
    covered = covered_tokens(usage, reports_writes)
    if covered == 0:
        return "nothing was cached: the prefix is shorter than the model's minimum"
    return f"only {covered} of {usage.total_input} tokens were cached"


def explain_read(
    usage: Usage, expected: int, miss: str | None = None, changed: str | None = None
) -> str | None:
    """Return why fewer tokens were read than were believed to be cached, or None if enough were.

    `changed` is what of the prefix differs from the last request by our own fingerprints, `miss`
    the API's diagnosis. If neither explains it, the entry is gone.
    """
    if usage.cache_read >= COVERED * expected:
        return None
    if changed is not None:
        return f"{changed}_changed"
    return miss if miss in EXPLAINS_A_MISS else "expired or evicted"
