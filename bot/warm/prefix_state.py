"""One prefix under the governor: what is believed about it, and the action that pays best.

The belief about the cache entry has two levels. `entry` is what the cache is taken to hold now.
`_confirmed` is what the latest reply proved. They differ while a request is on its way:

    event                         entry                            confirmed
    a question's request left     renewed, or new (as expected)    unchanged
    its reply read everything     renewed from the request's start the same as entry
    its reply wrote               new, of the life that was written the same as entry
    its reply shows neither       none                             the same as entry
    it failed without a reply     back to confirmed                unchanged
    a warm-up came back           as for a reply                   the same as entry

Without the first line, a second question a second later would plan a second write. Money works
the same way: a request is charged with its expected cost when it leaves, and the difference is
settled when its usage is known.

`choose` decides in three states, whose formulas docs/governor.md#choice lists:

    alive and whole    wait until the refresh is due, then refresh or let it lapse
    alive in its base  after a push: write the overlay behind the base
    cold               wait for the planned hour, warm for an open signal, or stay cold

It breaks if a reply is applied twice, which `JoinTicket` prevents. If the outcome of a request is
never reported, the entry stays as it was expected until its life ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bot.claude.cache_check import EXPLAINS_A_MISS
from bot.claude.prices import price_of
from bot.claude.usage import Ttl, Usage
from bot.clock import length_of_time
from bot.stored import dump, load
from bot.warm.cache_entry import MARGIN, CacheEntry, EvictionRates, is_read_whole, new_entry
from bot.warm.economics.costs import MILLION, Costs, costs_of
from bot.warm.economics.prefill import PrefillSpeed, initial_speed
from bot.warm.economics.savings import SavingsLedger
from bot.warm.economics.value import holding_value
from bot.warm.events import Action
from bot.warm.forecast.arrivals import Arrivals
from bot.warm.forecast.conversions import WATCH_SECONDS
from bot.warm.forecast.plan import WarmthPlan
from bot.warm.limits import Breaker, Limits
from bot.warm.miss_reason import explain_miss
from bot.warm.types import Decision, PrefixFacts, Result

STILL_WARM = "warm: the last request wrote or renewed the entry"
STILL_COLD = "cold, and nothing has changed"
NO_WARMTH = "cold: the provider ignores cache markers, so nothing is paid for warmth"
MOST_CHARGES = 256
FREE_PAUSE = 60.0
"""Seconds between two warm-ups on a free model whose server did not keep the first."""
HOLDING_BONUS = 1.15
"""Factor on the value of a live entry. A rate is known from few questions. To let an entry go too
early costs a write and a wait, to hold it too long costs a read."""
TAIL_TOKENS = 64
"""Tokens of a warm-up's prompt beside the prefix, at most."""
LEAST_COMING = 0.02
"""Probability of a question by an open signal below which a planned prefix is left to its plan."""
CLOCK_SLACK = 1e-6
"""Seconds by which a timer may fire before the time that it was set to, by rounding."""


@dataclass(frozen=True, slots=True)
class WarmUpInFlight:
    """A warm-up that has not come back. `request` is the name that its money is kept under."""

    request: str
    action: Action
    ttl: Ttl
    at: float


