"""`forewarm check`: each thing that can be wrong is said in one sentence with what to do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from forewarm_playground.claude import Config, Identity, LocalClaude
from forewarm_playground.claude.config import config_from
from forewarm_playground.slack.config import ALL_SCOPES
from forewarm_playground.slack.local import LocalSlack
from pydantic import SecretStr

from benchmarks.made_repository import commit
from bot.app.installation_check import Finding, InstallationCheck
from bot.clock import system_now
from bot.settings import Settings
from tests.context.git.github_host import APP_ID, GitHubHost, private_key
from tests.context.git.ssh_host import make_key, ssh_host
from tests.running import local_settings
from tests.slack import githost

KEY = "sk-ant-local"
GOOD = 'channels = ["C0PAY"]\nmodel = "claude-sonnet-5-5"\n[[repositories]]\nurl = "{code}"\n'

CHANNELS = [
    {"id": "C0PAY", "name": "pay", "members": ["U0ASKER", "bot"]},
    {"id": "C0AWAY", "name": "away", "members": ["U0ASKER"]},
]

Begin = Callable[..., Any]


@pytest.fixture
def checked(tmp_path: Path) -> Begin:
    """Return what walks through an installation: `await checked(...)` gives the findings.

    `app` are settings of the app in Slack, `context` the text of the only context file; everything
    else overrides settings.
    """

    async def check(
        *,
        app: dict[str, Any] | None = None,
        context: str | None = GOOD,
        models: dict[str, Any] | None = None,
        claude: Config | None = None,
        served: Callable[[str], None] | None = None,
        **more: Any,
    ) -> list[Finding]:
        code = tmp_path / "code"
        if not code.exists():
            commit(code, {"pay.py": "x = 1\n" * 500})
        folder = tmp_path / "contexts"
        folder.mkdir(exist_ok=True)
        if context is not None:
            (folder / "pay.toml").write_text(context.format(code=code))
        async with _neighbours(app or {}, models or {}, claude) as (slack, url):
            if served is not None:
                served(url)
            values = local_settings(slack, url, tmp_path) | {
                "anthropic_api_key": SecretStr(KEY),
                "state_token": SecretStr("state"),
            }
            if "{claude}" in str(more.get("slack_api_url")):
                more["slack_api_url"] = f"{url}/"
            settings = Settings.model_construct(**{**values, **more})
            return [finding async for finding in InstallationCheck(settings, system_now).run()]

    return check


@asynccontextmanager
async def _neighbours(
    app: dict[str, Any], models: dict[str, Any], config: Config | None
) -> AsyncIterator[tuple[LocalSlack, str]]:
    async with AsyncExitStack() as stack:
        slack = LocalSlack({"app": app, "channels": CHANNELS})
        await stack.enter_async_context(slack.serve())
        own = replace(config_from({"models": models}), keys={KEY: Identity()})
        claude = LocalClaude(config or own)
        yield slack, await stack.enter_async_context(claude.serve())


async def test_a_sound_installation_has_nothing_to_mend(checked: Begin) -> None:
    """A check that cries wolf is not run twice."""
    found = await checked()
    assert [f for f in found if f.verdict == "bad"] == []
    parts = {f.part for f in found if f.verdict == "good"}
    wanted = {"settings", "Slack", "scopes", "sockets", "channels", "port"}
    wanted |= {"database", "Claude", "context pay", "money"}
    assert wanted <= parts
    context = next(f for f in found if f.part == "context pay")
    assert "1 file," in context.text


NO_REPOSITORY = GOOD.replace("{code}", "https://github.com/acme/../x y")
WRONG: list[tuple[str, dict[str, Any], str, str]] = [
    ("no bot token", {"slack_bot_token": None}, "settings", "SLACK_BOT_TOKEN is not set"),
    (
        "a user's token",
        {"slack_bot_token": SecretStr("xoxp-1")},
        "settings",
        "SLACK_BOT_TOKEN holds a user's token (xoxp-)",
    ),
    (
        "a made-up token",
        {"slack_bot_token": SecretStr("xoxb-made-up")},
        "Slack",
        "SLACK_BOT_TOKEN (invalid_auth)",
    ),
    (
        "a made-up app token",
        {"slack_app_token": SecretStr("xapp-made-up")},
        "sockets",
        "SLACK_APP_TOKEN was refused (invalid_auth)",
    ),
    (
        "the wrong kind of app token",
        {"slack_app_token": SecretStr("xoxb-1")},
        "settings",
        "SLACK_APP_TOKEN holds a bot token (xoxb-)",
    ),
    (
        "neither socket nor secret",
        {"slack_app_token": None, "slack_signing_secret": None},
        "settings",
        "SLACK_SIGNING_SECRET",
    ),
    (
        "a missing scope",
        {"app": {"scopes": tuple(s for s in ALL_SCOPES if s != "chat:write")}},
        "scopes",
        "The scope chat:write is missing",
    ),
    (
        "Slack away",
        {"slack_api_url": "http://127.0.0.1:9/api/"},
        "Slack",
        "Nothing answers at http://127.0.0.1:9/api/",
    ),
    (
        "no key at all",
        {"anthropic_api_key": None, "anthropic_base_url": None, "context": None},
        "settings",
        "ANTHROPIC_API_KEY is not set",
    ),
    (
        "a refused key",
        {"anthropic_api_key": SecretStr("sk-ant-wrong")},
        "Claude",
        "ANTHROPIC_API_KEY",
    ),
    ("no context", {"context": None}, "contexts", "holds no file that ends in .toml"),
    ("an unknown key", {"context": "chanels = []\n" + GOOD}, "contexts", "did you mean 'channels'"),
    ("broken TOML", {"context": "channels = ["}, "contexts", "not valid TOML"),
    (
        "an unknown model",
        {"context": GOOD.replace("claude-sonnet-5-5", "claude-nobody-1")},
        "context pay",
        "claude-nobody-1",
    ),
    (
        "no such repository",
        {"context": GOOD.replace("{code}", "{code}-elsewhere")},
        "context pay",
        "code-elsewhere",
    ),
    (
        "a path that is not allowed",
        {"local_repositories": ()},
        "context pay",
        "FOREWARM_LOCAL_REPOSITORIES",
    ),
    (
        "a Web API without its path",
        {"slack_api_url": "{claude}/"},
        "Slack",
        "has no Web API of Slack there",
    ),
    (
        "a Claude API with its whole path",
        {"anthropic_base_url": "http://127.0.0.1:9/v1/messages"},
        "Claude",
        "`/v1/messages` is added anyway",
    ),
    (
        "a compatible server without an address",
        {"provider": "compatible", "anthropic_base_url": None},
        "Claude",
        "ANTHROPIC_BASE_URL is not set",
    ),
    (
        "an unreachable database",
        {"database_url": "postgresql://nobody@127.0.0.1:9/none"},
        "database",
        "DATABASE_URL",
    ),
]


@pytest.mark.parametrize(
    ("given", "part", "said"), [w[1:] for w in WRONG], ids=[w[0] for w in WRONG]
)
async def test_each_mistake_is_one_sentence_with_what_to_do(
    checked: Begin, given: dict[str, Any], part: str, said: str
) -> None:
    """The text names the thing and the remedy, and never shows the token that was wrong."""
    found = await checked(**given)
    bad = [f for f in found if f.verdict == "bad" and f.part == part]
    [one] = [f for f in bad if said in f.text]
    assert one.text.endswith((".", "?"))
    assert len(one.text) < 400
    told = " ".join(f.text for f in found)
    assert [word for word in ("made-up", "sk-ant-wrong", KEY) if word in told] == []


async def test_a_misspelled_setting_is_named(
    checked: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cap under a wrong name is no cap, and nothing else would tell of it."""
    monkeypatch.setenv("FOREWARM_DAILY_LIMIT", "5")
    monkeypatch.setenv("FOREWARM_IMAGE", "forewarm:latest")
    found = [f for f in await checked() if "is no setting" in f.text]
    assert [(f.verdict, f.text.partition(":")[0]) for f in found] == [
        ("bad", "FOREWARM_DAILY_LIMIT is no setting, so it has no effect"),
        ("note", "FOREWARM_IMAGE is no setting, so it has no effect"),
    ]
    assert "did you mean FOREWARM_DAILY_LIMIT_USD?" in found[0].text


