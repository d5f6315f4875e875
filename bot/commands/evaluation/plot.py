"""Draws the chart of `forewarm eval`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bot.commands.evaluation.evaluate import Evaluation, sum_cells
from bot.errors import ForewarmError, plain_reason


def plot(found: Sequence[Evaluation], path: Path) -> None:
    """Draw coverage over predicted wait, one line per budget, and write the chart to a file.

    Raises:
        ForewarmError: matplotlib is not installed, or the file cannot be written.
    """
    try:
        import matplotlib
    except ImportError:
        raise ForewarmError(
            "--plot needs matplotlib: install forewarm-bot with the extra `plot`."
        ) from None
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 5))
    all_cells = sum_cells(found)
    for budget in dict.fromkeys(cell.budget for cell in all_cells):
        cells = sorted((c for c in all_cells if c.budget == budget), key=lambda c: c.wait)
        waits = [cell.wait for cell in cells]
        shares = [100 * cell.coverage.files for cell in cells]
        axes.plot(waits, shares, marker="o", label=f"{budget:,} tokens in the prefix")
    axes.set_xlabel("predicted seconds to the first words, warm")
    axes.set_ylabel("questions covered, %")
    axes.set_ylim(0, 100)
    names = ", ".join(one.name for one in found)
    axes.set_title(f"{names}: {sum(one.questions for one in found)} questions")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.tight_layout()
    try:
        figure.savefig(path)
    except (OSError, ValueError) as error:
        raise ForewarmError(f"{path} cannot be written: {plain_reason(error)}.") from None
    finally:
        pyplot.close(figure)
