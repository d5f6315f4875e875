"""Mark text that other people wrote, so that it cannot pass for anything else. Pure.

Everything from Slack stands between tags whose names begin with `slack_`. Inside them no `<` that
could begin such a tag survives. So a message cannot close its own tag, open another or forge a
question. The same holds for the lines with `@@@` that frame the repository's files. Other text is
left as it is, because a model reads code with replaced brackets worse.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

# Spaces, slashes, marks that combine and characters that show nothing may stand between `<` and a
# name, and between its letters.
_UNSEEN = (
    r"/\u00ad\u0300-\u036f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5"
    r"\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0"
    r"\ufff9-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
)
_BLANK = rf"[\s{_UNSEEN}]*"
_LOOK_ALIKES = {
    "s": "\u0455\ua731\u10fd\u0282",
    "l": "i1|!\u0131\u0142\u01c0\u0269\u026d\u029f\u03b9\u0406\u0456\u04c0\u04cf\u05d5\u05c0\u2223",
    "a": "@\u0251\u03b1\u0430\u0391\u0410\u1d00\u237a\xe0\xe1\xe2\xe3\xe4\xe5",
    "c": "\u0441\u0421\u03f2\u03f9\u1d04\xe7\u0107\u010d\u2ca5",
    "k": "\u03ba\u039a\u043a\u041a\u1d0b\u0138\u049b\u2c95",
}
"""Letters of other scripts that look like those of our tags, and signs in their place."""
_STYLED = (
    (0x2B0, 0x300),
    (0x1D2C, 0x1DC0),
    (0x2070, 0x2190),
    (0x2460, 0x2500),
    (0xFF00, 0xFFF0),
    (0x1D400, 0x1D800),
)
"""Ranges of letters that Unicode itself takes for plain ones: wide, bold, circled, raised."""
_BRACKETS = "<\u02c2\u1438\u2039\u2329\u276c\u276e\u2770\u27e8\u29fc\u3008\u300a\xab\ufe64\uff1c"


def _shapes(letter: str) -> str:
    """Return a class of every character that a reader may take for a letter."""
    styled = (
        sign
        for first, end in _STYLED
        for sign in map(chr, range(first, end))
        if unicodedata.normalize("NFKC", sign).casefold() == letter
    )
    return f"[{letter}{re.escape(_LOOK_ALIKES[letter])}{''.join(styled)}]"


_NAME = _BLANK.join(map(_shapes, "slack"))
_TAG = re.compile(f"[{_BRACKETS}](?={_BLANK}{_NAME})", re.IGNORECASE)
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
