"""Environment to one frozen Settings; the only place that reads environment variables.

Secrets are `SecretStr`: a repr, a log or a traceback shows stars instead of their text.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from bot.context.config.schema import ProviderName
from bot.environment_check import address_problem, network_problems, unknown_settings
from bot.errors import ForewarmError
from bot.nearest import nearest

RENAMED: Mapping[str, str] = {}
"""Variables of earlier versions and what they are called now, in capitals.

An old name that is still set stops the start: ignoring it would change what the operator set.
"""


LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_USER_ID = re.compile(r"(?:T[A-Z0-9]{5,}:)?[UW][A-Z0-9]{5,}", re.ASCII)
_WORKSPACE_ID = re.compile(r"[TE][A-Z0-9]{5,}|\*", re.ASCII)
_CLIENT_ID = re.compile(r"[0-9]+\.[0-9]+", re.ASCII)
_TOKEN = re.compile(r"[!-~]*", re.ASCII)
_REPOSITORY_HOST = re.compile(r"[A-Za-z0-9.-]+(?::[0-9]+)?(?:/[^\s:@?#*]*)?", re.ASCII)
_QUOTES = ('"', "'")
_TOLD_BY_KIND = frozenset(
    {"slack_bot_token", "slack_app_token", "slack_signing_secret", "anthropic_api_key"}
)
"""Secrets whose form is known, so that a value in quotation marks is told by that."""
ANY_WORKSPACE = "*"


class SettingsError(ForewarmError):
    """The environment does not add up. `problems` holds one sentence for each variable."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__(" ".join(problems))
        self.problems = problems


