"""The environment as an operator sets it, rightly and wrongly."""

from __future__ import annotations

from pathlib import Path

import pytest

import bot.settings
from bot.settings import (
    RENAMED,
    Settings,
    SettingsError,
    model_key_problem,
    read_settings,
    require_slack,
)

SLACK = {
    "SLACK_BOT_TOKEN": "xoxb-1-secret",
    "SLACK_APP_TOKEN": "xapp-1-secret",
    "SLACK_SIGNING_SECRET": "shh",
}


FIRST_VERSION = {
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_BASE_URL",
    "DATABASE_URL",
    "FOREWARM_ANSWERS_AT_ONCE",
    "FOREWARM_CONTEXTS",
    "FOREWARM_DAILY_LIMIT_USD",
    "FOREWARM_HOME",
    "FOREWARM_HOST",
    "FOREWARM_LOCAL_REPOSITORIES",
    "FOREWARM_LOG_LEVEL",
    "FOREWARM_OPERATORS",
    "FOREWARM_REPOSITORY_HOSTS",
    "FOREWARM_SALT",
    "FOREWARM_SINGLE_SLOT",
    "FOREWARM_STATE_ORIGINS",
    "FOREWARM_STATE_TOKEN",
    "FOREWARM_SYNC_SECONDS",
    "FOREWARM_WARM_DAILY_LIMIT_USD",
    "GITHUB_WEBHOOK_SECRET",
    "GITLAB_WEBHOOK_TOKEN",
    "PORT",
    "SLACK_API_URL",
    "SLACK_APP_TOKEN",
    "SLACK_BOT_TOKEN",
    "SLACK_SIGNING_SECRET",
}


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in [*SLACK, "PORT", "FOREWARM_REPOSITORY_HOSTS", "ANTHROPIC_API_KEY"]:
        monkeypatch.delenv(name, raising=False)


def settings_with(monkeypatch: pytest.MonkeyPatch, **variables: str) -> Settings:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return read_settings()


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


@pytest.fixture
def _renamed_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {"FOREWARM_OLD_ONE": "FOREWARM_SALT", "OLD_TWO": "FOREWARM_LOG_LEVEL"}
    monkeypatch.setattr(bot.settings, "RENAMED", names)


@pytest.mark.usefixtures("_renamed_settings")
def test_a_renamed_setting_stops_the_start_and_names_the_new_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FOREWARM_OLD_ONE", "secret")
    monkeypatch.setenv("old_two", "DEBUG")
    with pytest.raises(SettingsError) as caught:
        read_settings()
    assert caught.value.problems == (
        "FOREWARM_OLD_ONE is called FOREWARM_SALT now: rename that variable, or remove it if"
        " FOREWARM_SALT is set already.",
        "OLD_TWO is called FOREWARM_LOG_LEVEL now: rename that variable, or remove it if"
        " FOREWARM_LOG_LEVEL is set already.",
    )


@pytest.mark.usefixtures("_renamed_settings")
def test_an_old_name_without_a_value_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hosts' settings pages leave empty variables behind; those of new names count as unset too."""
    monkeypatch.setenv("FOREWARM_OLD_ONE", "")
    monkeypatch.setenv("FOREWARM_SALT", "new")
    assert read_settings().salt == "new"


def test_old_names_are_no_settings_and_new_names_are() -> None:
    assert RENAMED.keys().isdisjoint(variables())
    assert set(RENAMED.values()) <= variables()


def test_every_setting_of_the_first_version_is_read_or_known_as_renamed() -> None:
    """A setting that disappears without a word changes what an installation does."""
    assert variables() | RENAMED.keys() >= FIRST_VERSION


def variables() -> set[str]:
    return {(field.alias or name).upper() for name, field in Settings.model_fields.items()}


