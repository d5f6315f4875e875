"""The formulas of docs/governor.md, written again from that page, against the code.

Everything here is as plain as the page: no caches, no grid, no incremental sums. So a formula that
the page states wrongly, or that an optimisation changes, fails a test.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence

import pytest

from bot.claude.usage import TTL_SECONDS, Ttl
from bot.warm.cache_entry import EvictionRates
from bot.warm.economics.costs import Costs
from bot.warm.economics.savings import SavingsLedger
from bot.warm.economics.value import best_write_hour, holding_value, solve_entry_value
from bot.warm.forecast.arrivals import Arrivals, Channel
from bot.warm.forecast.conversions import LEAD_BIN_ENDS, Conversions
from bot.warm.forecast.followups import SINCE_MESSAGE, FollowUps
from bot.warm.forecast.plan import WarmthPlan
from bot.warm.forecast.rates import QuestionRate
from bot.warm.forecast.week import Week

HOUR, DAY = 3600.0, 86_400.0
MONDAY = 1_790_553_600.0
"""A Monday's midnight, UTC."""


def draws(seed: int, count: int, mean: float) -> list[float]:
    """Return times after `MONDAY` with exponential gaps of this mean, in seconds."""
    chance = random.Random(seed)
    times, at = [], MONDAY
    for _ in range(count):
        at += chance.expovariate(1 / mean)
        times.append(at)
    return times


# --- rate of new questions ----------------------------------------------------------------------


class PlainRates:
    """The mixture of the page, for a week without any shape."""

    def __init__(self) -> None:
        lasting = [(60 * DAY, 1.0, hours) for hours in (35.0, 150.0, 600.0)] * 3
        self.half = [half for half, *_ in lasting] + [2 * DAY, 7 * DAY] * 3
        self.a0 = [1.0] * 9 + [4.0] * 6
        self.b0 = [hours for *_, hours in lasting] + [0.0] * 6
        self.a, self.b, self.w = [0.0] * 15, [0.0] * 15, [1 / 15] * 15
        self.tie()

    def mean(self, i: int) -> float:
        return (self.a0[i] + self.a[i]) / (self.b0[i] + self.b[i])

    def tie(self) -> None:
        m = sum(self.w[i] * self.mean(i) for i in range(9)) / sum(self.w[:9])
        self.b0[9:] = [4 / m] * 6

    def silence(self, seconds: float) -> None:
        load, kept = seconds / HOUR, 0.003 * seconds / DAY
        for i in range(15):
            alpha, beta = self.a0[i] + self.a[i], self.b0[i] + self.b[i]
            self.w[i] *= (beta / (beta + load)) ** alpha
            delta = math.log(2) / self.half[i]
            k = math.exp(-delta * seconds)
            self.a[i] *= k
            self.b[i] = self.b[i] * k + load * (1 - k) / (delta * seconds)
        total = sum(self.w)
        self.w = [(1 - kept) * w / total + kept / 15 for w in self.w]
        self.tie()

    def question(self) -> None:
        self.w = [w * self.mean(i) for i, w in enumerate(self.w)]
        total = sum(self.w)
        self.w = [w / total for w in self.w]
        self.a = [a + 1 for a in self.a]
        self.tie()

    def ahead(self, hours: float) -> float:
        heard = [i for i in range(15) if self.w[i] >= 0.02]
        weight = sum(self.w[i] for i in heard)
        quiet = sum(
            self.w[i] / weight * (1 + hours / (self.b0[i] + self.b[i])) ** -(self.a0[i] + self.a[i])
            for i in heard
        )
        return -math.log(quiet)


@pytest.mark.parametrize("mean", [HOUR, 8 * HOUR, 3 * DAY])
def test_the_mixture_of_rates(mean: float) -> None:
    rate, plain, at = QuestionRate(MONDAY), PlainRates(), MONDAY
    for asked in draws(1, 40, mean):
        while at < asked:
            step = min(12 * HOUR, asked - at)
            plain.silence(step)
            at += step
        plain.question()
        rate.record_question(asked)
    ahead = rate.cumulative_hazard([at + 300, at + HOUR, at + 5 * DAY])
    assert ahead == pytest.approx([plain.ahead(h) for h in (1 / 12, 1.0, 120.0)], rel=1e-9)


