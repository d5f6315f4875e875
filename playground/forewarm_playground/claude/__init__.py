"""A local Claude: the Messages API with its cache, prices, limits and faults, on this machine."""

from forewarm_playground.claude.answers import Answer, Refusal, Text, Thought, ToolUse
from forewarm_playground.claude.citations import Cite
from forewarm_playground.claude.clocks import HandClock
from forewarm_playground.claude.config import Chaos, Config, Identity
from forewarm_playground.claude.core import Call, Core
from forewarm_playground.claude.errors import ApiError
from forewarm_playground.claude.faults import Fault
from forewarm_playground.claude.latency import INSTANT, Latency
from forewarm_playground.claude.limits import Limits
from forewarm_playground.claude.local import LocalClaude
from forewarm_playground.claude.matching import Asked, Match
from forewarm_playground.claude.usage import Usage

__all__ = [
    "INSTANT",
    "Answer",
    "ApiError",
    "Asked",
    "Call",
    "Chaos",
    "Cite",
    "Config",
    "Core",
    "Fault",
    "HandClock",
    "Identity",
    "Latency",
    "Limits",
    "LocalClaude",
    "Match",
    "Refusal",
    "Text",
    "Thought",
    "ToolUse",
    "Usage",
]
