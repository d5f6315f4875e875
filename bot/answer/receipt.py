"""The blocks under an answer: its source, its cost, and the buttons. Pure.

Blocks reach Slack as they are, so everything in them that others named is escaped here.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bot.answer.feedback import Mark
from bot.context.pack import Pack, RepositoryState
from bot.delivery.slack_api import JsonObject

FEEDBACK_ACTION = "forewarm_feedback"
AGAIN_ACTION = "forewarm_again"
STOP_ACTION = "forewarm_stop"
MAX_REPOSITORIES = 3
_MRKDWN = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The facts of one answer. Seconds, USD, tokens; None is unknown and left out.

    `cold` says why the answer did not begin on a warm cache, "" if it did.
    `behind` counts the commits that each repository's branch has moved on since the pack.
    """

    pack: Pack
    cached: int
    usd: float
    wait: float | None
    cold: str = ""
    cited: int = 0
    struck: int = 0
    look_ups: int = 0
    excerpts: int = 0
    behind: Mapping[str, int] = field(default_factory=dict)
    notices: tuple[str, ...] = ()

    def lines(self) -> tuple[str, ...]:
        """Return the receipt as mrkdwn: one line of facts, then one for each notice."""
        return (" · ".join(self._facts()), *map(mrkdwn, self.notices))

    def _facts(self) -> Iterator[str]:
        repositories = self.pack.repositories
        yield from (_repository_link(state) for state in repositories[:MAX_REPOSITORIES])
        if len(repositories) > MAX_REPOSITORIES:
            yield f"and {len(repositories) - MAX_REPOSITORIES} more"
        yield f"{_count(self.cached)} tokens from cache" if self.cached else "nothing from cache"
        if self.cold:
            yield f"cold: {mrkdwn(self.cold)}"
        if self.wait is not None:
            yield f"{_seconds(self.wait)} to the first words"
        yield _money(self.usd)
        if self.excerpts:
            yield _plural(self.excerpts, "excerpt")
        if self.look_ups:
            yield _plural(self.look_ups, "look-up")
        if self.cited or self.struck:
            yield _plural(self.cited, "citation") + " checked"
        if self.struck:
            yield f"{self.struck} not found"
        if self.pack.omitted:
            yield _plural(len(self.pack.omitted), "file") + " left out"
        yield from (_age(state, self.behind.get(state.name, 0)) for state in self._aged())

    def _aged(self) -> Iterator[RepositoryState]:
        for state in self.pack.repositories:
            if state.stale_since is not None or self.behind.get(state.name, 0):
                yield state


def blocks(receipt: Receipt | None, mark: Mark) -> tuple[JsonObject, ...]:
    """Return the blocks under an answer; without a receipt only its buttons."""
    lines = receipt.lines() if receipt is not None else ()
    contexts = [{"type": "context", "elements": [_fact_text(line)]} for line in lines]
    return (*contexts, _feedback(mark), _again_button(mark))


def _fact_text(line: str) -> JsonObject:
    # Slack would make links of file names and branches: README.md is a host name to it.
    return {"type": "mrkdwn", "text": line[:2900], "verbatim": True}


def wrote_again_block(question_id: str) -> JsonObject:
    """Return the line and the button for a message that came while the answer was written.

    The button's action is that of "Answer again": it answers the question that it names.
    """
    text = "You wrote again while I was answering."
    return {
        "type": "section",
        "text": {"type": "mrkdwn", "text": text},
        "accessory": _button("Answer that too", AGAIN_ACTION, question_id),
    }


def stop_block(question: str) -> JsonObject:
    """Return the button that stops an answer, for messages that have no such button of Slack."""
    return {"type": "actions", "elements": [_button("Stop", STOP_ACTION, question)]}


def _feedback(mark: Mark) -> JsonObject:
    buttons = {
        "type": "feedback_buttons",
        "action_id": FEEDBACK_ACTION,
        "positive_button": {
            "text": {"type": "plain_text", "text": "Good answer"},
            "accessibility_label": "This answer was good",
            "value": mark.encode("up"),
        },
        "negative_button": {
            "text": {"type": "plain_text", "text": "Bad answer"},
            "accessibility_label": "This answer was bad",
            "value": mark.encode("down"),
        },
    }
    return {"type": "context_actions", "elements": [buttons]}


def _again_button(mark: Mark) -> JsonObject:
    return {"type": "actions", "elements": [_button("Answer again", AGAIN_ACTION, mark.question)]}


def _button(text: str, action: str, value: str) -> JsonObject:
    label = {"type": "plain_text", "text": text}
    return {"type": "button", "text": label, "action_id": action, "value": value}


# --- words and numbers --------------------------------------------------------------------------


def mrkdwn(text: str) -> str:
    """Return text that mrkdwn shows as it is, on one line (docs/platform/slack.md#escaping)."""
    return " ".join(text.split()).translate(_MRKDWN)


def _repository_link(state: RepositoryState) -> str:
    label = mrkdwn(f"{state.name}@{state.commit[:7]}").replace("|", "¦")
    page = tree_page(state)
    return f"<{page}|{label}>" if page is not None else label


def tree_page(state: RepositoryState) -> str | None:
    """Return the page of the repository at the commit; None if the host is not known."""
    base, blob, _ = (state.web or "").partition("/blob/")
    if not blob or any(c in base for c in "<>|{} ") or not base.startswith("https://"):
        return None
    return f"{base}/tree/{state.commit}"


def _age(state: RepositoryState, behind: int) -> str:
    ref = mrkdwn(state.ref)
    if state.stale_since is not None:
        when = time.strftime("%Y-%m-%d %H:%M", time.gmtime(state.stale_since))
        return f"{ref} as of {when} UTC, since newer commits could not be fetched"
    return f"{_plural(behind, 'commit')} behind {ref}"


def _count(tokens: int) -> str:
    return f"{tokens / 1000:.0f}k" if tokens >= 10_000 else f"{tokens:,}"


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"


def _money(usd: float) -> str:
    if usd <= 0:
        return "no cost"
    return f"${usd:.2f}" if usd >= 0.01 else f"${usd:.4f}"


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def counted_behind(commits: Sequence[str], used: str) -> int:
    """Return how many commits of a branch, newest first, come after the one that was used.

    If it is not among them, all of them do.
    """
    return commits.index(used) if used in commits else len(commits)
