"""A trace replayed through the governor that the bot runs."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from bot.claude.usage import Ttl, Usage
from bot.warm.economics.costs import Costs
from bot.warm.governor import Governor
from bot.warm.limits import Limits
from bot.warm.replay.baselines import Bill
from bot.warm.replay.simulated_entry import Served, SimulatedEntry
from bot.warm.replay.traces import Event
from bot.warm.signals import Signal, SignalKind
from bot.warm.types import Decision, PrefixFacts, Result

CHANNEL = "C0TRACE"
UNLIMITED = Limits(daily_usd=math.inf)


@dataclass(frozen=True, slots=True)
class RequestLine:
    """One request of a replay, as a line of its log. `t` is Unix seconds."""

    t: float
    action: Literal["warm", "refresh", "question"]
    ttl: Ttl
    reason: str


class Replay:
    """Feeds events to a governor and serves its requests by the rules of the simulation."""

    def __init__(
        self,
        facts: PrefixFacts,
        costs: Costs,
        warm_ttft: float,
        *,
        limits: Limits = UNLIMITED,
        log: Callable[[RequestLine], Any] = lambda line: None,
    ) -> None:
        self.governor = Governor(limits)
        self._facts = facts
        self._costs = costs
        self._warm_ttft = warm_ttft
        self._log = log
        self._entry = SimulatedEntry(costs)
        self._next_look_at = math.inf
        self._replies: list[tuple[float, int, str, Ttl, Result]] = []
        self._requests = 0
        self.api_usd = 0.0
        self.waits: list[float] = []

    def run(self, timeline: Sequence[Event]) -> Bill:
        """Replay all events in order. Return the bill."""
        for _ in self.steps(timeline):
            pass
        return Bill(self.api_usd, tuple(self.waits))

    def steps(self, timeline: Sequence[Event]) -> Iterator[Event]:
        """Replay the events one by one."""
        for event in timeline:
            self._run_until(event.at)
            self._carry_out(self._handle(event))
            yield event

    def _handle(self, event: Event) -> Decision | None:
        if event.kind == "question":
            self._ask(event)
            return None
        kind: SignalKind = "modal_typing"
        thread = None if event.opens else str(event.thread)
        if event.kind == "message":
            kind = "channel_message" if event.opens else "thread_message"
        return self.governor.handle_signal(
            self._facts,
            Signal(
                kind=kind,
                workspace="T0TRACE",
                at=event.at,
                channel=CHANNEL,
                thread=thread,
                user=event.user,
            ),
        )

    def _run_until(self, at: float) -> None:
        """Handle everything that is due before `at`: replies first, then looks."""
        while True:
            reply_at = self._replies[0][0] if self._replies else math.inf
            if min(reply_at, self._next_look_at) > at:
                return
            if reply_at <= self._next_look_at:
                self._reply()
            else:
                now, self._next_look_at = self._next_look_at, math.inf
                self._carry_out(self.governor.look(self._facts.key, now))

    def _carry_out(self, decision: Decision | None) -> None:
        if decision is None:
            return
        if decision.action != "warm" and decision.action != "refresh":
            self._next_look_at = decision.next_look_at or math.inf
            return
        served = self._entry.serve(decision.at, decision.ttl)
        request = self.governor.begin_warm_up(decision)
        self._log(RequestLine(decision.at, decision.action, decision.ttl, decision.reason))
        self._queue_reply(served, decision.at, request, decision.ttl)
        self._next_look_at = math.inf

    def _ask(self, event: Event) -> None:
        decision = self.governor.handle_question(
            self._facts, CHANNEL, str(event.thread), event.user, event.at
        )
        served = self._entry.serve(event.at, decision.ttl)
        self.governor.record_request(self._facts.key, decision.ttl, event.at)
        self._log(RequestLine(event.at, "question", decision.ttl, decision.reason))
        self.waits.append(served.delay)
        self._queue_reply(served, event.at, "", decision.ttl)
        self._next_look_at = math.inf

    def _queue_reply(self, served: Served, at: float, request: str, ttl: Ttl) -> None:
        self.api_usd += served.usd
        seconds = self._warm_ttft + (self._costs.prefill if served.wrote else 0.0)
        tokens = self._facts.tokens
        usage = Usage(
            cache_read=0 if served.wrote else tokens,
            write_5m=tokens if served.wrote and ttl == "5m" else 0,
            write_1h=tokens if served.wrote and ttl == "1h" else 0,
        )
        result = Result(usage=usage, usd=served.usd, started_at=at, seconds=seconds)
        self._requests += 1
        begins_at = at + served.delay + (0.0 if request else self._warm_ttft)
        heapq.heappush(self._replies, (begins_at, self._requests, request, ttl, result))

    def _reply(self) -> None:
        at, _, request, ttl, result = heapq.heappop(self._replies)
        if request:
            self._carry_out(self.governor.end_warm_up(request, result, at))
        else:
            self._carry_out(self.governor.apply_reply(self._facts.key, ttl, result, at))
