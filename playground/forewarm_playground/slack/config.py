"""Configuration of a local Slack, read from a TOML file or a dict, with every key checked."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from forewarm_playground.errors import PlaygroundError

UserKind = Literal["member", "guest", "single_channel_guest", "bot"]
ChannelKind = Literal["public", "private", "im", "mpim"]
AgentView = Literal["agent_view", "assistant_view", "none"]

ALL_SCOPES = (
    "app_mentions:read",
    "assistant:write",
    "channels:history",
    "channels:join",
    "channels:read",
    "chat:write",
    "chat:write.customize",
    "commands",
    "files:read",
    "groups:history",
    "groups:read",
    "im:history",
    "im:read",
    "im:write",
    "links:read",
    "links:write",
    "mpim:history",
    "mpim:read",
    "mpim:write",
    "reactions:read",
    "reactions:write",
    "team:read",
    "users:read",
)

ALL_EVENTS = (
    "agent_session_stopped",
    "agent_session_title_changed",
    "app_context_changed",
    "app_home_opened",
    "app_mention",
    "app_uninstalled",
    "assistant_thread_context_changed",
    "assistant_thread_started",
    "channel_archive",
    "group_archive",
    "link_shared",
    "member_joined_channel",
    "member_left_channel",
    "message.channels",
    "message.groups",
    "message.im",
    "message.mpim",
    "reaction_added",
    "reaction_removed",
    "team_access_revoked",
    "tokens_revoked",
)


class ConfigError(PlaygroundError):
    """The configuration of a local Slack cannot be used; `problems` says what, key by key."""

    def __init__(self, source: str, problems: list[str]) -> None:
        super().__init__(
            f"{source} does not describe a local Slack ({'; '.join(problems)}): correct that."
        )
        self.source = source
        self.problems = problems


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Shortcut(_Table):
    """A global or message shortcut of the app."""

    callback_id: str
    name: str = "Shortcut"
    type: Literal["global", "message"] = "global"


class AppConfig(_Table):
    """The app under test, as its manifest and its credentials describe it.

    Events go to sockets if `socket_mode`, otherwise to `request_url`; interactions and commands go
    to `interactivity_url`, `command_url` and `options_url`, which default to `request_url`.
    """

    id: str = "A0LOCAL"
    name: str = "forewarm"
    signing_secret: str = "local-signing-secret"  # noqa: S105 - made up, known to both ends
    app_token: str = "xapp-1-A0LOCAL-1-local"  # noqa: S105 - made up, known to both ends
    client_id: str = "1.1"
    client_secret: str = "local-client-secret"  # noqa: S105 - made up, known to both ends
    verification_token: str = "local-verification"  # noqa: S105 - made up, known to both ends
    socket_mode: bool = True
    request_url: str = ""
    interactivity_url: str = ""
    command_url: str = ""
    options_url: str = ""
    scopes: tuple[str, ...] = ALL_SCOPES
    events: tuple[str, ...] = ALL_EVENTS
    unfurl_domains: tuple[str, ...] = Field(default=("github.com",), max_length=5)
    agent: AgentView = "agent_view"
    home_tab: bool = True
    messages_tab: bool = True
    interactivity: bool = True
    commands: tuple[str, ...] = ("/ask",)
    escaped_commands: tuple[str, ...] = ()
    shortcuts: tuple[Shortcut, ...] = (
        Shortcut(callback_id="ask_global", name="Ask the codebase"),
        Shortcut(callback_id="ask_message", name="Explain this", type="message"),
    )
    suggested_prompts: tuple[dict[str, str], ...] = ()
    redirect_urls: tuple[str, ...] = ()
    org_deploy: bool = False
    """Enterprise Grid organisations may install the app for all their workspaces."""
    token_rotation: bool = False
    token_seconds: float = 43_200.0
    """The life of a token that rotates."""
    commercial: bool = False
    """Distributed outside the Marketplace: history and replies once a minute, 15 at a time."""


class WorkspaceConfig(_Table):
    """A workspace, and the app's installation in it if `installed`.

    With `approval` only admins may install apps over OAuth.

    The bot's user, id and token default to `U0BOT`, `B0BOT` and `xoxb-local` in the first workspace
    and carry the workspace's id in the others.
    """

    id: str = "T0LOCAL"
    name: str = "Local"
    domain: str = "local"
    enterprise_id: str | None = None
    enterprise_name: str = ""
    installed: bool = True
    approval: bool = False
    bot_user: str = ""
    bot_id: str = ""
    bot_token: str = ""

    def identified(self, suffix: str) -> WorkspaceConfig:
        """Return the same workspace with an identity of the app in it."""
        defaults = {
            "bot_user": f"U0BOT{suffix}",
            "bot_id": f"B0BOT{suffix}",
            "bot_token": f"xoxb-local{suffix and '-'}{suffix.lower()}",
        }
        given = {key: getattr(self, key) or value for key, value in defaults.items()}
        return self.model_copy(update=given)


class UserConfig(_Table):
    """A person, or another app's bot.

    `stranger` overrides `is_stranger`, which says by default that the user belongs to another
    organisation than the app's workspace.
    """

    id: str
    name: str = ""
    real_name: str = ""
    workspace: str = ""
    kind: UserKind = "member"
    email: str = ""
    tz: str = "Etc/UTC"
    locale: str = "en-US"
    deleted: bool = False
    admin: bool = False
    stranger: bool | None = None


class ChannelConfig(_Table):
    """A channel and who is in it; `members` may name the bot's user or say `bot`."""

    id: str
    name: str = ""
    kind: ChannelKind = "public"
    workspace: str = ""
    members: tuple[str, ...] = ()
    shared_with: tuple[str, ...] = ()
    pending_shared: bool = False
    topic: str = ""
    purpose: str = ""
    archived: bool = False


