"""Every end of an answer has one honest line."""

from __future__ import annotations

from typing import get_args

import pytest

from bot.answer.result import Ending, EndingKind, announces_look_up, ending_for, ending_of
from bot.claude.errors import ClaudeError, CutStream
from bot.errors import ForewarmError

KINDS: tuple[EndingKind, ...] = get_args(EndingKind)


@pytest.mark.parametrize("kind", KINDS)
def test_only_what_is_whole_or_replaced_ends_without_a_line(kind: EndingKind) -> None:
    """Silence would leave people waiting, or taking half for the whole."""
    silent = kind in ("complete", "superseded", "joined")
    assert (Ending(kind).last_line == "") == silent
    assert "\n" not in Ending(kind).last_line


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("said", [True, False])
def test_no_end_without_words_counts_as_answered(kind: EndingKind, said: bool) -> None:
    """The report must not call an empty message an answer."""
    outcome = Ending(kind).outcome(said)
    assert outcome != "answered" or said or kind == "complete"


def test_errors_are_told_in_their_own_words_and_pressure_apart_from_failure() -> None:
    """To ask again in a minute and to wait for an operator are not the same news."""
    assert ending_for(ClaudeError("overloaded")).kind == "overloaded"
    assert ending_for(ClaudeError("rate_limited")).kind == "overloaded"
    assert ending_for(CutStream()).kind == "cut"
    assert ending_for(ClaudeError("refusal")).kind == "refused"
    assert "operators" in ending_for(ClaudeError("authentication")).last_line
    assert ending_for(ForewarmError("No repository.")).last_line == "No repository."


@pytest.mark.parametrize(
    ("stop_reason", "kind"),
    [
        ("end_turn", "complete"),
        ("stop", "complete"),
        ("FINISH_REASON_MAX_TOKENS", "length"),
        ("max-tokens", "length"),
        ("model_length", "window"),
        ("ERROR_TOXIC", "filtered"),
        ("PROHIBITED_CONTENT", "filtered"),
        ("insufficient_system_resource", "unfinished"),
        ("network_error", "unfinished"),
        ("OTHER", "unfinished"),
    ],
)
def test_stop_reasons_of_gateways_are_known(stop_reason: str, kind: EndingKind) -> None:
    """What is not known passes for the whole answer."""
    assert ending_of(stop_reason).kind == kind


@pytest.mark.parametrize("stop_reason", ["UNEXPECTED_TOOL_CALL", "tool-calls", "function_call"])
def test_a_look_up_that_did_not_come_is_announced(stop_reason: str) -> None:
    assert announces_look_up(stop_reason)


def test_a_refusal_is_not_built_upon() -> None:
    """A thread that replays it would be refused again and again."""
    assert not ending_of("refusal").is_remembered
    assert ending_of("max_tokens").is_remembered
    assert ending_of("end_turn").is_remembered
    assert ending_of("refusal").outcome(True) == "refused"
