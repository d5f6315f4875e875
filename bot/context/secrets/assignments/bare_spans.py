"""The value without quotes that a name is given: its start, and its end in each format."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from bot.context.secrets.assignments.names_in_text import NameInText
from bot.context.secrets.assignments.surroundings import is_connection
from bot.context.secrets.judgement.references import is_encrypted
from bot.context.secrets.literals import SCHEME, USER

How = Literal["sign", "space", "verb", "scheme", "pair"]
"""How a value follows its name: behind a sign, a blank, a verb such as `is`, a scheme such as
`Bearer`, or the user before it."""


class BareSpan(NamedTuple):
    """The characters `at:to` without quotes."""

    at: int
    to: int
    how: How


BARE_KINDS = frozenset(["yaml", "config", "shell"])
_BARE_VALUE = re.compile(r"[^\s\"'`<>]{1,400}")


def find_bare_span(secret: NameInText) -> BareSpan | None:
    """Return the value without quotes that a name is given."""
    text = secret.text
    start = _find_start(secret)
    if start is None:
        return None
    at, how = start
    if how != "scheme" and (scheme := SCHEME.match(text, at, at + 20)):
        at = scheme.end()
        how = "scheme"
    if _takes_pair(secret) and (user := USER.match(text, at)):
        at = user.end()
        how = "pair"
    run = _BARE_VALUE.match(text, at)
    return None if run is None else BareSpan(at, _cut(text, at, run.end(), secret.kind), how)


_BARE_OPERATOR = re.compile(
    r"""(?P<close>\\{0,4}["'`])?[)\]*]{0,3}[ \t]{0,40}"""
    r"""(?:(?:=>|<-|<<<|\?=|={1,2}|(?P<cell>\|)|:[=:-]?)\*{0,3}[ \t]{0,40}"""
    r"""(?:[&!]{1,2}\w{1,40}[ \t]{1,4}(?=\S))?(?:(?:[|>][+-]?\d?)?\n[ \t]{1,80})?"""
    r"""|[ \t]{1,4}(?:for|of|on)[ ](?:[\w.-]{1,30}[ ]){0,5}[\w.@-]{1,40}[:=][ \t]{1,8}"""
    r"""|(?P<space>[ \t]{1,40}(?:(?:(?:for|of|on|to)[ ](?:[\w.-]{1,30}[ ]){1,6})?"""
    r"""(?:is|was)[ \t:]{1,4})?\*{0,3}))"""
    r"""(?P<scheme>(?:Basic|Bearer|Token|ApiKey|token|bearer|basic)[ \t]{1,4})?"""
)


def _find_start(secret: NameInText) -> tuple[int, How] | None:
    match = _match_layout(secret) if secret.kind in _WITH_LAYOUT else None
    if match is not None:
        return match.end(), "sign"
    match = _BARE_OPERATOR.match(secret.text, secret.end)
    if match is None or (match["cell"] and secret.kind != "prose"):
        return None
    if match["scheme"]:
        return match.end(), "scheme"
    if match["space"] and not _is_set_by_word(secret):
        return match.end(), "verb" if match["space"].strip("\t *") else "space"
    return match.end(), "sign"


_SETTER = re.compile(
    r"(?:\A|\n|&&|;|\|)[ \t]{0,40}(?:ENV|setenv|SetEnv|fastcgi_param|set[ ]-\w{1,4})[ \t]{1,8}\Z"
)
"""Words that set a variable: Docker's, the C shell's, Apache's, nginx's and fish's."""


def _is_set_by_word(secret: NameInText) -> bool:
    """Tell whether a blank divides a variable and its value: `ENV DB_PASSWORD …`."""
    if secret.kind not in BARE_KINDS:
        return False
    return _SETTER.search(secret.text, max(0, secret.start - 60), secret.start) is not None


_BARE_PAIR = re.compile(
    r"[\"']?[ \t]{0,8}(?:\n[ \t]{0,80}\#[^\n]{0,200}){0,2}"
    r"\n[ \t]{0,80}(?:value:[ \t]{0,8}|-[ \t]{1,8})"
    r"|:[ \t]{0,8}\n(?:[ \t]{1,40}(?!default)\w{1,40}:[^\n]{0,200}\n){0,6}"
    r"[ \t]{1,40}default:[ \t]{0,8}[\"']?",
    re.IGNORECASE,
)
_IN_ELEMENT = re.compile(
    r"(?:[^<>\n]{0,40}>|</[\w:]{1,40}>)[ \t\n]{0,80}(?:<[\w:]{1,40}>|<!\[CDATA\[){0,2}[ \t\n]{0,80}"
)
_BEFORE_ELEMENT = re.compile(r"[ \t]{0,8}:?[ \t]{0,8}<[\w:]{1,40}>[ \t\n]{0,80}")
_PAIR_IN_PROSE = re.compile(r"[ \t:*]{1,8}`?[\w@.-]{1,40}`?[ \t]{0,2}[/:][ \t]{0,2}`?")


_WITH_LAYOUT = frozenset(["yaml", "xml", "code", "prose"])


def _match_layout(secret: NameInText) -> re.Match[str] | None:
    """Match what divides a name and its value in YAML's pairs, XML's elements and sentences."""
    text, kind, start, end = secret.text, secret.kind, secret.start, secret.end
    match = _BARE_PAIR.match(text, end) if kind == "yaml" else None
    if match is not None and match.group().rstrip(" \t").endswith("-") and secret.name[:1] != "-":
        match = None
    if match is None and kind != "yaml":
        if text[max(0, start - 1) : start] in ("<", ">", ":", '"'):
            match = _IN_ELEMENT.match(text, end)
        match = match or _BEFORE_ELEMENT.match(text, end)
    if match is None and kind == "prose" and secret.name.lower().startswith("credential"):
        match = _PAIR_IN_PROSE.match(text, end)
    return match


_PAIR_NAMES = ("basic_auth", "basicauth", "auth_basic")


def _takes_pair(secret: NameInText) -> bool:
    """Tell whether the value of a name is a user and a password: `--basic-auth user:…`."""
    name, kind = secret.name, secret.kind
    return (
        (name.startswith("-") and name.endswith("auth"))
        or (kind == "config" and name in {"auth", "login"})
        or (kind in BARE_KINDS and name.lower().replace("-", "_").endswith(_PAIR_NAMES))
    )


_CUT_IN_TEXT = re.compile(r"[;,&)}\\|]|:$")


def _cut(text: str, at: int, to: int, kind: str) -> int:
    """Return the end of a bare value: at what its format puts after values."""
    value = text[at:to]
    if is_encrypted(value):
        return to
    if kind == "config" or (
        kind == "yaml" and "{" not in text[max(0, at - 200) : at].rpartition("\n")[2]
    ):
        line_end = text.find("\n", at)
        rest = text[to : line_end if line_end >= 0 else len(text)].strip()
        if (not rest or rest[0] in "#;") and not is_connection(text, at, to):
            return at + len(_balanced(value.rstrip(",;")))
    if kind == "prose" and _WHOLE_LINE.match(text, at) and not is_connection(text, at, to):
        return at + len(value.rstrip(".,:;*"))
    if kind == "shell":
        cut = re.search(r"[;&|)}\\]", value)
    elif kind == "yaml" and not is_connection(text, at, to):
        cut = re.search(r"[,}\]]|\)$", value)
    else:
        cut = _CUT_IN_TEXT.search(value)
    if cut:
        value = value[: cut.start()]
    value = _balanced(value)
    return at + len(value.rstrip(".,:*"))


_WHOLE_LINE = re.compile(r"[^\s\"'`<>(){}\[\]|\\]{8,80}[ \t]*(?:\n|\Z)")
"""A value in a document that is the rest of its line: a sign within it ends nothing."""


def _balanced(value: str) -> str:
    """Leave out brackets at the end that were opened before the value."""
    for opening, closing in ("{}", "()", "[]"):
        while value.endswith(closing) and value.count(closing) > value.count(opening):
            value = value[:-1]
    return value


_JUDGED = 400
"""Characters of a bare value that are judged."""

_BARE_REST = re.compile(r"[^\s\"'`<>]*")


def find_value_end(text: str, at: int, to: int) -> int:
    """Return the end of a value that was judged by its first characters only."""
    rest = _BARE_REST.match(text, to) if to - at >= _JUDGED else None
    return rest.end() if rest else to
