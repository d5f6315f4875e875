"""The environment as an operator sets it, rightly and wrongly."""

from __future__ import annotations

import pytest

from bot.settings import SettingsError, read_settings, require_slack

SLACK = {
    "SLACK_BOT_TOKEN": "xoxb-1-secret",
    "SLACK_APP_TOKEN": "xapp-1-secret",
    "SLACK_SIGNING_SECRET": "shh",
}


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*SLACK, "PORT", "FOREWARM_REPOSITORY_HOSTS", "ANTHROPIC_API_KEY"]:
        monkeypatch.delenv(name, raising=False)


def test_an_empty_environment_names_every_missing_variable() -> None:
    with pytest.raises(SettingsError) as caught:
        require_slack(read_settings())
    assert len(caught.value.problems) == 2
    assert "SLACK_BOT_TOKEN" in caught.value.problems[0]
    assert "SLACK_SIGNING_SECRET" in caught.value.problems[1]


@pytest.mark.parametrize(
    ("name", "value"), [("SLACK_BOT_TOKEN", "xoxp-9-secret"), ("SLACK_APP_TOKEN", "xoxb-9-secret")]
)
def test_a_token_in_the_wrong_variable_is_named_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """A pasted token must not come back in an error message."""
    for key, text in (SLACK | {name: value}).items():
        monkeypatch.setenv(key, text)
    with pytest.raises(SettingsError) as caught:
        require_slack(read_settings())
    assert name in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_bad_number_is_named_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "xoxb-pasted-here")
    with pytest.raises(SettingsError) as caught:
        read_settings()
    assert "PORT" in str(caught.value)
    assert "xoxb" not in str(caught.value)


def test_a_repr_shows_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    for key, text in SLACK.items():
        monkeypatch.setenv(key, text)
    shown = repr(read_settings())
    assert "1-secret" not in shown
    assert "shh" not in shown


def test_lists_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOREWARM_REPOSITORY_HOSTS", "git.example.com, github.com")
    assert read_settings().repository_hosts == ("git.example.com", "github.com")
