"""Rate limits: counted as documented, and free where they are documented to be free."""

from __future__ import annotations

import pytest
from forewarm_playground.claude import INSTANT, ApiError, Call, Config, Core, Identity, Limits
from forewarm_playground.claude.limits import Bucket, RateLimiter
from forewarm_playground.claude.request_factory import body, sized, user
from hypothesis import given
from hypothesis import strategies as st


def core_with(limits: Limits, **fields: Identity) -> Core:
    return Core(Config(latency=INSTANT, limits=limits, keys=fields))


def test_requests_a_minute() -> None:
    """The bucket fills continuously: a sixtieth of the limit comes back each second."""
    core = core_with(Limits(requests=60))
    for _ in range(60):
        core.create(body(), 0.0)
    with pytest.raises(ApiError) as caught:
        core.create(body(), 0.0)
    assert (caught.value.status, caught.value.type) == (429, "rate_limit_error")
    assert caught.value.retry_after == 1
    core.create(body(), 1.0)
    with pytest.raises(ApiError):
        core.create(body(), 1.5)


def test_cache_reads_are_free_and_writes_are_not() -> None:
    """Input counts what is neither read; so a warm cache multiplies the limit."""
    core = core_with(Limits(input=10_000))
    asked = body(user("x"), system=[sized(9_000, ttl="5m")], max_tokens=0)
    core.create(asked, 0.0)
    for _ in range(100):
        core.create(asked, 0.0)
    with pytest.raises(ApiError) as caught:
        core.create(body(user("x"), system=[sized(1_000, "other", ttl="5m")]), 0.0)
    assert caught.value.retry_after is not None


def test_output_counts_what_was_produced_not_what_was_allowed() -> None:
    """max_tokens plays no part in it; what was produced can overdraw the bucket."""
    core = core_with(Limits(output=100))
    core.answers.script.extend(["a" * 500, "b"])
    core.create(body(max_tokens=100_000), 0.0)
    with pytest.raises(ApiError):
        core.create(body(max_tokens=1), 0.0)
    core.create(body(max_tokens=1), 61.0)


def test_limits_are_by_organisation_and_model() -> None:
    """Workspaces of one organisation share them, models and organisations do not."""
    core = core_with(
        Limits(requests=1), a=Identity("one", "x"), b=Identity("one", "y"), c=Identity("two", "x")
    )
    core.create(body(), 0.0, "a")
    with pytest.raises(ApiError):
        core.create(body(), 0.0, "b")
    core.create(body(), 0.0, "c")
    core.create(body(model="claude-opus-5-5"), 0.0, "b")


def test_fable_has_a_quarter_of_a_tiers_tokens() -> None:
    """500,000 a minute in the first tier; limits that a test sets are what they are."""
    core = core_with(Limits())
    with pytest.raises(ApiError, match="500,000 input tokens"):
        core.create(body(system=[sized(600_000)], model="claude-fable-5-2"), 0.0)
    core.create(body(system=[sized(600_000)]), 0.0)
    core = core_with(Limits(input=700_000))
    core.create(body(system=[sized(600_000)], model="claude-fable-5-2"), 0.0)


def test_counting_tokens_has_a_limit_of_its_own() -> None:
    """It takes nothing from the requests."""
    core = core_with(Limits(requests=1, counts=2))
    asked = {key: value for key, value in body().items() if key != "max_tokens"}
    for _ in range(2):
        core.count(Call(body=asked), 0.0)
    with pytest.raises(ApiError, match="token counting"):
        core.count(Call(body=asked), 0.0)
    core.create(body(), 0.0)


def test_no_limits_where_none_are_wanted() -> None:
    """For simulations."""
    core = Core(Config(latency=INSTANT, limits=None))
    for _ in range(3_000):
        core.create(body(max_tokens=0), 0.0)


def test_the_headers_round_and_name_the_time_of_refill() -> None:
    """Tokens are rounded to thousands; the reset is when the bucket is full again."""
    limiter = RateLimiter(Limits(requests=10, input=60_000, output=6_000))
    limiter.admit(12_345, 1_000_000.0)
    headers = limiter.headers(1_000_000.0)
    assert headers["anthropic-ratelimit-requests-remaining"] == "9"
    assert headers["anthropic-ratelimit-requests-reset"] == "1970-01-12T13:46:46Z"
    assert headers["anthropic-ratelimit-input-tokens-remaining"] == "48000"
    assert headers["anthropic-ratelimit-input-tokens-reset"] == "1970-01-12T13:46:52Z"
    assert headers["anthropic-ratelimit-tokens-limit"] == "66000"
    assert headers["anthropic-ratelimit-tokens-remaining"] == "54000"


@given(st.lists(st.tuples(st.floats(0, 30), st.integers(0, 900)), max_size=40))
def test_a_bucket_never_gives_more_than_it_gets(steps: list[tuple[float, int]]) -> None:
    """Over any stretch of time at most one full bucket and what has flowed in since."""
    bucket, at, given_out = Bucket(600), 0.0, 0
    bucket.fill(at)
    for pause, amount in steps:
        at += pause
        bucket.fill(at)
        if not bucket.wait(amount):
            bucket.take(amount)
            given_out += amount
    assert given_out <= 600 + at * 10 + 1e-6
    assert bucket.level >= -1e-6
