"""AWS Signature Version 4, as a server checks it.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qsl, quote

from forewarm_playground.claude.errors import ApiError
from forewarm_playground.claude.providers.accounts import Accounts

TOLERANCE = 300.0
"""Seconds by which a signature may be older or newer than the server's time."""
_STAMP = "%Y%m%dT%H%M%SZ"
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/(?P<day>\d{8})/(?P<region>[^/]+)"
    r"/(?P<service>[^/]+)/aws4_request, ?SignedHeaders=(?P<signed>[^,]+), ?"
    r"Signature=(?P<signature>[0-9a-f]{64})"
)


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A request as it came over the wire. `target` is path and query, `headers` in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


def check_signature(request: SignedRequest, service: str, accounts: Accounts) -> None:
    """Raise `ApiError` with AWS's type and wording unless the request is signed as it must be."""
    found = _AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
    if found is None:
        raise _refused("MissingAuthenticationTokenException", "Missing Authentication Token")
    secret = accounts.aws_keys.get(found["key"])
    if secret is None:
        raise _refused(
            "UnrecognizedClientException", "The security token included in the request is invalid."
        )
    if request.headers.get("x-amz-security-token") in accounts.expired:
        raise _refused(
            "ExpiredTokenException", "The security token included in the request is expired"
        )
    if found["service"] != service:
        raise _refused(
            "InvalidSignatureException",
            f"Credential should be scoped to correct service: '{service}'. ",
        )
    if found["region"] != accounts.region:
        raise _refused(
            "InvalidSignatureException", "Credential should be scoped to a valid region. "
        )
    stamp = request.headers.get("x-amz-date", "")
    _check_time(stamp, accounts.now())
    if not hmac.compare_digest(_signature(request, found, stamp, secret), found["signature"]):
        raise _refused(
            "InvalidSignatureException",
            "The request signature we calculated does not match the signature you provided. Check"
            " your AWS Secret Access Key and signing method. Consult the service documentation for"
            " details.",
        )


def _check_time(stamp: str, now: float) -> None:
    at = datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC).timestamp()
    if at < now - TOLERANCE:
        edge = f"{_stamp(now - TOLERANCE)} ({_stamp(now)} - 5 min.)"
        raise _refused(
            "InvalidSignatureException", f"Signature expired: {stamp} is now earlier than {edge}"
        )
    if at > now + TOLERANCE:
        edge = f"{_stamp(now + TOLERANCE)} ({_stamp(now)} + 5 min.)"
        raise _refused(
            "InvalidSignatureException",
            f"Signature not yet current: {stamp} is still later than {edge}",
        )


def _signature(request: SignedRequest, found: re.Match[str], stamp: str, secret: str) -> str:
    path, _, query = request.target.partition("?")
    pairs = sorted(parse_qsl(query, keep_blank_values=True))
    names = found["signed"].split(";")
    canonical = "\n".join(
        (
            request.method,
            quote(path, safe="/~"),
            "&".join(
                f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in pairs
            ),
            *(f"{name}:{' '.join(request.headers.get(name, '').split())}" for name in names),
            "",
            found["signed"],
            hashlib.sha256(request.body).hexdigest(),
        )
    )
    scope = f"{found['day']}/{found['region']}/{found['service']}/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}"
    key = f"AWS4{secret}".encode()
    for part in (found["day"], found["region"], found["service"], "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, text.encode(), "sha256").hex()


def _stamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime(_STAMP)


def _refused(type: str, message: str) -> ApiError:
    return ApiError(403, type, message)
