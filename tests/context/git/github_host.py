"""A GitHub Enterprise host on this machine: git over https, and the API of GitHub Apps.

It serves the repositories of a folder as `git http-backend` does. It issues tokens to an App that
signs its requests, and the tests decide how long a token lives and whether the App is installed.
"""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import formatdate
from pathlib import Path
from typing import Any

import jwt
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.types import Options

from tests.slack import githost

APP_ID = "123456"
TOKEN_SECONDS = 3600


def private_key() -> tuple[str, str]:
    """Return a new RSA key: the private and the public part, in PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return private.decode(), public.decode()


@dataclass
class GitHubHost:
    """The state of the host. `lives` are the git requests that the next tokens serve."""

    root: Path
    public_key: str
    app_id: str = APP_ID
    installed: set[str] = field(default_factory=set)
    open_to_all: set[str] = field(default_factory=set)
    permissions: dict[str, str] = field(default_factory=lambda: {"contents": "read"})
    suspended: bool = False
    renamed: bool = False
    ahead: float = 0.0
    """Seconds by which the host's clock is ahead of this machine's."""
    lives: list[int] = field(default_factory=list)
    tokens: dict[str, int] = field(default_factory=dict)
    """The tokens that were issued, and the git requests that each still serves."""
    asked: list[Any] = field(default_factory=list)
    """The repositories that each token was asked for."""
    git_users: list[str] = field(default_factory=list)
    """The user and token of each git request, "" if there was none."""

    @asynccontextmanager
    async def serve(self, certificate: Path) -> AsyncIterator[str]:
        """Yield the host with its port."""
        async with githost.serving_tls(self._answer, certificate) as host:
            yield host

    def _now(self) -> float:
        return time.time() + self.ahead

    async def _answer(self, request: web.Request) -> web.Response:
        if request.path.startswith("/api/v3/"):
            answer = await self._api(request, request.path.removeprefix("/api/v3"))
        else:
            answer = await self._git(request)
        answer.headers["Date"] = formatdate(self._now(), usegmt=True)
        return answer

    async def _git(self, request: web.Request) -> web.Response:
        name = "/".join(request.path.split("/")[1:3]).removesuffix(".git")
        given = request.headers.get("Authorization", "").removeprefix("Basic ")
        try:
            known = base64.b64decode(given).decode()
        except (binascii.Error, UnicodeDecodeError):
            known = ""
        self.git_users.append(known)
        user, _, token = known.partition(":")
        left = self.tokens.get(token, 0) if user == "x-access-token" else 0
        if name not in self.open_to_all and left <= 0:
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="GitHub"'})
        if token in self.tokens:
            self.tokens[token] -= 1
        return await githost.answer(self.root, request)

    async def _api(self, request: web.Request, path: str) -> web.Response:
        if (problem := self._signature_problem(request)) is not None:
            return problem
        if path == "/app":
            return web.json_response({"name": "Reader", "permissions": self.permissions})
        if path.endswith("/installation"):
            if self.renamed:
                return _message(301, "Moved Permanently")
            name = path.removeprefix("/repos/").removesuffix("/installation")
            found = name in self.installed
            return web.json_response({"id": 77}) if found else _message(404, "Not Found")
        if self.suspended:
            return _message(403, "This installation has been suspended")
        wanted = await request.json()
        self.asked.append(wanted)
        if not wanted["permissions"].items() <= self.permissions.items():
            return _message(422, "The permissions requested are not granted to this installation.")
        token = f"ghs_{len(self.tokens):036d}"
        self.tokens[token] = self.lives.pop(0) if self.lives else 1_000
        ends = datetime.fromtimestamp(self._now() + TOKEN_SECONDS, UTC)
        body = {"token": token, "expires_at": ends.strftime("%Y-%m-%dT%H:%M:%SZ")}
        return web.json_response(body, status=201)

    def _signature_problem(self, request: web.Request) -> web.Response | None:
        """Refuse a JWT in GitHub's order and words."""
        given = request.headers["Authorization"].removeprefix("Bearer ")
        unchecked: Options = {"verify_exp": False, "verify_iat": False}
        try:
            claims = jwt.decode(given, self.public_key, ["RS256"], options=unchecked)
        except jwt.PyJWTError:
            return _message(401, "A JSON web token could not be decoded")
        if claims["iss"] != self.app_id:
            return _message(404, "Integration not found")
        now = self._now()
        if claims["iat"] > now:
            return _message(401, "'Issued at' claim ('iat') must be an Integer")
        if not now < claims["exp"] <= now + 600:
            return _message(401, "'Expiration time' claim ('exp') must be a numeric value")
        return None


def _message(status: int, text: str) -> web.Response:
    return web.json_response({"message": text, "status": str(status)}, status=status)
