"""Mark text that other people wrote, so that it cannot pass for anything else. Pure.

Everything from Slack stands between tags whose names begin with `slack_`. Inside them no `<` that
could begin such a tag survives. So a message cannot close its own tag, open another or forge a
question. The same holds for the lines with `@@@` that frame the repository's files. Other text is
left as it is, because a model reads code with replaced brackets worse.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

# Spaces, slashes, marks that combine and characters that show nothing may stand between `<` and a
# name, and between its letters.
_UNSEEN = (
    r"/\u00ad\u0300-\u036f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5"
    r"\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0"
    r"\ufff9-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
)
_BLANK = rf"[\s{_UNSEEN}]*"
_FULL_WIDTH = 0xFEE0
_NAME = _BLANK.join(f"[{letter}{chr(ord(letter) + _FULL_WIDTH)}]" for letter in "slack")
_TAG = re.compile(f"[<\ufe64\uff1c](?={_BLANK}{_NAME})", re.IGNORECASE)
# A line that would begin one of the repository's blocks. A reader may take U+2028 for a line's end.
_SPACES = r"\t \xa0\u1680\u2000-\u200a\u202f\u205f\u3000"
_MARKER = re.compile(rf"((?:^|[\x85\u2028\u2029])[{_SPACES}{_UNSEEN}]*)(?=\\*@@@)", re.MULTILINE)
# Control characters, and the invisible tag characters that smuggle instructions past a reader.
_INVISIBLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\U000e0000-\U000e007f]")


def shield(text: str) -> str:
    """Return the text with nothing in it that could be read as one of our tags or markers.

    Control characters and invisible tag characters are dropped, lone surrogates replaced: the
    result can always be sent as UTF-8.
    """
    text = shield_tags(text)
    return _MARKER.sub(r"\1\\", text) if "@@@" in text else text


def shield_tags(text: str) -> str:
    """Return the text with nothing in it that could be read as one of our tags.

    Text of a repository has its markers set by us, and its own escaped, when it comes here.
    """
    text = text.encode("utf-8", "replace").decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
    return _TAG.sub("&lt;", _INVISIBLE.sub("", text))


def attribute(value: str, limit: int = 120) -> str:
    """Return a value that is safe between the quotes of an attribute: one line, no quotes."""
    flat = " ".join(shield(value).split())
    if len(flat) > limit:
        flat = flat[: limit - 1] + "…"
    flat = flat.replace("&", "&amp;").replace('"', "&quot;")
    return flat.replace("<", "&lt;").replace(">", "&gt;")


def tag(name: str, body: str, attributes: Mapping[str, str | None]) -> str:
    """Return `<slack_name …>body</slack_name>`; attributes that are None are left out.

    The body is taken as it is: shield what others wrote.
    """
    marks = "".join(f' {k}="{attribute(v)}"' for k, v in attributes.items() if v is not None)
    return f"<slack_{name}{marks}>\n{body}\n</slack_{name}>"


def cut(text: str, limit: int) -> str:
    """Return the text, or its first two thirds and last third of `limit` characters.

    The part taken from the middle is named in its place: a question tends to stand before or
    after what was pasted.
    """
    if len(text) <= limit:
        return text
    head, tail = limit * 2 // 3, limit // 3
    gone = len(text) - head - tail
    return f"{text[:head]}\n[… {gone:,} characters left out here …]\n{text[-tail:] if tail else ''}"
