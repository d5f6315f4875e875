"""Context files: what a channel answers from, who may ask, what it may cost (docs/contexts.md).

Light on purpose: nothing here reads a repository. A context that comes from elsewhere (attached in
Slack, kept in the store) is built with `parse_context` and obeys the same rules.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from bot.context.config.globs import glob_regex
from bot.context.errors import GlobError, UrlError
from bot.context.git.urls import RepositoryUrl, parse_url

Thinking = Literal["least", "disabled", "between_tools", "adaptive"]
Effort = Literal["low", "medium", "high", "xhigh", "max"]
Mode = Literal["mentions", "questions"]
ProviderName = Literal[
    "anthropic",
    "aws",
    "bedrock",
    "bedrock-mantle",
    "vertex",
    "google-cloud",
    "foundry",
    "compatible",
]


_LINK_HOST = re.compile(r"[A-Za-z0-9.-]+", re.ASCII)
_TOKEN_NAME = re.compile(r"[A-Z0-9_]{1,60}")


def _glob(pattern: str) -> str:
    try:
        glob_regex(pattern)
    except GlobError as error:
        raise ValueError(error.user_message) from None
    return pattern


def _channel(value: str) -> str:
    if value[:1] not in {"C", "G"} or not value.isalnum() or value != value.upper():
        raise ValueError(
            f"{value!r} is not a channel id; copy the id (it starts with C) "
            "from the foot of the channel's details in Slack"
        )
    return value


def _workspace(value: str) -> str:
    if value and (value[0] != "T" or not value.isalnum() or value != value.upper()):
        raise ValueError(
            f"{value!r} is not a workspace id; it starts with T and stands in the address of Slack"
            " in a browser (app.slack.com/client/T…)"
        )
    return value


def _user(value: str) -> str:
    if value[:1] not in {"U", "W"} or not value.isalnum():
        raise ValueError(f"{value!r} is not a user id; it starts with U or W")
    return value


def _bot(value: str) -> str:
    if value[:1] not in {"B", "U", "W", "A"} or not value.isalnum() or value != value.upper():
        raise ValueError(f"{value!r} is not the id of a bot; it starts with B, or U for its user")
    return value


def _link_host(value: str) -> str:
    if not _LINK_HOST.fullmatch(value):
        raise ValueError(
            f"{value!r} is not a host; write one such as wiki.acme.com, without https:// and a path"
        )
    return value


def _tokens(least: int, most: int) -> Callable[[object], int | Literal["auto"]]:
    """Return a check of a number of tokens, or the word `auto`."""

    def check(value: object) -> int | Literal["auto"]:
        if value == "auto":
            return "auto"
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise ValueError(f'it must be a number from {least} to {most:_} or "auto"')
        return value

    return check


def _template(value: str) -> str:
    try:
        shown = value.format(sha="0", path="a", start=1, end=2)
    except (KeyError, IndexError, ValueError):
        raise ValueError(
            "it may hold {sha}, {path}, {start} and {end}, and no other braces"
        ) from None
    if not shown.startswith("https://") or "{path}" not in value:
        raise ValueError("it must start with https:// and hold {path}")
    return value


def _token_name(value: str) -> str:
    if value and not _TOKEN_NAME.fullmatch(value):
        raise ValueError(
            "write the name of a token, in capitals, digits and underscores, and put the token"
            " itself into the environment variable FOREWARM_REPOSITORY_TOKEN_ with that name"
        )
    return value


def _tokens_schema(least: int, most: int) -> WithJsonSchema:
    number = {"type": "integer", "minimum": least, "maximum": most}
    return WithJsonSchema({"anyOf": [number, {"const": "auto"}]})


BudgetTokens = Annotated[
    int | Literal["auto"], PlainValidator(_tokens(500, 2_000_000)), _tokens_schema(500, 2_000_000)
]
ExcerptTokens = Annotated[
    int | Literal["auto"], PlainValidator(_tokens(0, 100_000)), _tokens_schema(0, 100_000)
]
Glob = Annotated[str, AfterValidator(_glob)]
ChannelId = Annotated[str, AfterValidator(_channel)]
WorkspaceId = Annotated[str, AfterValidator(_workspace)]
BotId = Annotated[str, AfterValidator(_bot)]
LinkHost = Annotated[str, AfterValidator(_link_host)]
UserId = Annotated[str, AfterValidator(_user)]


class _Part(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        str_strip_whitespace=True,
        use_attribute_docstrings=True,
        allow_inf_nan=False,
    )


MOST_FILES = 60_000
"""Files that a repository may track by default. Each takes about 4 kB of the bot's memory."""
_NOT_PACKED = {"web", "depth", "max_files", "token", "ssh_key"}
"""Keys of a repository that change no packed byte."""


