"""The pages over real sockets: guarded, told of every change, never faster than ten a second."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from aiohttp import ClientResponse, ClientSession, web

from bot.claude.usage import Usage
from bot.telemetry.journal import Journal
from bot.telemetry.metrics import Metrics
from bot.telemetry.projection import Projections
from bot.telemetry.projections import LiveProjections
from bot.telemetry.state_diff import patch
from bot.telemetry.web import StatePages

TOKEN = "the-state-token"
PAGE = "https://pages.example"
NOON = 1_800_014_400.0


@dataclass
class Site:
    url: str
    live: LiveProjections
    metrics: Metrics
    runner: web.AppRunner
    session: ClientSession

    def get(self, path: str, token: str | None = TOKEN, **headers: str) -> Any:
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        return self.session.get(self.url + path, headers=headers)


@pytest.fixture
async def site(clock: Any) -> AsyncIterator[Site]:
    live, metrics = LiveProjections(), Metrics()
    pages = StatePages(live, metrics, token=TOKEN, now=clock, origins=[PAGE])
    app = web.Application()
    pages.add_to(app)
    runner = web.AppRunner(app, shutdown_timeout=600)
    await runner.setup()
    server = web.TCPSite(runner, "127.0.0.1", 0)
    await server.start()
    host, port = runner.addresses[0][:2]
    async with ClientSession() as session:
        yield Site(f"http://{host}:{port}", live, metrics, runner, session)
    await runner.cleanup()


async def event(response: ClientResponse) -> tuple[str, Any]:
    """Return the next event of a stream, comments left out."""
    name = ""
    async with asyncio.timeout(5):
        async for raw in response.content:
            line = raw.decode().rstrip("\n")
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                return name, json.loads(line.removeprefix("data: "))
    raise AssertionError("the stream ended")


@pytest.mark.parametrize("path", ["/state", "/state/stream", "/metrics"])
@pytest.mark.parametrize("token", [None, "", "wrong", TOKEN + "x", TOKEN[:-1]])
async def test_nothing_is_told_without_the_token(site: Site, path: str, token: str | None) -> None:
    """A team's questions and spending are private."""
    async with site.get(path, token) as response:
        assert response.status == 401
        assert "prefixes" not in await response.text()


async def test_the_token_does_not_work_in_the_url(site: Site) -> None:
    """URLs end up in logs and histories."""
    async with site.get(f"/state?token={TOKEN}", None) as response:
        assert response.status == 401


def test_there_are_no_pages_without_a_token(clock: Any) -> None:
    """An empty token would open them to everybody."""
    with pytest.raises(ValueError, match="open to everybody"):
        StatePages(LiveProjections(), Metrics(), token="", now=clock)


async def test_the_state_is_the_fold_at_this_moment(site: Site, make: Any, clock: Any) -> None:
    """The page shows what the receipt shows."""
    site.live.apply(make.built())
    site.live.apply(make.ended(usd=0.25))
    clock.at += 3
    async with site.get("/state") as response:
        assert response.status == 200
        assert response.content_type == "application/json"
        assert response.headers["Cache-Control"] == "no-store"
        document = await response.json()
    assert document == {"now": clock.at, **site.live.state.view(clock.at)}
    assert document["prefixes"]["p"]["state"] == "warm"


async def test_the_stream_begins_with_a_snapshot_and_tells_each_change(
    site: Site, make: Any
) -> None:
    """Patched together, what was told is exactly the state."""
    site.live.apply(make.built())
    async with site.get("/state/stream") as response:
        assert response.content_type == "text/event-stream"
        name, told = await event(response)
        assert (name, set(told["prefixes"])) == ("snapshot", {"p"})
        site.live.apply(make.received())
        site.live.apply(make.started())
        name, change = await event(response)
        assert name == "change"
        assert "money" not in change
        told = patch(told, change)
    assert told == {"now": told["now"], **site.live.state.view(told["now"])}


async def test_a_burst_of_records_is_told_in_few_events(site: Site, make: Any) -> None:
    """A busy workspace must not melt the page."""
    async with site.get("/state/stream") as response:
        _, told = await event(response)
        for number in range(500):
            site.live.apply(make.ended(request=f"r{number}", usd=0.001))
            if number % 100 == 0:
                await asyncio.sleep(0)
        events = 0
        while told["money"]["usd"] < 0.5:
            _, change = await event(response)
            told, events = patch(told, change), events + 1
    assert events <= 3


