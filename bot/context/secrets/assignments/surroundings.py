"""The text around a secret's name: its block or object, the user beside it, its line."""

from __future__ import annotations

import re
import string

from bot.context.secrets.assignments.names_in_text import NameInText
from bot.context.secrets.judgement.names import Strength, is_sole_password, secret_strength
from bot.context.secrets.judgement.passwords import is_marked_password

LINE_SIDE = 400


def is_of_arn(text: str, start: int, end: int) -> bool:
    """Tell whether a word is a part of an address of AWS: `arn:aws:…:secret:…`."""
    return (
        text[start - 1 : start] == ":"
        and text[end : end + 1] == ":"
        and "arn:" in text[max(0, start - 80) : start]
    )


def strength_of_key(text: str, start: int, end: int) -> Strength | None:
    """Judge a name that says no more than `key` by the word or the object that it belongs to."""
    return (
        _strength_in_prose(text, start)
        or _strength_of_parent(text, start, end)
        or _strength_in_block(text, start, end)
    )


_KEY_OF_BYTES = re.compile(r"""key:[ ]["']?[A-Za-z0-9+/]{43}=["']?[ \t]*(?:\n|\Z)""")


def _strength_in_block(text: str, start: int, end: int) -> Strength | None:
    """Judge the `key` of `encryption:` in YAML, if it is base64 of 32 bytes."""
    if _KEY_OF_BYTES.match(text, start) is None:
        return None
    return secret_strength(f"{_parents(text, start)}_key")


def _strength_in_prose(text: str, start: int) -> Strength | None:
    """Judge the `key` of `API key` and `secret key`, names of two words in prose."""
    if start < 2 or text[start - 1] not in " -":
        return None
    head = text[max(0, start - 20) : start - 1]
    before = head[len(head.rstrip(string.ascii_letters)) :]
    return secret_strength(f"{before}_key") if before else None


_MEMBER = re.compile(r"""["']?[ \t]{0,8}[:=][ \t]{0,8}["'](?P<value>[^"'\s]{8,400})["']""")
_PARENT = re.compile(r"""["']?(\w{1,60})["']?[ \t]{0,8}[:=(]?[ \t]{0,8}\Z""")


def _strength_of_parent(text: str, start: int, end: int) -> Strength | None:
    """Judge the `key` of `"Jwt": {"Issuer": "…", "Key": "…"}` by the name of its object."""
    member = _MEMBER.match(text, end)
    if member is None or not is_marked_password(member["value"]):
        return None
    floor = max(0, start - LINE_SIDE)
    opening = text.rfind("{", floor, start)
    closing = text.rfind("}", floor, start)
    while closing > opening >= 0:
        closing = text.rfind("}", floor, opening)
        opening = text.rfind("{", floor, opening)
    parent = _PARENT.search(text, max(floor, opening - 80), opening) if opening >= 0 else None
    return secret_strength(f"{parent[1]}_key") if parent else None


_SECTION = re.compile(r"\n?[ \t]*\[{1,2}[\"']?(?P<name>[\w. \"'-]{1,80})\]{1,2}")
_KEY_OF_BLOCK = re.compile(
    r"(?P<indent>[ ]*)(?:- )?[\"']?(?P<name>[\w.-]{1,60})[\"']?:[ \t]*(?:#.*)?"
)
_MOST_LINES = 12


def _parents(text: str, start: int) -> str:
    """Return the names of the blocks or the section that hold a setting, joined by `_`.

    `spring: mail:` in YAML, `[smtp]` in INI and TOML.
    """
    floor = max(0, start - 600)
    lines = text[floor:start].split("\n")
    indent = len(lines[-1]) - len(lines[-1].lstrip(" "))
    names: list[str] = []
    for line in lines[-2 : -_MOST_LINES - 2 : -1]:
        section = _SECTION.match(line)
        if section:
            return section["name"].strip("\"' ")
        block = _KEY_OF_BLOCK.fullmatch(line)
        if block and len(block["indent"]) < indent:
            indent = len(block["indent"])
            names.append(block["name"])
    return "_".join(reversed(names))


_NAME_BEFORE = re.compile(r"""\bname:[ ]["']?[\w.@-]{2,40}["']?(?:,[ ]|\n[ ]{2,40})["']?\Z""")
"""A user of a list in YAML: `{name: reader, password: …}`."""


