"""Contexts changed inside Slack."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.slack.codebase.edits import (
    SETTINGS,
    RepositoryEdit,
    SettingsEdit,
    changed_keys,
    merged,
    origins,
    with_channel,
    with_repository,
    with_settings,
    without_repository,
)

BODIES = st.fixed_dictionaries(
    {"repositories": st.just([{"name": "pay"}])},
    optional={
        "model": st.text(max_size=3),
        "budget_tokens": st.integers(),
        "answer_drafts": st.booleans(),
        "limits": st.dictionaries(st.sampled_from(["user_per_hour", "other"]), st.integers()),
        "access": st.fixed_dictionaries({}, optional={"guests": st.booleans()}),
    },
)
PAY = {"url": "https://github.com/acme/pay", "ref": "main", "name": "pay"}


def edit(url: str, **more: Any) -> RepositoryEdit:
    return RepositoryEdit(url=url, ref="main", **more)


def test_attaching_twice_changes_the_one_that_is_there() -> None:
    once = with_repository({}, edit("https://github.com/acme/pay"), "pay")
    twice = with_repository(once, edit("https://github.com/acme/pay", include=("src/**",)), "pay")
    assert [r["name"] for r in twice["repositories"]] == ["pay"]
    assert twice["repositories"][0]["include"] == ["src/**"]


def test_a_renamed_repository_keeps_its_place() -> None:
    """The order of repositories is the order of blocks in the prefix."""
    body = {"repositories": [PAY, {**PAY, "name": "web"}]}
    changed = with_repository(body, edit("https://github.com/acme/new", replaces="pay"), "new")
    assert [r["name"] for r in changed["repositories"]] == ["new", "web"]


def test_detaching_takes_only_the_named_one() -> None:
    body = {"repositories": [PAY, {**PAY, "name": "web"}]}
    assert [r["name"] for r in without_repository(body, "pay")["repositories"]] == ["web"]
    assert without_repository(body, "none") == body


def test_the_files_word_counts_key_by_key() -> None:
    """A limit in a file must not be loosened in Slack, nor wipe out what Slack adds beside it."""
    file = {"model": "claude-opus-5-5", "limits": {"answers_daily_usd": 1}}
    slack = {"model": "claude-haiku-5-5", "mode": "questions", "limits": {"user_per_hour": 9}}
    assert merged(file, slack) == {
        "model": "claude-opus-5-5",
        "mode": "questions",
        "limits": {"answers_daily_usd": 1, "user_per_hour": 9},
    }
    told = origins(file, slack)
    assert told["model"] == told["limits.answers_daily_usd"] == "file"
    assert told["mode"] == told["limits.user_per_hour"] == "Slack"


DEFAULTS = SettingsEdit(model="claude-sonnet-5-5", budget_tokens=400_000, user_per_hour=30)


@given(body=BODIES, fixed=st.sets(st.sampled_from(sorted(SETTINGS.values()))))
def test_an_untouched_form_changes_nothing(body: dict[str, Any], fixed: set[str]) -> None:
    """It shows what a file and the defaults say too: none of that may be taken for Slack's word."""
    shown = replace(DEFAULTS, instructions="Be terse.", guests=True)
    assert with_settings(body, shown, shown, DEFAULTS, fixed) == body


def test_only_what_was_changed_is_stored() -> None:
    """An unchanged field goes on following the file and the defaults."""
    edit = replace(DEFAULTS, user_per_hour=5, external=True, mode="questions")
    body = {"repositories": [PAY], "limits": {"answers_daily_usd": 3}}
    assert with_settings(body, edit, DEFAULTS, DEFAULTS) == {
        "repositories": [PAY],
        "limits": {"answers_daily_usd": 3, "user_per_hour": 5},
        "access": {"external": True},
        "mode": "questions",
    }


@pytest.mark.parametrize("back", [None, 30])
def test_what_is_emptied_or_set_to_its_default_is_stored_no_longer(back: int | None) -> None:
    """Else a default that is improved one day would never reach the channel."""
    body = {"instructions": "Be terse.", "limits": {"user_per_hour": 3}, "repositories": [PAY]}
    shown = replace(DEFAULTS, instructions="Be terse.", user_per_hour=3)
    edit = replace(shown, instructions="", user_per_hour=back)
    assert with_settings(body, edit, shown, DEFAULTS) == {"repositories": [PAY]}


def test_what_a_file_decides_is_never_stored() -> None:
    """The form has no field for it, so that what is read there means nothing."""
    shown = replace(DEFAULTS, model="claude-opus-5-5", guests=True)
    assert with_settings({}, DEFAULTS, shown, DEFAULTS, ["model", "access.guests"]) == {}


def test_the_audit_log_is_told_names_and_no_values() -> None:
    before = {"instructions": "secret plans", "limits": {"user_per_hour": 3}}
    after = {"instructions": "other plans", "limits": {"user_per_hour": 4}, "mode": "questions"}
    assert changed_keys(before, after) == ["instructions", "limits.user_per_hour", "mode"]


def test_a_channel_is_listed_once() -> None:
    assert with_channel({"channels": ["C1", "C2"]}, "C1") == {"channels": ["C2", "C1"]}
