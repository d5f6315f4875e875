"""Look-ups that know the code: definitions by name, files by words, extents beside lines."""

from __future__ import annotations

import pytest

from bot.answer.tools import look_up
from bot.context.files.blob_cache import FactsCache
from bot.context.files.select import Rules
from bot.context.pack import RepositoryState
from bot.context.pack_builder import Source
from bot.context.snapshot import GitSnapshot, View
from bot.retrieval.search import ContextSearch, Searchable
from tests.context.conftest import bench as bench
from tests.context.conftest import repo as repo
from tests.retrieval.conftest import Indexes
from tests.retrieval.conftest import indexes as indexes

FILES: dict[str | bytes, bytes | str | None] = {
    "pay/refunds.py": (
        "RETRIES = 3\n\n\nclass Refund:\n    def retry_refund(self, order):\n"
        "        # Try again after an hour.\n        return order\n"
    ),
    "pay/mail.py": "from pay.refunds import Refund\n\n\ndef send_receipt():\n    return Refund()\n",
    "tests/test_refunds.py": "def test_retry_refund():\n    assert True\n",
    "docs/refunds.md": "# Refunds\n\nA refund is tried again.\n",
}


@pytest.fixture
def code(indexes: Indexes) -> tuple[GitSnapshot, ContextSearch]:
    head = indexes.repo.commit(FILES)
    found = indexes.bench.look(indexes.repo)
    repository = indexes.repo.repository()
    state = RepositoryState("repo", "u", "main", head, 0.0, head, None)
    source = Source(Rules("repo"), repository, FactsCache(None))
    snapshot = GitSnapshot([View(source, state, found, head)])
    part = Searchable(repository, found, frozenset(), False, indexes.view())
    return snapshot, ContextSearch([part])


def test_a_definition_is_read_by_its_name_alone(
    code: tuple[GitSnapshot, ContextSearch],
) -> None:
    """A model knows names from code that it has read, and seldom the path."""
    snapshot, index = code
    text = look_up(snapshot, "read", {"name": "retry_refund"}, index).text
    assert text.startswith("pay/refunds.py\n5\t    def retry_refund(self, order):")
    assert text.endswith("[lines 5-7 of 7]")


@pytest.mark.parametrize("name", ["Refund", "send_receipt", "test_retry_refund"])
def test_classes_functions_and_tests_are_read_by_name(
    code: tuple[GitSnapshot, ContextSearch], name: str
) -> None:
    snapshot, index = code
    assert name in look_up(snapshot, "read", {"name": name}, index).text


def test_a_name_in_a_file_needs_no_index(code: tuple[GitSnapshot, ContextSearch]) -> None:
    snapshot, _ = code
    wanted = {"name": "Refund", "path": "pay/refunds.py"}
    assert "[lines 4-7 of 7" in look_up(snapshot, "read", wanted).text


@pytest.mark.parametrize(
    "wanted", [{"name": "nothing"}, {"name": "Refund", "path": "pay/mail.py"}, {"name": "retry"}]
)
def test_a_name_that_is_not_defined_is_said_to_be_so(
    code: tuple[GitSnapshot, ContextSearch], wanted: dict[str, str]
) -> None:
    snapshot, index = code
    looked = look_up(snapshot, "read", wanted, index)
    assert looked.error
    assert "no definition" in looked.text.lower()


def test_words_that_stand_in_no_line_together_name_the_files_that_fit(
    code: tuple[GitSnapshot, ContextSearch],
) -> None:
    snapshot, index = code
    text = look_up(snapshot, "search", {"pattern": "retrying refunds hourly"}, index).text
    lines = text.splitlines()
    assert lines[0] == "[files that fit these words best]"
    assert lines[1].startswith("pay/: refunds.py")
    under = {"pattern": "retrying refunds hourly", "under": "docs"}
    assert look_up(snapshot, "search", under, index).text.splitlines()[1] == "docs/: refunds.md"
    assert look_up(snapshot, "search", {"pattern": "retrying refunds"}).text == "Nothing was found."
