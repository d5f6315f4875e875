"""The Web API without a socket: a method's name, arguments and token in; a reply out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from forewarm_playground.slack.arguments import Arguments
from forewarm_playground.slack.limits import SPECIAL, TIERS, Limiter
from forewarm_playground.slack.records import Installation
from forewarm_playground.slack.refusal import Refusal
from forewarm_playground.slack.wire import Json
from forewarm_playground.slack.world import World

Bearer = Literal["bot", "app", "any", "none"]
"""Whose token a method takes: the bot's, the app's own, either, or none at all."""


@dataclass(slots=True)
class Call:
    """One call as a method sees it."""

    world: World
    arguments: Arguments
    limiter: Limiter
    at: float
    token: str | None = None
    caller: Installation | None = None

    @property
    def bot(self) -> Installation:
        """The installation whose bot token made the call."""
        if self.caller is None:
            raise Refusal("not_allowed_token_type")
        return self.caller

    def require(self, scope: str) -> None:
        """Refuse with `missing_scope`, naming what is needed, unless the token has the scope."""
        if scope not in self.bot.scopes:
            raise missing_scope(scope, self.bot)


Run = Callable[[Call], Json]


@dataclass(slots=True, frozen=True)
class Method:
    """A method: who may call it, how often, and what it does."""

    name: str
    run: Run
    per_minute: int
    scopes: tuple[str, ...] = ()
    """Any one of them suffices."""
    by: Bearer = "bot"


@dataclass(slots=True)
class Reply:
    """What goes back over the wire."""

    body: Json
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def error(self) -> str:
        """Slack's error code, or "" if the call succeeded."""
        return "" if self.body.get("ok") else str(self.body.get("error", "unknown"))


METHODS: dict[str, Method] = {}


def method(name: str, *scopes: str, tier: int | None, by: Bearer = "bot") -> Callable[[Run], Run]:
    """Register a function as a Web API method; `tier` None is a limit that Slack calls special."""

    def register(run: Run) -> Run:
        per_minute = SPECIAL if tier is None else TIERS[tier]
        METHODS[name] = Method(name, run, per_minute, scopes, by)
        return run

    return register


def missing_scope(needed: str, installation: Installation) -> Refusal:
    """Return the refusal of a token that lacks a scope."""
    provided = ",".join(installation.scopes)
    return Refusal("missing_scope", details={"needed": needed, "provided": provided})


class WebApi:
    """Answers calls from the state of a `World`, within the app's rate limits."""

    def __init__(self, world: World, limiter: Limiter) -> None:
        self._world = world
        self.limiter = limiter

    def __repr__(self) -> str:
        return f"<WebApi [{len(METHODS)} methods | {self.limiter!r}]>"

    def call(self, name: str, values: Mapping[str, Any], token: str | None) -> Reply:
        """Carry out one call. Never raises a `Refusal`: it becomes the reply."""
        headers = {"x-slack-req-id": self._world.ids.uuid().replace("-", "")}
        call = Call(self._world, Arguments(values), self.limiter, self._world.now(), token)
        try:
            body = self._run(name, call, headers)
        except Refusal as refusal:
            return _refused(refusal, headers)
        return Reply({"ok": True, **body}, headers=headers)

    def _run(self, name: str, call: Call, headers: dict[str, str]) -> Json:
        found = METHODS.get(name)
        if found is None:
            raise Refusal("unknown_method", details={"req_method": name})
        self._authorize(found, call, headers)
        team = call.caller.team if call.caller else ""
        if wait := call.limiter.call(name, team, found.per_minute, call.at):
            code = "rate_limited" if name.endswith("Stream") else "ratelimited"
            raise Refusal(code, retry_after=wait)
        if found.scopes and not any(scope in call.bot.scopes for scope in found.scopes):
            raise missing_scope(found.scopes[0], call.bot)
        return found.run(call)

    def _authorize(self, found: Method, call: Call, headers: dict[str, str]) -> None:
        if found.by == "none":
            return
        if not call.token:
            raise Refusal("not_authed")
        if call.token == self._world.config.app.app_token:
            if found.by not in ("app", "any"):
                raise Refusal("not_allowed_token_type")
            return
        call.caller = self._installation(call.token)
        headers["x-oauth-scopes"] = ",".join(call.caller.scopes)
        if found.scopes:
            headers["x-accepted-oauth-scopes"] = ",".join(found.scopes)
        if found.by == "app":
            raise Refusal("not_allowed_token_type")

    def _installation(self, token: str) -> Installation:
        for installation in self._world.installations.values():
            if installation.token == token:
                if installation.revoked:
                    raise Refusal("account_inactive")
                return installation
        raise Refusal("invalid_auth")


def _refused(refusal: Refusal, headers: dict[str, str]) -> Reply:
    if refusal.retry_after is None:
        return Reply(refusal.body(), headers=headers)
    headers["Retry-After"] = str(refusal.retry_after)
    return Reply(refusal.body(), status=429, headers=headers)
