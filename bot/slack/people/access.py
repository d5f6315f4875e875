"""Decide who may do what in which place: one table, which fails closed. Pure.

The caller brings the facts (`Person`, `Place`). A fact that is not known counts against the person.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, Protocol

Kind = Literal["member", "guest", "external", "bot"]
Where = Literal["own", "other", "dm"]
Act = Literal["ask", "warm", "configure", "see_cost"]


UNREACHABLE = (
    "Slack could not tell me who may see this code just now, so I have not answered; ask again in a"
    " minute."
)


class AccessRules(Protocol):
    """The access rules of a context (`[access]` in its file)."""

    @property
    def guests(self) -> bool: ...
    @property
    def external(self) -> bool: ...
    @property
    def bots(self) -> Collection[str]: ...
    @property
    def operators(self) -> Collection[str]: ...


@dataclass(frozen=True, slots=True)
class Person:
    """A person who acts. `belongs` says whether they are in one of the context's channels.

    `known` is False if Slack could not be asked: then the other facts are the least trusting.
    """

    id: str
    kind: Kind
    belongs: bool
    admin: bool = False
    known: bool = True


@dataclass(frozen=True, slots=True)
class Place:
    """The place of an act. `shared` marks a channel that another organisation is in.

    `known` is False if Slack could not be asked.
    """

    where: Where
    shared: bool = False
    creator: str | None = None
    known: bool = True


OUT_OF_MONEY = "money"
"""The rule of a refusal after access was granted: Claude costs more than is left today."""


@dataclass(frozen=True, slots=True)
class Denied:
    """A refusal: `rule` for the audit log, `message` for the person."""

    rule: str
    message: str


def decide(act: Act, person: Person, place: Place, rules: AccessRules) -> Denied | None:
    """Return None if the act is allowed, else why it is not.

    | act       | who                                            | where                          |
    |-----------|------------------------------------------------|--------------------------------|
    | ask, warm | members; guests, externals, bots if allowed    | its channels; elsewhere only   |
    |           |                                                | members of one of them; shared |
    |           |                                                | channels if externals may      |
    | configure | operators, admins; the channel's creator if a  | anywhere                       |
    |           | setting allows it (`Place.creator` is given)   |                                |
    | see_cost  | operators, admins                              | anywhere                       |
    """
    if not (person.known and place.known):
        return Denied("slack_unreachable", UNREACHABLE)
    if act in ("ask", "warm"):
        return _kind(person, rules) or _deny_place(person, place, rules)
    if person.kind != "member":
        return Denied("outsider", "Only members of this workspace can change what I answer from.")
    if person.admin or person.id in rules.operators:
        return None
    if act == "configure" and place.creator is not None and person.id == place.creator:
        return None
    creator = "this channel's creator, " if place.creator is not None else ""
    return Denied(
        "not_operator", f"Only {creator}a workspace admin or a listed operator can do that."
    )


def _kind(person: Person, rules: AccessRules) -> Denied | None:
    if person.kind == "guest" and not rules.guests:
        return Denied(
            "guest", "I can't answer guests about this code; a workspace member can ask for you."
        )
    if person.kind == "external" and not rules.external:
        return Denied(
            "external",
            "I can't answer people from other organisations about this code;"
            " a member of this workspace can ask for you.",
        )
    if person.kind == "bot" and person.id not in rules.bots:
        return Denied("bot", "I don't answer other bots unless the context lists them.")
    return None


def _deny_place(person: Person, place: Place, rules: AccessRules) -> Denied | None:
    if place.shared and not rules.external:
        return Denied(
            "shared_channel",
            "I don't answer about this code in a channel shared with another organisation;"
            " ask me in a direct message instead.",
        )
    if place.where == "own" or person.belongs:
        return None
    return Denied(
        "not_in_channel",
        "I answer about this code only for members of its channels; join one of them and ask"
        " again.",
    )
