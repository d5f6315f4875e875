"""The whole bot for attacks on it: the fixtures of `tests.app`."""

from tests.app.conftest import product

__all__ = ["product"]
