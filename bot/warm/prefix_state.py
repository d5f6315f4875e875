"""One prefix under the governor: what is believed of it, and the choice that pays best now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bot.claude.cache_check import EXPLAINS_A_MISS
from bot.claude.prices import price_of
from bot.claude.usage import TTL_SECONDS, Ttl, Usage
from bot.stored import dump, load
from bot.warm.cache_entry import MARGIN, Entry, Survival, read_whole, written
from bot.warm.economics.costs import Costs, costs_of
from bot.warm.economics.prefill import Speed, guess
from bot.warm.economics.savings import Savings
from bot.warm.economics.value import held
from bot.warm.events import Action
from bot.warm.forecast.arrivals import Arrivals
from bot.warm.forecast.conversions import WATCHED
from bot.warm.forecast.plan import Prospects
from bot.warm.limits import Breaker, Limits
from bot.warm.miss_reason import explained
from bot.warm.types import Decision, PrefixFacts, Result

MOST_CHARGED = 256
STEADY = 1.15
"""By how much more than its plain worth a live entry is held. A rate is known from few questions,
and what letting go of an entry too early costs is many times what a read too many does."""
TAIL_TOKENS = 64
"""What a warm-up's prompt holds beside the prefix, at the most."""


@dataclass(frozen=True, slots=True)
class WarmUpInFlight:
    """A warm-up on its way. `request` is the name it is accounted under."""

    request: str
    action: Action
    ttl: Ttl
    at: float


