"""The model's look-ups: bounded, on the pinned files only, and harmless for any call."""

from __future__ import annotations

import asyncio
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.answer.look_ups.file_parts import MAX_LINES
from bot.answer.loop import Allowance
from bot.answer.tools import (
    DECLARATIONS,
    MAX_CHARACTERS,
    MAX_MATCHES,
    look_up,
    look_up_in,
    title,
)
from bot.app.bot import LOOK_UP_THREADS
from bot.context.pack import Change, RepositoryState
from bot.errors import ForewarmError

if TYPE_CHECKING:
    from tests.answer.conftest import Files


def test_the_declarations_are_always_the_same_bytes() -> None:
    """They open the warm prefix: another byte is another cache entry for everybody."""
    assert [tool["name"] for tool in DECLARATIONS] == ["search", "read", "list", "history"]
    assert json.dumps(DECLARATIONS) == json.dumps(json.loads(json.dumps(DECLARATIONS)))
    for tool in DECLARATIONS:
        assert set(tool["input_schema"]["required"]) <= set(tool["input_schema"]["properties"])


def test_read_numbers_the_lines_it_shows(files: Files) -> None:
    """The model cites by line."""
    assert look_up(files, "read", {"path": "./a.py"}).text.splitlines() == [
        "1\tdef answer(question: str) -> str:",
        "2\t    return question[::-1]",
        "[lines 1-2 of 2]",
    ]


def test_a_long_file_is_read_in_portions(files: Files) -> None:
    """One look-up must not fill the window."""
    shown = look_up(files, "read", {"path": "src/b.py", "start": 11}).text.splitlines()
    assert len(shown) == MAX_LINES + 1
    assert shown[0].startswith("11\t")
    assert shown[-1] == f"[lines 11-{MAX_LINES + 10} of 500]"
    rest = look_up(files, "read", {"path": "src/b.py", "start": 500, "end": 9}).text
    assert rest.splitlines() == ["500\tx = 1", "[lines 500-500 of 500]"]


def test_a_path_that_is_not_there_is_answered_with_those_that_are(files: Files) -> None:
    """Models misremember directories more often than names."""
    looked = look_up(files, "read", {"path": "lib/b.py"})
    assert looked.error
    assert "src/b.py" in looked.text


def test_search_names_place_and_line_and_says_when_there_is_more(files: Files) -> None:
    """A cut result must not pass for the whole."""
    assert look_up(files, "search", {"pattern": "[::-1]"}).text == (
        "a.py\n  in answer, lines 1-2:\n  2: return question[::-1]"
    )
    many = look_up(files, "search", {"pattern": "x", "under": "src/"}).text.split("\n")
    assert sum(line.startswith("  ") for line in many) == MAX_MATCHES
    assert "there are more" in many[-1]
    assert look_up(files, "search", {"pattern": "nowhere"}).text == "Nothing was found."


