"""Passwords on the command lines of well-known programs, and in SQL statements."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from bot.context.secrets.candidate import Candidate, Written
from bot.context.secrets.judgement.passwords import is_password, is_words_secret
from bot.context.secrets.judgement.written import is_written_password
from bot.context.secrets.word_search import word_of

_VALUE = (
    r"""(?:(?P<quote>["'])|)(?P<value>(?(quote)[^"'`\n$]{4,100}?(?=["'])|[^\s"'`;|&<>]{4,200}))"""
    r"""(?(quote)(?P=quote)|)"""
)
"""A value with blanks and signs between quotes, or a word."""
_PAIR = r"""(?P<quote>["']?)[^\s:"'$]{1,100}:(?P<value>[^\s"'`|<>]{3,200})"""
_ANY = r"[^\n|;]{0,300}?[ \t]"
_IDENTIFIED = (
    r"(?:with[ \t]+[\w']{1,40}[ \t]+)?(?:by|as)[ \t]+(?:password[ \t]+)?"
    r"""(?P<quote>["'])(?P<value>[^"'\n]{3,200})(?P=quote)"""
)


def _command(anchor: str, pattern: str) -> tuple[str, re.Pattern[str]]:
    return anchor, re.compile(pattern, re.IGNORECASE if anchor.lower() == "identified" else 0)


_COMMANDS = (
    _command("sshpass", rf"sshpass[ \t]+-p[ \t]*{_VALUE}"),
    _command("mysql", rf"mysql(?:dump|admin|import|show)?\b{_ANY}[\"']?-p{_VALUE}"),
    _command("mariadb", rf"mariadb(?:-dump|-admin)?\b{_ANY}-p{_VALUE}"),
    _command("login", rf"\blogin\b{_ANY}-p[ \t=]+{_VALUE}"),
    _command("redis-cli", rf"redis-cli\b{_ANY}(?:-a|--pass)[ \t]+{_VALUE}"),
    _command("curl", rf"curl\b{_ANY}(?:-u|--user|-U|--proxy-user)[ \t=]*{_PAIR}"),
    _command(
        "curl",
        rf"curl\b{_ANY}(?:-b|--cookie)[ \t=]*[\"']?[\w.-]{{0,40}}(?:sess|sid|auth|token)\w{{0,20}}="
        r"(?P<value>[^;\s\"']{16,400})",
    ),
    _command("http ", rf"\bhttp[ ]{_ANY}(?:-a|--auth)[ \t=]+{_PAIR}"),
    _command("https ", rf"\bhttps[ ]{_ANY}(?:-a|--auth)[ \t=]+{_PAIR}"),
    _command("ldap", rf"ldap(?:search|add|modify|delete|passwd|whoami)\b{_ANY}-w[ \t]+{_VALUE}"),
    _command(
        "smbclient",
        rf"""smbclient\b{_ANY}-U[ \t]*(?P<quote>["']?)[^\s%"']{{1,100}}%"""
        r"""(?P<value>[^\s"'`|<>]{3,200})""",
    ),
    _command("mongo", rf"mongo(?:sh|dump|restore|export|import)?\b{_ANY}-p[ \t]+{_VALUE}"),
    _command(
        "-password-stdin",
        rf"echo[ \t]+(?:-n[ \t]+)?{_VALUE}[ \t]*\|[^\n]{{0,200}}?--password-stdin",
    ),
    _command("lftp", r"""lftp[ \t]+-u[ \t]+[\w.@-]{1,60},(?P<value>[^\s"'`|<>]{4,200})"""),
    _command("7z", rf"\b7z[ar]?[ \t]{_ANY}-p{_VALUE}"),
    _command("openssl", rf"openssl\b{_ANY}-k[ \t]+{_VALUE}"),
    _command("useradd", rf"useradd\b{_ANY}(?:-p|--password)[ \t=]+{_VALUE}"),
    _command("usermod", rf"usermod\b{_ANY}(?:-p|--password)[ \t=]+{_VALUE}"),
    _command("createUser", rf"createUser[ \t]+[\w.-]{{1,60}}[ \t]+(?:MD5|SHA[\w-]*)[ \t]+{_VALUE}"),
    _command(
        "createUser", rf"createUser[ \t][^\n]{{1,120}}[ \t](?:AES|DES)[\w-]{{0,8}}[ \t]+{_VALUE}"
    ),
    _command("-pass", rf"(?<!\w)-pass(?:phrase|in|out)?[ \t=]+(?:pass:)?{_VALUE}"),
    _command("password_hash(", rf"{_VALUE}[ ]?\|[ ]?password_hash\("),
    _command("pass:", r"-pass(?:in|out)?[ \t=]+pass:(?P<value>[^\s\"'`;|&<>]{4,200})"),
    _command("htpasswd", rf"htpasswd[ \t]+-\w*b\w*[ \t]{_ANY}[\w.@-]{{1,60}}[ \t]+{_VALUE}"),
    _command(
        "chpasswd",
        r"""(?P<quote>["']?)[\w.-]{1,40}:(?P<value>[^\s"'`|<>]{4,200})(?P=quote)[ \t]*\|"""
        r"[ \t]*(?:sudo[ \t]+)?chpasswd",
    ),
    _command("ConvertTo-SecureString", rf"ConvertTo-SecureString[ \t]+(?:-String[ \t]+)?{_VALUE}"),
    _command("schtasks", rf"(?i:schtasks)\b{_ANY}(?i:/rp)[ \t]+{_VALUE}"),
    _command("psexec", rf"(?i:psexec)(?:64)?(?:\.exe)?\b{_ANY}-p[ \t]+{_VALUE}"),
    _command("sudo -S", rf"echo[ \t]+{_VALUE}[ \t]*\|[ \t]*sudo[ \t]+-S"),
    _command(
        "assword",
        r"assword[^\n]{0,60}\n?[ \t]{0,20}[\w.]{0,20}(?:send|sendline|write)"
        r"(?:[ \t]+(?:--[ \t]+)?|\(b?)"
        r"[\"'](?P<value>[^\"'\\\n]{4,200})(?:\\[rn])?[\"']",
    ),
    _command(
        "rabbitmqctl",
        rf"rabbitmqctl[ \t]+(?:add_user|change_password)[ \t]+[\w.-]{{1,60}}[ \t]+{_VALUE}",
    ),
    _command("| ConvertTo", rf"{_VALUE}[ \t]*\|[ \t]*ConvertTo-SecureString"),
    _command("az ", rf"\baz[ ]{_ANY}-p[ \t]+{_VALUE}"),
    _command("http-basic.", rf"http-basic\.[\w.-]{{1,80}}[ \t]+[\w.@-]{{1,60}}[ \t]+{_VALUE}"),
    _command(
        "echo ",
        rf"echo[ \t]+(?:-n[ \t]+)?{_VALUE}[ \t]*>{{1,2}}[ \t]*[\w./~$-]{{0,80}}"
        r"(?:pass|secret|token|cred)[\w.-]{0,40}[ \t]*(?:$|[;&|\"'\n])",
    ),
    _command(
        "SET PASSWORD",
        r"SET PASSWORD(?: FOR [^=\n]{1,120})?[ ]?=[ ]?(?:PASSWORD[ ]?\()?"
        r"(?P<quote>')(?P<value>[^'\n]{4,200})'",
    ),
    _command(
        "sp_add",
        r"sp_add(?:login|linkedsrvlogin)[ \t]+[^;\n]{0,200}?,[ \t]*"
        r"N?'(?P<value>[^'\n]{4,200})'[ \t]*(?:;|$|\n)",
    ),
    _command("zip", rf"\bzip\b{_ANY}-P[ \t]*{_VALUE}"),
    _command("vault login", rf"vault login[ \t]+(?:-\S+[ \t]+)*(?:token=)?{_VALUE}"),
    _command("net use", rf"net use[ \t]{_ANY}/user:\S{{1,100}}[ \t]+{_VALUE}"),
    _command("sqlcmd", rf"\bsqlcmd\b{_ANY}-P[ \t]*{_VALUE}"),
    _command("net user", rf"net user[ \t]+[\w.-]{{1,60}}[ \t]+{_VALUE}[ \t]+/"),
    _command("IDENTIFIED", rf"IDENTIFIED[ \t]+{_IDENTIFIED}"),
    _command(
        "PASSWORD '",
        r"(?:USER|ROLE|user|role)\b[^;\n]{1,200}?PASSWORD[ ](?P<quote>')(?P<value>[^'\n]{4,200})'",
    ),
    _command(
        "password '",
        r"(?:user|role)\b[^;\n]{1,200}?password[ ](?P<quote>')(?P<value>[^'\n]{4,200})'",
    ),
    _command("community ", r"^[ \t]*r[ow]community6?[ \t]+(?P<value>[^\s\"']{4,60})"),
    _command(
        " login=", r"cache_peer[^\n]{1,200}?[ ]login=[\w.-]{1,40}:(?P<value>[^\s:\"']{4,100})"
    ),
    _command("userPassword::", r"userPassword::[ ](?P<value>[A-Za-z0-9+/]{8,400}={0,2})"),
    _command(" on >", r"(?i:user)[ ][\w.-]{1,40} on >(?P<value>[^\s\"']{4,100})"),
    _command("-setcookie", rf"-setcookie[ \t]+{_VALUE}"),
    _command("stats auth", r"stats auth[ \t]+[\w.-]{1,40}:(?P<value>[^\s:\"']{4,100})"),
    _command(" : EAP ", r"[ ]:[ ]EAP[ ]\"(?P<value>[^\"\n]{4,100})\""),
    _command(": PSK ", r":[ ]PSK[ ]\"(?P<value>[^\"\n]{4,100})\""),
    _command("IDENTIFIED BY", r"IDENTIFIED BY (?P<value>[A-Za-z][\w#$]{5,60})(?![\w'\"])"),
    _command(
        "machine ",
        r"machine[ \t]+\S{1,100}\s{1,40}login[ \t]+\S{1,100}\s{1,40}"
        r"password[ \t]+(?P<value>\S{4,200})",
    ),
    _command("identified", rf"identified[ \t]+{_IDENTIFIED}"),
)
_SIDE = 300
"""Characters of a command that are looked at before its anchor; twice as many behind it."""


_WORD_OF = {" on >": "user", "7z": "", "pass:": "openssl"}
"""A word that a text must hold if it holds the anchor, unless it is the anchor's longest one."""
_SOUGHT = tuple(
    (_WORD_OF[anchor] if anchor in _WORD_OF else word_of(anchor), anchor, pattern)
    for anchor, pattern in _COMMANDS
)
COMMAND_WORDS = frozenset(word for word, _, _ in _SOUGHT if word)
_SOLE = frozenset(
    [
        "IDENTIFIED",
        "identified",
        "ConvertTo-SecureString",
        "| ConvertTo",
        "sshpass",
        "curl",
        "login",
        "mysql",
        "mariadb",
        "userPassword::",
        " on >",
        "PASSWORD '",
        "password '",
        "community ",
        " login=",
        "-setcookie",
        "-password-stdin",
        "SET PASSWORD",
        "sp_add",
        "stats auth",
        " : EAP ",
        ": PSK ",
        "redis-cli",
        "useradd",
        "usermod",
        "ldap",
        "zip",
        "mongo",
        "openssl",
        "-pass",
        "rabbitmqctl",
        "net user",
        "net use",
        "sqlcmd",
        "schtasks",
        "psexec",
        "htpasswd",
        "smbclient",
        "lftp",
        "chpasswd",
        "machine ",
    ]
)
"""Places that hold nothing but a password, so a word is one too."""
_CERTAIN = frozenset(["pass:", "sshpass", "chpasswd", "smbclient", "lftp"])
"""Places at which even a name with dots is a password."""
_OPTION_OF = {
    **dict.fromkeys(("sshpass", "mysql", "mariadb", "mongo", "7z", "psexec", "az ", "login"), "-p"),
    **dict.fromkeys(("zip", "sqlcmd"), "-P"),
    **dict.fromkeys(("http ", "https "), "-a"),
    **dict.fromkeys(("net use", "net user"), "net use"),
    "ldap": "-w",
    "openssl": "-k",
    "smbclient": "-U",
    "lftp": "-u",
    "createUser": "createUser",
    **dict.fromkeys(("ConvertTo-SecureString", "| ConvertTo"), "ConvertTo"),
    **dict.fromkeys(("IDENTIFIED", "IDENTIFIED BY"), "IDENTIFIED"),
}
"""A text that a command must hold: one look for it excludes all places of the anchor."""


def find_in_commands(text: str, words: frozenset[str]) -> Iterator[Candidate]:
    """Yield passwords on command lines; each line is looked at once for each program.

    `words` are those of `COMMAND_WORDS` that the text holds.
    """
    for word, anchor, pattern in _SOUGHT:
        if word and word not in words:
            continue
        at = text.find(anchor)
        if at >= 0 and _OPTION_OF.get(anchor, "") in text:
            yield from _find_behind_anchor(text, at, anchor, pattern)


def _find_behind_anchor(
    text: str, at: int, anchor: str, pattern: re.Pattern[str]
) -> Iterator[Candidate]:
    """Yield the passwords of one program, from the first place of its anchor on."""
    proof: Callable[[str], bool] = is_words_secret if anchor in _SOLE else is_password
    if anchor in _CERTAIN:
        proof = is_written_password
    # SQL is no text of another language if it stands in a file of its own.
    how: Written = "form" if anchor == "IDENTIFIED BY" else "bare"
    while at >= 0:
        start = max(text.rfind("\n", max(0, at - _SIDE), at) + 1, at - _SIDE, 0)
        match = pattern.search(text, start, at + 2 * _SIDE)
        if match and proof(match["value"]):
            yield Candidate(match.start("value"), match.end("value"), "password", how)
        newline = text.find("\n", at, at + 2 * _SIDE)
        at = text.find(anchor, newline if newline >= 0 else at + 2 * _SIDE)
