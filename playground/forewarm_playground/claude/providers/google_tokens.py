"""Google's token endpoint: exchanges a service account's signed claim for an access token.

Source: https://developers.google.com/identity/protocols/oauth2/service-account. The signature of
the claim is not checked, since the service account is made up. Its times are.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from aiohttp import web

from forewarm_playground.claude.providers.accounts import Accounts
from forewarm_playground.claude.providers.sigv4 import TOLERANCE


class GoogleTokens:
    """Grants the first of the accounts' bearer tokens. An expired account gets none."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    async def grant(self, request: web.Request) -> web.Response:
        """Answer `POST /google/token`."""
        form = await request.post()
        claim = _claim(str(form.get("assertion", "")))
        if claim.get("iss") in self._accounts.expired:
            return _refusal("Token has been expired or revoked.")
        if abs(float(claim.get("iat", 0)) - self._accounts.now()) > TOLERANCE:
            return _refusal(
                "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable"
                " timeframe. Check your iat and exp values in the JWT claim."
            )
        token = min(self._accounts.bearers)
        return web.json_response(
            {"access_token": token, "expires_in": 3599, "token_type": "Bearer"}
        )


def _claim(assertion: str) -> dict[str, Any]:
    try:
        part = assertion.split(".")[1]
        claim = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (IndexError, ValueError):
        return {}
    return claim if isinstance(claim, dict) else {}


def _refusal(description: str) -> web.Response:
    body = {"error": "invalid_grant", "error_description": description}
    return web.json_response(body, status=400)
