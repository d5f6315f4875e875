"""Map the exceptions of the SDK to `ClaudeError`.

Servers that speak Anthropic's protocol word the same error in different ways, and some give it a
status of its own. So the words decide first, then the status, then the type. Wordings are those of
Anthropic, vLLM, llama.cpp and Ollama (docs/platform/claude.md#error-wording) and of the clouds
(docs/platform/providers.md#error-wording).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

import aiohttp
import anthropic
import httpx2

from bot.claude.errors import ClaudeError, CutStream, ErrorKind
from bot.claude.providers.failures import classify, not_installed, sentence
from bot.claude.providers.table import Provider, providers, sent_id, split_name

_BY_STATUS: dict[int, ErrorKind] = {
    401: "authentication",
    402: "spend_limit",
    403: "permission",
    404: "unknown_model",
    408: "timeout",
    413: "too_long",
    424: "server",  # Bedrock: the model failed
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
    "invalid_request_error": "invalid",
    "exceed_context_size_error": "too_long",  # llama.cpp's word for it
    # Within a stream of Bedrock.
    "throttlingException": "rate_limited",
    "modelStreamErrorException": "cut",
    "modelTimeoutException": "timeout",
    "internalServerException": "server",
    "serviceUnavailableException": "overloaded",
    "validationException": "invalid",
}
_BROKEN = (
    json.JSONDecodeError,
    UnicodeDecodeError,
    OSError,
    anthropic.APIConnectionError,
    httpx2.TransportError,
)
_NOT_SENT = (
    aiohttp.ClientConnectorError,
    aiohttp.ClientConnectionResetError,
    aiohttp.ConnectionTimeoutError,
    httpx2.ConnectTimeout,
    httpx2.PoolTimeout,
    httpx2.UnsupportedProtocol,
)
"""Failures before the first byte of a request was written."""
_CLASSIFIED = (400, 401, 403, 404)
"""Statuses that clouds give to refused credentials and to models that they do not have."""

_TOO_LONG = re.compile(
    r"\b(?:prompt|input|request|context)\b[^.]{0,80}\btoo (?:long|large|many tokens)\b"
    r"|\bexceed\w*\b[^.]{0,80}\b(?:context|maximum input|number of (?:input )?tokens allowed)\b"
    r"|\bmaximum context length\b|\bmaximum (?:model|sequence) length\b"
    r"|\bcontext (?:length|window|size)\b[^.]{0,60}\b(?:exceed\w*|is only)\b"
    r"|\bcontext_length_exceeded\b|\bmax_model_len\b"
    r"|\blonger than\b[^.]{0,80}\bcontext\b|\breduce the length of the (?:messages|prompt|input)\b"
    r"|\bnumber of (?:input )?tokens\b[^.]{0,60}\bexceeds? the model\b",
    re.IGNORECASE,
)
_FILTERED = re.compile(
    r"\bcontent[ _-](?:filter\w*|management polic\w+)|\bguardrails? (?:blocked|intervened)\b",
    re.IGNORECASE,
)
_NO_CREDIT = re.compile(r"\bcredit balance is too low\b|\binsufficient (?:credits?|funds)\b", re.I)
_USAGE_LIMIT = re.compile(
    r"\b(?:api )?usage limits?\b|\bspend limit\b|\bexceeded your current quota\b", re.IGNORECASE
)
_KNOWN_TEXT = """
a above access account active actual adaptive add adjust after allowed already also an and any
api are array as assistant at authenticate authentication available bad balance base64 be
because been below beta between_tools billing block blocked blocks body boolean both bound
budget budget_tokens but by byte bytes cache cache_control cached call called came can cannot
capacity chain character characters check claude client closed come connect connecting
connection console contain contains content context continue conversation correct could count
credit credits current data date day decode denied deprecated diagnostics dict did disabled
disconnected display does effort either empty enabled encoding end ended endpoint ephemeral
equal error event exceed exceeded exceeds exist expected expecting extra failed false field
fields file filter filtering final first follow following for forbidden format found from
function gateway get given go greater had has have header headers high higher host hour http
https id image image_url in inactive incomplete incorrect input input_schema inputs instead
insufficient int integer internal invalid is it item items its json key keys large last later
least length less limit limits list literal long low lower match max max_model_len max_tokens
maximum may media_type medium message messages method min minimum minute missing model models
more must name network no non none not null number object of off offline on one only option or
order organization out output overloaded parameter parameters parse parsing pattern payload peer
per permission permitted plans please policy position prefill prefix process prompt property
provide provided purchase quota range rate reached read reason receive received reduce refused
regain regex rejected remove request requested requests require required requires reset resource
response retry role roles s same schema second seconds send sent sequence server service set
shorter should signature size smaller source specified start status stop_reason stop_sequences
stream streaming string such support supported supports system temperature temporarily temporary
text than that the there these they thinking this thread time timed timeout times to token
tokens too tool tool_choice tool_result tool_use tools top_k top_p total true try ttl turn two
type types unable unauthorized unavailable unexpected unknown unsupported unterminated until up
upgrade upstream url usage use used user utc valid validation value values version was were when
which while will with within without workspace would wrong x xhigh you your zero
access credential credentials deployment earlier expired identifier invocation publisher region
scoped security session throughput throttling
"""
_KNOWN_WORDS = frozenset(_KNOWN_TEXT.split())
"""The words of published errors, of field names and of the HTTP libraries."""
_WORD = re.compile(r"[\w-]+")
_GAPS = re.compile(r"…(?:[^\w…]*…)+")
_REGAINED = re.compile(r"\bregain access on (\d{4}-\d\d-\d\d(?: at \d\d:\d\d UTC)?)")


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
        sent = may_have_arrived(error)
        return ClaudeError("timeout", model=model, detail=_chain(error), may_be_charged=sent)
    cloud = _cloud(model)
    if isinstance(error, anthropic.APIConnectionError | httpx2.TransportError | OSError):
        told = sentence(cloud, "connection", model, _host(error)) if cloud else None
        return ClaudeError(
            "connection",
            model=model,
            detail=_chain(error),
            user_message=told,
            may_be_charged=may_have_arrived(error),
        )
    if cloud is not None and _is_about_credentials(error):
        return _of_credentials(error, cloud, model)
    if isinstance(error, anthropic.CredentialsError) or _lacks_key(error):
        return no_key()
    raise error


def _cloud(model: str) -> Provider | None:
    """Return the provider of a model, or None if that is no cloud."""
    name = split_name(model)[0]
    return providers()[name] if name else None


def _host(error: BaseException) -> str:
    request = getattr(error, "request", None)
    return str(request.url.host) if request is not None else ""


def _is_about_credentials(error: Exception) -> bool:
    """Tell whether an error comes from the search for a cloud's credentials.

    The packages of the clouds are not imported to compare types, since they may not be installed.
    """
    origin = type(error).__module__.partition(".")[0]
    said = isinstance(error, RuntimeError) and "Could not resolve" in str(error)
    return origin in ("botocore", "boto3", "google") or said or isinstance(error, ImportError)


def _of_credentials(error: Exception, cloud: Provider, model: str) -> ClaudeError:
    if isinstance(error, ImportError):
        told = not_installed(cloud)
    else:
        found = classify(cloud, model, str(error))
        told = found[1] if found else sentence(cloud, "authentication", model)
    return ClaudeError("authentication", model=model, detail=_chain(error), user_message=told)


def never_left(error: Exception) -> bool:
    """Tell whether a request failed because its connection was closed before it was written."""
    return any(isinstance(cause, aiohttp.ClientConnectionResetError) for cause in _causes(error))


def may_have_arrived(error: Exception) -> bool:
    """Tell whether a server may work on a request although no reply came.

    A search for credentials that fails reaches no model server.
    """
    causes = list(_causes(error))
    if any(isinstance(cause, _NOT_SENT) for cause in causes):
        return False
    return any(isinstance(cause, aiohttp.ClientError | httpx2.TransportError) for cause in causes)


def lacks_endpoint(error: Exception, model: str) -> bool:
    """Tell a server without this endpoint from one that does not know the model.

    Anthropic's 404 names the model it lacks; a server without the endpoint names nothing.
    """
    if not isinstance(error, anthropic.APIStatusError) or error.status_code not in (404, 405, 501):
        return False
    return sent_id(model) not in _server_message(error)


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
    kind, told = _kind(error), None
    cloud, message = _cloud(model), _server_message(error)
    if kind == "spend_limit":
        told = _money_sentence(message)
    elif cloud is not None and error.status_code == 503:
        kind = "overloaded"
    elif cloud is not None and error.status_code in _CLASSIFIED:
        found = classify(cloud, model, message)
        if found is not None:
            kind, told = found
        elif kind in ("authentication", "permission", "unknown_model"):
            told = sentence(cloud, kind, model)
    headers = error.response.headers
    return ClaudeError(
        kind,
        model=model,
        status=error.status_code,
        retry_after=_retry_after(headers),
        request_id=error.request_id
        or headers.get("x-amzn-requestid")
        or _body_request_id(error.body),
        detail=known_words(message or str(error), sent_id(model)),
        user_message=told,
        # A gateway that waited in vain does not know if the model went on.
        may_be_charged=error.status_code == 504,
    )


def _server_message(error: anthropic.APIStatusError) -> str:
    """Return the server's words: Anthropic's, or those of a cloud in a body of another shape."""
    if error.api_message:
        return error.api_message
    body = error.body[0] if isinstance(error.body, list) and error.body else error.body
    if not isinstance(body, Mapping):
        return ""
    inner = body.get("error")
    held = inner if isinstance(inner, Mapping) else body
    message = held.get("message") or held.get("Message") or ""
    return message if isinstance(message, str) else ""


def known_words(said: str, model: str) -> str:
    """Return a server's words for the log, with `…` for each that is none of an error.

    Servers quote the request in their errors: a field's value, a whole message, a header. So the
    words that are kept are listed. Numbers up to nine digits and the model's name are kept, too.
    """

    def kept(found: re.Match[str]) -> str:
        word = found[0]
        digits = word.replace("-", "")
        is_number = digits.isdecimal() and len(digits) < 10
        is_known = all(part in _KNOWN_WORDS for part in word.lower().split("-"))
        return word if is_number or is_known else "…"

    parts = said[:2000].split(model) if model else [said[:2000]]
    return _GAPS.sub("…", model.join(_WORD.sub(kept, part) for part in parts))


def _money_sentence(message: str) -> str | None:
    """Return the sentence for money that is not there; None for the general one."""
    if _NO_CREDIT.search(message):
        return (
            "The organisation has no credit left at Claude, so nothing can be answered; "
            "add credit under Billing in the Claude Console."
        )
    if found := _REGAINED.search(message):
        return (
            f"The usage limit that the organisation set at Claude is reached until {found[1]}; "
            "raise it in the Claude Console to be answered earlier."
        )
    return None


def _kind(error: anthropic.APIStatusError) -> ErrorKind:
    message = _server_message(error)
    status, named = error.status_code, _BY_TYPE.get(str(error.type)) if error.type else None
    # A limit that only money lifts, as against one that time lifts.
    if error.error_code == "enforced_spend_limit_reached" or _is_about_money(message):
        return "spend_limit"
    if status in (429, 529):
        return _BY_STATUS[status]
    if _FILTERED.search(message):
        return "filtered"
    # An answer that is too long for its setting is not a prompt that is too long.
    if _TOO_LONG.search(message) and named not in ("rate_limited", "overloaded"):
        return "too_long"
    if status == 200:
        # An error within a stream: of an unknown type it may pass, and is tried again.
        return named or "cut"
    return _BY_STATUS.get(status) or named or _by_class(status)


def _is_about_money(message: str) -> bool:
    return bool(_NO_CREDIT.search(message) or _USAGE_LIMIT.search(message))


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
    return " <- ".join(f"{type(cause).__name__}: {_words_of(cause)}" for cause in _causes(error))


def _words_of(cause: BaseException) -> str:
    """Return what an error says; of one that may quote the server, the known words alone."""
    return str(cause) if isinstance(cause, OSError) else known_words(str(cause), "")


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__
