"""`python -m bot` is the same as `forewarm`."""

from bot.cli import main

main()
