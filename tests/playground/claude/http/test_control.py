"""The control interface, as a test in any language uses it: HTTP and JSON only."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from forewarm_playground.claude import Config, LocalClaude, ManualClock
from forewarm_playground.claude.request_factory import body, sized, user

HEADERS = {"authorization": "Bearer k", "anthropic-version": "2026-10-21"}

OVERLOADED = {"kind": "overloaded", "match": {"warm": True}}


class Client:
    """Posts and gets JSON."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session

    async def post(self, path: str, data: Any = None) -> Any:
        async with self.session.post(path, json=data) as reply:
            return await reply.json()

    async def get(self, path: str) -> Any:
        async with self.session.get(path) as reply:
            return await reply.json()

    async def ask(self, **fields: Any) -> Any:
        return await self.post("/v1/messages", body(**fields))


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with (
        LocalClaude().serve() as url,
        aiohttp.ClientSession(url, headers=HEADERS) as session,
    ):
        yield Client(session)


async def test_answers_are_scripted_and_ruled(client: Client) -> None:
    """Texts, parts, whole answers; rules by pattern or by any other condition."""
    await client.post("/_control/script", {"answers": ["one", {"text": "two"}]})
    await client.post("/_control/rules", {"rules": [{"match": "Why", "reply": "Because."}]})
    said = [(await client.ask())["content"][0]["text"] for _ in range(4)]
    assert said == ["one", "two", "Because.", "Because."]


async def test_faults_are_queued(client: Client) -> None:
    """With what they are meant for."""
    await client.post("/_control/faults", {"faults": [OVERLOADED]})
    assert await client.get("/_control/faults") == ["overloaded"]
    assert (await client.ask())["type"] == "message"
    assert (await client.ask(max_tokens=0))["error"]["type"] == "overloaded_error"


async def test_the_log_and_the_ledger_tell_what_happened(client: Client) -> None:
    """Usage, cost, markers with the hash of their prefix, what was hit, what went wrong."""
    system = [sized(1_000, ttl="1h")]
    await client.ask(system=system, max_tokens=0)
    await client.ask(system=system)
    await client.ask(model="claude-nope")
    warm, real, wrong = await client.get("/_control/requests")
    assert warm["warm"]
    assert warm["markers"][0]["prefix"] == real["markers"][0]["prefix"]
    assert (real["hit"], real["usage"]["read"]) == ("system.0", 1_000)
    assert (wrong["outcome"], wrong["status"]) == ("refused", 404)
    assert warm["body"] is None
    assert (await client.get("/_control/requests?bodies=1"))[0]["body"]["max_tokens"] == 0
    ledger = await client.get("/_control/ledger")
    assert len(ledger["charges"]) == 2
    assert ledger["usd"] == pytest.approx(sum(one["usd"] for one in ledger["charges"]))
    assert ledger["usage"]["write_1h"] == 1_000
    (entry,) = await client.get("/_control/cache")
    assert (entry["tokens"], entry["ttl"], entry["reads"]) == (1_000, "1h", 1)


async def test_the_interface_lists_itself(client: Client) -> None:
    """A person who finds the port can find the rest."""
    index = await client.get("/_control/")
    for name in index["GET"]:
        await client.get(f"/_control/{name}")
    assert {"script", "rules", "faults", "clock", "reset"} <= set(index["POST"])


async def test_the_key_is_not_in_the_log(client: Client) -> None:
    """Tests may run against it with real keys in their environment."""
    await client.ask()
    assert "Bearer" not in json.dumps(await client.get("/_control/requests"))


async def test_settings_change_while_it_runs(client: Client) -> None:
    """Latency, limits and chaos; entries are evicted; all is forgotten on reset."""
    await client.post("/_control/latency", {"base": 5.0})
    assert (await client.get("/_control/latency"))["base"] == 5.0
    before = asyncio.get_running_loop().time()
    await client.ask(system=[sized(1_000, ttl="1h")], max_tokens=0)
    assert asyncio.get_running_loop().time() - before > 5
    assert await client.post("/_control/evict", {"tier": "messages"}) == {"evicted": 0}
    assert await client.post("/_control/evict", {}) == {"evicted": 1}
    await client.post("/_control/limits", {"limits": {"requests": 1}})
    await client.ask()
    assert (await client.ask())["error"]["type"] == "rate_limit_error"
    await client.post("/_control/limits", {"limits": "none"})
    await client.post("/_control/chaos", {"spurious_miss": 1.0})
    await client.post("/_control/reset")
    assert await client.get("/_control/requests") == []
    assert (await client.get("/_control/ledger"))["usd"] == 0


