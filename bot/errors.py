"""The root of the one tree of errors.

Every error that a person may read derives from `ForewarmError`. Its members carry the facts as
data; `user_message` is the one sentence that Slack or a terminal shows. Anything else that is
raised is a bug and is shown as one, without its text.
"""

from __future__ import annotations


class ForewarmError(Exception):
    """Something went wrong that a person can be told about.

    `user_message` is one sentence: what happened, what it means, what to do. It holds no token,
    no path of a secret and no text of a message. `asker_message` is the sentence for people who
    asked in Slack: they cannot change a setting, and need no path or host of this machine.
    """

    def __init__(self, user_message: str, *, asker_message: str | None = None) -> None:
        super().__init__(user_message)
        self.user_message = user_message
        self.asker_message = asker_message or user_message


def plain_reason(error: Exception) -> str:
    """Return the reason of an error without its number, and without the path that it repeats."""
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).rstrip(".")
