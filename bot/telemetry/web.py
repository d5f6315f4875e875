"""`/state`, `/state/stream` and `/metrics`: the folds of the journal, for pages and scrapers.

All of them want `Authorization: Bearer <FOREWARM_STATE_TOKEN>` and answer 401 without it; they do
not exist if no token is set. A token never stands in a URL: pages read the stream with `fetch`,
which can send the header, not with `EventSource`, which cannot.

**`GET /state`** answers with one JSON object. Times are Unix seconds with a fraction, money is USD,
lengths of time are seconds, tokens are whole numbers.

```
{
  "now": 1800000000.25,               the server's clock, for countdowns
  "prefixes": {                       by prefix key, which stays the same across pushes
    "<key>": {
      "contexts": ["payments"],       names of the contexts that use it now; may be empty
      "model": "claude-sonnet-5-5",
      "tokens": 151629,
      "fingerprint": "9f2c…",         of the very bytes; changes with a push
      "files": 412, "omitted": 3,     packed, and left out
      "repositories": [{"name": "acme/payments", "ref": "main", "commit": "4f2c1a9…",
                        "committed_at": 1799999000.0, "stale_since": null}],
      "state": "cold" | "warming" | "warm",
      "warming_since": null | 1800000000.0,      set while "warming"
      "ttl": null | "5m" | "1h",                 set while "warm"
      "alive_until": null | 1800000300.0,        set while "warm"
      "why": "stay cold: …",                     the newest reason for the state, or ""
      "decision": null | {"at", "action": "nothing" | "warm" | "refresh" | "lapse", "ttl",
                          "reason": "a sentence", "cost_usd", "gain_usd",
                          "next_look_at": null | …},
      "signal": null | {"at", "kind"},           the last hint that concerned it
      "last_request": null | {"at", "purpose", "read", "written", "seconds", "usd",
                              "missed": null | "why", "error": null | "a kind"},
      "last_miss": null | {"at", "reason"}       warmed, and yet not read: in words
    }
  },
  "questions": {                      the newest 50, by id, oldest first
    "<id>": {
      "at": …, "asked_at": null | …,  received; Slack's stamp (null for a modal)
      "ended_at": null | …,
      "context": null | "payments", "prefix": null | "<key>",
      "channel": "C0PAYMENTS", "thread": null | "1800000000.000100",
      "surface": "mention" | "thread" | "dm" | "modal" | "shortcut" | "channel",
      "stage": "received" | "joining" | "asked" | "answering" | "ended",
      "outcome": null | "answered" | "stopped" | "refused" | "failed" | "overloaded" | "expired"
                      | "denied" | "no_context",
      "warm": null | true | false,    known with the first words
      "joined": null | true | false,  it waited for a warm-up, or for another question's write
      "cold": null | "first question in 9 days",   why it did not begin on a warm cache
      "wait": null | {"delivery": null | …, "queue", "join", "prefill", "thinking", "paint",
                      "total"},       the perceived wait and its parts, which add up to "total"
      "slack_wait": null | …,         by Slack's clock alone
      "read": 151629, "written": 311, tokens from and into the cache
      "usd": 0.048
    }
  },
  "money": {"day": "2026-11-22", "usd": 1.25,    today (UTC), of every context
            "answers": …, "warmth": …, "drafts": …, "sorting": …,   adding up to "usd"
            "contexts": {"payments": {"answers": …, "warmth": …}}}  what was spent, by context
}
```

A question is "joining" while its prefix is being warmed and its own request has not left. A warm
prefix turns "cold" at its `alive_until` and the stream says so at that moment.

**`GET /state/stream`** is a stream of server-sent events. First `event: snapshot`, whose data is
the object above. Then `event: change`, at most ten a second: `{"now": …}` and those of "prefixes",
"questions" and "money" that changed. In "prefixes" and "questions" only the changed entries are
given, each whole; null for one that is gone. "money" is given whole. Nothing is resumed: after a
reconnect the first event is a snapshot again. A comment line every 15 s keeps proxies awake.

**`GET /metrics`** is Prometheus's text format, of this replica alone (`bot.telemetry.metrics`).
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
from collections.abc import Awaitable, Callable, Collection
from typing import Any

from aiohttp import hdrs, web

from bot.clock import Now
from bot.telemetry.metrics import Metrics
from bot.telemetry.projections import LiveProjections
from bot.telemetry.state_diff import changes

CHANGES_SECONDS = 0.1
KEEP_AWAKE_SECONDS = 15.0

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class StatePages:
    """The handlers, guarded by one token; `origins` may read them from pages of other sites."""

    def __init__(
        self,
        live: LiveProjections,
        metrics: Metrics,
        *,
        token: str,
        now: Now,
        origins: Collection[str] = (),
    ) -> None:
        if not token:
            raise ValueError("state pages without a token would be open to everybody")
        self._live = live
        self._metrics = metrics
        self._token = token.encode()
        self._now = now
        self._origins = frozenset(origins)
        self._closed = False

    def add_to(self, application: web.Application) -> None:
        """Add the pages; their streams end when the application shuts down.

        The server waits for open requests once it has begun to shut down, and a stream has no end
        of its own.
        """
        application.add_routes(self._routes())
        application.on_shutdown.append(self._end_streams)

    def _routes(self) -> list[web.RouteDef]:
        pages: dict[str, Handler] = {
            "/state": self.state,
            "/state/stream": self.stream,
            "/metrics": self.metrics,
        }
        guarded = [web.get(path, self._guarded(page)) for path, page in pages.items()]
        preflights = [web.options(path, self._preflight) for path in pages]
        return [*guarded, *preflights]

    async def state(self, request: web.Request) -> web.StreamResponse:
        return web.Response(text=_json(self._document()), content_type="application/json")

    async def metrics(self, request: web.Request) -> web.StreamResponse:
        text = self._metrics.text(self._now())
        return web.Response(body=text, headers={hdrs.CONTENT_TYPE: Metrics.CONTENT_TYPE})

    async def stream(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(
            headers={
                hdrs.CONTENT_TYPE: "text/event-stream",
                hdrs.CACHE_CONTROL: "no-store",
                # nginx would hold events back until its buffer is full.
                "X-Accel-Buffering": "no",
                **self._allowed(request),
            }
        )
        await response.prepare(request)
        # A reader who closes the page ends its stream.
        with contextlib.suppress(ConnectionError):
            await self._tell(response)
        return response

    async def _end_streams(self, application: web.Application) -> None:
        self._closed = True
        self._live.wake()

    async def _tell(self, response: web.StreamResponse) -> None:
        with self._live.tap() as changed:
            told = self._document()
            await response.write(_event("snapshot", told))
            while not self._closed:
                if not await self._wait_for_change(changed):
                    await response.write(b": awake\n\n")
                changed.clear()
                new = self._document()
                difference = changes({**told, "now": new["now"]}, new)
                if difference:
                    await response.write(_event("change", {"now": new["now"], **difference}))
                    told = new
                    await asyncio.sleep(CHANGES_SECONDS)

    async def _wait_for_change(self, changed: asyncio.Event) -> bool:
        """Wait for a record, for a life to run out, or until a sign of life is due (False)."""
        now = self._now()
        lapse = self._live.state.next_change(now)
        due = KEEP_AWAKE_SECONDS if lapse is None else min(KEEP_AWAKE_SECONDS, lapse - now)
        try:
            await asyncio.wait_for(changed.wait(), due)
        except TimeoutError:
            return due < KEEP_AWAKE_SECONDS
        return True

    def _document(self) -> dict[str, Any]:
        now = self._now()
        return {"now": now, **self._live.state.view(now)}

    def _guarded(self, page: Handler) -> Handler:
        async def guarded(request: web.Request) -> web.StreamResponse:
            if not self._may(request):
                raise web.HTTPUnauthorized(
                    text="Send the state token: Authorization: Bearer …",
                    headers={hdrs.WWW_AUTHENTICATE: "Bearer", **self._allowed(request)},
                )
            response = await page(request)
            if not response.prepared:
                response.headers.update(self._allowed(request))
                response.headers[hdrs.CACHE_CONTROL] = "no-store"
            return response

        return guarded

    async def _preflight(self, request: web.Request) -> web.StreamResponse:
        return web.Response(
            status=204,
            headers={
                **self._allowed(request),
                hdrs.ACCESS_CONTROL_ALLOW_HEADERS: "Authorization",
                hdrs.ACCESS_CONTROL_ALLOW_METHODS: "GET",
                hdrs.ACCESS_CONTROL_MAX_AGE: "600",
            },
        )

    def _may(self, request: web.Request) -> bool:
        scheme, _, given = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(
            given.strip().encode("utf-8", "replace"), self._token
        )

    def _allowed(self, request: web.Request) -> dict[str, str]:
        origin = request.headers.get(hdrs.ORIGIN)
        if origin is None or origin not in self._origins:
            return {}
        return {hdrs.ACCESS_CONTROL_ALLOW_ORIGIN: origin, hdrs.VARY: hdrs.ORIGIN}


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _event(name: str, value: object) -> bytes:
    # JSON without line breaks is one data line.
    return f"event: {name}\ndata: {_json(value)}\n\n".encode()
