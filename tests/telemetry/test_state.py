"""The page's view of prefixes, questions and money, step by step."""

from __future__ import annotations

from typing import Any

import pytest

from bot.claude.usage import Usage
from bot.telemetry.events import ContextDropped
from bot.telemetry.state import FLIGHT_SECONDS, QUESTIONS_SHOWN, State
from bot.warm.events import SignalReceived, WarmthDecided

NOON = 1_800_014_400.0
READ = Usage(cache_read=1000, write_5m=20, output=5)


def prefix(state: State, now: float) -> dict[str, Any]:
    found: dict[str, Any] = state.view(now)["prefixes"]["p"]
    return found


def question(state: State, now: float = NOON) -> dict[str, Any]:
    found: dict[str, Any] = state.view(now)["questions"]["q"]
    return found


def folded(*records: object) -> State:
    state = State()
    for record in records:
        state.apply(record)
    return state


def test_a_prefix_goes_from_cold_over_warming_to_warm_and_back(make: Any) -> None:
    """The life counts from the start of the request, not from its end."""
    state = folded(make.built())
    assert prefix(state, NOON)["state"] == "cold"
    assert prefix(state, NOON)["repositories"][0]["commit"] == "4f2c1a9"
    state.apply(make.started())
    assert (prefix(state, NOON + 1)["state"], prefix(state, NOON + 1)["warming_since"]) == (
        "warming",
        NOON,
    )
    state.apply(make.ended())
    warm = prefix(state, NOON + 2)
    assert (warm["state"], warm["alive_until"], warm["ttl"]) == ("warm", NOON + 300, "5m")
    assert state.next_change(NOON + 2) == NOON + 300
    cold = prefix(state, NOON + 300)
    assert (cold["state"], cold["alive_until"], cold["ttl"]) == ("cold", None, None)
    assert state.next_change(NOON + 300) is None


def test_a_warm_up_that_did_not_do_its_work_leaves_the_prefix_cold(make: Any) -> None:
    """Nothing is shown as warm that was not seen to be cached."""
    state = folded(make.started(), make.ended(complete=False, usage=Usage()))
    assert prefix(state, NOON + 3)["state"] == "cold"


def test_a_read_renews_the_life_that_was_written(make: Any) -> None:
    """A question asks for 5 minutes, but the entry it reads lives an hour."""
    state = folded(
        make.ended(ttl="1h", usage=Usage(write_1h=1000)),
        make.ended(purpose="question", usage=READ, started_at=NOON + 600, ttl="5m"),
    )
    assert prefix(state, NOON + 700)["alive_until"] == NOON + 600 + 3600


def test_a_write_sets_a_new_life(make: Any) -> None:
    """After the life ran out, the next write chooses anew."""
    state = folded(
        make.ended(ttl="1h", usage=Usage(write_1h=1000)),
        make.ended(ttl="5m", usage=Usage(write_5m=1000), started_at=NOON + 4000),
    )
    assert (prefix(state, NOON + 4001)["ttl"], prefix(state, NOON + 4001)["alive_until"]) == (
        "5m",
        NOON + 4300,
    )


def test_the_first_words_show_that_the_prefix_is_cached(make: Any) -> None:
    """A cold question's entry can be read once its reply begins, long before it ends."""
    state = folded(
        make.received(),
        make.started(purpose="question", question="q"),
        make.words(warm=False),
    )
    assert prefix(state, NOON + 3)["state"] == "warm"


def test_a_request_whose_process_died_does_not_warm_for_ever(make: Any) -> None:
    """Its end was never written."""
    state = folded(make.started())
    assert prefix(state, NOON + FLIGHT_SECONDS - 1)["state"] == "warming"
    assert "p" in state.view(NOON + FLIGHT_SECONDS)["prefixes"]
    assert prefix(state, NOON + FLIGHT_SECONDS)["state"] == "cold"


