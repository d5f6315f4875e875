"""The server's description of its models, asked once per model and kept."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import structlog

from bot.claude.error_mapping import failure, lacks_endpoint
from bot.claude.errors import ClaudeError, ErrorKind
from bot.claude.models import Capabilities, from_model_info, listed
from bot.claude.providers.connect import Connections
from bot.claude.providers.table import sent_id

LOOK_UP_SECONDS = 10.0
_FATAL: frozenset[ErrorKind] = frozenset({"authentication", "unknown_model"})

_log = structlog.get_logger(__name__)


class Catalogue:
    """The Models API if the provider has one, else models.toml."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._known: dict[str, Capabilities] = {}
        self._lock = asyncio.Lock()

    async def capabilities(self, model: str) -> Capabilities:
        """Return what the model accepts.

        Raises `ClaudeError` if the key is refused or the server says that it has no such model.
        Any other failure, a server without a Models API among them, yields what models.toml knows;
        what could not be asked is asked again the next time.
        """
        async with self._lock:
            if model in self._known:
                return self._known[model]
            if not self._connections.provider(model).models:
                return listed(model)
            try:
                found = await self._ask(model)
            except ClaudeError as failed:
                if failed.kind in _FATAL:
                    raise
                why = f"{failed.user_message} Until then the built-in limits of the model are used."
                _log.warning("models_api_failed", model=model, kind=failed.kind, why=why)
                return listed(model)
            self._known[model] = found
            return found

    async def ask_for_models(self, model: str) -> None:
        """Ask a model's provider for its list. Raises `ClaudeError` if there is no access."""
        await self._get("/v1/models", model)

    def known_capabilities(self, model: str) -> Capabilities:
        """Return what was learnt of the model by now, without asking; else `listed`."""
        return self._known.get(model) or listed(model)

    async def _ask(self, model: str) -> Capabilities:
        id = sent_id(model)
        one = await self._get(f"/v1/models/{id}", model)
        if one is not None:
            return from_model_info(model, one)
        every = await self._get("/v1/models", model)
        rows = every.get("data") if every else None
        for row in rows if isinstance(rows, list) else ():
            if isinstance(row, Mapping) and id in (row.get("id"), *(row.get("aliases") or ())):
                return from_model_info(model, row)
        return listed(model)

    async def _get(self, path: str, model: str) -> Mapping[str, Any] | None:
        """Return the object at a path, or None if the server has no such endpoint."""
        try:
            found = await self._connections.of(model).sdk.get(
                path, cast_to=object, options={"max_retries": 0, "timeout": LOOK_UP_SECONDS}
            )
        except Exception as error:
            if lacks_endpoint(error, model):
                return None
            raise failure(error, model) from error
        return found if isinstance(found, Mapping) else None
