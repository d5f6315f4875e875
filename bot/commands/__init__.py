"""The commands, one module each; `bot.cli` imports the one that is called."""
