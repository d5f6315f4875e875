"""Prometheus's own tool accepts the rules, their tests, the metrics and the dashboard's queries."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.telemetry.conftest import NOON
from tests.telemetry.test_metrics import DEPLOY, QUERIES, metrics

__all__ = ["metrics"]

PROMTOOL = shutil.which("promtool")
pytestmark = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")


def promtool(*arguments: str, given: bytes = b"") -> str:
    assert PROMTOOL is not None
    done = subprocess.run(
        [PROMTOOL, *arguments], input=given, capture_output=True, timeout=60, check=False
    )
    said = (done.stdout + done.stderr).decode()
    assert done.returncode == 0, said
    return said


def test_each_alert_fires_when_it_should_and_not_before() -> None:
    promtool("check", "rules", str(DEPLOY / "prometheus" / "alerts.yml"))
    promtool("test", "rules", str(DEPLOY / "prometheus" / "alerts.test.yml"))


def test_the_metrics_keep_to_the_conventions(metrics: Any) -> None:
    assert promtool("check", "metrics", given=metrics.text(NOON)) == ""


def test_the_dashboards_queries_can_be_read(tmp_path: Path) -> None:
    rules = [{"record": f"panel:query{n}", "expr": query} for n, query in enumerate(QUERIES)]
    file = tmp_path / "queries.yml"
    # JSON is YAML, too.
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    promtool("check", "rules", str(file))
