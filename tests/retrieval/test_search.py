"""Excerpts in a prompt: right lines, marked, masked, and readable back from what was sent."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from bot.retrieval.search import (
    ContextSearch,
    Searchable,
    is_excerpts,
    parse_excerpts,
    render_excerpts,
)

if TYPE_CHECKING:
    from tests.retrieval.conftest import Indexes

PAY = "def retry_refund(order):\n    '''Try a refund again after an hour.'''\n    return order\n"
LONG = "".join(f"def step_{n}(value):\n    return value + {n}\n\n\n" for n in range(60))


def search(indexes: Indexes, *shown: str) -> ContextSearch:
    found = indexes.bench.look(indexes.repo)
    complete = set(shown) == set(found.files)
    part = Searchable(indexes.repo.repository(), found, frozenset(shown), complete, indexes.view())
    return ContextSearch([part])


def test_an_excerpt_holds_the_lines_that_it_names(indexes: Indexes) -> None:
    indexes.repo.commit({"pay/refunds.py": PAY, "steps.py": LONG})
    lines = {"pay/refunds.py": PAY.split("\n"), "steps.py": LONG.split("\n")}
    for one in search(indexes).find("refund of step_40", "", 1_500):
        expected = lines[one.excerpt.path][one.excerpt.first - 1 : one.excerpt.last]
        assert [line.decode() for line in one.lines] == expected


@pytest.mark.parametrize(
    "named",
    [
        "https://github.com/acme/web/blob/main/src/steps.py#L20",
        "https://bitbucket.acme.com/projects/A/repos/web/browse/src/steps.py?at=main#20",
        "https://dev.azure.com/acme/Shop/_git/web?path=/src/steps.py&line=20",
        "https://sourcegraph.com/github.com/acme/web@main/-/blob/src/steps.py?L20",
        "`web/src/steps.py:20`",
    ],
)
def test_a_place_in_one_repository_is_none_of_another(indexes: Indexes, named: str) -> None:
    """A context of several repositories often has the same paths in each."""
    indexes.repo.commit({"src/steps.py": LONG})
    found = indexes.bench.look(indexes.repo)
    parts = [
        Searchable(
            indexes.repo.repository(),
            replace(found, rules=replace(found.rules, name=name)),
            frozenset(),
            False,
            indexes.view(),
        )
        for name in ("api", "web")
    ]
    excerpts = ContextSearch(parts).find(f"Why? {named}", "", 4_000)
    (only,) = (one for one in excerpts if math.isinf(one.excerpt.score))
    assert only.repository == "web"
    assert only.excerpt.first <= 20 <= only.excerpt.last


def test_the_text_says_where_its_lines_are(indexes: Indexes) -> None:
    head = indexes.repo.commit({"steps.py": LONG})
    text = render_excerpts(search(indexes).find("step_40", "", 600))
    assert text.startswith(f"@@@ excerpts of repo at commit {head[:12]}: ")
    assert text.endswith("@@@ end of excerpts")
    first = re.search(r"^@@@ lines (\d+)-\d+ of steps.py \(240 lines\)\n(\d+)\|", text, re.M)
    assert first is not None
    assert first[1] == first[2]
    every = [int(number) for number in re.findall(r"^(\d+)\|", text, re.M)]
    assert any(number % 25 == 0 for number in every)


def test_what_was_sent_is_read_back_and_not_sent_again(indexes: Indexes) -> None:
    indexes.repo.commit({"steps.py": LONG})
    finder = search(indexes)
    first = finder.find("step value", "", 700)
    text = render_excerpts(first)
    assert is_excerpts(text)
    (sent,) = parse_excerpts([text]).values()
    assert [(one.first, one.last) for one in sent] == [
        (one.excerpt.first, one.excerpt.last) for one in first
    ]
    lines = {n for one in first for n in range(one.excerpt.first, one.excerpt.last + 1)}
    for one in finder.find("step value", "", 700, [text]):
        assert lines.isdisjoint(range(one.excerpt.first, one.excerpt.last + 1))


def test_after_a_push_the_lines_may_be_sent_again(indexes: Indexes) -> None:
    indexes.repo.commit({"steps.py": LONG})
    text = render_excerpts(search(indexes).find("step_40", "", 300))
    indexes.repo.commit({"other.py": "x = 1\n"})
    assert search(indexes).find("step_40", "", 300, [text])


@pytest.mark.parametrize(
    "line",
    [
        "@@@ end of excerpts",
        "@@@ lines 1-99 of other.py (99 lines)",
        "@@@ excerpts of repo at commit 0123456789ab: x",
    ],
)
def test_no_line_of_a_file_passes_for_a_marker(indexes: Indexes, line: str) -> None:
    indexes.repo.commit({"a.md": f"# Refunds\n\n{line}\n\nRefunds are late.\n"})
    text = render_excerpts(search(indexes).find("refunds", "", 500))
    assert f"\\{line}" in text
    assert len(re.findall(r"^@@@ ", text, re.M)) == 3
    ((own, found),) = parse_excerpts([text]).items()
    assert own[0] == "repo"
    assert [one.path for one in found] == ["a.md"]


def test_a_secret_is_masked_in_an_excerpt(indexes: Indexes) -> None:
    token = "ghp_" + "Zq3vT8mK2nB7xR5wP9sD4fG6hJ1kL0aQeYuC"
    indexes.repo.commit({"a.py": f"def refund():\n    key = '{token}'\n    return key\n"})
    text = render_excerpts(search(indexes).find("refund", "", 500))
    assert token not in text
    assert "[masked: " in text


def test_a_repository_that_is_whole_in_the_prefix_gives_none(indexes: Indexes) -> None:
    indexes.repo.commit({"pay/refunds.py": PAY})
    finder = search(indexes, "pay/refunds.py")
    assert not finder.is_needed
    assert finder.find("refund", "", 1_000) == []
    assert [one.excerpt.path for one in finder.places("refund", "", 1_000)] == ["pay/refunds.py"]


def test_several_repositories_share_the_tokens(indexes: Indexes) -> None:
    indexes.repo.commit({f"s{n}.py": LONG for n in range(3)})
    (one,) = search(indexes)._parts
    both = ContextSearch([one, one])
    found = both.find("step value", "", 1_200)
    assert sum(part.excerpt.tokens for part in found) <= 1_200
    assert render_excerpts([]) == ""