class LimitsConfig(_Table):
    """Limits with the values that Slack documents or that were observed.

    Source: docs/platform/slack.md#rate-limits.
    """

    rates: bool = True
    post_burst: int = Field(default=5, ge=1)
    per_minute: dict[str, int] = {}
    stream_seconds: float = 300.0
    stream_bytes: int = 11_000
    status_seconds: float = 120.0
    processing_seconds: float = 3600.0
    trigger_seconds: float = 3.0
    response_posts: int = 5
    response_seconds: float = 1800.0
    typing_debounce: float = 0.0
    events_per_hour: int = 30_000
    sockets: int = 10
    log_entries: int = 20_000


class DeliveryConfig(_Table):
    """How events reach the app. All times in seconds; `retry_scale` stretches the retries' waits.

    `socket_life` seconds after it opened a socket is told `refresh_requested`, `socket_warning`
    seconds before that it is warned; 0 leaves it alone. `ping_seconds` 0 sends no pings.
    """

    ack_seconds: float = 3.0
    retry_seconds: tuple[float, ...] = (0.1, 60.0, 300.0)
    retry_scale: float = 1.0
    latency: float = 0.0
    socket_life: float = 0.0
    socket_warning: float = 10.0
    debug_socket_life: float = 360.0
    ping_seconds: float = 15.0


class SlackConfig(_Table):
    """The whole of a local Slack.

    With `membership_messages`, joining, leaving and archiving post Slack's own messages.
    """

    app: AppConfig = AppConfig()
    workspaces: tuple[WorkspaceConfig, ...] = (WorkspaceConfig().identified(""),)
    users: tuple[UserConfig, ...] = (
        UserConfig(id="U0ASKER", name="asker", real_name="Asking Member"),
        UserConfig(id="U0PEER", name="peer", real_name="Other Member"),
    )
    channels: tuple[ChannelConfig, ...] = (
        ChannelConfig(id="C0GENERAL", name="general", members=("U0ASKER", "U0PEER", "bot")),
    )
    limits: LimitsConfig = LimitsConfig()
    delivery: DeliveryConfig = DeliveryConfig()
    membership_messages: bool = False

    @field_validator("workspaces")
    @classmethod
    def _identify(cls, given: tuple[WorkspaceConfig, ...]) -> tuple[WorkspaceConfig, ...]:
        return tuple(w.identified(w.id[1:] if place else "") for place, w in enumerate(given))

    @classmethod
    def parse(cls, table: dict[str, Any], source: str = "The configuration") -> SlackConfig:
        """Check a table such as a TOML file holds.

        `app.manifest` may hold an app manifest as a table; `app`'s other keys override it.

        Raises:
            ConfigError: a key is unknown, missing or of the wrong type, or names what is not there.
        """
        try:
            config = cls.model_validate(_with_manifest(table))
        except ValidationError as error:
            raise ConfigError(source, [_problem(e) for e in error.errors()]) from error
        if problems := _dangling(config):
            raise ConfigError(source, problems)
        return config

    @classmethod
    def load(cls, path: Path) -> SlackConfig:
        """Read a TOML file; `app.manifest` may be the path of a JSON manifest beside it.

        Raises:
            ConfigError: the file is not there, is not TOML, or does not describe a local Slack.
        """
        try:
            table = tomllib.loads(path.read_text(encoding="utf-8"))
            app = table.get("app", {})
            if isinstance(app.get("manifest"), str):
                app["manifest"] = json.loads((path.parent / app["manifest"]).read_text("utf-8"))
        except OSError as error:
            raise ConfigError(str(path), [error.strerror or "it cannot be read"]) from error
        except ValueError as error:
            raise ConfigError(str(path), [str(error)]) from error
        return cls.parse(table, str(path))


