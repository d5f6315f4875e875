"""Mark text that other people wrote, so that it cannot pass for anything else. Pure.

Everything from Slack stands between tags whose names begin with `slack_`. Inside them no `<` that
could begin such a tag survives. So a message cannot close its own tag, open another or forge a
question. The same holds for the lines with `@@@` that frame the repository's files. Other text is
left as it is, because a model reads code with replaced brackets worse.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

# Spaces, slashes and characters that show nothing may stand between `<` and a name.
_BLANK = r"[\s/\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e"
_BLANK += r"\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0]*"
_TAG = re.compile("<(?=" + _BLANK + _BLANK.join("slack") + ")", re.IGNORECASE)
# A line that would begin one of the repository's blocks.
_MARKER = re.compile(r"^(?=" + _BLANK[:-2] + r"]*\\*@@@)", re.MULTILINE)
# Control characters, and the invisible tag characters that smuggle instructions past a reader.
_INVISIBLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\U000e0000-\U000e007f]")


def shield(text: str) -> str:
    """Return the text with nothing in it that could be read as one of our tags or markers.

    Control characters and invisible tag characters are dropped, lone surrogates replaced: the
    result can always be sent as UTF-8.
    """
    text = shield_tags(text)
    return _MARKER.sub(r"\\", text) if "@@@" in text else text


def shield_tags(text: str) -> str:
    """Return the text with nothing in it that could be read as one of our tags.

    Text of a repository has its markers set by us, and its own escaped, when it comes here.
    """
    text = text.encode("utf-8", "replace").decode("utf-8").replace("\r\n", "\n")
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
