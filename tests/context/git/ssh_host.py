"""An ssh git host in the tests' own process: one host key, and the keys that may read."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import asyncssh


def make_key(file: Path) -> str:
    """Write a new private key with its public key beside it; return the public key."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    file.write_bytes(key.export_private_key("openssh"))
    file.chmod(0o600)
    public = key.export_public_key().decode()
    file.with_name(f"{file.name}.pub").write_text(public)
    return public.strip()


@asynccontextmanager
async def ssh_host(root: Path, host_key: Path, accepted: str, port: int = 0) -> AsyncIterator[int]:
    """Serve the repositories under `root` to owners of the accepted public keys; yield the port."""

    async def serve(process: asyncssh.SSHServerProcess[bytes]) -> None:
        command, path = shlex.split(process.command or "")
        assert command == "git-upload-pack"
        repository = root / path.lstrip("/").removesuffix(".git")
        child = await asyncio.create_subprocess_exec(
            "git",
            *("upload-pack", str(repository)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        asking = asyncio.ensure_future(_pump(process.stdin, child.stdin))
        await _pump(child.stdout, process.stdout)
        process.exit(await child.wait())
        asking.cancel()

    server = await asyncssh.listen(
        "127.0.0.1",
        port,
        server_host_keys=[host_key],
        authorized_client_keys=asyncssh.import_authorized_keys(accepted),
        process_factory=serve,
        encoding=None,
    )
    async with server:
        yield server.get_port()


async def _pump(source: Any, target: Any) -> None:
    with suppress(asyncssh.Error, ConnectionError):
        while piece := await source.read(65_536):
            target.write(piece)
            await target.drain()
