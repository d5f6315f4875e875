"""How an answer ends: continued once or said honestly, never a silent half."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bot.answer.loop import GO_ON, NO_LOOK_UP, Asked, Loop
from bot.answer.next_turn import NextTurn
from bot.claude.errors import ClaudeError, CutStream
from bot.delivery.slack_api import Task

if TYPE_CHECKING:
    from tests.answer.conftest import Room

READ = ("read", {"path": "a.py"})


class Paper:
    """A screen that keeps what was shown."""

    def __init__(self) -> None:
        self.text = ""

    async def feed(self, text: str) -> None:
        self.text += text

    async def task(self, task: Task) -> None: ...

    async def rewind(self, text: str) -> None:
        self.text = text

    async def say(self, status: str) -> None: ...


async def run(room: Room) -> tuple[str, str]:
    """Run an answer to its end; return the kind of the end and the text that was shown."""
    asked = Asked(
        id="q1",
        context="payments",
        prefix=room.ground.prefix,
        ticket=room.ticket,
        messages=[{"role": "user", "content": [{"type": "text", "text": "How?"}]}],
        snapshot=room.ground.snapshot,
        is_permitted=room.is_permitted,
    )
    paper = Paper()
    loop = Loop(room.model, asked, paper, executor=room.executor, now=room.clock)
    ending = await loop.run()
    assert paper.text == loop.progress.text
    return ending.kind, paper.text


def last_texts(room: Room) -> list[str]:
    """Return the texts of the last user message of the last request."""
    content = room.model.requests[-1].messages[-1]["content"]
    return [block["text"] for block in content if block["type"] == "text"]


async def test_an_empty_end_after_look_ups_is_continued(room: Room) -> None:
    """The words before the look-up are an announcement and no answer."""
    room.model.says("Let me look.", READ)
    room.model.says(stop="end_turn")
    room.model.says("It is in a.py.")
    assert await run(room) == ("complete", "Let me look.\n\nIt is in a.py.")
    assert last_texts(room) == [GO_ON]


@pytest.mark.parametrize("first", [("Let me look.", READ), (READ,)])
async def test_two_empty_ends_are_said(room: Room, first: tuple[Any, ...]) -> None:
    """It is continued once; a model that stays silent must not be asked for ever."""
    room.model.says(*first)
    room.model.says(stop="end_turn")
    room.model.says(stop="end_turn")
    kind, _ = await run(room)
    assert kind == ("unfinished" if len(first) > 1 else "empty")
    assert len(room.model.requests) == 3


async def test_a_look_up_that_did_not_come_is_asked_for_again(room: Room) -> None:
    """The reply stops for a look-up, and its input was no JSON or was left out."""
    room.model.says("I will check the retry code now.", stop="tool_use")
    room.model.says(READ)
    room.model.says("It retries.")
    kind, text = await run(room)
    assert (kind, text) == ("complete", "I will check the retry code now.\n\nIt retries.")
    assert [message["role"] for message in room.model.requests[1].messages] == [
        "user",
        "assistant",
        "user",
    ]
    assert room.model.requests[1].messages[-1]["content"][0]["text"] == NO_LOOK_UP


async def test_a_second_missing_look_up_is_said(room: Room) -> None:
    """Half an answer must not pass for a whole one."""
    room.model.says("I will check.", stop="tool_use")
    room.model.says("I will really check.", stop="tool_use")
    assert (await run(room))[0] == "unfinished"


async def test_a_missing_look_up_without_words_is_asked_again(room: Room) -> None:
    """An empty reply cannot be sent back."""
    room.model.says(stop="tool_use")
    room.model.says("Here.")
    assert await run(room) == ("complete", "Here.")


@pytest.mark.parametrize("stop", ["tool_calls", "malformed_function_call", "TOOL_USE"])
async def test_other_words_for_a_look_up_without_one_are_known(room: Room, stop: str) -> None:
    """Gateways pass on the stop reasons of the models behind them."""
    room.model.says("I will check.", stop=stop)
    room.model.says("It retries.")
    assert await run(room) == ("complete", "I will check.\n\nIt retries.")


@pytest.mark.parametrize("stop", ["end_turn", "stop"])
async def test_a_look_up_counts_though_the_reply_says_that_it_is_the_last(
    room: Room, stop: str
) -> None:
    """Model servers that speak Anthropic's protocol end each reply alike."""
    room.model.says("Let me look.", READ, stop=stop)
    room.model.says("It is in a.py.")
    assert await run(room) == ("complete", "Let me look.\n\nIt is in a.py.")