@pytest.mark.parametrize(
    ("error", "told"),
    [(ForewarmError("The expression cannot be read."), "cannot be read"), (OSError("x"), "failed")],
)
def test_what_goes_wrong_with_a_look_up_is_told_to_the_model(
    files: Files, monkeypatch: pytest.MonkeyPatch, error: Exception, told: str
) -> None:
    """It can ask in another way; an exception would end the answer."""

    def fail(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setattr(files, "search", fail)
    looked = look_up(files, "search", {"pattern": "(", "regex": True})
    assert looked.error
    assert told in looked.text


def test_many_files_are_listed_by_directory(files: Files) -> None:
    """A thousand paths say less than forty directories."""
    files.files |= {f"lib/m{n}.py": "" for n in range(300)}
    assert look_up(files, "list", {}).text.splitlines() == [
        "a.py",
        "lib/ (300 files)",
        "src/ (2 files)",
    ]
    assert look_up(files, "list", {"under": "src"}).text == "src/b.py\nsrc/c.py"
    assert look_up(files, "list", {"under": "nowhere"}).error


def test_history_tells_who_changed_it_when_and_why(files: Files) -> None:
    """ "Why is it so?" is answered by commits as often as by code."""
    files.changes = [Change("c" * 40, 86_400.0, "Ann", "Reverse it")]
    assert look_up(files, "history", {"path": "a.py"}).text == (
        "cccccccccccc 1970-01-02 Ann: Reverse it"
    )


def test_among_several_repositories_one_must_be_named(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same path may stand in both."""
    other = RepositoryState("web", "u", "main", "b" * 40, 0.0, "b" * 40, None)
    monkeypatch.setattr(files, "repositories", lambda: [files.state, other])
    looked = look_up(files, "read", {"path": "a.py"})
    assert looked.error
    assert "payments, web" in looked.text
    assert not look_up(files, "read", {"path": "a.py", "repository": "payments"}).error
    assert look_up(files, "read", {"path": "a.py", "repository": "nope"}).error
    shown = look_up(files, "search", {"pattern": "def"}).text
    assert shown.startswith("payments/a.py\n  1: def answer")


TILL = """\
import os

RETRIES = 3


class Till:
    def open(self):
        return 1

    @traced
    def charge(self, card):
        if card:
            return card.charge()

    def close(self):
        return 2


def charge(card):
    return Till().charge(card)
"""


def test_search_groups_lines_by_file_and_names_the_definition(files: Files) -> None:
    """The model sees where a line stands without another look-up."""
    files.files = {"till.py": TILL, "notes.txt": "charge nothing\n"}
    assert look_up(files, "search", {"pattern": "charge"}).text == (
        "notes.txt\n"
        "  1: charge nothing\n\n"
        "till.py\n"
        "  11: def charge(self, card):\n"
        "  13: return card.charge()\n"
        "  19: def charge(card):\n"
        "  20: return Till().charge(card)"
    )
    assert look_up(files, "search", {"pattern": "card"}).text.count("in Till.charge") == 0
    assert "  in Till.charge, lines 10-13:\n  12: if card:" in (
        look_up(files, "search", {"pattern": "if card"}).text
    )


def test_read_takes_a_name(files: Files) -> None:
    """One definition with its decorators, and the names beside it."""
    files.files = {"till.py": TILL, "notes.txt": "charge\n"}
    shown = look_up(files, "read", {"path": "till.py", "name": "Till.charge"}).text.split("\n")
    assert shown[0] == "10\t    @traced"
    assert shown[3] == "13\t            return card.charge()"
    assert shown[4].startswith("[lines 10-13 of 20; Till.charge; beside it: open (lines 7-8)")
    top = look_up(files, "read", {"path": "till.py", "name": "charge"}).text.split("\n")
    assert top[0] == "19\tdef charge(card):"
    assert "charge also on lines 11" in top[-1]
    absent = look_up(files, "read", {"path": "till.py", "name": "chargee"})
    assert absent.error
    assert "It has: " in absent.text
    assert "charge" in absent.text
    assert look_up(files, "read", {"path": "notes.txt", "name": "charge"}).error


@pytest.mark.parametrize("start", ["2", " 2 ", 2])
def test_a_number_may_come_as_text(files: Files, start: object) -> None:
    """Models write numbers as text now and then."""
    assert look_up(files, "read", {"path": "a.py", "start": start}).text.startswith("2\t")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


@given(
    st.sampled_from(["search", "read", "list", "history", "rm"]),
    st.dictionaries(
        st.sampled_from(
            ["path", "pattern", "regex", "under", "start", "end", "repository", "name", "ref", "x"]
        ),
        JSON,
    ),
)
def test_no_input_of_the_model_raises_or_overflows(name: str, wanted: dict[str, Any]) -> None:
    """The schema is a request to the model, not a promise of it."""
    looked = look_up(_files(), name, wanted)
    assert isinstance(looked.text, str)
    assert len(looked.text) <= MAX_CHARACTERS + 60
    shown = title(name, wanted)
    assert len(shown) <= 120
    assert "\n" not in shown


def _files() -> Any:
    class Small:
        state = RepositoryState("r", "u", "main", "a" * 40, 0.0, "a" * 40, None)

        def repositories(self) -> list[RepositoryState]:
            return [self.state]

        def paths(self, repository: str) -> list[str]:
            return ["a.py", "b/c.py"]

        def read(self, repository: str, path: str) -> str | None:
            return "line " * 9_000 + "\n" * 3 if path == "a.py" else None

        def search(self, *_: Any, **__: Any) -> list[Any]:
            return []

        def history(self, *_: Any) -> list[Any]:
            return []

        def at(self, *_: Any) -> Any:
            return self

    return Small()


async def test_a_look_up_that_hangs_is_given_up_and_said_so(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hostile pattern costs one thread for a while, and the answer goes on."""
    release = threading.Event()

    def hang(*_: Any, **__: Any) -> Any:
        release.wait(10)
        return []

    monkeypatch.setattr(files, "search", hang)
    with ThreadPoolExecutor(1) as executor:
        looked = await look_up_in(executor, 0.02, files, "search", {"pattern": "(a+)+$"})
        assert looked.error
        assert "longer" in looked.text
        release.set()
        await asyncio.sleep(0)


async def test_the_look_ups_of_one_round_run_at_once(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each waits until all have begun: one after the other would never end."""
    together = threading.Barrier(LOOK_UP_THREADS, timeout=240)

    def search(*_: Any, **__: Any) -> Any:
        together.wait()
        return []

    monkeypatch.setattr(files, "search", search)
    with ThreadPoolExecutor(LOOK_UP_THREADS) as executor:
        look_ups = (
            look_up_in(executor, 30.0, files, "search", {"pattern": "x"})
            for _ in range(LOOK_UP_THREADS)
        )
        results = await asyncio.gather(*look_ups)
    assert [one.text for one in results] == ["Nothing was found."] * LOOK_UP_THREADS
    assert Allowance().at_once <= LOOK_UP_THREADS
