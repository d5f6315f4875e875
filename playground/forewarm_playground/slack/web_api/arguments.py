"""The arguments of a call, merged from query, form and JSON, and read with Slack's refusals."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from forewarm_playground.slack.errors import SlackError
from forewarm_playground.slack.ids import Json

_FALSE = ("", "0", "false", "False")


class Arguments:
    """Arguments of a call. Values are JSON, or text of a form.

    Unknown arguments are ignored, as Slack ignores them.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = {key: value for key, value in values.items() if value is not None}

    def __repr__(self) -> str:
        return f"<Arguments [{', '.join(sorted(self._values))}]>"

    def has(self, name: str) -> bool:
        """Tell whether an argument was given at all."""
        return name in self._values

    def text(self, name: str) -> str:
        """Return a required text."""
        value = self.optional(name)
        if value is None or value == "":
            raise missing(name)
        return value

    def optional(self, name: str) -> str | None:
        """Return a text, or None if it was not given."""
        value = self._values.get(name)
        if value is None:
            return None
        if isinstance(value, bool | dict | list):
            raise invalid(f"must be a string [json-pointer:/{name}]")
        return str(value)

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Return a truth value, which queries write as 1 and 0."""
        value = self._values.get(name, default)
        return value if isinstance(value, bool) else str(value) not in _FALSE

    def integer(self, name: str, default: int) -> int:
        """Return a whole number."""
        value = self._values.get(name, default)
        try:
            return int(value)
        except (TypeError, ValueError):
            raise invalid(f"must be an integer [json-pointer:/{name}]") from None

    def decoded(self, name: str) -> Any:
        """Return a JSON value, which forms carry as text; None if it was not given."""
        value = self._values.get(name)
        if not isinstance(value, str):
            return value
        if not value.strip():
            return None
        try:
            return json.loads(value)
        except ValueError:
            raise invalid(f"must be valid JSON [json-pointer:/{name}]") from None

    def objects(self, name: str, refusal: str) -> list[Json] | None:
        """Return a list of JSON objects, or refuse with `refusal`; None if it was not given."""
        try:
            value = self.decoded(name)
        except SlackError:
            raise SlackError(refusal) from None
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise SlackError(refusal)
        return value

    def object(self, name: str) -> Json | None:
        """Return a JSON object; None if it was not given."""
        value = self.decoded(name)
        if value is not None and not isinstance(value, dict):
            raise invalid(f"must be an object [json-pointer:/{name}]")
        return value

    def any(self, name: str) -> Any:
        """Return a value as it is; None if it was not given."""
        return self._values.get(name)

    def words(self, name: str) -> list[str]:
        """Return a list of words, written as a JSON list or parted by commas."""
        value = self._values.get(name)
        if isinstance(value, str) and not value.lstrip().startswith("["):
            return [word.strip() for word in value.split(",") if word.strip()]
        return [str(word) for word in self.decoded(name) or []]

    def shown(self) -> Json:
        """Return the arguments for a log: everything but credentials."""
        hidden = ("token", "client_secret", "code", "refresh_token")
        return {key: value for key, value in self._values.items() if key not in hidden}


def missing(name: str) -> SlackError:
    """Return the refusal of a call without a required argument."""
    return SlackError("invalid_arguments", f"[ERROR] missing required field: {name}")


def invalid(message: str) -> SlackError:
    """Return the refusal of an argument of the wrong kind."""
    return SlackError("invalid_arguments", f"[ERROR] {message}")
