"""Looking people up: true reasons for a failure, and organisations told apart."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError

from bot.slack.people.access import Place, decide
from bot.slack.people.directory import MEMBERSHIP_SECONDS, People, SlackUnreachable
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


def people(
    client: Client, organisation: str = "", now: Callable[[], float] = lambda: 0.0
) -> People:
    return People(
        client,  # type: ignore[arg-type]  # the three methods that are called
        team="T1",
        organisation=organisation,
        now=now,
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


class SlowClient(Client):
    """Answers with the members that a channel had when it was asked, when `answer` is set."""

    def __init__(self) -> None:
        super().__init__(users=[OK])
        self.members = {"U1", "U2"}
        self.answer = asyncio.Event()
        self.during: Callable[[], None] = lambda: None

    async def conversations_members(self, channel: str, **_: Any) -> Mapping[str, Any]:
        self.calls.append(f"members {channel}")
        members = sorted(self.members)
        await self.answer.wait()
        self.during()
        return {"members": members}


@pytest.mark.parametrize("event", ["left", "forget_channel"])
async def test_a_person_who_leaves_during_a_look_up_belongs_no_more(event: str) -> None:
    """Slack's answer was written before the person left. It was kept for a minute."""
    client = SlowClient()
    directory = people(client)
    looking = [asyncio.create_task(directory.belongs("U1", ["C1"])) for _ in range(3)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    client.members.discard("U1")
    if event == "left":
        directory.left("C1", "U1")
    else:
        directory.forget_channel("C1")
    client.answer.set()
    assert await asyncio.gather(*looking) == [False] * 3
    assert not await directory.belongs("U1", ["C1"])
    assert await directory.belongs("U2", ["C1"])


async def test_a_channel_that_people_leave_all_the_time_is_not_asked_about_for_ever() -> None:
    client = SlowClient()
    directory = people(client)
    client.answer.set()
    client.during = lambda: directory.left("C1", "U3")
    with pytest.raises(SlackUnreachable):
        await directory.belongs("U1", ["C1"])
    assert len(client.calls) <= 5


async def test_a_look_up_that_takes_long_is_not_fresh_for_another_minute() -> None:
    clock = [0.0]
    client = SlowClient()
    directory = people(client, now=lambda: clock[0])
    looking = asyncio.create_task(directory.belongs("U1", ["C1"]))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    clock[0] = 50.0
    client.answer.set()
    assert await looking
    client.members.discard("U1")
    clock[0] = 61.0
    assert not await directory.belongs("U1", ["C1"])


@pytest.mark.parametrize("step", [MEMBERSHIP_SECONDS, -1.0, -3600.0])
async def test_no_fact_is_older_than_a_minute_whatever_the_clock_does(step: float) -> None:
    clock = [10_000.0]
    client = SlowClient()
    client.answer.set()
    directory = people(client, now=lambda: clock[0])
    assert await directory.belongs("U1", ["C1"])
    client.members.discard("U1")
    clock[0] += step
    assert not await directory.belongs("U1", ["C1"])


async def test_a_channel_that_is_shared_is_known_as_shared_within_a_minute() -> None:
    clock = [0.0]
    client = Client(channel=[{"is_ext_shared": False}, {"is_ext_shared": True}])
    directory = people(client, now=lambda: clock[0])
    assert not (await directory.channel("C1")).shared
    clock[0] = 60.0
    assert (await directory.channel("C1")).shared


async def test_a_bot_is_known_by_the_id_that_contexts_list() -> None:
    """A takeover knows its user alone, and refused the bot that the context lists."""
    robot = {"id": "U1", "team_id": "T1", "is_bot": True, "profile": {"bot_id": "B1"}}
    person = await people(Client(users=[robot])).person("U1", ["C1"])
    assert (person.id, person.kind) == ("B1", "bot")
    assert decide("ask", person, Place("own"), Rules(bots=("B1",))) is None
