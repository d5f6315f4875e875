"""A fold (projection): takes one record after another and can be asked at any time.

A fold has no clock of its own: if time matters, `now` is an argument of the query. Folding
again from the first record gives the same state.
"""

from __future__ import annotations

from typing import Protocol


class Projection(Protocol):
    """Takes records; ignores those that do not concern it."""

    def apply(self, record: object) -> None: ...


class Projections:
    """Several folds as one."""

    def __init__(self, *folds: Projection) -> None:
        self._folds = folds

    def apply(self, record: object) -> None:
        for fold in self._folds:
            fold.apply(record)
