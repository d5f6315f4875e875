"""The one prefix that a warm-up and a question share (docs/claude.md#one-prefix).

Order of what is sent: tools, then system blocks: preamble, every repository's base, every
repository's overlay. Two markers belong to it: after the last base and after the last overlay.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from bot.claude.models import ModelSettings
from bot.claude.system_prompt import preamble_text
from bot.context.pack import Block, Pack

Section = Literal["preamble", "base", "overlay"]
JsonObject = Mapping[str, Any]
CHARACTERS_PER_TOKEN = 2.5
"""Of today's Claude tokenizers, for code (docs/platform/claude.md#tokenizers)."""


@dataclass(frozen=True, slots=True)
class SystemBlock:
    """One `system` text block; `marked` if it carries a cache marker."""

    section: Section
    text: str
    tokens: int
    marked: bool = False

    def __repr__(self) -> str:
        mark = ", marked" if self.marked else ""
        return f"<SystemBlock {self.section}: {self.tokens} tokens{mark}>"


class Measure:
    """How long a prefix is in truth, once a reply has told; it outlives no process."""

    __slots__ = ("tokens",)

    def __init__(self) -> None:
        self.tokens: int | None = None


@dataclass(frozen=True, eq=False)
class Prefix:
    """The cached part of a request: tools and system blocks, with the settings of the cache key.

    `key` names the prefix across pushes: same repositories, selection, settings, tools, preamble
    and salt. `fingerprint` names the very bytes and settings that are sent: two prefixes with the
    same one read each other's entries. `base_fingerprint` leaves the overlays out: with the same
    one, at least the base is read. Prefixes with the same fingerprint are equal.

    `tokens` and `base_tokens` are estimates until the client has measured the prefix by a reply;
    from then on they are the server's own figure, and the base its share of it.
    """

    system: tuple[SystemBlock, ...] = field(repr=False)
    tools: tuple[JsonObject, ...] = field(repr=False)
    settings: ModelSettings
    salt: str
    key: str
    fingerprint: str
    base_fingerprint: str
    estimated: int
    estimated_base: int
    commits: tuple[str, ...] = ()
    measure: Measure = field(default_factory=Measure, repr=False)

    @property
    def tokens(self) -> int:
        return self.estimated if self.measure.tokens is None else self.measure.tokens

    @property
    def base_tokens(self) -> int:
        if self.measure.tokens is None or not self.estimated:
            return self.estimated_base
        return round(self.measure.tokens * self.estimated_base / self.estimated)

    @property
    def model(self) -> str:
        return self.settings.model

    @cached_property
    def encoded_tools(self) -> bytes:
        """The JSON of the tools, encoded once: it is the same in every request."""
        return dump(list(self.tools))

    @cached_property
    def encoded_texts(self) -> tuple[bytes, ...]:
        """The JSON strings of the system blocks' texts, encoded once."""
        return tuple(dump(block.text) for block in self.system)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Prefix) and other.fingerprint == self.fingerprint

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __repr__(self) -> str:
        at = ", ".join(self.commits) or "no repository"
        salted = ", salted" if self.salt else ""
        return (
            f"<Prefix {self.key} {self.fingerprint[:8]}: {at}, {self.model}, "
            f"{self.tokens} tokens, {self.base_tokens} in the base{salted}>"
        )


def build_prefix(
    pack: Pack,
    tools: Sequence[JsonObject],
    settings: ModelSettings,
    salt: str = "",
    preamble: str | None = None,
    *,
    scope: str = "",
    count: Callable[[str], int] | None = None,
) -> Prefix:
    """Build the prefix of a pack: the only way in which one is made.

    `preamble` defaults to `preamble_text()`. `scope` distinguishes contexts that choose different
    files of the same repositories: a digest of their repositories' globs and budget. `count`
    returns the tokens of a text, for preamble and tools; the blocks of the pack carry their own.
    """
    counted = count or estimated_tokens
    declared = tuple(tools)
    first = (f"Cache salt: {salt}\n\n" if salt else "") + (preamble or preamble_text())
    system = _marked((_preamble(first, counted), *map(_system_block, _ordered(pack.blocks))))
    tool_tokens = counted(dump(list(declared)).decode()) if declared else 0
    base = [block for block in system if block.section != "overlay"]
    identity = _identity(settings, declared, salt)
    named = [identity, scope, first, *_describe_repositories(pack)]
    fingerprint, base_fingerprint = _fingerprints(identity, system)
    return Prefix(
        system=system,
        tools=declared,
        settings=settings,
        salt=salt,
        key=hashlib.sha256(b"".join(map(_framed, named))).hexdigest()[:16],
        fingerprint=fingerprint,
        base_fingerprint=base_fingerprint,
        estimated=tool_tokens + sum(block.tokens for block in system),
        estimated_base=tool_tokens + sum(block.tokens for block in base),
        commits=tuple(f"{r.name}@{r.commit[:7]}" for r in pack.repositories),
    )


def estimated_tokens(text: str) -> int:
    """Estimate the tokens of a text that was not counted."""
    return round(len(text) / CHARACTERS_PER_TOKEN)


def dump(value: object) -> bytes:
    """Encode a value as compact JSON; a lone surrogate, which JSON cannot carry, becomes `?`."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8", "replace")


def _ordered(blocks: Iterable[Block]) -> list[Block]:
    return sorted(blocks, key=lambda block: block.kind == "overlay")


def _preamble(text: str, count: Callable[[str], int]) -> SystemBlock:
    return SystemBlock("preamble", text, count(text))


def _system_block(block: Block) -> SystemBlock:
    return SystemBlock(block.kind, block.text, block.tokens)


def _marked(blocks: tuple[SystemBlock, ...]) -> tuple[SystemBlock, ...]:
    """Leave out empty blocks, which the API refuses, and mark the ends of bases and overlays."""
    kept = [block for block in blocks if block.text.strip()]
    last = {block.section: at for at, block in enumerate(kept)}
    base = last.get("base", last.get("preamble"))
    ends = {base, last.get("overlay")}
    return tuple(
        SystemBlock(block.section, block.text, block.tokens, at in ends)
        for at, block in enumerate(kept)
    )


def _identity(settings: ModelSettings, tools: tuple[JsonObject, ...], salt: str) -> str:
    chosen = [settings.model, settings.thinking, settings.effort, salt]
    return dump([chosen, list(tools)]).decode()


def _describe_repositories(pack: Pack) -> list[str]:
    return [f"{r.name}\n{r.url}\n{r.ref}" for r in pack.repositories]


def _fingerprints(identity: str, system: Iterable[SystemBlock]) -> tuple[str, str]:
    """Return the fingerprints of the whole and of what precedes the overlays, in one pass."""
    state = hashlib.sha256(_framed(identity))
    base: str | None = None
    for block in system:
        if base is None and block.section == "overlay":
            base = state.hexdigest()
        state.update(_framed(block.text))
    whole = state.hexdigest()
    return whole, base if base is not None else whole


def _framed(part: str) -> bytes:
    """Return a part with its length before it, so that no two lists of parts look alike."""
    data = part.encode("utf-8", "surrogatepass")
    return b"%d:%b" % (len(data), data)
