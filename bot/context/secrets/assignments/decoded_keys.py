"""Keys of names that say no more than `key`: decoded from base64, or random beyond doubt."""

from __future__ import annotations

import re

from bot.context.secrets.candidate import Candidate
from bot.context.secrets.judgement.passwords import is_marked_password
from bot.context.secrets.judgement.randomness import is_random

_PUBLIC = ("public ", "Public ", "public-", "PUBLIC ")
_DECODED = re.compile(
    r"""[ \t]{0,20}:?={1,2}[ \t]{0,20}[\w.]{0,40}"""
    r"""(?:Buffer\.from|fromhex|unhexlify|DecodeString|b64decode|FromBase64String|FromHexString"""
    r"""|decodeHex|parseHex|hex::decode|hex2bin|base64_decode|[gG]etBytes)"""
    r"""\([ ]?(?P<quote>["'])(?P<value>[A-Za-z0-9+/=_-]{12,400})(?P=quote)"""
)
_OWN_KEY = re.compile(
    r"""(?::[ ]?&?\[u8(?:;[ ]?\d+)?\])?(?:[ \t]{0,20}[:=]{1,2}[ \t]{0,8}|[ \t]{1,20}(?=["']))"""
    r"""(?:b?["']|`{0,2})"""
    r"""(?P<value>[A-Za-z0-9+/_-]{24,100}={0,2})(?:["'`]|[ \t]*(?:\n|\Z))"""
)


def find_decoded_key(text: str, start: int, end: int, kind: str) -> Candidate | None:
    """Return the key of the name `start:end`: `KEY = fromhex("…")`. A public key stays."""
    if text.endswith(_PUBLIC, max(0, start - 7), start):
        return None
    found = _DECODED.match(text, end)
    if found and is_marked_password(found["value"]):
        return Candidate(*found.span("value"), "key", "quotes")
    if kind not in {"json", "yaml"} and (own := _OWN_KEY.match(text, end)):
        value = own["value"]
        both_cases = all(sum(map(case, value)) >= 3 for case in (str.isupper, str.islower))
        is_variable = text[start:end].isupper() and "_" in text[start:end] and value.isalnum()
        if (both_cases or is_variable) and is_random(value):
            return Candidate(*own.span("value"), "key", "quotes" if kind != "config" else "bare")
    return None
