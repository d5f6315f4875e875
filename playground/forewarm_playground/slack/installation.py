"""Installing the app with OAuth in a workspace or an organisation, and taking it out again."""

from __future__ import annotations

from collections.abc import Iterator

from forewarm_playground.slack.delivery.events import send_event, subscribed
from forewarm_playground.slack.errors import SlackError
from forewarm_playground.slack.ids import Json
from forewarm_playground.slack.models import Grant, Installation, OAuthCode
from forewarm_playground.slack.state import State
from forewarm_playground.slack.web_api.registry import Call


def places(state: State) -> Iterator[tuple[str, str]]:
    """Yield id and name of the workspaces and organisations that the app can be installed in."""
    for workspace in state.workspaces.values():
        yield workspace.id, workspace.name
    if state.config.app.org_deploy:
        organisations = {w.enterprise_id: w.enterprise_name for w in state.workspaces.values()}
        yield from ((id, name or id) for id, name in organisations.items() if id)


def may_install(state: State, user: str, place: str) -> bool:
    """Tell whether a person may install apps in a workspace or an organisation.

    Members of a workspace may, or its admins alone; in an organisation, admins of its workspaces.
    """
    person = state.users.get(user)
    if person is None or person.is_bot or person.is_guest:
        return False
    own = state.workspaces.get(person.team)
    if own is None or place not in (own.id, own.enterprise_id):
        return False
    return person.admin or (place == own.id and not own.approval)


def allow(
    state: State, *, place: str, user: str, scopes: tuple[str, ...], redirect_uri: str
) -> str:
    """Return the code of an installation that a person allowed.

    Refuses with `bad_redirect_uri` if the app does not list the address, and with
    `invalid_team_for_non_distributed_app` if the app cannot be installed in that place.
    """
    allowed = state.config.app.redirect_urls
    if allowed and not any(redirect_uri.startswith(url) for url in allowed):
        raise SlackError("bad_redirect_uri")
    if place not in dict(places(state)):
        raise SlackError("invalid_team_for_non_distributed_app")
    code = state.ids.next("")
    state.oauth_codes[code] = OAuthCode(place, user, scopes, redirect_uri)
    return code


def exchange(call: Call) -> Json:
    """Carry out `oauth.v2.access`: codes and refresh tokens are good for one exchange."""
    app = call.state.config.app
    given = (call.arguments.optional("client_id"), call.arguments.optional("client_secret"))
    if given[0] != app.client_id:
        raise SlackError("invalid_client_id")
    if given[1] != app.client_secret:
        raise SlackError("bad_client_secret")
    if call.arguments.optional("grant_type") == "refresh_token":
        return _refresh(call)
    code = call.state.oauth_codes.pop(call.arguments.text("code"), None)
    if code is None:
        raise SlackError("invalid_code")
    if (call.arguments.optional("redirect_uri") or code.redirect_uri) != code.redirect_uri:
        raise SlackError("bad_redirect_uri")
    if code.place in call.state.workspaces:
        installation = call.state.install(code.place, code.scopes)
    else:
        installation = call.state.install_organisation(code.place, code.scopes)
    if app.token_rotation:
        _renew(call.state, installation.grant)
    return {**_described(call, installation), "authed_user": {"id": code.user}}


def _refresh(call: Call) -> Json:
    given = call.arguments.text("refresh_token")
    for installation in call.state.installations.values():
        if given and installation.grant.refresh_token == given and not installation.revoked:
            _renew(call.state, installation.grant)
            return _described(call, installation)
    raise SlackError("invalid_refresh_token")


def _renew(state: State, grant: Grant) -> None:
    """Replace a token; the one before it goes on until its own end, and older ones end now.

    Source: https://docs.slack.dev/authentication/using-token-rotation
    """
    grant.former, grant.former_expires_at = grant.token, grant.expires_at or 0.0
    grant.token = f"xoxe.xoxb-1-{state.ids.next('')}"
    grant.refresh_token = f"xoxe-1-{state.ids.next('')}"
    grant.expires_at = state.now() + state.config.app.token_seconds


def _described(call: Call, installation: Installation) -> Json:
    workspace, grant = call.state.workspaces[installation.team], installation.grant
    organisation = grant.organisation or workspace.enterprise_id
    described: Json = {
        "access_token": grant.token,
        "token_type": "bot",
        "scope": ",".join(installation.scopes),
        "bot_user_id": installation.bot_user,
        "app_id": call.state.config.app.id,
        "team": None if grant.organisation else {"id": workspace.id, "name": workspace.name},
        "enterprise": {"id": organisation, "name": workspace.enterprise_name}
        if organisation
        else None,
        "is_enterprise_install": grant.organisation is not None,
    }
    if grant.expires_at is not None:
        described["refresh_token"] = grant.refresh_token
        described["expires_in"] = round(grant.expires_at - call.at)
    return described


def revoke(state: State, installation: Installation) -> None:
    """Take the app out of a workspace or its organisation: the token dies, the app is told."""
    for event in (
        {"type": "tokens_revoked", "tokens": {"oauth": [], "bot": [installation.bot_user]}},
        {"type": "app_uninstalled"},
    ):
        if subscribed(state, str(event["type"]), installation):
            send_event(state, installation, event | {"event_ts": f"{state.now():.6f}"})
    for one in state.installations.values():
        if one.grant is installation.grant:
            one.revoked = True


def leave_organisation(state: State, team: str) -> None:
    """Take a workspace out of its Enterprise Grid organisation, whose token loses it."""
    installation = state.installations.get(team)
    state.workspaces[team].enterprise_id = None
    if installation is None or installation.grant.organisation is None:
        return
    event = {"type": "team_access_revoked", "team_ids": [team]}
    if subscribed(state, "team_access_revoked", installation):
        send_event(state, installation, event | {"event_ts": f"{state.now():.6f}"})
    installation.revoked = True
