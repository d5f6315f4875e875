"""Ids and time stamps: unique, rising, comparable."""

from __future__ import annotations

from uuid import UUID

from forewarm_playground.slack.config import ChannelConfig
from forewarm_playground.slack.ids import Ids, is_ts, ts_to_us, us_to_ts
from forewarm_playground.slack.models import Channel
from hypothesis import given
from hypothesis import strategies as st


@given(st.integers(min_value=0, max_value=4_000_000_000_000_000))
def test_a_stamp_and_its_microseconds_are_the_same_thing(us: int) -> None:
    """Stamps are compared as numbers: text and floats would order or round them wrongly."""
    assert ts_to_us(us_to_ts(us)) == us
    assert is_ts(us_to_ts(us))


@given(st.lists(st.floats(min_value=0, max_value=4e9), min_size=2, max_size=50))
def test_stamps_of_a_channel_rise_for_any_clock(times: list[float]) -> None:
    """Two messages of one channel never share a stamp, and the later never has the lower one."""
    channel = Channel("C1", "c", "public", "T1", 0)
    stamps = [ts_to_us(channel.stamp(at)) for at in times]
    assert stamps == sorted(set(stamps))


def test_a_restarted_emulator_mints_other_ids() -> None:
    """An app drops events whose id it has seen: a second start must not reuse the first one's."""
    first, second = Ids(1_795_424_400_000_000), Ids(1_795_424_401_000_000)
    minted = {first.next("Ev") for _ in range(500)}
    assert not minted & {second.next("Ev") for _ in range(500)}
    assert first.uuid() != second.uuid()


def test_a_channel_tells_its_state() -> None:
    """A failing assertion should show what stands in the channel."""
    assert ChannelConfig(id="C1").kind == "public"
    assert repr(Channel("C1", "c", "public", "T1", 0)) == "<Channel C1 [public, 0 in, 0 ts]>"


def test_a_uuid_is_one() -> None:
    """Clients may check the form of an envelope's id."""
    minted = [UUID(Ids(1_795_424_400_000_000).uuid()) for _ in range(3)]
    assert {one.version for one in minted} == {4}
