"""The receipt of an answer is true, escaped, and shown only if it is known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bot.answer.feedback import Mark, decode
from bot.answer.receipt import Receipt, blocks, counted_behind, stop_block, tree_page
from bot.context.pack import Block, Omission, Pack, RepositoryState

STATE = RepositoryState(
    name="payments",
    url="https://github.com/acme/payments",
    ref="main",
    commit="a" * 40,
    committed_at=1.0,
    base_commit="a" * 40,
    web="https://github.com/acme/payments/blob/{sha}/{path}#L{start}-L{end}",
)
MARK = Mark("T1-1.5", "payments", "f" * 64)


def pack(*states: RepositoryState, omitted: int = 0) -> Pack:
    left_out = tuple(Omission("payments", f"f{n}", "binary") for n in range(omitted))
    return Pack((Block("base", "payments", "x", 1),), states, left_out, 1)


def line(**facts: Any) -> str:
    given: dict[str, Any] = {"pack": pack(STATE), "cached": 254_321, "usd": 0.0834, "wait": 1.84}
    return Receipt(**{**given, **facts}).lines()[0]


def test_the_receipt_tells_commit_cache_wait_and_money() -> None:
    """It is how people learn whether waiting and paying was worth it."""
    assert line() == (
        f"<https://github.com/acme/payments/tree/{'a' * 40}|payments@aaaaaaa>"
        " · 254k tokens from cache · 1.8 s to the first words · $0.08"
    )


def test_what_is_unknown_is_left_out_and_what_is_small_is_not_rounded_away() -> None:
    """A receipt that guesses is worse than none."""
    shown = line(cached=0, usd=0.00042, wait=None)
    assert "nothing from cache" in shown
    assert "$0.0004" in shown
    assert "first words" not in shown
    assert "no cost" in line(usd=0.0)
    assert "20 s" in line(wait=20.4)


def test_omissions_age_and_citations_are_told() -> None:
    """The receipt names the files that the answer could not see."""
    shown = line(pack=pack(STATE, omitted=3), behind={"payments": 2}, cited=5, struck=1, look_ups=2)
    assert "3 files left out" in shown
    assert "2 commits behind main" in shown
    assert "5 citations checked" in shown
    assert "1 not found" in shown
    assert "2 look-ups" in shown
    stale = replace(STATE, stale_since=86_400.0, stale_reason="no network")
    assert "main as of 1970-01-02 00:00 UTC" in line(pack=pack(stale))


def test_many_repositories_do_not_make_a_long_line() -> None:
    """The receipt is a footnote."""
    assert "and 2 more" in line(pack=pack(*(replace(STATE, name=f"r{n}") for n in range(5))))


def test_names_from_a_repository_cannot_ping_or_link() -> None:
    """Branches and repositories are named by people who push; blocks are shown as they are."""
    evil = replace(STATE, name="<!channel>|x", ref="<@U1>", web=None, stale_since=1.0)
    shown = line(pack=pack(evil))
    assert "<" not in shown
    assert "&lt;!channel&gt;" in shown
    crooked = replace(STATE, web="https://a.example/|<!here>/blob/{sha}")
    assert tree_page(crooked) is None


def test_notices_stand_on_lines_of_their_own() -> None:
    """A question that was cut is more than a footnote."""
    receipt = Receipt(pack=pack(STATE), cached=1, usd=0.0, wait=None, notices=("a <b> & c",))
    contexts = [b for b in blocks(receipt, MARK) if b["type"] == "context"]
    assert [b["elements"][0]["text"] for b in contexts][1] == "a &lt;b&gt; &amp; c"


def test_names_of_files_and_branches_become_no_links() -> None:
    """Slack makes links of README.md and of release/1.0.sh unless the text is verbatim."""
    notice = "1 file read (of README.md only a part)."
    receipt = Receipt(pack=pack(STATE), cached=1, usd=0.1, wait=1.0, notices=(notice,))
    texts = [part for block in blocks(receipt, MARK) for part in block["elements"]]
    assert [text["verbatim"] for text in texts if text["type"] == "mrkdwn"] == [True, True]


def test_the_buttons_carry_what_a_click_needs_after_a_restart() -> None:
    """Process memory does not outlive a deploy; a message in Slack does."""
    thumbs, again = blocks(None, MARK)
    element = thumbs["elements"][0]
    assert decode(element["positive_button"]["value"]) == (MARK, "up")
    assert decode(element["negative_button"]["value"]) == (MARK, "down")
    assert again["elements"][0]["value"] == MARK.question
    assert stop_block("q1")["elements"][0]["value"] == "q1"


def test_what_is_no_mark_is_nothing() -> None:
    """A value from an older version, or forged, must not raise."""
    for value in ("", "up", "up\nq", "sideways\nq\nc\nf", "up\nq\nc\nf\nx"):
        assert decode(value) is None


def test_commits_after_the_used_one_are_counted() -> None:
    """How far behind is a number of commits, newest first."""
    assert counted_behind(["c", "b", "a"], "a") == 2
    assert counted_behind(["c", "b"], "z") == 2
    assert counted_behind(["a"], "a") == 0