class RepositoryConfig(_Part):
    """One repository of a context. `name` is unique within it and derived from the address."""

    url: str
    ref: str = Field(default="HEAD", min_length=1, max_length=250)
    name: str = Field(default="", max_length=100)
    include: tuple[Glob, ...] = ()
    exclude: tuple[Glob, ...] = ()
    first: tuple[Glob, ...] = ()
    """The files that are taken first under a budget, in this order."""
    web: Annotated[str, AfterValidator(_template)] | None = None
    depth: int | None = Field(default=None, ge=1)
    """How many commits are fetched; None means all of them."""
    max_file_bytes: int = Field(default=1_000_000, ge=1_000, le=20_000_000)
    max_files: int = Field(default=MOST_FILES, ge=1, le=1_000_000)
    """The files that the commit may track. The bot keeps some 4 kB of memory for each."""
    token: Annotated[str, AfterValidator(_token_name)] = ""
    """The NAME of the repository's own token, which is in FOREWARM_REPOSITORY_TOKEN_NAME."""
    ssh_key: Path | None = None
    """The private key file of a deploy key. A relative path is taken from this file's folder."""

    @field_validator("ref")
    @classmethod
    def _ref_is_safe(cls, ref: str) -> str:
        bad = any(ord(c) < 33 or c in "~^:?*[\\\x7f" for c in ref)
        if bad or ref.startswith("-") or ".." in ref:
            raise ValueError("it is not the name of a branch, a tag or a commit")
        return ref

    @model_validator(mode="before")
    @classmethod
    def _derive_name(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and isinstance(data.get("url"), str) and not data.get("name"):
            try:
                return {**data, "name": parse_url(data["url"]).name}
            except UrlError as error:
                raise ValueError(error.user_message) from None
        return data

    @field_validator("name")
    @classmethod
    def _name_is_plain(cls, name: str) -> str:
        if not name or any(ord(c) < 33 or c in "/\\:\x7f" for c in name):
            raise ValueError("a name is one word without slashes or colons; set `name` to one")
        return name

    @property
    def address(self) -> RepositoryUrl:
        return parse_url(self.url)

    @property
    def web_template(self) -> str | None:
        """The template of permalinks: the context's own, else the host's, else None."""
        return self.web or self.address.web


class AccessConfig(_Part):
    """Who may ask besides the members of the context's channels (docs/contexts.md)."""

    guests: bool = False
    external: bool = False
    bots: tuple[BotId, ...] = ()
    operators: tuple[UserId, ...] = ()


class LimitsConfig(_Part):
    """Money in USD a day, rates in questions an hour. None means: no bound of the context's own."""

    answers_daily_usd: float | None = Field(default=20.0, ge=0)
    user_per_hour: int | None = Field(default=30, ge=1)
    channel_per_hour: int | None = Field(default=120, ge=1)
    pack_memory_mb: int = Field(default=2_000, ge=200, le=1_000_000)
    """The most memory of the process that reads and packs the repositories."""
    pack_seconds: int = Field(default=600, ge=10, le=86_400)
    """The most processor time of that process in one go."""


class WarmConfig(_Part):
    """The worth of an hour of a waiting person, and the most to spend on warmth a day, in USD."""

    wait_cost_per_hour: float = Field(default=100.0, ge=0)
    daily_limit_usd: float = Field(default=5.0, ge=0)


class ContextConfig(_Part):
    """One context: channels, model, repositories, access, limits, warmth."""

    name: str = Field(min_length=1, max_length=80, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    workspace: WorkspaceId = ""
    """The workspace that it belongs to; needed only if the app is installed with OAuth."""
    channels: tuple[ChannelId, ...] = ()
    model: str = Field(default="claude-sonnet-5-5", min_length=1)
    provider: ProviderName | None = None
    """Where Claude runs; by default FOREWARM_PROVIDER (docs/providers.md)."""
    model_id: str = Field(default="", max_length=500, pattern=r"^[^\s=]*$")
    """The provider's own id of the model, if it is not the usual one: a deployment, a profile."""
    instructions: str = Field(default="", max_length=20_000)
    budget_tokens: BudgetTokens = "auto"
    """Tokens of bases and updates together; `auto` chooses by size, speed and money."""
    excerpt_tokens: ExcerptTokens = "auto"
    """Tokens of the excerpts that are found for one question."""
    max_wait: float = Field(default=2.0, ge=0.5, le=60)
    """Seconds to the first words that `auto` keeps to."""
    thinking: Thinking = "least"
    effort: Effort = "low"
    mode: Mode = "mentions"
    answer_drafts: bool = False
    show_places: bool = False
    """Whether the places that match a question stand above the model's answer."""
    link_hosts: tuple[LinkHost, ...] = ()
    """Hosts that answers may link to, besides those of the repositories."""
    prompts: tuple[Annotated[str, Field(min_length=1, max_length=150)], ...] = Field(
        default=(), max_length=4
    )
    """Suggested first questions, shown in the agent pane."""
    repositories: tuple[RepositoryConfig, ...] = Field(min_length=1, max_length=20)
    access: AccessConfig = AccessConfig()
    limits: LimitsConfig = LimitsConfig()
    warm: WarmConfig = WarmConfig()

    @model_validator(mode="after")
    def _names_differ(self) -> ContextConfig:
        names = [repository.name for repository in self.repositories]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two repositories are called {twice[0]!r}; give one a `name`")
        return self

    @property
    def full_model(self) -> str:
        """The model with the provider and the id that the context names, if it names them."""
        named = f"{self.model_id}={self.model}" if self.model_id else self.model
        return f"{self.provider}:{named}" if self.provider else named

    @property
    def pack_fingerprint(self) -> str:
        """Changes when, and only when, a setting changes that can change the packed bytes."""
        picked = {
            "budget": self.budget_tokens,
            **({"max_wait": self.max_wait} if self.budget_tokens == "auto" else {}),
            "repositories": [
                repository.model_dump(exclude=_NOT_PACKED) for repository in self.repositories
            ],
        }
        return hashlib.sha256(json.dumps(picked, sort_keys=True).encode()).hexdigest()
