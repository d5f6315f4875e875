"""Values that a name gives away: assigned to it, passed as it, keyed by it, or its default.

A cheap search finds the words that such names hold. Around each of them one bounded expression
looks for an operator and a value. So the time is linear in the text, for any content.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Literal, NamedTuple

from bot.context.secrets.candidate import Candidate, Written
from bot.context.secrets.judgement.names import (
    Strength,
    is_key_name,
    is_password_name,
    is_sole_password,
    secret_strength,
)
from bot.context.secrets.judgement.passwords import (
    is_marked_password,
    is_password,
    is_word_secret,
    is_words_secret,
)
from bot.context.secrets.judgement.randomness import is_random, is_uuid
from bot.context.secrets.judgement.references import is_encrypted, is_harmless
from bot.context.secrets.judgement.values import is_dense, is_mixed, is_mnemonic, is_typed
from bot.context.secrets.nearby import KEY_AFTER, USER, in_login, in_statement, is_login
from bot.context.secrets.word_search import find_places, word_of

_WORDS = {
    word_of(word): word.encode()
    for word in (
        "pass",
        "pw",
        "secret",
        "token",
        "cred",
        "auth",
        "key",
        "bearer",
        "login",
        "connect",
        "psk",
        "jwt",
        "salt",
        "pepper",
        "mnemonic",
        "sessionid",
        "erlang",
    )
}
"""The words of secrets' names, by the longest run of letters in each."""
_NAME_CHARACTERS = (string.ascii_letters + string.digits + "_-$.").encode()
_NAME_SHAPE = bytes(0x61 if byte in _NAME_CHARACTERS else 0x20 for byte in range(256))
_FARTHEST = 100
"""Characters of a name that are looked at, before and after the word that was found."""

_GAP = r"[ \t]{0,60}(?:\n[ \t]{0,120}){0,2}"
_QUOTE = r"\\{0,4}(?:\"\"\"|'''|``|[\"'`])"
_SPACE = r"[ \t]{0,40}"
_TYPE = r"[&*\w\[][\w.<>\[\]|?'&,;* ]{0,60}?"
_ASSIGN = rf"[ \t]{{0,20}}=(?![=>]){_GAP}"
_SIGNS = r"\|\|=?|\?\?=?|:=|:-|=>|<-|={1,3}|!={1,2}|\?=|\+=|\*{0,3}:{1,2}\*{0,3}|\?:|->|<<<"
_VALUE_KEY = r"""["']?\w{0,20}(?i:value)["']?[ \t]{0,40}[:=][ \t]{0,4}"""
_OPERATOR = re.compile(
    rf"""
    (?P<close>{_QUOTE})?
    (?:\)|\]['"]?|\}}|\?|!|\*{{1,3}}|\[\w{{0,10}}\]){{0,3}}
    (?:
        {_SPACE}:{{1,2}}[ \t]{{0,8}}{_TYPE}{_ASSIGN}          # password: str = "…"
      | (?(close)(?!))[ \t]{{1,40}}(?:[Aa]s[ \t])?[*\w.\[\]]{{1,40}}{_ASSIGN}
                                                          # var password string = "…"
      | [ \t]{{0,4}}\{{[^{{}}\n]{{0,40}}\}}{_ASSIGN}           # Password {{ get; set; }} = "…"
      | {_SPACE}(?P<sign>{_SIGNS}){_GAP}(?:[&!]{{1,2}}\w{{1,40}}[ ])?  # password = "…"
      | [ \t]{{0,20}}[:=][ \t]{{0,8}}(?:<%=)?[ \t]?[\w.$\[\]()'"-]{{1,60}}
        [ \t]{{0,4}}(?:\|\||\?\?|or)[ \t]{{0,4}}             # secret = options.x || "…"
      | [ \t]{{1,4}}(?:or|eq|is|As|AS|BY|by)[ \t:]{{1,4}}   # getenv("PASSWORD") or "…"
      | (?(close)[ \t]to[ \t]{{1,4}}|(?!))                   # "password" to "…"
      | \.(?:orElse|getOrElse|unwrap_or|ifEmpty)\w{{0,8}}\(\{{?[ ]?  # getenv("SECRET").orElse("…")
      | {_GAP},?{_GAP}(?:-[ ])?{_VALUE_KEY}                 # name: PASSWORD, value: "…"
      | ,?[ \t]{{0,8}}\n
        (?:[ \t]{{0,40}}["']?\w{{1,30}}["']?[ \t]{{0,20}}[:=][^\n{{}}]{{0,100}}\n){{1,3}}
        [ \t]{{0,60}}{_VALUE_KEY}                           # name = "password" … value = "…"
      | (?P<comma>,){_GAP}                                  # setenv("PASSWORD", "…")
      | (?P<call>\(){_GAP}                                  # setPassword("…")
      | (?P<space>[ \t]{{1,40}})(?=[@"'`])                  # #define PASSWORD "…"
      | \(\)[ \t]{{0,4}}(?:(?:->|:)[ ]?[\w.&']{{1,30}})?[ \t]{{0,4}}[:={{]\s{{0,40}}
        (?:return[ ])?                                      # getPassword() {{ return "…"; }}
      | \{{(?=")                                            # string password{{"…"}}
      | \)[ \t]{{0,4}}\{{[ \t]{{0,4}}                         # ENV.fetch("PASSWORD") {{ "…" }}
      | [ \t]{{1,4}}(?:[\w:]{{1,20}}="[^"\n]{{0,60}}"[ \t]{{1,4}})?
        (?:\w{{1,20}}:)?(?i:value)[ \t]{{0,4}}=[ \t]{{0,4}}      # key="password" value="…"
      | [ \t]{{0,4}}(?:[=:][ \t]{{0,4}})?\{{[^{{}}]{{0,400}}?
        \b(?:default|value)["']?{_SPACE}[=:]{_SPACE}              # variable "x" {{ default = "…"
    )
    (?P<wrap>
      (?:(?:new[ \t]|await[ \t]|[&*])?[A-Za-z_$\[][\w.:$\]]{{0,60}}(?:<[\w, ]{{0,30}}>)?
        [(\[{{!]{{1,2}}{_GAP} | [(\[]{_GAP} | \{{\{{[ ]? | \$\{{[\w:.-]{{1,60}},[ ]?
      ){{0,3}}
    )
    (?:[*&]?[bBrRuUfFlL]{{1,2}}|@|\$|[qQ]{{1,2}})?\#{{0,3}}
    (?P<quote>{_QUOTE})
    """,
    re.VERBOSE,
)
"""From the end of a name to the opening quote of its value."""
_GETTER = re.compile(
    r"(?:^|[._:\s])(?:get|env|getenv|fetch|read|load|lookup|find|resolve|param|t|tr|_|gettext|translate"
    r"|input|prompt|getpass|print|printf|log|len|require|import|include|open|config|data|ref|var|Var"
    r"|contains|startsWith|starts_with|has|index|query|querySelector|errorf?|Errorf?|New|raise|throw"
    r"|describe|test|it|match|compile|re|regexp?|Get\w*|get[A-Z_]\w*|find[A-Z_]\w*|\w*[eE]rror"
    r"|\w*Exception|read[A-Z_]\w*|load[A-Z_]\w*)[(\[{!]{1,2}\s*$"
)
"""Calls whose argument is the name of a secret, a message or a path."""

