"""Errors of the local Claude, in the wording of the real one.

Sources: docs/platform/claude.md#rate-limits-and-errors and docs/platform/claude.md#error-wording.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from forewarm_playground.errors import PlaygroundError


class ConfigurationError(PlaygroundError):
    """The emulator's configuration is wrong; `where` names the key and `problem` the fault."""

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(f"The local Claude's configuration is wrong at {where}: {problem}.")
        self.where = where
        self.problem = problem


class ApiError(PlaygroundError):
    """An error reply: HTTP `status`, `type` and `message` of its body, extra headers and details.

    `retry_after` is in seconds; None sends no such header.
    """

    def __init__(
        self,
        status: int,
        type: str,
        message: str,
        *,
        retry_after: float | None = None,
        details: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.type = type
        self.message = message
        self.retry_after = retry_after
        self.details = details
        self.headers = dict(headers or {})

    def __repr__(self) -> str:
        return f"<ApiError {self.status} {self.type}: {self.message}>"

    def body(self, request_id: str) -> dict[str, Any]:
        """Return the JSON body of the reply."""
        error: dict[str, Any] = {"type": self.type, "message": self.message}
        if self.details is not None:
            error["details"] = dict(self.details)
        return {"type": "error", "error": error, "request_id": request_id}


def invalid(message: str) -> ApiError:
    """A request that breaks a rule: 400."""
    return ApiError(400, "invalid_request_error", message)


def unknown_model(name: str) -> ApiError:
    return ApiError(404, "not_found_error", f"model: {name}")


def not_found(what: str) -> ApiError:
    return ApiError(404, "not_found_error", what)


def unauthorized(message: str) -> ApiError:
    return ApiError(401, "authentication_error", message)


def too_large(limit: int) -> ApiError:
    return ApiError(413, "request_too_large", f"Request exceeds the maximum size of {limit} bytes")


def rate_limited(message: str, retry_after: float | None) -> ApiError:
    return ApiError(429, "rate_limit_error", message, retry_after=retry_after)


def spend_limited() -> ApiError:
    """The organisation's spend cap: a 429 without a `retry-after`."""
    return ApiError(
        429,
        "rate_limit_error",
        "You have reached your specified API usage limits.",
        details={"error_code": "enforced_spend_limit_reached"},
    )


def overloaded() -> ApiError:
    return ApiError(529, "overloaded_error", "Overloaded")


def internal() -> ApiError:
    return ApiError(500, "api_error", "Internal server error")


def timed_out() -> ApiError:
    return ApiError(504, "timeout_error", "The request timed out")
