"""The local Claude without sockets: requests in, exchanges out, time as an argument.

`Core.open` does everything that happens at a request's start: it identifies the caller, checks the
request, takes it from the rate limits, looks the prefix up and decides the answer; or it raises
`ApiError` and nothing has happened. The `Exchange` it returns says when the response would begin
and what it will hold; the shell (a server, a simulation) reports `begin` and `finish`, or
`abandon` if the caller went away. Only `begin` makes what was written readable.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from forewarm_playground.claude.cache.breakpoints import Breakpoint, breakpoints
from forewarm_playground.claude.cache.diagnostics import Fingerprints, fingerprint
from forewarm_playground.claude.cache.ledger import Ledger
from forewarm_playground.claude.cache.prefix_cache import Entry, PrefixCache, Scope, look_up
from forewarm_playground.claude.cache.render import Prompt, render
from forewarm_playground.claude.cache.usage import bill
from forewarm_playground.claude.config import Config, Identity
from forewarm_playground.claude.errors import (
    ApiError,
    invalid,
    not_found,
    unauthorized,
    unknown_model,
)
from forewarm_playground.claude.exchange import Checked, Effects, Exchange, Found
from forewarm_playground.claude.limits import Limits, RateLimiter
from forewarm_playground.claude.models import Model
from forewarm_playground.claude.providers.profiles import Profile, ProviderName
from forewarm_playground.claude.request_log import RequestRecord
from forewarm_playground.claude.responses.answers import WARMED, Answers, Plan, Refusal, plan
from forewarm_playground.claude.responses.matching import RequestInfo
from forewarm_playground.claude.threads import BETA, Threads, ThreadTurn
from forewarm_playground.claude.validation import rules, schema

Json = Mapping[str, Any]
DEFAULT_WORKSPACE = "wrkspc_default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request as it came in: its body, and what its headers say.

    `identity` is None if the key has to tell it. A provider's own credentials tell it earlier.
    `regional` tells that it is bound to one region of the provider, which may cost more.
    """

    body: Any
    key: str | None = "local"
    version: str | None = rules.NEWEST_VERSION
    betas: Collection[str] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    identity: Identity | None = None
    provider: ProviderName = "anthropic"
    regional: bool = False


