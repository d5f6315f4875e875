"""Benchmarks of the bot, run from a clone with `python -m benchmarks NAME`."""
