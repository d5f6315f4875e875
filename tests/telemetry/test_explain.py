"""Why a channel is cold can be told from its records alone."""

from __future__ import annotations

from typing import Any

from bot.telemetry.explain import NO_DECISION, as_lines, context_of, explain
from bot.warm.events import SignalReceived, WarmthDecided
from tests.telemetry.conftest import NOON


def decided(**changes: Any) -> WarmthDecided:
    values: dict[str, Any] = {
        "at": NOON + 10,
        "prefix": "p",
        "fingerprint": "f",
        "action": "nothing",
        "ttl": "5m",
        "reason": "no question is expected within the hour",
        "cost_usd": 0.25,
        "gain_usd": 0.01,
    }
    return WarmthDecided(**(values | changes))


def signal(at: float, kind: Any = "typing") -> SignalReceived:
    return SignalReceived(
        at=at,
        kind=kind,
        workspace="T1",
        channel="C1",
        thread=None,
        user="U1",
        repository=None,
        context="payments",
        prefix="p",
    )


def test_the_newest_reason_and_every_cost_are_told(make: Any) -> None:
    records = [
        make.built(),
        make.received(),
        make.words(9.0, warm=False),
        signal(NOON + 3),
        signal(NOON + 4),
        make.ended(),
        make.ended(request="q", purpose="question", usd=0.5, question="q"),
        decided(),
        make.built(prefix="other", context="web"),
        make.ended(prefix="other", context="web", usd=7.0),
    ]
    found = explain(
        records, NOON + 4_000, channel="C1", context=context_of(records, "C1"), since=NOON
    )
    assert (found.context, found.state) == ("payments", "cold")
    assert found.because == "no question is expected within the hour"
    assert (found.warm_ups_usd, found.answers_usd) == (0.25, 0.5)
    text = "\n".join(as_lines(found))
    assert "C1 (context payments) is cold: no question is expected within the hour" in text
    assert "first words after 9.0 s, cold" in text
    assert "typing, 2 times until" in text
    assert "nothing: no question is expected within the hour (cost $0.2500, gain $0.0100)" in text
    assert "7.0" not in text
    assert [one.at for one in found.happenings] == sorted(one.at for one in found.happenings)


def test_what_came_before_tells_the_state_and_is_not_listed(make: Any) -> None:
    records = [make.built(), make.started(), make.ended(ttl="1h"), decided(at=NOON + 1)]
    found = explain(records, NOON + 600, channel="C1", context="payments", since=NOON + 500)
    assert found.state == "warm"
    assert found.happenings == ()
    assert found.because == "no question is expected within the hour"


def test_nothing_known_says_so(make: Any) -> None:
    found = explain([make.built()], NOON, channel="C1", context="payments", since=NOON)
    assert found.because == NO_DECISION
    assert context_of([], "C1") is None