class Core:
    """Everything the local Claude knows: cache, limits, ledger, answers, log of requests."""

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or Config()
        self.latency = self.config.latency
        self.chaos = self.config.chaos
        self.limits = self.config.limits
        self.answers = Answers()
        self._ids = 0
        self.reset()

    def __repr__(self) -> str:
        return f"<Core [{self.cache!r}, {self.ledger!r}, {self.answers!r}]>"

    def reset(self) -> None:
        """Forget everything but the settings: cache, limits, ledger, log, script and rules."""
        self.cache = PrefixCache()
        self.ledger = Ledger()
        self.threads = Threads()
        self.requests: list[RequestRecord] = []
        self.answers.script.clear()
        self.answers.rules.clear()
        self._limiters: dict[tuple[str, str], RateLimiter] = {}
        self._fingerprints = Fingerprints()
        self._bodies: deque[RequestRecord] = deque()
        self._random = random.Random(self.chaos.seed)  # noqa: S311  chance, not secrecy

    def set_limits(self, limits: Limits | None) -> None:
        """Change the rate limits; every bucket starts full."""
        self.limits = limits
        self._limiters.clear()

    # Requests

    def open(
        self,
        call: Call,
        at: float,
        record: RequestRecord | None = None,
        refusal: Refusal | None = None,
    ) -> Exchange:
        """Accept a request that starts now, or raise `ApiError` with nothing done.

        With `refusal`, the classifiers refuse every answer.
        """
        record = record or self.log(call, at)
        try:
            return self._open(call, at, record, refusal)
        except ApiError as error:
            record.fail(error, at)
            raise

    def count(self, call: Call, at: float) -> int:
        """Return the input tokens of a request, validated like the request itself."""
        identity = self.identify(call)
        schema.check_count(call.body)
        model = self._model(call.body)
        self._limiter(identity, model).admit_count(at)
        prompt, _ = self._prompt(call, model)
        return prompt.total

    def check_provider(self, call: Call) -> None:
        """Refuse what the call's provider does not take."""
        rules.check_provider(call.body, self.config.profile(call.provider))

    def create(self, body: Json, at: float, key: str = "local") -> Exchange:
        """Run a whole request at once and return it finished: for simulations without sockets."""
        exchange = self.open(Call(body=body, key=key), at)
        began = at + exchange.prefill
        exchange.begin(began)
        exchange.finish(began + exchange.seconds)
        return exchange

    def log(self, call: Call, at: float, path: str = "/v1/messages") -> RequestRecord:
        """Note that a request has come in."""
        record = RequestRecord(
            number=len(self.requests) + 1,
            request_id=self.new_id("req"),
            message_id=self.new_id("msg"),
            at=at,
            path=path,
            provider=call.provider,
            body=call.body,
            headers=dict(call.headers),
        )
        self.requests.append(record)
        self._bodies.append(record)
        if len(self._bodies) > self.config.keep_bodies:
            self._bodies.popleft().body = None
        return record

    def asked(self, record: RequestRecord) -> RequestInfo:
        """Return a request as rules and faults see it."""
        body = record.body if isinstance(record.body, dict) else {}
        workspace = record.workspace or DEFAULT_WORKSPACE
        return RequestInfo(body, workspace, record.number, record.path, record.headers)

    def identify(self, call: Call) -> Identity:
        """Return who is calling, or refuse: a key and a known API version are required."""
        if not call.key and call.identity is None:
            raise unauthorized("x-api-key header is required")
        identity = self.known(call)
        if identity is None:
            raise unauthorized("invalid x-api-key")
        self._version(call)
        return identity

    def known(self, call: Call) -> Identity | None:
        """Return who is calling, or None if that is not known."""
        return call.identity or self.config.identify(call.key or "")

    def headers(
        self, identity: Identity, at: float, record: RequestRecord | None = None
    ) -> dict[str, str]:
        """Return the reply headers that name the caller and what is left of its limits."""
        workspace = record.workspace if record else identity.workspace
        named = {
            "anthropic-organization-id": identity.organization,
            "anthropic-workspace-id": workspace or DEFAULT_WORKSPACE,
        }
        model = self.config.models.find(record.model or "") if record else None
        if model is None or self.limits is None:
            return named
        return {**named, **self._limiter(identity, model).headers(at)}

    def new_id(self, prefix: str) -> str:
        """Return a new id; they are counted, so that runs can be compared."""
        self._ids += 1
        return f"{prefix}_{self._ids:024d}"

    def _open(
        self, call: Call, at: float, record: RequestRecord, refusal: Refusal | None
    ) -> Exchange:
        identity = self.identify(call)
        record.workspace = identity.workspace or DEFAULT_WORKSPACE
        thread = self._open_thread(call, identity, at)
        try:
            whole = call if thread is None else replace(call, body=thread.body)
            return self._run(whole, at, record, refusal, identity, thread)
        except ApiError:
            if thread is not None:
                thread.release()
            raise

    def _open_thread(self, call: Call, identity: Identity, at: float) -> ThreadTurn | None:
        schema.check_create(call.body, self._version(call))
        if call.body.get("thread") is not None and BETA not in call.betas:
            raise invalid("thread: Extra inputs are not permitted")
        owner = f"{identity.organization}/{self._workspace(call.body, identity)}"
        return self.threads.open(call.body, owner, at, allowed=self.config.threads)

    def _run(
        self,
        call: Call,
        at: float,
        record: RequestRecord,
        refusal: Refusal | None,
        identity: Identity,
        thread: ThreadTurn | None,
    ) -> Exchange:
        checked = self._check(call, identity)
        record.workspace, record.model = checked.workspace, checked.model.id
        found = self._look_up(checked, at, self.config.profile(call.provider))
        if self.limits is not None:
            self._limiter(identity, checked.model).admit(found.usage.uncached, at)
        answer = self._answer(checked, record, refusal)
        self._refresh(checked, found, at)
        record.note(checked.prompt, checked.points, found.usage, found.hit)
        return Exchange(
            self._effects(checked, thread),
            checked,
            record,
            answer,
            found,
            self._diagnose(call, checked, record, at),
            self.config.profile(call.provider),
            call.regional,
        )

    def _check(self, call: Call, identity: Identity) -> Checked:
        body: Json = call.body
        model = self._model(body)
        prompt, points = self._prompt(call, model)
        rules.check_output(body, model)
        if prompt.total > model.context:
            raise invalid(f"prompt is too long: {prompt.total} tokens > {model.context} maximum")
        workspace = self._workspace(body, identity)
        return Checked(body, model, identity, workspace, prompt, points)

    def _prompt(self, call: Call, model: Model) -> tuple[Prompt, tuple[Breakpoint, ...]]:
        version = self._version(call)
        self.check_provider(call)
        rules.check_conversation(call.body, model, version, call.betas)
        rules.check_settings(call.body, model, version)
        prompt = render(call.body, model)
        return prompt, breakpoints(call.body, prompt)

    def _workspace(self, body: Json, identity: Identity) -> str:
        asked: str | None = body.get("workspace_id")
        if asked and identity.workspace and asked != identity.workspace:
            raise not_found(f"workspace_id: {asked}")
        return asked or identity.workspace or DEFAULT_WORKSPACE

    def _version(self, call: Call) -> str:
        if not call.version:
            raise invalid("anthropic-version: header is required")
        if call.version not in rules.VERSIONS:
            raise invalid(f"anthropic-version: {call.version!r} is not a valid version")
        return call.version

    def _model(self, body: Json) -> Model:
        model = self.config.models.find(body["model"])
        if model is None or model.lifecycle == "retired":
            raise unknown_model(body["model"])
        if body.get("speed") == "fast":
            raise invalid("speed: fast mode is not supported for this model")
        return model

    def _limiter(self, identity: Identity, model: Model) -> RateLimiter:
        key = (identity.organization, model.id)
        if key not in self._limiters:
            limits = (self.limits or Limits()).shared(model.limit_share)
            self._limiters[key] = RateLimiter(limits)
        return self._limiters[key]

    def _look_up(self, checked: Checked, at: float, profile: Profile) -> Found:
        """Find what is cached; a marker below the minimum takes no part."""
        least = profile.least or checked.model.min_cacheable
        eligible = tuple(
            point for point in checked.points if profile.caches and point.block.through >= least
        )
        hit = look_up(
            checked.prompt, eligible, lambda digest: self._find(checked.scope, digest, at)
        )
        usage = bill(checked.prompt.total, hit.tokens if hit else 0, eligible)
        return Found(eligible, hit, usage)

    def _find(self, scope: Scope, digest: bytes, at: float) -> Entry | None:
        entry = self.cache.find(scope, digest, at)
        if entry is not None and self._random.random() < self.chaos.spurious_miss:
            return None
        return entry

    def _answer(self, checked: Checked, record: RequestRecord, refusal: Refusal | None) -> Plan:
        if checked.body["max_tokens"] == 0:
            return WARMED
        chosen = self.answers.choose(self.asked(record))
        if refusal is not None:
            chosen = replace(chosen, refusal=refusal)
        room = checked.model.context - checked.prompt.total
        return plan(chosen, checked.body, checked.model, room, self.latency.thinking, self.new_id)

    def _refresh(self, checked: Checked, found: Found, at: float) -> None:
        """A use begins a life anew; so does an exact match at any other marker."""
        if found.hit is None:
            return
        found.hit.entry.reads += 1
        found.hit.entry.refresh(at)
        for point in found.eligible:
            entry = self.cache.find(checked.scope, point.block.digest, at)
            if entry is not None:
                entry.refresh(at)

    def _effects(self, checked: Checked, thread: ThreadTurn | None) -> Effects:
        limiter = self._limiter(checked.identity, checked.model)
        lag = self.chaos.visibility_lag
        return Effects(self.cache, self.ledger, limiter.produced, self.latency, lag, thread)

    def _diagnose(
        self, call: Call, checked: Checked, record: RequestRecord, at: float
    ) -> dict[str, Any] | None:
        asked = checked.body.get("diagnostics")
        if asked is None:
            return None
        taken = fingerprint(checked.body, checked.model.id, call.betas)
        previous = asked.get("previous_message_id")
        found = self._fingerprints.diagnose(checked.workspace, previous, taken, at)
        self._fingerprints.keep(checked.workspace, record.message_id, taken, at)
        return found
