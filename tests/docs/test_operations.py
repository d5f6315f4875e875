"""The commands of docs/operations.md, run as they are written."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
from pathlib import Path

from bot.clock import system_now
from bot.store.store import Store

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text("utf-8")


async def _write(home: Path, lines: int) -> None:
    store = await Store.open(f"sqlite:///{home / 'forewarm.db'}", now=system_now)
    for number in range(lines):
        await store.audit.write("T1", "U1", "attach", f"context{number}")
    await store.close()


async def _count(file: Path) -> int:
    store = await Store.open(f"sqlite:///{file}", now=system_now, set_up=False)
    found = len(await store.audit.last())
    await store.close()
    return found


def test_the_backup_holds_everything_and_can_be_put_back(tmp_path: Path) -> None:
    home = tmp_path / ".forewarm"
    home.mkdir()
    asyncio.run(_write(home, 3))
    [command] = re.findall(r"```sh\n(python3 .*VACUUM.*)\n```", PAGE)
    subprocess.run(["/bin/sh", "-c", command], cwd=tmp_path, check=True, timeout=30)
    asyncio.run(_write(home, 2))
    assert asyncio.run(_count(home / "forewarm.db")) == 5
    for name in ("forewarm.db-wal", "forewarm.db-shm"):
        (home / name).unlink(missing_ok=True)
    shutil.copy(tmp_path / "forewarm-backup.db", home / "forewarm.db")
    assert asyncio.run(_count(home / "forewarm.db")) == 3
