"""Connections to providers, through the SDK's own clients. Each is made when it is first used.

Packages of a cloud are imported by the SDK when a request is signed, never before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

import anthropic
import httpx2

from bot.claude.error_mapping import failure
from bot.claude.errors import ClaudeError
from bot.claude.providers.failures import not_installed, not_set_up
from bot.claude.providers.table import DIRECT, Provider, full_name, providers, split_name

CONNECT_SECONDS = 10.0
WARM_SECONDS = 600.0
"""A warm-up's reply comes only when the whole prefix is processed, all at once."""

KEEP_ALIVE_SECONDS = 55.0
"""An idle connection is kept for the next question; load balancers drop theirs at 60 s."""

NO_KEEP_ALIVE = 1e-9
"""Seconds; the pool takes 0 for no limit on idle connections that it does not use."""

Sdk = (
    anthropic.AsyncAnthropic
    | anthropic.AsyncAnthropicBedrock
    | anthropic.AsyncAnthropicBedrockMantle
    | anthropic.AsyncAnthropicVertex
)


@dataclass(frozen=True, slots=True)
class Connection:
    """A provider and the SDK's client for it."""

    provider: Provider
    sdk: Sdk


class Connections:
    """One connection for each provider that is used. `default` serves contexts that name none."""

    def __init__(
        self, default: str, direct: Connection, open_cloud: Callable[[Provider], Sdk]
    ) -> None:
        self.default = default
        self._direct = direct
        self._open_cloud = open_cloud
        self._open: dict[str, Connection] = {}

    def full_name(self, model: str) -> str:
        """Return the full name of a model: with the default provider if it names none."""
        provider, rest = split_name(model)
        return full_name(provider or self.default, rest)

    def provider(self, model: str) -> Provider:
        """Return the row of the provider that serves a model."""
        name = split_name(self.full_name(model))[0]
        return providers()[name] if name else self._direct.provider

    def of(self, model: str) -> Connection:
        """Return the connection that serves a model. Raises `ClaudeError`."""
        provider = self.provider(model)
        if not provider.is_cloud:
            return self._direct
        if provider.name not in self._open:
            self._open[provider.name] = Connection(provider, self._open_cloud(provider))
        return self._open[provider.name]

    def direct_host(self) -> str:
        """Return the host of the server that is not a cloud."""
        return urlsplit(str(self._direct.sdk.base_url)).netloc

    async def close(self) -> None:
        """Close all connections."""
        for connection in (self._direct, *self._open.values()):
            await connection.sdk.close()


def connections(
    provider: str | None,
    api_key: str | None,
    base_url: str | None,
    environment: Mapping[str, str],
) -> Connections:
    """Return the connections of an installation.

    Without a provider it is Anthropic, or a compatible server if `base_url` names another host.
    """
    anthropics = base_url is None or is_anthropics(base_url)
    default = provider or ("anthropic" if anthropics else "compatible")
    row = providers()[default if default in DIRECT else DIRECT[not anthropics]]
    if not anthropics:
        # A gateway to Anthropic may not pass on the answers' diagnostics.
        row = replace(row, diagnostics=False)
    direct = Connection(row, connect(api_key, base_url))
    return Connections(default, direct, lambda cloud: _connect_cloud(cloud, environment))


def is_anthropics(base_url: str) -> bool:
    """Tell whether a base URL is Anthropic's own API."""
    host = urlsplit(base_url).hostname or ""
    return host == "anthropic.com" or host.endswith(".anthropic.com")


def connect(api_key: str | None, base_url: str | None) -> anthropic.AsyncAnthropic:
    """Return the SDK's client over aiohttp, which resends nothing by itself.

    A server of one's own needs no key. Without one for Anthropic's, the SDK's other ways of
    finding credentials are left to it. Raises `ClaudeError` if they are there but broken.
    """
    anthropics = base_url is None or is_anthropics(base_url)
    local = _is_on_this_machine(base_url or "")
    try:
        return anthropic.AsyncAnthropic(
            api_key=api_key or (None if anthropics else "none"),
            base_url=base_url,
            default_headers={"Connection": "close"} if local else {},
            **_transport(NO_KEEP_ALIVE if local else KEEP_ALIVE_SECONDS),
        )
    except anthropic.AnthropicError as error:
        raise failure(error, "") from error


def _connect_cloud(provider: Provider, environment: Mapping[str, str]) -> Sdk:
    """Return the SDK's client of a cloud, which reads the cloud's variables by itself."""
    missing = provider.missing(environment)
    if missing:
        raise ClaudeError("authentication", user_message=not_set_up(provider, missing))
    if provider.package and not _is_installed(provider.package):
        raise ClaudeError("authentication", user_message=not_installed(provider))
    try:
        sdk: Sdk = getattr(anthropic, provider.client)(**_transport(KEEP_ALIVE_SECONDS))
    except (anthropic.AnthropicError, ValueError) as error:
        told = not_set_up(provider, (provider.place,))
        raise ClaudeError("authentication", detail=str(error), user_message=told) from error
    return sdk


def _transport(kept: float) -> dict[str, Any]:
    limits = httpx2.Limits(max_connections=1000, keepalive_expiry=kept)
    return {
        "max_retries": 0,
        "timeout": anthropic.Timeout(WARM_SECONDS, connect=CONNECT_SECONDS),
        "http_client": anthropic.DefaultAioHttpClient(limits=limits),
    }


def _is_installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:
        return False


def _is_on_this_machine(base_url: str) -> bool:
    """Return whether each connection to a server is used once.

    A new one costs nothing on this machine, while llama.cpp's server closes the old one after a
    stream although it has promised to keep it, and the next request would meet the closing. We say
    `Connection: close`, and must then send no further request on it, even if the server replies
    (RFC 9112, section 9.6).
    """
    host = urlsplit(base_url).hostname or ""
    return host in ("localhost", "::1") or host.startswith("127.")
