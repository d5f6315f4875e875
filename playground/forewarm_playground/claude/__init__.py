"""A local Claude: the Messages API with its cache, prices, limits and faults, on this machine."""

from forewarm_playground.claude.cache.usage import Usage
from forewarm_playground.claude.clocks import ManualClock
from forewarm_playground.claude.config import Chaos, Config, Identity
from forewarm_playground.claude.core import Call, Core
from forewarm_playground.claude.errors import ApiError
from forewarm_playground.claude.latency import INSTANT, Latency
from forewarm_playground.claude.limits import Limits
from forewarm_playground.claude.local import LocalClaude
from forewarm_playground.claude.providers.accounts import Accounts
from forewarm_playground.claude.providers.profiles import Profile
from forewarm_playground.claude.responses.answers import Answer, Refusal, Text, Thought, ToolUse
from forewarm_playground.claude.responses.faults import Fault
from forewarm_playground.claude.responses.matching import Match, RequestInfo
from forewarm_playground.claude.validation.citations import Cite

__all__ = [
    "INSTANT",
    "Accounts",
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
    "Profile",
    "Refusal",
    "RequestInfo",
    "Text",
    "Thought",
    "ToolUse",
    "Usage",
]
