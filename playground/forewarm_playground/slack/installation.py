"""Installing the app in a workspace with OAuth, and taking it out again."""

from __future__ import annotations

from urllib.parse import urlencode

from forewarm_playground.slack.delivery.events import send_event, subscribed
from forewarm_playground.slack.errors import SlackError
from forewarm_playground.slack.ids import Json
from forewarm_playground.slack.models import Installation
from forewarm_playground.slack.state import State
from forewarm_playground.slack.web_api.registry import Call


def approve(
    state: State,
    *,
    team: str,
    user: str,
    scopes: tuple[str, ...],
    redirect_uri: str,
    oauth_state: str,
) -> str:
    """Return the address, with a code, to which an allowed installation redirects the browser.

    Refuses with `bad_redirect_uri` if the app does not list the address, and with
    `invalid_team_for_non_distributed_app` if the workspace does not exist.
    """
    allowed = state.config.app.redirect_urls
    if allowed and not any(redirect_uri.startswith(url) for url in allowed):
        raise SlackError("bad_redirect_uri")
    if team not in state.workspaces:
        raise SlackError("invalid_team_for_non_distributed_app")
    code = state.ids.next("")
    state.oauth_codes[code] = (team, user, ",".join(scopes), redirect_uri)
    mark = "&" if "?" in redirect_uri else "?"
    return f"{redirect_uri}{mark}{urlencode({'code': code, 'state': oauth_state})}"


def exchange(call: Call) -> Json:
    """Carry out `oauth.v2.access`: a code is good for one exchange."""
    state, app = call.state, call.state.config.app
    given = (call.arguments.optional("client_id"), call.arguments.optional("client_secret"))
    if given[0] != app.client_id:
        raise SlackError("invalid_client_id")
    if given[1] != app.client_secret:
        raise SlackError("bad_client_secret")
    code = state.oauth_codes.pop(call.arguments.text("code"), None)
    if code is None:
        raise SlackError("invalid_code")
    team, user, scopes, redirect_uri = code
    if (call.arguments.optional("redirect_uri") or redirect_uri) != redirect_uri:
        raise SlackError("bad_redirect_uri")
    installation = state.install(team, tuple(scope for scope in scopes.split(",") if scope))
    workspace = state.workspaces[team]
    return {
        "access_token": installation.token,
        "token_type": "bot",
        "scope": ",".join(installation.scopes),
        "bot_user_id": installation.bot_user,
        "app_id": app.id,
        "team": {"id": team, "name": workspace.name},
        "enterprise": {"id": workspace.enterprise_id} if workspace.enterprise_id else None,
        "authed_user": {"id": user},
        "is_enterprise_install": False,
    }


def revoke(state: State, installation: Installation) -> None:
    """Take the app out of a workspace: its token dies, and the app is told."""
    for event in (
        {"type": "tokens_revoked", "tokens": {"oauth": [], "bot": [installation.bot_user]}},
        {"type": "app_uninstalled"},
    ):
        if subscribed(state, str(event["type"]), installation):
            send_event(state, installation, event | {"event_ts": f"{state.now():.6f}"})
    installation.revoked = True
