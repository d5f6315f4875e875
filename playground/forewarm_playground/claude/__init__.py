"""A local Claude: the Messages API with its cache, prices, limits and faults, on this machine."""

from forewarm_playground.claude.cache.usage import Usage
from forewarm_playground.claude.clocks import ManualClock
from forewarm_playground.claude.config import Chaos, Config, Identity
from forewarm_playground.claude.core import Call, Core
from forewarm_playground.claude.errors import ApiError
from forewarm_playground.claude.latency import INSTANT, Latency
from forewarm_playground.claude.limits import Limits
from forewarm_playground.claude.local import LocalClaude
from forewarm_playground.claude.responses.answers import Answer, Refusal, Text, Thought, ToolUse
from forewarm_playground.claude.responses.faults import Fault
from forewarm_playground.claude.responses.matching import Match, RequestInfo
from forewarm_playground.claude.validation.citations import Cite

__all__ = [
    "INSTANT",
    "Answer",
    "ApiError",
    "Call",
    "Chaos",
    "Cite",
    "Config",
    "Core",
    "Fault",
    "Identity",
    "Latency",
    "Limits",
    "LocalClaude",
    "ManualClock",
    "Match",
    "Refusal",
    "RequestInfo",
    "Text",
    "Thought",
    "ToolUse",
    "Usage",
]
