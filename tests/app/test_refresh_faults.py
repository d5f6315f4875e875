"""A fault in the work on one context leaves the others alone."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from bot.app.contexts.registry import ContextRegistry, NotReady
from bot.context.codebase import Codebase
from bot.context.config.load import load_context


class _Faulty:
    """A code base whose child process crashes."""

    async def sync(self) -> bool:
        raise RuntimeError("the child process failed: ZeroDivisionError")


async def test_a_crash_in_one_context_does_not_end_the_refresh(tmp_path: Path) -> None:
    """The error ended the task that follows the pushes of every context."""
    subprocess.run(["git", "init", "-q", str(tmp_path / "code")], check=True)
    file = tmp_path / "pay.toml"
    file.write_text(
        'channels = ["C0PAY"]\nmodel = "claude-sonnet-5-5"\n'
        f'[[repositories]]\nurl = "{tmp_path / "code"}"\nname = "code"\n'
    )
    faulty: Any = _Faulty()

    def opened(config: object, *, by_operator: bool = False) -> Codebase:
        return faulty  # type: ignore[no-any-return]  # stands for one

    async def build(*_: object) -> Any:
        raise AssertionError

    registry = ContextRegistry(opened, build)
    registry.put(load_context(file))
    for _ in range(3):
        await registry.refresh()
    with pytest.raises(NotReady) as caught:
        await registry.current("pay")
    assert "fault of Forewarm" in caught.value.problem
