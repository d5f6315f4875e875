"""Probes of the Messages API for behaviour that Anthropic does not document.

docs/platform/claude.md#undocumented-behaviour lists it. Prefixes are made up and a
few thousand tokens long: all probes together cost a few cents.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import anthropic

from bot.claude.models import ModelSettings
from bot.claude.probe_finding import ProbeFinding
from bot.claude.providers.connect import Sdk
from bot.claude.providers.table import sent_id

PREFIX_LINES = 900
"""About 9,000 tokens: longer than the least that is cached on any model, and slow enough to cut."""
_LEAST_LINES = (45, 90, 180, 360, 720)
"""From about 500 tokens on, each twice as many."""
_THINKING = ("disabled", "between_tools", "adaptive")
CANCEL_SECONDS = (0.15, 0.6)
SETTLE_SECONDS = 4.0
_ASK = [{"role": "user", "content": "."}]


class ClaudeProbes:
    """Probes one model with the settings that a context uses. Raises nothing: failures are found.

    `sdk` must not resend by itself. `settle` is waited after a cancelled warm-up, in seconds.
    """

    def __init__(
        self,
        sdk: Sdk,
        settings: ModelSettings,
        *,
        settle: float = SETTLE_SECONDS,
    ) -> None:
        self._sdk = sdk.with_options(max_retries=0)
        self._settings = settings
        self._settle = settle

    async def run(self) -> AsyncIterator[ProbeFinding]:
        """Yield what is found, one after the other."""
        probes: tuple[tuple[str, Callable[[], Awaitable[ProbeFinding]]], ...] = (
            ("claude.warm-up with the context's thinking", self._warm_up),
            ("claude.refusals of max_tokens 0", self._refusals),
            ("claude.automatic caching beside four markers", self._five_markers),
            ("claude.wording of a refused key", self._refused_key),
            ("claude.cancelled warm-up leaves an entry", self._cancelled),
            ("claude.effort is part of the prefix", self._effort),
            ("claude.thinking is part of the prefix", self._thinking),
            ("claude.least that is cached", self._least),
            ("claude.token overhead of citations", self._citations),
            ("claude.limits in the headers", self._limits),
        )
        for item, probe in probes:
            try:
                yield await probe()
            except anthropic.AnthropicError as error:
                yield ProbeFinding(item, "failed", _why(error), _error(error))
        yield ProbeFinding(
            "claude.longer hit refreshes shorter entries",
            "unprobed",
            "It takes longer than an entry's five minutes to tell.",
        )

    # --- the probes -----------------------------------------------------------------------------

    async def _warm_up(self) -> ProbeFinding:
        item = "claude.warm-up with the context's thinking"
        chosen = {"thinking": self._settings.thinking, "effort": self._settings.effort}
        try:
            reply = await self._create(_prefix())
        except anthropic.BadRequestError as error:
            text = "max_tokens 0 is refused with this thinking; the bot warms with 1 instead."
            return ProbeFinding(item, "found", text, {"accepted": False, **chosen, **_error(error)})
        facts = {"accepted": True, **chosen, **_usage(reply), "stop_reason": reply["stop_reason"]}
        return ProbeFinding(item, "found", "max_tokens 0 is accepted with this thinking.", facts)

    async def _refusals(self) -> ProbeFinding:
        tool = {"name": "look", "description": "Look.", "input_schema": {"type": "object"}}
        tries: Mapping[str, Mapping[str, Any]] = {
            "stream": {"stream": True},
            "thinking enabled": {"thinking": {"type": "enabled", "budget_tokens": 1024}},
            "forced tool": {"tools": [tool], "tool_choice": {"type": "any"}},
            "format": {
                "output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}
            },
        }
        found = {name: await self._refusal(more) for name, more in tries.items()}
        refused = sum(1 for one in found.values() if one.get("message"))
        text = f"{refused} of {len(found)} combinations with max_tokens 0 are refused."
        return ProbeFinding("claude.refusals of max_tokens 0", "found", text, found)

    async def _five_markers(self) -> ProbeFinding:
        mark = {"type": "ephemeral"}
        system = [{"type": "text", "text": f"part {n}", "cache_control": mark} for n in range(4)]
        found = await self._refusal({"system": system, "cache_control": mark})
        text = "It is refused." if found.get("message") else "It is accepted."
        return ProbeFinding("claude.automatic caching beside four markers", "found", text, found)

    async def _refused_key(self) -> ProbeFinding:
        wrong = "sk-ant-wrong"
        found = {}
        for name, header in (("key", "x-api-key"), ("bearer", "authorization")):
            value = wrong if name == "key" else f"Bearer {wrong}"
            other = "authorization" if name == "key" else "x-api-key"
            headers = {header: value, other: anthropic.Omit()}
            found[name] = await self._refusal({"extra_headers": headers})
        text = f"A wrong key is answered with {found['key'].get('status', 'success')}."
        return ProbeFinding("claude.wording of a refused key", "found", text, found)

    async def _cancelled(self) -> ProbeFinding:
        left = {}
        for seconds in CANCEL_SECONDS:
            prefix = _prefix()
            running = asyncio.ensure_future(self._create(prefix))
            await asyncio.wait({running}, timeout=seconds)
            ended = running.done()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await asyncio.sleep(self._settle)
            usage = _usage(await self._create(prefix))
            left[f"{seconds:g} s"] = {"ended_before": ended, "read_after": usage["read"]}
        kept = [name for name, one in left.items() if one["read_after"] and not one["ended_before"]]
        text = f"An entry was left after {', '.join(kept)}." if kept else "No entry was left."
        return ProbeFinding("claude.cancelled warm-up leaves an entry", "found", text, left)

    async def _effort(self) -> ProbeFinding:
        item = "claude.effort is part of the prefix"
        if self._settings.effort is None:
            return ProbeFinding(item, "unprobed", "This model takes no effort.")
        prefix = _prefix()
        first = _usage(await self._create(prefix))
        same = _usage(await self._create(prefix))
        changed = {"effort": "medium" if self._settings.effort == "low" else "low"}
        other = await self._refusal({"output_config": changed}, prefix)
        facts = {"first": first, "same": same, "other": other}
        if other.get("message"):
            return ProbeFinding(
                item, "found", "Another effort is refused with this thinking.", facts
            )
        part = not other["read"]
        text = "Another effort misses the cache." if part else "Another effort reads the cache."
        return ProbeFinding(item, "found", text, facts)

    async def _thinking(self) -> ProbeFinding:
        """Whether thinking is rendered before tools and system: then another misses the cache."""
        item = "claude.thinking is part of the prefix"
        prefix = _prefix()
        first = _usage(await self._create(prefix))
        same = _usage(await self._create(prefix))
        own = self._settings.thinking
        found = {}
        for kind in (kind for kind in _THINKING if kind != own):
            # Some thinking is not accepted without room for it.
            for most in (0, 1):
                more = {"max_tokens": most, "thinking": {"type": kind}}
                found[kind] = await self._refusal(more, prefix)
                if not found[kind].get("message"):
                    break
        read = [kind for kind, one in found.items() if one.get("read")]
        missed = [kind for kind, one in found.items() if one.get("read") == 0]
        parts = [("reads the cache", read), ("misses it", missed)]
        told = [f"{' and '.join(kinds)} {what}" for what, kinds in parts if kinds]
        text = f"After {own or 'no thinking'}: {'; '.join(told)}." if told else "No other is taken."
        return ProbeFinding(item, "found", text, {"first": first, "same": same, **found})

    async def _least(self) -> ProbeFinding:
        """How long a prefix must be before this model caches it: the length of the shortest."""
        sizes = {}
        for lines in _LEAST_LINES:
            usage = _usage(await self._create(_prefix(lines)))
            sizes[str(usage["input"] + usage["written"])] = usage["written"]
            if usage["written"]:
                break
        kept = [size for size, written in sizes.items() if written]
        text = f"A prefix of {kept[0]} tokens was cached." if kept else "None of these was cached."
        return ProbeFinding("claude.least that is cached", "found", text, sizes)

    async def _citations(self) -> ProbeFinding:
        counts = {name: await self._counted(on) for name, on in (("off", False), ("on", True))}
        more = counts["on"] - counts["off"]
        text = f"Citations add {more} tokens to one document of {counts['off']}."
        return ProbeFinding("claude.token overhead of citations", "found", text, counts)

    async def _counted(self, citations: bool) -> int:
        """Return the tokens of a request with one document; counting costs nothing."""
        source = {"type": "text", "media_type": "text/plain", "data": _prefix(20)[27:]}
        document = {"type": "document", "source": source, "citations": {"enabled": citations}}
        content: Any = [document, {"type": "text", "text": "."}]
        counted = await self._sdk.messages.count_tokens(
            model=sent_id(self._settings.model), messages=[{"role": "user", "content": content}]
        )
        return counted.input_tokens

    async def _limits(self) -> ProbeFinding:
        body = self._body({}, _prefix(3))
        reply = await self._sdk.messages.with_raw_response.create(**body)
        limits = {
            name.removeprefix("anthropic-ratelimit-"): value
            for name, value in reply.headers.items()
            if name.startswith("anthropic-ratelimit-") and name.endswith("-limit")
        }
        text = f"The reply names {len(limits)} limits."
        return ProbeFinding("claude.limits in the headers", "found", text, limits)

    # --- requests -------------------------------------------------------------------------------

    def _body(self, more: Mapping[str, Any], prefix: str) -> dict[str, Any]:
        settings = self._settings
        system = [{"type": "text", "text": prefix, "cache_control": {"type": "ephemeral"}}]
        body: dict[str, Any] = {
            "model": sent_id(settings.model),
            "max_tokens": 0,
            "messages": _ASK,
        }
        body["system"] = system
        if settings.thinking not in (None, "enabled"):
            body["thinking"] = {"type": settings.thinking}
        if settings.effort is not None:
            body["output_config"] = {"effort": settings.effort}
        # The SDK of the day may not know every field: what it does not name goes along as it is.
        extra = {key: more[key] for key in more if key == "cache_control"}
        named = {key: value for key, value in more.items() if key not in extra}
        return body | named | ({"extra_body": extra} if extra else {})

    async def _create(self, prefix: str, more: Mapping[str, Any] | None = None) -> dict[str, Any]:
        reply = await self._sdk.messages.create(**self._body(more or {}, prefix))
        if isinstance(reply, anthropic.AsyncStream):
            await reply.close()
            return {}
        return dict(reply.model_dump())

    async def _refusal(self, more: Mapping[str, Any], prefix: str = "probe") -> dict[str, Any]:
        """Return how a request is refused, or the usage of one that was not."""
        try:
            reply = await self._create(prefix, more)
        except anthropic.APIStatusError as error:
            return _error(error)
        return _usage(reply) if reply.get("usage") else {"accepted": True}


def _prefix(lines: int = PREFIX_LINES) -> str:
    """Return text that was never sent before."""
    mark = secrets.token_hex(8)
    return f"probe {mark}\n" + "".join(
        f"constant_{n} = {n * 7919 % 10_007}\n" for n in range(lines)
    )


def _usage(reply: Mapping[str, Any]) -> dict[str, Any]:
    usage = reply["usage"]
    return {
        "input": usage.get("input_tokens") or 0,
        "read": usage.get("cache_read_input_tokens") or 0,
        "written": usage.get("cache_creation_input_tokens") or 0,
        "output": usage.get("output_tokens") or 0,
    }


def _error(error: anthropic.AnthropicError) -> dict[str, Any]:
    held = getattr(error, "body", None)
    body = held if isinstance(held, dict) else {}
    inner = body.get("error") if isinstance(body.get("error"), dict) else {}
    return {
        "status": getattr(error, "status_code", None),
        "type": (inner or {}).get("type"),
        "message": (inner or {}).get("message") or type(error).__name__,
    }


def _why(error: anthropic.AnthropicError) -> str:
    return f"The request failed ({type(error).__name__}): check the key, the model and the network."
