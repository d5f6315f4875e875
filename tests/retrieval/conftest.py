"""Small repositories and the views that an index gives of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bot.context.render.token_estimate import Estimator
from bot.retrieval.index import RepositoryIndex, View
from tests.context.conftest import bench as bench
from tests.context.conftest import repo as repo

if TYPE_CHECKING:
    from tests.context.conftest import Bench, Repo

RATIOS = Estimator.of("claude-sonnet-5-5").ratios


class Indexes:
    """Opens indexes of one repository and brings them to its head."""

    def __init__(self, bench: Bench, repo: Repo, folder: Path) -> None:
        self.bench = bench
        self.repo = repo
        self.path = folder / "index.db"

    def open(self) -> RepositoryIndex:
        return RepositoryIndex(self.repo.repository(), self.path, RATIOS)

    def view(self, last: View | None = None, index: RepositoryIndex | None = None) -> View:
        """Return a view of the head, from an index of its own unless one is given."""
        used = index or self.open()
        found = used.update(self.bench.look(self.repo).files, last)
        if index is None:
            used.close()
        return found


@pytest.fixture
def indexes(bench: Bench, repo: Repo, tmp_path: Path) -> Indexes:
    return Indexes(bench, repo, tmp_path)
