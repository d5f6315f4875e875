"""A database of version 0.1.0 opens, and nothing that it holds is lost (tests/store/data)."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped]  # ships no types
import pytest
from sqlalchemy import Connection, text

from bot.app.inbox import question_of
from bot.app.replica_actions import RemoteAction
from bot.context.pack_manifest import Manifest, unpack_text
from bot.context.render.token_estimate import Estimator
from bot.store.store import Store
from bot.stored import dump, load
from bot.telemetry.codec import decode, encode
from bot.telemetry.figures.report import as_json, build_report
from bot.telemetry.journal import Journal
from bot.telemetry.projections import LiveProjections
from bot.telemetry.restore import restore_figures, restore_recent
from bot.warm.governor import Governor
from bot.warm.types import PrefixFacts

DATA = Path(__file__).parent / "data"
START = 1_795_165_200.0
"""2026-11-20 09:00 UTC, when the made-up installation began."""

DAY = 86_400.0
TEAM, PAY = "T0ACME", "C0PAY"
ANSWERED = f"{TEAM}-{PAY}-1795165260.000001"
ASKED = f"{TEAM}-{PAY}-1795165270.000100"
PREFIX, PRINT = "9f1c0a77d2b84e10", "c2b9e84f6a1d0357"
PARTS = {"delivery": 0.2, "queue": 0.01, "join": 0.3, "prefill": 0.9, "thinking": 0.25}
REPOSITORY = {
    "name": "payments",
    "ref": "HEAD",
    "commit": "8d6bbf1de8453b7425a8bc65f7027f86a14f982b",
    "committed_at": START - 90_000,
    "stale_since": None,
}
WARM_UP: dict[str, Any] = {
    "request": "r-payments-warm-1795165270",
    "purpose": "warm",
    "prefix": PREFIX,
    "fingerprint": PRINT,
    "context": "payments",
    "question": None,
    "model": "claude-sonnet-5-5",
    "tokens": 41000,
    "expected": 0,
    "ttl": "1h",
}
"""The fields that the two records of one request share."""

KINDS = {
    "ContextDropped": 2,
    "FeedbackGiven": 3,
    "FirstWords": 2,
    "PrefixBuilt": 2,
    "QuestionEnded": 2,
    "QuestionReceived": 2,
    "RequestEnded": 7,
    "RequestStarted": 7,
    "SignalReceived": 4,
    "WarmthDecided": 4,
    "WarmthMissed": 2,
}
ROWS = {
    "audit": 4,
    "contexts": 2,
    "events": 2,
    "feedback": 3,
    "journal": 37,
    "leases": 3,
    "messages": 15,
    "questions": 15,
    "reservations": 8,
    "slack_bots": 2,
    "slack_installations": 2,
    "spending": 8,
    "state": 15,
    "turns": 3,
}


class Clock:
    def __init__(self, at: float) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock() -> Clock:
    """Two hours after the start, when the last questions came: their leases still run."""
    return Clock(START + 2 * 3600.0 + 5)


@pytest.fixture(params=["sqlite", "postgresql"])
def old_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A copy of the database that version 0.1.0 made, on each engine in turn."""
    if request.param == "sqlite":
        path = tmp_path / "forewarm.db"
        path.write_bytes(gzip.decompress((DATA / "v0.1.0.sqlite3.gz").read_bytes()))
        return f"sqlite:///{path}"
    url: str = request.getfixturevalue("empty_postgres")
    script = gzip.decompress((DATA / "v0.1.0.postgresql.sql.gz").read_bytes()).decode()
    asyncio.run(_run_script(url, script))
    return url


async def _run_script(url: str, script: str) -> None:
    connection = await asyncpg.connect(url, timeout=10)
    try:
        await connection.execute(script)
    finally:
        await connection.close()


@pytest.fixture
async def old(old_url: str, clock: Clock) -> AsyncIterator[Store]:
    opened = await Store.open(old_url, now=clock)
    yield opened
    await opened.close()


async def test_every_row_is_there(old: Store) -> None:
    """A migration that drops rows shows here."""

    def count(connection: Connection) -> dict[str, int]:
        return {
            table: connection.scalar(text(f"SELECT count(*) FROM {table}"))  # noqa: S608 - constants
            for table in ROWS
        }

    assert await old.database.read("count", count) == ROWS


async def records(store: Store) -> list[tuple[str, Any]]:
    return [(entry.kind, decode(entry.kind, entry.body)) for entry in await store.journal.read()]


