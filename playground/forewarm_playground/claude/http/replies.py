"""HTTP replies of the local Claude: JSON, errors, headers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from forewarm_playground.claude.errors import ApiError, invalid, too_large
from forewarm_playground.claude.providers.doors import Arrived


async def read_body(request: web.Request, limit: int) -> bytes:
    """Return the request's body; raise `ApiError` if it is too large."""
    if (request.content_length or 0) > limit:
        raise too_large(limit)
    raw = await request.read()
    if len(raw) > limit:
        raise too_large(limit)
    return raw


def parse_json(raw: bytes) -> Any:
    """Return the JSON of a body; raise `ApiError` if it is none."""
    try:
        return json.loads(raw)
    except ValueError as error:
        raise invalid(f"The request body is not valid JSON: {error}") from None


def arrived(request: web.Request, raw: bytes) -> Arrived:
    """Return a request as a provider's door takes it."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    return Arrived(request.method, request.raw_path, headers, raw, request.match_info)


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
