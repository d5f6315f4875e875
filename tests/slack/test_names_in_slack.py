"""Names that stand in Slack: messages and views of version 0.1.0 keep working after an upgrade.

The lists are literal. A name may be added to them; none may change.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, cast
from unittest.mock import AsyncMock

import pytest
from slack_bolt.async_app import AsyncApp, AsyncBoltRequest
from slack_bolt.response import BoltResponse

from bot.answer.feedback import Mark, decode
from bot.answer.receipt import blocks, stop_block
from bot.slack import answer_buttons, listeners, manifest
from bot.slack.ask import context_picker, modal
from bot.slack.codebase import settings_form, views
from bot.slack.codebase.blocks import Place, place_of
from bot.slack.codebase.edits import RepositoryEdit, SettingsEdit
from bot.slack.codebase.listeners import register_codebase
from bot.slack.home import views as home_views

QUESTION = "T0ACME-C0PAY-1795165260.000001"
MARK = Mark(QUESTION, "payments", "c2b9e84f6a1d0357")
NOTHING = cast(Any, None)

ACTIONS = [
    ("forewarm_feedback", None),
    ("forewarm_again", None),
    ("forewarm_stop", None),
    ("choose_context", f"choose:{QUESTION}"),
    ("forewarm_refresh", "forewarm_refresh"),
    ("forewarm_charts", "forewarm_refresh"),
    ("draft", "question"),
    ("context", "context"),
    ("codebase_add", "codebase"),
    ("codebase_change", None),
    ("codebase_open_settings", "codebase"),
]
"""Each `action_id` that is listened to, with its `block_id` if that is one of ours."""

VIEWS = ["ask", "forewarm_comment", "codebase_repository", "codebase_settings", "codebase_save"]


class Ears:
    """All of the bot's listeners but the catch-all; none of them is run."""

    def __init__(self) -> None:
        self._app = app = AsyncApp(name="names", token="xoxb-none", signing_secret="none")
        listeners.register_signals(app, NOTHING, NOTHING, AsyncMock())
        listeners.register_asking(app, NOTHING)
        listeners.register_answers(app, NOTHING)
        listeners.register_judging(app, NOTHING)
        register_codebase(app, NOTHING, NOTHING)

    async def hear(self, body: Mapping[str, Any]) -> bool:
        request = AsyncBoltRequest(body=dict(body), mode="socket_mode")
        answer = BoltResponse(status=200)
        heard = [
            await one.async_matches(req=request, resp=answer) for one in self._app._async_listeners
        ]
        return any(heard)


@pytest.fixture(scope="module")
def ears() -> Ears:
    return Ears()


@pytest.mark.parametrize(("action", "block"), ACTIONS)
async def test_a_press_on_what_stands_in_slack_is_heard(
    ears: Ears, action: str, block: str | None
) -> None:
    """Buttons stand under answers for years."""
    pressed = {"action_id": action, "block_id": block or "Xy7", "type": "button", "value": "x"}
    body = {"type": "block_actions", "actions": [pressed], "user": {"id": "U0ADA"}}
    assert await ears.hear(body)
    assert not await ears.hear({**body, "actions": [{**pressed, "action_id": f"{action}_not"}]})


@pytest.mark.parametrize("callback", VIEWS)
async def test_a_view_that_was_open_during_the_upgrade_can_be_sent(
    ears: Ears, callback: str
) -> None:
    view = {"callback_id": callback, "type": "modal"}
    assert await ears.hear({"type": "view_submission", "view": view})


@pytest.mark.parametrize(
    "body",
    [
        {"type": "view_closed", "view": {"callback_id": "ask", "type": "modal"}},
        {"type": "shortcut", "callback_id": "ask_global"},
        {"type": "message_action", "callback_id": "ask_message"},
        {"command": "/ask", "trigger_id": "1"},
        {"command": "/codebase", "trigger_id": "1"},
    ],
)
async def test_shortcuts_commands_and_closed_views_are_heard(
    ears: Ears, body: Mapping[str, Any]
) -> None:
    """An app that was installed with an earlier manifest goes on sending them."""
    assert await ears.hear(body)


def test_the_manifest_names_the_commands_and_shortcuts() -> None:
    features = manifest.manifest(manifest.Features())["features"]
    assert [one["command"] for one in features["slash_commands"]] == ["/ask", "/codebase"]
    assert {one["callback_id"] for one in features["shortcuts"]} == {"ask_global", "ask_message"}


# --- the names in what is shown now -----------------------------------------------------------


