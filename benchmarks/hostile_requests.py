"""Requests that a stranger may send to the port for Slack's events, none of them signed.

`Request` is one combination of a body, headers and a way of sending. `every_part` lists the parts,
for tests that draw from them. `draw` picks one at random.
"""

from __future__ import annotations

import asyncio
import gzip
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

PATH = "/slack/events"
MEBIBYTE = 1024 * 1024
LEAVE_SECONDS = 0.05
"""How long a sender stays after a reply, or if the request is not whole."""
REPLY_SECONDS = 5.0
"""How long a sender waits for the reply to a whole request."""

BODIES: Mapping[str, bytes] = {
    "empty": b"",
    "event": b'{"type":"event_callback","team_id":"T0OURS","event":{"type":"app_mention"}}',
    "challenge": b'{"type":"url_verification","challenge":"x"}',
    "punycode": b"-" + b"a" * 800_000,
    "form": b"a=1&" * 250_000,
    "form of one name": b"payload=" + b"%41" * 300_000,
    "lists": b"[" + b"[]," * 300_000 + b"[]]",
    "deep": b"[" * 200_000,
    "deep objects": b'{"a":' * 150_000,
    "long number": b"1" * 900_000,
    "escapes": b'"' + b"\\u0000" * 150_000 + b'"',
    "zeros": bytes(MEBIBYTE),
    "not utf-8": b"\xff\xfe\xc3\x28" * 1000,
    "bomb": gzip.compress(bytes(100 * MEBIBYTE), 9),
    "too long": b"x" * (MEBIBYTE + 1),
    "multipart": b"--b\r\n" * 100_000,
}
TYPES: Sequence[str] = (
    "application/json",
    "application/json; charset=punycode",
    "application/json; charset=idna",
    "application/json; charset=utf-7",
    "application/json; charset=utf-16",
    "application/json; charset=unicode_escape",
    "application/json; charset=rot13",
    "application/json; charset=none-such",
    "application/json; charset=" + "x" * 4000,
    "application/x-www-form-urlencoded",
    "application/x-www-form-urlencoded; charset=punycode",
    "multipart/form-data; boundary=b",
    "multipart/form-data",
    "text/plain; a=b; a=c; ;;;",
    "",
)
SIGNATURES: Mapping[str, tuple[str | None, str | None]] = {
    "none": (None, None),
    "no signature": ("{now}", None),
    "no time": (None, "v0=" + "0" * 64),
    "wrong": ("{now}", "v0=" + "0" * 64),
    "upper case": ("{now}", "v0=" + "A" * 64),
    "not ascii": ("{now}", "v0=" + "é" * 64),
    "long": ("{now}", "v0=" + "0" * 7000),
    "short": ("{now}", "v0="),
    "other version": ("{now}", "v1=" + "0" * 64),
    "old": ("1000000000", "v0=" + "0" * 64),
    "far": ("9" * 12, "v0=" + "0" * 64),
    "too many digits": ("9" * 5000, "v0=" + "0" * 64),
    "no number": ("nan", "v0=" + "0" * 64),
    "arabic digits": ("١٧٩٠٠٠٠٠٠٠", "v0=" + "0" * 64),
    "negative": ("-1", "v0=" + "0" * 64),
}
EXTRAS: Mapping[str, Sequence[str]] = {
    "none": (),
    "gzip": ("Content-Encoding: gzip",),
    "deflate": ("Content-Encoding: deflate",),
    "brotli": ("Content-Encoding: br",),
    "two encodings": ("Content-Encoding: gzip, gzip",),
    "expect": ("Expect: 100-continue",),
    "many": tuple(f"X-H{n}: {n}" for n in range(150)),
    "too many": tuple(f"X-H{n}: {n}" for n in range(5000)),
    "huge": ("X-Huge: " + "x" * 7000,),
    "too huge": ("X-Huge: " + "x" * 200_000,),
    "folded": ("X-Folded: a\r\n b",),
    "no colon": ("X-No-Colon",),
    "cookie": ("Cookie: " + "a=b; " * 1000,),
    "upgrade": ("Connection: Upgrade", "Upgrade: websocket"),
    "two hosts": ("Host: other",),
    "two lengths": ("Content-Length: 1",),
}
SENDINGS: Sequence[str] = (
    "whole",
    "in pieces",
    "chunked",
    "many chunks",
    "smallest chunks",
    "bad chunk size",
    "chunk without an end",
    "half",
    "head only",
    "half a head",
    "length too long",
    "length too short",
    "negative length",
    "pipelined",
    "old http",
    "other method",
    "junk behind",
)


