"""The index must agree with the commit that a view stands at, through pushes and restarts."""

from __future__ import annotations

import sqlite3
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
import structlog.testing

from bot.retrieval import build, index
from bot.retrieval.excerpts import LinesOf
from bot.retrieval.index import Query, View

if TYPE_CHECKING:
    from tests.retrieval.conftest import Indexes

PAY = "def retry_refund(order):\n    '''Try a refund again after an hour.'''\n    return order\n"
MAIL = "def send_receipt(customer):\n    '''Mail the receipt to the customer.'''\n    return 1\n"
LONG = "".join(f"def step_{n}(value):\n    return value + {n}\n\n\n" for n in range(60))


def paths(view: View, question: str, tokens: int = 4_000) -> list[str]:
    return [one.path for one in view.search(Query(question, tokens))]


def test_a_question_finds_the_file_that_answers_it(indexes: Indexes) -> None:
    indexes.repo.commit({"pay/refunds.py": PAY, "mail.py": MAIL, "steps.py": LONG})
    view = indexes.view()
    assert paths(view, "When is a refund retried?")[0] == "pay/refunds.py"
    assert paths(view, "Who gets receipts by mail?")[0] == "mail.py"


def test_a_push_changes_what_is_found_and_nothing_else(indexes: Indexes) -> None:
    indexes.repo.commit({"pay/refunds.py": PAY, "mail.py": MAIL, "old.py": "zebra = 1\n"})
    index = indexes.open()
    before = indexes.view(index=index)
    indexes.repo.commit({"mail.py": "def send_parcel():\n    return 2\n", "old.py": None})
    after = indexes.view(before, index)
    assert paths(after, "parcel")[0] == "mail.py"
    assert paths(after, "receipt customer") == []
    assert paths(after, "zebra") == []
    assert paths(before, "receipt customer")[0] == "mail.py"
    assert after.segments[0] is before.segments[0]
    index.close()


def test_many_pushes_give_the_view_that_a_fresh_index_gives(indexes: Indexes) -> None:
    indexes.repo.commit({f"m{n}.py": f"def work_{n}():\n    return {n}\n" for n in range(40)})
    index = indexes.open()
    view = indexes.view(index=index)
    for n in range(30):
        indexes.repo.commit({f"m{n}.py": f"def task_{n}():\n    return {n}\n"})
        view = indexes.view(view, index)
    index.close()
    fresh = indexes.view()
    assert len(view.segments) < 20
    for n in range(40):
        question = f"task_{n}" if n < 30 else f"work_{n}"
        assert paths(view, question)[0] == paths(fresh, question)[0] == f"m{n}.py"


def test_many_small_pushes_leave_the_largest_segment_alone(indexes: Indexes) -> None:
    """Putting all files together anew takes seconds in a large repository."""
    indexes.repo.commit({f"m{n}.py": f"def work_{n}():\n    return {n}\n" for n in range(60)})
    index = indexes.open()
    first = view = indexes.view(index=index)
    for n in range(30):
        word = "zebra" if n < 27 else "parcel"
        indexes.repo.commit({f"m{n % 3}.py": f"def {word}():\n    return {n}\n"})
        view = indexes.view(view, index)
        assert view.segments[0] is first.segments[0]
        assert len(view.segments) <= 13
    index.close()
    assert sorted(paths(view, "parcel")[:3]) == ["m0.py", "m1.py", "m2.py"]
    assert paths(view, "zebra") == []
    assert paths(view, "work_59")[0] == "m59.py"


def test_after_a_restart_nothing_is_read_from_the_repository_again(
    indexes: Indexes, monkeypatch: pytest.MonkeyPatch
) -> None:
    indexes.repo.commit({"pay/refunds.py": PAY, "mail.py": MAIL})
    first = indexes.view()
    monkeypatch.setattr(build, "build_document", None)
    second = indexes.view()
    question = Query("refund", 4_000)
    assert second.search(question) == first.search(question)


@pytest.mark.parametrize("damage", ["noise", "older", "row", "foreign"])
def test_a_file_that_cannot_be_used_is_built_anew_and_logged(indexes: Indexes, damage: str) -> None:
    indexes.repo.commit({"pay/refunds.py": PAY, "mail.py": MAIL})
    indexes.view()
    if damage == "noise":
        indexes.path.write_bytes(b"not a database" * 1_000)
    else:
        database = sqlite3.connect(indexes.path)
        if damage == "row":
            database.execute("UPDATE rows SET data = x'00'")
        pragma = {"older": "user_version = 0", "foreign": "application_id = 7"}.get(damage)
        if pragma:
            database.execute(f"PRAGMA {pragma}")
        database.commit()
        database.close()
    with structlog.testing.capture_logs() as logs:
        view = indexes.view()
    assert paths(view, "refund")[0] == "pay/refunds.py"
    if damage != "row":
        assert [entry["event"] for entry in logs] == ["retrieval_index_rebuilt"]