async def test_code_of_which_nothing_is_shown_is_no_code(checked: Begin) -> None:
    """Everything that the model would say about it is made up."""
    found = await checked(context=GOOD + 'exclude = ["**"]\n')
    [bad] = [f for f in found if f.verdict == "bad"]
    assert "No file of its repositories is shown to the model (0 left out)" in bad.text


async def test_a_context_in_which_no_person_may_ask_is_noted(checked: Begin) -> None:
    found = await checked(context=GOOD.replace('["C0PAY"]', "[]"))
    assert any("It lists no channel" in f.text and f.verdict == "note" for f in found)


async def test_with_oauth_a_context_names_its_workspace(checked: Begin) -> None:
    """A start leaves it out, so the check must not call it good."""
    found = await checked(slack_client_id="1.1", slack_bot_token=None)
    assert any("it names no workspace" in f.text for f in found if f.verdict == "bad")
    assert [f for f in found if f.part == "context pay"] == []


async def test_an_operator_who_is_no_person_is_told(checked: Begin) -> None:
    """A mistyped id tells no person that a limit is spent, and nothing else shows it."""
    context = GOOD + '[access]\noperators = ["U0PEER", "U0BOT"]\n'
    found = await checked(operators=("U0ASKER", "U0NOSUCH"), context=context)
    assert [f.text for f in found if f.part == "operators"] == [
        "The operator U0NOSUCH is no user of this workspace, so no person has that right: correct"
        " FOREWARM_OPERATORS.",
        "The operator U0BOT is a bot, so no person has that right: correct `operators` in"
        " pay.toml.",
    ]


