"""The ways into the local Claude: one for each provider.

A door turns a provider's request into the call of the Messages API that it stands for, and gives
replies, streams and errors the provider's own form. The wording of errors is that of the provider
if it is known from reports; docs/platform/providers.md lists them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from forewarm_playground.claude.config import Config, Identity
from forewarm_playground.claude.core import Call
from forewarm_playground.claude.errors import ApiError, invalid, not_found
from forewarm_playground.claude.providers import event_stream
from forewarm_playground.claude.providers.accounts import Accounts
from forewarm_playground.claude.providers.profiles import ProviderName
from forewarm_playground.claude.providers.sigv4 import SignedRequest, check_signature
from forewarm_playground.claude.responses.stream import encode

Json = dict[str, Any]
_OWN = "provider:"
"""Begins the type of errors that are the provider's own, not those of the Messages API."""
_BEDROCK_ID = re.compile(
    r"(?:arn:aws:bedrock:[^/]+/)?(?:(?:us|eu|jp|au|apac|global)\.)?anthropic\."
    r"(claude-[a-z0-9-]+?)(?:-\d{8})?(?:-v\d+(?::\d+)?)?"
)


@dataclass(frozen=True, slots=True)
class Arrived:
    """A request as it came in, and the parts of its path."""

    method: str
    target: str
    headers: Mapping[str, str]
    raw: bytes
    parts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Door:
    """One provider's manners. The functions raise `ApiError`, which `refusal` puts into words."""

    provider: ProviderName
    admit: Callable[[Arrived, Config], Identity | None]
    body: Callable[[Arrived, Json], Json]
    refusal: Callable[[ApiError, str], tuple[int, Json, dict[str, str]]]
    encode: Callable[[str, str], bytes] = encode
    stream_type: str = "text/event-stream; charset=utf-8"

    def call(self, arrived: Arrived, body: Any, config: Config) -> Call:
        """Return the call that the request stands for. Raises `ApiError`."""
        headers = dict(arrived.headers)
        identity = self.admit(arrived, config)
        key = _key(headers)
        for secret in ("authorization", "x-api-key", "api-key", "x-amz-security-token"):
            headers.pop(secret, None)
        version, named = headers.get("anthropic-version"), ""
        if isinstance(body, dict):
            named = str(body.get("model", ""))
            body = self.body(arrived, dict(body))
            version = body.pop("anthropic_version", version)
        betas = [one.strip() for one in headers.get("anthropic-beta", "").split(",") if one.strip()]
        return Call(
            body=body,
            key=key,
            version=version,
            betas=betas,
            headers=headers,
            identity=identity,
            provider=self.provider,
            regional=_is_regional(arrived, named),
        )

    def error(self, error: ApiError, request_id: str, headers: Mapping[str, str]) -> web.Response:
        """Return an error reply in the provider's form."""
        status, body, more = self.refusal(error, request_id)
        named = {**headers, **error.headers, **more}
        if error.retry_after is not None:
            named["retry-after"] = f"{error.retry_after:g}"
        text = json.dumps(body)
        return web.Response(
            text=text, status=status, headers=named, content_type="application/json"
        )

    def stream_error(self, error: ApiError, request_id: str) -> bytes:
        """Return an error in the middle of a stream."""
        if self.stream_type == event_stream.CONTENT_TYPE:
            kind = {"overloaded_error": "serviceUnavailableException"}.get(error.type, error.type)
            return event_stream.exception(kind, error.message)
        return self.encode("error", json.dumps(error.body(request_id)))


def _is_regional(arrived: Arrived, model: str) -> bool:
    """Tell whether a request keeps to one region: by Vertex's path, or by Bedrock's model id."""
    if "location" in arrived.parts:
        return arrived.parts["location"] != "global"
    return "global.anthropic." not in unquote(arrived.parts.get("model", model))


# --- who is let in --------------------------------------------------------------------------------


def _key(headers: Mapping[str, str]) -> str | None:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return headers.get("x-api-key") or (token if scheme.lower() == "bearer" else None)


def _anyone(arrived: Arrived, config: Config) -> Identity | None:
    """Leave it to the core, which knows the API keys."""
    return None


def _signed(service: str) -> Callable[[Arrived, Config], Identity]:
    def admit(arrived: Arrived, config: Config) -> Identity:
        accounts = config.accounts
        scheme, _, token = arrived.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            _check_aws_key(token, accounts)
        else:
            request = SignedRequest(arrived.method, arrived.target, arrived.headers, arrived.raw)
            check_signature(request, service, accounts)
        return Identity("aws-account", accounts.workspace)

    return admit


