"""The entry of `forewarm` and of `python -m bot`."""

from __future__ import annotations

import sys
from typing import TextIO


def main() -> None:
    """Run the command that the arguments name."""
    for stream in (sys.stdout, sys.stderr):
        replace_unknown_letters(stream)
    if sys.argv[1:2] == ["pack"]:
        # A whole process is what a user waits for: the command line alone loads for 0.1 s.
        from bot.commands.packing import entry, limit

        limit()
        sys.exit(entry(sys.argv[2:]))
    from bot.cli import main as command_line

    command_line()


def replace_unknown_letters(stream: TextIO) -> None:
    """Let a stream write `?` for a letter that its encoding lacks, not end the command."""
    reconfigure = getattr(stream, "reconfigure", None)
    # A stream that was closed by the caller is None.
    if reconfigure is not None and "utf" not in stream.encoding.lower():
        reconfigure(errors="replace")


if __name__ == "__main__":
    main()
