"""A local Slack, whole: the core, the Web API, delivery, and the people in it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

import forewarm_playground.slack.web_api.methods  # noqa: F401 - importing it registers the methods
from forewarm_playground.clock import Now, system_now
from forewarm_playground.errors import PlaygroundError
from forewarm_playground.slack.change_notifier import ChangeNotifier
from forewarm_playground.slack.config import AppConfig, SlackConfig
from forewarm_playground.slack.delivery.dispatcher import Dispatcher
from forewarm_playground.slack.delivery.event_throttle import EventThrottle
from forewarm_playground.slack.delivery.http_events import HttpEvents
from forewarm_playground.slack.delivery.socket_mode import SocketMode
from forewarm_playground.slack.delivery.types import Change, Delivery, DeliveryKind, Outcome
from forewarm_playground.slack.faults import Fault, Faults
from forewarm_playground.slack.ids import Json
from forewarm_playground.slack.log import Log
from forewarm_playground.slack.messages.detector import Ping, Unfurl
from forewarm_playground.slack.messages.messages import Draft, post
from forewarm_playground.slack.models import Installation, Message, User
from forewarm_playground.slack.person import Person
from forewarm_playground.slack.state import State
from forewarm_playground.slack.timers import LoopTimers, Timers, within
from forewarm_playground.slack.web_api.rate_limits import Limiter
from forewarm_playground.slack.web_api.registry import Reply, WebApi


class UnwantedNotification(PlaygroundError):
    """The bot's text would have pinged a crowd or made Slack fetch a link."""

    def __init__(self, pings: list[Ping], unfurls: list[Unfurl]) -> None:
        found = [ping.token for ping in pings] + [unfurl.url for unfurl in unfurls]
        super().__init__(
            f"The bot's text is not quiet ({', '.join(found)}): escape it and switch unfurling off."
        )
        self.pings = pings
        self.unfurls = unfurls


class WaitTimeoutError(PlaygroundError):
    """A condition that a test waited for did not hold in time."""

    def __init__(self, what: str, seconds: float) -> None:
        super().__init__(f"{what} did not happen within {seconds:g} s: look at the log.")