def _check_aws_key(token: str, accounts: Accounts) -> None:
    if token in accounts.expired:
        raise ApiError(403, "ExpiredTokenException", "Bearer Token has expired")
    if token not in accounts.bearers:
        raise ApiError(
            403,
            "AccessDeniedException",
            "Invalid API Key format: Must start with pre-defined prefix",
        )


def _platform_on_aws(arrived: Arrived, config: Config) -> Identity:
    identity = _signed("aws-external-anthropic")(arrived, config)
    asked = arrived.headers.get("anthropic-workspace-id")
    if not asked:
        raise invalid("anthropic-workspace-id: header is required")
    if asked != config.accounts.workspace:
        raise not_found(f"workspace: {asked}")
    return identity


def _google(arrived: Arrived, config: Config) -> Identity:
    accounts = config.accounts
    scheme, _, token = arrived.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or token not in accounts.bearers or token in accounts.expired:
        raise ApiError(
            401,
            f"{_OWN}UNAUTHENTICATED",
            "Request had invalid authentication credentials. Expected OAuth 2 access token, login"
            " cookie or other valid authentication credential.",
        )
    project, location = arrived.parts["project"], arrived.parts["location"]
    if project != accounts.project:
        raise ApiError(
            403,
            f"{_OWN}PERMISSION_DENIED",
            "Permission 'aiplatform.endpoints.predict' denied on resource"
            f" '//aiplatform.googleapis.com/projects/{project}/locations/{location}'.",
        )
    return Identity("google-project", accounts.workspace)


def _foundry(arrived: Arrived, config: Config) -> Identity:
    key = arrived.headers.get("x-api-key") or arrived.headers.get("api-key") or ""
    if key not in config.accounts.foundry_keys or key in config.accounts.expired:
        raise ApiError(
            401,
            f"{_OWN}401",
            "Access denied due to invalid subscription key or wrong API endpoint. Make sure to"
            " provide a valid key for an active subscription and use a correct regional API"
            " endpoint for your resource.",
        )
    return Identity("azure-resource", config.accounts.workspace)


# --- bodies ---------------------------------------------------------------------------------------


def _as_it_is(arrived: Arrived, body: Json) -> Json:
    return body


def bedrock_model(id: str) -> str:
    """Return the model behind an id of Bedrock. Raises `ApiError`."""
    found = _BEDROCK_ID.fullmatch(id)
    if found is None:
        raise ApiError(
            400, f"{_OWN}ValidationException", "The provided model identifier is invalid."
        )
    return found[1]


def _mantle_body(arrived: Arrived, body: Json) -> Json:
    body["model"] = bedrock_model(str(body.get("model")))
    return body


def _invoke_body(arrived: Arrived, body: Json) -> Json:
    for misplaced in ("model", "stream"):
        if misplaced in body:
            raise invalid(f"{misplaced}: Extra inputs are not permitted")
    if "anthropic_version" not in body:
        raise invalid("anthropic_version: Field required")
    body["model"] = bedrock_model(unquote(arrived.parts["model"]))
    if arrived.parts["verb"] == "invoke-with-response-stream":
        body["stream"] = True
    return body


def _vertex_body(arrived: Arrived, body: Json) -> Json:
    model = unquote(arrived.parts["model"])
    if model == "count-tokens":
        model = str(body.get("model"))
    elif "model" in body:
        raise invalid("model: Extra inputs are not permitted")
    elif bool(body.get("stream")) != (arrived.parts["verb"] == "streamRawPredict"):
        raise invalid("stream: it must agree with the method of the path")
    if "anthropic_version" not in body:
        raise invalid("anthropic_version: Field required")
    body["model"] = model.replace("@", "-")
    return body


# --- errors ---------------------------------------------------------------------------------------


def _plainly(error: ApiError, request_id: str) -> tuple[int, Json, dict[str, str]]:
    return error.status, error.body(request_id), {"request-id": request_id}


_BEDROCK_ERRORS: Mapping[int, tuple[int, str]] = {
    400: (400, "ValidationException"),
    404: (404, "ResourceNotFoundException"),
    413: (413, "RequestEntityTooLargeException"),
    429: (429, "ThrottlingException"),
    500: (500, "InternalServerException"),
    504: (408, "ModelTimeoutException"),
    529: (503, "ServiceUnavailableException"),
}


def _by_bedrock(error: ApiError, request_id: str) -> tuple[int, Json, dict[str, str]]:
    status, kind = _BEDROCK_ERRORS.get(error.status, (error.status, error.type))
    message = error.message
    if error.type == "not_found_error":
        status, kind = 400, "ValidationException"
        message = "The provided model identifier is invalid."
    headers = {"x-amzn-requestid": request_id, "x-amzn-errortype": kind.removeprefix(_OWN)}
    return status, {"message": message}, headers