def _problem(error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"{where}: this key is unknown"
    if error["type"] == "missing":
        return f"{where}: this key is missing"
    return f"{where}: {error['msg'][:1].lower()}{error['msg'][1:]}"


def _with_manifest(table: dict[str, Any]) -> dict[str, Any]:
    app = dict(table.get("app", {}))
    manifest = app.pop("manifest", None)
    if manifest is None:
        return table
    return {**table, "app": {**from_manifest(manifest), **app}}


def from_manifest(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return what `AppConfig` takes from an app manifest (docs/platform/slack.md#manifest)."""
    features, settings = manifest.get("features", {}), manifest.get("settings", {})
    subscriptions = settings.get("event_subscriptions", {})
    interactivity = settings.get("interactivity", {})
    oauth = manifest.get("oauth_config", {})
    commands = features.get("slash_commands", [])
    agent = next((v for v in ("agent_view", "assistant_view") if v in features), "none")
    home = features.get("app_home", {})
    app: dict[str, Any] = {
        "name": manifest.get("display_information", {}).get("name", "app"),
        "scopes": oauth.get("scopes", {}).get("bot", []),
        "redirect_urls": oauth.get("redirect_urls", []),
        "events": subscriptions.get("bot_events", []),
        "request_url": subscriptions.get("request_url", ""),
        "interactivity": interactivity.get("is_enabled", False),
        "interactivity_url": interactivity.get("request_url", ""),
        "options_url": interactivity.get("message_menu_options_url", ""),
        "commands": [command["command"] for command in commands],
        "escaped_commands": [c["command"] for c in commands if c.get("should_escape")],
        "command_url": next((c["url"] for c in commands if c.get("url")), ""),
        "shortcuts": [
            {key: shortcut[key] for key in ("callback_id", "name", "type")}
            for shortcut in features.get("shortcuts", [])
        ],
        "unfurl_domains": features.get("unfurl_domains", []),
        "agent": agent,
        "home_tab": home.get("home_tab_enabled", False),
        "messages_tab": home.get("messages_tab_enabled", True),
        "socket_mode": settings.get("socket_mode_enabled", False),
        "org_deploy": settings.get("org_deploy_enabled", False),
        "token_rotation": settings.get("token_rotation_enabled", False),
        "suggested_prompts": features.get(agent, {}).get("suggested_prompts", []),
    }
    return app


def _dangling(config: SlackConfig) -> list[str]:
    teams = {workspace.id for workspace in config.workspaces}
    users = {user.id for user in config.users} | {w.bot_user for w in config.workspaces} | {"bot"}
    named = [(f"users.{u.id}.workspace", u.workspace) for u in config.users]
    named += [(f"channels.{c.id}.workspace", c.workspace) for c in config.channels]
    named += [(f"channels.{c.id}.shared_with", t) for c in config.channels for t in c.shared_with]
    problems = [
        f"{key}: no workspace {team!r}" for key, team in named if team and team not in teams
    ]
    problems += [
        f"channels.{c.id}.members: no user {member!r}"
        for c in config.channels
        for member in c.members
        if member not in users
    ]
    problems += _doubled("workspaces", [w.id for w in config.workspaces])
    problems += _doubled("workspaces.bot_token", [w.bot_token for w in config.workspaces])
    problems += _doubled("users", [u.id for u in config.users])
    problems += _doubled("users", [w.bot_user for w in config.workspaces])
    problems += _doubled("channels", [c.id for c in config.channels])
    return problems if config.workspaces else ["workspaces: at least one is needed"]


def _doubled(key: str, names: list[str]) -> list[str]:
    return [f"{key}: {name!r} twice" for name in sorted({n for n in names if names.count(n) > 1})]
