"""From the name that a citation gives to the definition that it means. Pure.

A name may be qualified as in any language: `Class.method`, `Class::method`, `Class#method`. It may
have a call's brackets, an arity or generics behind it. Of several definitions of one name the best
counts: a body before a declaration, a type or a function before a variable, then the outermost,
then the first.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from bot.context.render.definitions import Definition, Definitions

_RANK = {
    "type": 0,
    "function": 0,
    "method": 0,
    "module": 1,
    "constructor": 1,
    "heading": 1,
    "macro": 2,
    "constant": 3,
    "variable": 3,
    "field": 4,
}
_OPERATOR = re.compile(r"operator\s*(?=[^\w\s])")
_CALL = re.compile(r"(?<=[\w?!=\]>])\([^()]*\)\Z")
_ARITY = re.compile(r"(?<=[\w?!])/\d{1,2}\Z")
_GENERICS = re.compile(r"(?<=\w)(?:<[\w\s,.:&*'?<>]*>|\[[\w\s,.:&*'?]*\])")
_SEPARATOR = re.compile(r"(?<=[\w?!)>\]])(?:::|\.|->|#)(?=[\w~$@#`<=>!+*/%&|^\[-])(?![^\[]*\])")
_SIGIL = re.compile(r"\A(?:\$|::|@@?|:|&|\*|r#)(?=\w)")
_RAW = re.compile(r"\br#(?=\w)")
_GO_METHOD = re.compile(r"\(\w+ \*?(\w+)\) ?(\w+)")
_RECEIVER = re.compile(r"\([*&]?(\w+)\)")
_SLUG = re.compile(r"[^\w\- ]")


def find_definition(
    found: Definitions, symbol: str, beside: Collection[str] = ()
) -> tuple[Definition, bool] | None:
    """Return the definition that a name means and whether its qualification is right.

    `beside` holds names that stand near the citation: if one of them is the parent of a candidate,
    that candidate is meant. None: no definition of that name is in the file.
    """
    parts = parts_of(symbol)
    if not parts:
        return None
    named = [item for item in found.items if _is_named(item, parts[-1])]
    named += [] if named else [item for item in found.items if _is_named(item, symbol)]
    within = _find_inside(named, parts[:-1])
    chosen = within or named
    if not chosen:
        return None
    if not within and _parents(named) > 1:
        return None
    near = [item for item in chosen if item.parent.rpartition(".")[2] in beside]
    direct = [item for item in near or chosen if _is_directly_in(item, parts[:-1])]
    return min(direct or near or chosen, key=_preference), bool(within)


def parts_of(symbol: str) -> list[str]:
    """Return a name's parts, the outermost first, without call brackets, arity and generics."""
    bare = symbol.strip()
    if method := _GO_METHOD.fullmatch(bare):
        return [method[1], method[2]]
    if len(bare) > 2 and bare[0] + bare[-1] in ("''", '""', "[]"):
        # A name that is a text or an expression has no parts.
        return [bare if bare[0] == "[" else bare[1:-1]]
    bare = _RAW.sub("", bare)
    if not bare.startswith("operator"):
        bare = _ARITY.sub("", _CALL.sub("", bare))
        while (shorter := _GENERICS.sub("", bare)) != bare:
            bare = shorter
    return [_key(part) for part in _SEPARATOR.split(bare) if _key(part)]


def last_name(symbol: str) -> str:
    """Return the last part of a name: the word that must stand in a file that defines it."""
    return (parts_of(symbol) or [symbol])[-1]


def _is_named(item: Definition, name: str) -> bool:
    if item.kind == "heading":
        return _slug(item.name) == _slug(name)
    key = _key(item.name)
    return key == name or key.lstrip("#") == name.lstrip("#")


def _key(name: str) -> str:
    if receiver := _RECEIVER.fullmatch(name):
        return receiver[1]
    return _SIGIL.sub("", _OPERATOR.sub("", " ".join(name.split()).strip("`")))


def _slug(title: str) -> str:
    return _SLUG.sub("", title.lower()).strip().replace(" ", "-")


def _find_inside(items: Sequence[Definition], outer: Sequence[str]) -> list[Definition]:
    """Return the items whose parents are as given. A package before them is not in the file."""
    for dropped in range(max(1, len(outer))):
        if found := [item for item in items if _is_within(item, outer[dropped:])]:
            return found
    return []


def _is_within(item: Definition, outer: Sequence[str]) -> bool:
    """Whether the parents' names, in their order, are among those that are given."""
    chain = iter(reversed(item.parent.split(".")))
    return all(part in chain for part in reversed(outer))


def _is_directly_in(item: Definition, outer: Sequence[str]) -> bool:
    return bool(outer) and item.parent.split(".")[-len(outer) :] == list(outer)


def _parents(items: Sequence[Definition]) -> int:
    return len({item.parent for item in items})


def _preference(item: Definition) -> tuple[bool, int, bool, int, int]:
    # The method of an interface has no body elsewhere: it counts more than a field of its name.
    elsewhere = item.declared and item.kind != "method"
    depth = item.parent.count(".") + bool(item.parent)
    return elsewhere, _RANK[item.kind], item.declared, depth, item.line
