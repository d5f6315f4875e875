"""`GET /v1/models` (docs/platform/claude.md#models)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import web
from aiohttp.typedefs import Handler

from forewarm_playground.claude.errors import ApiError, invalid, unknown_model
from forewarm_playground.claude.http.replies import arrived, json_response
from forewarm_playground.claude.models import EFFORTS, Model
from forewarm_playground.claude.providers.doors import Door

if TYPE_CHECKING:
    from forewarm_playground.claude.local import LocalClaude

DEFAULT_LIMIT, MAXIMUM_LIMIT = 20, 1_000


class Catalogue:
    """Lists the models with what they can do."""

    def __init__(self, claude: LocalClaude) -> None:
        self._claude = claude

    def add_routes(self, app: web.Application, base: str, way: Door) -> None:
        """Answer `GET /v1/models` and `GET /v1/models/{id}` below a provider's base.

        The list is newest first, with retired ones only if they are asked for. A model is found by
        id or alias.
        """
        app.router.add_get(f"{base}/v1/models", self._handler(way, self._page))
        app.router.add_get(f"{base}/v1/models/{{id}}", self._handler(way, self._one))

    def _handler(self, way: Door, answer: Any) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            core = self._claude.core
            request_id = core.new_id("req")
            try:
                identity = core.identify(way.call(arrived(request, b""), None, core.config))
                headers = core.headers(identity, self._claude.clock.now())
                return json_response(answer(request), {**headers, "request-id": request_id})
            except ApiError as error:
                return way.error(error, request_id, {})

        return handle

    def _one(self, request: web.Request) -> dict[str, Any]:
        name = request.match_info["id"]
        model = self._claude.core.config.models.find(name)
        if model is None:
            raise unknown_model(name)
        return describe(model)

    def _page(self, request: web.Request) -> dict[str, Any]:
        stages = request.query.getall("lifecycle[]", request.query.getall("lifecycle", []))
        wanted = stages or ["active", "deprecated"]
        models = [one for one in self._claude.core.config.models if one.lifecycle in wanted]
        return page(
            models,
            request.query.get("after_id"),
            request.query.get("before_id"),
            _limit(request.query.get("limit")),
        )


def _limit(value: str | None) -> int:
    if value is None:
        return DEFAULT_LIMIT
    limit = int(value) if value.isdigit() else 0
    if not 1 <= limit <= MAXIMUM_LIMIT:
        raise invalid(f"limit: Input should be between 1 and {MAXIMUM_LIMIT}")
    return limit


def page(models: list[Model], after: str | None, before: str | None, limit: int) -> dict[str, Any]:
    """Return a page of models behind `after`, or the one that ends before `before`."""
    ids = [model.id for model in models]
    if before in ids:
        end = ids.index(before)
        start = max(0, end - limit)
        more = start > 0
    else:
        start = ids.index(after) + 1 if after in ids else 0
        end = start + limit
        more = end < len(models)
    shown = models[start:end]
    return {
        "data": [describe(model) for model in shown],
        "has_more": more,
        "first_id": shown[0].id if shown else None,
        "last_id": shown[-1].id if shown else None,
    }


def describe(model: Model) -> dict[str, Any]:
    """Return a model as the API describes it."""
    retires = model.retires.isoformat() if model.retires else None
    return {
        "type": "model",
        "id": model.id,
        "display_name": model.display_name,
        "created_at": model.created.isoformat(),
        "deprecated_at": None,
        "retires_at": retires,
        "lifecycle": model.lifecycle,
        "line": model.line,
        "max_input_tokens": model.context,
        "max_tokens": model.max_output,
        "capabilities": _capabilities(model),
    }


def _capabilities(model: Model) -> dict[str, Any]:
    return {
        "batch": _is(False),
        "citations": _is(True),
        "code_execution": _is(False),
        "context_management": _is(False),
        "effort": {
            **_is(bool(model.efforts)),
            **{level: _is(level in model.efforts) for level in EFFORTS},
        },
        "image_input": _is(True),
        "pdf_input": _is(True),
        "server_tools": {**_is(False), "code_execution": _is(False), "web_search": _is(False)},
        "structured_outputs": _is(True),
        "thinking": {
            **_is(model.thinking != ("disabled",)),
            "types": {
                kind: _is(kind in model.thinking)
                for kind in ("adaptive", "between_tools", "disabled", "enabled")
            },
        },
    }


def _is(supported: bool) -> dict[str, Any]:
    return {"supported": supported}
