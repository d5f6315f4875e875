"""Packs and prefixes that the tests of this room share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from bot.claude.models import ModelSettings
from bot.claude.prefix import Prefix, build_prefix
from bot.context.pack import Block, Pack, RepositoryState

CODE = "def answer(question: str) -> str:\n    return question[::-1]  # naïve, but “ours” 🙂\n"

MakePack = Callable[..., Pack]
MakePrefix = Callable[..., Prefix]


def repository(name: str = "payments", commit: str = "a" * 40) -> RepositoryState:
    return RepositoryState(
        name=name,
        url=f"https://github.com/acme/{name}",
        ref="main",
        commit=commit,
        committed_at=1.0,
        base_commit=commit,
        web=None,
    )


@pytest.fixture
def make_pack() -> MakePack:
    def make(
        bases: Sequence[str] = (CODE * 40,),
        overlays: Sequence[str] = (),
        commit: str = "a" * 40,
        name: str = "payments",
    ) -> Pack:
        blocks = [Block("base", name, text, len(text) // 3) for text in bases]
        blocks += [Block("overlay", name, text, len(text) // 3) for text in overlays]
        return Pack(tuple(blocks), (repository(name, commit),), (), len(bases))

    return make


@pytest.fixture
def make_prefix(make_pack: MakePack) -> MakePrefix:
    def make(
        pack: Pack | None = None,
        tools: Sequence[dict[str, Any]] = (),
        settings: ModelSettings | None = None,
        **chosen: Any,
    ) -> Prefix:
        return build_prefix(
            pack or make_pack(),
            tools,
            settings or ModelSettings("claude-sonnet-5-5", "between_tools", "low"),
            **chosen,
        )

    return make