async def test_an_operator_of_oauth_has_no_effect_without_it(checked: Begin) -> None:
    found = await checked(operators=("T0LOCAL:U0ASKER",))
    assert any("holds only with OAuth" in f.text for f in found if f.verdict == "bad")


async def test_a_limit_of_nothing_is_told(checked: Begin) -> None:
    found = await checked(daily_limit_usd=0.0)
    assert any("FOREWARM_DAILY_LIMIT_USD is 0" in f.text for f in found)


async def test_a_scope_that_the_bot_works_without_is_a_note(checked: Begin) -> None:
    """An installation from before `files:read` goes on working, and is told of it."""
    found = await checked(app={"scopes": tuple(s for s in ALL_SCOPES if s != "files:read")})
    [finding] = [f for f in found if f.part == "scopes"]
    assert finding.verdict == "note"
    assert "The scope files:read is missing" in finding.text


async def test_one_mistake_does_not_hide_the_next(checked: Begin) -> None:
    """Every step goes on where an earlier one failed: the operator mends all in one round."""
    found = await checked(
        slack_bot_token=SecretStr("xoxb-made-up"), context="chanels = []\n" + GOOD
    )
    assert {f.part for f in found if f.verdict == "bad"} == {"Slack", "contexts"}


# --- the ways into git hosts ----------------------------------------------------------------------

HTTPS = GOOD.replace("{code}", "https://{host}/acme/payments.git")
SSH = GOOD.replace("{code}", "ssh://git@localhost:{port}/acme/payments.git") + (
    'ref = "main"\nssh_key = "{key}"\n'
)


@asynccontextmanager
async def _github(
    folder: Path, patch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[GitHubHost, str, dict[str, Any]]]:
    """Yield a GitHub host that holds acme/payments, its address, and the settings of its App."""
    commit(folder / "host" / "acme" / "payments", {"pay.py": "x = 1\n"})
    certificate = githost.certificate(folder)
    patch.setenv("GIT_SSL_CAINFO", str(certificate))
    patch.setenv("no_proxy", "localhost,127.0.0.1")
    private, public = private_key()
    host = GitHubHost(folder / "host", public, installed={"acme/payments"})
    async with host.serve(certificate) as address:
        settings = {
            "github_app_id": APP_ID,
            "github_app_private_key": SecretStr(private.replace("\n", "\\n")),
            "github_app_host": address,
        }
        yield host, address, settings


async def test_a_github_app_is_tried(
    checked: Begin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with _github(tmp_path, monkeypatch) as (host, address, settings):
        context = HTTPS.replace("{host}", address)
        found = await checked(context=context, **settings)
        assert [f for f in found if f.verdict == "bad"] == []
        assert "knows the App 'Reader'" in next(f.text for f in found if f.part == "GitHub App")

        host.installed.clear()
        found = await checked(context=context, **settings)
        [bad] = [f for f in found if f.verdict == "bad"]
        assert bad.part == "context pay"  # The clone of the first run does not hide it.
        assert f"the GitHub App {APP_ID} is not installed on acme/payments" in bad.text

        wrong = {"github_app_private_key": SecretStr(private_key()[0])}
        found = await checked(context=context, **(settings | wrong))
        said = {f.part: f.text for f in found if f.verdict == "bad"}
        assert "the private key does not belong to it" in said["GitHub App"]
        assert "the private key does not belong to it" in said["context pay"]


async def test_a_deploy_key_and_a_host_key_are_tried(checked: Begin, tmp_path: Path) -> None:
    commit(tmp_path / "host" / "acme" / "payments", {"pay.py": "x = 1\n"})
    accepted, host_key = make_key(tmp_path / "key"), make_key(tmp_path / "host_key")
    known = tmp_path / "known_hosts"
    async with ssh_host(tmp_path / "host", tmp_path / "host_key", accepted) as port:
        context = SSH.replace("{port}", str(port)).replace("{key}", "../key")
        settings = {"context": context, "ssh_known_hosts": known}
        known.write_text(f"[localhost]:{port} {host_key}\n")
        found = await checked(**settings)
        assert [f for f in found if f.verdict == "bad"] == []

        known.write_text(f"[localhost]:{port} {accepted}\n")
        found = await checked(**settings)
        assert "not the one that is pinned" in next(f.text for f in found if f.verdict == "bad")


async def test_a_token_of_the_environment_is_tried_for_repositories_of_context_files(
    checked: Begin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check used no token at all, and called every private repository refused."""
    async with _github(tmp_path, monkeypatch) as (host, address, _):
        host.tokens["ghp_static"] = 100
        monkeypatch.setenv("FOREWARM_REPOSITORY_TOKEN_PAY", "ghp_static")
        context = HTTPS.replace("{host}", address) + 'token = "PAY"\n'
        found = await checked(context=context)
        assert [f for f in found if f.verdict == "bad"] == []


async def test_the_webhooks_that_are_listened_for_are_named(checked: Begin) -> None:
    found = await checked(gitea_webhook_secret=SecretStr("s"))
    [webhooks] = [f for f in found if f.part == "webhooks"]
    assert "/webhooks/gitea" in webhooks.text
