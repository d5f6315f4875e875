"""Credentials that the emulated clouds accept."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounts:
    """The customers of the emulated clouds.

    `aws_keys` maps access key ids to their secrets. Session tokens in `expired` have ended, and so
    have bearer tokens there. `region` is the one region in which the AWS services exist.
    `bearers` are tokens of Google and API keys of AWS, `foundry_keys` those of Foundry. The clock
    of the clouds is `clock_ahead` seconds before the machine's.
    """

    aws_keys: Mapping[str, str] = field(default_factory=lambda: {"AKIALOCAL": "local-secret"})
    region: str = "us-east-1"
    project: str = "local-project"
    workspace: str = "wrkspc_default"
    bearers: frozenset[str] = frozenset({"local-token"})
    foundry_keys: frozenset[str] = frozenset({"local-key"})
    expired: frozenset[str] = frozenset()
    clock_ahead: float = 0.0

    def now(self) -> float:
        """Return the clouds' time, Unix seconds. Signatures are made with the wall clock."""
        return time.time() + self.clock_ahead


def environment(url: str, accounts: Accounts | None = None) -> dict[str, str]:
    """Return the variables that point the official clients of all providers at a local Claude.

    Google's credentials are a file, which `GOOGLE_APPLICATION_CREDENTIALS` must name; its
    `token_uri` is `{url}/google/token`.
    """
    held = accounts or Accounts()
    key, secret = next(iter(held.aws_keys.items()))
    workspace = f"projects/{held.project}/locations/global/workspaces/{held.workspace}/invoke"
    return {
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_REGION": held.region,
        "ANTHROPIC_AWS_WORKSPACE_ID": held.workspace,
        "ANTHROPIC_AWS_BASE_URL": f"{url}/aws",
        "ANTHROPIC_BEDROCK_BASE_URL": f"{url}/bedrock",
        "ANTHROPIC_BEDROCK_MANTLE_BASE_URL": f"{url}/bedrock-mantle/anthropic",
        "ANTHROPIC_VERTEX_BASE_URL": f"{url}/vertex/v1",
        "ANTHROPIC_VERTEX_PROJECT_ID": held.project,
        "CLOUD_ML_REGION": held.region,
        "ANTHROPIC_GOOGLE_CLOUD_BASE_URL": f"{url}/google-cloud/v1/{workspace}",
        "ANTHROPIC_GOOGLE_CLOUD_PROJECT": held.project,
        "ANTHROPIC_GOOGLE_CLOUD_WORKSPACE_ID": held.workspace,
        "ANTHROPIC_FOUNDRY_BASE_URL": f"{url}/foundry/anthropic",
        "ANTHROPIC_FOUNDRY_API_KEY": next(iter(held.foundry_keys)),
    }
