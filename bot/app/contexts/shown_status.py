"""How a context stands, in words, from the journal's own fold."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from bot.app.opinions import Judged
from bot.clock import Now, length_of_time
from bot.context.config.load import ContextConfig
from bot.slack.home.views import BadAnswer, ContextShown, DayShown, MoneyShown, OperatorShown
from bot.store.errors import StoreError
from bot.telemetry.figures.daily_stats import Summary
from bot.telemetry.figures.money import day_of
from bot.telemetry.projections import LiveProjections

BAD_SECONDS = 30 * 86_400.0
BAD_SHOWN = 5


class ContextStatus:
    """`bot.slack.home.home.Standing`."""

    def __init__(
        self,
        live: LiveProjections,
        now: Now,
        problems: Callable[[], Sequence[str]] = lambda: (),
        judged: Callable[[float], Awaitable[Sequence[Judged]]] | None = None,
        *,
        shares: bool = False,
    ) -> None:
        """`problems` returns what is wrong with the context files now, `judged` opinions since a
        Unix time.

        `shares`: other workspaces use this bot, and nothing of theirs may be in the figures.
        """
        self._judged = judged
        self._shares = shares
        self._problems = problems
        self._state = live.state
        self._figures = live.figures
        self._now = now

    def summarize(self, context: ContextConfig) -> ContextShown:
        """Return a context as people who may ask it see it."""
        today = self._summary(day_of(self._now()), context.name)
        return ContextShown(name=context.name, standing=self.describe(context), waits=_waits(today))

    def operator(self, contexts: Sequence[ContextConfig]) -> OperatorShown:
        """Return today's and this month's figures of the contexts."""
        now = self._now()
        today, month = day_of(now), day_of(now)[:7] + "-01"
        names = {context.name for context in contexts}
        among = names if self._shares or len(names) == 1 else None
        whole = self._figures.summary(now, since=month, contexts=among)
        days = [d for d in self._figures.days() if d >= month]
        return OperatorShown(
            problems=self._problems(),
            whys=[(c.name, why) for c in contexts if (why := self._why(c))],
            money=[self._money(c.name, today, month) for c in contexts],
            days=[
                _day(d, self._figures.summary(now, since=d, until=d, contexts=among)) for d in days
            ],
            warm_p50=whole.warm.p50,
            warm_p95=whole.warm.p95,
            joined_p50=whole.joined.p50,
            joined_p95=whole.joined.p95,
            cold_p50=whole.cold.p50,
            cold_p95=whole.cold.p95,
            hit_rate=whole.hit_rate,
            used=whole.warm_ups_used,
            wasted=whole.warm_ups_wasted + whole.warm_ups_failed,
            unanswered=whole.unanswered,
            misses=whole.misses,
        )

    async def bad_answers(self, contexts: Sequence[ContextConfig]) -> Sequence[BadAnswer]:
        """Return the newest bad answers of the contexts, newest first."""
        if self._judged is None:
            return ()
        names = {context.name for context in contexts}
        try:
            judged = await self._judged(self._now() - BAD_SECONDS)
        except StoreError:
            return ()
        bad = [
            BadAnswer(
                context=one.opinion.context or "",
                age=length_of_time(self._now() - one.opinion.at),
                user=one.opinion.user,
                comment=one.opinion.comment or "",
                link=one.link,
            )
            for one in reversed(judged)
            if one.opinion.value == "down" and one.opinion.context in names
        ]
        return bad[:BAD_SHOWN]

    def _why(self, context: ContextConfig) -> str:
        """Return the state of a context's cache and its reason, as `/state` gives them."""
        prefixes = self._state.view(self._now())["prefixes"].values()
        prefix = next((p for p in prefixes if context.name in p["contexts"]), None)
        if prefix is None or not prefix["why"]:
            return ""
        return state_and_reason(str(prefix["state"]), str(prefix["why"]))

    def _money(self, name: str, today: str, month: str) -> MoneyShown:
        day, since = self._summary(today, name), self._summary(month, name)
        return MoneyShown(
            name=name,
            today_answers=day.answers_usd + day.drafts_usd,
            today_warmth=day.warmth_usd,
            month_answers=since.answers_usd + since.drafts_usd,
            month_warmth=since.warmth_usd,
        )

    def _summary(self, since: str, context: str) -> Summary:
        return self._figures.summary(self._now(), since=since, contexts=(context,))

    def describe(self, context: ContextConfig) -> str:
        """Return commit, age, tokens and warmth in one line."""
        now = self._now()
        prefixes = self._state.view(now)["prefixes"].values()
        prefix = next((p for p in prefixes if context.name in p["contexts"]), None)
        if prefix is None:
            return "is being built"
        at = ", ".join(
            f"{r['name']}@{r['commit'][:7]} ({length_of_time(now - r['committed_at'])} old)"
            for r in prefix["repositories"]
        )
        return f"{at}; {prefix['tokens']:,} tokens; {warmth(prefix, now)}"


def state_and_reason(state: str, why: str) -> str:
    """Return a cache's state and its reason, which may begin with the state itself."""
    for beginning in (f"{state}: ", f"stay {state}: "):
        why = why.removeprefix(beginning)
    return f"{state}: {why}"


def _waits(today: Summary) -> str:
    count = today.warm.count + today.joined.count + today.cold.count
    if not count:
        return "no one has asked today"
    parts = [
        f"{name} {waits.p50:.1f} s"
        for name, waits in (("warm", today.warm), ("joined", today.joined), ("cold", today.cold))
        if waits.p50 is not None
    ]
    return f"today {count} {'answer' if count == 1 else 'answers'}; median wait " + ", ".join(parts)


def _day(day: str, summary: Summary) -> DayShown:
    return DayShown(
        day=day,
        answers=summary.answers_usd + summary.drafts_usd,
        warmth=summary.warmth_usd,
        warm_p50=summary.warm.p50,
        cold_p50=summary.cold.p50,
    )


def warmth(prefix: dict[str, object], now: float) -> str:
    """Return a prefix's warmth with its countdown in words."""
    until = prefix["alive_until"]
    if prefix["state"] == "warm" and isinstance(until, float | int):
        return f"warm for {length_of_time(until - now)} more"
    return "being warmed" if prefix["state"] == "warming" else "cold: the first question waits"
