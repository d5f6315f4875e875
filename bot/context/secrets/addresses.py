"""Passwords in addresses, connection strings, headers and on command lines."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator

from bot.context.secrets.candidate import Candidate
from bot.context.secrets.judgement.passwords import is_marked_password, is_password, is_word_secret
from bot.context.secrets.judgement.randomness import is_random
from bot.context.secrets.judgement.references import without_templates
from bot.context.secrets.judgement.values import is_mixed
from bot.context.secrets.word_search import find_places, word_of

_ADDRESS_END = re.compile(r"[^\s\"'`<>\\]{1,2000}")
_HOST = re.compile(r"[\w\[{$%.~*-]")
_PLAIN = re.compile(
    r"(?:pass(?:word|wd|phrase)?|pwd?|user(?:name)?|admin|root|guest|test|changeme|xxx+"
    r"|\*+|postgres(?:ql)?|mysql|redis|rabbitmq|mongo(?:db)?|api[-_]?key|key|foo|bar|baz|example|pw"
    r"|my[-_]?\w+|your\w*|some\w*|x-access-token|hidden|redacted|null|none|[px]|\.+|…)\d{0,3}",
    re.IGNORECASE,
)
"""Passwords of examples."""
_PORT = re.compile(r"\d{2,5}(?:/|$|\?|#)")
_MYSQL = re.compile(r"[\w.-]{1,64}:(?P<value>[^\s:@\"'`/]{3,200})@(?:tcp|unix|udp)\(")
_ORACLE = re.compile(r"(?:thin|oci):[\w$.-]{1,64}/(?P<value>[^\s\"'`/]{3,200})@")
_SQLPLUS = re.compile(r"sqlplus\s+(?:-\w\s+)?[\w$]{1,64}/(?P<value>[^\s\"'`/]{3,200})@")

_CONNECTION = re.compile(
    r"""getConnection\s{0,4}\([^()\n]{0,300},\s{0,40}"(?P<value>[^"\n]{4,200})"\s{0,4}\)"""
)
_AFTER_JDBC = re.compile(
    r'"jdbc:[^"\n]{1,300}"\s{0,4},\s{0,40}"[^"\n]{1,60}"\s{0,4},\s{0,40}"(?P<value>[^"\n]{4,200})"'
)
"""An address, a user and a password, as all libraries for databases take them."""
_CHARACTERS = re.compile(r'"(?P<value>[^"\\\n]{4,200})\Z')
"""Java takes passwords as arrays of characters, and little else."""
_DOCKER_AUTH = re.compile(
    r"""auth\\{0,2}["']?[ \t]{0,8}[:=][ \t]{0,8}\\{0,2}["']?"""
    r"(?P<value>[A-Za-z0-9+/]{8,2000}={0,2})"
)
_BASIC = re.compile(r"asic[ \t]{1,4}(?P<value>[A-Za-z0-9+/]{8,2000}={0,2})")
_PGPASS = re.compile(
    r":(?:\d{1,5}|\*):[\w.*-]{1,64}:[\w.*-]{1,64}:(?P<value>(?:[^\s:\\]|\\.){4,200})$", re.MULTILINE
)
_SIGNATURE = re.compile(r"sig(?:nature)?=(?P<value>[A-Za-z0-9%+/=_-]{20,200})", re.IGNORECASE)
_SESSION = re.compile(
    r"(?i:[\w.-]{0,40}(?:sess|sid|auth|token|csrf|xsrf)[\w.-]{0,40})=(?P<value>[^;\s\"']{16,400})"
)
_LOGIN_IN_PROSE = re.compile(
    r"(?:ogin|og in|ign in|redentials?)(?: with| as| using)?[ \t:*]{1,8}[`*]{0,3}[\w.@-]{1,40}"
    r"(?:[`*]{0,3}[ \t]{0,2}[/:][ \t]{0,2}[`*]{0,3}|`,? (?:and|with|/)(?: password)? `)"
    r"(?P<value>[^\s`*\"'<>]{6,200})"
)
_LOGIN_ANCHORS = ("ogin", "og in", "ign in", "redential")
"""A user and a password in a sentence: `Default login: admin / …`."""
_USER_LIST = re.compile(r'^"[\w.-]{1,60}" "(?P<value>[^"\s]{8,200})"$', re.MULTILINE)
_DIGEST_LINE = re.compile(r":[\w. @-]{1,60}:(?P<value>[0-9a-f]{32})$", re.MULTILINE)
"""Apache's file of `user:realm:hash`."""
_RELAY = re.compile(
    r"\[?[\w.*-]{1,80}\]?(?::\d{1,5})?(?:[ \t]{1,20}|:)"
    r"[\w.+-]{1,60}@[\w.-]{1,60}:(?P<value>[^\s:]{4,200})(?:\n|\Z)"
)
"""A row of Postfix's or Exim's passwords of relays."""
_PLAIN_SCHEME = re.compile(r"\{PLAIN\}(?P<value>[^\s:\"'<>]{4,100})")
_JOINED = re.compile(
    r"""://[\w.-]{1,60}:["'][ ]?[+.][ ]?["'](?P<value>[^"'\n]{4,200})["'][ ]?[+.][ ]?["']@"""
)
_QUERY_KEY = re.compile(r"[?&]appid=(?P<value>[0-9a-f]{32})(?![0-9a-f])")
_ENCODED_BYTE = re.compile(r"%[0-9A-Fa-f]{2}")
_RULE_LINE = re.compile(r"[ \t]{0,8}\|[-|: ]{3,400}\n")


