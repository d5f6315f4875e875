"""The container pins its base images and runs without rights."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
EXACT = re.compile(r"^[a-z]+:\d+\.\d+(\.\d+)?-[a-z-]+$")


def locked(name: str) -> dict[str, str]:
    pins = re.findall(r"^([\w.-]+)==([^\s;\\]+)", (ROOT / name).read_text(), re.MULTILINE)
    return dict(pins)


def test_images_are_named_by_exact_versions() -> None:
    """`latest` is another program every week."""
    used = re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    used += re.findall(r"^\s+image: (\S+)", (ROOT / "compose.yaml").read_text(), re.MULTILINE)
    others = [image for image in used if image != "forewarm:local"]
    assert len(others) == 3
    assert all(EXACT.match(image) for image in others), others


def test_the_container_ends_as_a_user_without_rights() -> None:
    users = re.findall(r"^USER (\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert users
    assert users[-1] not in ("root", "0")


def test_the_container_installs_what_the_tests_ran_with() -> None:
    """One lock for development, a part of it for the image: never two versions of a package."""
    served, tested = locked("requirements-serve.lock"), locked("requirements.lock")
    assert {"slack-bolt", "anthropic", "sqlalchemy", "asyncpg"} <= set(served)
    assert served.items() <= tested.items()