_VERBS = frozenset(["pass", "token", "key", "auth", "secret"])
"""Words of prose: only an operator makes them the name of what follows."""

_BARE_OPERATOR = re.compile(
    r"""(?P<close>\\{0,4}["'`])?[)\]*]{0,3}[ \t]{0,40}"""
    r"""(?:(?:=>|<-|<<<|\?=|={1,2}|(?P<cell>\|)|:[=:-]?)\*{0,3}[ \t]{0,40}"""
    r"""(?:[&!]{1,2}\w{1,40}[ \t]{1,4}(?=\S))?(?:(?:[|>][+-]?\d?)?\n[ \t]{1,80})?"""
    r"""|[ \t]{1,4}(?:for|of|on)[ ](?:[\w.-]{1,30}[ ]){0,5}[\w.-]{1,30}[:=][ \t]{1,8}"""
    r"""|(?P<space>[ \t]{1,40}(?:(?:(?:for|of|on|to)[ ](?:[\w.-]{1,30}[ ]){1,6})?"""
    r"""(?:is|was)[ \t:]{1,4})?\*{0,3}))"""
    r"""(?P<scheme>(?:Basic|Bearer|Token|ApiKey|token|bearer|basic)[ \t]{1,4})?"""
)
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
_BARE_VALUE = re.compile(r"[^\s\"'`<>]{1,400}")
_BARE_REST = re.compile(r"[^\s\"'`<>]*")
_VALUE_BEFORE = re.compile(
    r"""(?i:value)["']?[ \t]{0,8}[:=][ \t]{0,8}(?P<quote>["']?)(?P<value>[^\s"'{}]{4,200})"""
    r"""(?P=quote)[ \t]{0,8},?[ \t]{0,8}\n?"""
    r"""[ \t]{0,80}["']?(?i:name|key)["']?[ \t]{0,8}[:=][ \t]{0,8}["']?\Z"""
)
_RESULT_COMPARED = re.compile(r"\)[ \t]?[=!]={1,2}")
"""`hash(token) == "…"`: the result of a call is compared, not the secret."""
_SET_BEFORE = re.compile(
    r"""\bset\w{0,12}\([ ]?@?"(?P<value>[^"\n]{4,200})",?[ ]forKey:[ ]?@?"\Z"""
)
"""`set("…", forKey: "password")`: Swift and Objective-C put the value before its name."""
_SCHEME = re.compile(
    r"(?:Basic|Bearer|Token|ApiKey|AccessKey|token|bearer|basic|SSWS|GenieKey)[ \t]+"
)
_METHOD = re.compile(r"\.(?:equals(?:IgnoreCase)?|eq|compareTo|set|push|add|append|new)\Z")
_REFERENCE = re.compile(r":-?(?P<value>[^}\s\"'$]{4,200})\}")
"""The default of `${db.password:…}`, as Spring writes it within any text."""
_QUOTE_LIKE = re.compile(
    r"(?:[\"']?[}\]])?[ \t]{0,20}(?:(?:\|\||//)?=>?|:|,)[ \t]{0,20}"
    r"(?:(?:%[qQ]?|q{1,2})[({\[|/!<](?P<value>[^\s)}\]|/!>]{4,200})[)}\]|/!>]"
    r"|\[\[(?P<long>[^\]\n]{4,200})\]\]"
    r"|<<<?[~-]?[\"']?\w{1,40}[\"']?[^\n]{0,40}\n[ \t]{0,80}(?P<row>\S{4,400})\n)"
)
"""Literals without quotes in Ruby, Perl and Lua, and the one line of a heredoc."""
_BYTES = re.compile(
    r"(?:\[[^\]\n]{0,20}\]){0,2}[ \t]{0,20}(?::[ ]?[\[\]\w; ]{1,20})?(?::?=|:)"
    r"[ \t]{0,20}\n?[ \t]{0,40}(?:[\w.!\[\] ]{1,30})?[\[{(]{1,2}\s{0,40}"
    r"(?P<value>(?:0x[0-9A-Fa-f]{1,2}|\d{1,3})"
    r"(?:\s{0,40},\s{0,40}(?:0x[0-9A-Fa-f]{1,2}|\d{1,3})){15,4000})"
)
"""A key as a list of bytes."""
_DISTINCT_BYTES = 10
_TYPED_INTO = re.compile(
    r"""[]*:. ]{0,3}[\\]?["'`][]"'`]{0,3}(?:\){1,3}\s{0,80}\.(?:first\(\)\.|clear\(\)\.)?"""
    r"""(?:fill|type|sendKeys|send_keys|setValue|set_value|set|typeText|enterText|replaceText|input)"""
    r"""\w{0,12}\(|[ ]?,[ ]with:[ ]|[ ]?,[ ]:with[ ]=>[ ])\s{0,8}["'`](?P<value>[^"'`\n{]{4,100})"""
)
"""A password that a test types into a form: `getByLabel("Password").fill("…")`."""
_SHELL_DEFAULT = re.compile(r"""=["']?\$\{\w{1,40}:?[-=](?P<value>[^}\s"'$]{4,200})\}""")
"""`PASSWORD=${1:-…}`"""
_GROUPS = re.compile(
    r"[\"']?[ \t]{0,8}[:=][ \t]{0,8}(?P<value>[a-z]{4}(?: [a-z]{4}){3})[ \t]{0,8}(?:\n|\Z)"
)
"""A password that Google makes for one program."""
_DEFAULT_BEFORE = re.compile(
    r'\bdefault(?:_value)?\s{0,4}=\s{0,4}"(?P<value>[^"\n]{4,200})"'
    r'[^"\n]{0,20}\]\s{0,80}(?:pub )?\Z'
)
"""The default in a Rust attribute, which stands before its field."""
_NEXT_PART = re.compile(
    r"""["'`]\s{0,80}(?:[+.&\\]\s{0,80})?(?:[bBrRuUfF]{1,2})?(?P<quote>["'`])(?P<value>[^"'`\s\\]{8,400})(?P=quote)"""
)
"""A literal that continues the one before: both are one text."""
_NEXT_ITEM = re.compile(
    r"""["'`]\s{0,40},\s{0,80}(?P<quote>["'`])(?P<value>[^"'`\n]{4,400})(?P=quote)(?!\s{0,20}(?::|=>))"""
)
_DSN = re.compile(
    r"(?:\b(?:server|data source|host|hostaddr|uid|user(?: ?id)?|dbname|database"
    r"|initial catalog|driver|endpoint|accountname|port|sslmode)\s{0,4}=)|jdbc:|[?&]\w+=",
    re.IGNORECASE,
)
_LOGINS = {
    "php": {"PDO": 2, "mysqli": 2, "mysqli_connect": 2, "ftp_login": 2, "ldap_bind": 2},
    "go": {"NewDialer": 3},
    "csharp": {"new SftpClient": 2, "new SshClient": 2, "CreateAsync": 1},
    "code": {"postgresql_password": 1, "mysql_password": 0},
    "c": {"mysql_real_connect": 3, "WiFi.begin": 1},
    "cpp": {"mysql_real_connect": 3, "WiFi.begin": 1},
    "python": {
        "FTP": 2,
        "FTP_TLS": 2,
        "simple_bind": 1,
        "simple_bind_s": 1,
        "create_user": 2,
        "create_superuser": 2,
    },
    "javascript": {"new Sequelize": 2},
    "typescript": {"new Sequelize": 2},
}
"""Calls that take a user and a password although no word of their names says so, and the place of
the password among their arguments."""
_OF_OTHERS_TOO = frozenset(["CreateAsync"])
"""Calls of which only some take a password."""
NAME_WORDS = frozenset(_WORDS) | {word_of(call) for calls in _LOGINS.values() for call in calls}
_ENCODER = re.compile(r"\{(?:noop|plain|cipher|pbkdf2|scrypt|sha256|ldap|MD5)\}")
_WITHOUT_STATEMENTS = frozenset(["prose", "xml", "config", "yaml"])
_LINE_SIDE = 400
_LONGEST = 4_000
_JUDGED = 400
"""Characters of a quoted and of a bare value that are judged."""
_CUT_IN_TEXT = re.compile(r"[;,&)}\\|]|:$")