async def test_the_stream_says_when_a_prefix_turns_cold(site: Site, make: Any, clock: Any) -> None:
    """No record is written at that moment; the page must not show warmth that is gone."""
    site.live.apply(make.built())
    site.live.apply(make.ended())
    clock.at += 299.9
    async with site.get("/state/stream") as response:
        _, told = await event(response)
        assert told["prefixes"]["p"]["state"] == "warm"
        clock.at += 0.1
        _, change = await event(response)
        assert change["prefixes"]["p"]["state"] == "cold"


async def test_a_stream_that_is_watched_does_not_hold_up_the_shutdown(site: Site) -> None:
    """A deploy has 25 seconds."""
    async with site.get("/state/stream") as response:
        await event(response)
        await site.runner.cleanup()
        assert (await response.content.read()).strip() == b""


async def test_a_reader_who_leaves_is_forgotten(site: Site, make: Any) -> None:
    """Open pages come and go for months."""
    async with site.get("/state/stream") as response:
        await event(response)
        assert "1 readers" in repr(site.live)
    for _ in range(100):
        site.live.apply(make.received())
        await asyncio.sleep(0.01)
        if "0 readers" in repr(site.live):
            return
    raise AssertionError(repr(site.live))


async def test_only_configured_origins_may_read_from_a_browser(site: Site) -> None:
    """Another site's script must not read it with a token it stole nothing of."""
    async with site.get("/state", Origin=PAGE) as response:
        assert response.headers["Access-Control-Allow-Origin"] == PAGE
    async with site.get("/state", Origin="https://evil.example") as response:
        assert "Access-Control-Allow-Origin" not in response.headers
    async with site.session.options(site.url + "/state", headers={"Origin": PAGE}) as response:
        assert response.status == 204
        assert response.headers["Access-Control-Allow-Headers"] == "Authorization"
        assert response.headers["Access-Control-Allow-Origin"] == PAGE


async def test_metrics_are_prometheus_text(site: Site, make: Any, table: Any) -> None:
    """The same figures for a monitoring system."""
    folds = Projections(site.live, site.metrics)
    journal = Journal(table, source="a", live=site.live, own=site.metrics)
    site.metrics.watch_journal(journal)
    journal.write(make.built())
    for record in (
        make.received(),
        make.ended(usd=0.25, missed='quote " and \n break'),
        make.words(total=1.7),
        make.answered(),
    ):
        folds.apply(record)
    async with site.get("/metrics") as response:
        assert response.headers["Content-Type"].startswith("text/plain")
        text = await response.text()
    assert 'forewarm_spent_usd_total{context="payments",on="warmth"} 0.25' in text
    assert 'forewarm_questions_ended_total{context="payments",outcome="answered"} 1.0' in text
    assert (
        'forewarm_perceived_wait_seconds_bucket{context="payments",le="2.0",warm="true"} 1.0'
        in text
    )
    assert "forewarm_journal_pending 1.0" in text
    assert "forewarm_questions_open 0.0" in text


def test_warm_ups_are_counted_by_what_came_of_them(make: Any) -> None:
    """The same ends as in the report, as counters that only grow."""
    metrics = Metrics()
    read = metrics.registry.get_sample_value
    metrics.apply(make.ended())
    metrics.apply(make.ended(purpose="question", usage=Usage(cache_read=9)))
    metrics.apply(make.ended(prefix="other"))
    metrics.apply(make.ended(complete=False))
    for late in (300.0, 901.0, 5000.0):
        metrics.text(NOON + late)
    ends = {
        end: read("forewarm_warm_ups_total", {"context": "payments", "end": end})
        for end in ("used", "wasted", "failed")
    }
    assert ends == {"used": 1, "wasted": 1, "failed": 1}


def test_labels_are_bounded(make: Any) -> None:
    """Every distinct label is a time series that Prometheus keeps for ever."""
    metrics = Metrics()
    for number in range(500):
        metrics.apply(make.ended(missed=f"reason {number}"))
    lines = metrics.text(0.0).decode().splitlines()
    assert sum(line.startswith("forewarm_cache_misses_total{") for line in lines) == 51