async def test_the_port_can_be_closed_for_a_while(client: Client) -> None:
    """Connections are refused, then accepted again on the same port."""
    with pytest.raises(aiohttp.ClientError):
        await client.post("/_control/refuse", {"seconds": 20})
    with pytest.raises(aiohttp.ClientError):
        await client.ask()
    await asyncio.sleep(21)
    assert (await client.ask())["type"] == "message"


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("faults", {"faults": [{"kind": "nothing"}]}),
        ("faults", {"faults": [{"kind": "slow", "when": 1}]}),
        ("faults", {"faults": [OVERLOADED, {"kind": "slow", "match": {"txt": "x"}}]}),
        ("faults", {"faults": [OVERLOADED, {"kind": "slow", "match": "("}]}),
        ("faults", {"faults": 3}),
        ("faults", OVERLOADED),
        ("script", {"answers": [{"txt": "x"}]}),
        ("script", 3),
        ("rules", {"rules": [{"match": "x"}]}),
        ("latency", {"bsae": 1}),
        ("limits", {}),
        ("limits", {"limits": "huge"}),
        ("clock", {"advance": 1}),
        ("refuse", {}),
    ],
)
async def test_a_wrong_order_is_refused_and_changes_nothing(
    client: Client, path: str, data: Any
) -> None:
    """With a sentence that says what is wrong."""
    reply = await client.post(f"/_control/{path}", data)
    assert reply["ok"] is False
    assert reply["error"]
    assert (await client.ask(max_tokens=0))["type"] == "message"
    assert (await client.ask())["content"][0]["text"] == "Why?"


async def test_what_is_not_there_is_not_found(client: Client) -> None:
    """In the real API's own shape."""
    reply = await client.post("/v1/messages/batches", {})
    assert reply["error"] == {"type": "not_found_error", "message": "Not Found"}


async def test_no_json_and_too_much_of_it() -> None:
    """400 and 413."""
    claude = LocalClaude(Config(body_limit=10_000))
    async with (
        claude.serve() as url,
        aiohttp.ClientSession(url, headers=HEADERS) as session,
    ):
        async with session.post("/v1/messages", data=b"{") as reply:
            assert reply.status == 400
        async with session.post("/v1/messages", json=body(user("x" * 10_000))) as reply:
            assert (reply.status, (await reply.json())["error"]["type"]) == (
                413,
                "request_too_large",
            )
            assert reply.headers["request-id"] == (await reply.json())["request_id"]
    assert claude.requests == []


async def test_a_clock_that_is_moved_by_hand() -> None:
    """For a server that runs alone: an hour passes by order, latency passes by itself."""
    clock = ManualClock(start=1_000.0)
    async with (
        LocalClaude(clock=clock).serve() as url,
        aiohttp.ClientSession(url, headers=HEADERS) as session,
    ):
        client = Client(session)
        system = [sized(100_000, ttl="5m")]
        warm = await client.ask(system=system, max_tokens=0)
        assert warm["usage"]["cache_creation_input_tokens"] == 100_000
        assert clock.now() == pytest.approx(1_000 + 0.35 + 100_006 * 0.1353e-3)
        moved = await client.post("/_control/clock", {"advance": 280})
        assert moved["kind"] == "virtual"
        assert (await client.ask(system=system))["usage"]["cache_read_input_tokens"] == 100_000
        await client.post("/_control/clock", {"advance": 301})
        assert (await client.ask(system=system))["usage"]["cache_read_input_tokens"] == 0
        assert (await client.get("/_control/clock"))["now"] == clock.now()


async def test_a_clock_without_jumps_waits_for_the_hand() -> None:
    """Every wait is then in the test's hand, and waits end in their order."""
    clock, woken = ManualClock(start=0.0, jump=False), []

    async def wait(seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append((seconds, clock.now()))

    tasks = [asyncio.create_task(wait(seconds)) for seconds in (30, 10, 20)]
    await asyncio.sleep(1)
    assert woken == []
    await clock.advance(25)
    assert woken == [(10, 10), (20, 20)]
    assert clock.now() == 25
    assert repr(clock) == "<ManualClock 25.000 [1 sleepers]>"
    await clock.advance(5)
    assert woken[-1] == (30, 30)
    await asyncio.gather(*tasks)


async def command(*options: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *[sys.executable, "-m", "bot", "local-claude", *options],
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"PYTHONPATH": str(Path.cwd())},
    )


async def test_the_command_serves_any_client(tmp_path: Path) -> None:
    """`forewarm local-claude`, as a process of its own, with a configuration and a moved clock; it
    ends in good order when told to."""
    config = tmp_path / "claude.toml"
    config.write_text("[keys.sk-one]\nworkspace = 'wrkspc_mine'\n")
    child = await command("--port", "0", "--config", str(config), "--virtual-clock", "--json")
    try:
        assert child.stdout is not None
        shown = b""
        while not shown.rstrip().endswith(b"}"):
            shown += await child.stdout.readline()
        url = json.loads(shown)["url"]
        async with aiohttp.ClientSession(url, headers=HEADERS) as session:
            client = Client(session)
            assert (await client.ask())["error"]["message"] == "invalid x-api-key"
            session.headers["authorization"] = "Bearer sk-one"
            assert (await client.ask(max_tokens=0))["type"] == "message"
            assert (await client.post("/_control/clock", {"advance": 3_600}))["kind"] == "virtual"
            records = await client.get("/_control/requests")
        assert records[-1]["workspace"] == "wrkspc_mine"
    finally:
        child.terminate()
        _, complaints = await child.communicate()
    assert (child.returncode, complaints) == (0, b"")


async def test_the_command_says_when_its_port_is_taken() -> None:
    """In a sentence, not in a trace of calls."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        child = await command("--port", str(port))
        _, complaints = await child.communicate()
    assert child.returncode == 1
    said = " ".join(complaints.decode().split())
    assert f"Cannot listen on 127.0.0.1:{port} (address already in use)" in said
    assert "Traceback" not in said