def test_two_contexts_share_the_rows_of_one_repository(
    indexes: Indexes, monkeypatch: pytest.MonkeyPatch
) -> None:
    indexes.repo.commit({"pay/refunds.py": PAY, "mail.py": MAIL})
    index = indexes.open()
    whole = indexes.view(index=index)
    monkeypatch.setattr(build, "build_document", None)
    part = index.update({path: file for path, file in whole.files.items() if path != "mail.py"})
    assert paths(part, "receipt customer") == []
    assert paths(whole, "receipt customer")[0] == "mail.py"
    index.close()


def test_a_masked_value_is_in_no_posting(indexes: Indexes) -> None:
    token = "ghp_" + "Zq3vT8mK2nB7xR5wP9sD4fG6hJ1kL0aQeYuC"
    indexes.repo.commit({"a.py": f"GITHUB = '{token}'\ndef fetch_issues():\n    return 1\n"})
    view = indexes.view()
    assert paths(view, token) == []
    assert paths(view, "fetch issues") == ["a.py"]


def test_excerpts_keep_to_their_tokens_and_to_files_outside_the_prefix(indexes: Indexes) -> None:
    indexes.repo.commit({**{f"s{n}.py": LONG for n in range(4)}, "mail.py": MAIL})
    view = indexes.view()
    for tokens in (0, 50, 200, 1_000, 3_000):
        found = view.search(Query("step value", tokens, excluded=frozenset({"s0.py"})))
        assert sum(one.tokens for one in found) <= tokens
        assert all(one.path != "s0.py" for one in found)
    assert len({one.path for one in found}) == 3


def test_excerpts_of_a_file_do_not_overlap_or_touch(indexes: Indexes) -> None:
    indexes.repo.commit({"steps.py": LONG})
    found = indexes.view().search(Query("step value", 20_000))
    for one, after in pairwise(sorted(found, key=lambda one: one.first)):
        assert one.last + 2 < after.first


def test_a_follow_up_gets_only_new_excerpts(indexes: Indexes) -> None:
    indexes.repo.commit({f"s{n}.py": LONG for n in range(4)})
    view = indexes.view()
    first = view.search(Query("step value", 1_000))
    more = view.search(Query("step value", 1_000, shown=tuple(first)))
    assert more
    held = {(one.path, line) for one in first for line in range(one.first, one.last + 1)}
    new = {(one.path, line) for one in more for line in range(one.first, one.last + 1)}
    assert not held & new


def test_a_named_line_comes_first_for_any_words(indexes: Indexes) -> None:
    indexes.repo.commit({"steps.py": LONG, "pay/refunds.py": PAY, "mail.py": MAIL})
    trace = 'Refund receipt customer\n  File "/srv/app/steps.py", line 101, in step_25'
    found = indexes.view().search(Query(trace, 600))
    assert any(one.path == "steps.py" and one.first <= 101 <= one.last for one in found)


def test_a_line_of_an_earlier_commit_is_moved_to_ours(indexes: Indexes) -> None:
    indexes.repo.commit({"steps.py": LONG})
    asked: list[tuple[str, LinesOf]] = []

    def move(commit: str, lines: LinesOf) -> LinesOf:
        asked.append((commit, lines))
        return LinesOf("steps.py", 201, 201)

    link = "https://github.com/a/b/blob/0a1b2c3d4e/steps.py#L1"
    found = indexes.view().search(Query(link, 300), move)
    assert asked == [("0a1b2c3d4e", LinesOf("steps.py", 1, 1))]
    assert found[0].first <= 201 <= found[0].last


def test_a_file_that_the_question_names_is_shown(indexes: Indexes) -> None:
    indexes.repo.commit({"steps.py": LONG, "pay/refunds.py": PAY, "mail.py": MAIL})
    found = indexes.view().search(Query("Does mail.py retry a refund for an order?", 300))
    assert found[0].path == "mail.py"


def test_words_of_the_thread_help(indexes: Indexes) -> None:
    indexes.repo.commit({"pay/refunds.py": PAY, "mail.py": MAIL})
    found = indexes.view().search(Query("Why?", 4_000, thread="The refund is tried twice."))
    assert found[0].path == "pay/refunds.py"


