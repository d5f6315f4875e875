"""The metrics themselves, and that alerts and the dashboard ask only for metrics that exist."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bot.telemetry.metrics import Metrics
from tests.telemetry.conftest import NOON, JournalTable

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES = (DEPLOY / "prometheus" / "alerts.yml").read_text("utf-8")
DASHBOARD = json.loads((DEPLOY / "grafana" / "forewarm.json").read_text("utf-8"))
# The rules keep to one form, so no reader of YAML is needed.
ALERTS = dict(re.findall(r"^      - alert: (\w+)\n        expr: (.+)$", RULES, re.MULTILINE))
QUERIES = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]


@pytest.fixture
def metrics(make: Any) -> Metrics:
    """Return metrics as a bot with one context wires them, before the first question."""
    from bot.telemetry.journal import Journal
    from bot.telemetry.projection import Projections

    metrics = Metrics()
    journal = Journal(JournalTable(), source="a", live=Projections(metrics))
    metrics.watch_journal(journal)
    metrics.watch_refusals("slack", Counter({"wrong_signature": 2}))
    metrics.watch_counts("slack_failures", "Failed.", "failure", Counter({"rate_limited": 1}))
    metrics.watch_cap("all", 50.0, lambda: 45.0)
    metrics.watch("context_files_broken", "Broken.", lambda: 0)
    metrics.watch_stale(lambda: {"payments": 0.0})
    metrics.apply(make.built())
    return metrics


def samples(metrics: Metrics) -> dict[str, list[tuple[dict[str, str], float]]]:
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in text_string_to_metric_families(metrics.text(NOON).decode()):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return next((v for has, v in samples(metrics).get(name, ()) if has == labels), None)


def test_series_exist_before_their_first_event(metrics: Metrics, make: Any) -> None:
    """An alert on an increase cannot fire on the first event of a series that was not there."""
    name, labels = "forewarm_questions_ended_total", {"context": "payments", "outcome": "failed"}
    assert value(metrics, name, **labels) == 0.0
    metrics.apply(make.answered(outcome="failed"))
    assert value(metrics, name, **labels) == 1.0
    warm_ups = {labels["end"] for labels, _ in samples(metrics)["forewarm_warm_ups_total"]}
    assert warm_ups == {"used", "wasted", "failed"}


def test_no_series_tells_when_another_was_created(metrics: Metrics) -> None:
    assert [name for name in samples(metrics) if name.endswith("_created")] == []


def test_caps_citations_and_the_version_are_told(metrics: Metrics, make: Any) -> None:
    assert value(metrics, "forewarm_cap_usd", scope="all") == 50.0
    assert value(metrics, "forewarm_cap_left_usd", scope="all") == 5.0
    metrics.apply(make.answered(cited=3, struck=1, rounds=2))
    citations = "forewarm_citations_total"
    assert value(metrics, citations, context="payments", found="right") == 3.0
    assert value(metrics, citations, context="payments", found="not_found") == 1.0
    assert value(metrics, "forewarm_rounds_total", context="payments") == 2.0
    metrics.apply(make.answered(excerpts=7, look_ups=2))
    evidence, whole = "forewarm_evidence_total", "forewarm_answers_total"
    assert value(metrics, evidence, context="payments", kind="excerpts") == 7.0
    assert value(metrics, evidence, context="payments", kind="look_ups") == 2.0
    assert value(metrics, whole, context="payments", cited="true") == 1.0
    assert value(metrics, whole, context="payments", cited="false") == 1.0
    [(labels, one)] = samples(metrics)["forewarm_build_info"]
    assert one == 1.0
    assert labels["version"]
    assert value(metrics, "forewarm_journal_refused_total") == 0.0
    assert value(metrics, "forewarm_slack_failures_total", failure="rate_limited") == 1.0


def test_a_context_that_cannot_be_fetched_tells_since_when(metrics: Metrics) -> None:
    stale = {"payments": 0.0}
    metrics.watch_stale(lambda: stale)
    name = "forewarm_context_stale_since_seconds"
    assert value(metrics, name, context="payments") == 0.0
    stale["payments"] = NOON - 9
    assert value(metrics, name, context="payments") == NOON - 9


def exported(metrics: Metrics, make: Any) -> set[str]:
    """Return the names of all samples after one event of each kind."""
    for record in (
        make.received(),
        make.words(),
        make.started(request="q", purpose="question"),
        make.ended(request="q", purpose="question", missed="expired or evicted"),
    ):
        metrics.apply(record)
    return set(samples(metrics))


@pytest.mark.parametrize("query", [*ALERTS.values(), *QUERIES])
def test_each_query_asks_for_metrics_that_exist(metrics: Metrics, make: Any, query: str) -> None:
    asked = set(re.findall(r"\bforewarm_\w+", query))
    assert asked
    assert asked <= exported(metrics, make)


@pytest.mark.parametrize("query", [*ALERTS.values(), *QUERIES])
def test_each_label_of_a_query_is_one_of_its_metric(
    metrics: Metrics, make: Any, query: str
) -> None:
    exported(metrics, make)
    found = samples(metrics)
    for name, matchers in re.findall(r"\b(forewarm_\w+)\{([^}]*)\}", query):
        known = {label for labels, _ in found[name] for label in labels}
        assert set(re.findall(r"(\w+)\s*(?:=|!=|=~|!~)\"", matchers)) <= known


def test_rules_and_panels_are_whole() -> None:
    rules = RULES.split("      - alert: ")[1:]
    assert len(ALERTS) == len(rules) >= 10
    for rule in rules:
        assert re.search(r"^        labels: \{severity: (warning|critical)\}$", rule, re.MULTILINE)
        assert re.search(r"^          summary: .+\.$", rule, re.MULTILINE)
    for expression in (*ALERTS.values(), *QUERIES):
        assert expression.count("(") == expression.count(")")
        assert expression.count("{") == expression.count("}")
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    assert DASHBOARD["uid"] == "forewarm"
