"""Operators are told of what only they can repair: once a day for each matter."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from bot.app.operator_alerts import (
    ALERTS,
    MOST_A_DAY,
    Audience,
    CapState,
    OperatorAlerts,
    StaleContext,
    due_alerts,
)
from bot.clock import system_now
from bot.store.store import Store

NOON = 1_800_014_400.0


def texts(**given: Any) -> list[str]:
    values: dict[str, Any] = {"caps": [], "stale": [], "claude_refusals": {}, **given}
    return [alert.text for alert in due_alerts(NOON, **values)]


def test_a_cap_is_told_at_four_fifths() -> None:
    assert texts(caps=[CapState("warm-ups", 20.0, 15.9), CapState("nothing", 0.0, 0.0)]) == []
    assert texts(caps=[CapState("warm-ups", 20.0, 16.0)]) == [
        "80% of today's limit for warm-ups is spent ($16.00 of $20.00). At the limit it stops until"
        " midnight UTC."
    ]


def test_a_stale_context_is_told_after_an_hour_and_a_refused_token_at_once() -> None:
    def stale(since: float, is_refused: bool = False) -> StaleContext:
        return StaleContext("pay", "payments", since, "the host is away.", is_refused)

    assert texts(stale=[stale(NOON - 3599)]) == []
    assert texts(stale=[stale(NOON - 3600)]) == [
        "payments of the context pay could not be fetched for 1 hour, so answers are from older"
        " code: the host is away."
    ]
    assert len(texts(stale=[stale(NOON - 60, is_refused=True)])) == 1


def test_a_refused_key_is_told_on_its_day() -> None:
    assert len(texts(claude_refusals={"authentication": NOON - 60})) == 1
    assert texts(claude_refusals={"authentication": NOON - 86_400}) == []


class Slack:
    """Notes the messages that were sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []

    async def chat_postMessage(self, *, channel: str, text: str, **more: Any) -> Any:
        self.sent.append((channel, text))
        return SimpleNamespace(data={"ok": True})


async def test_replicas_together_tell_each_matter_once_and_few_a_day(tmp_path: Path) -> None:
    store = await Store.open(str(tmp_path / "forewarm.db"), now=system_now)
    caps = [CapState("warm-ups", 20.0, 19.0)]
    slack: Any = Slack()

    def replica() -> OperatorAlerts:
        told = Audience(slack, ("U0BOSS", "U0MATE"), caps, ())
        return OperatorAlerts(store.state, lambda: [told], lambda: NOON)

    first, second = replica(), replica()
    for one in (first, second, first):
        await one.look()
    assert [user for user, _ in slack.sent] == ["U0BOSS", "U0MATE"]
    caps += [CapState(f"answers about {n}", 1.0, 1.0) for n in range(50)]
    await first.look()
    await second.look()
    assert len(slack.sent) == 2 * MOST_A_DAY
    await store.close()


async def test_each_workspace_is_told_of_its_own_matters_by_its_own_bot(tmp_path: Path) -> None:
    store = await Store.open(str(tmp_path / "forewarm.db"), now=system_now)
    one, two = Slack(), Slack()
    clients: list[Any] = [one, two]
    cap = CapState("this workspace", 10.0, 9.0)
    audiences = [
        Audience(clients[0], ("U0ONE",), [cap], (), "T0ONE"),
        Audience(clients[1], ("U0TWO",), [cap], (), "T0TWO"),
        Audience(clients[1], (), [cap], (), "T0QUIET"),
    ]
    alerts = OperatorAlerts(store.state, lambda: audiences, lambda: NOON)
    await alerts.look()
    await alerts.look()
    assert [user for user, _ in one.sent] == ["U0ONE"]
    assert [user for user, _ in two.sent] == ["U0TWO"]
    await store.erase.workspace("T0ONE")
    assert [key.partition(":")[0] for key in await store.state.all(ALERTS)] == ["T0TWO"]
    await store.close()
