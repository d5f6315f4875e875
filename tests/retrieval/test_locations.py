"""A trace or a link says which lines the question means: they must be found in any language."""

from __future__ import annotations

import time

import pytest

from bot.retrieval.locations import Location, PathResolver, find_locations

FILES = (
    "src/pay/retry.py",
    "src/pay/__init__.py",
    "web/src/cart.ts",
    "service/src/main/java/com/acme/pay/Retry.java",
    "pkg/queue/queue.go",
    "crates/core/src/main.rs",
    "src/main.rs",
    "setup.py",
    "docs/retry.md",
)
CASES = {
    'File "/srv/app/src/pay/retry.py", line 12, in run': ("src/pay/retry.py", 12, 12),
    "  at total (/app/web/src/cart.ts:10:5)": ("web/src/cart.ts", 10, 10),
    "  at async file:///app/web/src/cart.ts:7:1": ("web/src/cart.ts", 7, 7),
    "\tat com.acme.pay.Retry$Inner.run(Retry.java:123)": (FILES[3], 123, 123),
    "\tat app//com.acme.pay.Retry.<init>(Retry.java:9)": (FILES[3], 9, 9),
    "\t/home/ci/go/src/acme/pkg/queue/queue.go:77 +0x1d": ("pkg/queue/queue.go", 77, 77),
    "thread 'main' panicked at crates/core/src/main.rs:4:5:": (FILES[5], 4, 4),
    "  --> src/main.rs:10:5": ("src/main.rs", 10, 10),
    "see src/pay/retry.py:10-20 please": ("src/pay/retry.py", 10, 20),
    "retry.py line 40 is odd": ("src/pay/retry.py", 40, 40),
    "src/pay/retry.py#L5-L9": ("src/pay/retry.py", 5, 9),
    "`setup.py:3`": ("setup.py", 3, 3),
    "https://github.com/acme/app/blob/main/src/pay/retry.py#L3": ("src/pay/retry.py", 3, 3),
    "https://github.com/acme/app/blob/0a1b2c3/src/pay/retry.py#L3-L8": ("src/pay/retry.py", 3, 8),
    "https://git.acme.dev:8443/g/sub/app/-/blob/main/setup.py#L3-8": ("setup.py", 3, 8),
    "https://bitbucket.org/acme/app/src/0a1b2c3/setup.py#lines-3:8": ("setup.py", 3, 8),
    "https://gitea.dev/acme/app/src/commit/0a1b2c3d/setup.py#L3-L8": ("setup.py", 3, 8),
    "<https://github.com/acme/app/blob/main/web/src/cart.ts?plain=1#L2|link>": (FILES[2], 2, 2),
}


@pytest.mark.parametrize("text", CASES)
def test_a_place_is_found_and_resolved(text: str) -> None:
    found = find_locations(f"It fails:\n{text}\nWhy?")
    resolver = PathResolver(FILES)
    places = [(path, one.first, one.last) for one in found for path in resolver.resolve(one.path)]
    assert CASES[text] in places


def test_a_link_keeps_its_commit() -> None:
    found = find_locations("https://github.com/a/b/blob/0a1b2c3d/src/pay/retry.py#L3")
    assert found == [Location("src/pay/retry.py", 3, 3, "0a1b2c3d")]
    assert found[0].is_at_commit
    assert not find_locations("https://github.com/a/b/blob/main/x.py#L3")[0].is_at_commit


@pytest.mark.parametrize("named", ["lib/retry.py", "missing.py", "a/b/c.ts", "README", ""])
def test_a_file_that_does_not_exist_means_none(named: str) -> None:
    assert PathResolver(FILES).resolve(named) == []


def test_a_name_that_many_files_bear_means_none() -> None:
    resolver = PathResolver(f"pkg{n}/__init__.py" for n in range(9))
    assert resolver.resolve("__init__.py") == []
    assert resolver.resolve("pkg3/__init__.py") == ["pkg3/__init__.py"]


@pytest.mark.parametrize(
    "piece", ["a/", "a.", "x", "at a.", "https://a/b/", "/", "a:1", "~.a", 'File "', "a.py:1-"]
)
def test_hostile_text_takes_time_in_proportion_to_its_length(piece: str) -> None:
    began = time.thread_time()
    assert len(find_locations(piece * (200_000 // len(piece)))) <= 20
    assert time.thread_time() - began < 2.0
