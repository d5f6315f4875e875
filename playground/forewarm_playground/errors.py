"""The root of the playground's errors."""

from __future__ import annotations


class PlaygroundError(Exception):
    """An error that a person can act on.

    `user_message` is one sentence: the fault, its effect, and the fix.
    """

    def __init__(self, user_message: str) -> None:
        super().__init__(user_message)
        self.user_message = user_message
