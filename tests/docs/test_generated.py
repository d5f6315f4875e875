"""Pages that are made from the code are up to date."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import jsonschema
import pytest

from bot.commands.schema import context_schema, providers_table, settings_page

DOCS = Path(__file__).parents[2] / "docs"


def test_the_reference_of_the_settings_is_that_of_the_code() -> None:
    """`forewarm schema --settings > docs/settings.md` makes it."""
    assert (DOCS / "settings.md").read_text("utf-8") == settings_page()


def test_every_setting_is_described_with_an_example() -> None:
    for section in settings_page().split("\n## ")[1:]:
        assert "Type: " in section
        assert "Default: " in section
        assert "Example: " in section
        assert "None" not in section


def test_the_schema_of_context_files_is_that_of_the_code() -> None:
    """`forewarm schema > docs/context.schema.json` makes it."""
    assert json.loads((DOCS / "context.schema.json").read_text("utf-8")) == context_schema()


def test_the_table_of_providers_is_that_of_the_code() -> None:
    """`forewarm schema --providers` prints it."""
    assert providers_table() in (DOCS / "providers.md").read_text("utf-8")


def test_this_repositorys_context_fits_the_schema_and_a_wrong_one_does_not() -> None:
    file = Path(__file__).parents[2] / "contexts" / "forewarm.toml"
    context = tomllib.loads(file.read_text("utf-8"))
    jsonschema.validate(context, context_schema())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**context, "modle": "x"}, context_schema())