def addresses(text: str, words: frozenset[str], kind: str) -> Iterator[Candidate]:
    """Yield passwords that the form of an address, a header or a table gives away.

    `words` are those of `ADDRESS_WORDS` that the text holds.
    """
    yield from _in_urls(text)
    if "@" in text:
        yield from _in_pairs(text, words)
    yield from _encoded(text, words)
    if kind in {"config", "prose"}:
        for pattern in (_PGPASS, _DIGEST_LINE, *((_USER_LIST,) if '" "' in text else ())):
            proof = is_word_secret if pattern is _PGPASS and kind == "config" else is_password
            for match in pattern.finditer(text):
                if proof(match["value"]) or "\\" in match["value"]:
                    yield _candidate(match)
        yield from _of_relays(text, kind)
    if kind == "config" and not words.isdisjoint(("users", "passwords")):
        for section in _USER_SECTION.finditer(text):
            proof = is_word_secret if _OF_AUTH.match(section.group()) else is_password
            for row in _USER_ROW.finditer(text, *section.span("rows")):
                if proof(row["value"]):
                    yield _candidate(row)
    if "random" in words and kind == "json":
        for at in find_places(text, '"random_password"'):
            made = _MADE_PASSWORD.match(text, at)
            if made:
                yield _candidate(made)
    if "snmp" in words and "community" in words and kind in {"yaml", "config", "json", "code"}:
        for at in find_places(text, "community"):
            found = _COMMUNITY.match(text, at)
            if found and is_marked_password(found["value"]):
                yield Candidate(*found.span("value"), "password")
    if kind in {"java", "kotlin", "scala"}:
        for at in find_places(text, "getConnection") if "getconnection" in words else ():
            found = _CONNECTION.match(text, at)
            if found and is_word_secret(found["value"]):
                yield _candidate(found)
        for at in find_places(text, '"jdbc:') if "jdbc" in words else ():
            found = _AFTER_JDBC.match(text, at)
            if found and is_word_secret(found["value"]):
                yield _candidate(found)
        for at in find_places(text, '".toCharArray()') if "tochararray" in words else ():
            found = _CHARACTERS.search(text, max(0, at - 200), at)
            if found and is_marked_password(found["value"]):
                yield _candidate(found)
    if kind not in {"prose", "json"}:
        for at in (
            place
            for word, anchor in (("login", "ogin: "), ("credentials", "redentials: "))
            if word in words
            for place in find_places(text, anchor)
        ):
            found = _LOGIN_IN_PROSE.match(text, at)
            if found and is_marked_password(found["value"]):
                yield Candidate(*found.span("value"), "password")
    if kind == "prose":
        for at in (place for anchor in _LOGIN_ANCHORS for place in find_places(text, anchor)):
            found = _LOGIN_IN_PROSE.match(text, at)
            if found is None:
                continue
            is_pair = " / " in found.group() and text[found.end() : found.end() + 1] in ("", "\n")
            if (is_word_secret if is_pair else is_marked_password)(found["value"]):
                yield _candidate(found)
        yield from _in_spans(text)
        if "passw" in words:
            yield from _of_services(text)
        yield from _in_tables(text)
        yield from _in_separated_values(text)


