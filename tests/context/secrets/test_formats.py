"""How a file writes values, by its path."""

from __future__ import annotations

import pytest

from bot.context.secrets.formats import ScanKind, scan_kind_of


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("src/a.py", "python"),
        ("config/env.py", "python"),
        (".env.d.ts", "typescript"),
        (".eslintrc.js", "javascript"),
        (".prettierrc.json", "json"),
        ("a/.env.local", "config"),
        ("env.production", "config"),
        ("prod.env", "config"),
        (".gitmodules", "config"),
        (".aws/credentials", "config"),
        ("credentials.go", "go"),
        ("config.yml.example", "yaml"),
        ("settings.py.j2", "python"),
        ("Dockerfile", "shell"),
        ("Dockerfile.dev", "shell"),
        ("Makefile.am", "shell"),
        ("README", "prose"),
        ("README.md", "prose"),
        ("readme.go", "go"),
        ("Gemfile", "ruby"),
        ("bin/start", "code"),
        ("main.tf", "code"),
        ("a.unknown", "code"),
    ],
)
def test_a_path_tells_how_values_are_written(path: str, kind: ScanKind) -> None:
    """A bare word is a value in configuration and an expression in code."""
    assert scan_kind_of(path) == kind
