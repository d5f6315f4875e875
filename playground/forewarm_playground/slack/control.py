"""The control interface under `/_control/`: actions, state, faults and the clock."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, get_args

from aiohttp import web
from pydantic import ValidationError

from forewarm_playground.errors import PlaygroundError
from forewarm_playground.slack.config import ChannelConfig, UserConfig
from forewarm_playground.slack.csrf import check_origin, json_body, refused
from forewarm_playground.slack.delivery.types import DeliveryKind
from forewarm_playground.slack.errors import SlackError
from forewarm_playground.slack.faults import API_FAULTS, Fault
from forewarm_playground.slack.ids import Json
from forewarm_playground.slack.installation import revoke
from forewarm_playground.slack.json_shapes import message_shape
from forewarm_playground.slack.log import entry_shape
from forewarm_playground.slack.people import client_view
from forewarm_playground.slack.person_commands import ACTS, perform
from forewarm_playground.slack.timers import MovableClock

if TYPE_CHECKING:
    from forewarm_playground.slack.local import LocalSlack

Handler = Callable[[web.Request], Awaitable[Json]]

_FAULT_FIELDS = ("times", "skip", "match", "retry_after", "seconds", "status", "code", "copies")


def add_control(app: web.Application, slack: LocalSlack) -> None:
    """Add the control interface (docs/playground.md) to an application."""
    control = _Control(slack)
    routes: tuple[tuple[str, str, Handler], ...] = (
        ("GET", "/_control/", control.index),
        ("POST", "/_control/act", control.act),
        ("GET", "/_control/transcript", control.transcript),
        ("GET", "/_control/state", control.state),
        ("GET", "/_control/log", control.log),
        ("DELETE", "/_control/log", control.clear_log),
        ("GET", "/_control/detector", control.detector),
        ("GET", "/_control/faults", control.faults),
        ("POST", "/_control/faults", control.add_fault),
        ("DELETE", "/_control/faults", control.clear_faults),
        ("POST", "/_control/faults/{ident}/release", control.release),
        ("GET", "/_control/clock", control.clock),
        ("POST", "/_control/clock", control.advance),
        ("POST", "/_control/sockets", control.sockets),
        ("POST", "/_control/app", control.app),
        ("POST", "/_control/wait", control.wait),
        ("POST", "/_control/users", control.add_user),
        ("POST", "/_control/channels", control.add_channel),
        ("POST", "/_control/uninstall", control.uninstall),
        ("POST", "/_control/deliver", control.deliver),
        ("POST", "/_control/slackbot", control.system_message),
    )
    for method, path, handler in routes:
        app.router.add_route(method, path, _wrapped(handler))


def _wrapped(handler: Handler) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(request: web.Request) -> web.Response:
        check_origin(request)
        try:
            return web.json_response(await handler(request))
        except SlackError as refusal:
            return refused(refusal)
        except PlaygroundError as error:
            body = {"ok": False, "error": type(error).__name__, "message": error.user_message}
            return web.json_response(body, status=409)
        except (ValidationError, TypeError, ValueError) as error:
            body = {"ok": False, "error": "invalid_arguments", "message": str(error)}
            return web.json_response(body, status=400)

    return answer


class _Control:
    def __init__(self, slack: LocalSlack) -> None:
        self._slack = slack
        self._faults: list[Fault] = []

    async def index(self, request: web.Request) -> Json:
        slack = self._slack
        return {
            "slack": repr(slack),
            "api_url": slack.api_url,
            "transport": slack.dispatcher.transport.name if slack.dispatcher.transport else "",
            "sockets": len(slack.sockets.sockets),
            "acts": sorted(ACTS),
        }

    async def act(self, request: web.Request) -> Json:
        order = await json_body(request)
        user = str(order.pop("user", ""))
        return {"ok": True, **await perform(self._slack, user, order)}

    async def deliver(self, request: web.Request) -> Json:
        """Deliver any payload, also of a type that this emulator does not know."""
        order = await json_body(request)
        kind, payload = order.get("kind"), order.get("payload")
        known = next((one for one in get_args(DeliveryKind) if one == kind), None)
        if known is None or not isinstance(payload, dict):
            raise SlackError("invalid_arguments")
        outcome = await self._slack.deliver(known, payload)
        return {"ok": True, "outcome": outcome.kind, "reason": outcome.reason}

    async def system_message(self, request: web.Request) -> Json:
        order = await json_body(request)
        message = self._slack.system_message(str(order.get("channel")), str(order.get("text", "")))
        return {"ok": True, "ts": message.ts}

    async def transcript(self, request: web.Request) -> Json:
        state, query = self._slack.state, request.query
        channel, thread = query.get("channel", ""), query.get("thread_ts")
        messages = self._slack.messages(channel, thread)
        if user := query.get("user"):
            return {"messages": [client_view.message_view(state, m, user) for m in messages]}
        return {"messages": [message_shape(state, message) for message in messages]}

    async def state(self, request: web.Request) -> Json:
        state = self._slack.state
        return {
            "users": [client_view.person_shape(user) for user in state.users.values()],
            "channels": [client_view.channel_view(state, c, "") for c in state.channels.values()],
            "sessions": [client_view.session_shape(state, *key) for key in state.sessions],
            "statuses": [client_view.status_shape(state, *key) for key in state.statuses],
            "modals": {user: client_view.modals_view(state, user) for user in state.modals},
            "homes": {user: client_view.home_shape(state, user) for _, user in state.homes},
            "ephemerals": [
                message_shape(state, m) | {"channel": m.channel, "seen_by": m.seen_by}
                for m in state.ephemerals
            ],
            "notices": [asdict(notice) for notice in state.notices],
            "subscription_enabled": self._slack.health.enabled,
        }

    async def log(self, request: web.Request) -> Json:
        method, name = request.query.get("method"), request.query.get("name")
        log = self._slack.log
        return {
            "calls": [entry_shape(e) for e in log.calls if method in (None, e.method)],
            "deliveries": [entry_shape(e) for e in log.deliveries if name in (None, e.name)],
        }

    async def clear_log(self, request: web.Request) -> Json:
        self._slack.log.clear()
        return {"ok": True}

    async def detector(self, request: web.Request) -> Json:
        detector = self._slack.state.detector
        return {
            "quiet": not detector.broadcasts and not detector.unfurls,
            "pings": [asdict(ping) | {"broadcast": ping.broadcast} for ping in detector.pings],
            "unfurls": [asdict(unfurl) for unfurl in detector.unfurls],
        }

    async def faults(self, request: web.Request) -> Json:
        return {"faults": [_fault_shape(i, fault) for i, fault in enumerate(self._faults)]}

    async def add_fault(self, request: web.Request) -> Json:
        order = await json_body(request)
        how: dict[str, Any] = {key: order[key] for key in _FAULT_FIELDS if key in order}
        fault = Fault(str(order.get("on", "*")), order.get("kind", ""), **how)
        if fault.kind in API_FAULTS:
            self._slack.faults.on_call(fault)
        else:
            self._slack.faults.on_delivery(fault)
        self._faults.append(fault)
        return _fault_shape(len(self._faults) - 1, fault)

    async def clear_faults(self, request: web.Request) -> Json:
        self._slack.faults.clear()
        self._faults.clear()
        return {"ok": True}

    async def release(self, request: web.Request) -> Json:
        number = int(request.match_info["ident"])
        if not 0 <= number < len(self._faults):
            raise SlackError("fault_not_found")
        self._faults[number].release()
        return _fault_shape(number, self._faults[number])

    async def clock(self, request: web.Request) -> Json:
        movable = isinstance(self._slack.timers, MovableClock)
        return {"now": self._slack.timers.now(), "movable": movable}

    async def advance(self, request: web.Request) -> Json:
        order = await json_body(request)
        if not isinstance(self._slack.timers, MovableClock):
            raise SlackError("clock_not_movable")
        await self._slack.timers.advance(float(order.get("advance", 0)))
        return await self.clock(request)

    async def sockets(self, request: web.Request) -> Json:
        order = await json_body(request)
        reason = str(order.get("reason", "refresh_requested"))
        if reason == "link_disabled":
            await self._slack.switch_socket_mode_off()
        else:
            await self._slack.drop_sockets(reason)
        return {"sockets": len(self._slack.sockets.sockets)}

    async def app(self, request: web.Request) -> Json:
        order = await json_body(request)
        if order.get("socket_mode"):
            self._slack.use_sockets()
        elif url := order.get("request_url"):
            keys = ("interactivity_url", "command_url", "options_url")
            others = {key: str(order[key]) for key in keys if key in order}
            self._slack.point_at(str(url), **others)
        if order.get("enable"):
            self._slack.health.enable()
        verified = None
        if order.get("verify"):
            verified = await self._slack.http.verify(self._slack.state.ids.uuid())
        return {"transport": (await self.index(request))["transport"], "verified": verified}

    async def wait(self, request: web.Request) -> Json:
        order = await json_body(request)
        timeout = float(order.get("timeout", 30.0))
        if method := order.get("method"):
            count = int(order.get("count", 1))
            await self._slack.until(lambda: _ended(self._slack, method) >= count, method, timeout)
        elif order.get("connected"):
            await self._slack.connected(timeout)
        else:
            await self._slack.idle(timeout)
        return {"ok": True}

    async def add_user(self, request: web.Request) -> Json:
        user = self._slack.state.add_user(UserConfig(**await json_body(request)))
        return client_view.person_shape(user)

    async def add_channel(self, request: web.Request) -> Json:
        channel = self._slack.state.add_channel(ChannelConfig(**await json_body(request)))
        return client_view.channel_view(self._slack.state, channel, "")

    async def uninstall(self, request: web.Request) -> Json:
        order = await json_body(request)
        team = str(order.get("workspace") or self._slack.state.home_team)
        installation = self._slack.state.installations.get(team)
        if installation is None:
            raise SlackError("installation_not_found")
        revoke(self._slack.state, installation)
        return {"ok": True}


def _ended(slack: LocalSlack, method: str) -> int:
    return sum(1 for entry in slack.log.of(method) if entry.effect_at is not None)


def _fault_shape(number: int, fault: Fault) -> Json:
    return {
        "id": number,
        "on": fault.on,
        "kind": fault.kind,
        "struck": fault.struck,
        "times": fault.times,
    }