async def test_every_journal_record_is_read(old: Store) -> None:
    found = await records(old)
    assert [kind for kind, record in found if record is None] == []
    assert Counter(kind for kind, _ in found) == KINDS


async def test_no_value_of_a_record_is_lost(old: Store) -> None:
    """A record that is read is written again as it was, field by field."""
    for entry in await old.journal.read():
        assert json.loads(encode(decode(entry.kind, entry.body))) == json.loads(entry.body)


FIRST: dict[str, dict[str, Any]] = {
    "PrefixBuilt": {
        "at": START,
        "prefix": PREFIX,
        "fingerprint": PRINT,
        "context": "payments",
        "model": "claude-sonnet-5-5",
        "tokens": 1057,
        "files": 2,
        "omitted": 0,
        "seconds": 1.25,
        "repositories": (REPOSITORY,),
        # Not known to version 0.1.0.
        "size": "",
        "workspace": "",
    },
    "ContextDropped": {"at": START + 1, "context": "billing"},
    "SignalReceived": {
        "at": START + 60,
        "kind": "composer_link",
        "workspace": TEAM,
        "channel": PAY,
        "thread": None,
        "user": "U0ADA",
        "repository": "acme/payments",
        "context": "payments",
        "prefix": PREFIX,
    },
    "WarmthDecided": {
        "at": START + 60.01,
        "prefix": PREFIX,
        "fingerprint": PRINT,
        "action": "warm",
        "ttl": "1h",
        "reason": "warm for 1h: 37% for a question soon",
        "cost_usd": 0.18,
        "gain_usd": 0.42,
        "next_look_at": START + 3600,
    },
    "WarmthMissed": {
        "at": START + 300,
        "prefix": PREFIX,
        "fingerprint": PRINT,
        "context": "payments",
        "reason": "read 0 of 41000 tokens, 290 s after the last touch: the entry had vanished",
    },
    "RequestStarted": {
        "at": START + 70,
        **WARM_UP,
    },
    "RequestEnded": {
        "at": START + 70.8,
        **WARM_UP,
        "usage": {"input": 3, "cache_read": 0, "write_5m": 0, "write_1h": 41000, "output": 0},
        "usd": 0.125,
        "seconds": 0.75,
        "complete": True,
        "started_at": START + 70,
        "error": None,
        "missed": None,
        "request_id": "req_1795165270",
        "message_id": "msg_1795165270",
    },
    "QuestionReceived": {
        "at": START + 70,
        "question": ASKED,
        "workspace": TEAM,
        "channel": PAY,
        "thread": "1795165270.000100",
        "user": "U0ADA",
        "surface": "mention",
        "asked_at": START + 69.8,
        "context": "payments",
    },
    "FirstWords": {
        "at": START + 71.9,
        "question": ASKED,
        "context": "payments",
        "warm": True,
        "wait": {**PARTS, "paint": 0.24},
        "slack_wait": 1.8,
        "cold": "",
    },
    "QuestionEnded": {
        "at": START + 79,
        "question": ASKED,
        "context": "payments",
        "outcome": "answered",
        "cited": 4,
        "corrected": 1,
        "struck": 1,
        "rounds": 2,
        "characters": 1830,
        "look_ups": 0,
        "excerpts": 0,
    },
    "FeedbackGiven": {
        "at": START + 8000,
        "question": ANSWERED,
        "context": "payments",
        "user": "U0ADA",
        "value": "up",
        "fingerprint": PRINT,
    },
}


@pytest.mark.parametrize("kind", FIRST)
async def test_the_first_record_of_each_kind_says_what_it_said(old: Store, kind: str) -> None:
    first = next(record for found, record in await records(old) if found == kind)
    assert dump(first) == FIRST[kind]


async def test_what_was_learned_and_what_is_alive_is_taken_back(old: Store) -> None:
    """Rates, survival, speed and savings of both prefixes, as the first version kept them."""
    kept = json.loads(await old.state.get("warmth", "driver") or b"")
    assert kept["messages"] == {
        PREFIX: "msg_01payments",
        "47aa31e05c9d6f28": "msg_01shipping",
    }
    governor = Governor()
    governor.restore(kept["governor"])
    again = governor.snapshot()
    assert [one["facts"]["context"] for one in again["prefixes"]] == ["payments", "shipping"]
    for one, before in zip(again["prefixes"], kept["governor"]["prefixes"], strict=True):
        assert load(PrefixFacts, one["facts"]) == load(PrefixFacts, before["facts"])
        assert one["entry"] == before["entry"]
        assert one["arrivals"]["channels"].keys() == before["arrivals"]["channels"].keys()
        for learned in ("arrivals", "survival", "speed", "savings", "breaker"):
            assert one[learned] == before[learned]
    assert again["spending"] == kept["governor"]["spending"]


