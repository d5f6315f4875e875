"""Contexts changed inside Slack."""

from __future__ import annotations

from typing import Any

from bot.slack.edits import (
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


def test_an_emptied_field_falls_back_to_the_default() -> None:
    body = {"instructions": "Be terse.", "limits": {"user_per_hour": 3}, "repositories": [PAY]}
    changed = with_settings(body, SettingsEdit())
    assert changed == {"repositories": [PAY]}


def test_the_audit_log_is_told_names_and_no_values() -> None:
    before = {"instructions": "secret plans", "limits": {"user_per_hour": 3}}
    after = {"instructions": "other plans", "limits": {"user_per_hour": 4}, "mode": "questions"}
    assert changed_keys(before, after) == ["instructions", "limits.user_per_hour", "mode"]


def test_a_channel_is_listed_once() -> None:
    assert with_channel({"channels": ["C1", "C2"]}, "C1") == {"channels": ["C2", "C1"]}
