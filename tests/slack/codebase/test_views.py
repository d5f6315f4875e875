"""The views of `/codebase`: Slack takes them, hostile names stay harmless, forms read back."""

from __future__ import annotations

from typing import Any

import pytest
from forewarm_playground.slack.messages.blocks import check_view

from bot.slack.codebase import views as views
from bot.slack.codebase.blocks import Place, place_of
from bot.slack.codebase.command import DEFAULTS
from bot.slack.codebase.edits import SETTINGS as KEYS
from bot.slack.codebase.edits import RepositoryEdit, SettingsEdit
from bot.slack.codebase.settings_form import read_settings, settings_form
from bot.slack.codebase.views import Preview, RepositoryShown, Summary
from tests.safety import judge

HOSTILE = "<!channel> <@U0VICTIM> <https://evil.example|x> & `*_~"
PLACE = Place("T1", "C1", "pay")
EDIT = RepositoryEdit(
    url="https://github.com/acme/pay", ref="main", include=("src/**", "docs/**"), exclude=("x",)
)
SETTINGS = SettingsEdit(
    model="claude-sonnet-5-5",
    instructions="Be brief.",
    budget_tokens=5_000,
    mode="questions",
    answers_daily_usd=1.5,
    warm_daily_usd=2.0,
    user_per_hour=9,
    guests=True,
    answer_drafts=True,
)


def repository(**more: Any) -> RepositoryShown:
    values = {
        "name": "pay",
        "url": "https://github.com/acme/pay",
        "ref": "main",
        "commit": "a" * 40,
    }
    return RepositoryShown(**{"origin": "Slack", **values, **more})


def summary(**more: Any) -> Summary:
    values: dict[str, Any] = {"name": "pay", "repositories": [repository()], "may_change": True}
    facts = [("Model", "claude-sonnet-5-5", "file"), ("Instructions", "none", None)]
    return Summary(**{**values, "facts": facts, "tokens": 1000, "files": 3, "omitted": 1, **more})


def words(view: dict[str, Any]) -> str:
    return str(view["blocks"])


def filled(view: dict[str, Any]) -> dict[str, Any]:
    """Return the view as Slack sends it when it is submitted untouched."""
    values: dict[str, Any] = {}
    for block in view["blocks"]:
        element = block["element"]
        held: dict[str, Any] = {"value": element.get("initial_value")}
        held |= {"selected_option": element.get("initial_option")}
        held |= {"selected_options": element.get("initial_options", [])}
        values[block["block_id"]] = {element["action_id"]: held}
    return {**view, "state": {"values": values}}


ALL = [
    views.summary_view(PLACE, summary()),
    views.summary_view(PLACE, Summary(name="x", refusal="Only operators can do that.")),
    views.repository_form(PLACE, None, ("github.com",)),
    views.repository_form(PLACE, EDIT, ("github.com",)),
    settings_form(PLACE, DEFAULTS, DEFAULTS),
    settings_form(PLACE, SETTINGS, DEFAULTS),
    settings_form(PLACE, SETTINGS, DEFAULTS, ["model", "mode", "access.guests"]),
    settings_form(PLACE, SETTINGS, DEFAULTS, KEYS.values()),
    views.working_view(PLACE),
    views.preview_view(PLACE, Preview(tokens=1, files=1, warm_day_usd=0.1)),
    views.problem_view(PLACE, "It cannot be fetched."),
    views.done_view(PLACE, "Saved."),
]


@pytest.mark.parametrize("view", ALL, ids=[f"{v['title']['text']}-{n}" for n, v in enumerate(ALL)])
def test_slack_takes_every_view_and_it_knows_its_place(view: dict[str, Any]) -> None:
    """A view that Slack refuses leaves the user with an empty dialogue."""
    check_view(dict(view))
    assert place_of(view) == PLACE


def test_the_summary_says_where_each_setting_comes_from() -> None:
    """A user who changes a value that a file decides must see why nothing happens."""
    shown = words(views.summary_view(PLACE, summary()))
    assert "set in Slack" in shown
    assert "*Model*: claude-sonnet-5-5 _(file)_" in shown
    assert "1,000 tokens from 3 files; 1 left out" in shown
    from_file = summary(repositories=[repository(origin="file")])
    assert "set in a file" in words(views.summary_view(PLACE, from_file))