_USER_SECTION = re.compile(
    r"^\[{1,2}[^\]\n]{0,60}(?:users|passwords)\]{1,2}[ \t]{0,8}\n"
    r"(?P<rows>(?:[\w.@\"'-]{1,60}[ \t]{0,20}=[^\n]{1,200}(?:\n|\Z)){1,200})",
    re.MULTILINE,
)
_OF_AUTH = re.compile(r"[^\]\n]*(?:auth|passw)")
_USER_ROW = re.compile(
    r"=[ \t]{0,20}[\"']?(?P<value>[^\s\"'{}\[\]]{4,100})[\"']?[ \t]*$", re.MULTILINE
)
_SERVICE_PASSWORD = re.compile(
    r"(?i:\b(?:(?:db|database|root|admin|mysql|postgres(?:ql)?|redis|s?ftp|ssh|smtp|imap|mail|wi-?fi|vpn"
    r"|ldap|router|staging|master|grafana|jenkins|nexus)[ -]){1,3}password)"
    r"(?:(?P<is> is)?[ :=]{1,3})(?P<quote>[`*\"']{0,3})(?P<value>[^\s`*\"']{5,60}?)(?P=quote)"
    r"(?:[.,;)]{0,2}[ \t]{0,4}(?:\n|\Z)|[.,;)]{0,2}[ ](?=[A-Z(])|[.,;][ ])"
)
"""The password of a service in a sentence. Behind `is` it stands between marks."""


def _of_services(text: str) -> Iterator[Candidate]:
    """Yield the passwords of services that a document tells: `DB root password: …`."""
    for at in find_places(text, "assword"):
        found = _SERVICE_PASSWORD.search(text, max(0, at - 40), at + 100)
        if found is None or found.start("value") < at:
            continue
        plain = not found["quote"]
        if plain and (found["is"] or not found["value"][0].islower()):
            continue
        if is_word_secret(found["value"]):
            yield _candidate(found)
    for at in find_places(text, "assword `"):
        found = _USER_AND_PASSWORD.search(text, max(0, at - 120), at + 90)
        if found and found.start("value") > at and is_word_secret(found["value"]):
            yield _candidate(found)


_USER_AND_PASSWORD = re.compile(
    r"(?i:user\w{0,6}|login|account)(?: is|:)?[ ]`[\w.@-]{1,60}`[^\n`]{0,40}(?i:password)[ ]"
    r"`(?P<value>[^\s`]{4,60})`"
)


_PAIR_OF_HOST = re.compile(
    r"=>?[ \t]{0,8}(?!mailto|sips?:|git:|ssh:|acct:)[\w.+-]{2,40}:"
    r"(?P<value>[^\s:@/\"'<>]{4,100})@\Z"
)
"""A user and a password before a host, without a scheme: `register => user:…@host`."""


def _of_relays(text: str, kind: str) -> Iterator[Candidate]:
    proof = is_word_secret if kind == "config" else is_password
    for at in find_places(text, "@"):
        start = max(text.rfind("\n", max(0, at - 250), at) + 1, at - 250, 0)
        row = _RELAY.match(text, start)
        if row and row.start("value") > at and proof(row["value"]):
            yield _candidate(row)
        pair = (
            _PAIR_OF_HOST.search(text, max(start, at - 150), at + 1) if kind == "config" else None
        )
        if pair and is_password(pair["value"]):
            yield _candidate(pair)