class LocalSlack:
    """Slack on this machine, for an app under test.

    `now` is its clock, `real_now` the one that stamps HTTP signatures. All waiting goes through the
    running loop, whose time may be virtual together with `now`. `timers` replaces that.

    Without `serve` no socket is opened: calls go through `call`, deliveries gather in `outbox`.
    """

    def __init__(
        self,
        config: SlackConfig | Mapping[str, Any] | None = None,
        *,
        now: Now = system_now,
        real_now: Now = system_now,
        timers: Timers | None = None,
    ) -> None:
        if not isinstance(config, SlackConfig):
            config = SlackConfig.parse(dict(config or {}))
        self.timers = timers or LoopTimers(now)
        self.state = State(config, self.timers.now)
        limits, app = config.limits, config.app
        limiter = Limiter(
            enabled=limits.rates, post_burst=limits.post_burst, overrides=limits.per_minute
        )
        self.api = WebApi(self.state, limiter)
        self.log = Log(limits.log_entries)
        self.faults = Faults()
        self.feed = ChangeNotifier()
        self.health = EventThrottle(app.id, app.verification_token, limits.events_per_hour)
        self.dispatcher = Dispatcher(
            config.delivery, self.timers, self.log, self.faults, self.health
        )
        self.sockets = SocketMode(
            app.id, config.delivery, limits.sockets, self.timers, self.state.ids
        )
        self.http = HttpEvents(lambda: self.app, config.delivery, self.timers, real_now)
        self.state.deliver = self.dispatcher.take
        self.state.publish = self._publish
        self.dispatcher.settled = self.feed.stir
        self.url = ""
        self._expiries: set[Any] = set()

    def __repr__(self) -> str:
        return f"<LocalSlack {self.url or 'not served'} [{self.state!r} | {self.dispatcher!r}]>"

    # Workspaces, apps, people

    @property
    def app(self) -> AppConfig:
        """The app under test."""
        return self.state.config.app

    @property
    def installation(self) -> Installation:
        """The app's installation in the first workspace that has it."""
        return next(iter(self.state.installations.values()))

    @property
    def token(self) -> str:
        """The bot token of that installation."""
        return self.installation.token

    @property
    def bot_user(self) -> str:
        """The bot's user of that installation."""
        return self.installation.bot_user

    @property
    def api_url(self) -> str:
        """Return the base URL for clients. It ends in `/api/`."""
        return f"{self.url}/api/"

    @property
    def outbox(self) -> list[Delivery]:
        """Return the deliveries that no transport has taken."""
        return [*self.dispatcher.outbox]

    def user(self, user: str) -> Person:
        """Return a person of this Slack, to act as.

        Refuses with `user_not_found`.
        """
        self.state.user(user)
        return Person(self, user)

    # The app's side

    def call(self, method: str, token: str | None = None, **arguments: Any) -> Reply:
        """Make a Web API call without a socket, by default with the bot's token."""
        return self.api.call(method, arguments, token or self.token)

    def system_message(self, channel: str, text: str) -> Message:
        """Post a message of Slack's own user, as Slack does in a bot's direct messages.

        It has no subtype and no `bot_id`.
        """
        place = self.state.channel(channel)
        slackbot = User("USLACKBOT", place.team, "slackbot", "Slackbot", "member")
        return post(self.state, place, slackbot, Draft(text=text))

    async def deliver(self, kind: DeliveryKind, payload: Json) -> Outcome:
        """Deliver a payload as it is, for types that Slack may add; return its outcome."""
        ended: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

        def end(outcome: Outcome) -> None:
            if not ended.done():
                ended.set_result(outcome)

        named = {"events_api": payload.get("event") or payload, "interactive": payload}
        name = str(named.get(kind, {}).get("type") or payload.get("command") or "unknown")
        self.state.deliver(Delivery(kind, name, payload, self.installation.team, True, end))
        return await ended

    # Messages

    def messages(self, channel: str, thread: str | None = None) -> list[Message]:
        """Return a channel's messages, or a thread's with its root first, oldest first."""
        held = self.state.channel(channel).messages
        if thread is None:
            return [*held.values()]
        root = self.state.message(channel, thread)
        return [root, *(held[ts] for ts in root.replies)]

    def bot_messages(self, channel: str, thread: str | None = None) -> list[Message]:
        """Return those of `messages` that the app under test wrote."""
        return [m for m in self.messages(channel, thread) if m.app_id == self.app.id]

    # Unwanted effects

    @property
    def pings(self) -> list[Ping]:
        """The tokens in the bot's text that would have notified people."""
        return self.state.detector.pings

    @property
    def unfurls(self) -> list[Unfurl]:
        """The links that Slack would have fetched."""
        return self.state.detector.unfurls

    def assert_quiet(self) -> None:
        """Raise `UnwantedNotification` if text of the bot pinged a crowd or unfurled a link."""
        if self.state.detector.broadcasts or self.unfurls:
            raise UnwantedNotification(self.state.detector.broadcasts, self.unfurls)

    # Faults

    def fail_call(self, method: str, kind: Any, **how: Any) -> Fault:
        """Let calls of `method` (a pattern such as `chat.*`) go wrong; `Fault` says how."""
        return self.faults.on_call(Fault(method, kind, **how))

    def fail_delivery(self, name: str, kind: Any, **how: Any) -> Fault:
        """Let deliveries go wrong: `name` is an event's type, an interaction's or a command."""
        return self.faults.on_delivery(Fault(name, kind, **how))

    # Time and waiting

    def _publish(self, change: Change) -> None:
        self.feed.publish(change)
        if self.dispatcher.transport is not None:
            self._watch(change)

    def _watch(self, change: Change) -> None:
        """Let screens know when a stream breaks or a status line fades by itself."""
        limits = self.state.config.limits
        seconds = {"message": limits.stream_seconds, "status": limits.status_seconds}
        if change.kind not in seconds or not self._fades(change):
            return
        again = Change(
            "message_changed" if change.kind == "message" else "status", change.channel, change.ts
        )

        def fade() -> None:
            self._expiries.discard(timer)
            self.feed.publish(again)

        timer = self.timers.call_later(seconds[change.kind], fade)
        self._expiries.add(timer)

    def _fades(self, change: Change) -> bool:
        if change.kind == "status":
            return (change.channel, change.ts) in self.state.statuses
        message = self.state.channels[change.channel].messages.get(change.ts)
        return message is not None and message.stream is not None

    async def until(
        self, condition: Callable[[], bool], what: str = "it", timeout: float = 30.0
    ) -> None:
        """Wait until `condition` holds; it is looked at whenever something moved.

        Raises:
            WaitTimeoutError: it did not hold within `timeout` seconds of the emulator's time.
        """

        async def wait() -> None:
            while not condition():
                await self.feed.stirred()

        try:
            await within(self.timers, timeout, wait())
        except TimeoutError:
            raise WaitTimeoutError(what, timeout) from None

    async def idle(self, timeout: float = 30.0) -> None:
        """Wait until nothing is under way to the app any more, retries included."""
        await self.until(lambda: self.dispatcher.idle, "the end of all deliveries", timeout)

    # Sockets

    @asynccontextmanager
    async def serve(
        self,
        port: int = 0,
        host: str = "127.0.0.1",
        *,
        mount: Callable[[web.Application], None] | None = None,
    ) -> AsyncIterator[str]:
        """Serve over real sockets and yield the base URL, without a slash at its end.

        `mount` may add routes to the application before it starts.

        Raises:
            OSError: the port is in use.
        """
        from forewarm_playground.slack.server import application

        app = application(self)
        if mount is not None:
            mount(app)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        try:
            await runner.setup()
            await web.TCPSite(runner, host, port).start()
            bound = runner.addresses[0][1]
            self.url = self.state.base_url = f"http://{host}:{bound}"
            self.dispatcher.transport = self.sockets if self.app.socket_mode else self.http
            yield self.url
        finally:
            await self._close()
            await runner.cleanup()

    async def _close(self) -> None:
        self.faults.clear()
        for timer in self._expiries:
            timer.cancel()
        self._expiries.clear()
        self.feed.close()
        await self.dispatcher.close()
        await self.sockets.close()
        await self.http.close()

    def point_at(self, request_url: str, **urls: str) -> None:
        """Send everything to the app over HTTP from now on.

        `urls` may name `interactivity_url`, `command_url` and `options_url`.
        """
        changes = {"socket_mode": False, "request_url": request_url, **urls}
        self._reconfigure(changes)
        if self.dispatcher.transport is not None:
            self.dispatcher.transport = self.http

    def use_sockets(self) -> None:
        """Send everything to the app over Socket Mode from now on."""
        self._reconfigure({"socket_mode": True})
        if self.dispatcher.transport is not None:
            self.dispatcher.transport = self.sockets

    def _reconfigure(self, changes: Mapping[str, Any]) -> None:
        app = self.app.model_copy(update=dict(changes))
        self.state.config = self.state.config.model_copy(update={"app": app})

    async def connected(self, timeout: float = 30.0) -> None:
        """Wait until the app has opened a socket."""
        try:
            await within(self.timers, timeout, self.sockets.opened.wait())
        except TimeoutError:
            raise WaitTimeoutError("a connection of the app", timeout) from None

    async def drop_sockets(self, reason: str = "refresh_requested") -> None:
        """Tell every socket to go, as Slack does; `cut` breaks them off without a word."""
        for socket in [*self.sockets.sockets]:
            if reason == "cut":
                await self.sockets.cut(socket)
            else:
                await self.sockets.disconnect(socket, reason)

    async def switch_socket_mode_off(self) -> None:
        """Switch Socket Mode off: every socket is told `link_disabled`, new ones are refused."""
        self._reconfigure({"socket_mode": False})
        await self.drop_sockets("link_disabled")

    def transcript(self, channel: str) -> list[Json]:
        """Return what stands in a channel as JSON that two runs can be compared by.

        Time stamps are replaced by the places of the messages in it.
        """
        held = self.messages(channel)
        places = {message.ts: place for place, message in enumerate(held)}
        return [
            {
                "user": message.user,
                "text": message.text,
                "thread": places.get(message.thread_ts or ""),
                "subtype": message.subtype,
                "reactions": message.reactions,
                "streamed": message.stream is not None,
            }
            for message in held
        ]
