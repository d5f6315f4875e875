"""The governor: which prefixes to keep warm, when, for how long, and why.

Pure: it performs no I/O, has no clock and no randomness. It is told of signals, questions,
requests and their results, each with its time, and returns decisions. The bot and `forewarm
simulate` run this same class. A decision depends on nothing later than itself.

An action passes three stages: what pays best (`PrefixState.choose`), what is allowed (`_allowed`),
and for a signal what its user may still cause (`handle_signal`). A decision that a limit refuses
says which limit, and when to look again. See docs/governor.md.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from typing import Any

from bot.claude.usage import Ttl
from bot.warm.forecast.arrivals import key_of_channel
from bot.warm.forecast.conversions import PRIORS
from bot.warm.limits import DAY, BackOff, Limits, Spending, UserCaps
from bot.warm.prefix_state import PrefixState, WarmUpInFlight
from bot.warm.signals import Signal
from bot.warm.types import Decision, PrefixFacts, Result

MOST_PREFIXES = 1024
IN_FLIGHT = "a warm-up is in flight already"
USER_CAP_REACHED = "this user's warm-ups for the hour are used up"


class Governor:
    """Decides for all prefixes of one installation."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.spending = Spending()
        self._users = UserCaps(self.limits.per_user_hour)
        self._prefixes: OrderedDict[str, PrefixState] = OrderedDict()
        self._back_offs: dict[str, BackOff] = {}
        self._requests = 0

    # --- what happens ---------------------------------------------------------------------------

    def handle_signal(self, facts: PrefixFacts, signal: Signal) -> Decision:
        """Take in a signal, and decide about the prefix that it concerns."""
        state = self._state(facts, signal.at)
        channel_key = key_of_channel(signal.channel)
        # A signal without a user counts for its channel.
        user = signal.user or channel_key
        match signal.kind:
            case "channel_message" | "thread_message":
                self._record_message(state, signal, channel_key, user)
            case "modal_closed" | "message_deleted":
                state.arrivals.conversions.cancel(user)
            case "answered":
                state.record_message(channel_key, signal.thread, signal.at)
            case kind if kind in PRIORS:
                in_thread = signal.thread is not None
                conversions = state.arrivals.conversions
                conversions.record_signal(user, channel_key, kind, in_thread, signal.at)
        decision = self._decide(state, signal.at, signal.kind == "push")
        spends = decision.action == "warm" and not state.costs().is_free
        if spends and not self._users.allows(signal.user, signal.at):
            return self._decide_nothing(state, signal.at, USER_CAP_REACHED)
        return decision

    def update_prefix(self, facts: PrefixFacts, at: float) -> Decision:
        """Take in a prefix as it is now: at start, and after a push to its repository."""
        known = self._prefixes.get(facts.key)
        pushed = known is not None and known.facts.fingerprint != facts.fingerprint
        return self._decide(self._state(facts, at), at, pushed)

    def handle_question(
        self, facts: PrefixFacts, channel: str | None, thread: str | None, user: str, at: float
    ) -> Decision:
        """Take in a question. The decision's `ttl` is the life its own request should ask for."""
        state = self._state(facts, at)
        channel_key = key_of_channel(channel)
        state.record_question(channel_key, thread, user, at)
        expected = state.expected_tokens(at)
        if expected:
            return self._decide_nothing(state, at, f"{expected} tokens are believed cached")
        ttl, why = state.choose_ttl(at, channel_key)
        return self._decide_nothing(state, at, why, ttl)

    def look(self, key: str, at: float) -> Decision | None:
        """Decide about a prefix because its time has come. Return None if it is not known."""
        state = self._prefixes.get(key)
        return self._decide(state, at) if state else None

    def expected_tokens(self, facts: PrefixFacts, at: float) -> int:
        """Return how many of a prefix's tokens are believed cached."""
        return self._state(facts, at).expected_tokens(at)

    def is_warm(self, facts: PrefixFacts, at: float) -> bool:
        """Tell whether the whole prefix is believed cached and can be read now."""
        return self._state(facts, at).is_readable(at)

    def cold_reason(self, facts: PrefixFacts, at: float) -> str:
        """Return why a question that comes now is cold, in a few words; "" if it is not."""
        return self._state(facts, at).cold_reason(at)

    def record_question_elsewhere(self, key: str, at: float) -> None:
        """Take in that another replica was asked."""
        state = self._prefixes.get(key)
        if state is not None:
            state.asked_at = max(at, state.asked_at or at)

    def prefill_seconds(self, key: str) -> float:
        """Return the seconds that writing a prefix takes, measured if it was written before."""
        state = self._prefixes.get(key)
        return state.speed.seconds(state.facts.tokens) if state else 0.0

    # --- what is sent, and what comes back ------------------------------------------------------

    def begin_warm_up(self, decision: Decision, user: str | None = None) -> str:
        """Take in that a warm-up leaves. Return the name that its money is kept under."""
        state = self._prefixes[decision.prefix]
        self._requests += 1
        request = f"{decision.prefix}:{self._requests}"
        self.spending.turn_day(decision.at)
        self.spending.reserve(request, state.facts.context, state.max_usd(decision.ttl))
        if decision.action == "warm":
            self._users.record(user, decision.at)
        state.charge(decision.at, decision.cost_usd)
        state.in_flight = WarmUpInFlight(request, decision.action, decision.ttl, decision.at)
        return request

    def end_warm_up(self, request: str, result: Result, at: float) -> Decision | None:
        """Apply a warm-up's result. Return what to do next about its prefix."""
        key = request.rpartition(":")[0]
        state = self._prefixes.get(key)
        self.spending.turn_day(at)
        self.spending.settle(request, result.usd)
        if state is None or state.in_flight is None or state.in_flight.request != request:
            return None
        warm_up, state.in_flight = state.in_flight, None
        self._update_back_off(state, result, at)
        if result.lives is not None:
            state.facts = replace(state.facts, lives=result.lives)
        if not state.facts.lives:
            # It was not sent: the provider has no warmth.
            state.apply_failed_warm_up(warm_up)
            return self._decide(state, at)
        if result.error is not None:
            state.apply_failed_warm_up(warm_up)
            if result.error != "cancelled":
                state.breaker.record_failure(at)
            return self._decide(state, at)
        missed = state.apply_warm_up(warm_up, result, at)
        return replace(self._decide(state, at), missed=missed)

    def record_request(self, key: str, ttl: Ttl, at: float) -> None:
        """Take in that a question's request leaves: its entry is believed written from now on."""
        state = self._prefixes.get(key)
        if state is not None:
            state.record_request(ttl, at)

    def apply_reply(self, key: str, ttl: Ttl, result: Result, at: float) -> Decision | None:
        """Apply a question's reply that has begun, or its failure. Return what to do next."""
        state = self._prefixes.get(key)
        if state is None:
            return None
        self._update_back_off(state, result, at)
        missed = state.apply_reply(ttl, result, at)
        return replace(self._decide(state, at), missed=missed)

    def _update_back_off(self, state: PrefixState, result: Result, at: float) -> None:
        """Leave a model alone that refuses requests, until one succeeds. Any sender counts."""
        back_off = self._back_offs.setdefault(state.facts.model, BackOff())
        if result.error is None:
            back_off.record_success()
        elif result.error != "cancelled":
            back_off.record_failure(result.error, result.retry_after, at)

    # --- deciding -------------------------------------------------------------------------------

    def _decide(self, state: PrefixState, at: float, pushed: bool = False) -> Decision:
        if state.in_flight is not None:
            # Its end brings the next decision.
            return replace(self._decide_nothing(state, at, IN_FLIGHT), next_look_at=None)
        state.limited = ""
        choice = state.choose(at, pushed)
        if not choice.spends:
            return choice
        return self._allowed(state, choice, at)

    def _allowed(self, state: PrefixState, choice: Decision, at: float) -> Decision:
        """Return the choice, or "nothing" with the limit that refuses it."""
        self.spending.turn_day(at)
        facts = state.facts
        back_off = self._back_offs.get(facts.model)
        if back_off is not None and at < back_off.until:
            state.limited = "Claude takes no warm-ups at the moment"
            why = f"Claude said {back_off.why}; warm-ups wait until it may take them"
            return self._wait(state, at, why, back_off.until)
        if state.breaker.is_open(at):
            return self._wait(state, at, f"left alone: {state.breaker.why}", state.breaker.until)
        most = state.max_usd(choice.ttl)
        if not self.spending.fits(
            facts.context, most, facts.daily_limit_usd, self.limits.daily_usd
        ):
            return self._refuse_for_money(state, at, most)
        return choice

    def _refuse_for_money(self, state: PrefixState, at: float, most: float) -> Decision:
        """Wait for the next day. Notify operators the first time."""
        state.limited = "today's limit for warm-ups is reached"
        facts = state.facts
        own, total = self.spending.used(facts.context), self.spending.used()
        if own + most > facts.daily_limit_usd:
            scope = facts.context
            why = f"{scope} has used ${own:.2f} of its ${facts.daily_limit_usd:.2f} for warmth"
        else:
            scope = "*"
            why = f"${total:.2f} of ${self.limits.daily_usd:.2f} for all warmth is used"
        waiting = self._wait(state, at, f"{why} today", (self.spending.day + 1) * DAY)
        return replace(waiting, notice=self.spending.is_first_refusal(scope))

    def _decide_nothing(
        self, state: PrefixState, at: float, why: str, ttl: Ttl | None = None
    ) -> Decision:
        return Decision(
            at=at,
            prefix=state.facts.key,
            action="nothing",
            ttl=ttl or state.next_ttl(at),
            reason=why,
            next_look_at=state.next_look_at(at),
            expected=state.expected_tokens(at),
        )

    def _wait(self, state: PrefixState, at: float, why: str, until: float) -> Decision:
        nothing = self._decide_nothing(state, at, why)
        # A limit that ends now must not make a loop of looks without time in between.
        return replace(nothing, next_look_at=max(until, at + 1.0))

    # --- across a restart -----------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """Return what was learned and what is alive as JSON."""
        return {
            "spending": self.spending.snapshot(),
            "prefixes": [state.snapshot() for state in self._prefixes.values()],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take back what `snapshot` returned."""
        self.spending = Spending.from_snapshot(state["spending"])
        for row in state["prefixes"]:
            prefix = PrefixState.from_snapshot(row, self.limits)
            self._prefixes[prefix.facts.key] = prefix

    # --- prefixes -------------------------------------------------------------------------------

    def _record_message(
        self, state: PrefixState, signal: Signal, channel_key: str, user: str
    ) -> None:
        state.arrivals.conversions.record_post(user, channel_key, False, signal.at)
        channel = state.arrivals.channel(channel_key, signal.at)
        if signal.kind == "channel_message":
            channel.record_opening(signal.at)
        else:
            state.record_message(channel_key, signal.thread, signal.at)

    def _state(self, facts: PrefixFacts, at: float) -> PrefixState:
        """Return a prefix's state with its newest facts. The one unused for longest makes room."""
        state = self._prefixes.get(facts.key)
        if state is None:
            state = self._prefixes[facts.key] = PrefixState(facts, self.limits, at)
            if len(self._prefixes) > MOST_PREFIXES:
                self._prefixes.popitem(last=False)
        else:
            self._prefixes.move_to_end(facts.key)
            state.facts = facts
        return state