async def test_packs_are_read_or_void_but_never_an_error(old: Store) -> None:
    """Another version of the packer builds anew; what it cannot read must not stop it."""
    packs = {key: one.value for key, one in (await old.state.all("pack")).items()}
    for name in ("payments", "shipping"):
        data = packs[f"{name}.manifest"]
        stored = json.loads(data)
        manifest = Manifest.load(data, stored["settings"])
        assert manifest is None or [member.name for member in manifest.members] == [name]
        for _, repository, fingerprint, _ in stored["blocks"]:
            assert repository in unpack_text(packs[f"{name}.{fingerprint}"])
    for model in ("claude-sonnet-5-5", "claude-haiku-4-5"):
        assert any(Estimator.load(model, value).spread == 0.01 for value in packs.values())


async def test_what_replicas_told_each_other_is_heard(old: Store) -> None:
    kept = (await old.state.all("interruption")).values()
    told = sorted((load(RemoteAction, json.loads(one.value)) for one in kept), key=repr)
    assert {(one.kind, one.ts or one.thread or one.question) for one in told} == {
        ("edited", "1795172520.000122"),
        ("deleted", "1795172520.000122"),
        ("stopped", "1795172520.000122"),
        ("stopped", f"{TEAM}-{PAY}-1795172580.000123"),
    }
    assert {one.text for one in told} == {"", "Where is it called now? <&>"}
    assert {one.at for one in told} == {START + 7205}


async def test_questions_keep_what_was_asked_and_how_it_ended(old: Store) -> None:
    query = text("SELECT id, outcome FROM questions")
    rows = await old.database.read("look", lambda connection: connection.execute(query).all())
    outcomes = {row.id: row.outcome for row in rows}
    assert Counter(outcomes.values()) == {
        None: 4,
        "answered": 4,
        "stopped": 1,
        "refused": 1,
        "failed": 1,
        "overloaded": 1,
        "expired": 1,
        "denied": 1,
        "no_context": 1,
    }
    surfaces: Counter[str] = Counter()
    for id in outcomes:
        past = await old.history.past(id)
        assert past is not None
        surfaces[question_of(past.question).surface] += 1
    assert surfaces == {
        "mention": 5,
        "thread": 3,
        "dm": 3,
        "modal": 2,
        "shortcut": 1,
        "channel": 1,
    }
    past = await old.history.past(ANSWERED)
    assert past is not None
    assert past.messages == ("1795165260.900001", "1795165260.900002")
    question = question_of(past.question)
    assert (question.id, question.workspace, question.channel) == (ANSWERED, TEAM, PAY)
    assert (question.ts, question.thread) == ("1795165260.000001", "1795165260.000001")
    assert (question.user, question.text) == ("U0ADA", "Where are refunds rounded?")
    assert (question.received_at, question.asked_at) == (START + 60.2, START + 60)
    log, picture = question.files
    assert (log.id, log.name, log.kind, log.size) == ("F0LOG", "trace.log", "text/plain", 812)
    assert (log.snippet, log.whole) == (True, False)
    assert log.preview == "Traceback (most recent call last)"
    assert log.url == "https://files.slack.com/files-pri/T0ACME-F0LOG/trace.log"
    assert (picture.id, picture.snippet, picture.url) == ("F0PNG", False, None)


async def test_questions_without_an_end_are_taken_over_with_their_saved_answer(
    old: Store, clock: Clock
) -> None:
    """A released question is free at once, the others when their leases have run out."""
    waiting = await old.inbox.waiting()
    assert [one.id.rpartition(".")[2] for one in waiting] == [
        "000120",
        "000121",
        "000122",
        "000123",
    ]
    assert [one.owner is None for one in waiting] == [False, True, False, False]
    (released,) = await old.inbox.claim_expired("new", 30.0)
    clock.at += 5
    free = await old.inbox.claim_expired("new", 30.0)
    assert [one.id.rpartition(".")[2] for one in (released, *free)] == [
        "000121",
        "000120",
        "000122",
        "000123",
    ]
    _, told, modal = free
    assert (released.claims, released.messages, released.saved) == (2, (), None)
    assert question_of(modal.question).asked_at is None
    assert told.messages == ("1795172521.900000",)
    assert told.saved is not None
    assert told.saved.text == "It is in `src/payments.py:1`."
    assert told.saved.outcome == "answered"
    assert told.saved.last_line.startswith("_")
    actions = [block["elements"][0].get("action_id") for block in told.saved.blocks]
    assert actions[-2:] == ["forewarm_feedback", "forewarm_again"]


