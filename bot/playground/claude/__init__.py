"""A local Claude: the Messages API with its cache, prices, limits and faults, on this machine."""

from bot.playground.claude.answers import Answer, Refusal, Text, Thought, ToolUse
from bot.playground.claude.citations import Cite
from bot.playground.claude.clocks import HandClock
from bot.playground.claude.config import Chaos, Config, Identity
from bot.playground.claude.core import Call, Core
from bot.playground.claude.errors import ApiError
from bot.playground.claude.faults import Fault
from bot.playground.claude.latency import INSTANT, Latency
from bot.playground.claude.limits import Limits
from bot.playground.claude.local import LocalClaude
from bot.playground.claude.matching import Asked, Match
from bot.playground.claude.usage import Usage

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
