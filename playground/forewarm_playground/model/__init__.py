"""A local model behind the Messages API: llama.cpp's server with real prefix reuse."""

from __future__ import annotations

from forewarm_playground.model.limiting_proxy import limited
from forewarm_playground.model.local import LocalModel, ModelOptions
from forewarm_playground.model.weights import LocalModelError, find_weights

__all__ = ["LocalModel", "LocalModelError", "ModelOptions", "find_weights", "limited"]