UNFINISHED = frozenset(
    {"half", "head only", "half a head", "length too long", "chunk without an end"}
)
"""The ways of sending after which the server waits for more."""


@dataclass(frozen=True, slots=True)
class Request:
    """One combination of the parts, each by its name."""

    body: str
    content_type: str
    signature: str
    extra: str
    sending: str

    def pieces(self, now: float) -> list[bytes]:
        """Return what is written to the connection, in the order of the writes."""
        body = BODIES[self.body]
        if self.sending == "half a head":
            return [b"POST " + PATH.encode() + b" HTTP/1.1\r\nHost: x\r\nX-Sl"]
        head = self._head(now, body)
        match self.sending:
            case "in pieces":
                return [head, *(body[at : at + 50_000] for at in range(0, len(body), 50_000))]
            case "chunked":
                return [
                    head,
                    b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n" if body else b"0\r\n\r\n",
                ]
            case "many chunks":
                return [head, b"1;e=x\r\na\r\n" * 5_000, b"0\r\nT: x\r\n\r\n"]
            case "smallest chunks":
                return [head, b"1\r\na\r\n" * 50_000, b"0\r\n\r\n"]
            case "bad chunk size":
                return [head, b"zz\r\n" + body[:100] + b"\r\n"]
            case "chunk without an end":
                return [head, b"f" * 100_000]
            case "half" | "length too long":
                return [head, body[: len(body) // 2]]
            case "head only":
                return [head]
            case "pipelined":
                return [(head + body) * (3 if len(body) < 10_000 else 1)]
            case "junk behind":
                return [head + body, b"\x00\xff" * 500]
            case _:
                return [head + body]

    def _head(self, now: float, body: bytes) -> bytes:
        method = "BREW" if self.sending == "other method" else "POST"
        version = "1.0" if self.sending == "old http" else "1.1"
        stamp, signature = SIGNATURES[self.signature]
        lines = [f"{method} {PATH} HTTP/{version}", "Host: x", f"Content-Type: {self.content_type}"]
        if stamp is not None:
            lines.append(f"X-Slack-Request-Timestamp: {stamp.format(now=int(now))}")
        if signature is not None:
            lines.append(f"X-Slack-Signature: {signature}")
        if "chunk" in self.sending:
            lines.append("Transfer-Encoding: chunked")
        else:
            lines.append(f"Content-Length: {self._length(body)}")
        return "\r\n".join([*lines, *EXTRAS[self.extra], "", ""]).encode()

    def _length(self, body: bytes) -> int:
        return {
            "length too long": len(body) + 1000,
            "length too short": max(0, len(body) - 10),
            "negative length": -5,
        }.get(self.sending, len(body))


def draw(random: random.Random) -> Request:
    """Return one request at random."""
    return Request(
        random.choice(list(BODIES)),
        random.choice(TYPES),
        random.choice(list(SIGNATURES)),
        random.choice(list(EXTRAS)),
        random.choice(SENDINGS),
    )


async def send(port: int, request: Request, now: float, seconds: float = 5.0) -> list[int]:
    """Send a request, wait for a moment and leave; return the statuses of the replies.

    Raises `TimeoutError` if the server does not take what is sent within `seconds`.
    """
    async with asyncio.timeout(seconds):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**20)
        received = b""
        try:
            for piece in request.pieces(now):
                writer.write(piece)
                await writer.drain()
            stay = LEAVE_SECONDS if request.sending in UNFINISHED else REPLY_SECONDS
            while True:
                async with asyncio.timeout(stay):
                    data = await reader.read(65_536)
                if not data:
                    break
                received, stay = received + data, LEAVE_SECONDS
        except TimeoutError:
            # The server waits for the rest of a request that is not whole, or keeps the
            # connection for another one.
            pass
        except (ConnectionError, BrokenPipeError):
            # The server may close as soon as it has seen enough.
            pass
        finally:
            writer.close()
    return [
        int(line[9:12])
        for line in received.split(b"\r\n")
        if line.startswith(b"HTTP/1.") and line[9:12].isdigit()
    ]
