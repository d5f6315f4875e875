"""Sentences for failures at clouds: each names the setting to change.

The wordings of the clouds are those of docs/platform/providers.md#error-wording. The words decide
before the status, since one status of AWS stands for a wrong key, an old one and a wrong clock.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Literal

from bot.claude.providers.table import Provider, claude_name, sent_id

CloudKind = Literal["authentication", "permission", "unknown_model", "connection"]
_STAMPS = re.compile(r": (\d{8}T\d{6}Z) is .*\((\d{8}T\d{6}Z) [+-]")
_CLOCK = re.compile(
    r"\bsignature (?:expired|not yet current)\b|\bRequestTimeTooSkewed\b"
    r"|\bshort-lived token\b.*\breasonable timeframe\b",
    re.IGNORECASE,
)
_EXPIRED = re.compile(
    r"\btoken\b[^.]{0,60}\b(?:is|has|been) expired\b|\bExpiredToken|\bACCESS_TOKEN_EXPIRED\b"
    r"|\bsession\b[^.]{0,80}\bexpired\b|\breauthentication is needed\b",
    re.IGNORECASE,
)
_WRONG = re.compile(
    r"\btoken included in the request is invalid\b|\bsignature we calculated does not match\b"
    r"|\bmissing authentication token\b|\binvalid api key\b",
    re.IGNORECASE,
)
_REGION = re.compile(r"\bcredential should be scoped to\b", re.IGNORECASE)
_PROFILE = re.compile(r"\bon-demand throughput isn.t supported\b", re.IGNORECASE)
_MODEL = re.compile(
    r"\bmodel identifier is invalid\b|\bpublisher model\b.*\bnot found\b"
    r"|\bdeployment for this resource does not exist\b|\bend of its life\b",
    re.IGNORECASE,
)
_ACCESS = re.compile(
    r"\bdon.t have access to the model\b|\bnot allowed to use publisher model\b"
    r"|\bnot authorized to perform\b|\bpermission '[^']+' denied\b",
    re.IGNORECASE,
)


def classify(provider: Provider, model: str, message: str) -> tuple[CloudKind, str] | None:
    """Return the kind and the sentence that a cloud's words stand for, or None if they do not."""
    title = provider.title
    if _CLOCK.search(message):
        return "authentication", (
            f"The clock of this machine is {_difference(message)} wrong, so {title} refuses its"
            " signatures: set the clock, for example by NTP (`timedatectl set-ntp true`)."
        )
    if _EXPIRED.search(message):
        return "authentication", (
            f"The credentials for {title} have expired, so nothing can be answered: renew"
            f" {provider.credentials}."
        )
    if _WRONG.search(message):
        return "authentication", sentence(provider, "authentication", model)
    if _REGION.search(message):
        return "authentication", (
            f"{title} was asked in one region with a signature for another: correct"
            f" {provider.place}, and the address if one is set."
        )
    if _PROFILE.search(message):
        return "unknown_model", (
            f"{title} serves `{claude_name(model)}` through inference profiles only: set `model_id`"
            " in the context's file to a profile such as"
            f" `global.anthropic.{claude_name(model)}`."
        )
    if _MODEL.search(message):
        return "unknown_model", sentence(provider, "unknown_model", model)
    if _ACCESS.search(message):
        return "permission", sentence(provider, "permission", model)
    return None


def sentence(provider: Provider, kind: CloudKind, model: str, host: str = "") -> str:
    """Return the sentence for a kind of failure at a cloud."""
    title, id = provider.title, sent_id(model)
    if kind == "authentication":
        return (
            f"{title} did not accept the credentials, so nothing can be answered: correct"
            f" {provider.credentials}."
        )
    if kind == "permission":
        return (
            f"The credentials may not use `{id}` at {title}: let an administrator of the account"
            " grant access to the model, or choose another `model` in the context's file."
        )
    if kind == "unknown_model":
        return (
            f"{title} has no model `{id}` here: correct `model` or `model_id` in the context's"
            f" file, or {provider.place}."
        )
    return (
        f"{title} cannot be reached at {host or 'its address'}: correct {provider.place}, and check"
        " the network."
    )


def not_set_up(provider: Provider, missing: tuple[str, ...]) -> str:
    """Return the sentence for variables that are not set."""
    return f"{provider.title} cannot be used yet: set {' and '.join(missing)}."


def not_installed(provider: Provider) -> str:
    """Return the sentence for packages that are not installed."""
    return (
        f"{provider.title} needs packages that are not installed: run"
        f" `pip install 'forewarm-bot[{provider.extra}]'`."
    )


def _difference(message: str) -> str:
    found = _STAMPS.search(message)
    if found is None:
        return "some minutes"
    sent, served = (datetime.strptime(stamp, "%Y%m%dT%H%M%SZ") for stamp in found.groups())
    return f"about {round(abs((served - sent).total_seconds()) / 60)} minutes"