async def test_the_turns_of_a_thread_come_back_as_they_were_sent(old: Store) -> None:
    turns = await old.turns.load(TEAM, PAY, "1795165260.000001")
    assert [turn.question for turn in turns] == [ANSWERED, f"{TEAM}-{PAY}-1795165320.000002"]
    asked, looked, told, answer = turns[0].messages
    assert [block["type"] for block in looked["content"]] == [
        "thinking",
        "text",
        "tool_use",
        "tool_use",
    ]
    assert [block["name"] for block in looked["content"][2:]] == ["search", "read"]
    assert told["content"][1]["is_error"] is True
    assert asked["content"][2]["text"].startswith(
        '<slack_question ts="1795165260.000001" from="U0ADA">\nWhere are refunds rounded?\n'
    )
    assert answer["content"][0]["text"] == "Refunds are rounded in `src/payments.py:29`."
    alone = await old.turns.load(TEAM, PAY, "1795165380.000003")
    assert len(alone) == 1
    assert "U0ADA" in await old.history.askers(TEAM, PAY, "1795165260.000001")


async def test_events_seen_before_are_known(old: Store) -> None:
    """Slack redelivers for an hour, also while the version changes."""
    assert not await old.events.first_sight("Ev0PAY1")
    assert not await old.events.first_sight("Ev0PAY2")
    assert await old.events.first_sight("Ev0NEW")


async def test_contexts_set_in_slack_keep_their_settings_and_versions(old: Store) -> None:
    ours, theirs = await old.contexts.all()
    assert (ours.workspace, ours.name, ours.changed_by, ours.version) == (
        TEAM,
        "slack-c0ship",
        "U0BEN",
        2,
    )
    assert ours.body == {
        "repositories": [
            {
                "url": "https://github.com/acme/ship",
                "ref": "main",
                "name": "ship",
                "include": ["src/**"],
            }
        ],
        "model": "claude-haiku-4-5",
        "limits": {"user_per_hour": 9},
        "access": {"guests": True},
        "channels": ["C0SHIP"],
        "instructions": "Say which module.",
    }
    assert (theirs.workspace, theirs.body, theirs.version) == ("T0WIDGET", {"mode": "mention"}, 1)
    assert await old.contexts.save(TEAM, "slack-c0ship", {}, "U0ADA", expected=2)


async def test_what_people_said_of_answers_is_kept(old: Store) -> None:
    up, down, elsewhere = sorted(await old.feedback.since(0.0), key=lambda one: one.user)
    assert (up.question, up.user, up.workspace, up.value) == (ANSWERED, "U0ADA", TEAM, "up")
    assert (up.context, up.fingerprint, up.comment) == ("payments", "c2b9e84f6a1d0357", None)
    assert (down.value, down.comment) == ("down", "The second citation is wrong. 🙃")
    assert (elsewhere.workspace, elsewhere.context, elsewhere.at) == ("T0WIDGET", None, START + 8e3)


async def test_the_audit_log_is_kept(old: Store) -> None:
    found = [(d.actor, d.action, d.subject, d.detail) for d in await old.audit.last()]
    assert found == [
        ("U0OUT", "refused warm", "dm", {"rule": "external"}),
        ("U0GUEST", "refused ask", PAY, {"rule": "guests"}),
        ("U0BEN", "detached", "old-monolith", {"keys": ["repositories"]}),
        ("U0ADA", "changed", "slack-c0ship", {"keys": ["repositories"]}),
    ]


async def test_the_ledger_keeps_what_was_spent_and_reserved(old: Store, clock: Clock) -> None:
    assert await old.ledger.spent("2026-11-20") == {
        "all/*": (2.25, 0.0),
        "answers/payments": (2.0, 0.0),
        "warmth/*": (0.25, 0.0),
        "warmth/shipping": (0.25, 0.0),
    }
    assert await old.ledger.spent("2026-11-21") == {
        "all/*": (2.9125, 0.3),
        "answers/payments": (2.6, 0.3),
        "warmth/*": (0.3125, 0.3),
        "warmth/shipping": (0.3125, 0.0),
    }
    clock.at = START + 2 * DAY
    await old.ledger.expire()
    assert (await old.ledger.spent("2026-11-21"))["warmth/*"] == (0.6125, 0.0)


