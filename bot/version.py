"""The version of the installed product."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed


def version() -> str:
    """Return the version, or `unknown` if the product is run without being installed."""
    try:
        return installed("forewarm-bot")
    except PackageNotFoundError:
        return "unknown"