def name_hits(data: bytes, words: frozenset[str]) -> list[int]:
    """Return the places of the words of secrets' names, in order.

    `words` are those of `NAME_WORDS` that the data holds.
    """
    hits: list[int] = []
    if words.isdisjoint(_WORDS):
        return hits
    lower = data.lower()
    for gate, word in _WORDS.items():
        at = lower.find(word) if gate in words else -1
        while at >= 0:
            hits.append(at)
            at = lower.find(word, at + len(word))
    hits.sort()
    return hits


def in_logins(text: str, words: frozenset[str], kind: str) -> Iterator[Candidate]:
    """Yield passwords among the arguments of the calls that log in, in the languages with such."""
    for word, place in _LOGINS.get(kind, {}).items():
        for at in find_places(text, word) if word_of(word) in words else ():
            yield from in_login(text, at + len(word), word, place, word not in _OF_OTHERS_TOO)


def assigned(text: str, hits: list[int], kind: str) -> Iterator[Candidate]:
    """Yield the values of names that stand at the hits. `text` has one character a byte."""
    done = 0
    shape = text.encode("latin-1").translate(_NAME_SHAPE)
    for hit in hits:
        if hit < done:
            continue
        start, end = _name_at(text, shape, hit)
        done = end
        meaning = _meaning(text[start:end])
        if meaning is _NOTHING:
            continue
        name, strength, takes_login, is_key, is_password_name, label = meaning
        if text.endswith("checksum/", 0, start) or _is_of_arn(text, start, end):
            continue
        if takes_login:
            yield from in_login(text, end, name)
        if strength is None and is_key:
            if name.isalpha():
                strength = _strength_in_prose(text, start)
                strength = strength or _strength_of_parent(text, start, end)
                label = _label(name, strength) if strength else label
            if strength is None and not text.endswith(_PUBLIC, max(0, start - 7), start):
                yield from _decoded_key(text, end, kind)
        if strength is None or _RESULT_COMPARED.match(text, end):
            continue
        proof: Proof = "typed"
        # In YAML, the value of `secret` is often the name of one.
        if strength == "password" and (is_password_name or kind != "yaml" or name.isupper()):
            proof = "likely" if is_password_name else "marked"
        if proof != "likely" and strength == "password" and _is_of_session(text, start, end, kind):
            proof = "sole"
        literal = _literal(text, end, name)
        if literal is not None:
            at, to, is_assigned = literal
            if proof == "likely" and not (is_assigned or _is_set(text, start, end, at, to)):
                proof = "marked"
            value = text[at:to]
            test = proof
            if proof == "likely" and kind != "prose" and _is_told(text, start, end, literal, kind):
                test = "sole"
            scheme = _SCHEME.match(value)
            prefix = scheme or _ENCODER.match(value)
            if name.lower().endswith(("userpwd", "userpass")):
                prefix = USER.match(value)
            if prefix:
                at += prefix.end()
                value = text[at:to]
            certain = bool(scheme) or (
                len(value) >= _shortest(name) and _is_own(name) and is_mixed(value)
            )
            if _counts(value, strength, test, certain) or _is_seed_phrase(value, name):
                yield Candidate(at, to, label, "quotes")
                yield from _following(text, end, at, to, strength, label)
                continue
            if value.strip() in _SCHEMES and (part := _NEXT_PART.match(text, to)):
                yield Candidate(*part.span("value"), label, "quotes")
                continue
        bare = [*_unusual(text, start, end, strength, proof, kind, label)]
        bare = bare or [*_bare(text, start, end, name, strength, proof, kind, label)]
        if kind == "yaml" and name.endswith("s"):
            bare += _listed(text, end, strength, label)
        is_told = literal is not None and _DIRECT.match(text, end) is not None
        is_verb = text[end : end + 1] == " " and name in _VERBS
        if not (bare or is_told or is_verb) and kind not in _WITHOUT_STATEMENTS:
            bare = [*in_statement(text, start, end, strength)]
            if bare:
                bare += _following(text, end, bare[0].start, bare[0].end, strength, label)
        for candidate in bare:
            done = max(done, candidate.end)
            yield candidate


