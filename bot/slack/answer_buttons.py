"""Buttons of an answer: feedback, a comment, a new answer, and Stop."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from bot.answer.feedback import Mark, Value, decode
from bot.slack.events.parse import workspace_of
from bot.slack.interfaces import Answers, Contexts, Opinions
from bot.slack.people.gate import Gate
from bot.slack.router import Router
from bot.slack.web_api import best_effort
from bot.stored import dump, load, parsed

COMMENT_CALLBACK = "forewarm_comment"
COMMENT_BLOCK, COMMENT_ACTION = "comment", "comment"
COMMENT_LIMIT = 2000


class AnswerButtons:
    """Keeps opinions; opens the comment box under a thumb down."""

    def __init__(
        self,
        client: AsyncWebClient,
        desk: Router,
        answers: Answers,
        opinions: Opinions,
        contexts: Contexts,
        gate: Gate,
    ) -> None:
        self._client = client
        self._desk = desk
        self._answers = answers
        self._opinions = opinions
        self._contexts = contexts
        self._gate = gate

    async def judged(self, body: Mapping[str, Any], action: Mapping[str, Any]) -> None:
        """Keep a thumb; after one that points down, ask what was wrong."""
        judged = decode(str(action.get("value") or ""))
        if judged is None:
            return
        mark, value = judged
        if not await self._may_judge(body, mark):
            return
        await self._opinions.give(workspace_of(body), _user(body), mark, value, None)
        if value == "down":
            await self._ask_why(body, mark)

    async def _may_judge(self, body: Mapping[str, Any], mark: Mark) -> bool:
        """Tell whether the person may ask the context that the answer came from."""
        context = self._contexts.named(mark.context) if mark.context else None
        if context is None:
            return True
        channel = str((body.get("channel") or {}).get("id") or "")
        denied = await self._gate.denied("ask", _user(body), channel, context, present=False)
        return denied is None

    async def _ask_why(self, body: Mapping[str, Any], mark: Mark) -> None:
        trigger, view = str(body.get("trigger_id")), comment_view(mark)
        await best_effort("comment", self._client.views_open(trigger_id=trigger, view=view))

    async def commented(self, body: Mapping[str, Any], view: Mapping[str, Any]) -> None:
        """Keep the comment beside the thumb."""
        mark = load(Mark, parsed(view.get("private_metadata") or "{}", "Mark"))
        if not await self._may_judge(body, mark):
            return
        values = (view.get("state") or {}).get("values") or {}
        comment = ((values.get(COMMENT_BLOCK) or {}).get(COMMENT_ACTION) or {}).get("value")
        value: Value = "down"
        await self._opinions.give(workspace_of(body), _user(body), mark, value, comment)

    async def answer_again(self, body: Mapping[str, Any], action: Mapping[str, Any]) -> None:
        """Answer again; the stream's recipient is the person who clicked."""
        await self._desk.answer_again(str(action.get("value") or ""), _user(body))

    async def stop(self, body: Mapping[str, Any], action: Mapping[str, Any]) -> None:
        """Stop a running answer by its button."""
        await self._answers.stop_question(str(action.get("value") or ""), _user(body))


def _user(body: Mapping[str, Any]) -> str:
    return str((body.get("user") or {}).get("id") or "")


def comment_view(mark: Mark) -> dict[str, Any]:
    """Return the comment box; what it is about travels in its metadata."""
    return {
        "type": "modal",
        "callback_id": COMMENT_CALLBACK,
        "title": {"type": "plain_text", "text": "What was wrong?"},
        "submit": {"type": "plain_text", "text": "Send"},
        "close": {"type": "plain_text", "text": "Skip"},
        "private_metadata": json.dumps(dump(mark)),
        "blocks": [
            {
                "type": "input",
                "block_id": COMMENT_BLOCK,
                "label": {"type": "plain_text", "text": "Your comment goes to the operators"},
                "element": {
                    "type": "plain_text_input",
                    "action_id": COMMENT_ACTION,
                    "multiline": True,
                    "max_length": COMMENT_LIMIT,
                },
            }
        ],
    }
