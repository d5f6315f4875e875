"""Read sets of files with planted secrets, written as an engineer would write them.

A set is a text. `=== path` opens a file. `⟪…⟫` holds a secret, `⟦…⟧` a text that only looks like
one. `¤kind:size¤` stands for random characters, so that no scanner takes a set for a leak; `¤¤`
stands for nothing, and divides the beginnings of providers' tokens.
"""

from __future__ import annotations

import base64
import json
import random
import re
import string
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

ALNUM = string.ascii_letters + string.digits
_ALPHABETS = {
    "an": ALNUM,
    "low": string.ascii_lowercase + string.digits,
    "up": string.ascii_uppercase + string.digits,
    "hex": "0123456789abcdef",
    "HEX": "0123456789ABCDEF",
    "b64": ALNUM + "+/",
    "url": ALNUM + "-_",
    "dig": string.digits,
    "pw": ALNUM + "!@%^*-_+.~",
    "az": string.ascii_lowercase,
    "AZaz": string.ascii_letters,
    "b32": string.ascii_uppercase + "234567",
}
_MARKED = re.compile(r"(⟪.*?⟫|⟦.*?⟧)", re.DOTALL)
_LINE = 64


class PlantedFile(NamedTuple):
    """A file with the bytes `start:end` of its secrets and of what only looks like one."""

    path: str
    data: bytes
    secrets: tuple[tuple[int, int], ...]
    harmless: tuple[tuple[int, int], ...]


def read_planted(path: Path, seed: int) -> list[PlantedFile]:
    """Return the files of a set; the same `seed` gives the same random values."""
    rng = random.Random(seed)
    parts = re.split(r"^=== (.+)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return [
        _placed(name.strip(), _expanded(rng, text.strip("\n") + "\n"))
        for name, text in zip(parts[1::2], parts[2::2], strict=True)
    ]


def _placed(path: str, text: str) -> PlantedFile:
    data = bytearray()
    secrets: list[tuple[int, int]] = []
    harmless: list[tuple[int, int]] = []
    for piece in _MARKED.split(text):
        inner = piece[1:-1] if _MARKED.fullmatch(piece) else piece
        span = (len(data), len(data) + len(inner.encode()))
        data += inner.encode()
        if inner is not piece:
            (secrets if piece[0] == "⟪" else harmless).append(span)
    return PlantedFile(path, bytes(data), tuple(secrets), tuple(harmless))


def _expanded(rng: random.Random, text: str) -> str:
    # `§kind:size§` stands within the text that `¤b64of:…¤` encodes.
    inner = re.sub(r"§([^§]*)§", lambda found: _made(rng, found[1]), text)
    return re.sub(r"¤([^¤]*)¤", lambda found: _made(rng, found[1]), inner)


def _made(rng: random.Random, spec: str) -> str:
    kind, _, argument = spec.partition(":")
    if kind in _ALPHABETS:
        return _pick(rng, _ALPHABETS[kind], int(argument))
    if kind == "b64of":
        return base64.b64encode(argument.encode()).decode()
    size = int(argument.partition(",")[0]) if argument else 0
    made: dict[str, Callable[[], str]] = {
        "": lambda: "",
        "uuid": lambda: str(uuid.UUID(bytes=rng.randbytes(16), version=4)),
        "jwt": lambda: _jwt(rng),
        "b64bytes": lambda: base64.b64encode(rng.randbytes(size)).decode(),
        "urlbytes": lambda: base64.urlsafe_b64encode(rng.randbytes(size)).decode(),
        "pemlines": lambda: ("\n" + " " * int(argument.partition(",")[2] or 0)).join(
            _rows(rng, size)
        ),
        "pemesc": lambda: "\\n".join(_rows(rng, size)),
        "pemb64": lambda: base64.b64encode(_pem(rng, size).encode()).decode(),
        "body": lambda: "".join(_rows(rng, size)),
    }
    return made[kind]()


def _pick(rng: random.Random, alphabet: str, size: int) -> str:
    """Return characters that hold a digit if the alphabet has them, as nearly all tokens do."""
    while True:
        text = "".join(rng.choice(alphabet) for _ in range(size))
        mixed = any(char.isdigit() for char in text) and any(char.isalpha() for char in text)
        if size < 6 or mixed or not any(map(str.isalpha, alphabet)) or alphabet.isalpha():
            return text


def _jwt(rng: random.Random) -> str:
    claims = json.dumps({"sub": _pick(rng, string.digits, 10), "iat": 1_516_239_022})
    parts = (b'{"alg":"HS256","typ":"JWT"}', claims.encode(), rng.randbytes(32))
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


def _rows(rng: random.Random, size: int) -> list[str]:
    text = base64.b64encode(b"\x30\x82" + rng.randbytes(size)).decode()
    return [text[at : at + _LINE] for at in range(0, len(text), _LINE)]


def _pem(rng: random.Random, size: int) -> str:
    mark = "RSA PRIVATE" + " KEY-----"
    return f"-----BEGIN {mark}\n" + "\n".join(_rows(rng, size)) + f"\n-----END {mark}\n"