def _is_of_arn(text: str, start: int, end: int) -> bool:
    """Tell whether a word is a part of an address of AWS: `arn:aws:…:secret:…`."""
    return (
        text[start - 1 : start] == ":"
        and text[end : end + 1] == ":"
        and "arn:" in text[max(0, start - 80) : start]
    )


def _name_at(text: str, shape: bytes, hit: int) -> tuple[int, int]:
    # This runs for each hit: a call of `max` would take as long as the search.
    start = shape.rfind(b" ", hit - _FARTHEST if hit > _FARTHEST else 0, hit) + 1
    if not start and hit > _FARTHEST:
        start = hit - _FARTHEST
    end = shape.find(b" ", hit, hit + _FARTHEST)
    if end < 0:
        end = min(len(text), hit + _FARTHEST)
    while text[end - 1] in "-.$":
        end -= 1
    return start, end


class _Meaning(NamedTuple):
    """What a name says: the name without a method, and which values it may have."""

    name: str
    strength: Strength | None
    takes_login: bool
    is_key: bool
    is_password: bool
    label: str


_NOTHING = _Meaning("", None, False, False, False, "")


@lru_cache(maxsize=16_384)
def _meaning(written: str) -> _Meaning:
    name = _METHOD.sub("", written)
    strength = secret_strength(name)
    is_key = strength is None and is_key_name(name)
    is_password = strength == "password" and is_password_name(name)
    takes_login = is_login(name)
    if strength is None and not takes_login and not is_key:
        return _NOTHING
    label = _label(name, strength or "key")
    return _Meaning(name, strength, takes_login, is_key, is_password, label)


def _strength_in_prose(text: str, start: int) -> Strength | None:
    """Judge the `key` of `API key` and `secret key`, names of two words in prose."""
    if start < 2 or text[start - 1] not in " -":
        return None
    head = text[max(0, start - 20) : start - 1]
    before = head[len(head.rstrip(string.ascii_letters)) :]
    return secret_strength(f"{before}_key") if before else None


_DIRECT = re.compile(r"""["'`]?\s{0,4}[:=]\s{0,4}["'`][^"'`\n]{0,200}["'`]\s{0,4}[,;})\]]""")
"""A name with a literal of its own: what follows belongs to other names."""
_PARENT = re.compile(r"""["']?(\w{1,60})["']?[ \t]{0,8}[:=(]?[ \t]{0,8}\Z""")


_MEMBER = re.compile(r"""["']?[ \t]{0,8}[:=][ \t]{0,8}["'](?P<value>[^"'\s]{8,400})["']""")