# --- shape of the week --------------------------------------------------------------------------


def plain_week(counts: list[float], hours: list[float], weekend: int) -> tuple[list[float], ...]:
    """Return the levels of SMOOTH and SHARP for a weekend that starts so many hours late."""
    c = [counts[(h + weekend) % 168] for h in range(168)]
    scale = sum(counts) / sum(hours)
    e = [hours[(h + weekend) % 168] * scale for h in range(168)]

    def kinds(v: list[float]) -> list[float]:
        weekdays = [sum(v[d * 24 + h] for d in range(5)) for h in range(24)]
        return weekdays + [sum(v[d * 24 + h] for d in (5, 6)) for h in range(24)]

    def triangle(v: list[float], reach: int, circle: int) -> list[float]:
        found = []
        for i in range(len(v)):
            first = i // circle * circle
            weights = [
                (d, (reach + 1 - abs(d)) / (reach + 1) ** 2) for d in range(-reach, reach + 1)
            ]
            found.append(sum(w * v[first + (i - first + d) % circle] for d, w in weights))
        return found

    def day(v: list[float]) -> list[float]:
        return [sum(v[i // 24 * 24 : i // 24 * 24 + 24]) for i in range(len(v))]

    def refine(
        level: list[float],
        came: list[float],
        expected: list[float],
        gather: Callable[[list[float]], list[float]],
        kappa: float,
    ) -> list[float]:
        foretold = gather([x * y for x, y in zip(expected, level, strict=True)])
        return [
            x * (n + kappa) / (f + kappa)
            for x, n, f in zip(level, gather(came), foretold, strict=True)
        ]

    ck, ek = kinds(c), kinds(e)
    smooth = refine([1.0] * 48, ck, ek, day, 0.5)
    smooth = refine(smooth, ck, ek, lambda v: triangle(v, 6, 24), 0.25)
    smooth = refine(smooth, ck, ek, lambda v: triangle(v, 2, 24), 0.5)
    daily = refine(smooth, ck, ek, lambda v: v, 2.0)

    def spell(v: list[float]) -> list[float]:
        return v[:24] * 5 + v[24:] * 2

    sharp = refine(spell(daily), c, e, day, 2.0)
    sharp = refine(sharp, c, e, lambda v: triangle(v, 2, 168), 4.0)
    return tuple(
        [168 * v[(h - weekend) % 168] / sum(v) for h in range(168)] for v in (spell(smooth), sharp)
    )


def plain_weekend(counts: list[float], hours: list[float]) -> int:
    def told(n: float, o: float) -> float:
        return n * math.log(n / o) if n > 0 and o > 0 else 0.0

    def gain(zone: int) -> float:
        window = [(120 + zone + h) % 168 for h in range(48)]
        n, o = sum(counts[h] for h in window), sum(hours[h] for h in window)
        return told(n, o) + told(sum(counts) - n, sum(hours) - o)

    best = max(sorted(range(-14, 13), key=abs), key=gain)
    return best if gain(best) > gain(0) + 0.7 else 0


@pytest.mark.parametrize("zone", [0, 8, -9])
def test_the_shape_of_the_week(zone: int) -> None:
    week, chance = Week(MONDAY), random.Random(zone)
    end = MONDAY + 9 * 7 * DAY
    counts = [0.0] * 168
    for number in range(9 * 168):
        at = MONDAY + number * HOUR
        hour = number % 168
        local = (hour - zone) % 168
        kept = 0.5 ** ((end - at) / (70 * DAY))
        if local // 24 < 5 and 9 <= local % 24 < 17 and chance.random() < 0.4:
            week.record_opening(at + 60.0)
            counts[hour] += kept
    week.refresh(end)
    saved = week.snapshot()
    assert saved["counts"] == pytest.approx(counts, rel=1e-9)
    levels = plain_week(
        saved["counts"], saved["hours"], plain_weekend(saved["counts"], saved["hours"])
    )
    for shape, level in zip((1, 2), levels, strict=True):
        found = [week.level(shape, MONDAY + h * HOUR) for h in range(168)]
        assert found == pytest.approx(level, rel=1e-9)


# --- follow-ups, signals, silence ---------------------------------------------------------------

ENDS = [30, 60, 120, 240, 480, 960, 1920, 3840, 7680, 15_360, 61_440, 86_400]


def plain_hazards(passed: Sequence[tuple[float, bool]]) -> list[float]:
    middles = [math.sqrt(low * high) for low, high in zip([15, *ENDS[:-1]], ENDS, strict=True)]
    count = [4.0] * 12
    seconds = [4 / (2.2 / 3600 / (1 + (x / 80.0) ** 1.35)) for x in middles]
    hazards = [k / s for k, s in zip(count, seconds, strict=True)]
    for age, asked in passed:
        for j, (low, high) in enumerate(zip([0, *ENDS[:-1]], ENDS, strict=True)):
            seconds[j] += max(0.0, min(age, high) - low)
        if asked and age < ENDS[-1]:
            count[next(j for j, high in enumerate(ENDS) if age < high)] += 1
            hazards = [k / s for k, s in zip(count, seconds, strict=True)]
    return hazards


def plain_follow(hazards: list[float], ages: Sequence[float], span: float) -> float:
    total = 0.0
    for age in ages:
        for h, low, high in zip(hazards, [0, *ENDS[:-1]], ENDS, strict=True):
            total += h * max(0.0, min(age + span, high) - max(age, low))
    return total


def test_follow_ups() -> None:
    passed = [(12.0, True), (500.0, False), (70.0, True), (90_000.0, False), (61_440.0, True)]
    followups = FollowUps(SINCE_MESSAGE)
    for age, asked in passed:
        followups.record(age, asked)
    ages, spans = [0.0, 59.0, 4000.0, 80_000.0, 86_400.0], [1.0, 300.0, 3600.0, 200_000.0]
    hazards = plain_hazards(passed)
    expected = [plain_follow(hazards, ages, span) for span in spans]
    assert followups.expected_count(ages, spans) == pytest.approx(expected, rel=1e-9)


def test_pending_signals() -> None:
    conversions = Conversions()
    conversions.record_signal("U1", "C1", "modal_typing", False, MONDAY)
    conversions.record_post("U1", "C1", True, MONDAY + 7.0)
    conversions.record_signal("U2", "C1", "modal_typing", False, MONDAY + 10.0)
    conversions.record_signal("U3", "C2", "dm_opened", False, MONDAY + 30.0)
    weights = [0.25 * 0.995] * len(LEAD_BIN_ENDS)
    weights[2] += 1.0

    def led(age: float) -> float:
        part, low = 0.0, 0.0
        for weight, high in zip(weights, LEAD_BIN_ENDS, strict=True):
            part += weight * max(0.0, min(1.0, (age - low) / (high - low)))
            low = high
        return part / sum(weights)

    now, until = MONDAY + 40.0, MONDAY + 100.0
    none = 1.0
    for at, p in ((MONDAY + 10.0, (1 + 8 * 0.7) / 9), (MONDAY + 30.0, 0.3)):
        x = now - at
        none *= 1 - p * (led(x + until - now) - led(x)) / (p * (1 - led(x)) + 1 - p)
    assert conversions.pending_probability(now, until) == pytest.approx(1 - none, rel=1e-9)

    prefill, left, low = 18.0, 0.0, 0.0
    for weight, high in zip(weights, LEAD_BIN_ENDS, strict=True):
        if low < prefill:
            left += weight * max(0.0, prefill - (low + min(high, 2 * prefill)) / 2)
        low = high
    assert conversions.remaining_wait(prefill) == pytest.approx(left / sum(weights), rel=1e-9)
    assert conversions.share_of_questions_after_a_signal == pytest.approx((1 + 0.5) / (1 + 1))
    assert conversions.mean_probability() == pytest.approx((1 + 0.7 * 8) / (1 + 8))


def test_silence_is_new_questions_follow_ups_and_signals_together() -> None:
    arrivals, plain = Arrivals(), PlainRates()
    first = MONDAY + 100.0
    channel: Channel = arrivals.channel("C1", MONDAY)
    channel.record_new_question("1", first)
    plain.silence(100.0)
    plain.question()
    arrivals.conversions.record_signal("U1", "C1", "modal_opened", False, first + 20.0)
    now = first + 30.0
    plain.silence(30.0)
    ends = [now + 270.0, now + HOUR]
    pending = [arrivals.conversions.pending_probability(now, end) for end in ends]
    hazards = plain_hazards([])
    expected = [
        math.exp(-plain.ahead((end - now) / HOUR) - plain_follow(hazards, [30.0], end - now))
        * (1 - p)
        for end, p in zip(ends, pending, strict=True)
    ]
    # The curve is linear between whole hours, the page's formula is not.
    assert arrivals.silence(now, ends)[1:] == pytest.approx(expected, rel=2e-3)


# --- value --------------------------------------------------------------------------------------

BLOCKS: dict[Ttl, tuple[int, ...]] = {
    "5m": (1, 1, 1, 1, 2, 2, 4, 4, 8, 12),
    "1h": (1, 1, 1, 1, 2, 2, 4, 4, 8, 12, 18, 18),
}


def plain_value(s: Sequence[float], ttl: Ttl, b: float, r: float, free: bool) -> float:
    best = total = 0.0
    for j, n in enumerate(BLOCKS[ttl], 1):
        still = s[j - 1] - (s[j - 1] - s[j]) * (n - 1) / (2 * n)
        total += b * (s[j - 1] - s[j]) - r * n * still + (r if free and j == 1 else 0)
        best = max(best, total)
    return best


def silences(ttl: Ttl, hourly: float) -> list[float]:
    """Return silence at the ends of the blocks, with a rate that halves every six hours."""
    found, lives = [1.0], 0
    for n in BLOCKS[ttl]:
        lives += n
        hours = lives * TTL_SECONDS[ttl] / HOUR
        found.append(math.exp(-hourly * (1 - 0.5 ** (hours / 6)) * 6 / math.log(2)))
    return found


@pytest.mark.parametrize("hourly", [0.001, 0.02, 0.1, 0.5, 3.0, 20.0])
def test_the_value_of_holding_and_its_fixed_point(hourly: float) -> None:
    costs = Costs(write_5m=0.375, write_1h=0.6, read=0.015, prefill=18.93, second=100 / 3600)
    short, long = silences("5m", hourly), silences("1h", hourly)
    futures: list[tuple[Ttl, list[float]]] = [("5m", short), ("1h", long)]
    for free in (False, True):
        for b in (0.01, 0.1, 0.9):
            for ttl, s in futures:
                found = holding_value(s, ttl, b, 0.015, free)
                assert found == pytest.approx(plain_value(s, ttl, b, 0.015, free))
    k5, d, r = 0.9, 0.225, 0.015

    def right(a: float) -> float:
        b5, b1 = k5 - r - max(0.0, a - d), k5 - r + min(a, d)
        return plain_value(long, "1h", b1, r, True) - plain_value(short, "5m", b5, r, True)

    value = solve_entry_value(costs, k5, short, long)
    low, high = 0.0, k5 + d
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if right(middle) > middle else (low, middle)
    # Nine halvings leave half of a five hundred and twelfth.
    assert value.advantage == pytest.approx(low, abs=(k5 + d) / 1024 + 1e-9)
    assert value.preferred_ttl == ("1h" if value.advantage > d else "5m")
    a = value.advantage
    assert value.saving("5m") == pytest.approx(k5 - r - max(0.0, a - d))
    assert value.saving("1h") == pytest.approx(k5 - r + min(a, d))


def test_the_best_hour_to_write() -> None:
    """All plans are tried: write at an hour, hold for some hours, then let it lapse."""
    chance = random.Random(3)
    for _ in range(50):
        s = [1.0]
        for _ in range(12):
            s.append(s[-1] * math.exp(-chance.choice([0.0, 0.01, 0.4, 1.5])))
        b, w, r = 0.5, 0.2, 0.03
        plans = [
            (
                sum(b * (s[k] - s[k + 1]) for k in range(start, end))
                - r * sum(s[k] for k in range(start + 1, end))
                - w * s[start],
                start,
            )
            for start in range(12)
            for end in range(start + 1, 13)
        ]
        best = max(plans)
        start, value = best_write_hour(s, b, w, r)
        assert value == pytest.approx(max(0.0, best[0]))
        if best[0] > 0:
            assert any(p[0] == pytest.approx(value) and p[1] == start for p in plans)


def test_when_an_entry_is_refreshed() -> None:
    evictions = EvictionRates()
    lost, seen = [0.05] * 5, [10.0] * 5
    ends = [300.0, 600.0, 1200.0, 2700.0, 3600.0]
    chance = random.Random(5)
    for _ in range(40):
        gap = chance.uniform(200, 3590)
        survived = chance.random() > gap / 5000
        j = next((j for j, end in enumerate(ends) if gap < end), 4)
        lost[j] = 0.05 + (lost[j] - 0.05) * 0.98 + (not survived)
        seen[j] = 10 + (seen[j] - 10) * 0.98 + 1
        evictions.observe(gap, survived)
    gone = [max(lost[i] / seen[i] for i in range(j + 1)) for j in range(5)]
    margins: list[tuple[Ttl, float]] = [("5m", 6.0), ("1h", 10.0)]
    for ttl, margin in margins:
        last = TTL_SECONDS[ttl] - margin
        waits = [(last, gone[next(j for j, end in enumerate(ends) if last < end)])]
        waits += [(end - 1, gone[j]) for j, end in enumerate(ends) if end <= last]
        cheapest = min((0.015 + g * 0.375) / x for x, g in waits)
        found = evictions.refresh_interval(ttl, 0.015, 0.375)
        cost = next((0.015 + g * 0.375) / x for x, g in waits if x == found)
        assert cost == pytest.approx(cheapest)


@pytest.mark.parametrize("with_signal", [False, True])
def test_the_cost_of_a_cold_question(with_signal: bool) -> None:
    """K5 of the page: its wait, its write, and its share of the warm-ups for signals."""
    costs = Costs(write_5m=0.375, write_1h=0.6, read=0.015, prefill=18.93, second=100 / 3600)
    arrivals = Arrivals()
    conversions = arrivals.conversions
    if with_signal:
        conversions.record_signal("U1", "C1", "modal_typing", False, MONDAY)
    conversions.record_post("U1", "C1", True, MONDAY + 30.0)
    arrivals.channel("C1", MONDAY).record_new_question("1", MONDAY + 30.0)
    q = (float(with_signal) + 0.5) / 2
    p_mean = (float(with_signal) + 0.7 * 8) / (float(with_signal) + 8)
    wait = costs.second * costs.prefill
    left = costs.second * conversions.remaining_wait(costs.prefill)
    unwarned = costs.write_5m + wait
    warned = costs.write_5m / max(0.05, p_mean) + costs.read + left
    expected = (1 - q) * unwarned + q * min(unwarned, warned)
    assert WarmthPlan(arrivals).value(MONDAY + 30.0, costs).cold_cost == pytest.approx(expected)


def test_guesses_are_paid_out_of_savings() -> None:
    costs = Costs(write_5m=0.375, write_1h=0.6, read=0.015, prefill=18.93, second=100 / 3600)
    savings, wait = SavingsLedger(), 18.93 * 100 / 3600
    for at in (0.0, 299.0, 700.0):
        savings.charge_shadow(at, costs)
    savings.charge(1.0)
    # Two cold questions and one that reads.
    shadow, waiting = 2 * (0.375 + wait) + 0.015, 2 * wait
    limit = 1.013 * shadow + 0.5 * waiting + 8 * wait
    assert savings.allows(limit - 1.0 - 1e-9, costs)
    assert not savings.allows(limit - 1.0 + 1e-6, costs)
