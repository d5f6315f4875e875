"""The configuration file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from forewarm_playground.claude import Config, Core, Identity, Limits
from forewarm_playground.claude.config import load
from forewarm_playground.claude.errors import ConfigurationError
from forewarm_playground.claude.request_factory import body

WHOLE = """
limits = "build"
keep_bodies = 3

[keys.sk-one]
organization = "org-a"
workspace = "wrkspc_a"

[latency]
base = 1.5
thinking = { high = 4.0 }

[chaos]
visibility_lag = 2.0

[models.claude-sonnet-5-5]
min_cacheable = 9

[models.claude-house-model]
display_name = "House"
line = "house"
price = { input = 1.0, output = 2.0, read = 0.1 }
"""


def test_everything_can_be_set(tmp_path: Path) -> None:
    """Keys, latency, limits, chaos; a model's fields; models of one's own."""
    path = tmp_path / "claude.toml"
    path.write_text(WHOLE)
    config = load(path)
    assert config.keys == {"sk-one": Identity("org-a", "wrkspc_a")}
    assert config.latency.base == 1.5
    assert config.limits == Limits(5_000, 5_000_000, 1_000_000, 4_000)
    assert config.chaos.visibility_lag == 2.0
    sonnet, house = (config.models.find(f"claude-{name}") for name in ("sonnet-5-5", "house-model"))
    assert sonnet is not None
    assert (sonnet.min_cacheable, sonnet.price.input) == (9, 2.0)
    assert house is not None
    assert (house.context, house.price.read) == (1_000_000, 0.1)


def test_the_documented_configuration_is_one(tmp_path: Path) -> None:
    """The documented file gives the documented defaults."""
    pages = [page.read_text() for page in Path("docs").glob("playground*.md")]
    blocks = [block.split("```")[0] for page in pages for block in page.split("```toml\n")[1:]]
    (shown,) = [block for block in blocks if "[chaos]" in block]
    path = tmp_path / "claude.toml"
    path.write_text(shown)
    config, default = load(path), Config()
    assert config.latency == replace(default.latency, thinking={"high": 0.0})
    assert (config.limits, config.chaos) == (default.limits, default.chaos)
    assert (config.body_limit, config.keep_bodies) == (default.body_limit, default.keep_bodies)


@pytest.mark.parametrize(
    ("content", "where"),
    [
        ("[latecny]", "latecny"),
        ("[latency]\nbsae = 1", "bsae"),
        ("[keys.a]\norg = 'x'", "keys.a"),
        ("limits = 'huge'", "huge"),
        ("[limits]\nrequest = 1", "limits"),
        ("keys = 3", "keys"),
        ("[models.m]\nline = 'x'", "models.m"),
        ("this is no TOML", "line 1"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, content: str, where: str) -> None:
    """Nothing misspelt passes for a default."""
    path = tmp_path / "claude.toml"
    path.write_text(content)
    with pytest.raises(ConfigurationError) as caught:
        load(path)
    assert where in caught.value.user_message


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """With its path."""
    with pytest.raises(ConfigurationError, match=r"nothing\.toml"):
        load(tmp_path / "nothing.toml")


def test_only_the_latest_requests_keep_their_bodies(tmp_path: Path) -> None:
    """Bodies of hundreds of kilobytes would fill the memory of a server that runs for days."""
    path = tmp_path / "claude.toml"
    path.write_text("keep_bodies = 2")
    core = Core(load(path))
    for at in range(5):
        core.create(body(), float(at))
    assert [record.body is None for record in core.requests] == [True, True, True, False, False]
