"""Environment to one frozen Settings; the only place that reads environment variables.

Secrets are `SecretStr`: a repr, a log or a traceback shows stars instead of their text.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from bot.errors import ForewarmError

RENAMED: Mapping[str, str] = {}
"""Variables of earlier versions and what they are called now, in capitals.

An old name that is still set stops the start: ignoring it would change what the operator set.
"""


class SettingsError(ForewarmError):
    """The environment does not add up. `problems` holds one sentence for each variable."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__(" ".join(problems))
        self.problems = problems


class Settings(BaseSettings):
    """Everything that an operator sets. Money in USD, times in seconds."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", env_ignore_empty=True, populate_by_name=True
    )

    slack_bot_token: SecretStr | None = None
    slack_app_token: SecretStr | None = None
    slack_signing_secret: SecretStr | None = None
    slack_api_url: str = "https://slack.com/api/"

    anthropic_api_key: SecretStr | None = None
    anthropic_base_url: str | None = None

    port: int = Field(3000, ge=0, le=65535)
    host: str = Field("0.0.0.0", alias="forewarm_host")  # noqa: S104 - a container listens outward
    home: Path = Field(Path(".forewarm"), alias="forewarm_home")
    contexts: Path = Field(Path("contexts"), alias="forewarm_contexts")
    database_url: str | None = None
    state_token: SecretStr | None = Field(None, alias="forewarm_state_token")
    state_origins: Annotated[tuple[str, ...], NoDecode] = Field((), alias="forewarm_state_origins")
    github_webhook_secret: SecretStr | None = None
    gitlab_webhook_token: SecretStr | None = None

    daily_limit_usd: float = Field(50.0, ge=0, alias="forewarm_daily_limit_usd")
    warm_daily_limit_usd: float = Field(20.0, ge=0, alias="forewarm_warm_daily_limit_usd")
    answers_at_once: int = Field(40, ge=1, alias="forewarm_answers_at_once")
    sync_seconds: float = Field(60.0, gt=0, alias="forewarm_sync_seconds")
    single_slot: bool = Field(False, alias="forewarm_single_slot")
    salt: str = Field("", alias="forewarm_salt")
    local_repositories: Annotated[tuple[Path, ...], NoDecode] = Field(
        (), alias="forewarm_local_repositories"
    )
    repository_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        ("github.com", "gitlab.com"), alias="forewarm_repository_hosts"
    )
    creators_attach: bool = Field(False, alias="forewarm_creators_attach")
    operators: Annotated[tuple[str, ...], NoDecode] = Field((), alias="forewarm_operators")
    log_level: str = Field("INFO", alias="forewarm_log_level")

    @field_validator(
        "state_origins", "local_repositories", "repository_hosts", "operators", mode="before"
    )
    @classmethod
    def _split(cls, value: object) -> object:
        """Accept a comma-separated list, the form that every host's settings page takes."""
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @property
    def socket_mode(self) -> bool:
        """Socket Mode is used exactly when there is an app-level token."""
        return self.slack_app_token is not None


def read_settings() -> Settings:
    """Return the settings of this process's environment; raise `SettingsError`."""
    if problems := _renamed(os.environ):
        raise SettingsError(problems)
    try:
        return Settings()  # type: ignore[call-arg]  # every field comes from the environment
    except ValidationError as error:
        raise SettingsError(tuple(_sentence(e["loc"], e["msg"]) for e in error.errors())) from None


def _renamed(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return a sentence for each variable that is set under an old name."""
    given = {name.upper() for name, value in environment.items() if value}
    return tuple(
        f"{old} is called {new} now: rename that variable, or remove it if {new} is set already."
        for old, new in RENAMED.items()
        if old in given
    )


def _sentence(where: tuple[int | str, ...], what: str) -> str:
    # The offending value is left out on purpose: it may be a token in the wrong variable.
    name = str(where[0]).upper() if where else "The environment"
    return f"{name} cannot be used: {what[0].lower()}{what[1:]}; change that variable."


def require_slack(settings: Settings) -> None:
    """Raise `SettingsError` naming every Slack variable that is missing or of the wrong kind."""
    problems = []
    token = settings.slack_bot_token
    if token is None:
        problems.append(
            "SLACK_BOT_TOKEN is not set: copy the Bot User OAuth Token (xoxb-…) from your app's"
            " OAuth & Permissions page."
        )
    elif not token.get_secret_value().startswith("xoxb-"):
        problems.append(
            "SLACK_BOT_TOKEN is not a bot token: it must start with xoxb-; copy the Bot User"
            " OAuth Token from your app's OAuth & Permissions page."
        )
    app_token = settings.slack_app_token
    if app_token is not None and not app_token.get_secret_value().startswith("xapp-"):
        problems.append(
            "SLACK_APP_TOKEN is not an app-level token: it must start with xapp-; make one with"
            " the scope connections:write under Basic Information."
        )
    if app_token is None and settings.slack_signing_secret is None:
        problems.append(
            "Neither SLACK_APP_TOKEN (Socket Mode) nor SLACK_SIGNING_SECRET (HTTP) is set: set"
            " the one for the way in which Slack shall reach the bot."
        )
    if problems:
        raise SettingsError(tuple(problems))
