"""A fold: what stands under an answer, from the records of its requests and its first words."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace

from bot.answer.events import FirstWords, QuestionEnded, QuestionReceived, Wait
from bot.claude.events import RequestEnded
from bot.telemetry.figures.money import nano, usd


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """One question's figures. `cached` are the tokens its first request read from the cache.

    `nanos` is what its requests cost together, in nano-dollars; `wait` is None until the first
    words are on screen.
    """

    question: str
    cached: int = 0
    written: int = 0
    input: int = 0
    output: int = 0
    requests: int = 0
    nanos: int = 0
    warm: bool | None = None
    wait: Wait | None = None
    slack_wait: float | None = None

    @property
    def usd(self) -> float:
        return usd(self.nanos)


class Receipts:
    """The newest questions' receipts; the oldest are forgotten beyond `keep`."""

    def __init__(self, keep: int = 1000) -> None:
        self._keep = keep
        self._receipts: OrderedDict[str, Receipt] = OrderedDict()

    def of(self, question: str) -> Receipt:
        """Return the receipt as it is now; an empty one for an unknown question."""
        return self._receipts.get(question) or Receipt(question=question)

    def apply(self, record: object) -> None:
        if isinstance(record, RequestEnded) and record.question:
            self._keep_receipt(_with_request(self.of(record.question), record))
        elif isinstance(record, FirstWords):
            self._keep_receipt(
                replace(
                    self.of(record.question),
                    warm=record.warm,
                    wait=record.wait,
                    slack_wait=record.slack_wait,
                )
            )
        elif isinstance(record, QuestionReceived | QuestionEnded):
            self._keep_receipt(self.of(record.question))

    def _keep_receipt(self, receipt: Receipt) -> None:
        self._receipts[receipt.question] = receipt
        self._receipts.move_to_end(receipt.question)
        while len(self._receipts) > self._keep:
            self._receipts.popitem(last=False)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Receipts) and self._receipts == other._receipts


def _with_request(receipt: Receipt, record: RequestEnded) -> Receipt:
    usage = record.usage
    return replace(
        receipt,
        cached=usage.cache_read if receipt.requests == 0 else receipt.cached,
        written=receipt.written + usage.written,
        input=receipt.input + usage.input,
        output=receipt.output + usage.output,
        requests=receipt.requests + 1,
        nanos=receipt.nanos + nano(record.usd),
    )