_MADE_PASSWORD = re.compile(
    r'"random_password"[^\]]{0,2000}?"result"\s{0,4}:\s{0,4}"(?P<value>[^"\n]{4,200})"'
)
"""A password in Terraform's state."""
_COMMUNITY = re.compile(
    r"""community[\w"']{0,12}[ \t]{0,8}[:=][ \t]{0,8}["']?(?P<value>[^\s"',;]{4,60})"""
)
"""The password of SNMP's versions 1 and 2."""
_USERS = re.compile(
    r"""(?:users|USERS|Users|accounts|Accounts|ACCOUNTS)["']?[^\n{}]{0,60}[=:>)][^\n{}]{0,60}\{(?P<body>[^{}]{4,2000})\}"""
)
_PASSWORDS = re.compile(
    r"""(?i:passwords)["']?[ \t]{0,8}(?::=|[=:>)])[^\n{}]{0,60}\{(?P<body>[^{}]{4,2000})\}"""
)
_MEMBER = re.compile(
    r"""["']?[\w.@-]{1,60}["']?\s{0,4}(?::|=>?)\s{0,4}["'](?P<value>[^"'\s]{4,100})["']"""
)


def in_user_maps(text: str, words: frozenset[str]) -> Iterator[Candidate]:
    """Yield the passwords of `users = {"admin": "…"}` and of `passwords = {"admin": "…"}`."""
    for word in ("passwords", "PASSWORDS", "Passwords"):
        for at in find_places(text, word) if "passwords" in words else ():
            found = _PASSWORDS.match(text, at)
            for member in _MEMBER.finditer(text, *found.span("body")) if found else ():
                if member["value"][0].islower() and is_word_secret(member["value"]):
                    yield Candidate(*member.span("value"), "password", "quotes")
    for word in ("users", "Users", "USERS", "accounts", "Accounts", "ACCOUNTS"):
        for at in find_places(text, word) if word.lower() in words else ():
            found = _USERS.match(text, at)
            if found is None:
                continue
            for member in _MEMBER.finditer(text, *found.span("body")):
                if member["value"][0] not in "#\\" and is_password(member["value"]):
                    yield Candidate(*member.span("value"), "password", "quotes")


_IN_BRACKETS = re.compile(r"\((?P<user>[\w.@-]{2,40}) ?/ ?(?P<value>[^\s()]{6,80})\)")
_SPANS = re.compile(
    r"(?P<mark>`|\*\*)(?P<user>[\w.@+-]{2,60})(?P=mark) ?/ ?"
    r"(?P=mark)(?P<value>[^`*\s]{6,80})(?P=mark)"
)


def _in_spans(text: str) -> Iterator[Candidate]:
    """Yield the password of a user in a document: `` `demo@acme.com` / `…` ``."""
    for anchor, pattern in _PAIRS_OF_LOGINS:
        for at in find_places(text, anchor):
            floor = max(text.rfind("\n", max(0, at - 300), at) + 1, at - 300, 0)
            found = pattern.search(text, max(floor, at - 62), at + 90)
            if found is None or not is_marked_password(found["value"]):
                continue
            if "@" in found["user"] or _OF_LOGINS.search(text, floor, at):
                yield _candidate(found)


_PAIRS_OF_LOGINS = (("` / `", _SPANS), ("`/`", _SPANS), ("** / **", _SPANS), (" / ", _IN_BRACKETS))
_OF_LOGINS = re.compile(r"(?i)log(?:ged)?[ -]?in|sign[ -]?in|credential|account|user|://")


def _candidate(match: re.Match[str], label: str = "password") -> Candidate:
    return Candidate(match.start("value"), match.end("value"), label, "form")


def _in_urls(text: str) -> Iterator[Candidate]:
    at = text.find("://")
    while at >= 0:
        following = text.find("://", at + 3)
        run = _ADDRESS_END.match(text, at + 3, following if following >= 0 else len(text))
        joined = _JOINED.match(text, at)
        if joined and is_marked_password(joined["value"]):
            yield _candidate(joined)
        if run is not None and "@" in run.group():
            yield from _user_part(text, at + 3, run.group())
        at = following


def _user_part(text: str, start: int, run: str) -> Iterator[Candidate]:
    """Yield the password, or the token that stands for a user, of an address behind its `//`."""
    user, colon, _ = run.partition(":")
    last = run.rfind("@")
    if not colon or len(user) > last:
        user = run[: run.find("@")]
        if len(user) >= 20 and "/" not in user and is_random(user):
            yield Candidate(start, start + len(user), "token", "form")
        return
    if any(char in user for char in "/?#@"):
        return
    begin = len(user) + 1
    secret = run[begin:last]
    if _PORT.match(secret):
        secret = run[begin : run.find("@", begin)]
    # A path or a query may hold a further @: the host follows the right one.
    while not _HOST.match(run, begin + len(secret) + 1) and "@" in secret:
        secret = secret[: secret.rfind("@")]
    if _is_password(secret):
        yield Candidate(start + begin, start + begin + len(secret), "password", "form")


