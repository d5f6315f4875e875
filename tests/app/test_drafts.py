"""Answering before Enter, through the whole bot: a modal, its keys, its submission."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from forewarm_playground.claude import Latency

if TYPE_CHECKING:
    from tests.app.conftest import Begin

TEXT = "what does step_7 return"
MODEL = Latency(base=2.0, per_uncached_token=0, per_cached_token=0, decode=2000.0)
CONTEXT = """\
channels = ["C0PAY"]
model = "claude-sonnet-5-5"
answer_drafts = {on}

[[repositories]]
url = "{repository}"
name = "pay"

[warm]
wait_cost_per_hour = 1_000_000
"""


def contexts(tmp_path: Path, on: str) -> Path:
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "pay.toml").write_text(CONTEXT.format(on=on, repository=tmp_path / "code"))
    return folder


async def type_and_pause(running: Any, seconds: float) -> Any:
    """Open the modal, let it warm the prefix, type, and pause before Enter."""
    asker = running.slack.user("U0ASKER")
    await asker.open_modal("C0PAY", "/ask")
    await running.until(lambda: _is_warm(running), "the warm-up")
    await asker.type(TEXT, per_key=0.05)
    await asker.pause(seconds)
    return asker


def _is_warm(running: Any) -> bool:
    live = running.bot.library.live("pay")
    return bool(running.bot.warmth.is_warm(live.prefix))


def _ended(running: Any) -> list[Any]:
    questions = running.bot.live.state.view(running.bot.now())["questions"].values()
    return [question for question in questions if question["stage"] == "ended"]


async def test_a_draft_submitted_after_a_pause_is_answered_at_once(
    product: Begin, tmp_path: Path
) -> None:
    """Two seconds of thinking time hide two seconds of model; one request is made, not two."""
    async with product(latency=MODEL, contexts=contexts(tmp_path, "true")) as running:
        running.claude.rule(".*", "It returns 7.")
        asker = await type_and_pause(running, 2.0)
        await asker.submit()
        await running.until(lambda: _ended(running), "the answer")
        (question,) = _ended(running)
        assert question["wait"]["total"] < MODEL.base / 2
        streamed = [request for request in running.asked if request.body.get("stream")]
        assert len(streamed) == 1
        running.slack.assert_quiet()


async def test_where_drafts_are_off_nothing_is_sent_before_enter(
    product: Begin, tmp_path: Path
) -> None:
    """A draft that was not submitted is its author's alone."""
    async with product(latency=MODEL, contexts=contexts(tmp_path, "false")) as running:
        asker = await type_and_pause(running, 1.0)
        assert TEXT not in "".join(str(request.body) for request in running.asked)
        asker.close_modal()
