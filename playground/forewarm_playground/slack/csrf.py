"""Keeps other web sites away from the interfaces that carry no token."""

from __future__ import annotations

from urllib.parse import urlsplit

from aiohttp import web

from forewarm_playground.slack.errors import SlackError
from forewarm_playground.slack.ids import Json

_LOCAL = ("localhost", "127.0.0.1", "::1")


def check_origin(request: web.Request) -> None:
    """Refuse a request that a page of another site makes a browser send.

    A browser names the page's origin; a name that only pretends to be this machine (DNS
    rebinding) shows in `Host`, which must be local if the address is.

    Raises:
        web.HTTPForbidden: the request comes from elsewhere.
    """
    host = request.host
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc != host:
        raise web.HTTPForbidden(text="another origin")
    bound = request.transport.get_extra_info("sockname") if request.transport else None
    local = bound is not None and bound[0] in _LOCAL
    if local and urlsplit(f"//{host}").hostname not in _LOCAL:
        raise web.HTTPForbidden(text="another host")


async def json_body(request: web.Request) -> Json:
    """Return a request's JSON object; a form, which any site may send, is refused.

    Raises:
        web.HTTPUnsupportedMediaType: the content type is not JSON.
    """
    if not request.can_read_body:
        return {}
    if request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType(text="send application/json")
    try:
        body = await request.json()
    except ValueError:
        raise SlackError("invalid_json") from None
    if not isinstance(body, dict):
        raise SlackError("json_not_object")
    return body


def refused(refusal: SlackError) -> web.Response:
    """Return a refusal as HTTP: 404 for what is not there, else 409."""
    missing = refusal.code.endswith("_not_found")
    return web.json_response(refusal.body(), status=404 if missing else 409)