def _strength_of_parent(text: str, start: int, end: int) -> Strength | None:
    """Judge the `key` of `"Jwt": {"Issuer": "…", "Key": "…"}` by the name of its object."""
    member = _MEMBER.match(text, end)
    if member is None or not is_marked_password(member["value"]):
        return None
    floor = max(0, start - _LINE_SIDE)
    opening = text.rfind("{", floor, start)
    closing = text.rfind("}", floor, start)
    while closing > opening >= 0:
        closing = text.rfind("}", floor, opening)
        opening = text.rfind("{", floor, opening)
    parent = _PARENT.search(text, max(floor, opening - 80), opening) if opening >= 0 else None
    return secret_strength(f"{parent[1]}_key") if parent else None


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


def _decoded_key(text: str, end: int, kind: str) -> Iterator[Candidate]:
    """Yield a key that is decoded from base64 or from hexadecimal digits: `KEY = fromhex("…")`."""
    found = _DECODED.match(text, end)
    if found and is_marked_password(found["value"]):
        yield Candidate(*found.span("value"), "key", "quotes")
    elif kind not in {"json", "yaml"} and (own := _OWN_KEY.match(text, end)):
        value = own["value"]
        both_cases = all(sum(map(case, value)) >= 3 for case in (str.isupper, str.islower))
        if both_cases and is_random(value):
            yield Candidate(*own.span("value"), "key", "quotes" if kind != "config" else "bare")


def _label(name: str, strength: Strength) -> str:
    lower = name.lower()
    for word in ("password", "passwd", "pwd", "passphrase", "pass"):
        if word in lower:
            return "password"
    if "token" in lower or "bearer" in lower:
        return "token"
    if "secret" in lower or strength == "password":
        return "secret"
    return "key"


def _literal(text: str, end: int, name: str) -> tuple[int, int, bool] | None:
    """Return the span of the literal that the name at `end` is given, and if a sign assigns it."""
    match = _OPERATOR.match(text, end)
    if match is None:
        return None
    is_option = name.startswith("CURLOPT_")
    before = text[end - len(name) - 1 : end - len(name)]
    if match["comma"] and not match["close"] and not is_option and before != "{":
        return None
    if match["call"] and match["close"]:
        return None
    wrap = match["wrap"]
    if wrap and _GETTER.search(wrap):
        return None
    quote = match["quote"]
    at = match.end()
    to = _closing(text, at, quote)
    if to is None:
        return None
    if match["space"] and name.lower() in _VERBS and not is_random(text[at:to]):
        return None
    if len(quote) > 2:
        at += len(text[at:to]) - len(text[at:to].lstrip())
        to = max(at, at + len(text[at:to].rstrip()))
    compared = (match["sign"] or "").startswith(("==", "!="))
    if not compared and KEY_AFTER.match(text, to + len(quote)):
        return None
    is_assigned = match["call"] is None and (
        match["comma"] is None or is_option or _has_default(text, end - len(name))
    )
    if text.startswith("\\", at) and text.endswith(text[at : at + 2], at + 2, to):
        return at + 2, to - 2, is_assigned
    if to - at > 2 and text[at] in "\"'" and text[to - 1] == text[at]:
        return at + 1, to - 1, is_assigned
    return at, to, is_assigned


_WITH_DEFAULT = re.compile(
    r"""(?:(?i:env\w{0,12}|environ\.get|putenv)|ENV\.fetch|setProperty|define)\(\s{0,8}["'][\w.]{0,60}\Z"""
)
"""Calls that take the name of a setting and its value: `getenv("PASSWORD", "…")`."""


def _has_default(text: str, start: int) -> bool:
    return _WITH_DEFAULT.search(text, max(0, start - 90), start) is not None


def _closing(text: str, at: int, quote: str) -> int | None:
    """Return the end of a literal. A quote that is escaped once more does not end it."""
    # The quote comes first: seeking the line's end would read a text of one line for each name.
    to = text.find(quote, at)
    while to > at and text[to - 1] == "\\" and not text.endswith("\\\\", at, to):
        to = text.find(quote, to + 1)
    of_one_line = len(quote.lstrip("\\")) == 1 and quote != "`"
    if to < 0 or (of_one_line and text.find("\n", at, to) >= 0):
        return None
    return to


def _is_own(name: str) -> bool:
    """Tell whether a name means a credential of an interface, of any length."""
    letters = name.lower().replace("_", "").replace("-", "").replace(".", "")
    return letters.endswith(
        ("apikey", "accesskey", "apitoken", "accesstoken", "authtoken", "signingsalt")
    )


Proof = Literal["typed", "marked", "likely", "sole"]
"""How well a place proves that it holds a password. A `likely` one needs a digit only, a `sole` one
may be a word."""
_TESTS: dict[Proof, Callable[[str], bool]] = {
    "typed": is_typed,
    "marked": is_marked_password,
    "likely": is_password,
    "sole": is_words_secret,
}


def _shortest(name: str) -> int:
    return 8 if name.lower().endswith("salt") else 12


def _counts(value: str, strength: Strength, proof: Proof = "typed", certain: bool = False) -> bool:
    if len(value) > _LONGEST:
        value = value[:_LONGEST]
    if strength == "password" or certain:
        return _TESTS[proof](value) or (
            is_uuid(value) and strength == "password" and not is_harmless(value)
        )
    return is_random(value) or is_dense(value)


def _is_seed_phrase(value: str, name: str) -> bool:
    return name.lower().endswith("mnemonic") and is_mnemonic(value)


def _following(
    text: str, end: int, at: int, to: int, strength: Strength, label: str
) -> Iterator[Candidate]:
    """Yield the literals that continue a secret, and the further items of its list."""
    part = _NEXT_PART.match(text, to)
    while part:
        yield Candidate(*part.span("value"), label, "quotes")
        part = _NEXT_PART.match(text, part.end("value"))
    if "[" in text[end:at] or "{" in text[end:at]:
        item = _NEXT_ITEM.match(text, to)
        while item:
            if _counts(item["value"], strength):
                yield Candidate(*item.span("value"), label, "quotes")
            item = _NEXT_ITEM.match(text, item.end("value"))


