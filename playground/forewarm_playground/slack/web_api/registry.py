"""The Web API without a socket: a method's name, arguments and token in; a reply out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from forewarm_playground.slack.errors import SlackError
from forewarm_playground.slack.ids import Json
from forewarm_playground.slack.models import Installation
from forewarm_playground.slack.state import State
from forewarm_playground.slack.web_api.arguments import Arguments
from forewarm_playground.slack.web_api.rate_limits import SPECIAL, TIERS, Limiter

Bearer = Literal["bot", "app", "any", "none"]
"""Whose token a method takes: the bot's, the app's own, either, or none at all."""


@dataclass(slots=True)
class Call:
    """One call as a method sees it."""

    state: State
    arguments: Arguments
    limiter: Limiter
    at: float
    token: str | None = None
    caller: Installation | None = None

    @property
    def bot(self) -> Installation:
        """The installation whose bot token made the call."""
        if self.caller is None:
            raise SlackError("not_allowed_token_type")
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
    """Reply to a call: HTTP status, body and headers."""

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


def missing_scope(needed: str, installation: Installation) -> SlackError:
    """Return the refusal of a token that lacks a scope."""
    provided = ",".join(installation.scopes)
    return SlackError("missing_scope", details={"needed": needed, "provided": provided})


class WebApi:
    """Answers calls from the state of a `State`, within the app's rate limits."""

    def __init__(self, state: State, limiter: Limiter) -> None:
        self._state = state
        self.limiter = limiter

    def __repr__(self) -> str:
        return f"<WebApi [{len(METHODS)} methods | {self.limiter!r}]>"

    def call(self, name: str, values: Mapping[str, Any], token: str | None) -> Reply:
        """Carry out one call. Never raises a `SlackError`: it becomes the reply."""
        headers = {"x-slack-req-id": self._state.ids.uuid().replace("-", "")}
        call = Call(self._state, Arguments(values), self.limiter, self._state.now(), token)
        try:
            body = self._run(name, call, headers)
        except SlackError as refusal:
            return _refused(refusal, headers)
        return Reply({"ok": True, **body}, headers=headers)

    def _run(self, name: str, call: Call, headers: dict[str, str]) -> Json:
        found = METHODS.get(name)
        if found is None:
            raise SlackError("unknown_method", details={"req_method": name})
        self._authorize(found, call, headers)
        team = call.caller.team if call.caller else ""
        if wait := call.limiter.call(name, team, found.per_minute, call.at):
            code = "rate_limited" if name.endswith("Stream") else "ratelimited"
            raise SlackError(code, retry_after=wait)
        if found.scopes and not any(scope in call.bot.scopes for scope in found.scopes):
            raise missing_scope(found.scopes[0], call.bot)
        return found.run(call)

    def _authorize(self, found: Method, call: Call, headers: dict[str, str]) -> None:
        if found.by == "none":
            return
        if not call.token:
            raise SlackError("not_authed")
        if call.token == self._state.config.app.app_token:
            if found.by not in ("app", "any"):
                raise SlackError("not_allowed_token_type")
            return
        call.caller = self._installation(call)
        headers["x-oauth-scopes"] = ",".join(call.caller.scopes)
        if found.scopes:
            headers["x-accepted-oauth-scopes"] = ",".join(found.scopes)
        if found.by == "app":
            raise SlackError("not_allowed_token_type")

    def _installation(self, call: Call) -> Installation:
        """Return the installation that a token belongs to.

        That of an organisation has one in each workspace: the one that the call is about is meant.
        """
        found = [
            installation
            for installation in self._state.installations.values()
            if installation.grant.end_of(call.token) is not None
        ]
        if not found:
            raise SlackError("invalid_auth")
        if (found[0].grant.end_of(call.token) or 0.0) <= call.at:
            raise SlackError("token_expired")
        alive = [installation for installation in found if not installation.revoked]
        if not alive:
            raise SlackError("account_inactive")
        team = _team_meant(call)
        meant = next((one for one in found if one.team == team), alive[0])
        if meant.revoked:
            raise SlackError("team_access_not_granted")
        return meant


def _team_meant(call: Call) -> str | None:
    """Return the workspace of the channel, user, trigger or view that a call names first."""
    state = call.state
    known: Sequence[tuple[str, Mapping[str, Any]]] = (
        ("channel", state.channels),
        ("channel_id", state.channels),
        ("channel", state.users),
        ("user_id", state.users),
        ("user", state.users),
        ("trigger_id", state.triggers),
        ("view_id", state.views),
    )
    for argument, things in known:
        named = things.get(call.arguments.optional(argument) or "")
        if named is not None:
            return str(named.team)
    for user in call.arguments.words("users")[:1]:
        if user in state.users:
            return str(state.users[user].team)
    return call.arguments.optional("team_id")


def _refused(refusal: SlackError, headers: dict[str, str]) -> Reply:
    if refusal.retry_after is None:
        return Reply(refusal.body(), headers=headers)
    headers["Retry-After"] = str(refusal.retry_after)
    return Reply(refusal.body(), status=429, headers=headers)