async def test_leases_stand_as_they_stood(old: Store, clock: Clock) -> None:
    clock.at = START + DAY + 1000
    ours = "writing:warm/9f1c0a77d2b84e10/c2b9e84f6a1d0357"
    assert await old.leases.acquire(ours, "new", 9.0) is None
    freed = await old.leases.look("writing:warm/47aa31e05c9d6f28/08e7d3f1b46a92c5")
    assert freed is not None
    assert (freed.owner, freed.term, freed.result_term) == (None, 1, 1)
    report = await old.leases.look("report")
    assert report is not None
    assert report.result == b'{"done": true}'
    clock.at += 120
    assert await old.leases.acquire(ours, "new", 9.0) is not None


async def test_state_of_every_kind_is_there(old: Store) -> None:
    packs = await old.state.all("pack")
    assert sum(key.startswith("estimator.") for key in packs) == 2
    assert [key for key in packs if key.endswith(".manifest")] == [
        "payments.manifest",
        "shipping.manifest",
    ]
    assert len(packs) == 8
    assert list(await old.state.all("codebase draft")) == ["V0ONE", "V0TWO"]
    told = [json.loads(one.value) for one in (await old.state.all("interruption")).values()]
    assert Counter(one["kind"] for one in told) == {"edited": 1, "deleted": 1, "stopped": 2}
    assert list(await old.state.all("warmth")) == ["driver"]


async def test_the_bots_tokens_are_found(old: Store) -> None:
    installations = old.installations("1.2")
    for team, bot in ((TEAM, "B0BOT0"), ("T0WIDGET", "B0BOT1")):
        found = await installations.async_find_bot(enterprise_id=None, team_id=team)
        assert (found.bot_id, found.bot_token) == (bot, "xoxb-made-up")


async def test_after_a_start_the_state_and_the_figures_hold_what_was_recorded(
    old: Store, clock: Clock
) -> None:
    """The folds of a new process, over the old journal alone."""
    clock.at = START + 4100
    live = LiveProjections()
    journal = Journal(old.journal, source="new", live=live, flush_seconds=0)
    await restore_recent(journal, live, clock)
    await restore_figures(journal, live, clock)
    shown = live.state.view(clock.at)
    assert {key: one["tokens"] for key, one in shown["prefixes"].items()} == {
        "9f1c0a77d2b84e10": 41000,
        "47aa31e05c9d6f28": 41000,
    }
    assert {one["outcome"] for one in shown["questions"].values()} == {"answered", "refused"}
    assert live.caps.spent("2026-11-20") == 6 * 0.125
    assert live.figures.days() == ["2026-11-20"]
    (prefix,) = [one for key, one in shown["prefixes"].items() if key.startswith("9f")]
    assert prefix.keys() >= {
        *("contexts", "model", "tokens", "fingerprint", "files", "omitted", "repositories"),
        *("state", "warming_since", "ttl", "alive_until", "decision", "signal", "last_request"),
        "last_miss",
    }
    assert prefix["repositories"][0].keys() >= {
        *("name", "ref", "commit", "committed_at", "stale_since"),
    }
    question = shown["questions"][ASKED]
    assert question.keys() >= {
        *("at", "asked_at", "ended_at", "context", "prefix", "channel", "thread", "surface"),
        *("stage", "outcome", "warm", "wait", "slack_wait", "read", "written", "usd"),
    }
    assert question["wait"] == {**PARTS, "paint": 0.24, "total": pytest.approx(1.9)}
    document = as_json(build_report(live.figures, clock.at, since="2026-11-01"))
    assert document.keys() >= {"since", "until", "context", "total", "contexts", "days"}
    total = document["total"]
    assert total.keys() >= {
        *("usd", "answers_usd", "warmth_usd", "drafts_usd", "sorting_usd", "questions"),
        *("unanswered", "outcomes", "warm", "cold", "hit_rate", "read_share", "warm_ups_used"),
        *("warm_ups_wasted", "warm_ups_failed", "warm_ups_open", "misses", "up", "down"),
    }
    assert (total["usd"], total["answers_usd"], total["questions"]) == (0.75, 0.375, 2)
    # It waited for a warm-up, so this version counts it as joined.
    assert total["joined"] == {"count": 1, "p50": 1.9, "p95": 1.9}
    assert total["misses"] == (("the entry had vanished", 1),)
    assert (total["hit_rate"], total["outcomes"]) == (0.0, {"answered": 1, "refused": 1})
