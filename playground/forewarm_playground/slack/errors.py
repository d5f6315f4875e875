"""The error of a call that Slack refuses."""

from __future__ import annotations

from forewarm_playground.errors import PlaygroundError
from forewarm_playground.slack.ids import Json


class SlackError(PlaygroundError):
    """A Web API call answered `{"ok": false, "error": code}`.

    `code` is Slack's documented error, `details` are further members of the body, and `retry_after`
    (seconds) makes the reply an HTTP 429.
    """

    def __init__(
        self,
        code: str,
        *messages: str,
        details: Json | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(f"The local Slack refused the call with {code}: see its API log.")
        self.code = code
        self.messages = messages
        self.details = details or {}
        self.retry_after = retry_after

    def __repr__(self) -> str:
        return f"<SlackError [{self.code}]>"

    def body(self) -> Json:
        """Return the JSON body of the reply."""
        body: Json = {"ok": False, "error": self.code, **self.details}
        if self.messages:
            body["response_metadata"] = {"messages": list(self.messages)}
        return body