def _by_aws(error: ApiError, request_id: str) -> tuple[int, Json, dict[str, str]]:
    """The gateway's own errors are AWS's, those behind it the Messages API's."""
    if error.type.endswith("Exception"):
        kind = error.type.removeprefix(_OWN)
        headers = {"x-amzn-requestid": request_id, "x-amzn-errortype": kind}
        return error.status, {"message": error.message}, headers
    return _plainly(error, request_id)


def _by_google(error: ApiError, request_id: str) -> tuple[int, Json, dict[str, str]]:
    status, message = error.type.removeprefix(_OWN), error.message
    if error.type == "not_found_error":
        status = "NOT_FOUND"
        model = message.removeprefix("model: ")
        message = (
            f"Publisher Model `publishers/anthropic/models/{model}` was not found or your project"
            " does not have access to it. Please ensure you are using a valid model version."
        )
    elif not error.type.startswith(_OWN):
        return _plainly(error, request_id)
    return error.status, {"error": {"code": error.status, "message": message, "status": status}}, {}


def _by_foundry(error: ApiError, request_id: str) -> tuple[int, Json, dict[str, str]]:
    code, message = error.type.removeprefix(_OWN), error.message
    if error.type == "not_found_error":
        code = "DeploymentNotFound"
        message = (
            "The API deployment for this resource does not exist. If you created the deployment"
            " within the last 5 minutes, please wait a moment and try again."
        )
    elif not error.type.startswith(_OWN):
        return _plainly(error, request_id)
    return error.status, {"error": {"code": code, "message": message}}, {}


def _encode_chunk(name: str, data: str) -> bytes:
    return event_stream.chunk(data)


ANTHROPIC = Door("anthropic", _anyone, _as_it_is, _plainly)
AWS = Door("aws", _platform_on_aws, _as_it_is, _by_aws)
BEDROCK = Door(
    "bedrock",
    _signed("bedrock"),
    _invoke_body,
    _by_bedrock,
    _encode_chunk,
    event_stream.CONTENT_TYPE,
)
MANTLE = Door("bedrock-mantle", _signed("bedrock-mantle"), _mantle_body, _by_aws)
VERTEX = Door("vertex", _google, _vertex_body, _by_google)
GOOGLE_CLOUD = Door("google-cloud", _google, _as_it_is, _by_google)
FOUNDRY = Door("foundry", _foundry, _as_it_is, _by_foundry)

_MESSAGES, _COUNT = "/v1/messages", "/v1/messages/count_tokens"
_WORKSPACE = (
    "/google-cloud/v1/projects/{project}/locations/{location}/workspaces/{workspace}/invoke"
)
_PUBLISHER = "/vertex/v1/projects/{project}/locations/{location}/publishers/anthropic/models"

ROUTES: tuple[tuple[str, Door, str], ...] = (
    (_MESSAGES, ANTHROPIC, _MESSAGES),
    (_COUNT, ANTHROPIC, _COUNT),
    (f"/aws{_MESSAGES}", AWS, _MESSAGES),
    (f"/aws{_COUNT}", AWS, _COUNT),
    ("/bedrock/model/{model}/{verb:invoke|invoke-with-response-stream}", BEDROCK, _MESSAGES),
    (f"/bedrock-mantle/anthropic{_MESSAGES}", MANTLE, _MESSAGES),
    (f"/bedrock-mantle/anthropic{_COUNT}", MANTLE, _COUNT),
    (_PUBLISHER + "/{model:count-tokens}:{verb:rawPredict}", VERTEX, _COUNT),
    (_PUBLISHER + "/{model}:{verb:rawPredict|streamRawPredict}", VERTEX, _MESSAGES),
    (f"{_WORKSPACE}{_MESSAGES}", GOOGLE_CLOUD, _MESSAGES),
    (f"{_WORKSPACE}{_COUNT}", GOOGLE_CLOUD, _COUNT),
    (f"/foundry/anthropic{_MESSAGES}", FOUNDRY, _MESSAGES),
    (f"/foundry/anthropic{_COUNT}", FOUNDRY, _COUNT),
)
"""Paths of POST requests, the door that each is, and the path of the Messages API that it means."""

CATALOGUES: tuple[tuple[str, Door], ...] = (
    ("", ANTHROPIC),
    ("/aws", AWS),
    (_WORKSPACE, GOOGLE_CLOUD),
)
"""Bases of `/v1/models`: the other providers have none."""
