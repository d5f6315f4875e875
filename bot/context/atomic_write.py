"""Files that are read whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from bot.context.private import make_private_folder


def write_atomically(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Write so that a reader sees the old bytes or the new ones, even if the writer is killed.

    A file that is not `durable` may be lost, never torn, when the machine goes down.
    """
    import tempfile  # a write is rare, and this loads much

    make_private_folder(path.parent)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
