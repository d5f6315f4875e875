"""How much Slack sends to one app, and when it stops."""

from __future__ import annotations

from forewarm_playground.slack.delivery.event_throttle import EventThrottle


def test_beyond_the_hourly_budget_one_notice_a_minute_replaces_the_events() -> None:
    """`app_rate_limited` has no inner event (docs/platform/slack.md#http-delivery)."""
    health = EventThrottle("A1", "tok", 3)
    at = 1_518_467_820.0
    assert [health.admit("T1", at).admitted for _ in range(3)] == [True, True, True]
    refused = health.admit("T1", at + 1)
    assert not refused.admitted
    assert refused.notice is not None
    assert refused.notice.payload == {
        "token": "tok",
        "type": "app_rate_limited",
        "team_id": "T1",
        "minute_rate_limited": 1_518_467_820,
        "api_app_id": "A1",
    }
    assert health.admit("T1", at + 2).notice is None
    assert health.admit("T1", at + 61).notice is not None
    assert health.admit("T2", at + 2).admitted
    assert health.admit("T1", at + 3600).admitted


def test_a_subscription_ends_when_nearly_everything_fails_for_an_hour() -> None:
    """More than 95 %, of an app that is busy; its owner can switch it on again."""
    health = EventThrottle("A1", "tok", 30_000)
    for number in range(999):
        health.note(float(number), failed=True)
    assert health.enabled
    health.note(999.0, failed=True)
    assert not health.enabled
    assert not health.admit("T1", 1000.0).admitted
    health.enable()
    assert health.admit("T1", 1000.0).admitted


def test_failures_older_than_an_hour_are_forgotten() -> None:
    """The window slides."""
    health = EventThrottle("A1", "tok", 30_000)
    for number in range(600):
        health.note(float(number), failed=True)
    for number in range(600):
        health.note(4300.0 + number, failed=True)
    assert health.enabled
    assert repr(health) == "<EventThrottle [enabled | 600 of 600 failed]>"


def test_one_success_in_ten_keeps_a_subscription() -> None:
    """95 % is the border."""
    health = EventThrottle("A1", "tok", 30_000)
    for number in range(3000):
        health.note(number / 10, failed=bool(number % 10))
    assert health.enabled
