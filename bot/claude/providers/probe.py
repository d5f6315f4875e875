"""Probe of a cache that is documented nowhere: a made-up prefix is written and read again.

It costs a cent or two on the dearest models, once for each model at a provider.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from bot.claude.cache_check import COVERED, MOST_PLACEHOLDER_TOKENS
from bot.claude.errors import ClaudeError
from bot.claude.models import Capabilities, ModelSettings
from bot.claude.prefix import Prefix, build_prefix
from bot.claude.providers.cache_facts import CacheFacts
from bot.claude.request import Request, warm_request
from bot.claude.usage import Ttl, usage_of
from bot.context.pack import Block, Pack

LEAST_TOKENS = 1_000
MARGIN = 1.6
"""Tokenizers differ: the prefix must be longer than the least that is cached on any of them."""

_TRIES: tuple[tuple[Ttl, int], ...] = (("1h", 0), ("1h", 1), ("5m", 0), ("5m", 1))
Send = Callable[[Request], Awaitable[Mapping[str, Any]]]
"""Sends a warm-up and returns the raw usage of its reply. Raises `ClaudeError`."""


def made_up_prefix(capabilities: Capabilities, settings: ModelSettings, salt: str) -> Prefix:
    """Return a prefix that is just long enough to be cached. `salt` must be new each time."""
    tokens = round(max(LEAST_TOKENS, capabilities.cacheable) * MARGIN)
    lines = (f"constant_{n} = {n * 7919 % 10_007}\n" for n in range(tokens // 8))
    block = Block("base", "probe", "".join(lines), tokens)
    return build_prefix(Pack((block,), (), (), 1), [], settings, salt)


async def probe_cache(send: Send, prefix: Prefix) -> CacheFacts:
    """Write and read a prefix that was never sent before. Raises `ClaudeError` if that fails."""
    request, first = await _write(send, prefix)
    second = await send(request)
    written = usage_of(first, request.ttl)
    expected = written.written or written.total_input - MOST_PLACEHOLDER_TOKENS
    read = usage_of(second).cache_read
    if not read or read < COVERED * expected:
        return CacheFacts((), request.max_tokens == 0)
    lives = first.get("cache_creation")
    hour = isinstance(lives, Mapping) and bool(lives.get("ephemeral_1h_input_tokens"))
    return CacheFacts(("5m", "1h") if hour else ("5m",), request.max_tokens == 0)


async def _write(send: Send, prefix: Prefix) -> tuple[Request, Mapping[str, Any]]:
    """Send the warm-up with the longest life and the fewest tokens that is accepted."""
    refused: ClaudeError | None = None
    for ttl, max_tokens in _TRIES:
        if refused is not None and refuses_hour(refused) and ttl == "1h":
            continue
        request = warm_request(prefix, ttl, max_tokens=max_tokens)
        try:
            return request, await send(request)
        except ClaudeError as error:
            if error.kind != "invalid" or error.status != 400:
                raise
            refused = error
    assert refused is not None
    raise refused


def refuses_hour(refused: ClaudeError) -> bool:
    """Tell whether a provider refused a request because of the life of an entry."""
    return refused.kind == "invalid" and "ttl" in refused.detail