def test_a_prefix_that_no_context_uses_is_shown_only_while_it_lives(make: Any) -> None:
    """A new salt or model makes a new prefix; the old one must not stay on the page."""
    state = folded(make.built(), make.ended(), make.built(prefix="new", at=NOON + 5))
    shown = state.view(NOON + 6)["prefixes"]
    assert {key: p["contexts"] for key, p in shown.items()} == {"p": [], "new": ["payments"]}
    assert set(state.view(NOON + 300)["prefixes"]) == {"new"}
    state.apply(ContextDropped(at=NOON + 400, context="payments"))
    assert state.view(NOON + 400)["prefixes"] == {}


def test_contexts_on_one_repository_share_one_prefix(make: Any) -> None:
    """Ten channels, one cache entry."""
    state = folded(make.built(), make.built(context="web"))
    assert prefix(state, NOON)["contexts"] == ["payments", "web"]


def test_the_last_signal_decision_and_request_are_told(make: Any) -> None:
    """Every decision carries a sentence saying why."""
    decided = WarmthDecided(
        at=NOON,
        prefix="p",
        fingerprint="f",
        action="warm",
        ttl="5m",
        reason="a question is likely",
        cost_usd=0.2,
        gain_usd=0.5,
    )
    signal = SignalReceived(
        at=NOON,
        kind="dm_opened",
        workspace="T1",
        channel="D1",
        thread=None,
        user="U1",
        repository=None,
        context="payments",
        prefix="p",
    )
    shown = prefix(folded(make.built(), signal, decided, make.ended(missed="tools_changed")), NOON)
    assert shown["decision"]["reason"] == "a question is likely"
    assert shown["signal"] == {"at": NOON, "kind": "dm_opened"}
    assert shown["last_request"]["missed"] == "tools_changed"
    assert shown["last_request"]["written"] == 1000


def test_a_question_goes_through_its_stages(make: Any) -> None:
    """A reader of the page sees the stage of the question."""
    state = folded(make.built(), make.received())
    assert question(state)["stage"] == "received"
    state.apply(make.started())
    assert question(state)["stage"] == "joining", "its prefix is being warmed"
    state.apply(make.ended())
    state.apply(make.started(purpose="question", question="q", request="r2", at=NOON + 2))
    assert (question(state)["stage"], question(state)["prefix"]) == ("asked", "p")
    state.apply(make.words(total=2.5))
    assert (question(state)["stage"], question(state)["wait"]["total"]) == ("answering", 2.5)
    ended = make.ended(purpose="question", question="q", request="r2", usage=READ, usd=0.05)
    state.apply(ended)
    state.apply(make.answered())
    shown = question(state)
    assert (shown["stage"], shown["outcome"], shown["ended_at"]) == ("ended", "answered", NOON + 9)
    assert (shown["read"], shown["written"], shown["usd"], shown["warm"]) == (1000, 20, 0.05, True)


def test_no_user_and_no_text_is_on_the_page(make: Any) -> None:
    """The page is for operators; it does not name the asker."""
    assert "U1" not in str(folded(make.received(), make.answered()).view(NOON))


def test_the_newest_questions_are_shown_and_memory_is_bounded(make: Any) -> None:
    """A busy year must not fill the page or the process."""
    state = folded(*(make.received(question=f"q{number}") for number in range(500)))
    shown = list(state.view(NOON)["questions"])
    assert shown == [f"q{number}" for number in range(500 - QUESTIONS_SHOWN, 500)]
    for number in range(1000):
        state.apply(make.ended(prefix=f"p{number}"))
    assert len(state._prefixes) == 200
    assert len(state._questions) <= 2 * QUESTIONS_SHOWN


@pytest.mark.parametrize("age", [0, 86_400])
def test_the_money_is_that_of_today(make: Any, age: int) -> None:
    """Caps are daily, by UTC."""
    state = folded(make.ended(usd=0.25), make.ended(purpose="question", usd=0.5))
    shown = state.view(NOON + age)["money"]
    expected = (
        (0.0, 0.0, 0.0, {})
        if age
        else (
            0.75,
            0.5,
            0.25,
            {"payments": {"answers": 0.5, "warmth": 0.25}},
        )
    )
    assert (shown["usd"], shown["answers"], shown["warmth"], shown["contexts"]) == expected
