"""HTTP replies of the local Claude: JSON, errors, headers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from forewarm_playground.claude.core import Call
from forewarm_playground.claude.errors import ApiError, invalid, too_large


async def read_json(request: web.Request, limit: int) -> Any:
    """Return the request's JSON; raise `ApiError` if it is too large or no JSON."""
    if (request.content_length or 0) > limit:
        raise too_large(limit)
    raw = await request.read()
    if len(raw) > limit:
        raise too_large(limit)
    try:
        return json.loads(raw)
    except ValueError as error:
        raise invalid(f"The request body is not valid JSON: {error}") from None


def call_of(request: web.Request, body: Any) -> Call:
    """Return the request as the core takes it. A key comes as a bearer token or as `x-api-key`."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    scheme, _, token = headers.pop("authorization", "").partition(" ")
    key = token if scheme.lower() == "bearer" else None
    key = headers.pop("x-api-key", None) or key
    betas = [one.strip() for one in headers.get("anthropic-beta", "").split(",") if one.strip()]
    version = headers.get("anthropic-version")
    return Call(body=body, key=key, version=version, betas=betas, headers=headers)


def json_response(
    data: Any, headers: Mapping[str, str] | None = None, status: int = 200
) -> web.Response:
    """Return a JSON reply."""
    text = json.dumps(data, ensure_ascii=False)
    return web.Response(text=text, status=status, headers=headers, content_type="application/json")


def error_response(error: ApiError, request_id: str, headers: Mapping[str, str]) -> web.Response:
    """Return an error reply with its request id, in the header and in the body."""
    all_headers = {**headers, "request-id": request_id, **error.headers}
    if error.retry_after is not None:
        all_headers["retry-after"] = f"{error.retry_after:g}"
    return json_response(error.body(request_id), all_headers, error.status)