def _unusual(
    text: str, start: int, end: int, strength: Strength, proof: Proof, kind: str, label: str
) -> Iterator[Candidate]:
    """Yield a value in a language's own way of writing: heredocs, `%q(…)`, `${name:…}`."""
    found = _SHELL_DEFAULT.match(text, end) if kind == "shell" else None
    if found:
        if _counts(found["value"], strength, proof):
            yield Candidate(*found.span("value"), label)
        return
    if proof == "likely" and kind not in _WITHOUT_STATEMENTS and kind != "json":
        typed = _TYPED_INTO.match(text, end)
        if typed and is_word_secret(typed["value"]):
            yield Candidate(*typed.span("value"), label, "quotes")
            return
    if strength == "password" and (bytes_found := _BYTES.match(text, end)):
        if len(set(bytes_found["value"].split(","))) >= _DISTINCT_BYTES:
            yield Candidate(*bytes_found.span("value"), label, "form")
        return
    if proof == "likely" and (groups := _GROUPS.match(text, end)):
        yield Candidate(*groups.span("value"), label)
        return
    if text.endswith("${", max(0, start - 2), start):
        found = _REFERENCE.match(text, end)
    elif kind in _WITH_QUOTE_LIKE:
        found = _QUOTE_LIKE.match(text, end)
    elif kind == "rust" and text.endswith(("] ", "]\n", "pub "), max(0, start - 4), start):
        found = _DEFAULT_BEFORE.search(text, max(0, start - 320), start)
    if found:
        named = found.groupdict()
        group = next(name for name in ("value", "row", "long") if named.get(name))
        if _counts(found[group], strength, proof):
            yield Candidate(*found.span(group), label, "form")


def _bare(
    text: str,
    start: int,
    end: int,
    name: str,
    strength: Strength,
    proof: Proof,
    kind: str,
    label: str,
) -> Iterator[Candidate]:
    """Yield a value that stands without quotes, if the kind of text writes values so."""
    loose = kind not in _BARE_KINDS
    # A line of a shell within the text of another language.
    is_exported = text.endswith("export ", max(0, start - 7), start)
    if kind != "prose" and (before := _value_before(text, start)) is not None:
        if _counts(before[2], strength, proof):
            yield Candidate(before[0], before[1], label)
        return
    found = _bare_span(text, start, end, name, kind)
    if found is None:
        return
    at, to, how = found
    value = text[at:to]
    if how == "scheme":
        accepted = is_typed(value) and len(value) >= 8
    elif how == "pair":
        accepted = is_marked_password(value)
    elif strength == "key":
        accepted = (
            is_random(value)
            or (_is_own(name) and len(value) >= _shortest(name) and is_mixed(value))
            or (name == "authToken" and _is_trigger(text, start, to))
        )
    elif how == "verb":
        accepted = is_mixed(value) and any(map(str.isdigit, value))
    elif how == "space" and not name.startswith("-") and name not in _DIRECTIVES:
        accepted = is_mixed(value) and not _SETTING.match(value)
    elif loose or kind == "prose":
        accepted = is_mixed(value)
        is_option = how == "space" and name.startswith("-")
        if not accepted and (how == "sign" or is_option) and not _CODE_SIGN.search(value):
            is_told = kind == "xml" or _is_alone(text, start, to) or _is_connection(text, start, to)
            test = _TESTS[proof] if is_told else is_marked_password
            accepted = proof == "likely" and test(value)
            if kind == "xml" and not accepted:
                accepted = proof == "likely" and _is_element(text, start, end, to, name)
                accepted = accepted and is_word_secret(value)
    else:
        if proof == "likely" and _is_sole(text, start, end, found, name, kind):
            proof = "sole"
        accepted = (
            value[-1:] not in ("[", "(")
            and _counts(value, strength, proof)
            and not (how == "space" and _SETTING.match(value))
        )
        phrase = _WORDS_TO_END.match(text, at) if proof == "sole" and how == "sign" else None
        if phrase and is_words_secret(phrase["value"]):
            accepted, to = True, phrase.end("value")
        elif proof == "sole" and accepted and how == "sign" and _MORE_WORDS.match(text, to):
            accepted = is_password(value)
    if accepted:
        written: Written = "form" if is_exported and how == "sign" else "bare"
        yield Candidate(at, _find_value_end(text, at, to), label, written)


def _is_trigger(text: str, start: int, to: int) -> bool:
    """Tell whether `<authToken>` holds the word that starts a job of Jenkins."""
    tag = _IN_TAG.match(text, start - 1, to + 2)
    return tag is not None and is_word_secret(text[text.find(">", start) + 1 : to])


_MORE_WORDS = re.compile(r"[ \t]{1,4}[A-Za-z\x80-\xff]{2,}[^\n:=]{0,60}(?:\n|\Z)")
"""A sentence goes on behind its first word."""


def _is_sole(
    text: str, start: int, end: int, found: tuple[int, int, str], name: str, kind: str
) -> bool:
    """Tell whether a value without quotes stands in a place that holds nothing but a password."""
    at, to, how = found
    between = text[end:at]
    if how == "space":
        return name.lstrip("-") in _SOLE_DIRECTIVES or (name[0] == "-" and is_sole_password(name))
    if how != "sign" or ("\n" in between and not between.lower().rstrip().endswith("default:")):
        return False
    if text[start - 1 : start] in ("$", "{"):
        return False
    if is_sole_password(name):
        return True
    return text[at].islower() and (
        (kind == "config" and "." in name and not _OF_MESSAGES.search(name))
        or _is_beside_user(text, start, to)
        or _is_of_service(text, start, name)
        or "--set" in text[max(0, start - 80) : start].rpartition("\n")[2]
    )


