"""The governor: which prefixes to keep warm, when, for how long, and why.

Pure: it performs no I/O, has no clock and no randomness. It is told of signals, questions, requests
and their results, each with its time, and answers with decisions. What runs in the bot and what
`forewarm simulate` replays is this class. A decision depends on nothing later than itself.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from typing import Any

from bot.claude.usage import Ttl
from bot.warm.forecast.arrivals import place_of
from bot.warm.forecast.conversions import PRIORS
from bot.warm.limits import DAY, BackOff, Limits, Spending, UserCaps
from bot.warm.prefix_state import PrefixState, WarmUpInFlight
from bot.warm.signals import Signal
from bot.warm.types import Decision, PrefixFacts, Result

MOST_PREFIXES = 1024
IN_FLIGHT = "a warm-up is in flight already"


class Governor:
    """Decides for all prefixes of one installation."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.spending = Spending()
        self._users = UserCaps(self.limits.per_user_hour)
        self._prefixes: OrderedDict[str, PrefixState] = OrderedDict()
        self._back_offs: dict[str, BackOff] = {}
        self._requests = 0

    # --- what is seen ---------------------------------------------------------------------------

    def signal(self, facts: PrefixFacts, signal: Signal) -> Decision:
        """Take in a signal and decide about the prefix that it was resolved to."""
        state = self._state(facts, signal.at)
        place = place_of(signal.channel)
        who = signal.user or place
        match signal.kind:
            case "channel_message" | "thread_message":
                self._message(state, signal, place, who)
            case "modal_closed" | "message_deleted":
                state.arrivals.conversions.cancelled(who)
            case "answered":
                state.spoke(place, signal.thread, signal.at)
            case kind if kind in PRIORS:
                threaded = signal.thread is not None
                state.arrivals.conversions.signalled(who, place, kind, threaded, signal.at)
        decision = self._decide(state, signal.at, signal.kind == "push")
        if decision.action == "warm" and not self._users.allows(signal.user, signal.at):
            return self._nothing(state, signal.at, "this user's warm-ups for the hour are used up")
        return decision

    def attend(self, facts: PrefixFacts, at: float) -> Decision:
        """Take in a prefix as it stands now: at start, and when its repository has moved."""
        known = self._prefixes.get(facts.key)
        moved = known is not None and known.facts.fingerprint != facts.fingerprint
        return self._decide(self._state(facts, at), at, moved)

    def question(
        self, facts: PrefixFacts, channel: str | None, thread: str | None, user: str, at: float
    ) -> Decision:
        """Take in a question; the decision's `ttl` is the life its own request should ask for."""
        state = self._state(facts, at)
        state.asked(place_of(channel), thread, user, at)
        expected = state.expected(at)
        if expected:
            return self._nothing(state, at, f"{expected} tokens are believed cached")
        ttl, why = state.writes(at, place_of(channel))
        return self._nothing(state, at, why, ttl)

    def look(self, key: str, at: float) -> Decision | None:
        """Decide about a prefix because its time has come; None where it is not known."""
        state = self._prefixes.get(key)
        return self._decide(state, at) if state else None

    def expected(self, facts: PrefixFacts, at: float) -> int:
        """Return how many of a prefix's tokens are believed cached."""
        return self._state(facts, at).expected(at)

    def is_warm(self, facts: PrefixFacts, at: float) -> bool:
        """Tell whether the whole prefix is believed cached and readable already."""
        return self._state(facts, at).readable(at)

    def prefill(self, key: str) -> float:
        """Return the seconds that writing a prefix takes, measured where it has been."""
        state = self._prefixes.get(key)
        return state.speed.prefill(state.facts.tokens) if state else 0.0

    # --- what is done ---------------------------------------------------------------------------

    def begin(self, decision: Decision, user: str | None = None) -> str:
        """A warm-up was sent because of a decision; return the name it is accounted under."""
        state = self._prefixes[decision.prefix]
        self._requests += 1
        request = f"{decision.prefix}:{self._requests}"
        self.spending.turn(decision.at)
        self.spending.reserve(request, state.facts.context, state.most_usd(decision.ttl))
        if decision.action == "warm":
            self._users.caused(user, decision.at)
        state.charge(decision.at, decision.cost_usd)
        state.flight = WarmUpInFlight(request, decision.action, decision.ttl, decision.at)
        return request

    def end(self, request: str, result: Result, at: float) -> Decision | None:
        """A warm-up came to its end; return what to do next about its prefix."""
        key = request.rpartition(":")[0]
        state = self._prefixes.get(key)
        self.spending.turn(at)
        self.spending.settle(request, result.usd)
        if state is None or state.flight is None or state.flight.request != request:
            return None
        flight, state.flight = state.flight, None
        self._heed_failure(state, result, at)
        if result.error is not None:
            state.failed(flight)
            if result.error != "cancelled":
                state.breaker.failed(at)
            return self._decide(state, at)
        missed = state.warmed(flight, result, at)
        return replace(self._decide(state, at), missed=missed)

    def sent(self, key: str, ttl: Ttl, at: float) -> None:
        """A question's request left: until its reply says more, the entry is believed written."""
        state = self._prefixes.get(key)
        if state is not None:
            state.sent(ttl, at)

    def replied(self, key: str, ttl: Ttl, result: Result, at: float) -> Decision | None:
        """A question's reply has begun, or failed; its figures beat what was believed."""
        state = self._prefixes.get(key)
        if state is None:
            return None
        self._heed_failure(state, result, at)
        missed = state.replied(ttl, result, at)
        return replace(self._decide(state, at), missed=missed)

    def _heed_failure(self, state: PrefixState, result: Result, at: float) -> None:
        """Leave a model alone that refuses requests, whoever sent them; and no longer after."""
        back_off = self._back_offs.setdefault(state.facts.model, BackOff())
        if result.error is None:
            back_off.succeeded()
        elif result.error != "cancelled":
            back_off.failed(result.error, result.retry_after, at)

    # --- deciding -------------------------------------------------------------------------------

    def _decide(self, state: PrefixState, at: float, moved: bool = False) -> Decision:
        if state.flight is not None:
            # Its end brings the next decision.
            return replace(self._nothing(state, at, IN_FLIGHT), next_look_at=None)
        choice = state.choose(at, moved)
        if not choice.spends:
            return choice
        return self._allowed(state, choice, at)

    def _allowed(self, state: PrefixState, choice: Decision, at: float) -> Decision:
        """Return the choice, or "nothing" with the limit that stands against it."""
        self.spending.turn(at)
        facts = state.facts
        back_off = self._back_offs.get(facts.model)
        if back_off is not None and at < back_off.until:
            why = f"Claude said {back_off.why}; warm-ups wait until it may take them"
            return self._wait(state, at, why, back_off.until)
        if state.breaker.is_open(at):
            return self._wait(state, at, f"left alone: {state.breaker.why}", state.breaker.until)
        most = state.most_usd(choice.ttl)
        if not self.spending.fits(
            facts.context, most, facts.daily_limit_usd, self.limits.daily_usd
        ):
            return self._money_out(state, at, most)
        return choice

    def _money_out(self, state: PrefixState, at: float, most: float) -> Decision:
        """Wait for the next day; say so to operators once."""
        facts = state.facts
        own, all_told = self.spending.used(facts.context), self.spending.used()
        if own + most > facts.daily_limit_usd:
            scope = facts.context
            why = f"{scope} has used ${own:.2f} of its ${facts.daily_limit_usd:.2f} for warmth"
        else:
            scope = "*"
            why = f"${all_told:.2f} of ${self.limits.daily_usd:.2f} for all warmth is used"
        waiting = self._wait(state, at, f"{why} today", (self.spending.day + 1) * DAY)
        return replace(waiting, notice=self.spending.first_refusal(scope))

    def _nothing(self, state: PrefixState, at: float, why: str, ttl: Ttl | None = None) -> Decision:
        return Decision(
            at=at,
            prefix=state.facts.key,
            action="nothing",
            ttl=ttl or state.life(at),
            reason=why,
            next_look_at=state.next_look(at),
            expected=state.expected(at),
        )

    def _wait(self, state: PrefixState, at: float, why: str, until: float) -> Decision:
        nothing = self._nothing(state, at, why)
        return replace(nothing, next_look_at=max(until, at + 1.0))

    # --- over a restart -------------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """Return what was learned and what is alive, as JSON."""
        return {
            "spending": self.spending.snapshot(),
            "prefixes": [state.snapshot() for state in self._prefixes.values()],
        }

    def restore(self, saved: dict[str, Any]) -> None:
        """Take back what `snapshot` returned."""
        self.spending = Spending.restored(saved["spending"])
        for row in saved["prefixes"]:
            state = PrefixState.restored(row, self.limits)
            self._prefixes[state.facts.key] = state

    # --- keeping --------------------------------------------------------------------------------

    def _message(self, state: PrefixState, signal: Signal, place: str, who: str) -> None:
        state.arrivals.conversions.posted(who, place, False, signal.at)
        channel = state.arrivals.channel(place, signal.at)
        if signal.kind == "channel_message":
            channel.opened(signal.at)
        else:
            state.spoke(place, signal.thread, signal.at)

    def _state(self, facts: PrefixFacts, at: float) -> PrefixState:
        state = self._prefixes.get(facts.key)
        if state is None:
            state = self._prefixes[facts.key] = PrefixState(facts, self.limits, at)
            if len(self._prefixes) > MOST_PREFIXES:
                self._prefixes.popitem(last=False)
        else:
            self._prefixes.move_to_end(facts.key)
            state.facts = facts
        return state

    def __repr__(self) -> str:
        at = max((state.seen_at for state in self._prefixes.values()), default=0.0)
        warming = sum(1 for s in self._prefixes.values() if s.flight)
        warm = sum(1 for s in self._prefixes.values() if not s.flight and s.expected(at))
        return (
            f"<Governor [{len(self._prefixes)} prefixes: {warming} warming, {warm} warm | "
            f"${self.spending.used():.2f} today]>"
        )