def test_what_is_shown_now_carries_no_other_names() -> None:
    """Both versions must understand what version 0.1.0 shows beside this one in a deploy."""
    place = Place("T0ACME", "C0PAY", "payments")
    origin = modal.Origin(channel="C0PAY")
    one = views.RepositoryShown(
        name="pay", url="https://github.com/acme/pay", ref="main", commit=None, origin="Slack"
    )
    summary = views.Summary(name="payments", repositories=[one], may_change=True)
    edit = RepositoryEdit(url="https://github.com/acme/pay", ref="main")
    preview = views.Preview(tokens=1, files=1, warm_day_usd=0.1)
    shown = [
        *blocks(None, MARK),
        stop_block(QUESTION),
        *context_picker.context_picker(QUESTION, ["payments"]),
        answer_buttons.comment_view(MARK),
        modal.ask(origin, [("payments", "Payments")], "payments", channel_name="pay"),
        views.summary_view(place, summary),
        views.repository_form(place, edit, ["github.com"]),
        views.preview_view(place, preview),
        settings_form.settings_form(place, SettingsEdit(), SettingsEdit()),
        home_views._buttons(charts_in_dm=True),
    ]
    assert named(shown, "callback_id") == {
        "ask",
        "codebase_repository",
        "codebase_save",
        "codebase_settings",
        "codebase_show",
        "forewarm_comment",
    }
    assert named(shown, "block_id") - {f"choose:{QUESTION}"} == {
        *("answers_daily_usd", "budget_tokens", "codebase", "comment", "context", "exclude"),
        *("forewarm_refresh", "include", "instructions", "mode", "model", "place", "question"),
        *("ref", "switches", "url", "user_per_hour", "warm_daily_usd"),
    }
    inputs = named(shown, "action_id") - {action for action, _ in ACTIONS}
    assert inputs == {
        *("answers_daily_usd", "budget_tokens", "comment", "exclude", "include", "instructions"),
        *("mode", "model", "place", "ref", "switches", "url", "user_per_hour", "warm_daily_usd"),
    }
    values = named(shown, "value")
    assert {"add", "settings", "change:pay", "detach:pay", "here", "dm", QUESTION} <= values
    assert {"guests", "external", "answer_drafts", "mentions", "questions"} <= values
    assert {f"{thumb}\n{QUESTION}\npayments\n{MARK.fingerprint}" for thumb in ("up", "down")} <= (
        values
    )


def named(shown: Any, key: str) -> set[str]:
    return {str(value) for value in found(shown, key)}


def found(shown: Any, key: str) -> Iterator[Any]:
    if isinstance(shown, dict):
        if key in shown:
            yield shown[key]
        for value in shown.values():
            yield from found(value, key)
    elif isinstance(shown, list | tuple):
        for value in shown:
            yield from found(value, key)


# --- what version 0.1.0 wrote is read -----------------------------------------------------------


def test_a_thumb_under_an_old_answer_is_understood() -> None:
    value = f"up\n{QUESTION}\npayments\nc2b9e84f6a1d0357"
    assert decode(value) == (MARK, "up")


def test_a_choice_under_an_old_question_is_understood() -> None:
    pressed = {"block_id": f"choose:{QUESTION}", "selected_option": {"value": "payments"}}
    assert context_picker.chosen(pressed) == (QUESTION, "payments")


def test_old_views_know_what_they_are_about() -> None:
    metadata = (
        '{"workspace": "T0ACME", "channel": "C0PAY", "name": "payments", "replaces": "pay",'
        ' "draft": "V0ONE"}'
    )
    place = Place("T0ACME", "C0PAY", "payments", replaces="pay", draft="V0ONE")
    assert place_of({"private_metadata": metadata}) == place
    assert json.loads(place.encode()) == json.loads(metadata)
    metadata = '{"channel": "C0PAY", "thread": "1.1", "quote": "why?"}'
    origin = modal.Origin(channel="C0PAY", thread="1.1", quote="why?")
    assert modal.origin_of({"private_metadata": metadata}) == origin
    assert json.loads(origin.encode()) == json.loads(metadata)
    assert json.loads(Place("T", "C", "n").encode()).keys() == {"workspace", "channel", "name"}
    assert json.loads(modal.Origin(channel="C0PAY").encode()) == {"channel": "C0PAY"}
    metadata = f'{{"question": "{QUESTION}", "context": "payments", "fingerprint": "f"}}'
    shown = answer_buttons.comment_view(Mark(QUESTION, "payments", "f"))
    assert json.loads(shown["private_metadata"]) == json.loads(metadata)


def test_an_old_ask_modal_is_read() -> None:
    values = {
        "question": {"draft": {"type": "plain_text_input", "value": "Why?"}},
        "context": {"context": {"selected_option": {"value": "payments"}}},
        "place": {"place": {"selected_option": {"value": "dm"}}},
    }
    entered = modal.entered({"state": {"values": values}})
    assert (entered.question, entered.context, entered.privately) == ("Why?", "payments", True)


def test_an_old_settings_form_is_read() -> None:
    def typed(key: str, value: str) -> dict[str, Any]:
        return {key: {key: {"value": value}}}

    values = {
        **typed("model", "claude-haiku-4-5"),
        **typed("instructions", "Be short."),
        **typed("budget_tokens", "9000"),
        **typed("answers_daily_usd", "1.5"),
        **typed("warm_daily_usd", "2.5"),
        **typed("user_per_hour", "7"),
        "mode": {"mode": {"selected_option": {"value": "questions"}}},
        "switches": {"switches": {"selected_options": [{"value": "guests"}]}},
    }
    assert settings_form.read_settings({"state": {"values": values}}) == SettingsEdit(
        model="claude-haiku-4-5",
        instructions="Be short.",
        budget_tokens=9000,
        mode="questions",
        answers_daily_usd=1.5,
        warm_daily_usd=2.5,
        user_per_hour=7,
        guests=True,
    )


def test_an_old_repository_form_is_read() -> None:
    values = {
        key: {key: {"value": value}}
        for key, value in {
            "url": "https://github.com/acme/pay",
            "ref": "main",
            "include": "src/**",
            "exclude": "*.lock",
        }.items()
    }
    assert views.read_repository({"state": {"values": values}}, "pay") == RepositoryEdit(
        url="https://github.com/acme/pay",
        ref="main",
        include=("src/**",),
        exclude=("*.lock",),
        replaces="pay",
    )