_WORDS_TO_END = re.compile(r"(?P<value>[a-z][\w'! -]{6,80}\w)[ \t]*(?:\n|\Z)", re.ASCII)
"""A phrase that is the rest of its line."""
_OF_MESSAGES = re.compile(
    r"(?i)err|valid|label|msg|message|i18n|title|hint|rule|placeholder|schema"
)
_ASSIGNED = re.compile(r"[^\n\"']{0,60}(?:(?<![=!<>])=|<-)[ \t]{0,8}\\{0,2}[\"'`@]\Z")
_BESIDE = (
    r"(?:user(?:[_-]?name)?|login|e?mail|uid|host(?:[_-]?name)?)"
    r"\\{0,2}[\"']?\s{0,4}(?::=|[:=]|=>)\s{0,8}\\{0,2}[\"']?[\w.@]"
)
_USER_BEFORE = re.compile(
    rf"(?is)(?:\A|[^a-z]|[^a-z]with){_BESIDE}[^\n]{{0,120}}\n?[^\n]{{0,120}}\Z"
)
_USER_AFTER = re.compile(rf"(?i)[^\n]{{0,60}}\n?[^\n]{{0,20}}[^a-z\n]{_BESIDE}")
_IN_CONFIG = re.compile(r"(?:\A|\n)config[ ]:[^\n]{1,200}(?:\n[ \t]{1,20}[^\n]{0,200}){0,12}\Z")
"""A statement of a configuration in Elixir."""
_NAME_BEFORE = re.compile(r"""\bname:[ ]["']?[\w.@-]{2,40}["']?(?:,[ ]|\n[ ]{2,40})["']?\Z""")
"""A user of a list in YAML: `{name: reader, password: …}`."""
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


def _is_of_service(text: str, start: int, name: str) -> bool:
    """Tell whether a setting in YAML, INI or TOML stands in the block of a service or a user."""
    return (
        is_sole_password(f"{_parents(text, start)}_{name}")
        or _NAME_BEFORE.search(text, max(0, start - 100), start) is not None
    )


_LOWER_VALUE = re.compile(r"[ \t]{0,20}=[ \t]{0,20}[\"']?[a-z]")
_OF_SESSIONS = frozenset(["session", "jwt", "cookie", "cookies", "sessions"])


def _is_of_session(text: str, start: int, end: int, kind: str) -> bool:
    """Tell whether a `secret` is the one that signs sessions, or a server's.

    `session: {secret: …}`, and `secret = …` in a server's settings.
    """
    name = text[start:end].lower().replace("_", "").replace("-", "")
    if name != "secret":
        return name.endswith(("cookiesecret", "sessionsecret"))
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


_OF_PAIR = re.compile(r"""["'],\s{0,80}["']value["']:\s{0,8}["']\Z""")


def _is_beside_user(text: str, start: int, to: int) -> bool:
    """Tell whether the user of a password stands on its line, or on the one before or after."""
    return (
        _USER_BEFORE.search(text, max(0, start - 160), start) is not None
        or _USER_AFTER.match(text, to) is not None
    )


def _is_set(text: str, start: int, end: int, at: int, to: int) -> bool:
    """Tell whether a literal is the only argument of a setter: `setPassword("…")`."""
    is_setter = text.startswith(("set", "Set"), start) or ".set" in text[start:end].lower()
    return is_setter and text[end:at] == '("' and text.startswith('")', to)


def _is_told(text: str, start: int, end: int, literal: tuple[int, int, bool], kind: str) -> bool:
    """Tell whether a literal stands in a place that holds nothing but a password.

    That is a setting of a service, the password beside its user, or a variable of a program. The
    labels of a user interface and the messages about passwords begin with a capital.
    """
    at, to, is_assigned = literal
    name = text[start:end]
    if _OF_MESSAGES.search(name):
        return False
    if not is_assigned:
        return _is_set(text, start, end, at, to) and text[at : at + 1].islower()
    if is_sole_password(name):
        return True
    if not text[at : at + 1].islower():
        return False
    between = text[end:at]
    if kind not in _WITHOUT_STATEMENTS and kind != "json" and _ASSIGNED.match(between):
        return "." not in name
    if "\n" not in between and _is_beside_user(text, start, to):
        return True
    if kind in {"yaml", "config"} and "\n" not in between and _is_of_service(text, start, name):
        return True
    if kind == "code" and _IN_CONFIG.search(text, max(0, start - _LINE_SIDE), start):
        return True
    return kind == "json" and _OF_PAIR.match(between) is not None


_IN_TAG = re.compile(r"<(?:password|passphrase|authToken)>[^<>\s]{4,100}</")
_NEXT_ELEMENT = re.compile(
    r"</(?:key|name)>\s{0,80}<(?:string|defaultValue|value)>[a-z][^<>\s]{3,100}</"
)
"""Its name stands in the element before: property lists, and parameters of Jenkins."""


def _is_element(text: str, start: int, end: int, to: int, name: str) -> bool:
    """Tell whether an element of XML holds a password, not a label.

    Labels stand in attributes, or in elements of other names, and begin with a capital.
    """
    if _IN_TAG.match(text, start - 1, to + 2):
        return True
    return not _OF_MESSAGES.search(name) and _NEXT_ELEMENT.match(text, end) is not None


