"""`forewarm simulate`: its rules, causality, and how good the governor is on unseen traffic."""

from __future__ import annotations

import gzip
import io
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from benchmarks.governor_results import KEEPS, replays, table
from bot.cli import build
from bot.commands.simulate import Outcome, Setup, run
from bot.warm.replay.traces import Hints, TraceError, read_trace, thin_out

MONDAY = 1_767_571_200.0
SHARED = Path(__file__).resolve().parents[3] / "shared" / "traces"
HOUR = 3600.0


def setup(hints: Hints = "none", wait_cost: float = 100.0) -> Setup:
    return Setup(
        tokens=150_000,
        model="claude-sonnet-5-5",
        prefill=18.93,
        warm=1.94,
        wait_cost=wait_cost,
        hints=hints,
        keep=1.0,
        seed=1,
    )


def office(per_day: int, seed: int, weeks: int = 10, zone: int = 0) -> Iterator[dict[str, Any]]:
    """Yield questions on weekdays from 9 to 18 at a time zone's clock, in order of time."""
    chance = random.Random(seed)
    thread = 0
    for day in range(weeks * 7):
        if day % 7 >= 5:
            continue
        hours = sorted(chance.uniform(9.0, 18.0) for _ in range(per_day))
        for hour in hours:
            thread += 1
            at = MONDAY + day * 24 * HOUR + (hour - zone) * HOUR
            chars = chance.randrange(20, 400)
            who = f"u{chance.randrange(9)}"
            yield {"t": at, "user": who, "thread": thread, "chars": chars, "asks": True}


def written(path: Path, rows: Iterator[dict[str, Any]]) -> Path:
    path.write_bytes(gzip.compress("\n".join(json.dumps(row) for row in rows).encode()))
    return path


def replayed(path: Path, chosen: Setup) -> tuple[Outcome, list[dict[str, Any]]]:
    output = io.StringIO()
    outcome = run(path, chosen, output)
    return outcome, [json.loads(line) for line in output.getvalue().splitlines()]


def firsts_warm(lines: list[dict[str, Any]], zone: int) -> list[bool]:
    """Tell for each day after two weeks whether its first question found a readable entry.

    Worked out from the log alone, by the rules of the simulation.
    """
    alive = ready = life = float("-inf")
    found: dict[int, bool] = {}
    for line in lines:
        at = line["t"]
        day = int((at - MONDAY + zone * HOUR) // (24 * HOUR))
        if line["action"] == "question":
            found.setdefault(day, ready <= at < alive)
        if at >= alive:
            life, ready = (300.0 if line["ttl"] == "5m" else HOUR), at + 18.93
        alive = at + life
    return [warm for day, warm in found.items() if day >= 14]


@pytest.mark.parametrize("zone", [0, -8, 9])
@pytest.mark.parametrize("per_day", [5, 30])
def test_an_offices_mornings_are_warm_in_any_time_zone(
    tmp_path: Path, per_day: int, zone: int
) -> None:
    """The hours of work are learned, even if a Friday ends on UTC's Saturday."""
    path = written(tmp_path / "office.jsonl.gz", office(per_day, 1, zone=zone))
    outcome, lines = replayed(path, setup())
    mornings = firsts_warm(lines, zone)
    assert len(mornings) == 40
    assert sum(mornings) >= 0.95 * len(mornings)
    assert outcome.against_best is not None
    # Ten weeks hold two of learning; the bar over sixteen is in docs/governor.md.
    assert outcome.against_best <= 1.06


def test_cutting_a_trace_changes_nothing_before_the_cut(tmp_path: Path) -> None:
    """No decision knows what comes later than the longest typing after it."""
    rows = list(office(12, 3, weeks=3))
    whole = written(tmp_path / "whole.jsonl.gz", iter(rows))
    _, lines = replayed(whole, setup("typing"))
    for part in (0.2, 0.5, 0.83):
        kept = rows[: int(len(rows) * part)]
        cut = kept[-1]["t"]
        _, shorter = replayed(written(tmp_path / "cut.jsonl.gz", iter(kept)), setup("typing"))
        before = [line for line in lines if line["t"] < cut - 120]
        assert before
        assert [line for line in shorter if line["t"] < cut - 120] == before


@pytest.mark.parametrize("hints", ["none", "typing", "noisy"])
def test_the_log_accounts_for_every_cent_and_every_question(tmp_path: Path, hints: Hints) -> None:
    """The bill follows from the logged requests by the rules of the simulation."""
    path = written(tmp_path / "t.jsonl.gz", office(8, 5, weeks=2))
    outcome, lines = replayed(path, setup(hints))
    questions = [line for line in lines if line["action"] == "question"]
    assert [line["t"] for line in questions] == [m.at for m in read_trace(path)]
    assert outcome.questions == len(questions)
    usd = waits = 0.0
    alive = ready = life = float("-inf")
    for line in lines:
        at = line["t"]
        if at < alive:
            usd += 0.015
        else:
            usd += 0.375 if line["ttl"] == "5m" else 0.6
            life, ready = (300.0 if line["ttl"] == "5m" else HOUR), at + 18.93
        alive = at + life
        if line["action"] == "question":
            waits += max(0.0, ready - at) + 1.94
    assert outcome.api_usd == pytest.approx(usd)
    assert outcome.total_usd == pytest.approx(usd + waits * 100.0 / 3600)


def test_no_strategy_beats_the_clairvoyant(tmp_path: Path) -> None:
    """The optimum is a lower bound for the governor and for every named strategy."""
    for seed in range(3):
        path = written(tmp_path / "t.jsonl.gz", office(6, seed, weeks=2))
        outcome = run(path, setup("typing"))
        assert outcome.total_usd >= outcome.optimum_usd
        assert min(outcome.baselines.values()) >= outcome.optimum_usd - 1e-9


def test_if_waiting_is_free_guesses_are_paid_out_of_savings(tmp_path: Path) -> None:
    """At most 2 % above prompt caching alone, for any traffic."""
    for per_day, seed in ((1, 1), (5, 2), (30, 3), (120, 4)):
        path = written(tmp_path / "t.jsonl.gz", office(per_day, seed, weeks=4))
        outcome = run(path, setup("typing", wait_cost=0.0))
        assert outcome.api_usd <= 1.02 * outcome.baselines["prompt caching alone"]


def test_thinning_keeps_whole_threads_and_is_repeatable(tmp_path: Path) -> None:
    """The same seed keeps the same threads; another one keeps others."""
    trace = read_trace(written(tmp_path / "t.jsonl.gz", office(20, 1, weeks=2)))
    one, again, other = thin_out(trace, 0.3, 1), thin_out(trace, 0.3, 1), thin_out(trace, 0.3, 2)
    assert one == again
    assert one != other
    assert 0.2 < len(one) / len(trace) < 0.4


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "it is empty"),
        (b'{"t": 1}\n', "no object with t, user, thread"),
        (b"\x1f\x8bnonsense", "cannot be replayed"),
        (
            b'{"t":5,"user":"a","thread":1,"chars":1,"asks":true}\n'
            b'{"t":4,"user":"a","thread":2,"chars":1,"asks":true}\n',
            "not ordered by time",
        ),
    ],
)
def test_a_trace_that_cannot_be_read_is_named(tmp_path: Path, content: bytes, problem: str) -> None:
    """One sentence with the path, and with the line if one is at fault."""
    path = tmp_path / "bad.jsonl"
    path.write_bytes(content)
    with pytest.raises(TraceError, match=problem) as caught:
        read_trace(path)
    assert str(path) in str(caught.value)


