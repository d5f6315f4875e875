"""The server's own count of tokens, to set our estimates right."""

from __future__ import annotations

import asyncio
from typing import Any

from bot.claude.error_mapping import failure, lacks_endpoint
from bot.claude.errors import ClaudeError
from bot.claude.prefix import dump
from bot.claude.providers.connect import Connections
from bot.claude.providers.table import sent_id

COUNT_SECONDS = 30.0
_PLACEHOLDER = "."


class TokenCounter:
    """Counts with one model's tokenizer through `count_tokens`.

    Source: docs/platform/claude.md#token-counting. Each count is one free request; the
    requests that one model's frame costs are made once.
    """

    def __init__(self, connections: Connections, model: str) -> None:
        self.model = model
        self.calls = 0
        self._connections = connections
        self._frame: int | None = None
        self._missing = False
        self._asking = asyncio.Lock()

    async def count(self, text: str) -> int | None:
        """Return the tokens of a text as a `system` block, or None if they cannot be counted.

        None means that the provider does not count; it is not asked again. Raises `ClaudeError` if
        counting failed otherwise.
        """
        if not text.strip():
            return 0
        async with self._asking:
            if self._frame is None and not self._missing:
                self._frame = await self._count_whole("")
                self._missing = self._frame is None
        if self._frame is None:
            return None
        whole = await self._count_whole(text)
        return None if whole is None else max(0, whole - self._frame)

    def __repr__(self) -> str:
        state = "no endpoint" if self._missing else f"{self.calls} calls"
        return f"<TokenCounter of {self.model}: {state}>"

    async def _count_whole(self, text: str) -> int | None:
        # llama.cpp's template would put in a system text of its own if there were none.
        body = {
            "model": sent_id(self.model),
            "system": [{"type": "text", "text": f"{_PLACEHOLDER}\n{text}"}],
            "messages": [{"role": "user", "content": _PLACEHOLDER}],
        }
        connection = self._connections.of(self.model)
        if not connection.provider.counts:
            return None
        self.calls += 1
        as_object = connection.provider.body == "object"
        handed: dict[str, Any] = {"body": body} if as_object else {"content": dump(body)}
        try:
            reply = await connection.sdk.post(
                "/v1/messages/count_tokens",
                cast_to=object,
                **handed,
                options={"max_retries": 0, "timeout": COUNT_SECONDS},
            )
        except Exception as error:
            if not connection.provider.is_cloud and lacks_endpoint(error, self.model):
                return None
            raise failure(error, self.model) from error
        counted = reply.get("input_tokens") if isinstance(reply, dict) else None
        if not isinstance(counted, int):
            raise ClaudeError("server", model=self.model, detail="count_tokens without a count")
        return counted