class PrefixState:
    """What is known of one prefix. `seen_at` is the latest time it was told of."""

    def __init__(self, facts: PrefixFacts, limits: Limits, at: float) -> None:
        self.facts = facts
        self.seen_at = at
        self.entry: Entry | None = None
        self.flight: WarmUpInFlight | None = None
        self.arrivals = Arrivals()
        self._prospects = Prospects(self.arrivals)
        self.survival = Survival()
        self.speed = guess(facts.model, facts.tokens, facts.prefill_seconds)
        self._costs_of: tuple[PrefixFacts, float] | None = None
        self._costs = Costs(0.0, 0.0, 0.0, 0.0, 0.0)
        self.breaker = Breaker(limits)
        self.savings = Savings()
        self._sure: Entry | None = None
        self._charged: dict[float, float] = {}
        self._keeps_silently = False

    # --- what is believed -----------------------------------------------------------------------

    def expected(self, at: float) -> int:
        """Return how many tokens are believed cached."""
        if self.entry is None or not self.entry.alive(at):
            return 0
        return self.entry.covers(self.facts)

    def warm(self, at: float) -> bool:
        return self.expected(at) >= self.facts.tokens > 0

    def readable(self, at: float) -> bool:
        return self.warm(at) and self.entry is not None and self.entry.ready_at <= at

    def life(self, at: float) -> Ttl:
        """Return the life of the live entry, else the one that the next write should have."""
        if self.entry is not None and self.entry.alive(at):
            return self.entry.ttl
        return self._prospects.writes

    def costs(self) -> Costs:
        facts, prefill = self.facts, self.speed.prefill(self.facts.tokens)
        if self._costs_of != (facts, prefill):
            price = price_of(facts.model, facts.tokens)
            self._costs = costs_of(price, facts.tokens, prefill, facts.wait_cost_per_hour)
            self._costs_of = (facts, prefill)
        return self._costs

    def most_usd(self, ttl: Ttl) -> float:
        """Return the most that a warm-up of this life can cost."""
        tokens = self.facts.tokens + TAIL_TOKENS
        price = price_of(self.facts.model, tokens)
        return tokens * max(price.write_5m if ttl == "5m" else price.write_1h, price.read) / 1e6

    def next_look(self, at: float) -> float | None:
        """Return when this prefix wants to be looked at again."""
        if self.entry is not None and self.warm(at):
            return max(self._due(self.entry), at)
        # A plan whose time is over is made anew by the next decision.
        plan_at = self._prospects.plan_at
        return plan_at if plan_at is None or plan_at > at else None

    # --- what happens ---------------------------------------------------------------------------

    def asked(self, place: str, thread: str | None, user: str, at: float) -> None:
        """A question came."""
        self.seen_at = max(self.seen_at, at)
        self.savings.asked(at, self.costs())
        self.arrivals.conversions.posted(user, place, True, at)
        channel = self.arrivals.channel(place, at)
        self._prospects.heard(at)
        if thread is None or not channel.spoke(thread, True, at):
            channel.opened(at)
            channel.asked_anew(thread, at)

    def spoke(self, place: str, thread: str | None, at: float) -> None:
        """Somebody wrote in a thread, or was answered: there the next question is likely."""
        channel = self.arrivals.channels.get(place)
        if channel is not None and thread is not None and channel.spoke(thread, False, at):
            self._prospects.heard(at)

    # --- what replies say -----------------------------------------------------------------------

    def sent(self, ttl: Ttl, at: float) -> None:
        """A question's request left; until its reply says more, it did what was expected."""
        costs = self.costs()
        if self.entry is not None and self.warm(at):
            self.charge(at, costs.read)
            self.savings.spent(costs.second * max(0.0, self.entry.ready_at - at))
            self.entry = self.entry.touched(at)
        else:
            waits = self.speed.prefill(self.facts.tokens - self.expected(at))
            self.charge(at, costs.write(ttl))
            self.savings.spent(costs.second * waits)
            self.entry = written(self.facts, ttl, at, at + waits)

    def charge(self, at: float, usd: float) -> None:
        """Take a request that started at `at` to cost so much, until its reply says more."""
        self.savings.spent(usd)
        self._charged[at] = self._charged.get(at, 0.0) + usd
        while len(self._charged) > MOST_CHARGED:
            del self._charged[next(iter(self._charged))]

    def warmed(self, flight: WarmUpInFlight, result: Result, at: float) -> str | None:
        """A warm-up came back; return why it missed what was believed cached, if it did."""
        wrote = not read_whole(result.usage, self.facts.tokens)
        missed = self._heed(flight.ttl, result, at)
        if wrote and flight.action == "warm":
            self.breaker.wrote(at)
        return missed

    def failed(self, flight: WarmUpInFlight) -> None:
        """A warm-up never came back: nothing was written, nothing is owed."""
        self._settle(flight.at, Usage())

    def replied(self, ttl: Ttl, result: Result, at: float) -> str | None:
        """A question's reply began; or it failed, and what was sure before holds again."""
        if result.error is not None and not result.usage.total_input:
            self.entry = self._sure
            self._settle(result.started_at, result.usage)
            return None
        missed = self._heed(ttl, result, at)
        if read_whole(result.usage, self.facts.tokens):
            self.breaker.read()
        return missed

    def _heed(self, ttl: Ttl, result: Result, at: float) -> str | None:
        """Believe the figures: what was read was alive, what was written is alive now."""
        usage, started, tokens = result.usage, result.started_at, self.facts.tokens
        before = self._sure if self._sure is not None and self._sure.alive(started) else None
        if read_whole(usage, tokens):
            self.speed.read(result.seconds)
            self._settle(started, usage)
            self._read(before, started)
            return None
        missed = self._miss_reason(before, result, at)
        self._settle(started, usage)
        fresh = min(usage.total_input - usage.cache_read, tokens)
        self.speed.wrote(fresh, result.seconds)
        ready = started + result.seconds
        if usage.written:
            self._now(written(self.facts, "1h" if usage.write_1h else "5m", started, ready))
        elif result.kept or (self._keeps_silently and result.kept is None):
            self._keeps_silently = True
            self._now(written(self.facts, ttl, started, ready))
        else:
            self._now(None)
        return missed

    def _settle(self, started: float, usage: Usage) -> None:
        """Put what a request did cost in place of what it was taken to cost."""
        taken = self._charged.pop(started, None)
        if taken is not None:
            price = price_of(self.facts.model, usage.total_input)
            prefix = Usage(
                cache_read=usage.cache_read, write_5m=usage.write_5m, write_1h=usage.write_1h
            )
            self.savings.spent(price.of(prefix) - taken)

    def _read(self, before: Entry | None, started: float) -> None:
        """Everything was read: the entry lives, also one that was not known of."""
        if before is not None and before.fingerprint == self.facts.fingerprint:
            self.survival.observe(started - before.touched_at, True)
            self._now(before.touched(started))
        else:
            self._now(written(self.facts, "5m", started, started))

    def _miss_reason(self, before: Entry | None, result: Result, at: float) -> str | None:
        """Say why less was read than a live entry should have given."""
        if before is None or result.started_at < before.ready_at:
            return None
        believed, read = before.covers(self.facts), result.usage.cache_read
        if not believed or read_whole(result.usage, believed):
            return None
        gap = result.started_at - before.touched_at
        if result.missed not in EXPLAINS_A_MISS:
            self.survival.observe(gap, False)
        self.breaker.missed(at)
        why = explained(before, self.facts, result.missed)
        return f"read {read} of {believed} tokens, {gap:.0f} s after the last touch: {why}"

    def _now(self, entry: Entry | None) -> None:
        self._sure = self.entry = entry
        if entry is not None:
            self._prospects.plan_at = None

    # --- keeping --------------------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """Return what is to survive a restart; what was in flight does not."""
        return {
            "facts": dump(self.facts),
            "seen_at": self.seen_at,
            "entry": dump(self._sure) if self._sure is not None else None,
            "arrivals": self.arrivals.snapshot(),
            "survival": self.survival.snapshot(),
            "speed": self.speed.snapshot(),
            "savings": self.savings.snapshot(),
            "breaker": self.breaker.snapshot(),
            "keeps_silently": self._keeps_silently,
        }

    @classmethod
    def restored(cls, saved: dict[str, Any], limits: Limits) -> PrefixState:
        state = cls(load(PrefixFacts, saved["facts"]), limits, float(saved["seen_at"]))
        if saved["entry"] is not None:
            state._now(load(Entry, saved["entry"]))
        state.arrivals = Arrivals.restored(saved["arrivals"])
        state._prospects = Prospects(state.arrivals)
        state.survival = Survival.restored(saved["survival"])
        state.speed = Speed.restored(saved["speed"])
        state.savings = Savings.restored(saved["savings"])
        state.breaker.restore(saved["breaker"])
        state._keeps_silently = bool(saved["keeps_silently"])
        return state

    # --- choosing -------------------------------------------------------------------------------

    def choose(self, at: float, pushed: bool = False) -> Decision:
        """Return what pays best now, limits aside."""
        self.seen_at = max(self.seen_at, at)
        entry = self.entry
        if entry is not None and entry.alive(at):
            if self.warm(at):
                due = self._due(entry)
                return self._hold(entry, at) if at >= due - 1e-6 else self._rest(at, due)
            if pushed and entry.covers(self.facts):
                return self._extend(entry, at)
        return self._from_cold(at)

    def writes(self, at: float, place: str) -> tuple[Ttl, str]:
        """Return the life that a cold question should write with, and why."""
        costs = self.costs()
        worth = self._prospects.worth(at, costs, place)
        # The question is on the shadow's bill already, and its write not yet on ours.
        if worth.writes == "1h" and not self.savings.allows(costs.write_1h, costs):
            return "5m", "cold: an hour's life must be paid out of what warmth has saved"
        return worth.writes, worth.reason()

    def _hold(self, entry: Entry, at: float) -> Decision:
        """Refresh a live entry whose life is about to end, or let it lapse."""
        costs, prospects = self.costs(), self._prospects
        worth = prospects.worth(at, costs)
        benefit = STEADY * worth.benefit(entry.ttl)
        silence = prospects.silence(at, entry.ttl, only=1)
        gain = benefit * (1 - silence[1]) - costs.read
        anew = 0.0
        if gain <= 0:
            whole = prospects.silence(at, entry.ttl)
            gain = held(whole, entry.ttl, benefit, costs.read, False)
            anew = prospects.plan(at, costs)
        chance = 1 - silence[1]
        if gain <= anew or not self.savings.allows(costs.read, costs):
            why = f"lapse: {chance:.1%} for a question within {entry.ttl} is not worth a read"
            return self._decision(at, "lapse", worth.writes, why, 0.0, anew, prospects.plan_at)
        why = f"refresh for {entry.ttl}: {chance:.1%} for a question that saves ${benefit:.2f}"
        return self._decision(at, "refresh", entry.ttl, why, costs.read, gain, None)

    def _extend(self, entry: Entry, at: float) -> Decision:
        """After a push: write what is new behind a base that is alive."""
        costs = self.costs()
        base, new = self.facts.base_tokens, self.facts.tokens - self.facts.base_tokens
        share = new / max(1, self.facts.tokens)
        cost = costs.read * (1 - share) + costs.write(entry.ttl) * share
        why = f"warm what a push has added: {new} tokens behind {base} that are alive"
        return self._decision(at, "warm", entry.ttl, why, cost, costs.second * costs.prefill, None)

    def _from_cold(self, at: float) -> Decision:
        conversions = self.arrivals.conversions
        conversions.expire(at)
        coming = conversions.pending(at, at + WATCHED) if conversions.open else 0.0
        if coming < 0.02 and self._prospects.planned(at):
            return self._rest(at, self._prospects.plan_at)
        return self._write(at, coming)

    def _write(self, at: float, coming: float) -> Decision:
        """Write the entry with the life that pays best, or leave it cold."""
        costs, prospects = self.costs(), self._prospects
        worth = prospects.worth(at, costs)
        saved = costs.second * (
            costs.prefill - self.arrivals.conversions.waiting_left(costs.prefill)
        )
        later = prospects.unforetold(at, costs)
        best, best_ttl = 0.0, worth.writes
        for ttl in TTL_SECONDS:
            used = worth.benefit(ttl, costs.write_5m + saved)
            value = coming * used + (1 - coming) * later[ttl] - costs.write(ttl)
            if value > best and self.savings.allows(costs.write(ttl), costs):
                best, best_ttl = value, ttl
        if not prospects.planned(at):
            prospects.plan(at, costs)
        price = costs.write(best_ttl)
        waiting = (1 - coming) * prospects.waiting
        if best <= waiting:
            why = f"stay cold: {coming:.0%} for a question soon does not pay ${price:.2f}"
            if best > 0:
                why += f" before the hour that is worth ${waiting:.2f}"
            return self._decision(at, "nothing", best_ttl, why, 0.0, 0.0, prospects.plan_at)
        why = f"warm for {best_ttl}: {coming:.0%} for a question soon, ${saved:.2f} of waiting"
        return self._decision(at, "warm", best_ttl, why, price, best, None)

    # --- parts of the value ---------------------------------------------------------------------

    def _due(self, entry: Entry) -> float:
        costs = self.costs()
        wait = self.survival.cadence(entry.ttl, costs.read, costs.write(entry.ttl))
        return min(entry.touched_at + wait, entry.alive_until - MARGIN[entry.ttl])

    def _rest(self, at: float, until: float | None) -> Decision:
        why = "warm for a while yet" if self.warm(at) else "cold, and nothing has changed"
        return self._decision(at, "nothing", self.life(at), why, 0.0, 0.0, until)

    def _decision(
        self,
        at: float,
        action: Action,
        ttl: Ttl,
        why: str,
        cost: float,
        gain: float,
        look: float | None,
    ) -> Decision:
        return Decision(
            at=at,
            prefix=self.facts.key,
            action=action,
            ttl=ttl,
            reason=why,
            cost_usd=cost,
            gain_usd=gain,
            next_look_at=look,
            expected=self.expected(at),
        )
