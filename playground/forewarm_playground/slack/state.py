"""The state of a local Slack: who and what there is, and how to find it."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable

from forewarm_playground.clock import Now
from forewarm_playground.slack.config import ChannelConfig, SlackConfig, UserConfig, WorkspaceConfig
from forewarm_playground.slack.delivery.tickets import Tickets
from forewarm_playground.slack.delivery.types import Change, Delivery
from forewarm_playground.slack.errors import SlackError
from forewarm_playground.slack.ids import Ids, Json
from forewarm_playground.slack.messages.detector import Detector
from forewarm_playground.slack.models import (
    Channel,
    File,
    Grant,
    Installation,
    Message,
    Notice,
    OAuthCode,
    ResponseUrl,
    Session,
    Status,
    Trigger,
    User,
    View,
    Workspace,
)

PASSING = 2_000
"""How many ephemeral messages and notices are kept: a client does not find older ones again."""

_PREFIX = {"public": "C", "private": "C", "im": "D", "mpim": "C"}


class State:
    """Everything that a local Slack remembers. No socket, no loop: `now` is the only clock.

    Events for the app go to `deliver`, changes of a screen to `publish`; both are called at once
    and must not call back into the state.
    """

    def __init__(self, config: SlackConfig, now: Now) -> None:
        self.config = config
        self.now = now
        self.ids = Ids(round(now() * 1_000_000))
        self.base_url = "http://localhost"
        self.deliver: Callable[[Delivery], None] = lambda delivery: None
        self.publish: Callable[[Change], None] = lambda change: None
        self.detector = Detector()
        self.workspaces: dict[str, Workspace] = {}
        self.installations: dict[str, Installation] = {}
        self.users: dict[str, User] = {}
        self.channels: dict[str, Channel] = {}
        self._direct: dict[frozenset[str], str] = {}
        self.views: dict[str, View] = {}
        self.homes: dict[tuple[str, str], str] = {}
        self.modals: defaultdict[str, list[str]] = defaultdict(list)
        self.triggers: dict[str, Trigger] = {}
        self.response_urls: dict[str, ResponseUrl] = {}
        self.sessions: dict[tuple[str, str], Session] = {}
        self.statuses: dict[tuple[str, str], Status] = {}
        self.titles: dict[tuple[str, str], str] = {}
        self.prompts: dict[tuple[str, str], Json] = {}
        self.contexts: dict[str, list[Json]] = {}
        self.panels: set[str] = set()
        self.composers: dict[tuple[str, str, str], list[str]] = {}
        self.notices: deque[Notice] = deque(maxlen=PASSING)
        self.offered: dict[tuple[str, str], list[Json]] = {}
        self.view_errors: dict[str, dict[str, str]] = {}
        self.files: dict[str, File] = {}
        self.ephemerals: deque[Message] = deque(maxlen=PASSING)
        self.oauth_codes: dict[str, OAuthCode] = {}
        self.tickets = Tickets(self.ids)
        self._populate()

    def __repr__(self) -> str:
        messages = sum(len(channel.messages) for channel in self.channels.values())
        return (
            f"<State [{len(self.workspaces)} workspaces | {len(self.users)} users | "
            f"{len(self.channels)} channels | {messages} messages]>"
        )

    @property
    def home_team(self) -> str:
        """The default workspace: the first."""
        return self.config.workspaces[0].id

    def _populate(self) -> None:
        for workspace in self.config.workspaces:
            self.add_workspace(workspace)
        for user in self.config.users:
            self.add_user(user)
        for channel in self.config.channels:
            self.add_channel(channel)

    def add_workspace(self, entry: WorkspaceConfig) -> None:
        """Add a workspace, and the app to it if the entry says so."""
        self.workspaces[entry.id] = Workspace(
            entry.id,
            entry.name,
            entry.domain,
            entry.enterprise_id,
            entry.enterprise_name,
            entry.approval,
        )
        if entry.installed:
            self.install(entry.id, self.config.app.scopes, entry)

    def install(
        self, team: str, scopes: tuple[str, ...], entry: WorkspaceConfig | None = None
    ) -> Installation:
        """Give the app a bot user and a token in a workspace, or new scopes if it has them."""
        held = self.installations.get(team)
        if held is not None and not held.revoked and held.grant.organisation is None:
            held.scopes = tuple(sorted({*held.scopes, *scopes}))
            return held
        entry = entry or self._entry(team)
        token = entry.bot_token if held is None else f"{entry.bot_token}-{self.ids.next('')}"
        return self._add(team, Grant(token), scopes, entry)

    def install_organisation(self, organisation: str, scopes: tuple[str, ...]) -> Installation:
        """Give the app one bot user and one token in every workspace of an organisation."""
        teams = [w.id for w in self.workspaces.values() if w.enterprise_id == organisation]
        grant = Grant(f"xoxb-{organisation.lower()}-{self.ids.next('')}", organisation)
        entry = self._entry(teams[0])
        made = [self._add(team, grant, scopes, entry) for team in teams]
        return made[0]

    def _entry(self, team: str) -> WorkspaceConfig:
        return next(workspace for workspace in self.config.workspaces if workspace.id == team)

    def _add(
        self, team: str, grant: Grant, scopes: tuple[str, ...], entry: WorkspaceConfig
    ) -> Installation:
        made = Installation(team, entry.bot_user, entry.bot_id, grant, scopes)
        self.installations[team] = made
        self.users[entry.bot_user] = User(
            id=entry.bot_user,
            team=entry.id,
            name=self.config.app.name,
            real_name=self.config.app.name,
            kind="bot",
            bot_id=entry.bot_id,
            app_id=self.config.app.id,
        )
        return made

    def add_user(self, entry: UserConfig) -> User:
        """Add a person, or another app's bot."""
        name = entry.name or entry.id.lower()
        bot = entry.kind == "bot"
        user = User(
            id=entry.id,
            team=entry.workspace or self.home_team,
            name=name,
            real_name=entry.real_name or name,
            kind=entry.kind,
            email=entry.email,
            tz=entry.tz,
            locale=entry.locale,
            deleted=entry.deleted,
            admin=entry.admin,
            stranger=entry.stranger,
            bot_id=f"B{entry.id[1:]}" if bot else None,
            app_id=f"A{entry.id[1:]}" if bot else None,
        )
        self.users[user.id] = user
        return user

    def add_channel(self, entry: ChannelConfig) -> Channel:
        """Add a conversation with its members; `bot` means the app's user in its workspace."""
        team = entry.workspace or self.home_team
        installed = self.installations.get(team)
        bot = installed.bot_user if installed else ""
        members = [bot if member == "bot" else member for member in entry.members]
        channel = Channel(
            id=entry.id,
            name=entry.name or entry.id.lower(),
            kind=entry.kind,
            team=team,
            created=int(self.now()),
            members=dict.fromkeys(member for member in members if member),
            shared_with=entry.shared_with,
            pending_shared=entry.pending_shared,
            topic=entry.topic,
            purpose=entry.purpose,
            archived=entry.archived,
        )
        self.channels[channel.id] = channel
        if channel.kind in ("im", "mpim"):
            self._direct[frozenset(channel.members)] = channel.id
        return channel

    def notify(self, user: str, text: str, channel: str = "") -> None:
        """Tell a person something in Slack's own name."""
        self.notices.append(Notice(user, text, self.now(), channel))
        self.publish(Change("notice", channel, user=user, data={"text": text}))

    def user(self, user: str) -> User:
        """Return a user, or refuse with `user_not_found`."""
        if found := self.users.get(user):
            return found
        raise SlackError("user_not_found")

    def channel(self, channel: str) -> Channel:
        """Return a conversation, or refuse with `channel_not_found`."""
        if found := self.channels.get(channel):
            return found
        raise SlackError("channel_not_found")

    def message(self, channel: str, ts: str) -> Message:
        """Return a message, or refuse with `message_not_found`."""
        if found := self.channel(channel).messages.get(ts):
            return found
        raise SlackError("message_not_found")

    def open_conversation(self, members: list[str], team: str) -> Channel:
        """Return the direct or group message of exactly these users, new if need be."""
        wanted = frozenset(members)
        if wanted in self._direct:
            return self.channels[self._direct[wanted]]
        kind = "im" if len(wanted) <= 2 else "mpim"
        ident = self.ids.next(_PREFIX[kind])
        return self.add_channel(
            ChannelConfig.model_construct(
                id=ident,
                name=ident.lower() if kind == "im" else f"mpdm-{ident.lower()}",
                kind=kind,
                workspace=team,
                members=tuple(dict.fromkeys(members)),
                shared_with=(),
                pending_shared=False,
                topic="",
                purpose="",
                archived=False,
            )
        )

    def home_of(self, user: str) -> Channel:
        """Return the direct message of a user with the app's bot in the user's workspace.

        Refuses with `app_not_installed` if that has none, as for another organisation's user.
        """
        installation = self.installation_for(user)
        if installation.team != self.user(user).team:
            raise SlackError("app_not_installed")
        return self.open_conversation([user, installation.bot_user], installation.team)

    def installation_for(self, user: str) -> Installation:
        """Return the installation that a user meets: their workspace's, else any.

        Another organisation's user meets the one of a workspace that shares a channel with theirs.
        """
        installation = self.installations.get(self.user(user).team)
        if installation is None:
            installation = next(iter(self.installations.values()), None)
        if installation is None or installation.revoked:
            raise SlackError("app_not_installed")
        return installation

    def bot_in(self, channel: Channel) -> Installation | None:
        """Return the installation whose bot is in `channel`, the home workspace's first."""
        for team in (channel.team, *channel.shared_with):
            installation = self.installations.get(team)
            if (
                installation is not None
                and not installation.revoked
                and installation.bot_user in channel.members
            ):
                return installation
        return None

    def installed_for(self, channel: Channel) -> Installation | None:
        """Return the installation that hears of `channel` without being in it."""
        for team in (channel.team, *channel.shared_with):
            installation = self.installations.get(team)
            if installation is not None and not installation.revoked:
                return installation
        return None
