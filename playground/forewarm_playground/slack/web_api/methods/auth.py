"""`auth.*`, `apps.*`, `oauth.*`, `bots.info`, `team.info`, `api.test`."""

from __future__ import annotations

from forewarm_playground.slack.errors import SlackError
from forewarm_playground.slack.ids import Json
from forewarm_playground.slack.installation import exchange, revoke
from forewarm_playground.slack.web_api.registry import Call, method


@method("api.test", tier=4, by="none")
def api_test(call: Call) -> Json:
    """Return the arguments; `error` makes the call fail with it."""
    if error := call.arguments.optional("error"):
        raise SlackError(error, details={"args": call.arguments.shown()})
    return {"args": call.arguments.shown()}


@method("auth.test", tier=None, by="any")
def auth_test(call: Call) -> Json:
    """Say whose token it is."""
    if call.caller is None:
        app = call.state.config.app
        return {"app_name": app.name, "app_id": app.id}
    workspace = call.state.workspaces[call.bot.team]
    organisation = call.bot.grant.organisation
    identity: Json = {
        "url": f"https://{workspace.domain}.slack.com/",
        "team": workspace.enterprise_name if organisation else workspace.name,
        "user": call.state.users[call.bot.bot_user].name,
        "team_id": organisation or workspace.id,
        "user_id": call.bot.bot_user,
        "bot_id": call.bot.bot_id,
        "is_enterprise_install": organisation is not None,
    }
    if workspace.enterprise_id:
        identity["enterprise_id"] = workspace.enterprise_id
    return identity


@method("auth.revoke", tier=3)
def auth_revoke(call: Call) -> Json:
    """Make the token useless; `test` only says whether it would."""
    if call.arguments.flag("test"):
        return {"revoked": False}
    revoke(call.state, call.bot)
    return {"revoked": True}


@method("apps.uninstall", tier=3)
def apps_uninstall(call: Call) -> Json:
    """Take the app out of the workspace."""
    app = call.state.config.app
    given = (call.arguments.text("client_id"), call.arguments.text("client_secret"))
    if given != (app.client_id, app.client_secret):
        raise SlackError("bad_client_secret")
    revoke(call.state, call.bot)
    return {}


@method("apps.connections.open", tier=3, by="app")
def connections_open(call: Call) -> Json:
    """Return the address of a socket that may be opened once.

    Source: docs/platform/slack.md#socket-mode.
    """
    if not call.state.config.app.socket_mode:
        raise SlackError("socket_mode_not_enabled")
    ticket = call.state.tickets.mint(call.at)
    base = call.state.base_url.replace("http", "ws", 1)
    return {"url": f"{base}/link/?ticket={ticket}&app_id={call.state.config.app.id}"}


@method("oauth.v2.access", tier=4, by="none")
def oauth_access(call: Call) -> Json:
    """Exchange the code of an installation, or a refresh token, for a bot token."""
    return exchange(call)


@method("bots.info", "users:read", tier=3)
def bots_info(call: Call) -> Json:
    """Return a bot user by its bot id."""
    wanted = call.arguments.optional("bot") or call.bot.bot_id
    for user in call.state.users.values():
        if user.bot_id == wanted:
            return {
                "bot": {
                    "id": user.bot_id,
                    "deleted": user.deleted,
                    "name": user.real_name,
                    "updated": 0,
                    "app_id": user.app_id,
                    "user_id": user.id,
                    "icons": {"image_36": f"{call.state.base_url}/icons/{user.bot_id}.png"},
                }
            }
    raise SlackError("bot_not_found")


@method("team.info", "team:read", tier=3)
def team_info(call: Call) -> Json:
    """Return the workspace."""
    wanted = call.arguments.optional("team") or call.bot.team
    workspace = call.state.workspaces.get(wanted)
    if workspace is None:
        raise SlackError("team_not_found")
    return {
        "team": {
            "id": workspace.id,
            "name": workspace.name,
            "domain": workspace.domain,
            "url": f"https://{workspace.domain}.slack.com/",
            "email_domain": "",
            "icon": {"image_default": True},
            "enterprise_id": workspace.enterprise_id,
        }
    }