@pytest.mark.parametrize(
    ("name", "value"),
    [("HOST", "1.2.3.4"), ("SALT", "x"), ("OPERATORS", "@boss"), ("LOG_LEVEL", "LOUD")],
)
def test_variables_of_other_programs_are_not_read(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """The shell's HOME was read as FOREWARM_HOME, and the database went to the home folder."""
    monkeypatch.setenv(name, value)
    settings = read_settings()
    assert settings.home == Path(".forewarm")
    assert (settings.host, settings.salt, settings.operators) == ("", "", ())


def test_a_database_in_the_home_folder_stops_the_start_and_says_how_to_move_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An empty database beside the old one would look like the loss of everything."""
    home, place = tmp_path / "user", tmp_path / "work"
    home.mkdir()
    place.mkdir()
    (home / "forewarm.db").touch()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(place)
    with pytest.raises(SettingsError) as caught:
        read_settings()
    assert str(home / "forewarm.db") in str(caught.value)
    assert str(place / ".forewarm") in str(caught.value)
    assert "mv " in str(caught.value)
    monkeypatch.setenv("FOREWARM_HOME", str(home))
    assert read_settings().home == home
    monkeypatch.delenv("FOREWARM_HOME")
    (place / ".forewarm").mkdir()
    (place / ".forewarm" / "forewarm.db").touch()
    assert read_settings().home == Path(".forewarm")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("FOREWARM_LOG_LEVEL", "LOUD", "one of DEBUG, INFO"),
        ("FOREWARM_OPERATORS", "@boss", "user ids such as U0123ABCD"),
        ("FOREWARM_OPERATORS", "U0123ABCD, boss@example.com", "user ids"),
        ("DATABASE_URL", "localhost:5432", "it has no scheme; write postgresql://"),
        ("DATABASE_URL", "forewarm.db", "sqlite:///"),
        ("PORT", "99999", "it must be 65535 or less"),
        ("FOREWARM_ANSWERS_AT_ONCE", "0", "it must be 1 or more"),
        ("FOREWARM_SYNC_SECONDS", "-5", "it must be more than 0"),
        ("FOREWARM_PROVIDER", "vertx", "did you mean 'vertex'?"),
    ],
)
def test_a_value_that_cannot_be_used_says_how_to_write_it(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        read_settings()
    assert words in str(caught.value)
    assert name in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("SLACK_BOT_TOKEN", "xoxp-made-up", "SLACK_BOT_TOKEN holds a user's token (xoxp-)"),
        ("SLACK_BOT_TOKEN", "'xoxb-made-up'", "SLACK_BOT_TOKEN begins with a quotation mark"),
        ("SLACK_APP_TOKEN", "sk-ant-made-up", "SLACK_APP_TOKEN holds a key of Claude (sk-ant-)"),
    ],
)
def test_a_token_of_another_kind_is_named_by_its_kind(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        require_slack(settings_with(monkeypatch, **{name: value}))
    assert words in caught.value.user_message
    assert "made-up" not in caught.value.user_message


def test_a_key_of_another_kind_is_named_by_its_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    assert model_key_problem(settings_with(monkeypatch, ANTHROPIC_API_KEY="sk-ant-made-up")) is None
    problem = model_key_problem(settings_with(monkeypatch, ANTHROPIC_API_KEY="xapp-made-up"))
    assert problem is not None
    assert "holds an app-level token" in problem


def test_a_line_break_behind_a_token_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of secrets often ends with one."""
    settings = settings_with(monkeypatch, SLACK_BOT_TOKEN="xoxb-made-up\n")
    assert settings.slack_bot_token is not None
    assert settings.slack_bot_token.get_secret_value() == "xoxb-made-up"


def test_swapped_tokens_are_called_swapped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xapp-1-secret")
    monkeypatch.setenv("SLACK_APP_TOKEN", "xoxb-1-secret")
    with pytest.raises(SettingsError, match="they look swapped") as caught:
        require_slack(read_settings())
    assert "secret" not in str(caught.value)


def test_what_oauth_lacks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {
        "SLACK_CLIENT_ID": "1.2",
        "SLACK_BOT_TOKEN": "xoxb-1",
        "SLACK_SIGNING_SECRET": "s",
        "FOREWARM_PUBLIC_URL": "http://forewarm.example.com",
        "FOREWARM_OPERATORS": "U0123ABCD",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        require_slack(read_settings())
    told = [problem.split()[0] for problem in caught.value.problems]
    assert told == [
        "SLACK_BOT_TOKEN",
        "SLACK_CLIENT_SECRET",
        "FOREWARM_PUBLIC_URL",
        "FOREWARM_WORKSPACES",
        "FOREWARM_OPERATORS",
    ]
