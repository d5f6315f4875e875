"""Values that a name gives away: assigned to it, passed as it, keyed by it, or its default.

Around each name of a secret one bounded expression looks for an operator and a value. So the time
is linear in the text, for any content.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.context.secrets.assignments.bare_values import find_bare_value, find_listed_values
from bot.context.secrets.assignments.decoded_keys import find_decoded_key
from bot.context.secrets.assignments.language_literals import find_language_literal
from bot.context.secrets.assignments.login_calls import find_in_login
from bot.context.secrets.assignments.names_in_text import (
    NOTHING,
    NameInText,
    find_name,
    label_of,
    name_shape,
    read_name,
)
from bot.context.secrets.assignments.proof import Proof, choose_proof
from bot.context.secrets.assignments.quoted_spans import VERBS, find_literal
from bot.context.secrets.assignments.quoted_values import find_following, find_quoted_values, is_set
from bot.context.secrets.assignments.statements import find_in_statement
from bot.context.secrets.assignments.surroundings import is_of_arn, strength_of_key
from bot.context.secrets.candidate import Candidate
from bot.context.secrets.formats import WITHOUT_STATEMENTS

_RESULT_COMPARED = re.compile(r"\)[ \t]?[=!]={1,2}")
"""`hash(token) == "…"`: the result of a call is compared, not the secret."""


def find_named_values(text: str, hits: list[int], kind: str) -> Iterator[Candidate]:
    """Yield the values of names that stand at the hits. `text` has one character a byte."""
    done = 0
    shape = name_shape(text)
    for hit in hits:
        if hit < done:
            continue
        start, end = find_name(text, shape, hit)
        done = end
        meaning = read_name(text[start:end])
        if meaning is NOTHING:
            continue
        name, strength, takes_login, is_key, is_password, label = meaning
        if text.endswith("checksum/", 0, start) or is_of_arn(text, start, end):
            continue
        if takes_login and (password := find_in_login(text, end, name)):
            yield password
        if is_key:
            strength = strength_of_key(text, start, end) if name.isalpha() else None
            if strength is not None:
                label = label_of(name, strength)
            elif key := find_decoded_key(text, start, end, kind):
                yield key
        if strength is None or _RESULT_COMPARED.match(text, end):
            continue
        secret = NameInText(text, kind, start, end, name, strength, label)
        quoted, bare = _find_values(secret, choose_proof(secret, is_password))
        yield from quoted
        for candidate in bare:
            done = max(done, candidate.end)
            yield candidate


def _find_values(secret: NameInText, proof: Proof) -> tuple[list[Candidate], list[Candidate]]:
    """Return the values of a name: those between quotes, or if none counts, the others."""
    literal = find_literal(secret)
    if literal is not None:
        if proof == "likely" and not (literal.is_assigned or is_set(secret, literal)):
            proof = "marked"
        quoted = [*find_quoted_values(secret, literal, proof)]
        if quoted:
            return quoted, []
    return [], _find_others(secret, proof, literal is not None)


_DIRECT = re.compile(r"""["'`]?\s{0,4}[:=]\s{0,4}["'`][^"'`\n]{0,200}["'`]\s{0,4}[,;})\]]""")
"""A name with a literal of its own: what follows belongs to other names."""


def _find_others(secret: NameInText, proof: Proof, has_literal: bool) -> list[Candidate]:
    """Return values without quotes, in a language's own syntax, or further on in the statement."""
    text, kind, end, name = secret.text, secret.kind, secret.end, secret.name
    value = find_language_literal(secret, proof) or find_bare_value(secret, proof)
    found = [value] if value else []
    if kind == "yaml" and name.endswith("s"):
        found += find_listed_values(secret)
    is_told = has_literal and _DIRECT.match(text, end) is not None
    is_verb = text[end : end + 1] == " " and name in VERBS
    if not (found or is_told or is_verb) and kind not in WITHOUT_STATEMENTS:
        value = find_in_statement(secret)
        if value:
            return [value, *find_following(secret, value.start, value.end)]
    return found
