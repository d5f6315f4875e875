"""The literal that a name is given: the operator between them, and the literal's end.

One expression of bounded length looks at each name, so the time is linear for any text.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from bot.context.secrets.assignments.names_in_text import NameInText
from bot.context.secrets.judgement.randomness import is_random
from bot.context.secrets.literals import KEY_AFTER


class QuotedSpan(NamedTuple):
    """The characters `at:to` between quotes, and whether a sign assigns them to their name."""

    at: int
    to: int
    is_assigned: bool


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
      | ["'];[ ]{_VALUE_KEY}                                # name = "token"; value = "…"
      | ,?[ \t]{{0,8}}\n
        (?:[ \t]{{0,40}}["']?\w{{1,30}}["']?[ \t]{{0,20}}[:=][^\n{{}}]{{0,100}}\n){{1,3}}
        [ \t]{{0,60}}{_VALUE_KEY}                           # name = "password" … value = "…"
      | (?P<comma>,){_GAP}                                  # setenv("PASSWORD", "…")
      | (?P<call>\(){_GAP}                                  # setPassword("…")
      | (?P<space>[ \t]{{1,40}})(?=[@"'`])                  # #define PASSWORD "…"
      | [ ]?:[ ]?String\??[ ]{{0,4}}\{{\s{{0,40}}(?:get[ ]?\{{\s{{0,40}})?
        (?:return[ ])?                                      # var password: String {{ "…" }}
      | \((?:self|cls)?\)[ \t]{{0,4}}(?:(?:->|:)[ ]?[\w.&']{{1,30}})?[ \t]{{0,4}}[:={{]\s{{0,40}}
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
    (?:[*&]?[bBrRuUfFlLN]{{1,2}}|@|\$|[qQ]{{1,2}})?\#{{0,3}}
    (?P<quote>{_QUOTE})
    """,
    re.VERBOSE,
)
"""From the end of a name to the opening quote of its value."""
VERBS = frozenset(["pass", "token", "key", "auth", "secret"])
"""Words of prose: only an operator makes them the name of what follows."""


def find_literal(secret: NameInText) -> QuotedSpan | None:
    """Return the literal that a name is given."""
    text, name = secret.text, secret.name
    match = _OPERATOR.match(text, secret.end)
    if match is None or _is_of_call(secret, match):
        return None
    quote = match["quote"]
    at = match.end()
    to = _closing(text, at, quote)
    if to is None:
        return None
    if match["space"] and name.lower() in VERBS and not is_random(text[at:to]):
        return None
    if len(quote) > 2:
        at += len(text[at:to]) - len(text[at:to].lstrip())
        to = max(at, at + len(text[at:to].rstrip()))
    compared = (match["sign"] or "").startswith(("==", "!="))
    if not compared and KEY_AFTER.match(text, to + len(quote)):
        return None
    inner = _quotes_within(text, at, to)
    return QuotedSpan(at + inner, to - inner, _is_assigned(secret, match))


_GETTER = re.compile(
    r"(?:^|[._:\s])(?:get|env|getenv|fetch|read|load|lookup|find|resolve|param|t|tr|_|gettext|translate"
    r"|input|prompt|getpass|print|printf|log|len|require|import|include|open|config|data|ref|var|Var"
    r"|contains|startsWith|starts_with|has|index|query|querySelector|errorf?|Errorf?|New|raise|throw"
    r"|describe|test|it|match|compile|re|regexp?|Get\w*|get[A-Z_]\w*|find[A-Z_]\w*|\w*[eE]rror"
    r"|\w*Exception|read[A-Z_]\w*|load[A-Z_]\w*)[(\[{!]{1,2}\s*$"
)
"""Calls whose argument is the name of a secret, a message or a path."""


def _is_of_call(secret: NameInText, match: re.Match[str]) -> bool:
    """Tell whether a literal is an argument of a call that has nothing to do with its name."""
    if match["comma"] and not match["close"] and not _is_option(secret):
        first = secret.end - len(secret.name)
        if secret.text[first - 1 : first] != "{":
            return True
    if match["call"] and match["close"]:
        return True
    wrap = match["wrap"]
    return bool(wrap and _GETTER.search(wrap))


def _is_option(secret: NameInText) -> bool:
    """Tell whether a name is an option of curl's library: `curl_setopt($c, CURLOPT_…, "…")`."""
    return secret.name.startswith("CURLOPT_")


_WITH_DEFAULT = re.compile(
    r"""(?:(?i:env\w{0,12}|environ\.get|putenv)|ENV\.fetch|setProperty|define|props\.put|properties\.put)\(\s{0,8}["'][\w.]{0,60}\Z"""
    r"""|(?i:values|\),)\s{0,8}\((?:\s{0,4}\d{1,10},)?\s{0,4}["'][\w.]{0,60}\Z"""
)
"""What takes the name of a setting and its value: `getenv("PASSWORD", "…")`, rows of SQL."""


def _is_assigned(secret: NameInText, match: re.Match[str]) -> bool:
    if match["call"] is not None:
        return False
    return match["comma"] is None or _is_option(secret) or _has_default(secret)


def _has_default(secret: NameInText) -> bool:
    first = secret.end - len(secret.name)
    return _WITH_DEFAULT.search(secret.text, max(0, first - 90), first) is not None


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


def _quotes_within(text: str, at: int, to: int) -> int:
    """Return the size of a second pair of quotes within the first: `"'…'"`, `"\\"…\\""`."""
    if text.startswith("\\", at) and text.endswith(text[at : at + 2], at + 2, to):
        return 2
    if to - at > 2 and text[at] in "\"'" and text[to - 1] == text[at]:
        return 1
    return 0
