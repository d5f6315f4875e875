"""Runs the local model's server beside us and takes it along when we go."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import sys
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp

from forewarm_playground.model.serve import READY
from forewarm_playground.model.weights import (
    VARIABLE,
    LocalModelError,
    find_weights,
    require_server,
)

Progress = Callable[[str], None]
_QUANTISATION = re.compile(r"[.-](I?Q\d\w*|B?F16|F32)$", re.IGNORECASE)
_PASSED = frozenset({"PATH", "HOME", "LANG", "TMPDIR", "LD_LIBRARY_PATH", "SYSTEMROOT"})
_PASSED_PREFIXES = ("LC_", "CUDA_", "GGML_", "LLAMA_", "OMP_", "VK_")
START_SECONDS = 120.0
STOP_SECONDS = 5.0
SAMPLE_WORDS = 60
"""Length of the prompt that measures the speed: one batch, about a second."""


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """How the model is served. Tokens, MiB, and a port of 0 for any free one.

    One slot serves one request at a time; `cache_mib` is the memory that keeps the prefixes of
    others meanwhile, at about 23 kB a token for SmolLM2-135M.
    """

    host: str = "127.0.0.1"
    port: int = 0
    context_tokens: int = 8192
    cache_mib: int = 1024
    batch_tokens: int = 128


class LocalModel:
    """llama.cpp's server in a process of its own, so that its threads block no event loop.

    `async with LocalModel() as model` starts it and waits until it answers. It ends with the
    block, and with this process, however that dies.
    """

    def __init__(
        self,
        weights: Path | None = None,
        options: ModelOptions | None = None,
        *,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.weights = weights or find_weights(os.environ if environ is None else environ)
        self.options = options or ModelOptions()
        self.url = ""
        self._process: asyncio.subprocess.Process | None = None
        self._drain: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        """The model id that requests name: the file's, without quantisation and ending."""
        return _QUANTISATION.sub("", self.weights.stem).lower()

    @property
    def pid(self) -> int | None:
        """The server's process id while it runs."""
        return self._process.pid if self._process is not None else None

    async def start(self, progress: Progress | None = None) -> str:
        """Start the server, wait until it is ready and return its base URL.

        `progress` is told in words what is being waited for. Raises `LocalModelError`.
        """
        require_server()
        _require_port(self.options.host, self.options.port)
        tell = progress or (lambda words: None)
        tell(f"loading {self.weights.name}, {self.weights.stat().st_size >> 20} MiB")
        self._process = await self._spawn()
        try:
            async with asyncio.timeout(START_SECONDS):
                self.url = await self._address(self._process)
        except BaseException as error:
            await self.stop()
            if isinstance(error, TimeoutError):
                raise LocalModelError(
                    f"The local model was not ready within {START_SECONDS:.0f} s; "
                    "try a smaller .gguf file."
                ) from error
            raise
        self._drain = asyncio.create_task(_discard(self._process))
        tell(f"{self.name} answers at {self.url}")
        return self.url

    async def prefill_speed(self) -> float:
        """Measure and return how many tokens of a prompt the model reads in a second.

        Raises `LocalModelError` if the model does not answer.
        """
        body = {
            "model": self.name,
            "max_tokens": 1,
            "messages": [{"role": "user", "content": " ".join(map(str, range(SAMPLE_WORDS)))}],
        }
        timeout = aiohttp.ClientTimeout(total=START_SECONDS)
        loop = asyncio.get_running_loop()
        try:
            async with aiohttp.ClientSession(timeout=timeout) as session:
                started = loop.time()
                async with session.post(f"{self.url}/v1/messages", json=body) as response:
                    usage = (await response.json())["usage"]
        except (aiohttp.ClientError, TimeoutError, KeyError, ValueError) as error:
            raise LocalModelError(
                "The local model does not answer; try another .gguf file.", detail=repr(error)
            ) from error
        return float(usage["input_tokens"]) / max(0.001, loop.time() - started)

    async def wait(self) -> int:
        """Wait until the server ends, by itself or by `stop`; return its exit status."""
        return await self._process.wait() if self._process is not None else 0

    async def stop(self) -> None:
        """End the server and wait for it."""
        process, self._process, self.url = self._process, None, ""
        if self._drain is not None:
            self._drain.cancel()
            self._drain = None
        if process is None:
            return
        if process.returncode is None:
            assert process.stdin is not None
            process.stdin.close()
            try:
                await asyncio.wait_for(process.wait(), STOP_SECONDS)
            except TimeoutError:
                process.kill()
        await process.wait()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    def __repr__(self) -> str:
        where = f"at {self.url}" if self.url else "not running"
        return f"<LocalModel {self.name} {where}>"

    async def _spawn(self) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # the script's own folder is no place to import from
            str(Path(__file__).with_name("serve.py")),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=server_environment(os.environ),
            start_new_session=True,
        )
        assert process.stdin is not None
        process.stdin.write(json.dumps(self._orders()).encode() + b"\n")
        await process.stdin.drain()
        return process

    def _orders(self) -> dict[str, object]:
        options = self.options
        return {
            "weights": str(self.weights),
            "alias": self.name,
            "host": options.host,
            "port": options.port,
            "context_tokens": options.context_tokens,
            "cache_mib": options.cache_mib,
            "batch_tokens": options.batch_tokens,
        }

    async def _address(self, process: asyncio.subprocess.Process) -> str:
        assert process.stdout is not None
        last: deque[str] = deque(maxlen=20)
        async for line in process.stdout:
            words = line.decode("utf-8", "replace").strip()
            if words.startswith(READY):
                return words.removeprefix(READY)
            last.append(words)
        raise LocalModelError(
            f"The local model's server could not load {self.weights.name}; the file may be "
            f"damaged, too new for this server, or too large for the memory, so name another "
            f"in {VARIABLE}.",
            detail="\n".join(last),
        )


def server_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what the server needs of the environment: no token of the bot's is among it.

    Its threads wait for each other after every step of a layer. By default a waiting thread spins,
    and if another program has its core, both make no progress: 40 tokens took 3.5 s on two busy
    cores, and 1.0 s if waiting threads sleep.
    """
    return {"OMP_WAIT_POLICY": "PASSIVE"} | {
        name: value
        for name, value in environ.items()
        if name in _PASSED or name.startswith(_PASSED_PREFIXES)
    }


async def _discard(process: asyncio.subprocess.Process) -> None:
    """Read what the server prints, so that it never blocks on a full pipe."""
    assert process.stdout is not None
    while await process.stdout.read(65536):
        pass


def _require_port(host: str, port: int) -> None:
    """Raise if the port is taken. The server itself would only log it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise LocalModelError(
                f"The local model cannot listen on {host}:{port} ({error.strerror}); "
                "choose another port, or stop the program that uses it."
            ) from error
