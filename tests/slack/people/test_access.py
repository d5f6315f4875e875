"""The access table, cell by cell."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from bot.slack.people.access import Act, Kind, Person, Place, decide


@dataclass(frozen=True)
class Rules:
    guests: bool = False
    external: bool = False
    bots: tuple[str, ...] = ()
    operators: tuple[str, ...] = ()


OWN, ELSEWHERE, DM = Place("own"), Place("other"), Place("dm")


@pytest.mark.parametrize("act", ["ask", "warm"])
@pytest.mark.parametrize("kind", ["guest", "external", "bot"])
def test_who_is_not_a_member_is_refused_unless_the_context_allows_it(act: Act, kind: Kind) -> None:
    """Fail closed: code leaves the workspace only if a setting allows it."""
    person = Person("X1", kind, belongs=True)
    assert decide(act, person, OWN, Rules()) is not None
    assert decide(act, person, OWN, Rules(guests=True, external=True, bots=("X1",))) is None


@pytest.mark.parametrize("place", [ELSEWHERE, DM])
def test_elsewhere_only_members_of_a_channel_of_the_context_may_ask(place: Place) -> None:
    """A private channel's code must not be had by a direct message."""
    assert decide("ask", Person("U1", "member", belongs=True), place, Rules()) is None
    denied = decide("ask", Person("U1", "member", belongs=False), place, Rules())
    assert denied is not None
    assert denied.rule == "not_in_channel"


def test_a_shared_channel_is_refused_even_to_members() -> None:
    """The other organisation's people would read the answer."""
    member = Person("U1", "member", belongs=True)
    denied = decide("ask", member, Place("own", shared=True), Rules())
    assert denied is not None
    assert denied.rule == "shared_channel"
    assert decide("ask", member, Place("own", shared=True), Rules(external=True)) is None


def test_configuring_is_for_operators_admins_and_the_channels_creator() -> None:
    """A user who configures decides about the code that is sent and its cost."""
    place = Place("own", creator="U_CREATOR")
    member = Person("U1", "member", belongs=True)
    assert decide("configure", member, place, Rules()) is not None
    assert decide("configure", member, place, Rules(operators=("U1",))) is None
    assert decide("configure", Person("U2", "member", True, admin=True), place, Rules()) is None
    assert decide("configure", Person("U_CREATOR", "member", True), place, Rules()) is None


@pytest.mark.parametrize("kind", ["guest", "external", "bot"])
def test_only_members_configure_even_if_others_are_listed(kind: Kind) -> None:
    """A guest who made a channel, or an id listed by mistake, gains nothing."""
    person = Person("X1", kind, belongs=True)
    place = Place("own", creator="X1")
    assert decide("configure", person, place, Rules(operators=("X1",))) is not None


def test_the_creator_of_a_channel_does_not_see_the_money() -> None:
    """Cost is the operators' business."""
    creator = Person("U1", "member", belongs=True)
    assert decide("see_cost", creator, Place("own", creator="U1"), Rules()) is not None
    assert decide("see_cost", creator, OWN, Rules(operators=("U1",))) is None
