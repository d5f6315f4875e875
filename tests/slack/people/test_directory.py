"""Looking people up: true reasons for a failure, and organisations told apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError

from bot.slack.people.access import Place, decide
from bot.slack.people.directory import People
from tests.slack.people.test_access import Rules

OK = {"id": "U1", "team_id": "T1", "profile": {"display_name": "Ada"}}


class Client:
    """Answers look-ups with what it is told, one after the other, the last one for ever."""

    def __init__(self, **answers: Any) -> None:
        self._answers = {name: list(told) for name, told in answers.items()}
        self.calls: list[str] = []

    async def _call(self, method: str, argument: str) -> Mapping[str, Any]:
        self.calls.append(f"{method} {argument}")
        told = self._answers.get(method, [{}])
        answer = told.pop(0) if len(told) > 1 else told[0]
        if isinstance(answer, BaseException):
            raise answer
        if isinstance(answer, str):
            raise SlackApiError("failed", {"ok": False, "error": answer})
        return dict(answer)

    async def users_info(self, user: str) -> Mapping[str, Any]:
        return {"user": await self._call("users", user)}

    async def conversations_info(self, channel: str) -> Mapping[str, Any]:
        return {"channel": await self._call("channel", channel)}

    async def conversations_members(self, channel: str, **_: Any) -> Mapping[str, Any]:
        return {"members": ["U1"], **(await self._call("members", channel))}


def people(client: Client, organisation: str = "", now: float = 0.0) -> People:
    return People(
        client,  # type: ignore[arg-type]  # the three methods that are called
        team="T1",
        organisation=organisation,
        now=lambda: now,
        pauses=(0, 0),
    )


async def test_a_look_up_that_fails_once_is_tried_again() -> None:
    for failure in ("internal_error", "fatal_error", "service_unavailable", TimeoutError()):
        client = Client(users=[failure, OK], members=[aiohttp.ClientError(), {}])
        person = await people(client).person("U1", ["C1"])
        assert (person.kind, person.belongs, person.known) == ("member", True, True)


@pytest.mark.parametrize("failing", ["users", "members"])
async def test_a_member_is_not_called_a_stranger_because_slack_fails(failing: str) -> None:
    """The refusal gives the true reason: nothing is known, so nothing is shown."""
    answers: dict[str, Any] = {"users": [OK], failing: ["internal_error"]}
    client = Client(**answers)
    person = await people(client).person("U1", ["C1"])
    assert not person.known
    denied = decide("ask", person, Place("own"), Rules())
    assert denied is not None
    assert denied.rule == "slack_unreachable"
    assert "organisation" not in denied.message
    assert "ask again" in denied.message
    assert len([call for call in client.calls if call.startswith(failing)]) == 3


async def test_a_channel_that_cannot_be_looked_up_is_not_called_shared() -> None:
    facts = await people(Client(channel=["internal_error"])).channel("C1")
    assert facts.shared
    assert not facts.known
    client = Client(users=[OK])
    person = await people(client).person("U1", ["C1"])
    denied = decide("ask", person, Place("own", facts.shared, known=facts.known), Rules())
    assert denied is not None
    assert denied.rule == "slack_unreachable"


async def test_a_permission_that_is_missing_is_not_tried_again() -> None:
    client = Client(users=["missing_scope"])
    assert not (await people(client).person("U1", [])).known
    assert len(client.calls) == 1


async def test_an_id_that_slack_does_not_know_is_a_stranger() -> None:
    client = Client(users=["user_not_found"])
    person = await people(client).person("U1", [])
    assert (person.kind, person.known) == ("external", True)


async def test_a_failure_is_forgotten_at_once() -> None:
    client = Client(users=["internal_error"] * 3 + [OK])
    directory = people(client)
    assert not (await directory.person("U1", [])).known
    assert (await directory.person("U1", [])).kind == "member"


@pytest.mark.parametrize(
    ("facts", "kind"),
    [
        ({"team_id": "T1"}, "member"),
        ({"team_id": "T2"}, "external"),
        ({"team_id": "T1", "is_stranger": True}, "external"),
        ({"team_id": "T1", "deleted": True}, "external"),
        ({"team_id": "T1", "is_bot": True}, "bot"),
        ({"team_id": "T1", "is_restricted": True}, "guest"),
        ({"team_id": "T2", "enterprise_user": {"enterprise_id": "E1"}}, "member"),
        # Slack marks colleagues of other workspaces as strangers.
        (
            {"team_id": "T2", "is_stranger": True, "enterprise_user": {"enterprise_id": "E1"}},
            "member",
        ),
        ({"team_id": "T2", "enterprise_user": {"enterprise_id": "E9"}}, "external"),
        (
            {"team_id": "T9", "is_stranger": False, "enterprise_user": {"enterprise_id": "E9"}},
            "external",
        ),
        ({"team_id": "T1", "enterprise_user": {"enterprise_id": "E9"}}, "external"),
        ({"team_id": "T2", "enterprise_user": {}}, "external"),
        ({"team_id": "T2", "enterprise_user": "E1"}, "external"),
        (
            {
                "team_id": "T2",
                "is_ultra_restricted": True,
                "enterprise_user": {"enterprise_id": "E1"},
            },
            "guest",
        ),
    ],
)
async def test_colleagues_of_our_organisation_are_ours_and_no_others(
    facts: dict[str, Any], kind: str
) -> None:
    client = Client(users=[{"id": "U1", **facts}])
    assert (await people(client, "E1").person("U1", [])).kind == kind


async def test_without_an_organisation_another_workspace_is_another_organisation() -> None:
    grid = {"id": "U1", "team_id": "T2", "enterprise_user": {"enterprise_id": "E9"}}
    assert (await people(Client(users=[grid])).person("U1", [])).kind == "external"


async def test_an_admin_of_another_workspace_is_none_here() -> None:
    facts = {"team_id": "T2", "is_admin": True, "enterprise_user": {"enterprise_id": "E1"}}
    person = await people(Client(users=[facts]), "E1").person("U1", [])
    assert (person.kind, person.admin) == ("member", False)


async def test_people_and_public_channels_are_described() -> None:
    client = Client(users=[OK], channel=[{"id": "C1", "name": "pay"}])
    told = await people(client).describe(["U1", "C1"])
    assert (told["U1"].name, told["U1"].kind) == ("Ada", "member")
    assert (told["C1"].name, told["C1"].kind) == ("pay", None)


async def test_a_private_channel_has_no_name_for_others() -> None:
    client = Client(channel=[{"id": "C1", "name": "layoffs", "is_private": True}])
    assert await people(client).describe(["C1"]) == {}


async def test_names_that_slack_does_not_tell_are_left_out() -> None:
    client = Client(users=["internal_error"], channel=["channel_not_found"])
    assert await people(client).describe(["U1", "C1"]) == {}