_SOLE_DIRECTIVES = frozenset(["requirepass", "masterauth", "insecure-password"])
_CODE_SIGN = re.compile(r"[({\[]")
_SCHEMES = frozenset(["Bearer", "Basic", "Token", "token", "bearer"])
_WITH_QUOTE_LIKE = frozenset(["ruby", "code", "shell", "php"])
_LISTED = r"[ \t]*\n[ \t]{0,80}-[ \t]{1,8}[\"']?(?P<value>[^\s\"'#]{4,400})[\"']?"
_FIRST_ITEM = re.compile(rf"[\"']?[ \t]*:{_LISTED}")
_NEXT_LISTED = re.compile(_LISTED)


def _listed(text: str, end: int, strength: Strength, label: str) -> Iterator[Candidate]:
    """Yield the items of a list in YAML whose name is a plural: `api_keys:`."""
    item = _FIRST_ITEM.match(text, end)
    while item:
        if _counts(item["value"], strength):
            yield Candidate(item.start("value"), item.end("value"), label)
        item = _NEXT_LISTED.match(text, item.end())


def _find_value_end(text: str, at: int, to: int) -> int:
    """Return the end of a value that was judged by its first characters only."""
    rest = _BARE_REST.match(text, to) if to - at >= _JUDGED else None
    return rest.end() if rest else to


_PAIR_NAMES = ("basic_auth", "basicauth", "auth_basic")
_SETTING = re.compile(r"[A-Za-z_][\w.-]*=|[a-z]+://")
_BARE_KINDS = frozenset(["yaml", "config", "shell"])
_DIRECTIVES = frozenset(["requirepass", "masterauth", "insecure-password", "password"])


def _bare_span(
    text: str, start: int, end: int, name: str, kind: str
) -> tuple[int, int, str] | None:
    how = "sign"
    match = _BARE_PAIR.match(text, end) if kind == "yaml" else None
    if match is not None and match.group().rstrip(" \t").endswith("-") and name[:1] != "-":
        match = None
    if match is None and kind in {"xml", "code", "prose"}:
        if text[max(0, start - 1) : start] in ("<", ">", ":", '"'):
            match = _IN_ELEMENT.match(text, end)
        match = match or _BEFORE_ELEMENT.match(text, end)
    if match is None and kind == "prose" and name.lower().startswith("credential"):
        match = _PAIR_IN_PROSE.match(text, end)
    if match is None:
        match = _BARE_OPERATOR.match(text, end)
        if match is None:
            return None
        if match["cell"] and kind != "prose":
            return None
        if match["scheme"]:
            how = "scheme"
        elif match["space"]:
            how = "verb" if match["space"].strip("\t *") else "space"
    at = match.end()
    if how != "scheme" and (scheme := _SCHEME.match(text, at, at + 20)):
        at = scheme.end()
        how = "scheme"
    takes_pair = (
        (name.startswith("-") and name.endswith("auth"))
        or (kind == "config" and name in {"auth", "login"})
        or (kind in _BARE_KINDS and name.lower().replace("-", "_").endswith(_PAIR_NAMES))
    )
    if takes_pair and (user := USER.match(text, at)):
        at = user.end()
        how = "pair"
    run = _BARE_VALUE.match(text, at)
    if run is None:
        return None
    to = run.end()
    return (at, _cut(text, at, to, kind, name), how)


def _cut(text: str, at: int, to: int, kind: str, name: str) -> int:
    """Return the end of a bare value: at what its format puts after values."""
    value = text[at:to]
    if value[0] == "{" and is_encrypted(value):
        return to
    if kind == "config" or (
        kind == "yaml" and "{" not in text[max(0, at - 200) : at].rpartition("\n")[2]
    ):
        line_end = text.find("\n", at)
        rest = text[to : line_end if line_end >= 0 else len(text)].strip()
        if (not rest or rest[0] in "#;") and not _is_connection(text, at, to):
            return at + len(_balanced(value.rstrip(",;")))
    if kind == "shell":
        cut = re.search(r"[;&|)}\\]", value)
    elif kind == "yaml" and not _is_connection(text, at, to):
        cut = re.search(r"[,}\]]|\)$", value)
    else:
        cut = _CUT_IN_TEXT.search(value)
    if cut:
        value = value[: cut.start()]
    value = _balanced(value)
    return at + len(value.rstrip(".,:*"))


def _balanced(value: str) -> str:
    """Leave out brackets at the end that were opened before the value."""
    for opening, closing in ("{}", "()", "[]"):
        while value.endswith(closing) and value.count(closing) > value.count(opening):
            value = value[:-1]
    return value


def _is_connection(text: str, at: int, to: int) -> bool:
    """Tell whether other settings of a connection stand beside the value."""
    start = max(text.rfind("\n", max(0, at - _LINE_SIDE), at), at - _LINE_SIDE, 0)
    newline = text.find("\n", to, to + _LINE_SIDE)
    stop = newline if newline >= 0 else to + _LINE_SIDE
    return _DSN.search(text, start, stop) is not None


def _is_alone(text: str, start: int, to: int) -> bool:
    """Tell whether a name and its value have the line for themselves, as in a listing."""
    line = text[max(0, text.rfind("\n", max(0, start - 80), start)) : start]
    return not line.strip(" \t\n+-*>#/`\"'<:") and text[to : to + 2].strip(" \t`\"',;*")[:1] in (
        "",
        "\n",
    )


def _value_before(text: str, start: int) -> tuple[int, int, str] | None:
    """Return the value that stands before its name: `{"Value": "…", "Name": "DB_PASSWORD"}`."""
    near = text[max(0, start - 12) : start].lower()
    if "name" not in near and "key" not in near:
        return None
    base = max(0, start - 320)
    match = _VALUE_BEFORE.search(text, base, start) or _SET_BEFORE.search(text, base, start)
    return None if match is None else (match.start("value"), match.end("value"), match["value"])
