"""One accepted request on its way: when its response begins, what it holds, how it ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from forewarm_playground.claude.cache.breakpoints import Breakpoint
from forewarm_playground.claude.cache.ledger import Charge, Ledger
from forewarm_playground.claude.cache.prefix_cache import SECONDS, Entry, Hit, PrefixCache, Scope
from forewarm_playground.claude.cache.render import Prompt
from forewarm_playground.claude.cache.usage import Usage
from forewarm_playground.claude.config import Identity
from forewarm_playground.claude.latency import Latency
from forewarm_playground.claude.models import Model
from forewarm_playground.claude.providers.profiles import PROFILES, Profile
from forewarm_playground.claude.request_log import RequestRecord
from forewarm_playground.claude.responses.answers import Plan
from forewarm_playground.claude.threads import ThreadTurn

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Checked:
    """A request that may run."""

    body: Json
    model: Model
    identity: Identity
    workspace: str
    prompt: Prompt
    points: tuple[Breakpoint, ...]

    @property
    def scope(self) -> Scope:
        speed = self.body.get("speed") or "standard"
        return Scope(self.identity.organization, self.workspace, self.model.id, speed)


@dataclass(frozen=True, slots=True)
class Effects:
    """Targets of an exchange's effects: the cache, the ledger, the limit on output."""

    cache: PrefixCache
    ledger: Ledger
    produced: Callable[[int, float], None]
    latency: Latency
    visibility_lag: float
    thread: ThreadTurn | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """Result of the cache look-up for the eligible markers, and the usage that follows from it."""

    eligible: tuple[Breakpoint, ...]
    hit: Hit | None
    usage: Usage

    @property
    def to_write(self) -> tuple[Breakpoint, ...]:
        """The markers behind the hit, each of which writes one entry."""
        read = self.hit.tokens if self.hit else 0
        return tuple(point for point in self.eligible if point.block.through > read)


class Exchange:
    """One accepted request and its answer. Times in Unix seconds, as the caller reports them."""

    def __init__(
        self,
        effects: Effects,
        checked: Checked,
        record: RequestRecord,
        answer: Plan,
        found: Found,
        diagnostics: dict[str, Any] | None,
        profile: Profile = PROFILES["anthropic"],
        regional: bool = False,
    ) -> None:
        self._effects = effects
        self._checked = checked
        self._found = found
        self._charge = Charge(
            at=record.at,
            request_id=record.request_id,
            message_id=record.message_id,
            workspace=checked.workspace,
            model=checked.model,
            usage=found.usage,
            geo=checked.body.get("inference_geo"),
            free=answer.free,
            factor=profile.region_price if regional else 1.0,
        )
        self.record = record
        self.plan = answer
        self.diagnostics = diagnostics
        self._profile = profile
        self.latency = effects.latency
        self.visibility_lag = effects.visibility_lag

    def __repr__(self) -> str:
        return f"<Exchange {self.record.message_id} [{self._charge.outcome}, {self.usage}]>"

    @property
    def usage(self) -> Usage:
        """Return the usage so far. The input side is complete from the start."""
        return self._charge.usage

    @property
    def model(self) -> Model:
        return self._checked.model

    @property
    def prefill(self) -> float:
        """Seconds from the request's start to the beginning of its response."""
        return self.latency.prefill(self.usage)

    @property
    def seconds(self) -> float:
        """Seconds from the response's beginning to its end."""
        plan = self.plan
        written = self.latency.generation(plan.output - plan.thinking_tokens)
        return plan.thinking_seconds + written

    def begin(self, at: float) -> None:
        """The response begins: what this request writes becomes readable."""
        self.record.began_at = at
        for point in self._found.to_write:
            self._effects.cache.write(self._entry(point, at + self.visibility_lag), at)
        self._effects.ledger.charges.append(self._charge)
        self.record.usd = self._charge.usd

    def finish(self, at: float) -> None:
        """The whole answer has been produced."""
        self._end(at, self.plan.output, self.plan.thinking_tokens)
        self._charge.outcome = "complete"
        if self._effects.thread is not None:
            content = [one.block for one in self.plan.said]
            self._effects.thread.finish(self.record.message_id, content)

    def cut(self, at: float, output: int) -> None:
        """The connection ended after the response began, with `output` tokens produced."""
        self._end(at, output, min(output, self.plan.thinking_tokens))
        self._charge.outcome = "cut"
        self._release_thread()
        self.record.outcome = "cut"

    def abandon(self, at: float) -> None:
        """The caller went away before the response began: nothing is written or billed."""
        self.record.ended_at = at
        self.record.outcome = self._charge.outcome = "abandoned"
        self._release_thread()

    def _release_thread(self) -> None:
        if self._effects.thread is not None:
            self._effects.thread.release()

    def message(self) -> dict[str, Any]:
        """Return the whole message, as a request without streaming gets it."""
        plan = self.plan
        return {
            **self._head(),
            "content": [said.block for said in plan.said],
            "stop_reason": plan.stop_reason,
            "stop_sequence": plan.stop_sequence,
            "stop_details": plan.stop_details,
            "usage": self._wire(replace(self.usage, output=plan.output)),
        }

    def opening(self) -> dict[str, Any]:
        """Return the message of `message_start`: no content yet, all input usage."""
        first = replace(self.usage, output=min(1, self.plan.output))
        return {
            **self._head(),
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "stop_details": None,
            "usage": self._wire(first),
        }

    def closing(self) -> dict[str, Any]:
        """Return the `message_delta` event's delta and cumulative usage."""
        plan = self.plan
        used = replace(self.usage, output=plan.output, thinking=plan.thinking_tokens)
        return {
            "delta": {
                "stop_reason": plan.stop_reason,
                "stop_sequence": plan.stop_sequence,
                "stop_details": plan.stop_details,
            },
            "usage": self._told(used.delta()),
        }

    def _entry(self, point: Breakpoint, visible_at: float) -> Entry:
        return Entry(
            scope=self._checked.scope,
            digest=point.block.digest,
            tier=point.block.tier,
            tokens=point.block.through,
            ttl=point.ttl,
            written_by=self.record.message_id,
            visible_at=visible_at,
            expires_at=self.record.at + SECONDS[point.ttl],
        )

    def _head(self) -> dict[str, Any]:
        head: dict[str, Any] = {
            "id": self.record.message_id,
            "type": "message",
            "role": "assistant",
            "model": self.model.id,
        }
        if self._checked.body.get("diagnostics") is not None:
            head["diagnostics"] = self.diagnostics
        return head

    def _wire(self, usage: Usage) -> dict[str, Any]:
        body = self._checked.body
        thinking = self.plan.thinking_tokens if usage.output == self.plan.output else 0
        return self._told(
            replace(usage, thinking=thinking).wire(
                geo=body.get("inference_geo"), speed=self._checked.scope.speed
            )
        )

    def _told(self, usage: dict[str, Any]) -> dict[str, Any]:
        """Return the usage as this provider reports it."""
        if self._profile.reports:
            return usage
        return {key: value for key, value in usage.items() if not key.startswith("cache_")}

    def _end(self, at: float, output: int, thinking: int) -> None:
        self._charge.usage = replace(self._charge.usage, output=output, thinking=thinking)
        self.record.usage = self._charge.usage
        self.record.usd = self._charge.usd
        self.record.ended_at = at
        self.record.outcome = "complete"
        self._effects.produced(output, at)
