"""The benchmark runs whole and counts what it claims to count."""

from __future__ import annotations

import json
import subprocess
import sys


def test_every_answer_arrives_whole_and_every_figure_is_there() -> None:
    """A benchmark that measures answers which never came would show fine numbers."""
    command = [sys.executable, "-m", "benchmarks", "overhead", "--json", "--no-sample"]
    few = ["--questions", "3", "--running", "2", "--drafts", "1", "--code", "400000"]
    ended = subprocess.run([*command, *few], capture_output=True, text=True, check=True)
    result = json.loads(ended.stdout)
    [streaming] = result["streaming"]
    assert (streaming["complete"], streaming["byte_for_byte"]) == (2, 2)
    assert streaming["memory_mb"] > 0
    spreads = (*result["event_to_request_ms"].values(), streaming["first_token_to_slack_ms"])
    for spread in (*spreads, result["draft_wait_ms"]):
        assert set(spread) == {"p50", "p99", "most"}
    assert result["event_to_request_ms"]["bot"]["p50"] > 0
    assert result["excerpts_ms"]["with"]["p50"] > 0
    assert "added_p50" in result["excerpts_ms"]
