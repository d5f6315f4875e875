"""Installation tokens of a GitHub App: one per repository, for reading its code only.

A token lives for an hour. The App signs a JWT with its private key, finds its installation on the
repository, and asks for a token that may read the contents of that repository and nothing else.
Sources: https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app,
https://docs.github.com/en/rest/apps/apps.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote

import aiohttp
from yarl import URL

from bot.clock import Now
from bot.context.errors import TokenError
from bot.context.git.credentials import Credential
from bot.context.git.network import proxy_for
from bot.context.git.urls import RepositoryUrl

REFRESH_SECONDS = 900.0
"""A token with less life than this is replaced before a fetch: a fetch may take as long."""
_JWT_SECONDS = 540
_JWT_BEFORE = 60
_CLOCK_SECONDS = 50.0
"""GitHub refuses a JWT that was issued in its future, or that lives for more than ten minutes."""
_TIMEOUT = aiohttp.ClientTimeout(total=30)
_USER = "x-access-token"


@dataclass(frozen=True, slots=True)
class _Reply:
    status: int
    body: Mapping[str, Any]
    clock_offset: float
    """Seconds by which this machine's clock is ahead of the host's."""

    @property
    def message(self) -> str:
        text = str(self.body.get("message") or "no reason given")
        return "".join(char for char in text if char.isprintable())[:200].rstrip(".")


class GitHubApp:
    """A GitHub App on one host. `read_key` returns its private key in PEM; `host` has a port if it
    is not 443."""

    def __init__(self, app_id: str, read_key: Callable[[], str], host: str, now: Now) -> None:
        self.app_id = app_id
        self.host = host.lower()
        self._read_key = read_key
        self._now = now
        self._authorities: ssl.SSLContext | None = None
        self._issued: dict[str, tuple[str, float]] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def serves(self, url: RepositoryUrl) -> bool:
        return url.scheme == "https" and url.server == self.host

    async def credential(self, url: RepositoryUrl, repository: str) -> Credential:
        """Return a token for one repository; no password if the App is not installed on it.

        Raises:
            TokenError: GitHub refuses the App, or cannot be asked.
        """
        async with self._locks[url.identity]:
            token, expires_at = self._issued.get(url.identity, ("", 0.0))
            if self._now() + REFRESH_SECONDS >= expires_at:
                token, expires_at = await self._issue(url, repository)
                self._issued[url.identity] = token, expires_at
        if not token:
            return Credential(
                f"the GitHub App {self.app_id} is not installed on {url.path}: install it on the"
                " App's page under Install App, or correct `url` if the address is wrong"
            )
        refusal = (
            f"the GitHub App {self.app_id} may not read it: give the App the permission Contents:"
            " Read-only"
        )
        return Credential(refusal, _USER, token, renewable=True)

    def forget(self, url: RepositoryUrl) -> None:
        self._issued.pop(url.identity, None)

    async def check(self) -> str:
        """Return the App's name.

        Raises:
            TokenError: GitHub refuses the App or cannot be asked, or the App may not read code.
        """
        reply = await self._ask("GET", "/app", "its repositories")
        if reply.status != 200:
            raise self._refusal(reply, "its repositories")
        permissions = reply.body.get("permissions")
        if not (isinstance(permissions, dict) and permissions.get("contents")):
            raise self._without_permission("its repositories")
        return str(reply.body.get("name"))

    async def _issue(self, url: RepositoryUrl, repository: str) -> tuple[str, float]:
        """Return a new token and its end in Unix seconds; ("", 0) without an installation."""
        # A path may hold `?` and `#`, which would cut the address short.
        reply = await self._ask("GET", f"/repos/{quote(url.path)}/installation", repository)
        if reply.status == 404 and reply.message == "Not Found":
            return "", 0.0
        if reply.status != 200:
            raise self._refusal(reply, repository)
        number = reply.body.get("id")
        if not isinstance(number, int):
            raise self._refusal(reply, repository)
        wanted = {"repositories": [url.name], "permissions": {"contents": "read"}}
        path = f"/app/installations/{number}/access_tokens"
        reply = await self._ask("POST", path, repository, wanted)
        if reply.status == 422:
            raise self._without_permission(repository)
        if reply.status != 201:
            raise self._refusal(reply, repository)
        token = reply.body.get("token")
        try:
            expires_at = datetime.fromisoformat(str(reply.body.get("expires_at"))).timestamp()
        except ValueError:
            raise self._refusal(reply, repository) from None
        if not isinstance(token, str):
            raise self._refusal(reply, repository)
        return token, expires_at

    async def _ask(self, method: str, path: str, repository: str, body: object = None) -> _Reply:
        headers = {
            # Signing imports a library of C, and reads a file.
            "Authorization": f"Bearer {await asyncio.to_thread(self._signed, repository)}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
            "User-Agent": "forewarm",
        }
        try:
            if self._authorities is None:
                self._authorities = await asyncio.to_thread(
                    ssl.create_default_context,
                    cafile=os.environ.get("GIT_SSL_CAINFO"),
                    capath=os.environ.get("GIT_SSL_CAPATH"),
                )
            async with (
                # With `trust_env` the user's .netrc would be read too.
                aiohttp.ClientSession(timeout=_TIMEOUT) as session,
                session.request(
                    method,
                    address := URL(api_address(self.host) + path, encoded=True),
                    proxy=proxy_for(address.host or "", os.environ),
                    json=body,
                    headers=headers,
                    ssl=self._authorities,
                    allow_redirects=False,
                ) as answer,
            ):
                found = await answer.json(content_type=None)
                offset = self._clock_offset(answer.headers.get("Date", ""))
                return _Reply(answer.status, found if isinstance(found, dict) else {}, offset)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise self._error(
                repository,
                f"its API does not answer ({type(error).__name__})",
                "check GITHUB_APP_HOST, GIT_SSL_CAINFO and the network",
            ) from None

    def _signed(self, repository: str) -> str:
        """Return the App's JWT."""
        try:
            import jwt
        except ImportError:
            raise self._error(
                repository,
                "PyJWT is not installed here",
                "run `pip install 'forewarm-bot[github-app]'`",
            ) from None
        issued_at = int(self._now()) - _JWT_BEFORE
        claims = {"iat": issued_at, "exp": issued_at + _JWT_SECONDS, "iss": self.app_id}
        try:
            return jwt.encode(claims, self._read_key(), algorithm="RS256")
        except OSError as error:
            why = f"GITHUB_APP_PRIVATE_KEY_FILE cannot be read ({error.strerror})"
            raise self._error(repository, why, "correct the path or its rights") from None
        except (jwt.PyJWTError, ValueError, TypeError):
            raise self._error(
                repository,
                "its private key is no RSA key in PEM",
                "generate one on the App's page and set GITHUB_APP_PRIVATE_KEY or"
                " GITHUB_APP_PRIVATE_KEY_FILE to the whole file",
            ) from None

    def _clock_offset(self, date: str) -> float:
        try:
            return self._now() - parsedate_to_datetime(date).timestamp()
        except (ValueError, TypeError):
            return 0.0

    def _refusal(self, reply: _Reply, repository: str) -> TokenError:
        """Return the error for a reply that is no success."""
        why = f"it answers {reply.status} ({reply.message})"
        if reply.status == 401 and abs(reply.clock_offset) > _CLOCK_SECONDS:
            side = "ahead of" if reply.clock_offset > 0 else "behind"
            why = f"this machine's clock is {abs(reply.clock_offset):.0f} s {side} {self.host}'s"
            return self._error(repository, why, "set the clock, best by NTP")
        if reply.status == 401:
            return self._error(
                repository,
                "the private key does not belong to it",
                f"generate a key on the page of the App {self.app_id} and set"
                " GITHUB_APP_PRIVATE_KEY or GITHUB_APP_PRIVATE_KEY_FILE to it",
            )
        if 300 <= reply.status < 400:
            return self._error(repository, "it was renamed or moved", "correct its `url`")
        if reply.status == 404:
            fix = "set GITHUB_APP_ID to the App ID or the client ID of the App's page"
            return self._error(repository, f"{self.host} knows no such App", fix)
        if "suspended" in reply.message:
            return self._error(
                repository,
                "its installation is suspended",
                "let the owner of the repository unsuspend it under Installed GitHub Apps",
            )
        return self._error(repository, why, "try again later, or check GITHUB_APP_HOST")

    def _without_permission(self, repository: str) -> TokenError:
        return self._error(
            repository,
            "it may not read code",
            "give it the permission Contents: Read-only on its page, and accept that permission"
            " in its installation",
        )

    def _error(self, repository: str, why: str, fix: str) -> TokenError:
        issuer = f"GitHub App {self.app_id} on {self.host}"
        return TokenError(repository, issuer, why, fix)


def api_address(host: str) -> str:
    """Return the address of a GitHub host's REST API.

    Source: https://docs.github.com/en/enterprise-server/rest/enterprise-admin
    """
    if host == "github.com" or host.endswith(".ghe.com"):
        return f"https://api.{host}"
    return f"https://{host}/api/v3"
