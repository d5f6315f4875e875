"""The control interface under `/_control/`: scripted and inspected from any language."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict, fields, replace
from typing import TYPE_CHECKING, Any, Protocol

from aiohttp import web

from forewarm_playground.claude.cache.ledger import Charge
from forewarm_playground.claude.cache.prefix_cache import Entry
from forewarm_playground.claude.clocks import ManualClock
from forewarm_playground.claude.config import limits_from
from forewarm_playground.claude.errors import ApiError, ConfigurationError
from forewarm_playground.claude.http.replies import json_response, parse_json, read_body
from forewarm_playground.claude.responses.answers import Answer, Rule
from forewarm_playground.claude.responses.faults import Fault
from forewarm_playground.claude.responses.matching import Match

if TYPE_CHECKING:
    from forewarm_playground.claude.local import LocalClaude

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Door(Protocol):
    """The listening socket."""

    async def refuse(self, seconds: float | None) -> None: ...


class Control:
    """Routes for tests. They read and set; none of them is part of the real API."""

    def __init__(self, claude: LocalClaude, door: Door) -> None:
        self._claude = claude
        self._door = door

    def add_routes(self, app: web.Application) -> None:
        """Add all routes to an application."""
        posts: dict[str, Callable[[Any], Awaitable[Any]]] = {
            "script": self._script,
            "rules": self._rules,
            "latency": self._latency,
            "limits": self._limits,
            "chaos": self._chaos,
            "faults": self._faults,
            "evict": self._evict,
            "reset": self._reset,
            "clock": self._advance,
            "refuse": self._refuse,
        }
        gets: dict[str, Callable[[], Any]] = {
            "ledger": self._ledger,
            "cache": lambda: [_entry(one) for one in self._claude.cached],
            "faults": lambda: [fault.kind for fault in self._claude.faults],
            "latency": lambda: asdict(self._claude.latency),
            "clock": self._clock,
        }
        index = {"GET": sorted([*gets, "requests"]), "POST": sorted(posts)}
        app.router.add_get("/_control/requests", self._requests)
        app.router.add_get("/_control/", _showing(lambda: index))
        for name, change in posts.items():
            app.router.add_post(f"/_control/{name}", self._changing(change))
        for name, show in gets.items():
            app.router.add_get(f"/_control/{name}", _showing(show))

    def _changing(self, change: Callable[[Any], Awaitable[Any]]) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            try:
                limit = self._claude.core.config.body_limit
                raw = await read_body(request, limit) if request.can_read_body else b"{}"
                body = parse_json(raw)
                return json_response(await change(body) or {"ok": True})
            except (ApiError, ConfigurationError) as error:
                return _refused(error.user_message)
            except (KeyError, TypeError, AttributeError) as error:
                return _refused(f"This order has another shape: {error!r}.")

        return handle

    async def _script(self, body: Any) -> None:
        for reply in body["answers"]:
            Answer.of(reply)
        self._claude.script(*body["answers"])

    async def _rules(self, body: Any) -> None:
        for one in body["rules"]:
            Answer.of(one["reply"])
        rules = [Rule(Match.of(one.get("match")), one["reply"]) for one in body["rules"]]
        self._claude.core.answers.rules.extend(rules)

    async def _latency(self, body: Any) -> None:
        self._claude.latency = _changed(self._claude.latency, body, "latency")

    async def _limits(self, body: Any) -> None:
        self._claude.core.set_limits(limits_from(body["limits"]))

    async def _chaos(self, body: Any) -> None:
        self._claude.core.chaos = _changed(self._claude.core.chaos, body, "chaos")

    async def _faults(self, body: Any) -> None:
        for fault in [Fault.from_json(one) for one in body["faults"]]:
            self._claude.faults.add(fault)

    async def _evict(self, body: Any) -> dict[str, Any]:
        tier, workspace = body.get("tier"), body.get("workspace")
        count = self._claude.evict(
            lambda entry: tier in (None, entry.tier) and workspace in (None, entry.scope.workspace)
        )
        return {"evicted": count}

    async def _reset(self, body: Any) -> None:
        self._claude.reset()

    async def _refuse(self, body: Any) -> None:
        await self._door.refuse(_seconds(body, "seconds"))

    async def _advance(self, body: Any) -> dict[str, Any]:
        clock = self._claude.clock
        if not isinstance(clock, ManualClock):
            raise ConfigurationError("clock", "this server lives by real time")
        await clock.advance(_seconds(body, "advance"))
        return self._clock()

    def _clock(self) -> dict[str, Any]:
        kind = "virtual" if isinstance(self._claude.clock, ManualClock) else "loop"
        return {"now": self._claude.clock.now(), "kind": kind}

    async def _requests(self, request: web.Request) -> web.Response:
        bodies = request.query.get("bodies") == "1"
        return json_response([one.wire(body=bodies) for one in self._claude.requests])

    def _ledger(self) -> dict[str, Any]:
        ledger = self._claude.ledger
        return {
            "usd": ledger.usd,
            "usage": asdict(ledger.usage),
            "charges": [_charge(one) for one in ledger],
        }


def _seconds(body: Any, key: str) -> float:
    try:
        return float(body[key])
    except (KeyError, TypeError, ValueError):
        raise ConfigurationError(key, "a number of seconds is expected") from None


def _refused(problem: str) -> web.Response:
    return json_response({"ok": False, "error": problem}, status=400)


def _showing(show: Callable[[], Any]) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        return json_response(show())

    return handle


def _changed(settings: Any, body: Any, where: str) -> Any:
    unknown = sorted(set(body) - {one.name for one in fields(settings)})
    if unknown:
        raise ConfigurationError(where, f"unknown key {unknown[0]!r}")
    return replace(settings, **body)


def _charge(charge: Charge) -> dict[str, Any]:
    return {
        "at": charge.at,
        "request_id": charge.request_id,
        "message_id": charge.message_id,
        "workspace": charge.workspace,
        "model": charge.model.id,
        "usage": asdict(charge.usage),
        "usd": charge.usd,
        "outcome": charge.outcome,
    }


def _entry(entry: Entry) -> dict[str, Any]:
    return {
        "prefix": entry.digest.hex(),
        "scope": asdict(entry.scope),
        "tier": entry.tier,
        "tokens": entry.tokens,
        "ttl": entry.ttl,
        "written_by": entry.written_by,
        "visible_at": entry.visible_at,
        "expires_at": entry.expires_at,
        "reads": entry.reads,
    }
