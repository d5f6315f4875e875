"""The variables and the credentials file that point each official client at a local Claude."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from anthropic.lib.aws import _auth
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from forewarm_playground.claude.providers.accounts import Accounts, environment

Point = Callable[..., None]


@pytest.fixture(scope="session")
def private_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


@pytest.fixture
def point_at(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, private_key: str) -> Point:
    """Point all official clients at a local Claude, by their own variables."""

    def point(url: str, accounts: Accounts | None = None, **changed: str) -> None:
        file = tmp_path / "service-account.json"
        file.write_text(
            json.dumps(
                {
                    "type": "service_account",
                    "project_id": "local-project",
                    "private_key_id": "1",
                    "private_key": private_key,
                    "client_email": "bot@local-project.iam.gserviceaccount.com",
                    "token_uri": f"{url}/google/token",
                }
            )
        )
        # The SDK keeps the credentials of the first session for as long as the process runs.
        sessions: Any = _auth._get_session
        sessions.cache_clear()
        held = environment(url, accounts) | {"GOOGLE_APPLICATION_CREDENTIALS": str(file)}
        for name, value in (held | changed).items():
            monkeypatch.setenv(name, value)

    return point