def test_the_command_prints_what_machines_read(tmp_path: Path) -> None:
    """`--json` holds the named figures, and `--log` a line for each request."""
    path = written(tmp_path / "t.jsonl.gz", office(5, 1, weeks=1))
    log, chart = tmp_path / "log.jsonl", tmp_path / "chart.svg"
    arguments = ["simulate", str(path), "--typing", "--json", "--log", str(log)]
    result = CliRunner().invoke(build(), [*arguments, "--plot", str(chart)])
    assert result.exit_code == 0, result.output
    (found,) = json.loads(result.stdout)
    wanted = {"questions", "api_usd", "wait_p50", "wait_p95", "wait_mean", "total_usd"}
    assert wanted | {"optimum_usd", "ratio", "baselines"} <= set(found)
    first_name = "seed"
    assert f"the {first_name}'s warming at typing" in found["baselines"]
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert sum(line["action"] == "question" for line in lines) == found["questions"] == 25
    assert all(set(line) == {"t", "action", "ttl", "reason"} for line in lines)
    assert chart.read_text().startswith("<?xml")


def test_a_table_holds_every_hint_and_every_part(tmp_path: Path) -> None:
    """The governor benchmark prints the mean over the replays of the traces."""
    path = written(tmp_path / "t.jsonl.gz", office(10, 1, weeks=2))
    seen: list[None] = []
    cells = list(table([path], setup(), 2, lambda: seen.append(None)))
    assert len(cells) == 3 * len(KEEPS)
    assert len(seen) == replays(1, 2) == sum(cell.replays for cell in cells)
    whole = next(cell for cell in cells if (cell.hints, cell.keep) == ("typing", 1.0))
    assert whole.mean == run(path, setup("typing")).against_best
    few = next(cell for cell in cells if (cell.hints, cell.keep) == ("none", KEEPS[-1]))
    assert few.mean is None


@pytest.mark.skipif(not SHARED.exists(), reason="the public traces are not on this machine")
@pytest.mark.parametrize(("hints", "bar"), [("typing", 1.015), ("noisy", 1.02), ("none", 1.01)])
def test_on_real_traffic_hindsight_is_hardly_better(hints: Hints, bar: float) -> None:
    """Mean over the public traces, every thread kept."""
    outcomes = [run(path, setup(hints)) for path in sorted(SHARED.glob("*.jsonl.gz"))]
    shares = [outcome.against_best for outcome in outcomes if outcome.against_best]
    assert len(shares) == 3
    assert sum(shares) / len(shares) <= bar
    assert max(shares) <= 1.2
    if hints == "typing":
        assert max(outcome.wait_p95 or 0.0 for outcome in outcomes) <= 2.0