class Settings(BaseSettings):
    """Everything that an operator sets. Money in USD, times in seconds.

    A setting is read under its alias alone: the field `home` must never take the shell's `HOME`.
    Descriptions are sentences for operators. `docs/settings.md` is made of them
    (`forewarm schema --settings`).
    """

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    slack_bot_token: SecretStr | None = Field(
        None,
        description="The Bot User OAuth Token of the app. Required.",
        examples=["xoxb-…"],
    )
    slack_app_token: SecretStr | None = Field(
        None,
        description="The app-level token with the scope connections:write. If it is set, Slack"
        " reaches the bot over Socket Mode.",
        examples=["xapp-…"],
    )
    slack_signing_secret: SecretStr | None = Field(
        None,
        description="The app's signing secret. Required for HTTP: requests without its signature"
        " are refused.",
        examples=["8f74…"],
    )
    slack_client_id: str | None = Field(
        None,
        description="The app's client id. If it is set, workspaces and Enterprise Grid"
        " organisations install the app with OAuth at /slack/install, and SLACK_BOT_TOKEN must not"
        " be set.",
        examples=["1234567890.1234567890"],
    )
    slack_client_secret: SecretStr | None = Field(
        None,
        description="The app's client secret. Required with SLACK_CLIENT_ID.",
        examples=["8f74…"],
    )
    public_url: str = Field(
        "",
        alias="forewarm_public_url",
        description="The https address under which browsers reach this server, for OAuth. Required"
        " with SLACK_CLIENT_ID.",
        examples=["https://forewarm.example.com"],
    )
    workspaces: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        alias="forewarm_workspaces",
        description="Ids of the workspaces and organisations that may install the app with OAuth,"
        " separated by commas; * lets any workspace of Slack install it and spend your money."
        " Required with SLACK_CLIENT_ID.",
        examples=["T0123ABCD, E0456EFGH"],
    )
    workspace_daily_limit_usd: float = Field(
        10.0,
        ge=0,
        allow_inf_nan=False,
        alias="forewarm_workspace_daily_limit_usd",
        description="The most that one workspace may cost on one day (UTC), in USD, if the app is"
        " installed with OAuth. So that no workspace is refused for another one's spending, keep"
        " the sum of all below FOREWARM_DAILY_LIMIT_USD.",
        examples=["5"],
    )
    limited_history: bool = Field(
        True,
        alias="forewarm_limited_history",
        description="With OAuth, Slack lets an app outside its Marketplace read one thread a"
        " minute and 15 messages of it. Then the messages that the bot hears are kept in the"
        " database for 30 days, threads are put together from them, and the line under an answer"
        " says if a part is missing. Set it to false for an app that is not limited.",
        examples=["false"],
    )
    slack_api_url: str = Field(
        "https://slack.com/api/",
        description="The address of Slack's Web API. Change it to use the local Slack.",
        examples=["http://127.0.0.1:3900/api/"],
    )

    anthropic_api_key: SecretStr | None = Field(
        None,
        description="The key of the Claude API. Required, unless ANTHROPIC_BASE_URL names a server"
        " that needs none, or Claude runs at another provider.",
        examples=["sk-ant-…"],
    )
    anthropic_base_url: str | None = Field(
        None,
        description="The address of a server with the Messages API. By default Anthropic's.",
        examples=["http://127.0.0.1:8080"],
    )
    provider: ProviderName | None = Field(
        None,
        alias="forewarm_provider",
        description="Where Claude runs for contexts that name no provider: anthropic, aws, bedrock,"
        " bedrock-mantle, vertex, google-cloud, foundry or compatible. By default anthropic, or"
        " compatible if ANTHROPIC_BASE_URL names another host. docs/providers.md lists the"
        " variables of each.",
        examples=["bedrock"],
    )
    cloud_ml_region: str | None = Field(
        None,
        description="The region of Google Vertex AI. Endpoints of one region cost a tenth more than"
        " those of `global`.",
        examples=["global"],
    )

    port: int = Field(
        3000, ge=0, le=65535, description="The port of the web server.", examples=["8080"]
    )
    host: str = Field(
        "",
        alias="forewarm_host",
        description="The address that the web server listens on. If it is not set: every IPv4"
        " address over HTTP or with a secret for webhooks, else this machine alone, because in"
        " Socket Mode no caller from outside is expected. `::` is every IPv6 address.",
        examples=["127.0.0.1"],
    )
    home: Path = Field(
        Path(".forewarm"),
        alias="forewarm_home",
        description="The folder of the database file, the clones and caches. Its loss costs the"
        " bot its memory and a new fetch of every repository.",
        examples=["/var/lib/forewarm"],
    )
    contexts: Path = Field(
        Path("contexts"),
        alias="forewarm_contexts",
        description="The folder of the context files. Changes are followed while the bot runs.",
        examples=["/etc/forewarm/contexts"],
    )
    database_url: str | None = Field(
        None,
        description="The database. By default an SQLite file in FOREWARM_HOME, for one process."
        " PostgreSQL serves several.",
        examples=["postgresql://user:password@host/forewarm"],
    )
    state_token: SecretStr | None = Field(
        None,
        alias="forewarm_state_token",
        description="The token for /state and /metrics. Without it they do not exist.",
        examples=["a long random text"],
    )
    state_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        alias="forewarm_state_origins",
        description="Web pages that may read /state from a browser, separated by commas.",
        examples=["https://status.example.com"],
    )
    github_webhook_secret: SecretStr | None = Field(
        None,
        description="The secret of GitHub's push webhooks. If it is set, /webhooks/github exists,"
        " and a push is fetched at once.",
        examples=["a long random text"],
    )
    gitlab_webhook_token: SecretStr | None = Field(
        None,
        description="The token of GitLab's push webhooks. If it is set, /webhooks/gitlab exists,"
        " and a push is fetched at once.",
        examples=["a long random text"],
    )

    bitbucket_webhook_secret: SecretStr | None = Field(
        None,
        description="The secret of Bitbucket's push webhooks, of the Cloud or a Data Center. If it"
        " is set, /webhooks/bitbucket exists, and a push is fetched at once.",
        examples=["a long random text"],
    )
    gitea_webhook_secret: SecretStr | None = Field(
        None,
        description="The secret of Gitea's or Forgejo's push webhooks. If it is set,"
        " /webhooks/gitea exists, and a push is fetched at once.",
        examples=["a long random text"],
    )
    azure_webhook_password: SecretStr | None = Field(
        None,
        description="The basic authentication password of Azure DevOps' service hooks. If it is"
        " set, /webhooks/azure exists, and a push is fetched at once.",
        examples=["a long random text"],
    )
    github_app_id: str | None = Field(
        None,
        description="The App ID or client ID of a GitHub App that is installed on private"
        " repositories. Needs one of the two private keys below.",
        examples=["123456"],
    )
    github_app_private_key: SecretStr | None = Field(
        None,
        description="The private key of the GitHub App: the whole PEM file. A line break may be"
        " written as \\n.",
        examples=["-----BEGIN RSA PRIVATE KEY-----…"],
    )
    github_app_private_key_file: Path | None = Field(
        None,
        description="The file that holds the private key of the GitHub App. It is read again for"
        " every token.",
        examples=["/run/secrets/github-app.pem"],
    )
    github_app_host: str = Field(
        "github.com",
        description="The host of the GitHub App, with its port if that is not 443.",
        examples=["github.example.com"],
    )
    credential_helper: str = Field(
        "",
        alias="forewarm_git_credential_helper",
        description="A command that prints passwords for git hosts over https, as git's"
        " credential.helper takes it. It is asked if no token is set for a host.",
        examples=["/usr/local/bin/git-credential-vault"],
    )
    ssh_known_hosts: Path | None = Field(
        None,
        alias="forewarm_ssh_known_hosts",
        description="A file of ssh host keys in the format of known_hosts. If it is set, no other"
        " host key is accepted.",
        examples=["/etc/forewarm/known_hosts"],
    )

    daily_limit_usd: float = Field(
        50.0,
        ge=0,
        allow_inf_nan=False,
        alias="forewarm_daily_limit_usd",
        description="The most that everything together may cost on one day (UTC), in USD. At the"
        " limit the bot answers no more until the next day.",
        examples=["20"],
    )
    warm_daily_limit_usd: float = Field(
        20.0,
        ge=0,
        allow_inf_nan=False,
        alias="forewarm_warm_daily_limit_usd",
        description="The most that warm-ups together may cost on one day (UTC), in USD. At the"
        " limit answers go on, but begin on a cold cache more often.",
        examples=["5"],
    )
    prices: Path | None = Field(
        None,
        alias="forewarm_prices",
        description="A file of prices that go before the built-in list prices, for contracts of"
        " your own and for new models. Caps and reports count by them.",
        examples=["/etc/forewarm/prices.toml"],
    )
    answers_at_once: int = Field(
        40,
        ge=1,
        alias="forewarm_answers_at_once",
        description="The most answers at the same time in one process. Further questions wait and"
        " are told their place.",
        examples=["20"],
    )
    sync_seconds: float = Field(
        60.0,
        gt=0,
        allow_inf_nan=False,
        alias="forewarm_sync_seconds",
        description="Seconds between two looks for pushes, if no webhook tells of them.",
        examples=["300"],
    )
    single_slot: bool = Field(
        False,
        alias="forewarm_single_slot",
        description="Set it for a local model server that works on one request at a time.",
        examples=["true"],
    )
    salt: str = Field(
        "",
        alias="forewarm_salt",
        description="A text that is put before every prefix. A change lets all cache entries lapse"
        " unused.",
        examples=["2026-11"],
    )
    local_repositories: Annotated[tuple[Path, ...], NoDecode] = Field(
        (),
        alias="forewarm_local_repositories",
        description="Folders in which repositories on this machine may lie, separated by commas.",
        examples=["/srv/git"],
    )
    repository_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        ("github.com", "gitlab.com"),
        alias="forewarm_repository_hosts",
        description="Git hosts from which repositories may be attached in Slack, separated by"
        " commas; a path narrows a host to an organisation. Context files may name any host.",
        examples=["github.com/acme, git.example.com"],
    )
    creators_attach: bool = Field(
        False,
        alias="forewarm_creators_attach",
        description="Lets a channel's creator attach repositories to it, without tokens and keys,"
        " and change what was attached so. By default only operators and workspace admins may.",
        examples=["true"],
    )
    operators: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        alias="forewarm_operators",
        description="User ids of operators, separated by commas. They see costs and may change"
        " every context. With OAuth, each is written with its workspace, and sees and changes the"
        " contexts of that: T0123ABCD:U0123ABCD.",
        examples=["U0123ABCD, U0456EFGH"],
    )
    log_level: str = Field(
        "INFO",
        alias="forewarm_log_level",
        description="The least important kind of log line that is written.",
        examples=["WARNING"],
    )

    @field_validator("*", mode="before")
    @classmethod
    def _strip(cls, value: object, info: ValidationInfo) -> object:
        """Drop blanks at the ends: a file of secrets often ends with a line break.

        Docker's files of variables keep quotation marks, which would be taken as a part of a path.
        """
        if not isinstance(value, str):
            return value
        text = value.strip()
        quoted = len(text) > 1 and text[0] in _QUOTES and text[0] == text[-1]
        if quoted and info.field_name not in _TOLD_BY_KIND:
            raise ValueError("it stands in quotation marks; remove them at both ends")
        return text

    @field_validator("slack_bot_token", "slack_app_token", "anthropic_api_key")
    @classmethod
    def _is_one_word(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and _TOKEN.fullmatch(value.get_secret_value()) is None:
            raise ValueError(
                "it holds a blank, a line break or another character that no token has; copy the"
                " token again, and nothing else"
            )
        return value

    @field_validator(
        "home", "contexts", "prices", "ssh_known_hosts", "github_app_private_key_file", mode="after"
    )
    @classmethod
    def _expand(cls, value: Path | None) -> Path | None:
        return None if value is None else _expanded(value)

    @field_validator("local_repositories")
    @classmethod
    def _expand_all(cls, value: tuple[Path, ...]) -> tuple[Path, ...]:
        return tuple(_expanded(one) for one in value)

    @field_validator("slack_api_url", "anthropic_base_url")
    @classmethod
    def _is_an_address(cls, value: str | None) -> str | None:
        if value is not None and (problem := address_problem(value)):
            raise ValueError(problem)
        return value

    @field_validator("state_origins")
    @classmethod
    def _are_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        origins = tuple(one.rstrip("/").lower() for one in value)
        if any(address_problem(one) or one.count("/") > 2 for one in origins):
            raise ValueError(
                "it must hold the beginnings of addresses, such as https://status.example.com,"
                " without a path and without *"
            )
        return origins

    @field_validator("repository_hosts")
    @classmethod
    def _are_hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(_REPOSITORY_HOST.fullmatch(one) for one in value):
            raise ValueError(
                "it must hold hosts such as github.com or github.com/acme, without https:// and"
                " without *"
            )
        return value

    @field_validator(
        "state_origins",
        "local_repositories",
        "repository_hosts",
        "operators",
        "workspaces",
        mode="before",
    )
    @classmethod
    def _split(cls, value: object) -> object:
        """Accept a comma-separated list, the form that every host's settings page takes."""
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("operators")
    @classmethod
    def _are_user_ids(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(_USER_ID.fullmatch(one) for one in value):
            raise ValueError(
                "it must hold user ids such as U0123ABCD, not names; copy the id from the user's"
                " profile in Slack (More, then Copy member ID)"
            )
        return value

    @field_validator("workspaces")
    @classmethod
    def _are_workspace_ids(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(_WORKSPACE_ID.fullmatch(one) for one in value):
            raise ValueError(
                "it must hold ids of workspaces (T0123ABCD) or organisations (E0123ABCD); copy"
                " them from the address of Slack in a browser (app.slack.com/client/T…)"
            )
        return value

    @field_validator("log_level")
    @classmethod
    def _is_a_level(cls, value: str) -> str:
        if value.upper() not in LOG_LEVELS:
            raise ValueError(f"it must be one of {', '.join(LOG_LEVELS)}")
        return value.upper()

    @field_validator("database_url")
    @classmethod
    def _has_a_scheme(cls, value: str | None) -> str | None:
        if value is not None and "://" not in value:
            raise ValueError(
                "it has no scheme; write postgresql://user:password@host/name or"
                " sqlite:///path/to/forewarm.db"
            )
        return value

    @property
    def worldwide(self) -> tuple[str, ...]:
        """The providers whose endpoint is bound to no region, so that they take no premium."""
        return ("vertex",) if self.cloud_ml_region == "global" else ()

    @property
    def listen_host(self) -> str:
        """The address to listen on: this machine alone, unless callers from outside are due."""
        if self.host:
            return self.host
        if self.socket_mode and self.slack_client_id is None and not self.webhook_secrets:
            return "127.0.0.1"
        return "0.0.0.0"  # noqa: S104 - Slack or a git host posts here, through a proxy

    @property
    def webhook_secrets(self) -> Mapping[str, str]:
        """The secrets of push webhooks that are set, by the last part of their route."""
        given = {
            "github": self.github_webhook_secret,
            "gitlab": self.gitlab_webhook_token,
            "bitbucket": self.bitbucket_webhook_secret,
            "gitea": self.gitea_webhook_secret,
            "azure": self.azure_webhook_password,
        }
        return {host: secret.get_secret_value() for host, secret in given.items() if secret}

    @property
    def github_app_problem(self) -> str | None:
        """A sentence if a GitHub App is set in part only."""
        keys = self.github_app_private_key, self.github_app_private_key_file
        if self.github_app_id and not any(keys):
            return (
                "GITHUB_APP_ID is set, but neither GITHUB_APP_PRIVATE_KEY nor"
                " GITHUB_APP_PRIVATE_KEY_FILE: set one of them to the App's private key."
            )
        if any(keys) and not self.github_app_id:
            return (
                "A private key of a GitHub App is set, but GITHUB_APP_ID is not: set it to the App"
                " ID of the App's page."
            )
        return None

    @property
    def socket_mode(self) -> bool:
        """Socket Mode is used exactly when there is an app-level token."""
        return self.slack_app_token is not None


def _expanded(path: Path) -> Path:
    """Return a path with the user's home folder in place of `~`.

    Shells replace `~` and variables. Files of variables for Docker and systemd do not, and then a
    folder of that name would be made.
    """
    first = path.parts[0] if path.parts else ""
    if first.startswith("$"):
        raise ValueError("it begins with $, and no variable is replaced here; write the whole path")
    try:
        return path.expanduser()
    except RuntimeError:
        raise ValueError(f"{first} is no user's home folder here; write the whole path") from None


def copy_addresses() -> tuple[str | None, str | None]:
    """Return the databases that `forewarm db copy` reads and fills, if variables name them."""
    return os.environ.get("COPY_FROM") or None, os.environ.get("COPY_TO") or None


def provider_environment() -> Mapping[str, str]:
    """Return the variables that the SDK's clients of the clouds read by themselves."""
    return os.environ


def read_settings() -> Settings:
    """Return the settings of this process's environment; raise `SettingsError`."""
    if problems := _renamed(os.environ):
        raise SettingsError(problems)
    try:
        settings = Settings()  # type: ignore[call-arg]  # every field comes from the environment
    except ValidationError as error:
        raise SettingsError(
            tuple(_sentence(one) for one in error.errors(include_url=False))
        ) from None

    if problem := settings.github_app_problem or _misplaced_home(os.environ, settings):
        raise SettingsError((problem,))
    return settings


def require_network() -> None:
    """Raise `SettingsError` for proxies, certificates and git tokens that no connection can use."""
    if problems := network_problems(os.environ):
        raise SettingsError(problems)


def unknown_variables() -> Mapping[str, str]:
    """Return the variables that look like settings and are none, each with the nearest name."""
    known = {(field.alias or name).upper() for name, field in Settings.model_fields.items()}
    return unknown_settings(os.environ, known)


def _misplaced_home(environment: Mapping[str, str], settings: Settings) -> str | None:
    """Return a sentence if version 0.1.0 put its database into the user's own home folder.

    It read the shell's HOME as FOREWARM_HOME. Starting with an empty database beside the old one
    would look like the loss of everything.
    """
    if environment.get("FOREWARM_HOME") or settings.database_url is not None:
        return None
    old, new = Path(environment.get("HOME") or "/nonexistent"), settings.home.resolve()
    if not (old / "forewarm.db").exists() or (new / "forewarm.db").exists():
        return None
    if old.resolve() == new:
        return None
    return (
        f"The database of an earlier version is {old / 'forewarm.db'}, but this version keeps it"
        f" in {new}: move it with `mkdir -p {new} && mv {old}/forewarm.db* {new}/`, or set"
        f" FOREWARM_HOME={old}."
    )


def _renamed(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return a sentence for each variable that is set under an old name."""
    given = {name.upper() for name, value in environment.items() if value}
    return tuple(
        f"{old} is called {new} now: rename that variable, or remove it if {new} is set already."
        for old, new in RENAMED.items()
        if old in given
    )


_WORDS: Mapping[str, str] = {
    "int_parsing": "it must be a whole number, such as {example}",
    "int_from_float": "it must be a whole number, such as {example}",
    "float_parsing": "it must be a plain number, such as {example}",
    "finite_number": "it must be a plain number, such as {example}",
    "bool_parsing": "it must be true or false",
    "greater_than_equal": "it must be {ge:g} or more",
    "greater_than": "it must be more than {gt:g}",
    "less_than_equal": "it must be {le:g} or less",
    "literal_error": "it must be {expected}",
}
"""Sentences for pydantic's types of errors, filled from their `ctx`."""


def _sentence(detail: ErrorDetails) -> str:
    # The offending value is left out on purpose: it may be a token in the wrong variable.
    name = str(detail["loc"][0]).upper() if detail["loc"] else "The environment"
    message = detail["msg"].removeprefix("Value error, ")
    what = _WORDS.get(detail["type"], f"{message[0].lower()}{message[1:]}")
    if detail["type"] in _WORDS:
        what = what.format(**detail.get("ctx", {}), example=_example(name))
    if detail["type"] == "literal_error":
        # One of a few known words may be shown, but never the value.
        known = re.findall(r"'([^']+)'", what)
        close = nearest(str(detail["input"]), known)
        what += f" (did you mean {close!r}?)" if close else ""
    return f"{name} cannot be used: {what}; change that variable."


def _example(variable: str) -> str:
    fields = Settings.model_fields.items()
    field = next((one for name, one in fields if (one.alias or name).upper() == variable), None)
    return str(field.examples[0]) if field is not None and field.examples else "20"


def require_slack(settings: Settings) -> None:
    """Raise `SettingsError` naming every Slack variable that is missing or of the wrong kind."""
    problems = _oauth_problems(settings) if settings.slack_client_id is not None else []
    token, app = settings.slack_bot_token, settings.slack_app_token
    if token is not None and app is not None and _are_swapped(token, app):
        raise SettingsError(
            (
                "SLACK_BOT_TOKEN holds an app-level token (xapp-) and SLACK_APP_TOKEN a bot token"
                " (xoxb-), so they look swapped: exchange the two values.",
            )
        )
    if settings.slack_client_id is None and any(":" in one for one in settings.operators):
        problems.append(
            "FOREWARM_OPERATORS writes a workspace before a user id, which holds only with OAuth:"
            " write the user id alone, such as U0123ABCD."
        )
    if settings.slack_client_id is not None:
        pass
    elif token is None:
        problems.append(
            "SLACK_BOT_TOKEN is not set: copy the Bot User OAuth Token (xoxb-…) from your app's"
            " OAuth & Permissions page."
        )
    elif not token.get_secret_value().startswith("xoxb-"):
        problems.append(
            f"SLACK_BOT_TOKEN {_other_kind(token) or 'is not a bot token'}, but it must start with"
            " xoxb-: copy the Bot User OAuth Token from your app's OAuth & Permissions page."
        )
    app_token = settings.slack_app_token
    if app_token is not None and not app_token.get_secret_value().startswith("xapp-"):
        problems.append(
            f"SLACK_APP_TOKEN {_other_kind(app_token) or 'is not an app-level token'}, but it must"
            " start with xapp-: make one with the scope connections:write under Basic Information."
        )
    if app_token is None and settings.slack_signing_secret is None:
        problems.append(
            "Neither SLACK_APP_TOKEN (Socket Mode) nor SLACK_SIGNING_SECRET (HTTP) is set, so"
            " Slack cannot reach the bot: set SLACK_APP_TOKEN to an app-level token (xapp-, from"
            " Basic Information of your app), or, if Slack can reach a public address of yours,"
            " SLACK_SIGNING_SECRET from the same page."
        )
    if problems:
        raise SettingsError(tuple(problems))


def without_oauth(settings: Settings) -> tuple[str, ...]:
    """Return the variables that have no effect, because SLACK_CLIENT_ID is not set."""
    if settings.slack_client_id is not None:
        return ()
    given = {
        "SLACK_CLIENT_SECRET": settings.slack_client_secret,
        "FOREWARM_PUBLIC_URL": settings.public_url,
        "FOREWARM_WORKSPACES": settings.workspaces,
    }
    return tuple(name for name, value in given.items() if value)


def _oauth_problems(settings: Settings) -> list[str]:
    """Return a sentence for everything that stands against installations with OAuth."""
    problems = []
    if settings.slack_bot_token is not None:
        problems.append(
            "SLACK_BOT_TOKEN and SLACK_CLIENT_ID are both set: keep SLACK_BOT_TOKEN for one"
            " workspace, or SLACK_CLIENT_ID for workspaces that install the app with OAuth."
        )
    if _CLIENT_ID.fullmatch(settings.slack_client_id or "") is None:
        problems.append(
            "SLACK_CLIENT_ID is no client id, which is two numbers with a dot between them: copy"
            " the Client ID (not the App ID) from your app's Basic Information page."
        )
    if settings.slack_client_secret is None:
        problems.append(
            "SLACK_CLIENT_SECRET is not set: copy the Client Secret from your app's Basic"
            " Information page."
        )
    local = settings.public_url.startswith(("http://127.0.0.1:", "http://localhost:"))
    if not settings.public_url.startswith("https://") and not local:
        problems.append(
            "FOREWARM_PUBLIC_URL is no https address: set it to the one under which browsers reach"
            " this server, such as https://forewarm.example.com."
        )
    if not settings.workspaces:
        problems.append(
            "FOREWARM_WORKSPACES is not set: list the ids of the workspaces (T…) and organisations"
            " (E…) that may install the app."
        )
    if any(":" not in one for one in settings.operators):
        problems.append(
            "FOREWARM_OPERATORS holds a user id without a workspace: with OAuth write each as"
            " T0123ABCD:U0123ABCD."
        )
    return problems


_KINDS: Mapping[str, str] = {
    "xoxb-": "holds a bot token (xoxb-)",
    "xoxp-": "holds a user's token (xoxp-)",
    "xapp-": "holds an app-level token (xapp-)",
    "xoxe": "holds a token that is rotated (xoxe)",
    "sk-ant-": "holds a key of Claude (sk-ant-)",
    '"': "begins with a quotation mark (remove it at both ends)",
    "'": "begins with a quotation mark (remove it at both ends)",
}
"""How a value begins that stands in the wrong variable, and the words for it."""


def _other_kind(value: SecretStr) -> str:
    """Return the words for a value that is known to belong elsewhere, "" for any other."""
    text = value.get_secret_value()
    return next((words for start, words in _KINDS.items() if text.startswith(start)), "")


def model_key_problem(settings: Settings) -> str | None:
    """Return a sentence if ANTHROPIC_API_KEY holds a value that belongs elsewhere."""
    key = settings.anthropic_api_key
    kind = _other_kind(key) if key is not None else ""
    if not kind or "sk-ant-" in kind:
        return None
    return (
        f"ANTHROPIC_API_KEY {kind}, so no question can be answered: set it to a key of the Claude"
        " API (sk-ant-…)."
    )


def _are_swapped(bot: SecretStr, app: SecretStr) -> bool:
    bot_value, app_value = bot.get_secret_value(), app.get_secret_value()
    return bot_value.startswith("xapp-") and app_value.startswith("xoxb-")
