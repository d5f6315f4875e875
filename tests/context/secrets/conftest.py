"""Shared by the tests of the secret scanner."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bot.context.secrets.find import find_secrets
from bot.context.secrets.formats import scan_kind_of
from bot.context.secrets.mask import mask


@pytest.fixture
def show() -> Callable[[str, str], str]:
    """Return a function from a path and a text to the text as it may be shown."""

    def shown(path: str, text: str) -> str:
        data = text.encode()
        return mask(data, find_secrets(data, scan_kind_of(path))).decode()

    return shown