@pytest.mark.parametrize(
    "question",
    [
        "",
        "x",
        "?!",
        "refund " * 6_000,
        "退款为什么重试",
        "لماذا تتكرر العملية",
        "\x00\ud800",
        "{};" * 99,
    ],
)
def test_any_question_gets_a_result(indexes: Indexes, question: str) -> None:
    indexes.repo.commit({"pay/refunds.py": PAY, "zh.md": "# 退款\n\n退款重试。\n"})
    found = paths(indexes.view(), question)
    if "退款" in question:
        assert found[0] == "zh.md"


@pytest.mark.parametrize(
    "files", [{}, {"a.bin": b"\0" * 99}, {"empty.py": ""}, {"a.py": "x = 1\n"}]
)
def test_any_repository_can_be_indexed(
    indexes: Indexes, files: dict[str | bytes, bytes | str | None]
) -> None:
    indexes.repo.commit(files)
    assert paths(indexes.view(), "what is the total") in ([], ["a.py"])


def test_much_to_index_is_shared_out_to_child_processes(
    indexes: Indexes, monkeypatch: pytest.MonkeyPatch
) -> None:
    indexes.repo.commit({"pay/refunds.py": PAY, "ünï.py": MAIL, b"\xff.py": "x = 1\n"})
    here = indexes.view()
    indexes.path.unlink()
    monkeypatch.setattr(build, "_PARALLEL_BYTES", 0)
    done: list[tuple[int, int]] = []
    index = indexes.open()
    files = indexes.bench.look(indexes.repo).files
    apart = index.update(files, progress=lambda *at: done.append(at))
    index.close()
    assert done[-1][0] == done[-1][1] > 0
    for question in ("refund", "receipt"):
        assert paths(apart, question) == paths(here, question)


def test_an_index_keeps_within_its_memory(
    indexes: Indexes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No word of such files comes twice, so that arrays are larger than the text itself."""
    words = " ".join(f"w{n:x}q" for n in range(9_000))
    indexes.repo.commit({"large.md": words, "pay.py": PAY, "mail.py": MAIL})
    view = indexes.view()
    assert sum(len(segment.chunks.place) for segment in view.segments) < len(words) // 5
    monkeypatch.setattr(index, "_MOST_BYTES", 42 * 100)
    small = indexes.view()
    assert "large.md" not in small.place
    assert paths(small, "When is a refund retried?")[0] == "pay.py"
    indexes.repo.commit({"larger.md": words + " more"})
    pushed = indexes.view(small)
    assert "larger.md" not in pushed.place
    assert paths(pushed, "Who gets receipts by mail?")[0] == "mail.py"


def test_a_view_of_several_segments_finds_what_one_of_a_single_segment_finds(
    indexes: Indexes, monkeypatch: pytest.MonkeyPatch
) -> None:
    indexes.repo.commit({f"m{n}.py": f"def work_{n}():\n    return {n}\n" for n in range(40)})
    whole = indexes.view()
    monkeypatch.setattr(index, "_SEGMENT_FILES", 7)
    monkeypatch.setattr(index, "_SEGMENT_BYTES", 200)
    several = indexes.view()
    assert 5 < len(several.segments) <= 10
    for n in range(40):
        if f"m{n}.py" in several.place:
            assert paths(several, f"work_{n}")[0] == paths(whole, f"work_{n}")[0]


@pytest.mark.parametrize(
    ("question", "asks"),
    [
        ("what is spring.datasource.max-wait set to?", True),
        ("`spring.datasource.maxWait`", True),
        ("why com.acme.pay.Retry waits", False),
        ("source.wait.max() is slow", False),
        ("https://spring.datasource.max/wait", False),
        ("max wait", False),
    ],
)
def test_a_question_about_a_setting_finds_where_it_is_set(
    indexes: Indexes, question: str, asks: bool
) -> None:
    """Configuration counts less than code, but it is the answer if its key is named."""
    code = b"class Wait:\n    'spring.datasource.max-wait'\n    def max_wait(self): ...\n"
    setting = b"spring:\n  datasource:\n    max-wait: 3\n"
    indexes.repo.commit({"src/one.py": code, "src/two.py": code, "config/app.yml": setting})
    view = indexes.view()
    plain = dict(view.match("spring datasource max wait").files(9))["config/app.yml"]
    score = dict(view.match(question).files(9)).get("config/app.yml", 0.0)
    assert (score > plain) == asks
