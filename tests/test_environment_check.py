"""Variables that no setting can use: each is told in one sentence, and none reaches a library."""

from __future__ import annotations

from pathlib import Path

import pytest

import bot.settings
from bot.environment_check import network_problems, unknown_settings
from bot.settings import SettingsError, read_settings, unknown_variables, without_oauth


def problem(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> str:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError) as caught:
        read_settings()
    (sentence,) = caught.value.problems
    assert sentence.startswith(f"{variable} cannot be used: ")
    return sentence


@pytest.mark.parametrize("variable", ["SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "ANTHROPIC_API_KEY"])
@pytest.mark.parametrize("value", ["xoxb-1\n2", "xoxb-1 2", "xoxb-…", "xoxb-1\u200b", "xoxb-1\r2"])
def test_a_token_that_no_header_can_carry_is_refused_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    sentence = problem(monkeypatch, variable, value)
    assert "it holds a blank, a line break or another character that no token has" in sentence
    assert value not in sentence


@pytest.mark.parametrize(
    "variable", ["FOREWARM_HOME", "FOREWARM_CONTEXTS", "DATABASE_URL", "FOREWARM_SALT"]
)
def test_quotation_marks_of_a_file_of_variables_are_named(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    assert "quotation marks" in problem(monkeypatch, variable, '"/srv/forewarm"')
    assert "quotation marks" in problem(monkeypatch, variable, "'/srv/forewarm'")


def test_a_path_may_begin_with_the_home_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("FOREWARM_HOME", "~/fw")
    monkeypatch.setenv("FOREWARM_CONTEXTS", "~/contexts")
    monkeypatch.setenv("FOREWARM_LOCAL_REPOSITORIES", "~/git,/srv")
    settings = read_settings()
    assert settings.home == tmp_path / "fw"
    assert settings.contexts == tmp_path / "contexts"
    assert settings.local_repositories == (tmp_path / "git", Path("/srv"))


@pytest.mark.parametrize("value", ["$HOME/fw", "${HOME}/fw", "~nobodyatall/fw"])
def test_a_path_that_no_shell_has_expanded_is_refused(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    assert "write the whole path" in problem(monkeypatch, "FOREWARM_HOME", value)


@pytest.mark.parametrize("variable", ["FOREWARM_DAILY_LIMIT_USD", "FOREWARM_SYNC_SECONDS"])
@pytest.mark.parametrize("value", ["inf", "nan", "-inf"])
def test_a_number_has_an_end(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    problem(monkeypatch, variable, value)


def test_a_whole_number_is_shown_by_the_example_of_its_setting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert "such as 20;" in problem(monkeypatch, "FOREWARM_ANSWERS_AT_ONCE", "4.5")


@pytest.mark.parametrize("variable", ["SLACK_API_URL", "ANTHROPIC_BASE_URL"])
@pytest.mark.parametrize(
    "value",
    ["127.0.0.1:3901", "localhost:3901", "slack.com/api", "ftp://a", "http://a:1b", "https://"],
)
def test_an_address_is_one_that_a_client_can_use(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    problem(monkeypatch, variable, value)


@pytest.mark.parametrize("value", ["*", "status.example.com", "https://a.example.com/page"])
def test_an_origin_without_an_effect_is_refused(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    problem(monkeypatch, "FOREWARM_STATE_ORIGINS", value)


def test_an_origin_is_read_as_browsers_send_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOREWARM_STATE_ORIGINS", "https://Status.example.com/, http://a:8080")
    assert read_settings().state_origins == ("https://status.example.com", "http://a:8080")


@pytest.mark.parametrize("value", ["https://github.com/acme", "*", "git@github.com:acme", "a b"])
def test_a_git_host_without_an_effect_is_refused(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    problem(monkeypatch, "FOREWARM_REPOSITORY_HOSTS", value)


def test_git_hosts_take_ports_and_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOREWARM_REPOSITORY_HOSTS", "git.acme.com:8443/platform, gitlab")
    assert read_settings().repository_hosts == ("git.acme.com:8443/platform", "gitlab")


@pytest.mark.parametrize(
    ("name", "close"),
    [
        ("FOREWARM_DAILY_LIMIT", "FOREWARM_DAILY_LIMIT_USD"),
        ("FOREWARM_OPERATOR", "FOREWARM_OPERATORS"),
        ("FOREWARM_LOGLEVEL", "FOREWARM_LOG_LEVEL"),
        ("forewarm_context", "FOREWARM_CONTEXTS"),
        ("FOREWARM_IMAGE", ""),
    ],
)
def test_a_misspelled_setting_is_found(
    monkeypatch: pytest.MonkeyPatch, name: str, close: str
) -> None:
    monkeypatch.setenv(name, "x")
    assert unknown_variables()[name] == close


def test_tokens_of_hosts_and_settings_are_no_unknown_ones() -> None:
    environment = {
        "FOREWARM_GIT_TOKEN_GITHUB_COM": "x",
        "FOREWARM_REPOSITORY_TOKEN_PAYMENTS": "x",
        "forewarm_home": "x",
        "FOREWARM_OLD": "",
        "HOME": "x",
    }
    assert unknown_settings(environment, {"FOREWARM_HOME"}) == {}


@pytest.mark.parametrize(
    "value", ["localhost:3128", "socks5://127.0.0.1:9", "http://127.0.0.1:abc", "http://:3128"]
)
@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy"])
def test_a_proxy_that_no_client_can_use_is_named_without_its_password(
    name: str, value: str
) -> None:
    (sentence,) = network_problems({name: value})
    assert sentence.startswith("HTTPS_PROXY cannot be used as a proxy: ")
    assert value not in sentence


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "GIT_SSL_CAINFO"])
def test_a_bundle_of_certificates_has_to_be_one(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty.pem").write_text("nothing")
    for path in (tmp_path / "none.pem", tmp_path / "empty.pem", tmp_path):
        (sentence,) = network_problems({name: str(path)})
        assert sentence.startswith(f"{name} is {path}, which cannot be used (")


def test_usual_proxies_are_no_problem() -> None:
    assert network_problems({"HTTPS_PROXY": "http://user:pass@proxy:3128", "HTTP_PROXY": ""}) == ()


def test_variables_of_oauth_without_its_client_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_CLIENT_SECRET", "x")
    monkeypatch.setenv("FOREWARM_WORKSPACES", "T0LOCAL")
    assert without_oauth(read_settings()) == ("SLACK_CLIENT_SECRET", "FOREWARM_WORKSPACES")
    monkeypatch.setenv("SLACK_CLIENT_ID", "1.1")
    assert without_oauth(bot.settings.read_settings()) == ()


@pytest.mark.parametrize("name", ["FOREWARM_GIT_TOKEN_GITHUB_COM", "FOREWARM_REPOSITORY_TOKEN_PAY"])
@pytest.mark.parametrize("value", ['"ghp_made-up"', "ghp_made up", "ghp_made\nup", "ghp_…"])
def test_a_git_token_that_was_written_wrongly_is_named_and_not_shown(name: str, value: str) -> None:
    """The host would only call it wrong or expired."""
    (sentence,) = network_problems({name: value})
    assert sentence.startswith(name)
    assert value not in sentence
    assert network_problems({name: " user:ghp_made-up\n", "OTHER_TOKEN": value}) == ()
