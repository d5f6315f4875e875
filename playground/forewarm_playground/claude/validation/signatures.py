"""Signatures of thinking blocks: only what this server thought is taken back."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

from forewarm_playground.claude.errors import invalid

_KEY = b"local claude"
_SIZE = 16


def sign(model: str, thinking: str, tokens: int) -> str:
    """Return the signature of a thinking block of `tokens` tokens by `model`."""
    payload = f"{model}|{tokens}|{blake2b(thinking.encode(), digest_size=8).hexdigest()}".encode()
    return base64.b64encode(_mac(payload) + payload).decode()


def check_signature(block: Mapping[str, Any], model: str) -> None:
    """Refuse a thinking block that this model of this server has not produced."""
    try:
        raw = base64.b64decode(block["signature"], validate=True)
        mac, payload = raw[:_SIZE], raw[_SIZE:]
        signed_by, _, digest = payload.decode().split("|")
    except ValueError:
        raise _invalid() from None
    expected = blake2b(block["thinking"].encode(), digest_size=8).hexdigest()
    if not hmac.compare_digest(mac, _mac(payload)) or signed_by != model or digest != expected:
        raise _invalid()


def _invalid() -> Exception:
    return invalid("Invalid signature in thinking block")


def _mac(payload: bytes) -> bytes:
    return blake2b(payload, key=_KEY, digest_size=_SIZE).digest()
