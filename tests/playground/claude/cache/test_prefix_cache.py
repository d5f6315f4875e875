"""Lives of cache entries: what begins, refreshes, extends and ends them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from forewarm_playground.claude import INSTANT, Call, Chaos, Config, Core
from forewarm_playground.claude.cache.prefix_cache import Entry, PrefixCache, Scope
from forewarm_playground.claude.exchange import Exchange
from forewarm_playground.claude.request_factory import body, sized, text, user

Ask = Callable[..., Exchange]
Json = dict[str, Any]
SYSTEM = sized(1_000, ttl="5m")


def warm(*system: Json, **fields: Any) -> Json:
    return body(user("warm-up"), system=list(system), max_tokens=0, **fields)


def test_a_read_begins_the_life_anew(ask: Ask) -> None:
    """The keep-alive: a read every four minutes keeps a five-minute entry for an hour."""
    ask(0, warm(SYSTEM))
    for at in range(240, 3_600, 240):
        assert ask(at, warm(SYSTEM)).usage.read == 1_000
    assert ask(3_360 + 301, warm(SYSTEM)).usage.read == 0


def test_a_read_behind_the_marker_begins_that_entrys_life_anew(ask: Ask) -> None:
    """The entry that was found lives on, although this request has no marker on it."""
    first = body(user(sized(1_000, ttl="5m")))
    longer = body(user(sized(1_000), sized(100, "more", ttl="5m")))
    ask(0, first)
    assert ask(290, longer).usage.read == 1_004
    assert ask(310, first).usage.read == 1_004


def test_a_longer_read_refreshes_the_shorter_entries_it_has_markers_on(ask: Ask) -> None:
    """Else the fallback at the end of the system text would die while the thread lives."""
    both = warm(SYSTEM, sized(500, "overlay", ttl="5m"))
    ask(0, both)
    assert ask(290, both).usage.read == 1_500
    assert ask(310, warm(SYSTEM)).usage.read == 1_000


def test_a_longer_read_leaves_entries_without_a_marker_to_die(ask: Ask) -> None:
    """Only what a request names or finds is used by it."""
    ask(0, warm(SYSTEM, sized(500, "overlay", ttl="5m")))
    bare = {key: value for key, value in SYSTEM.items() if key != "cache_control"}
    assert ask(290, warm(bare, sized(500, "overlay", ttl="5m"))).usage.read == 1_500
    assert ask(310, warm(SYSTEM)).usage.read == 0


def test_asking_for_an_hour_does_not_extend_a_live_five_minute_entry(ask: Ask) -> None:
    """A live entry keeps the life it was written with; nothing is written, nothing is billed."""
    ask(0, warm(SYSTEM))
    asked = ask(10, warm(sized(1_000, ttl="1h")))
    assert (asked.usage.read, asked.usage.written) == (1_000, 0)
    assert ask(10 + 301, warm(SYSTEM)).usage.read == 0


def test_an_hour_entry_read_for_five_minutes_keeps_its_hour(ask: Ask) -> None:
    """The life belongs to the entry, not to who reads it."""
    ask(0, warm(sized(1_000, ttl="1h")))
    assert ask(3_000, warm(SYSTEM)).usage.read == 1_000
    assert ask(6_600, warm(SYSTEM)).usage.read == 1_000


def test_the_last_moment_of_a_life_still_reads(ask: Ask) -> None:
    """Live means up to and including the expiry."""
    ask(0, warm(SYSTEM))
    assert ask(300, warm(SYSTEM)).usage.read == 1_000
    assert ask(600.5, warm(SYSTEM)).usage.read == 0


def test_of_two_writes_of_one_prefix_the_longer_life_stays(core: Core) -> None:
    """Two requests that raced wrote the same prefix for five minutes and for an hour."""
    short = core.open(Call(body=warm(SYSTEM)), 0.0)
    long = core.open(Call(body=warm(sized(1_000, ttl="1h"))), 0.0)
    long.begin(1.0)
    short.begin(2.0)
    (entry,) = core.cache.live(2.0)
    assert (entry.ttl, entry.expires_at) == ("1h", 3_600.0)


def test_what_can_be_read_stays_readable_when_it_is_written_again(core: Core) -> None:
    """A second write of the same prefix that becomes visible later must not hide the first."""
    asked = warm(SYSTEM)
    first, second = (core.open(Call(body=asked), at) for at in (0.0, 1.0))
    first.begin(2.0)
    second.visibility_lag = 60.0
    second.begin(3.0)
    assert core.create(asked, 4.0).usage.read == 1_000


def test_models_and_speeds_do_not_share(ask: Ask) -> None:
    """The cache is per model: a warm-up of another model warms nothing."""
    ask(0, warm(SYSTEM))
    assert ask(1, warm(SYSTEM, model="claude-opus-5-5")).usage.read == 0


def test_an_abandoned_request_writes_nothing_and_has_used_what_it_found(core: Core) -> None:
    """Its caller went away before the response began."""
    core.create(warm(SYSTEM), 0.0)
    core.open(Call(body=warm(SYSTEM, text("x", "5m"))), 200.0).abandon(201.0)
    assert [entry.tokens for entry in core.cache] == [1_000]
    assert core.cache.live(450.0)
    assert len(core.ledger) == 1


def test_visibility_can_lag_behind_the_beginning() -> None:
    """The server-side lag that once made back-to-back calls miss."""
    core = Core(Config(latency=INSTANT, chaos=Chaos(visibility_lag=2.0)))
    core.create(warm(SYSTEM), 0.0)
    assert core.create(warm(SYSTEM), 1.9).usage.read == 0
    assert core.create(warm(SYSTEM), 3.9).usage.read == 1_000


def test_spurious_misses_happen_as_often_as_asked() -> None:
    """An isolated miss is still possible: the product must not take it for its own bug."""
    core = Core(Config(latency=INSTANT, limits=None, chaos=Chaos(spurious_miss=0.25, seed=7)))
    reads = [core.create(warm(SYSTEM), float(at)).usage.read for at in range(400)]
    assert 60 < reads.count(0) < 140


def test_expired_entries_are_swept_away() -> None:
    """Ten thousand virtual hours must not fill the memory."""
    cache = PrefixCache()
    scope = Scope("org", "ws", "model")
    for at in range(5_000):
        entry = Entry(scope, at.to_bytes(4, "big"), "system", 1, "5m", "m", at, at + 300.0)
        cache.write(entry, float(at))
    assert len(list(cache)) < 1_500
    assert repr(cache).startswith("<PrefixCache [")


def test_eviction_takes_what_is_asked_for(core: Core) -> None:
    """There is no purge in the real service; here tests need one."""
    core.create(body(user(sized(100, ttl="5m")), system=[SYSTEM]), 0.0)
    assert core.cache.evict(lambda entry: entry.tier == "messages") == 1
    assert [entry.tier for entry in core.cache] == ["system"]
