"""Usefulness: what the context names, what newcomers need, what the team works on; tests last."""

from __future__ import annotations

import random
import time

import pytest

from bot.context.files.kinds import kind_of
from bot.context.files.select import File, Rules
from bot.context.render.budget import base_room, choose, split
from bot.context.render.groups import Group, group_of
from bot.context.render.rank import HISTORY, Ranked, history_length, rank
from bot.context.render.references import Resolver, references


def _file(path: str, size: int = 4_000) -> File:
    return File(path, path.encode().hex()[:40].ljust(40, "0"), size, size // 40, kind_of(path), ())


def _ranked(
    paths: list[str],
    refers: dict[str, list[str]] | None = None,
    touched: list[list[str]] | None = None,
    rules: Rules | None = None,
    uses: dict[str, float] | None = None,
) -> list[str]:
    files = {path: _file(path) for path in paths}
    found = rank(files, refers or {}, touched or [], rules or Rules("x"), uses or {})
    return [entry.file.path for entry in found]


PROJECT = [
    "CHANGELOG.md",
    "LICENSE.md",
    "README.md",
    "docs/guide.md",
    "examples/one.py",
    "pyproject.toml",
    "src/app/__main__.py",
    "src/app/core.py",
    "src/app/rare.py",
    "tests/fixtures/big.json",
    "tests/test_core.py",
    ".github/workflows/ci.yml",
]


def test_the_order_is_what_a_newcomer_would_read() -> None:
    """Under a budget the first files are all that the model sees."""
    order = _ranked(PROJECT)
    assert {order[0], order[1]} == {"README.md", "pyproject.toml"}
    groups = [
        {"src/app/__main__.py", "src/app/core.py", "src/app/rare.py"},
        {"tests/test_core.py"},
        {"docs/guide.md", ".github/workflows/ci.yml"},
        {"CHANGELOG.md"},
        {"examples/one.py"},
        {"tests/fixtures/big.json"},
        {"LICENSE.md"},
    ]
    at = 2
    for group in groups:
        assert {*order[at : at + len(group)]} == group
        at += len(group)


def test_what_the_context_names_comes_first() -> None:
    """The team knows best what its channel asks about."""
    rules = Rules("x", include=("**", "tests/test_core.py"), first=("src/app/rare.py", "docs/**"))
    assert _ranked(PROJECT, rules=rules)[:3] == [
        "src/app/rare.py",
        "docs/guide.md",
        "tests/test_core.py",
    ]


def test_what_others_refer_to_comes_before_what_they_do_not() -> None:
    """A file that everything imports explains more than a leaf."""
    refers = {"src/app/rare.py": ["app/core"], "docs/guide.md": ["/src/app/core"]}
    order = _ranked(PROJECT, refers)
    assert order.index("src/app/core.py") < order.index("src/app/rare.py")


def test_what_the_team_works_on_comes_before_what_rests() -> None:
    """Questions are about what changes: today's work is asked about today."""
    order = _ranked(PROJECT, touched=[["src/app/rare.py"]] * 5)
    assert order.index("src/app/rare.py") < order.index("src/app/core.py")


def test_long_work_outlasts_a_touch_of_today() -> None:
    """Files that a team changed all year will change again; a passing fix ends with its day."""
    year = [["src/app/core.py"] if age % 20 == 19 else [] for age in range(1_000)]
    today = [["src/app/rare.py"], *year]
    order = _ranked(PROJECT, touched=today)
    assert order.index("src/app/core.py") < order.index("src/app/rare.py")


def test_work_fades() -> None:
    """Work that ended long ago gives way to as much work of this month."""
    long_ago, lately = ["src/app/rare.py"], ["src/app/core.py"]
    order = _ranked(PROJECT, touched=[*[lately] * 5, *[[]] * 500, *[long_ago] * 5])
    assert order.index("src/app/core.py") < order.index("src/app/rare.py")


def test_a_commit_that_touches_everything_says_little_of_each() -> None:
    """A reformatting must not make the whole tree look busy."""
    sweep = [[f"src/x{n}.py" for n in range(2_000)] + ["src/app/core.py"]]
    order = _ranked(PROJECT, touched=[*sweep, ["src/app/rare.py"]])
    assert order.index("src/app/rare.py") < order.index("src/app/core.py")


def test_the_order_is_the_same_for_any_order_of_files() -> None:
    """Two machines must choose the same files."""
    shuffled = list(PROJECT)
    random.Random(3).shuffle(shuffled)
    assert _ranked(shuffled) == _ranked(PROJECT)


def test_every_place_is_explained() -> None:
    """A user who misses a file is told its kind."""
    files = {path: _file(path) for path in PROJECT}
    refers = {path: ["app/core"] for path in ("src/app/rare.py", "src/app/__main__.py")}
    found = rank(files, refers, [["src/app/core.py"]], Rules("x"), {})
    why = {entry.file.path: entry.why for entry in found}
    assert why["src/app/core.py"] == "source, referred to 2 times, worked on lately or often"
    assert all(why.values())


def test_groups_are_told_by_path() -> None:
    """The groups are the field's usual ones."""
    expected = {
        "web/src/Button.test.tsx": "test",
        "pkg/server_test.go": "test",
        "src/test/java/AppTest.java": "test",
        "testing.md": "documentation",
        "src/contest.py": "source",
        "locales/de.json": "translation",
        "cmd/main.go": "entry point",
        "docs/a.md": "documentation",
        "deploy/values.yaml": "configuration",
        "COPYING": "legal text",
    }
    assert {path: group_of(_file(path)) for path in expected} == expected


SAME_WORD_OTHER_MEANING = {
    "src/main/java/org/springframework/samples/petclinic/owner/Owner.java": "source",
    "src/main/java/com/example/shop/Cart.java": "source",
    "app/src/main/kotlin/demo/tutorial/Step.kt": "source",
    "samples/hello/src/main/java/com/acme/Hello.java": "example",
    "packages/ui/examples/one.tsx": "example",
    "lib/playground/page.rb": "source",
    "src/i18n/index.ts": "source",
    "src/i18n/de.json": "translation",
    "src/main/resources/messages_de.properties": "translation",
    "src/main/resources/messages.properties": "configuration",
    "deploy/compose-db.yml": "configuration",
    "tsdb/snapshot/snapshot.go": "source",
    "app/models/fixtures/fixture.rb": "source",
    "src/licenses.py": "source",
    "app/controllers/authors_controller.rb": "source",
    "src/notice_board.ts": "source",
    "third/LICENSE-MIT": "legal text",
    "src/main/java/Latest.java": "source",
    "src/Contest.cs": "source",
    "src/OrderTests.cs": "test",
    "src/ab_test/assign.py": "source",
    "runtime/spell/de/main.aap": "source",
    "cmd/prometheus/main.go": "entry point",
    "src/main/java/org/acme/shop/ShopApplication.java": "entry point",
    "web/main.scss": "configuration",
    "docs/main.md": "documentation",
    "a/b/c/d/main.py": "source",
    "CHANGELOG": "changelog",
    "docs/releases/1.2.txt": "changelog",
    "packages/core/HISTORY.rst": "changelog",
    "src/changes.py": "source",
    "src/history.go": "source",
    "lib/l10n/intl_en_AU.arb": "translation",
    "lib/text/intl_en.arb": "configuration",
    "lib/text/intl_en_US.arb": "configuration",
    "App/de.lproj/Localizable.strings": "translation",
    "App/en.lproj/Localizable.strings": "configuration",
    "app/src/main/res/values-pt-rBR/strings.xml": "translation",
    "app/src/main/res/values/strings.xml": "configuration",
    "app/src/main/res/values-night/colors.xml": "configuration",
    "extension/_locales/de/messages.json": "translation",
    "resources/lang/de/auth.php": "translation",
    "resources/lang/en/auth.php": "source",
    "src/locales/zh-CN.ts": "translation",
    "src/locales/fr/cart.js": "translation",
    "src/i18n/setup.ts": "source",
    "src/lang/cs/lexer.kt": "source",
    "src/de/cart.ts": "source",
    "ios/firebase_app_id_file.json": "configuration",
    "deploy/db-ro.yaml": "configuration",
    "ci/build-no-op.yml": "configuration",
    "src/main/resources/messages_it.properties": "translation",
    "package.nls.it.json": "translation",
    "ui/strings-zh-Hans.json": "translation",
    "ui/cart.de.yml": "translation",
    "requirements.txt": "manifest",
    "requirements-dev.in": "manifest",
    "Pipfile": "manifest",
    "conanfile.txt": "manifest",
    "DESCRIPTION": "manifest",
    "description": "source",
    "service/requirements.txt": "configuration",
    "docs/requirements.md": "documentation",
    "src/components/Cart.vue": "source",
    "src/lib/Cart.svelte": "source",
    "app/cart/cart.component.html": "source",
    "templates/cart.html": "configuration",
    "schema/cart.graphql": "source",
    "app/templates/cart.hbs": "source",
    "t/cart.t": "test",
    "lib/t/xt/pod.t": "test",
    "src/cart.t": "source",
    "features/cart.feature": "test",
    "apps/cart/src/cart_SUITE.erl": "test",
    "rtl/cart_tb.sv": "test",
}


@pytest.mark.parametrize(("path", "group"), SAME_WORD_OTHER_MEANING.items())
def test_a_word_counts_by_its_place_and_language(path: str, group: str) -> None:
    """A package may be called samples, a class Latest: no such name makes a file unimportant."""
    assert group_of(_file(path)) == group


def test_fifty_files_of_one_name_are_no_entry_points() -> None:
    """A collection of programs has no start that tells about the whole."""
    paths = [f"x{n}/main.c" for n in range(50)]
    found = rank({path: _file(path) for path in paths}, {}, [], Rules("x"), {})
    assert {entry.group for entry in found} == {"source"}


def test_the_choice_spreads_over_the_folders() -> None:
    """Questions come to every part of a repository, not to its busiest folder alone."""
    busy = [f"engine/f{n}.go" for n in range(30)]
    calm = [f"{name}/a.go" for name in ("scrape", "rules", "storage")]
    order = _ranked([*busy, *calm], {path: ["rules/a", "scrape/a", "storage/a"] for path in busy})
    assert {*calm} <= {*order[:6]}


def test_many_equal_files_are_spread_in_little_work() -> None:
    """Two hundred thousand files of one size must not take time by the square of a folder."""
    files = {path: _file(path) for path in (f"d{n % 20}/f{n}.py" for n in range(20_000))}
    began = time.thread_time()
    assert len(rank(files, {}, [], Rules("x"), {})) == len(files)
    assert time.thread_time() - began < 10


def test_imports_are_resolved_to_files() -> None:
    """References are what ranking leans on: they must lead somewhere real."""
    paths = [
        "src/app/__init__.py",
        "src/app/core.py",
        "src/app/util/text.py",
        "web/src/lib/api.ts",
        "web/src/page/index.tsx",
        "web/src/page/view.tsx",
        "docs/guide.md",
        "go/pkg/store/store.go",
        "rust/src/net.rs",
        "c/include/list.h",
    ]
    resolver = Resolver(paths)

    def resolved(path: str, text: bytes) -> set[str]:
        return {hit for ref in references(path, text) for hit in resolver.resolve(path, ref)}

    python = (
        b"from app.core import run\nfrom . import util\nfrom .util.text import clean\nimport os\n"
    )
    assert resolved("src/app/main.py", python) == {
        "src/app/__init__.py",
        "src/app/core.py",
        "src/app/util/text.py",
    }
    script = b"import { get } from '@/lib/api';\nimport View from './view';\nimport 'react';\n"
    assert resolved("web/src/page/index.tsx", script) == {
        "web/src/lib/api.ts",
        "web/src/page/view.tsx",
    }
    go = b'import (\n\t"example.org/x/go/pkg/store"\n)\n'
    assert resolved("go/cmd/main.go", go) == {"go/pkg/store/store.go"}
    assert resolved("rust/src/main.rs", b"mod net;\n") == {"rust/src/net.rs"}
    assert resolved("c/src/a.c", b'#include "list.h"\n') == {"c/include/list.h"}
    assert resolved("README.md", b"[x](docs/guide.md#top)") == {"docs/guide.md"}


MORE_REFERENCES = {
    # File that refers: its text, the file that is meant.
    "lib/pages/home.dart": (
        b"import 'dart:io';\nimport 'package:shop/data/cart.dart';\n",
        "lib/data/cart.dart",
    ),
    "ui/menu.lua": (b'local UI = require("ui.widget.button")\n', "front/ui/widget/button.lua"),
    "ui/list.lua": (b"local UI = require 'ui/widget/button'\n", "front/ui/widget/button.lua"),
    "lib/shop/cart.ex": (b"  alias Shop.OrderLine\n", "lib/shop/order_line.ex"),
    "src/Shop/Cart.hs": (b"import qualified Shop.Order as O\n", "src/Shop/Order.hs"),
    "src/Shop/Main.elm": (b"import Shop.View exposing (view)\n", "src/Shop/View.elm"),
    "t/cart.t": (b"use Mojo::Base -strict;\nuse Acme::Cart;\n", "lib/Acme/Cart.pm"),
    "src/shop/cart.clj": (
        b"(ns shop.cart\n  (:require [shop.order-line :as line]))\n",
        "src/shop/order_line.cljc",
    ),
    "src/cart.erl": (b'-include("cart.hrl").\n', "src/cart.hrl"),
    "src/Shop.jl": (b'module Shop\ninclude("order.jl")\nend\n', "src/order.jl"),
    "contracts/Cart.sol": (b'import {Order} from "./lib/Order.sol";\n', "contracts/lib/Order.sol"),
    "proto/cart.proto": (b'import "proto/order.proto";\n', "proto/order.proto"),
    "src/main.zig": (b'const order = @import("order.zig");\n', "src/order.zig"),
    "bin/run.sh": (b'. "$(dirname "$0")/lib/log.sh"\nsource ./env.sh\n', "bin/env.sh"),
    "main.tf": (b'module "net" {\n  source = "./modules/net"\n}\n', "modules/net/main.tf"),
    "web/Home.astro": (b"---\nimport Card from '../ui/Card.astro';\n---\n", "ui/Card.astro"),
}


@pytest.mark.parametrize("path", MORE_REFERENCES)
def test_references_are_read_in_further_languages(path: str) -> None:
    """Without them all files of such a repository would count the same."""
    text, meant = MORE_REFERENCES[path]
    resolver = Resolver([*MORE_REFERENCES, *(meant for _, meant in MORE_REFERENCES.values())])
    assert meant in {hit for ref in references(path, text) for hit in resolver.resolve(path, ref)}


@pytest.mark.parametrize(
    "ending", ["clj", "dart", "ex", "hs", "jl", "lua", "pm", "sh", "sol", "tf"]
)
def test_references_take_time_in_proportion_to_the_text(ending: str) -> None:
    pieces = (
        b"[a.",
        b"(a-",
        b"import A.",
        b". $a",
        b'require("',
        b" import",
        b'source = "./',
        b"A::A",
    )
    began = time.thread_time()
    for piece in pieces:
        references(f"a.{ending}", piece * (300_000 // len(piece)))
        references(f"a.{ending}", (piece + b"\n") * 20_000)
    assert time.thread_time() - began < 3


def test_an_index_is_meant_by_its_own_name_too() -> None:
    """A file may be spelled out in two ways; with either, it is found, and only once."""
    resolver = Resolver(["web/index/index.ts", "web/other/view.ts", "deep/web/view.ts"])
    for spelled in ("./index", "./index/index"):
        text = f"import x from '{spelled}';\n".encode()
        found = [resolver.resolve("web/page.ts", ref) for ref in references("web/page.ts", text)]
        assert found == [["web/index/index.ts"]]


def test_a_package_of_thousands_of_files_is_not_gone_through_for_each_import() -> None:
    """A folder of 195,000 Go files that a thousand others import costs 195 million steps."""
    few = [f"a/f{n}.go" for n in range(3)]
    many = [f"b/f{n}.go" for n in range(2_001)]
    resolver = Resolver([*few, *many, "main.go"])
    assert resolver.resolve("main.go", "acme.com/a") == few
    assert resolver.resolve("main.go", "acme.com/b") == []


def test_less_history_is_read_if_one_folder_holds_very_many_files() -> None:
    """For each commit git compares the whole folder: 3,000 commits of 195,000 files take minutes,
    and git is stopped after two."""
    usual = [f"src/{n % 50}/{n}.py" for n in range(50_000)]
    assert history_length(usual) == HISTORY
    assert history_length([]) == HISTORY
    flat = [f"{n}.py" for n in range(195_000)]
    assert 100 < history_length(flat) < 200
    assert history_length(flat) * len(flat) <= 30_000_000


def test_a_bare_name_means_no_file_far_away() -> None:
    """`import logging` is the standard library, not some folder's logging.py."""
    resolver = Resolver(["deep/down/logging.py", "docs/logging.md"])
    hits = [
        resolver.resolve("src/a.py", ref) for ref in references("src/a.py", b"import logging\n")
    ]
    assert hits == [[]]


def _entry(path: str, tokens: int) -> Ranked:
    file = File(path, "0" * 40, tokens, 1, kind_of(path), ())
    return Ranked(file, "source", 1.0, "source")


def test_a_choice_fits_and_passes_over_what_does_not() -> None:
    """One huge file must not end the choice, nor take the room of a package."""
    entries = [_entry("a.py", 50), _entry("huge.py", 500), _entry("b.py", 40), _entry("c.py", 20)]
    choice = choose(entries, lambda file: file.size, 100)
    assert set(choice.files) == {"a.py", "b.py"}
    assert choice.omitted["huge.py"] == "over the budget (rank 2: source)"


@pytest.mark.parametrize(
    ("path", "group", "share"),
    [
        ("CHANGELOG.md", "changelog", 0.03),
        ("docs/configuration.md", "documentation", 0.04),
        ("Makefile", "manifest", 0.04),
        ("src/huge.c", "source", 0.15),
        ("tests/test_all.py", "test", 0.04),
    ],
)
def test_no_file_takes_more_than_its_share_while_others_wait(
    path: str, group: Group, share: float
) -> None:
    """A changelog of ten years is the first file of many repositories."""
    room = 1_000_000
    size = int(room * share)
    large = Ranked(File(path, "0" * 40, size + 1, 1, "code", ()), group, 1.0, group)
    small = Ranked(large.file._replace(size=size), group, 1.0, group)
    others = [_entry(f"src/f{n}.py", room // 50) for n in range(60)]
    assert path not in choose([large, *others], lambda file: file.size, room).files
    assert path in choose([small, *others], lambda file: file.size, room).files


def test_a_readme_fits_a_small_budget() -> None:
    """A newcomer's first files get more than a few hundredths of a small budget."""
    readme = Ranked(File("README.md", "0" * 40, 3_000, 1, "prose", ()), "manifest", 1.0, "manifest")
    others = [_entry(f"src/f{n}.py", 1_000) for n in range(60)]
    assert "README.md" in choose([readme, *others], lambda file: file.size, 48_000).files


def test_room_that_no_other_file_wants_goes_to_the_large_ones() -> None:
    """All of the budget is used: a share is a bound only while others wait. A changelog has to
    stay small even then.
    """
    entries = [_entry("src/large.py", 500), _entry("b.py", 40)]
    assert set(choose(entries, lambda file: file.size, 1_000).files) == {"src/large.py", "b.py"}
    log = Ranked(File("CHANGELOG.md", "0" * 40, 40, 1, "prose", ()), "changelog", 1.0, "changelog")
    assert not choose([log], lambda file: file.size, 1_000).files


def test_repositories_share_what_there_is() -> None:
    """A small repository beside a large one is shown whole."""
    assert split({"small": 10, "large": 1_000, "other": 1_000}, 210) == {
        "small": 10,
        "large": 100,
        "other": 100,
    }


def test_a_base_leaves_room_for_what_follows() -> None:
    """An estimate may be off and updates come: neither may pass the budget."""
    assert base_room(1_000, 0.0) == 900
    assert base_room(1_000, 0.12) * 1.12 <= 900


def test_files_that_answers_have_used_come_first_until_the_use_is_old() -> None:
    uses = {"tests/test_core.py": 1.0, "docs/guide.md": 0.4}
    ranked = _ranked(PROJECT, uses=uses)
    assert ranked[0] == "tests/test_core.py"
    rest = [path for path in _ranked(PROJECT) if path != "tests/test_core.py"]
    assert ranked[1:] == rest
    named = _ranked(PROJECT, uses=uses, rules=Rules("x", first=("LICENSE.md",)))
    assert named[:2] == ["LICENSE.md", "tests/test_core.py"]


def test_a_file_that_is_used_far_more_often_comes_before_others_that_are_used() -> None:
    often = {"docs/guide.md": 40.0, "tests/test_core.py": 1.0}
    assert _ranked(PROJECT, uses=often)[:2] == ["docs/guide.md", "tests/test_core.py"]
    equal = {"docs/guide.md": 2.0, "tests/test_core.py": 1.0}
    assert _ranked(PROJECT, uses=equal)[:2] == ["tests/test_core.py", "docs/guide.md"]


def test_an_entry_point_that_is_rarely_touched_does_not_wait_for_all_sources() -> None:
    """It has the place of a source: the order of the folders decides, not its group."""
    folder = [f"pkg/a/f{number}.go" for number in range(10)]
    found = _ranked(
        [*folder, "cmd/server/main.go"], touched=[folder, folder, ["cmd/server/main.go"]]
    )
    assert found.index("cmd/server/main.go") < len(folder)
