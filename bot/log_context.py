"""Which question is being worked on, for the log: its id stands on every line written meanwhile.

Work that a question starts for all, such as a prefix's timers, is begun in its name and
outlives it. So a line carries an id only while that question is worked on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_about: ContextVar[str | None] = ContextVar("question", default=None)
_in_work: Counter[str] = Counter()


@contextmanager
def about_question(question: str) -> Iterator[None]:
    """Work on a question: what is logged inside carries its id, in tasks begun there too."""
    before = _about.get()
    _about.set(question)
    _in_work[question] += 1
    try:
        yield
    finally:
        # No token: work that is cut off with the loop is closed in another context.
        _about.set(before)
        _in_work[question] -= 1
        if not _in_work[question]:
            del _in_work[question]


def question_in_work() -> str | None:
    """Return the id of the question that the caller works on; None if it works on none."""
    question = _about.get()
    return question if question in _in_work else None