def is_of_service(text: str, start: int, name: str) -> bool:
    """Tell whether a setting in YAML, INI or TOML stands in the block of a service or a user."""
    return (
        is_sole_password(f"{_parents(text, start)}_{name}")
        or _NAME_BEFORE.search(text, max(0, start - 100), start) is not None
    )


_LOWER_VALUE = re.compile(r"[ \t]{0,20}=[ \t]{0,20}[\"']?[a-z]")
_OF_SESSIONS = frozenset(["session", "jwt", "cookie", "cookies", "sessions"])


def is_of_session(text: str, start: int, end: int, kind: str) -> bool:
    """Tell whether a `secret` is the one that signs sessions, or a server's.

    `session: {secret: …}`, and `secret = …` in a server's settings.
    """
    name = text[start:end].lower().replace("_", "").replace("-", "")
    if name == "secretkey" and kind == "python":
        # Flask and Django sign sessions with it.
        return True
    if name != "secret":
        return name.endswith(("cookiesecret", "sessionsecret", "jwtsecret", "jwtsecretkey"))
    if kind == "config":
        # Servers for RADIUS, SIP and others call a password so.
        return _LOWER_VALUE.match(text, end) is not None
    if kind == "yaml":
        return _parents(text, start).rpartition("_")[2].lower() in _OF_SESSIONS
    opening = text.rfind("{", max(0, start - 200), start)
    parent = _PARENT.search(text, max(0, opening - 80), opening) if opening >= 0 else None
    return (
        parent is not None and "}" not in text[opening:start] and parent[1].lower() in _OF_SESSIONS
    )


_GIVEN = r"\\{0,2}[\"']?\s{0,4}(?::=|[:=(]|=>)\s{0,8}\\{0,2}[\"']?"
_BESIDE = (
    rf"(?:(?:user(?:[_-]?name)?|login|e?mail|uid|host(?:[_-]?name)?){_GIVEN}[\w.@]"
    rf"|port{_GIVEN}\d{{2}}"
    rf"|(?:addr(?:ess)?|ur[li]|path|endpoint|server){_GIVEN}[^\s\"',()]{{0,80}}[/:.][\w/])"
)
"""A setting that stands beside a password: its user, or the place of its server."""
_USER_BEFORE = re.compile(
    rf"(?is)(?:\A|[^a-z]|[^a-z]with|[^a-z]set){_BESIDE}[^\n]{{0,120}}\n?[^\n]{{0,120}}\Z"
)
_USER_AFTER = re.compile(rf"(?i)[^\n]{{0,60}}\n?[^\n]{{0,20}}[^a-z\n]{_BESIDE}")


def is_beside_user(text: str, start: int, to: int) -> bool:
    """Tell whether the user of a password stands on its line, or on the one before or after."""
    return (
        _USER_BEFORE.search(text, max(0, start - 160), start) is not None
        or _USER_AFTER.match(text, to) is not None
    )


_DSN = re.compile(
    r"(?:\b(?:server|data source|host|hostaddr|uid|user(?: ?id)?|dbname|database"
    r"|initial catalog|driver|endpoint|accountname|port|sslmode)\s{0,4}=)|jdbc:|[?&]\w+=",
    re.IGNORECASE,
)


def is_connection(text: str, at: int, to: int) -> bool:
    """Tell whether other settings of a connection stand beside the value."""
    start = max(text.rfind("\n", max(0, at - LINE_SIDE), at), at - LINE_SIDE, 0)
    newline = text.find("\n", to, to + LINE_SIDE)
    stop = newline if newline >= 0 else to + LINE_SIDE
    return _DSN.search(text, start, stop) is not None


def is_alone(text: str, start: int, to: int) -> bool:
    """Tell whether a name and its value have the line for themselves, as in a listing."""
    line = text[max(0, text.rfind("\n", max(0, start - 80), start)) : start]
    return not line.strip(" \t\n+-*>#/`\"'<:") and text[to : to + 2].strip(" \t`\"',;*")[:1] in (
        "",
        "\n",
    )


def is_set_option(secret: NameInText) -> bool:
    """Tell whether a name is an option of a command that a sign gives a value: `-Dpassword=…`.

    `--pwd=…` sets a folder.
    """
    return (
        secret.name[0] == "-"
        and secret.text[secret.end : secret.end + 1] == "="
        and not secret.name.endswith("-pwd")
    )
