"""The entry of `forewarm` and of `python -m bot`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command that the arguments name."""
    if sys.argv[1:2] == ["pack"]:
        # A whole process is what a user waits for: the command line alone loads for 0.1 s.
        from bot.commands.packing import entry, limit

        limit()
        sys.exit(entry(sys.argv[2:]))
    from bot.cli import main as command_line

    command_line()


if __name__ == "__main__":
    main()
