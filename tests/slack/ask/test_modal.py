"""The ask-modal's views and what is read back from them."""

from __future__ import annotations

from typing import Any

import pytest

from bot.slack.ask import modal
from bot.slack.ask.modal import CUT, METADATA_LIMIT, Entered, Origin, origin_of


def state(question: str | None, context: str | None, place: str | None) -> dict[str, Any]:
    def chosen(value: str | None) -> dict[str, Any]:
        return {"selected_option": {"value": value} if value else None}

    return {
        "state": {
            "values": {
                "question": {"draft": {"type": "plain_text_input", "value": question}},
                "context": {"context": chosen(context)},
                "place": {"place": chosen(place)},
            }
        }
    }


def test_an_origin_survives_the_view_that_carries_it() -> None:
    origin = Origin(channel="C1", thread="1.0", quote='he said "<!channel>"')
    assert modal.origin_of({"private_metadata": origin.encode()}) == origin


def test_a_long_quote_fits_into_what_a_view_may_carry() -> None:
    """private_metadata takes 3,000 characters; a message has up to 40,000."""
    assert len(Origin(channel="C1", quote="\N{GRINNING FACE}" * 40_000).encode()) <= 3000
    assert len(Origin(channel="C1", quote="x" * 40_000).encode()) <= 3000


def test_a_view_without_metadata_was_opened_nowhere_in_particular() -> None:
    assert modal.origin_of({}) == Origin()
    assert modal.origin_of({"private_metadata": "not json"}) == Origin()


def test_every_key_pressed_is_reported() -> None:
    """The keystrokes of the modal are the one true typing signal Slack gives."""
    view = modal.ask(Origin(channel="C1"), [("pay", "pay")], "pay", channel_name="general")
    question = next(b for b in view["blocks"] if b["block_id"] == modal.QUESTION_BLOCK)
    assert question["dispatch_action"] is True
    triggers = question["element"]["dispatch_action_config"]["trigger_actions_on"]
    assert "on_character_entered" in triggers
    assert view["notify_on_close"] is True


def test_an_answer_to_a_message_has_its_place_already() -> None:
    """The message shortcut answers in that message's thread; there is nothing to choose."""
    view = modal.ask(Origin(channel="C1", thread="1.0"), [("pay", "pay")], "pay", channel_name="g")
    assert modal.PLACE_BLOCK not in [block.get("block_id") for block in view["blocks"]]


def test_what_was_entered_is_read_back() -> None:
    entered = modal.entered(state("why?", "pay", modal.PRIVATELY))
    assert entered == Entered("why?", "pay", True)
    assert modal.entered(state(None, None, None)) == Entered("", None, False)
    assert modal.entered({}) == Entered("", None, False)


def test_long_names_fit_into_a_select() -> None:
    assert len(modal.option("n" * 200, "v")["text"]["text"]) == 75


@pytest.mark.parametrize(
    "quote", ['"' * 1_500, "\\" * 9_000, "x" * 9_000, "é" * 4_000, "\n" * 3_000, "\x01" * 2_000]
)
def test_a_quote_of_any_characters_fits_into_the_metadata(quote: str) -> None:
    """Slack refuses a view whose metadata is longer, and nothing would open."""
    origin = Origin(channel="C1", thread="1790000000.000100", quote=quote, author="U1")
    encoded = origin.encode()
    assert len(encoded) <= METADATA_LIMIT
    kept = origin_of({"private_metadata": encoded})
    assert (kept.thread, kept.author) == (origin.thread, origin.author)
    assert kept.quote is not None
    assert kept.quote == quote or kept.quote.endswith(CUT)
    assert len(kept.quote) > 400
