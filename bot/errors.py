"""The root of the one tree of errors.

Every error that a person may read derives from `ForewarmError`. Its members carry the facts as
data; `user_message` is the one sentence that Slack or a terminal shows. Anything else that is
raised is a bug and is shown as one, without its text.
"""

from __future__ import annotations


class ForewarmError(Exception):
    """Something went wrong that a person can be told about.

    `user_message` is one sentence: what happened, what it means, what to do. It holds no token,
    no path of a secret and no text of a message.
    """

    def __init__(self, user_message: str) -> None:
        super().__init__(user_message)
        self.user_message = user_message