async def test_a_pause_is_continued(room: Room) -> None:
    """`pause_turn` means that the model has more to say."""
    room.model.says("First half,", stop="pause_turn")
    room.model.says("second half.")
    assert await run(room) == ("complete", "First half,\n\nsecond half.")


@pytest.mark.parametrize(
    ("stop", "kind"),
    [
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "window"),
        ("refusal", "refused"),
        ("content_filter", "filtered"),
        ("content_filtered", "filtered"),
        ("guardrail_intervened", "filtered"),
        ("SAFETY", "filtered"),
        ("MAX_TOKENS", "length"),
        ("max_output_tokens", "length"),
    ],
)
@pytest.mark.parametrize("words", [(), ("Some words",)])
async def test_an_end_that_is_no_end_is_said_at_once(
    room: Room, stop: str, kind: str, words: tuple[str, ...]
) -> None:
    """To ask again would cost money, and end in the same way."""
    room.model.says(*words, stop=stop)
    assert (await run(room))[0] == kind
    assert len(room.model.requests) == 1


@pytest.mark.parametrize(
    ("kind", "requests"),
    [("filtered", 1), ("spend_limit", 1), ("too_long", 1), ("invalid", 1), ("refusal", 1)],
)
@pytest.mark.parametrize("words", [(), ("Some words",)])
async def test_an_error_that_would_come_again_is_not_tried_again(
    room: Room, kind: Any, requests: int, words: tuple[str, ...]
) -> None:
    """Before the first word and in the middle of the stream."""
    room.model.says(*words, ClaudeError(kind))
    room.model.says("never")
    assert (await run(room))[0] in ("failed", "filtered", "refused")
    assert len(room.model.requests) == requests


async def test_a_broken_stream_is_tried_again(room: Room) -> None:
    """The control: not every error ends an answer."""
    room.model.says("Half", CutStream())
    room.model.says("Whole.")
    assert await run(room) == ("complete", "Whole.")


async def test_the_next_turn_is_cut_and_the_request_is_left(room: Room) -> None:
    """Small models go on with a question of their own making."""
    room.model.says("Done.\n\n<sla", 'ck_question ts="2">And now?', " more", stop="end_turn")
    assert await run(room) == ("complete", "Done.\n")


@pytest.mark.parametrize(
    "text",
    [
        'As written:\n\n```xml\n<slack_message ts="1.2">hi</slack_message>\n```\nDone.',
        "~~~\n<slack_question>\n~~~",
        "> ```\n> a\n<slackers are not a tag",
        "a `<slack_x>` in a line, and <slack_y> within one",
        "ends with a newline\n",
        "ends with a begun tag\n<slac",
        "- item\n  ```\n  x\n\n  <slack_in_item>\n  ```",
    ],
)
def test_a_quoted_tag_ends_no_answer(text: str) -> None:
    """Forewarm is asked about itself, and quotes its own tags."""
    for size in (1, 3, 1_000):
        reader = NextTurn()
        pieces = [reader.feed(text[at : at + size]) for at in range(0, len(text), size)]
        assert "".join(pieces) + reader.end() == text
        assert not reader.found


@pytest.mark.parametrize("size", [1, 2, 5, 1_000])
def test_the_cut_is_the_same_for_all_pieces(size: int) -> None:
    """Tokens end anywhere."""
    text = "```\n<slack_a>\n```\nwords\n<slack_question>x"
    reader, out = NextTurn(), ""
    for at in range(0, len(text), size):
        if not reader.found:
            out += reader.feed(text[at : at + size])
    assert reader.found
    assert out == "```\n<slack_a>\n```\nwords"