def _is_password(secret: str) -> bool:
    """Tell whether a part of an address is a password, not a port, a template or an example."""
    # A dollar sign within a password is no variable: those are written with braces there.
    secret = _ENCODED_BYTE.sub("0", secret)
    named = "$" not in secret or secret[0] == "$" or any(char in secret for char in "{(")
    plain = without_templates(secret).strip() if named else secret
    if len(plain) < 3 or secret[0] in "/?" or plain[0] in "[({<" or "..." in secret:
        return False
    if _PORT.match(secret) or _PLAIN.fullmatch(secret):
        return False
    if secret != plain:
        return is_mixed(plain)
    return any(char.isdigit() for char in secret) or not any(char in secret for char in _CODE)


_CODE = "(){}[]\\,"


def _in_pairs(text: str, words: frozenset[str]) -> Iterator[Candidate]:
    """Yield passwords of addresses without `://`: MySQL's for Go, Oracle's, those of sqlplus."""
    for anchor, pattern in _PAIRS:
        for at in find_places(text, anchor) if word_of(anchor) in words else ():
            match = pattern.search(text, max(0, at - 270), at + 300)
            if match is None or _PLAIN.fullmatch(match["value"]):
                continue
            if without_templates(match["value"]) == match["value"]:
                yield _candidate(match)


_PAIRS = (
    ("@tcp(", _MYSQL),
    ("@unix(", _MYSQL),
    ("thin:", _ORACLE),
    ("oci:", _ORACLE),
    ("sqlplus", _SQLPLUS),
)


def _encoded(text: str, words: frozenset[str]) -> Iterator[Candidate]:
    """Yield base64 of `user:password` and the signatures of Azure's shared access."""
    for anchor, pattern in (("auth", _DOCKER_AUTH), ("asic ", _BASIC)):
        for at in find_places(text, anchor) if anchor.strip() in words else ():
            match = pattern.match(text, at)
            if match and _is_pair(match["value"]):
                yield _candidate(match)
    for anchor, before in (("sig=", 0), ("Signature=", 6)):
        for at in find_places(text, anchor) if word_of(anchor) in words else ():
            match = _SIGNATURE.match(text, at)
            in_query = text[max(0, at - before - 1) : at] in ("?", "&", ";", "?X-Amz-", "&X-Amz-")
            if match and in_query and is_random(match["value"].replace("%", "")):
                yield _candidate(match, "signature")
    for anchor, pattern in (("{PLAIN}", _PLAIN_SCHEME), ("appid=", _QUERY_KEY)):
        for at in find_places(text, anchor) if word_of(anchor) in words else ():
            match = pattern.match(text, at - (anchor == "appid="))
            if match:
                yield _candidate(match)
    for at in find_places(text, "AUTH PLAIN ") if "plain" in words else ():
        match = _SASL.match(text, at)
        if match and match["value"][:1].isalnum() and _is_sasl(match["value"]):
            yield _candidate(match)
    for at in find_places(text, "encrypt") if "encrypt" in words else ():
        match = _GOSSIP.match(text, at)
        if match and is_random(match["value"]):
            yield _candidate(match, "key")
    done = 0
    for at in find_places(text, "ookie") if "cookie" in words else ():
        if at < done:
            continue
        head = _COOKIES.match(text, at)
        if head is None:
            listed = _RECORDED.match(text, at)
            if listed:
                done = listed.end()
                yield from _recorded_cookies(text, listed)
            continue
        newline = text.find("\n", at, at + 600)
        done = stop = newline if newline >= 0 else at + 600
        for match in _SESSION.finditer(text, head.end(), stop):
            if is_random(_ENCODED_BYTE.sub("", match["value"])):
                yield _candidate(match, "cookie")


