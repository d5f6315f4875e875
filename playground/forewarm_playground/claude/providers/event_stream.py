"""The binary framing of Bedrock's streams, `application/vnd.amazon.eventstream`.

Source: https://docs.aws.amazon.com/transcribe/latest/dg/event-stream.html.
"""

from __future__ import annotations

import base64
import json
import struct
import zlib
from collections.abc import Mapping

CONTENT_TYPE = "application/vnd.amazon.eventstream"
_STRING = 7
_OVERHEAD = 16
"""Bytes of a frame beside headers and payload: two lengths and two checksums."""


def frame(headers: Mapping[str, str], payload: bytes) -> bytes:
    """Return one frame: lengths, headers and payload, each part with its checksum."""
    encoded = b"".join(_header(name, value) for name, value in headers.items())
    prelude = struct.pack(">II", _OVERHEAD + len(encoded) + len(payload), len(encoded))
    start = prelude + struct.pack(">I", zlib.crc32(prelude)) + encoded + payload
    return start + struct.pack(">I", zlib.crc32(start))


def chunk(data: str) -> bytes:
    """Return the frame of one event of the Messages API."""
    payload = json.dumps({"bytes": base64.b64encode(data.encode()).decode(), "p": "abc"})
    return frame(
        {
            ":event-type": "chunk",
            ":content-type": "application/json",
            ":message-type": "event",
        },
        payload.encode(),
    )


def exception(kind: str, message: str) -> bytes:
    """Return the frame of an error in the middle of a stream."""
    return frame(
        {
            ":exception-type": kind,
            ":content-type": "application/json",
            ":message-type": "exception",
        },
        json.dumps({"message": message}).encode(),
    )


def _header(name: str, value: str) -> bytes:
    key, text = name.encode(), value.encode()
    return struct.pack(">B", len(key)) + key + struct.pack(">BH", _STRING, len(text)) + text