class PrefixState:
    """Everything that is known about one prefix. `seen_at` is the latest time it was told of."""

    def __init__(self, facts: PrefixFacts, limits: Limits, at: float) -> None:
        self.facts = facts
        self.seen_at = at
        self.entry: CacheEntry | None = None
        self.in_flight: WarmUpInFlight | None = None
        self.arrivals = Arrivals()
        self._plan = WarmthPlan(self.arrivals)
        self.evictions = EvictionRates()
        self.speed = initial_speed(facts.model, facts.tokens, facts.prefill_seconds)
        self._costs_of: tuple[PrefixFacts, float] | None = None
        self._costs = Costs(0.0, 0.0, 0.0, 0.0, 0.0)
        self.breaker = Breaker(limits)
        self.savings = SavingsLedger()
        self._confirmed: CacheEntry | None = None
        self._charges: dict[float, float] = {}
        # Whether the server caches without reporting it, as llama.cpp's does.
        self._keeps_silently = False
        self._warmed_at = float("-inf")
        self.asked_at: float | None = None
        # The limit that keeps the prefix cold, in words for people who ask; "" if none does.
        self.limited = ""

    # --- what is believed -----------------------------------------------------------------------

    def expected_tokens(self, at: float) -> int:
        """Return how many tokens are believed cached."""
        if self.entry is None or not self.facts.lives or not self.entry.is_alive(at):
            return 0
        return self.entry.covered_tokens(self.facts)

    def is_warm(self, at: float) -> bool:
        """Tell whether the whole prefix is believed cached."""
        return self.expected_tokens(at) >= self.facts.tokens > 0

    def is_readable(self, at: float) -> bool:
        """Tell whether a request sent now would read it: the writing request has begun to reply."""
        return self.is_warm(at) and self.entry is not None and self.entry.ready_at <= at

    def cold_reason(self, at: float) -> str:
        """Return in a few words why a question that comes now is cold; "" if it is not."""
        if self.is_warm(at):
            return ""
        if self.expected_tokens(at):
            return "the code has changed since"
        if self.limited:
            return self.limited
        if self.asked_at is None:
            return "first question"
        return f"first question in {length_of_time(at - self.asked_at)}"

    def next_ttl(self, at: float) -> Ttl:
        """Return the life of the live entry, or the one that the next write should have."""
        if self.entry is not None and self.entry.is_alive(at):
            return self._possible(self.entry.ttl)
        return self._possible(self._plan.preferred_ttl)

    def _possible(self, ttl: Ttl) -> Ttl:
        """Return this life if the provider has it, else 5 minutes."""
        return ttl if ttl in self.facts.lives else "5m"

    def costs(self) -> Costs:
        """Return the costs of the prefix as it is now."""
        facts, prefill = self.facts, self.speed.seconds(self.facts.tokens)
        if self._costs_of != (facts, prefill):
            price = price_of(facts.model, facts.tokens)
            self._costs = costs_of(
                price, facts.tokens, prefill, facts.wait_cost_per_hour, facts.lives
            )
            self._costs_of = (facts, prefill)
        return self._costs

    def max_usd(self, ttl: Ttl) -> float:
        """Return the most that a warm-up of this life can cost."""
        tokens = self.facts.tokens + TAIL_TOKENS
        price = price_of(self.facts.model, tokens)
        write = price.write_5m if ttl == "5m" else price.write_1h
        return tokens * max(write, price.read) / MILLION

    def next_look_at(self, at: float) -> float | None:
        """Return when this prefix wants to be looked at again (Unix seconds)."""
        if self.entry is not None and self.is_warm(at):
            return max(self._refresh_due(self.entry), at)
        # A plan whose time is over is made anew by the next decision.
        look_at = self._plan.look_at
        return look_at if look_at is None or look_at > at else None

    # --- what happens ---------------------------------------------------------------------------

    def record_question(self, channel_key: str, thread: str | None, user: str, at: float) -> None:
        """Take in a question."""
        self.seen_at = self.asked_at = max(self.seen_at, at)
        self.savings.charge_shadow(at, self.costs())
        self.arrivals.conversions.record_post(user, channel_key, True, at)
        channel = self.arrivals.channel(channel_key, at)
        self._plan.record_activity(at)
        if thread is None or not channel.record_message(thread, True, at):
            channel.record_opening(at)
            channel.record_new_question(thread, at)

    def record_message(self, channel_key: str, thread: str | None, at: float) -> None:
        """Take in a message or an answer in a thread: the next question is likely there."""
        channel = self.arrivals.channels.get(channel_key)
        if channel is None or thread is None:
            return
        if channel.record_message(thread, False, at):
            self._plan.record_activity(at)

    # --- what replies say -----------------------------------------------------------------------

    def record_request(self, ttl: Ttl, at: float) -> None:
        """Take in that a question's request left. Until its reply, its effect is as expected."""
        costs = self.costs()
        if self.entry is not None and self.is_warm(at):
            self.charge(at, costs.read)
            self.savings.charge(costs.second * max(0.0, self.entry.ready_at - at))
            self.entry = self.entry.renew(at)
        else:
            wait = self.speed.seconds(self.facts.tokens - self.expected_tokens(at))
            self.charge(at, costs.write(ttl))
            self.savings.charge(costs.second * wait)
            self.entry = new_entry(self.facts, ttl, at, at + wait)

    def charge(self, started_at: float, usd: float) -> None:
        """Charge a request that started then with its expected cost, until its usage is known."""
        self.savings.charge(usd)
        self._charges[started_at] = self._charges.get(started_at, 0.0) + usd
        while len(self._charges) > MOST_CHARGES:
            del self._charges[next(iter(self._charges))]

    def apply_warm_up(self, warm_up: WarmUpInFlight, result: Result, at: float) -> str | None:
        """Apply a warm-up's reply. Return why it missed what was believed cached, if it did."""
        self._warmed_at = warm_up.at
        wrote = not is_read_whole(result.usage, self.facts.tokens)
        missed = self._apply_usage(warm_up.ttl, result, at)
        if wrote and warm_up.action == "warm":
            self.breaker.record_write(at)
        return missed

    def apply_failed_warm_up(self, warm_up: WarmUpInFlight) -> None:
        """Take in that a warm-up got no reply: nothing was written, nothing is owed."""
        self._settle_charge(warm_up.at, Usage())

    def apply_reply(self, ttl: Ttl, result: Result, at: float) -> str | None:
        """Apply a question's reply that has begun, or its failure. Return why it missed, if so."""
        if result.error is not None and not result.usage.total_input:
            self.entry = self._confirmed
            self._settle_charge(result.started_at, result.usage)
            return None
        missed = self._apply_usage(ttl, result, at)
        if is_read_whole(result.usage, self.facts.tokens):
            self.breaker.record_read()
        return missed

    def _apply_usage(self, ttl: Ttl, result: Result, at: float) -> str | None:
        """Apply the figures: what was read was alive, what was written is alive now."""
        usage, started_at, tokens = result.usage, result.started_at, self.facts.tokens
        confirmed = self._confirmed
        before = confirmed if confirmed is not None and confirmed.is_alive(started_at) else None
        if is_read_whole(usage, tokens):
            self.speed.record_read(result.seconds)
            self._settle_charge(started_at, usage)
            self._apply_read(before, started_at)
            return None
        missed = self._miss_reason(before, result, at)
        self._settle_charge(started_at, usage)
        uncached = min(usage.total_input - usage.cache_read, tokens)
        self.speed.record_write(uncached, result.seconds)
        ready_at = started_at + result.seconds
        if usage.written:
            written_ttl: Ttl = "1h" if usage.write_1h else "5m"
            self._confirm(new_entry(self.facts, written_ttl, started_at, ready_at))
        elif result.kept or (self._keeps_silently and result.kept is None):
            # A warm-up proved once that this server caches without saying so. From then on a
            # question's reply, which proves nothing by itself, is believed to have cached too.
            self._keeps_silently = True
            self._confirm(new_entry(self.facts, ttl, started_at, ready_at))
        else:
            self._confirm(None)
        return missed

    def _settle_charge(self, started_at: float, usage: Usage) -> None:
        """Replace the expected cost of a request by that of its usage, output left out."""
        charged = self._charges.pop(started_at, None)
        if charged is not None:
            price = price_of(self.facts.model, usage.total_input)
            # The question's own tokens cost the same with and without warmth.
            prefix = Usage(
                cache_read=usage.cache_read, write_5m=usage.write_5m, write_1h=usage.write_1h
            )
            self.savings.charge(price.of(prefix) - charged)

    def _apply_read(self, before: CacheEntry | None, started_at: float) -> None:
        """Take in that everything was read: the entry lives, even if it was not known."""
        if before is not None and before.fingerprint == self.facts.fingerprint:
            self.evictions.observe(started_at - before.touched_at, True)
            self._confirm(before.renew(started_at))
        else:
            # Another process wrote it, with a life that is not known. The shorter one is safe.
            self._confirm(new_entry(self.facts, "5m", started_at, started_at))

    def _miss_reason(self, before: CacheEntry | None, result: Result, at: float) -> str | None:
        """Return why less was read than a live entry should have given; None if that is so."""
        if before is None or result.started_at < before.ready_at:
            return None
        believed, read = before.covered_tokens(self.facts), result.usage.cache_read
        if not believed or is_read_whole(result.usage, believed):
            return None
        gap = result.started_at - before.touched_at
        if result.missed not in EXPLAINS_A_MISS:
            # A changed prompt says nothing about evictions.
            self.evictions.observe(gap, False)
        self.breaker.record_miss(at)
        why = explain_miss(before, self.facts, result.missed)
        return f"read {read} of {believed} tokens, {gap:.0f} s after the last touch: {why}"

    def _confirm(self, entry: CacheEntry | None) -> None:
        self._confirmed = self.entry = entry
        if entry is not None:
            # The plan is for a cold prefix.
            self._plan.look_at = None

    # --- across a restart -----------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """Return what is to survive a restart as JSON. Requests in flight do not."""
        return {
            # Version 0.1.0 does not start if it meets a field that it does not know.
            "facts": dump(self.facts, defaults=False),
            "seen_at": self.seen_at,
            "asked_at": self.asked_at,
            "entry": dump(self._confirmed) if self._confirmed is not None else None,
            "arrivals": self.arrivals.snapshot(),
            "survival": self.evictions.snapshot(),
            "speed": self.speed.snapshot(),
            "savings": self.savings.snapshot(),
            "breaker": self.breaker.snapshot(),
            "keeps_silently": self._keeps_silently,
        }

    @classmethod
    def from_snapshot(cls, state: dict[str, Any], limits: Limits) -> PrefixState:
        """Return the state that `snapshot` returned."""
        prefix = cls(load(PrefixFacts, state["facts"]), limits, float(state["seen_at"]))
        if state["entry"] is not None:
            prefix._confirm(load(CacheEntry, state["entry"]))
        prefix.arrivals = Arrivals.from_snapshot(state["arrivals"])
        prefix._plan = WarmthPlan(prefix.arrivals)
        # Version 0.1.0 did not store it. The prefix was last heard of at `seen_at`.
        prefix.asked_at = state.get("asked_at", prefix.seen_at)
        prefix.evictions = EvictionRates.from_snapshot(state["survival"])
        prefix.speed = PrefillSpeed.from_snapshot(state["speed"])
        prefix.savings = SavingsLedger.from_snapshot(state["savings"])
        prefix.breaker.restore(state["breaker"])
        prefix._keeps_silently = bool(state["keeps_silently"])
        return prefix

    # --- choosing -------------------------------------------------------------------------------

    def choose(self, at: float, pushed: bool = False) -> Decision:
        """Return the action that pays best, limits aside."""
        self.seen_at = max(self.seen_at, at)
        if not self.facts.lives:
            return self._decision(at, "nothing", "5m", NO_WARMTH, 0.0, 0.0, None)
        if self.costs().is_free:
            return self._keep_warm(at)
        entry = self.entry
        if entry is not None and entry.is_alive(at):
            if self.is_warm(at):
                due = self._refresh_due(entry)
                if at >= due - CLOCK_SLACK:
                    return self._refresh_or_lapse(entry, at)
                return self._wait(at, due)
            if pushed and entry.covered_tokens(self.facts):
                return self._write_overlay(entry, at)
        return self._choose_cold(at)

    def choose_ttl(self, at: float, channel_key: str) -> tuple[Ttl, str]:
        """Return the life that a cold question should write with, and why."""
        if not self.facts.lives:
            return "5m", NO_WARMTH
        costs = self.costs()
        value = self._plan.value(at, costs, channel_key)
        # The question is on the shadow's bill already, and its write not yet on ours.
        if value.preferred_ttl == "1h" and not self.savings.allows(costs.write_1h, costs):
            return "5m", "cold: an hour's life must be paid out of what warmth has saved"
        return value.preferred_ttl, value.reason()

    def _keep_warm(self, at: float) -> Decision:
        """Write or refresh the entry whenever it is not alive: warmth on this model is free."""
        if self.entry is not None and self.is_warm(at):
            due = self._refresh_due(self.entry)
            if at < due - CLOCK_SLACK:
                why = f"kept warm: warmth on {self.facts.model} costs nothing"
                return self._decision(at, "nothing", self.entry.ttl, why, 0.0, 0.0, due)
            why = f"refresh: warmth on {self.facts.model} costs nothing"
            return self._decision(at, "refresh", self.entry.ttl, why, 0.0, 0.0, None)
        again = self._warmed_at + FREE_PAUSE
        if at < again - CLOCK_SLACK:
            # A server without a cache would be sent warm-ups without end.
            why = "cold: the server did not keep the last warm-up"
            return self._decision(at, "nothing", "5m", why, 0.0, 0.0, again)
        why = f"warm: warmth on {self.facts.model} costs nothing"
        return self._decision(at, "warm", "5m", why, 0.0, 0.0, None)

    def _refresh_or_lapse(self, entry: CacheEntry, at: float) -> Decision:
        """Refresh a live entry whose refresh is due, or let it lapse."""
        costs, plan = self.costs(), self._plan
        value = plan.value(at, costs)
        saving = HOLDING_BONUS * value.saving(entry.ttl)
        silence = plan.silence(at, entry.ttl, blocks=1)
        gain = saving * (1 - silence[1]) - costs.read
        write_later = 0.0
        if gain <= 0:
            # One more life does not pay by itself. Several may, and so may a new write later.
            silences = plan.silence(at, entry.ttl)
            gain = holding_value(silences, entry.ttl, saving, costs.read, first_is_paid=False)
            write_later = plan.make(at, costs)
        chance = 1 - silence[1]
        if gain <= write_later or not self.savings.allows(costs.read, costs):
            why = f"lapse: a question within {entry.ttl} has a chance of {chance:.1%}, too little"
            return self._decision(
                at, "lapse", value.preferred_ttl, why, 0.0, write_later, plan.look_at
            )
        why = f"refresh: a question has a chance of {chance:.1%} and would save ${saving:.2f}"
        return self._decision(at, "refresh", entry.ttl, why, costs.read, gain, None)

    def _write_overlay(self, entry: CacheEntry, at: float) -> Decision:
        """After a push: write the new overlay behind a base that is alive."""
        costs = self.costs()
        base, new = self.facts.base_tokens, self.facts.tokens - self.facts.base_tokens
        share = new / max(1, self.facts.tokens)
        cost = costs.read * (1 - share) + costs.write(entry.ttl) * share
        why = f"warm what a push has added: {new} tokens behind {base} that are alive"
        return self._decision(at, "warm", entry.ttl, why, cost, costs.second * costs.prefill, None)

    def _choose_cold(self, at: float) -> Decision:
        conversions = self.arrivals.conversions
        conversions.expire(at)
        coming = 0.0
        if conversions.open:
            coming = conversions.pending_probability(at, at + WATCH_SECONDS)
        if coming < LEAST_COMING and self._plan.is_pending(at):
            return self._wait(at, self._plan.look_at)
        return self._write_or_stay_cold(at, coming)

    def _write_or_stay_cold(self, at: float, coming: float) -> Decision:
        """Write the entry with the life that pays best, or leave the prefix cold.

        `coming` is the probability that an open signal becomes a question.
        """
        costs, plan = self.costs(), self._plan
        value = plan.value(at, costs)
        remaining = self.arrivals.conversions.remaining_wait(costs.prefill)
        saved_wait = costs.second * (costs.prefill - remaining)
        without_signals = plan.value_without_signals(at, costs)
        best, best_ttl = 0.0, value.preferred_ttl
        for ttl in self.facts.lives:
            # The question would pay for its own write, and wait for the part of the prefill that
            # its signal did not cover in any case.
            used = value.saving(ttl, costs.write_5m + saved_wait)
            gain = coming * used + (1 - coming) * without_signals[ttl] - costs.write(ttl)
            if gain > best and self.savings.allows(costs.write(ttl), costs):
                best, best_ttl = gain, ttl
        if not plan.is_pending(at):
            plan.make(at, costs)
        price = costs.write(best_ttl)
        # If the signal's question comes, it writes the entry, and the plan is void.
        waiting = (1 - coming) * plan.waiting_value
        if best <= waiting:
            why = f"stay cold: a question soon has a chance of {coming:.0%}, not worth ${price:.2f}"
            if best > 0:
                why += f", and a later write is worth ${waiting:.2f}"
            return self._decision(at, "nothing", best_ttl, why, 0.0, 0.0, plan.look_at)
        why = (
            f"warm for {best_ttl}: a question soon has a chance of {coming:.0%} and would save"
            f" ${saved_wait:.2f} of waiting"
        )
        return self._decision(at, "warm", best_ttl, why, price, best, None)

    # --- parts of a decision --------------------------------------------------------------------

    def _refresh_due(self, entry: CacheEntry) -> float:
        """Return when the entry is to be refreshed: before it is likely evicted, or ends."""
        costs = self.costs()
        interval = self.evictions.refresh_interval(entry.ttl, costs.read, costs.write(entry.ttl))
        return min(entry.touched_at + interval, entry.alive_until - MARGIN[entry.ttl])

    def _wait(self, at: float, until: float | None) -> Decision:
        why = STILL_WARM if self.is_warm(at) else STILL_COLD
        return self._decision(at, "nothing", self.next_ttl(at), why, 0.0, 0.0, until)

    def _decision(
        self,
        at: float,
        action: Action,
        ttl: Ttl,
        why: str,
        cost: float,
        gain: float,
        next_look_at: float | None,
    ) -> Decision:
        return Decision(
            at=at,
            prefix=self.facts.key,
            action=action,
            ttl=ttl,
            reason=why,
            cost_usd=cost,
            gain_usd=gain,
            next_look_at=next_look_at,
            expected=self.expected_tokens(at),
        )