def test_only_what_slack_set_can_be_changed_and_only_by_those_who_may() -> None:
    """A file's repository has no menu, and a refused person no buttons but the reason."""
    assert views.CHANGE in words(views.summary_view(PLACE, summary()))
    from_file = summary(repositories=[repository(origin="file")])
    assert views.CHANGE not in words(views.summary_view(PLACE, from_file))
    refused = words(views.summary_view(PLACE, summary(may_change=False, refusal="Ask an admin.")))
    assert "Ask an admin." in refused
    assert views.ADD not in refused
    assert views.CHANGE not in refused


def test_the_preview_says_tokens_price_and_what_is_left_out() -> None:
    """People decide on these three before they save."""
    omitted = [(f"secret{n}.env", "secret") for n in range(40)]
    preview = Preview(
        tokens=12_345, files=67, warm_day_usd=1.239, omitted=omitted, changed=["model"]
    )
    shown = words(views.preview_view(PLACE, preview))
    for said in ("12,345 tokens", "67 files", "$1.24", "Changes: model", "secret0.env", "28 more"):
        assert said in shown


@pytest.mark.parametrize(
    "view",
    [
        views.summary_view(PLACE, summary(repositories=[repository(name=HOSTILE)])),
        views.summary_view(PLACE, summary(repositories=[repository(url=HOSTILE)])),
        views.summary_view(PLACE, summary(repositories=[repository(ref=HOSTILE)])),
        views.summary_view(PLACE, summary(facts=[("Instructions", HOSTILE, "Slack")])),
        views.summary_view(PLACE, summary(problem=HOSTILE)),
        views.problem_view(PLACE, HOSTILE),
        views.preview_view(
            PLACE, Preview(tokens=1, files=1, warm_day_usd=0, omitted=[(HOSTILE, HOSTILE)])
        ),
        views.preview_view(PLACE, Preview(tokens=1, files=1, warm_day_usd=0, changed=[HOSTILE])),
        settings_form(PLACE, SettingsEdit(instructions=HOSTILE), DEFAULTS, ["instructions"]),
    ],
)
def test_hostile_names_neither_ping_nor_link(view: dict[str, Any]) -> None:
    """File names, addresses, refs and errors come from the authors of the repository."""
    assert "&lt;!channel&gt;" in words(view)
    assert judge.tokens_in(view["blocks"]) == []


def test_hostile_text_in_forms_and_notes_is_plain_text() -> None:
    """Plain text is never parsed; a hostile value may stand in it as it is."""
    edit = RepositoryEdit(url=HOSTILE, ref=HOSTILE, include=(HOSTILE,))
    for view in (
        views.repository_form(PLACE, edit, (HOSTILE,)),
        settings_form(PLACE, SettingsEdit(instructions=HOSTILE, model=HOSTILE), DEFAULTS),
        views.done_view(PLACE, HOSTILE),
        views.summary_view(PLACE, Summary(name="x", refusal=HOSTILE)),
    ):
        assert judge.tokens_in(view["blocks"]) == []
        assert "mrkdwn" not in str([b for b in view["blocks"] if HOSTILE in str(b)])


def test_forms_read_back_what_they_were_given() -> None:
    """Opening a form and sending it untouched must change nothing."""
    read = views.read_repository(filled(views.repository_form(PLACE, EDIT, ())), None)
    assert read == EDIT
    for shown in (SETTINGS, DEFAULTS):
        assert read_settings(filled(settings_form(PLACE, shown, DEFAULTS))) == shown


def test_the_settings_form_shows_what_counts_and_what_would_count_without_it() -> None:
    """An empty field says nothing to an operator who wants to know what holds now."""
    form = settings_form(PLACE, SETTINGS, DEFAULTS)
    shown = {block["block_id"]: block["element"] for block in form["blocks"]}
    assert shown["budget_tokens"]["initial_value"] == "5000"
    assert shown["budget_tokens"]["placeholder"]["text"] == "chosen by size"
    assert shown["warm_daily_usd"]["initial_value"] == "2"
    assert shown["mode"]["initial_option"]["value"] == "questions"


def test_what_a_file_decides_is_told_and_cannot_be_entered() -> None:
    """A field without effect is worse than none."""
    fixed = ["model", "limits.answers_daily_usd", "access.guests", "channels"]
    told, *inputs = settings_form(PLACE, SETTINGS, DEFAULTS, fixed)["blocks"]
    for said in ("Set in a file", "claude-sonnet-5-5", "*Answers a day, USD*: 1.5", "ask*: yes"):
        assert said in told["text"]["text"]
    left = str(inputs)
    assert "budget_tokens" in left
    assert "external" in left
    assert not any(gone in left for gone in ("'model'", "answers_daily_usd", "guests"))


def test_help_explains_the_command() -> None:
    view = views.help_view(PLACE)
    check_view(view)
    assert "attach" in str(view)
