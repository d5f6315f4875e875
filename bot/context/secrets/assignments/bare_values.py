"""Values without quotes: which of them count."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.context.secrets.assignments.bare_spans import (
    BARE_KINDS,
    BareSpan,
    find_bare_span,
    find_value_end,
)
from bot.context.secrets.assignments.names_in_text import NameInText
from bot.context.secrets.assignments.proof import OF_MESSAGES, Proof, counts, is_interface_key
from bot.context.secrets.assignments.surroundings import (
    is_alone,
    is_beside_user,
    is_connection,
    is_of_service,
    is_set_option,
)
from bot.context.secrets.candidate import Candidate, Written
from bot.context.secrets.judgement.names import is_sole_password
from bot.context.secrets.judgement.passwords import (
    is_marked_password,
    is_password,
    is_word_secret,
    is_words_secret,
)
from bot.context.secrets.judgement.randomness import is_random
from bot.context.secrets.judgement.values import is_mixed, is_typed


def find_bare_value(secret: NameInText, proof: Proof) -> Candidate | None:
    """Return a value that stands without quotes, if the kind of text writes values so."""
    text, start, label = secret.text, secret.start, secret.label
    if secret.kind != "prose" and (before := _value_before(text, start)) is not None:
        is_secret = counts(before["value"], secret.strength, proof)
        return Candidate(*before.span("value"), label) if is_secret else None
    if secret.kind == "xml" and proof == "likely" and (words := _WORDS_IN_TAG.match(text, start)):
        return Candidate(*words.span("value"), label) if is_words_secret(words["value"]) else None
    bare = find_bare_span(secret)
    to = _find_accepted_end(secret, bare, proof) if bare else None
    if bare is None or to is None:
        return None
    # A line of a shell within the text of another language.
    is_exported = text.endswith("export ", max(0, start - 7), start) and bare.how == "sign"
    written: Written = "form" if is_exported or is_set_option(secret) else "bare"
    return Candidate(bare.at, find_value_end(text, bare.at, to), label, written)


_VALUE_BEFORE = re.compile(
    r"""(?i:value)["']?[ \t]{0,8}[:=][ \t]{0,8}(?P<quote>["']?)(?P<value>[^\s"'{}]{4,200})"""
    r"""(?P=quote)[ \t]{0,8},?[ \t]{0,8}\n?"""
    r"""[ \t]{0,80}["']?(?i:name|key)["']?[ \t]{0,8}[:=][ \t]{0,8}["']?\Z"""
)
_SET_BEFORE = re.compile(
    r"""\bset\w{0,12}\([ ]?@?"(?P<value>[^"\n]{4,200})",?[ ]forKey:[ ]?@?"\Z"""
)
"""`set("…", forKey: "password")`: Swift and Objective-C put the value before its name."""


def _value_before(text: str, start: int) -> re.Match[str] | None:
    """Return the value that stands before its name: `{"Value": "…", "Name": "DB_PASSWORD"}`."""
    near = text[max(0, start - 12) : start].lower()
    if "name" not in near and "key" not in near:
        return None
    base = max(0, start - 320)
    return _VALUE_BEFORE.search(text, base, start) or _SET_BEFORE.search(text, base, start)


_SETTING = re.compile(r"[A-Za-z_][\w.-]*=|[a-z]+://")
_DIRECTIVES = frozenset(["requirepass", "masterauth", "insecure-password", "password"])


def _find_accepted_end(secret: NameInText, bare: BareSpan, proof: Proof) -> int | None:
    """Return the end of a value that counts. A phrase goes on behind its first word."""
    name, how = secret.name, bare.how
    value = secret.text[bare.at : bare.to]
    if how == "scheme":
        accepted = is_typed(value) and len(value) >= 8
    elif how == "pair":
        accepted = is_marked_password(value)
    elif secret.strength == "key":
        accepted = (
            is_random(value)
            or is_interface_key(value, name)
            or (name == "authToken" and _is_trigger(secret.text, secret.start, bare.to))
        )
    elif how == "verb":
        accepted = any(map(str.isdigit, value)) and (
            is_mixed(value) or (proof == "likely" and _ends_clause(secret, bare, value))
        )
    elif how == "space" and not name.startswith("-") and name not in _DIRECTIVES:
        accepted = is_mixed(value) and not _SETTING.match(value)
    elif secret.kind not in BARE_KINDS:
        accepted = _counts_in_text(secret, bare, value, proof)
    else:
        return _find_setting_end(secret, bare, value, proof)
    return bare.to if accepted else None


def _ends_clause(secret: NameInText, bare: BareSpan, value: str) -> bool:
    """Tell whether a password ends a clause: `the old password was …, keep it`."""
    ends = secret.text[bare.to : bare.to + 1] in (",", ".", ";", ")", "\n", "")
    return ends and is_password(value)


_CODE_SIGN = re.compile(r"[({\[]")


def _counts_in_text(secret: NameInText, bare: BareSpan, value: str, proof: Proof) -> bool:
    """Tell whether a value counts in a kind of text that writes few values without quotes."""
    if is_mixed(value):
        return True
    text, kind, start = secret.text, secret.kind, secret.start
    is_option = bare.how == "space" and secret.name.startswith("-")
    if proof != "likely" or not (bare.how == "sign" or is_option) or _CODE_SIGN.search(value):
        return False
    if is_set_option(secret) and is_word_secret(value):
        return True
    is_told = kind == "xml" or is_alone(text, start, bare.to) or is_connection(text, start, bare.to)
    if (is_password if is_told else is_marked_password)(value):
        return True
    is_variable = kind == "prose" and secret.name.isupper() and is_sole_password(secret.name)
    if text[secret.end : bare.at] == "=" and (
        is_variable or _SETTING_BEFORE.search(text, max(0, start - 80), start)
    ):
        return is_word_secret(value)
    return kind == "xml" and _is_element(secret, bare.to) and is_word_secret(value)


_SETTING_BEFORE = re.compile(r"\buser(?:name)?=\S{1,60}[ ](?:[a-z]{2,20}=\S{1,60}[ ])?\Z")
"""The user of a connection in a log: `user=app password=… host=db`."""
_WORDS_TO_END = re.compile(r"(?P<value>[a-z][\w'! -]{6,80}\w)[ \t]*(?:\n|\Z)", re.ASCII)
"""A phrase that is the rest of its line."""
_MORE_WORDS = re.compile(r"[ \t]{1,4}[A-Za-z\x80-\xff]{2,}[^\n:=]{0,60}(?:\n|\Z)")
"""A sentence goes on behind its first word."""


def _find_setting_end(secret: NameInText, bare: BareSpan, value: str, proof: Proof) -> int | None:
    """Return the end of a value that counts in YAML, in settings or on a line of a shell."""
    if proof == "likely" and _is_sole(secret, bare):
        proof = "sole"
    accepted = (
        value[-1:] not in ("[", "(")
        and counts(value, secret.strength, proof)
        and not (bare.how == "space" and _SETTING.match(value))
    )
    if proof == "sole" and bare.how == "sign":
        phrase = _match_phrase(secret, bare)
        if phrase and is_words_secret(phrase["value"]):
            return phrase.end("value")
        if accepted and _MORE_WORDS.match(secret.text, bare.to) and not is_set_option(secret):
            accepted = is_password(value)
    return bare.to if accepted else None


_WORDS_TO_QUOTE = re.compile(r"(?P<value>[A-Za-z][\w'! -]{6,80}\w)(?=\")", re.ASCII)
"""A phrase that ends with the quote that stands before its name: `"PASSWORD=…"`."""


def _match_phrase(secret: NameInText, bare: BareSpan) -> re.Match[str] | None:
    if secret.text[secret.start - 1 : secret.start] == '"':
        return _WORDS_TO_QUOTE.match(secret.text, bare.at)
    return _WORDS_TO_END.match(secret.text, bare.at)


_VALUE_BELOW = re.compile(r"[\"']?[ \t]*\n[ \t]+value:[ \t]*\Z")
"""The variable of a container: `- name: SMTP_PASSWORD`, and `value: …` below it."""
_SOLE_DIRECTIVES = frozenset(["requirepass", "masterauth", "insecure-password"])


_PREFIXED = re.compile(r"\w[._]\w")
_AMONG_SETTINGS = re.compile(r"[ \t]*(?:\n|\Z|[\w.-]{1,40}=\S)")
"""The end of the line, or another setting: Ansible writes `user: name=ada password=…`."""


def _is_sole(secret: NameInText, bare: BareSpan) -> bool:
    """Tell whether a value without quotes stands in a place that holds nothing but a password."""
    text, start, end, name = secret.text, secret.start, secret.end, secret.name
    at, to, how = bare
    between = text[end:at]
    if how == "space":
        return name.lstrip("-") in _SOLE_DIRECTIVES or (name[0] == "-" and is_sole_password(name))
    if how != "sign":
        return False
    if "\n" in between and not between.lower().rstrip().endswith("default:"):
        return name.isupper() and _VALUE_BELOW.fullmatch(between) is not None
    if is_set_option(secret):
        return True
    if text[start - 1 : start] in ("$", "{"):
        return False
    if is_sole_password(name):
        return True
    if text[at].isupper() and secret.kind == "yaml" and between == ": ":
        return is_of_service(text, start, name) and is_beside_user(text, start, to)
    return text[at].islower() and (
        (secret.kind == "config" and _PREFIXED.search(name) and not OF_MESSAGES.search(name))
        or (secret.kind == "yaml" and _AMONG_SETTINGS.match(text, to) and between == "=")
        or is_beside_user(text, start, to)
        or is_of_service(text, start, name)
        or "--set" in text[max(0, start - 80) : start].rpartition("\n")[2]
    )


_IN_TAG = re.compile(r"<(?:[\w.-]{1,40}[.-])?(?:password|passphrase|authToken)>[^<>\s]{4,100}</")
_WORDS_IN_TAG = re.compile(
    r"(?:[\w.-]{1,40}[.-])?(?:password|passphrase)>(?P<value>[a-z][\w'!-]*(?: [\w'!-]+){1,6})</",
    re.ASCII,
)
_NEXT_ELEMENT = re.compile(
    r"</(?:key|name)>\s{0,80}<(?:string|defaultValue|value)>[a-z][^<>\s]{3,100}</"
)
"""Its name stands in the element before: property lists, and parameters of Jenkins."""
_IN_PROPERTY = re.compile(r"\"[^<>\n]{0,60}>[a-z][^<>\s]{3,100}</(?:property|prop|entry|param)>")
_UNTRANSLATED = re.compile(r"\"[ ]translatable=\"false\">[^<>\s]{4,100}</")
"""A text of Android that is no label."""


def _is_element(secret: NameInText, to: int) -> bool:
    """Tell whether an element of XML holds a password, not a label.

    Labels stand in attributes, or in elements of other names, and begin with a capital.
    """
    if _IN_TAG.match(secret.text, secret.start - 1, to + 2):
        return True
    if _UNTRANSLATED.match(secret.text, secret.end):
        return True
    if is_sole_password(secret.name) and _IN_PROPERTY.match(secret.text, secret.end):
        return True
    is_message = OF_MESSAGES.search(secret.name) is not None
    return not is_message and _NEXT_ELEMENT.match(secret.text, secret.end) is not None


def _is_trigger(text: str, start: int, to: int) -> bool:
    """Tell whether `<authToken>` holds the word that starts a job of Jenkins."""
    tag = _IN_TAG.match(text, start - 1, to + 2)
    return tag is not None and is_word_secret(text[text.find(">", start) + 1 : to])


_LISTED = r"[ \t]*\n[ \t]{0,80}-[ \t]{1,8}[\"']?(?P<value>[^\s\"'#]{4,400})[\"']?"
_FIRST_ITEM = re.compile(rf"[\"']?[ \t]*:{_LISTED}")
_NEXT_LISTED = re.compile(_LISTED)


def find_listed_values(secret: NameInText) -> Iterator[Candidate]:
    """Yield the items of a list in YAML whose name is a plural: `api_keys:`."""
    item = _FIRST_ITEM.match(secret.text, secret.end)
    while item:
        if counts(item["value"], secret.strength):
            yield Candidate(*item.span("value"), secret.label)
        item = _NEXT_LISTED.match(secret.text, item.end())