_COOKIES = re.compile(
    r"""ookie(?::[ ]|\\{0,2}["']\s{0,8}(?:,\s{0,40}["']value["']\s{0,4})?(?:=>|[:=,])\s{0,8}"""
    r"""\\{0,2}["'](?=[^"'\n]{1,80}=))"""
)
_RECORDED = re.compile(r'ookies"\s{0,4}:\s{0,4}\[[^\]]{0,4000}')
_RECORDED_VALUE = re.compile(r'"value"\s{0,4}:\s{0,4}"(?P<value>[^"\\]{16,2000})"')


def _recorded_cookies(text: str, listed: re.Match[str]) -> Iterator[Candidate]:
    """Yield the values of the list `"cookies"` in a recording of a browser (HAR)."""
    for match in _RECORDED_VALUE.finditer(text, *listed.span()):
        if is_random(_ENCODED_BYTE.sub("", match["value"])):
            yield _candidate(match, "cookie")


ADDRESS_WORDS = frozenset(
    ["getconnection", "tochararray", "login", "credentials", "users", "accounts", "auth", "asic"]
    + [
        "sig",
        "signature",
        "plain",
        "appid",
        "encrypt",
        "cookie",
        "snmp",
        "random",
        "jdbc",
        "community",
        "passwords",
        "passw",
    ]
    + [word_of(anchor) for anchor, _ in _PAIRS]
)
_SASL = re.compile(r"AUTH PLAIN (?P<value>[A-Za-z0-9+/]{8,400}={0,2})")
_GOSSIP = re.compile(
    r"""encrypt["']?\s{0,8}[:=]\s{0,8}["']?"""
    r"""(?P<value>[A-Za-z0-9+/]{22}==|[A-Za-z0-9+/]{43}=)(?![\w+/=])"""
)
"""The key with which Consul's and Nomad's servers talk to each other."""


def _is_sasl(encoded: str) -> bool:
    try:
        return base64.b64decode(encoded).count(b"\0") == 2
    except (binascii.Error, ValueError):
        return False


def _is_pair(encoded: str) -> bool:
    try:
        plain = base64.b64decode(encoded[: len(encoded) // 4 * 4])
    except (binascii.Error, ValueError):
        return False
    user, colon, secret = plain.partition(b":")
    return bool(colon and user and secret) and plain.isascii() and plain.decode().isprintable()


def _in_tables(text: str) -> Iterator[Candidate]:
    """Yield the cells of a Markdown table's password column."""
    done = 0
    for hit in find_places(text, "assw"):
        start = text.rfind("\n", max(0, hit - 400), hit) + 1
        newline = text.find("\n", hit, hit + 400)
        if hit < done or newline < 0 or not text.startswith("|", start):
            continue
        rule = _RULE_LINE.match(text, newline + 1)
        if rule is None and not text.endswith("|===\n", 0, start):
            continue
        heads = text[start:newline].lower().split("|")
        columns = [at for at, head in enumerate(heads) if _is_column(head)]
        done = rule.end() if rule else newline + 1
        while text.startswith("|", done) and not text.startswith("|===", done):
            newline = text.find("\n", done)
            end = newline if newline >= 0 else len(text)
            yield from _cells(text[done:end], done, columns)
            done = end + 1


def _in_separated_values(text: str) -> Iterator[Candidate]:
    """Yield the cells of a password column in text with commas, tabs or semicolons."""
    newline = text.find("\n", 0, 1_000)
    head = text[: max(newline, 0)]
    separator = next((char for char in ",;\t" if char in head), "")
    if not separator or "passw" not in head.lower():
        return
    columns = [at for at, cell in enumerate(head.lower().split(separator)) if _is_column(cell)]
    at = newline + 1
    while columns and at < len(text):
        newline = text.find("\n", at)
        end = newline if newline >= 0 else len(text)
        yield from _cells(text[at:end], at, columns, separator)
        at = end + 1


def _is_column(cell: str) -> bool:
    return "passw" in cell and len(cell) < 40 and cell.strip().count(" ") < 2


def _cells(row: str, start: int, columns: list[int], separator: str = "|") -> Iterator[Candidate]:
    cells = row.split(separator)
    for column in columns:
        if column >= len(cells):
            continue
        value = cells[column].strip().strip("`*\"'")
        if is_mixed(value) or is_password(value):
            begin = start + len(separator.join(cells[:column])) + 1 + cells[column].find(value)
            yield Candidate(begin, begin + len(value), "password", "form")
