"""A fold: Prometheus metrics of this replica's own records, in a registry of their own.

Every replica is scraped for itself, so Prometheus adds replicas up; a replica that folded the
others' records too would count everything several times. Labels are bounded: contexts are those
that are configured, reasons of misses are kept up to a number and then called `other`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import get_args

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from bot.answer.events import (
    FeedbackGiven,
    FirstWords,
    Outcome,
    QuestionEnded,
    QuestionReceived,
)
from bot.answer.question import Surface
from bot.claude.events import RequestEnded
from bot.telemetry.events import PrefixBuilt
from bot.telemetry.figures.daily_spend import SPENT_ON
from bot.telemetry.figures.warmup_usage import End, WarmupUsage
from bot.telemetry.journal import Journal
from bot.telemetry.state import State
from bot.version import version
from bot.warm.events import Action, SignalReceived, WarmthDecided
from bot.warm.signals import SignalKind

WAIT_BUCKETS = (0.1, 0.25, 0.5, 1, 1.5, 2, 3, 4, 6, 8, 12, 16, 24, 32, 60, 120)
REQUEST_BUCKETS = (0.1, 0.25, 0.5, 1, 2, 4, 8, 16, 32, 64)
REASONS = 50
FOUND = {"right": "cited", "corrected": "corrected", "not_found": "struck"}
"""Values of the label `found`, and the fields of `QuestionEnded` that count them."""
USES = ("excerpts", "look_ups")
LATE_SECONDS = 600.0
"""An answer that read a prefix in time may take this long to end and tell so."""


class Metrics(Collector):
    """Counters and histograms; `watch` adds figures that are read when scraped."""

    CONTENT_TYPE = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        # The time at which each series began is noise in every scrape. The switch is global in
        # the library and holds for metrics that are made after it.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # it has no annotations
        self.registry = registry = CollectorRegistry()
        self._state = State()
        self._chains: WarmupUsage[str] = WarmupUsage()
        self._reasons: set[str] = set()

        def counter(name: str, what: str, *labels: str) -> Counter:
            return Counter(f"forewarm_{name}", what, labels, registry=registry)

        def gauge(name: str, what: str, *labels: str) -> Gauge:
            return Gauge(f"forewarm_{name}", what, labels, registry=registry)

        def histogram(name: str, what: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
            return Histogram(f"forewarm_{name}", what, labels, buckets=buckets, registry=registry)

        self._questions = counter("questions", "Questions received.", "context", "surface")
        self._ended = counter("questions_ended", "Questions by their end.", "context", "outcome")
        self._open = gauge("questions_open", "Questions received here and not ended.")
        self._wait = histogram(
            "perceived_wait_seconds",
            "From Slack's stamp on the question to the first words on screen.",
            WAIT_BUCKETS,
            "context",
            "warm",
        )
        self._part = histogram(
            "wait_part_seconds", "The perceived wait's parts.", WAIT_BUCKETS, "part"
        )
        self._requests = counter(
            "requests", "Requests to Claude.", "context", "purpose", "model", "end"
        )
        self._seconds = histogram(
            "request_seconds",
            "From sending a request to the first event of its reply.",
            REQUEST_BUCKETS,
            "purpose",
        )
        self._usd = counter("spent_usd", "Money spent on Claude.", "context", "on")
        self._tokens = counter("tokens", "Tokens by how they are billed.", "model", "kind")
        self._misses = counter("cache_misses", "Reads that fell short.", "context", "reason")
        self._warm_ups = counter("warm_ups", "Warm-ups by what came of them.", "context", "end")
        self._signals = counter("signals", "Hints that a question may come.", "kind")
        self._decisions = counter("decisions", "What the governor chose.", "action")
        self._feedback = counter("feedback", "Words on answers.", "context", "value")
        self._citations = counter(
            "citations", "Citations in answers by what the check found.", "context", "found"
        )
        self._rounds = counter("rounds", "Rounds of look-ups in answers.", "context")
        self._uses = counter(
            "evidence", "Excerpts and look-ups that answers were made from.", "context", "kind"
        )
        self._covered = counter(
            "answers", "Whole answers, by whether they have a right citation.", "context", "cited"
        )
        self._stale = gauge(
            "context_stale_since_seconds",
            "Unix time of the last good fetch of a repository that cannot be fetched; 0 if it can.",
            "context",
        )
        self._caps = gauge("cap_usd", "A day's cap in USD.", "scope")
        self._left = gauge("cap_left_usd", "What is left of a day's cap in USD.", "scope")
        gauge("build_info", "The version that runs.", "version").labels(version()).set(1)
        for action in get_args(Action):
            self._decisions.labels(action)
        for kind in get_args(SignalKind):
            self._signals.labels(kind)
        self._prefixes = gauge("prefixes", "Prefixes this replica has used.", "state")
        self._watched: list[tuple[Gauge, Callable[[], float]]] = []
        self._stale_since: Callable[[], Mapping[str, float]] = dict
        self._open_ids: set[str] = set()
        self._refused: dict[str, Mapping[str, int]] = {}
        self._counted: list[tuple[str, str, Callable[[], float]]] = []
        self._by_label: list[tuple[str, str, str, Mapping[str, int]]] = []
        registry.register(self)

    def watch(self, name: str, what: str, read: Callable[[], float]) -> None:
        """Add a gauge `forewarm_<name>` that is read at every scrape."""
        self._watched.append((Gauge(f"forewarm_{name}", what, registry=self.registry), read))

    def watch_counter(self, name: str, what: str, read: Callable[[], float]) -> None:
        """Add a counter `forewarm_<name>_total` that is read at every scrape."""
        self._counted.append((f"forewarm_{name}", what, read))

    def watch_counts(self, name: str, what: str, label: str, total: Mapping[str, int]) -> None:
        """Add a counter with one label, whose values are the keys of `total`."""
        self._by_label.append((f"forewarm_{name}", what, label, total))

    def watch_cap(self, scope: str, cap_usd: float, spent: Callable[[], float]) -> None:
        """Add a day's cap and what is left of it, in USD."""
        self._caps.labels(scope).set(cap_usd)
        left = self._left.labels(scope)
        self._watched.append((left, lambda: max(0.0, cap_usd - spent())))

    def watch_stale(self, since: Callable[[], Mapping[str, float]]) -> None:
        """Add since when each context cannot be fetched; 0 if it can."""
        self._stale_since = since

    def watch_refusals(self, entry: str, total: Mapping[str, int]) -> None:
        """Add the requests that an HTTP entry refused, by reason; read at every scrape."""
        self._refused[entry] = total

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Return the refused requests in the form that prometheus_client asks a collector for."""
        family = CounterMetricFamily(
            "forewarm_http_refused",
            "Requests refused at the HTTP entry.",
            labels=["entry", "reason"],
        )
        for entry, total in self._refused.items():
            for reason, count in total.items():
                family.add_metric([entry, reason], count)
        yield family
        for name, what, read in self._counted:
            single = CounterMetricFamily(name, what)
            single.add_metric([], read())
            yield single
        for name, what, label, counts in self._by_label:
            several = CounterMetricFamily(name, what, labels=[label])
            for value, count in counts.items():
                several.add_metric([value], count)
            yield several

    def watch_journal(self, journal: Journal) -> None:
        """Add what tells whether records reach the store."""
        self.watch("journal_pending", "Records not yet stored.", lambda: journal.pending)
        self.watch_counter(
            "journal_refused", "Records that were not stored.", lambda: journal.refused
        )
        self.watch(
            "journal_unread", "Stored records that could not be read.", lambda: journal.unread
        )
        self.watch("journal_failing", "1 while the store is away.", lambda: journal.failing)

    def text(self, now: float) -> bytes:
        """Return everything in Prometheus's text format."""
        self._count_warm_ups(self._chains.lapse(now - LATE_SECONDS))
        states = [prefix["state"] for prefix in self._state.view(now)["prefixes"].values()]
        for state in ("cold", "warming", "warm"):
            self._prefixes.labels(state).set(states.count(state))
        for gauge, read in self._watched:
            gauge.set(read())
        for context, since in self._stale_since().items():
            self._stale.labels(context).set(since)
        return generate_latest(self.registry)

    def apply(self, record: object) -> None:
        self._state.apply(record)
        match record:
            case QuestionReceived():
                self._questions.labels(record.context or "", record.surface).inc()
                self._open_ids.add(record.question)
            case QuestionEnded():
                self._ended.labels(record.context or "", record.outcome).inc()
                self._open_ids.discard(record.question)
                self._checked(record)
            case FirstWords():
                self._waited(record)
            case RequestEnded():
                self._requested(record)
            case SignalReceived():
                self._signals.labels(record.kind).inc()
            case WarmthDecided():
                self._decisions.labels(record.action).inc()
            case PrefixBuilt():
                self._built(record)
            case FeedbackGiven():
                self._feedback.labels(record.context or "", record.value).inc()
        self._open.set(len(self._open_ids))

    def _built(self, record: PrefixBuilt) -> None:
        """Let every series of a context exist: an alert on an increase needs the zero before it."""
        context = record.context
        for outcome in get_args(Outcome):
            self._ended.labels(context, outcome)
        for end in get_args(End):
            self._warm_ups.labels(context, end)
        for value in ("up", "down"):
            self._feedback.labels(context, value)
        for found in FOUND:
            self._citations.labels(context, found)
        for warm in ("true", "joined", "false"):
            self._wait.labels(context, warm)
        for kind in USES:
            self._uses.labels(context, kind)
        for covered in ("true", "false"):
            self._covered.labels(context, covered)
        for surface in get_args(Surface):
            self._questions.labels(context, surface)
        self._rounds.labels(context)
        for on in ("answers", "warmth", "drafts", "sorting"):
            self._usd.labels(context, on)

    def _checked(self, record: QuestionEnded) -> None:
        context = record.context or ""
        for found in FOUND:
            self._citations.labels(context, found).inc(getattr(record, FOUND[found]))
        self._rounds.labels(context).inc(record.rounds)
        for kind in USES:
            self._uses.labels(context, kind).inc(getattr(record, kind))
        if record.outcome == "answered":
            covered = "true" if record.cited + record.corrected else "false"
            self._covered.labels(context, covered).inc()

    def _waited(self, record: FirstWords) -> None:
        wait = record.wait
        began = "joined" if wait.is_joined else "true"
        warm = began if record.warm else "false"
        self._wait.labels(record.context, warm).observe(wait.total)
        for part in ("delivery", "queue", "join", "prefill", "thinking", "paint"):
            seconds = getattr(wait, part)
            if seconds is not None:
                self._part.labels(part).observe(seconds)

    def _requested(self, record: RequestEnded) -> None:
        end = record.error or ("complete" if record.complete else "incomplete")
        self._requests.labels(record.context, record.purpose, record.model, end).inc()
        self._seconds.labels(record.purpose).observe(record.seconds)
        self._usd.labels(record.context, SPENT_ON[record.purpose]).inc(record.usd)
        for kind in ("input", "cache_read", "write_5m", "write_1h", "output"):
            tokens = getattr(record.usage, kind)
            if tokens:
                self._tokens.labels(record.model, kind).inc(tokens)
        self._count_warm_ups(self._chains.apply(record, record.context))
        if record.missed:
            self._misses.labels(record.context, self._reason(record.missed)).inc()

    def _count_warm_ups(self, ended: Sequence[tuple[str, End]]) -> None:
        for context, end in ended:
            self._warm_ups.labels(context, end).inc()

    def _reason(self, missed: str) -> str:
        if missed not in self._reasons and len(self._reasons) >= REASONS:
            return "other"
        self._reasons.add(missed)
        return missed
