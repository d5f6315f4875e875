"""Puts the questions of `forewarm eval --ask` to the model, as the bot would."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from bot.answer.loop import Asked, Loop
from bot.answer.prepare import NoJoin
from bot.answer.question import Question
from bot.answer.thread.prompt import Limits, conversation
from bot.app.contexts.prefixes import Prefixes
from bot.claude.client import ClaudeClient
from bot.claude.events import Label
from bot.claude.prefix import Prefix
from bot.claude.prices import cost, rates_of
from bot.commands.evaluation.evaluate import Done, Plan, Subject, by_commit
from bot.context.config.load import ContextConfig
from bot.context.config.schema import RepositoryConfig
from bot.context.files.blob_cache import FactsCache
from bot.context.files.tree import survey
from bot.context.pack import Block, Pack, RepositoryState
from bot.context.pack_builder import Source
from bot.context.render.base_block import files_tokens, plan_base
from bot.context.render.budget import base_room
from bot.context.render.token_estimate import Estimator
from bot.context.sizing import choose_size
from bot.context.snapshot import GitSnapshot, View
from bot.delivery.citations.filter import check_text
from bot.delivery.citations.verifier import Checked
from bot.delivery.slack_api import Task
from bot.retrieval.coverage import EvidenceRow
from bot.retrieval.index import RepositoryIndex
from bot.retrieval.search import ContextSearch, Searchable, render_excerpts

_LOOK_UP_THREADS = 6


class _NoScreen:
    """A screen that shows nothing: the answer is read when it is whole."""

    async def feed(self, text: str) -> None: ...

    async def task(self, task: Task) -> None: ...

    async def rewind(self, text: str) -> None: ...

    async def say(self, status: str) -> None: ...


@dataclass(frozen=True)
class AskedRow:
    """A question and its answer. `wait` is the seconds to the first words, None without any.

    `shown` is the answer as Slack would show it, `needed` the files of the evidence by whether a
    citation that holds names them.
    """

    row: EvidenceRow
    shown: str
    ending: str
    wait: float | None
    rounds: int
    look_ups: int
    usd: float
    checked: tuple[Checked, ...]
    needed: dict[str, bool]

    @property
    def verdicts(self) -> Counter[str]:
        return Counter(one.verdict for one in self.checked)

    @property
    def lines_cited(self) -> bool:
        """Whether every needed file is cited, at its lines if the evidence names any."""
        return all(self.needed.values()) and all(
            any(_overlaps(one, file.path, file.lines) for one in self.checked)
            for file in self.row.files
        )

    def document(self) -> dict[str, object]:
        """Return what `--json` prints of the question."""
        return {
            "id": self.row.id,
            "ending": self.ending,
            "wait": None if self.wait is None else round(self.wait, 3),
            "rounds": self.rounds,
            "look_ups": self.look_ups,
            "usd": round(self.usd, 5),
            "citations": dict(self.verdicts),
            "needed": self.needed,
            "lines_cited": self.lines_cited,
        }


def _holds(one: Checked) -> bool:
    return one.verdict in ("good", "corrected")


def _overlaps(one: Checked, path: str, ranges: Sequence[tuple[int, int]]) -> bool:
    if not _holds(one) or one.path != path:
        return False
    if not ranges or one.first is None or one.last is None:
        return not ranges
    return any(one.first <= last and first <= one.last for first, last in ranges)


@dataclass(frozen=True)
class AskedAll:
    """All that was asked. `warm_usd` is what writing the prefixes cost."""

    rows: tuple[AskedRow, ...]
    warm_usd: float

    @property
    def usd(self) -> float:
        return self.warm_usd + sum(one.usd for one in self.rows)


async def ask(
    client: ClaudeClient,
    subject: Subject,
    rows: Sequence[EvidenceRow],
    plan: Plan,
    *,
    most_usd: float,
    done: Done | None = None,
) -> AskedAll:
    """Ask each question on the warm prefix of its commit, one after the other.

    The sizes are those of `auto`, or the one pair of the plan. No question is asked any more once
    `most_usd` are spent.

    Raises:
        ForewarmError: the repository cannot be read, or Claude cannot be asked at all.
    """
    asked: list[AskedRow] = []
    spent = warm_usd = 0.0
    estimator = Estimator.of(plan.model)
    index = RepositoryIndex(subject.repository, subject.index, estimator.ratios)
    executor = ThreadPoolExecutor(_LOOK_UP_THREADS, "look-up")
    try:
        for commit, own in by_commit(subject, rows).items():
            stand = await _stand(client, subject, commit, plan, estimator, index)
            result = await client.warm(stand.prefix, label=Label(purpose="warm"))
            warm_usd += cost(plan.model, result.usage)
            for row in own:
                if spent + warm_usd >= most_usd:
                    break
                asked.append(await _ask_one(client, stand, row, executor))
                spent += asked[-1].usd
                if done is not None:
                    done()
    finally:
        executor.shutdown(wait=False, cancel_futures=True)
        index.close()
    return AskedAll(tuple(asked), warm_usd)


@dataclass(frozen=True)
class _Stand:
    """The code and the index for the questions about one commit."""

    prefix: Prefix
    snapshot: GitSnapshot
    code: ContextSearch
    excerpt_tokens: int


async def _stand(
    client: ClaudeClient,
    subject: Subject,
    commit: str,
    plan: Plan,
    estimator: Estimator,
    index: RepositoryIndex,
) -> _Stand:
    repository, rules = subject.repository, subject.rules
    cache = FactsCache(subject.facts)
    found = survey(repository, commit, rules, cache)
    budget, excerpt_tokens = _sizes(plan, files_tokens(found.files, estimator))
    base = plan_base(repository, found, estimator, base_room(budget, estimator.spread))
    text = b"".join(base.parts(repository)).decode("utf-8")
    state = RepositoryState(rules.name, "", commit, commit, found.committed_at, commit, subject.web)
    pack = Pack((Block("base", rules.name, text, base.tokens),), (state,), (), len(base.shown))
    here = RepositoryConfig(url="https://example.com/a/repository", name=rules.name)
    config = ContextConfig(name="eval", model=plan.model, repositories=(here,))
    prefix = await Prefixes(client).build(config, pack, "")
    view = index.update(found.files)
    part = Searchable(repository, found, frozenset(base.shown), base.complete, view)
    snapshot = GitSnapshot([View(Source(rules, repository, cache), state, found, commit)])
    return _Stand(prefix, snapshot, ContextSearch([part]), excerpt_tokens)


def _sizes(plan: Plan, whole: int) -> tuple[int, int]:
    if len(plan.budgets) == len(plan.excerpts) == 1:
        return plan.budgets[0], plan.excerpts[0]
    size = choose_size(whole, plan.speed, rates_of(plan.model, 0), max_wait=plan.max_wait)
    return size.budget_tokens, size.excerpt_tokens


async def _is_permitted() -> bool:
    """Permit all: the operator who evaluates holds the code."""
    return True


async def _ask_one(
    client: ClaudeClient, stand: _Stand, row: EvidenceRow, executor: ThreadPoolExecutor
) -> AskedRow:
    excerpts = render_excerpts(stand.code.find(row.question, "", stand.excerpt_tokens))
    now = client.now()
    question = Question(
        id=uuid.uuid4().hex,
        workspace="eval",
        channel="eval",
        ts=f"{now:.6f}",
        thread=None,
        user="eval",
        text=row.question,
        surface="mention",
        received_at=now,
        asked_at=now,
    )
    talk = conversation((), (), question, "", Limits(), {}, {}, excerpts)
    ticket = NoJoin(stand.prefix.tokens)
    loop = Loop(
        client,
        Asked(
            id=question.id,
            context="eval",
            prefix=stand.prefix,
            ticket=ticket,
            messages=talk.messages,
            snapshot=stand.snapshot,
            is_permitted=_is_permitted,
            code=stand.code,
        ),
        _NoScreen(),
        executor=executor,
        now=client.now,
    )
    ending = await loop.run()
    progress = loop.progress
    shown, checked = check_text(progress.text, stand.snapshot)
    cited = {one.path for one in checked if _holds(one)}
    wait = None
    if progress.first_text_at is not None and progress.requested_at is not None:
        wait = progress.first_text_at - progress.requested_at
    return AskedRow(
        row,
        "\n\n".join(filter(None, (shown, ending.last_line))),
        ending.kind,
        wait,
        progress.replies,
        progress.look_ups,
        progress.usd,
        checked,
        {file.path: file.path in cited for file in row.files},
    )


def summary(found: Sequence[AskedAll]) -> dict[str, object]:
    """Return the sums over all questions: what `--json` prints as `asked`."""
    rows = [row for one in found for row in one.rows]
    waits = sorted(row.wait for row in rows if row.wait is not None)
    verdicts = sum((row.verdicts for row in rows), Counter[str]())
    needed = [cited for row in rows for cited in row.needed.values()]
    return {
        "questions": len(rows),
        "answered": sum(row.ending == "complete" for row in rows),
        "wait_p50": _quantile(waits, 0.5),
        "wait_p95": _quantile(waits, 0.95),
        "rounds": round(sum(row.rounds for row in rows) / max(1, len(rows)), 3),
        "look_ups": round(sum(row.look_ups for row in rows) / max(1, len(rows)), 3),
        "usd": round(sum(one.usd for one in found), 5),
        "usd_per_question": round(sum(row.usd for row in rows) / max(1, len(rows)), 5),
        "citations": dict(verdicts),
        "needed_files_cited": round(sum(needed) / max(1, len(needed)), 4),
        "questions_with_all_files_cited": sum(all(row.needed.values()) for row in rows),
        "questions_with_all_lines_cited": sum(row.lines_cited for row in rows),
        "rows": [row.document() for row in rows],
    }


def _quantile(ordered: Sequence[float], share: float) -> float | None:
    if not ordered:
        return None
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 3)


def markdown(found: Sequence[AskedAll]) -> str:
    """Return every question with its evidence and answer, for people to judge."""
    parts = ["# Answers to judge\n"]
    for row in (row for one in found for row in one.rows):
        wait = "no words" if row.wait is None else f"{row.wait:.1f} s to the first words"
        cited = {True: "cited", False: "not cited"}
        places = [
            f"`{file.path}{_ranges(file.lines)}` ({cited[row.needed[file.path]]})"
            for file in row.row.files
        ]
        verdicts = ", ".join(f"{count} {name}" for name, count in sorted(row.verdicts.items()))
        parts += [
            f"## {row.row.id}\n",
            "\n".join(f"> {line}" for line in row.row.question.splitlines()) + "\n",
            "Evidence: " + ("; ".join(places) or "none") + "\n",
            f"{wait}, {row.rounds} rounds, {row.look_ups} look-ups, ${row.usd:.4f}; citations: "
            f"{verdicts or 'none'}\n",
            row.shown.rstrip() + "\n",
            "Judgement: [ ] right  [ ] partly right  [ ] wrong\n",
        ]
    return "\n".join(parts)


def _ranges(lines: Sequence[tuple[int, int]]) -> str:
    return ":" + ",".join(f"{first}-{last}" for first, last in lines) if lines else ""
