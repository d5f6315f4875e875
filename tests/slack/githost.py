"""A git host over HTTPS on this machine: what may be attached from Slack is fetched from one."""

from __future__ import annotations

import asyncio
import os
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web


def certificate(folder: Path) -> Path:
    """Make a certificate for localhost with its key beside it; return the certificate.

    Without openssl the test is skipped.
    """
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed: no certificate for the git host can be made")
    made = folder / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    command += ["-keyout", str(folder / "key.pem"), "-out", str(made)]
    subprocess.run(command, check=True, capture_output=True)
    return made


@asynccontextmanager
async def git_host(root: Path, certificate: Path) -> AsyncIterator[str]:
    """Serve the repositories under `root`; yield the host, with its port."""

    async def serve(request: web.Request) -> web.Response:
        return await answer(root, request)

    async with serving_tls(serve, certificate) as host:
        yield host


@asynccontextmanager
async def serving_tls(
    serve: Callable[[web.Request], Awaitable[web.Response]], certificate: Path
) -> AsyncIterator[str]:
    """Serve every path over TLS on a free port; yield the host, with its port."""
    application = web.Application(client_max_size=1 << 24)
    application.router.add_route("*", "/{path:.*}", serve)
    runner = web.AppRunner(application, shutdown_timeout=0)
    await runner.setup()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, certificate.with_name("key.pem"))
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    try:
        yield f"localhost:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def answer(root: Path, request: web.Request) -> web.Response:
    """Let `git http-backend` answer, as hosts do."""
    path, body = request.path.replace(".git/", "/", 1), await request.read()
    environment = {
        **os.environ,
        "GIT_PROJECT_ROOT": str(root),
        "GIT_HTTP_EXPORT_ALL": "1",
        "PATH_INFO": path,
        "QUERY_STRING": request.query_string,
        "REQUEST_METHOD": request.method,
        "CONTENT_TYPE": request.headers.get("Content-Type", ""),
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
        "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
    }
    process = await asyncio.create_subprocess_exec(
        *("git", "http-backend"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
    )
    said, _ = await process.communicate(body)
    head, _, content = said.partition(b"\r\n\r\n")
    fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
    status = int(fields.pop("Status", "200").split()[0])
    return web.Response(status=status, body=content, headers=fields)
