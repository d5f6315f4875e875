"""`python -m benchmarks NAME`: a table of benchmarks, each imported only when it is called."""

from __future__ import annotations

import sys

from bot.cli import run_table

COMMANDS: dict[str, tuple[str, str, str]] = {
    "overhead": ("benchmarks.bench_overhead", "overhead", "Time and memory of the bot itself."),
    "governor": ("benchmarks.bench_governor", "governor", "Decisions a second."),
    "pack": ("benchmarks.bench_pack", "pack", "Packing beside other packers."),
    "every-file": ("benchmarks.every_file", "every_file", "Text files that a pack forgets."),
    "push": ("benchmarks.bench_pack", "push", "Tokens written for each push."),
    "retrieval": ("benchmarks.bench_retrieval", "retrieval", "The index that finds excerpts."),
    "store": ("benchmarks.bench_store", "store", "The store's share of a question's time."),
    "load": ("benchmarks.bench_load", "load", "Questions a second, until it breaks."),
    "chaos": ("benchmarks.bench_chaos", "chaos", "Kill bots; count complete answers."),
    "scatter": ("benchmarks.bench_scatter", "scatter", "Threads scattered over replicas."),
    "costs": ("benchmarks.bench_costs", "costs", "Dollars a month by size and questions a day."),
    "day": ("benchmarks.bench_day", "day", "The log of one working day, in virtual time."),
    "hostile": ("benchmarks.bench_hostile", "hostile", "A running bot with hostile repositories."),
    "entry": ("benchmarks.bench_entry", "entry", "The longest pause under unsigned requests."),
    "playground": ("benchmarks.bench_playground", "playground", "A year in a minute."),
}

if __name__ == "__main__":
    run_table(
        "python -m benchmarks", "The benchmarks behind the figures in the docs.", COMMANDS, sys.argv
    )
