"""What the SDK raises, as errors of ours."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

import aiohttp
import anthropic
import httpx2

from bot.claude.errors import ClaudeError, CutStream, ErrorKind

_BY_STATUS: dict[int, ErrorKind] = {
    401: "authentication",
    402: "spend_limit",
    403: "permission",
    404: "unknown_model",
    408: "timeout",
    413: "too_long",
    429: "rate_limited",
    504: "timeout",
    529: "overloaded",
}
_BY_TYPE: dict[str, ErrorKind] = {
    "authentication_error": "authentication",
    "billing_error": "spend_limit",
    "permission_error": "permission",
    "not_found_error": "unknown_model",
    "request_too_large": "too_long",
    "rate_limit_error": "rate_limited",
    "overloaded_error": "overloaded",
    "timeout_error": "timeout",
    "api_error": "server",
    "exceed_context_size_error": "too_long",  # llama.cpp's word for it
}
_BROKEN = (
    json.JSONDecodeError,
    UnicodeDecodeError,
    OSError,
    anthropic.APIConnectionError,
    httpx2.TransportError,
)
_TOO_LONG = ("prompt is too long", "exceeds the available context size")


def no_key() -> ClaudeError:
    """Return the error for a client that has nothing to authenticate with."""
    return ClaudeError(
        "authentication",
        user_message=(
            "There is no API key for Claude, so nothing can be answered; set ANTHROPIC_API_KEY."
        ),
    )


def failure(error: Exception, model: str) -> ClaudeError:
    """Return the `ClaudeError` that an exception of the SDK amounts to.

    Anything that is not the SDK's nor the network's is a bug and is raised again as it is.
    """
    if isinstance(error, ClaudeError):
        return error
    if isinstance(error, anthropic.APIStatusError):
        return _of_status(error, model)
    if isinstance(error, anthropic.APITimeoutError | httpx2.TimeoutException):
        return ClaudeError("timeout", model=model, detail=_chain(error))
    if isinstance(error, anthropic.APIConnectionError | httpx2.TransportError | OSError):
        return ClaudeError("connection", model=model, detail=_chain(error))
    if isinstance(error, anthropic.CredentialsError) or _lacks_key(error):
        return no_key()
    raise error


def never_left(error: Exception) -> bool:
    """Tell whether a request failed because its connection was closed before it was written."""
    return any(isinstance(cause, aiohttp.ClientConnectionResetError) for cause in _causes(error))


def lacks_endpoint(error: Exception, model: str) -> bool:
    """Tell a server without this endpoint from one that does not know the model.

    Anthropic's 404 names the model it lacks; a server without the endpoint names nothing.
    """
    if not isinstance(error, anthropic.APIStatusError) or error.status_code not in (404, 405, 501):
        return False
    return model not in (error.api_message or "")


def cut(error: Exception | None, model: str, request_id: str | None) -> ClaudeError:
    """Return the error for a stream that broke after it had begun."""
    if isinstance(error, anthropic.APIStatusError):
        return _of_status(error, model)
    broken = error is None or isinstance(error, _BROKEN)
    if not broken:
        assert error is not None
        raise error
    detail = _chain(error) if error else "the stream ended without message_stop"
    return CutStream(model=model, request_id=request_id, detail=detail)


def _of_status(error: anthropic.APIStatusError, model: str) -> ClaudeError:
    return ClaudeError(
        _kind(error),
        model=model,
        status=error.status_code,
        retry_after=_retry_after(error.response.headers),
        request_id=error.request_id or _body_request_id(error.body),
        detail=error.api_message or str(error),
    )


def _kind(error: anthropic.APIStatusError) -> ErrorKind:
    message = error.api_message or ""
    named = _BY_TYPE.get(str(error.type)) if error.type else None
    if error.error_code == "enforced_spend_limit_reached" or "spend limit" in message.lower():
        return "spend_limit"
    if any(words in message for words in _TOO_LONG):
        return "too_long"
    if error.status_code == 200:
        return named or "cut"
    return _BY_STATUS.get(error.status_code) or named or _by_class(error.status_code)


def _by_class(status: int) -> ErrorKind:
    return "server" if status >= 500 else "invalid"


def _retry_after(headers: Mapping[str, str]) -> float | None:
    for name, scale in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            return max(0.0, float(headers[name]) * scale)
        except (KeyError, ValueError):
            continue
    return None


def _body_request_id(body: object) -> str | None:
    found = body.get("request_id") if isinstance(body, Mapping) else None
    return found if isinstance(found, str) else None


def _lacks_key(error: Exception) -> bool:
    # The SDK says this with a bare TypeError from inside its header checks.
    return isinstance(error, TypeError) and "authentication method" in str(error)


def _chain(error: BaseException) -> str:
    """Name the causes of an error, outermost first: the network's own words are at the end."""
    return " <- ".join(f"{type(cause).__name__}: {cause}" for cause in _causes(error))


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__
