"""Values are stored under names that outlive a rename, and read by versions before and after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import pytest
from pydantic import Field

from bot.stored import UnreadableValue, dump, load


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    render: Annotated[float, Field(alias="paint")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outer:
    at: float
    inner: Inner | None
    inners: tuple[Inner, ...] = ()
    kind: Literal["one", "two"] = "one"
    person: Annotated[str | None, Field(alias="user")] = None


WHOLE = Outer(at=1.5, inner=Inner(render=0.5), inners=(Inner(render=2.0),), kind="two", person="U1")
STORED = {
    "at": 1.5,
    "inner": {"paint": 0.5},
    "inners": ({"paint": 2.0},),
    "kind": "two",
    "user": "U1",
}


def test_a_renamed_field_is_stored_under_its_first_name() -> None:
    assert dump(WHOLE) == STORED
    assert load(Outer, STORED) == WHOLE
    assert load(Outer, {**STORED, "inners": [{"paint": 2.0}]}) == WHOLE


def test_the_new_name_of_a_field_is_not_read() -> None:
    """One name alone is stored, or two versions would read two values."""
    with pytest.raises(UnreadableValue, match=r"inner\.paint: missing"):
        load(Outer, {"at": 1.0, "inner": {"render": 0.5}})


def test_defaults_can_be_left_out() -> None:
    """An earlier version that does not know a field never sees it while it is not used."""
    assert dump(Outer(at=1.0, inner=None), defaults=False) == {"at": 1.0, "inner": None}
    assert load(Outer, {"at": 1.0, "inner": None}) == Outer(at=1.0, inner=None)


def test_what_a_newer_version_added_is_left_out() -> None:
    newer = {**STORED, "added": 1, "inner": {"paint": 0.5, "added": 2}}
    assert load(Outer, newer) == WHOLE


@pytest.mark.parametrize(
    "stored",
    [
        None,
        [],
        {},
        "text",
        {"at": None, "inner": None},
        {"at": 1.0},
        {"at": 1.0, "inner": []},
        {"at": 1.0, "inner": None, "kind": "three"},
        {"at": 1.0, "inner": None, "user": 7},
        {"at": 1.0, "inner": None, "inners": {"paint": 1.0}},
    ],
)
def test_what_does_not_fit_is_refused_without_its_text(stored: object) -> None:
    with pytest.raises(UnreadableValue) as caught:
        load(Outer, stored)
    assert "three" not in str(caught.value)
    assert "upgrade this process" in caught.value.user_message
