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


FORMS = {
    # Names with several endings, names without one, names in brackets, names with a blank.
    "FAIL src/cart.test.ts:12": ("src/cart.test.ts", 12, 12),
    "app/views/index.html.erb:4:in `block'": ("app/views/index.html.erb", 4, 4),
    "make: *** [Makefile:7: all] Error 1": ("Makefile", 7, 7),
    "/srv/app/bin/deploy: line 3: kubectl: not found": ("bin/deploy", 3, 3),
    "at Page (web/app/(shop)/[slug]/page.tsx:9:5)": ("web/app/(shop)/[slug]/page.tsx", 9, 9),
    "web/app/[slug]/page.tsx:9": ("web/app/[slug]/page.tsx", 9, 9),
    "why does `docs/My Notes.md:3` say so": ("docs/My Notes.md", 3, 3),
    # Messages of interpreters and compilers.
    "#0 /var/www/src/Pay/Billing.php(12): App\\Pay\\Billing->charge()": (
        *("src/Pay/Billing.php", 12, 12),
    ),
    "PHP Warning: x in /var/www/src/Pay/Billing.php on line 5": ("src/Pay/Billing.php", 5, 5),
    r"at Acme.Run(Order o) in C:\a\1\s\src\Pay\Retry.cs:line 42": ("src/Pay/Retry.cs", 42, 42),
    r"D:\a\s\src\Pay\Retry.cs(12,5): error CS1002: ; expected": ("src/Pay/Retry.cs", 12, 12),
    "src/cart.test.ts(12,5): error TS2322: no": ("src/cart.test.ts", 12, 12),
    "\x1b[96msrc/cart.test.ts\x1b[0m:\x1b[93m12\x1b[0m:5 - error": ("src/cart.test.ts", 12, 12),
    "[96msrc/cart.test.ts[0m:[93m12[0m:5 - error": ("src/cart.test.ts", 12, 12),
    "webpack:///./src/cart.test.ts?abcd:12:5": ("src/cart.test.ts", 12, 12),
    "[ERROR] /x/src/pay/Retry.java:[12,5] cannot find symbol": ("src/pay/Retry.java", 12, 12),
    "e: /x/src/Queue.kt: (12, 5): Unresolved reference": ("src/Queue.kt", 12, 12),
    'Called from Order.run in file "lib/order.ml", line 12, characters 3-5': (
        *("lib/order.ml", 12, 12),
    ),
    '[{order,charge,1,[{file,"src/order.erl"},{line,12}]}]': ("src/order.erl", 12, 12),
    "at shop.order_item$charge.invoke(order_item.clj:12)": ("src/shop/order_item.clj", 12, 12),
    "src/Shop.hs:(12,5)-(14,3): error:": ("src/Shop.hs", 12, 14),
    "in '/x/roles/main.yml': line 12, column 3": ("roles/main.yml", 12, 12),
    "/x/src/cart.test.ts\n  12:5  error  no-undef": ("src/cart.test.ts", 12, 12),
    '{"stack":"E: x\\n\\tat pay.Retry.run(Retry.java:3)\\n"}': ("src/pay/Retry.java", 3, 3),
    '{"file":"\\/var\\/www\\/src\\/Pay\\/Billing.php","line":12}': ("src/Pay/Billing.php", 12, 12),
    # The words of people.
    "line 12 of src/Queue.kt": ("src/Queue.kt", 12, 12),
    "src/Queue.kt lines 12 to 15": ("src/Queue.kt", 12, 15),
    "in src/Queue.kt, Zeile 12": ("src/Queue.kt", 12, 12),
    "à la ligne 12 de src/Queue.kt": ("src/Queue.kt", 12, 12),
    "src/Queue.kt (líneas 12-15)": ("src/Queue.kt", 12, 15),
    "в строке 12 файла src/Queue.kt": ("src/Queue.kt", 12, 12),
    "看src/Queue.kt的第12行": ("src/Queue.kt", 12, 12),
    "src/Queue.ktの12行目": ("src/Queue.kt", 12, 12),
    "src/Queue.kt의 12번째 줄": ("src/Queue.kt", 12, 12),
    "you cited `src/Queue.kt@0a1b2c3d4e5f:12`": ("src/Queue.kt", 12, 12),
    # Pages of further hosts.
    "https://bitbucket.acme.com/projects/P/repos/app/browse/src/Queue.kt?at=refs%2Fheads%2Fx#3-8": (
        *("src/Queue.kt", 3, 8),
    ),
    "https://dev.azure.com/acme/App/_git/app?path=%2Fsrc%2FQueue.kt&line=3&lineEnd=8": (
        *("src/Queue.kt", 3, 8),
    ),
    "https://git.sr.ht/~acme/app/tree/main/item/src/Queue.kt#L3": ("src/Queue.kt", 3, 3),
    "https://git.acme.com/app.git/tree/src/Queue.kt?h=v6#n3": ("src/Queue.kt", 3, 3),
    "https://sourcegraph.com/github.com/acme/app@v1/-/blob/src/Queue.kt?L3-8": (
        *("src/Queue.kt", 3, 8),
    ),
    "https://acme.googlesource.com/app/+/refs/heads/main/src/Queue.kt#3": ("src/Queue.kt", 3, 3),
    "(https://github.com/a/b/blob/main/web/app/(shop)/[slug]/page.tsx#L3)": (
        *("web/app/(shop)/[slug]/page.tsx", 3, 3),
    ),
    "https://gitlab.com/a/b/-/blob/main/src/Queue.kt?ref_type=heads#L3-8": ("src/Queue.kt", 3, 8),
}


@pytest.mark.parametrize("text", FORMS)
def test_a_place_is_read_in_each_form_that_tools_and_people_write(text: str) -> None:
    resolver = PathResolver(path for path, _, _ in FORMS.values())
    found = find_locations(f"It fails:\n{text}\nWhy?", resolver.resolve)
    places = [(path, one.first, one.last) for one in found for path in resolver.resolve(one.path)]
    assert FORMS[text] in places


@pytest.mark.parametrize(
    "frame",
    [
        'File "/usr/local/lib/python3.11/site-packages/flask/app.py", line 3, in wsgi_app',
        'File "/usr/lib/python3.11/app.py", line 3, in run',
        "at next (/app/node_modules/express/lib/router/index.js:3:5)",
        "at processTicks (node:internal/process/app.js:3:5)",
        "\t/usr/local/go/src/net/http/server.go:3 +0x1d",
        "\t/root/go/pkg/mod/github.com/x/y@v1.2.3/server.go:3 +0x1d",
        "  at /rustc/0123456789012345678901234567890123456789/library/core/src/lib.rs:3:5",
        "  at /root/.cargo/registry/src/index.crates.io-6f17/tokio-1.35.0/src/lib.rs:3:5",
        "from /usr/local/bundle/gems/rack-3.0.8/lib/rack.rb:3:in `call'",
        "#0 /var/www/html/vendor/laravel/framework/src/kernel.php(3): handle()",
    ],
)
def test_a_frame_of_a_library_is_no_file_of_ours(frame: str) -> None:
    """A Flask application has an `app.py`, and so has Flask."""
    ours = ("app.py", "app.js", "lib/router/index.js", "server.go", "src/lib.rs", "lib/rack.rb")
    resolver = PathResolver((*ours, "src/kernel.php"))
    assert find_locations(frame, resolver.resolve) == []


@pytest.mark.parametrize(
    "path", ["vendor/acme/cart/src/cart.php", "app/models/vendor/order.rb", "node_modules/own/a.js"]
)
def test_a_file_that_the_repository_keeps_in_such_a_folder_is_found(path: str) -> None:
    resolver = PathResolver((path, "src/cart.php", "order.rb"))
    assert resolver.resolve(f"/srv/app/{path}") == [path]


def test_the_frames_of_libraries_take_no_place_of_ours() -> None:
    frames = [f"  File '/lib/site-packages/lib{n}.py', line {n}" for n in range(1, 60)]
    resolver = PathResolver(FILES)
    text = "\n".join([*frames, 'File "/srv/app/src/pay/retry.py", line 12'])
    assert find_locations(text, resolver.resolve)[0].path == "/srv/app/src/pay/retry.py"


def test_a_link_keeps_its_commit() -> None:
    found = find_locations("https://github.com/a/b/blob/0a1b2c3d/src/pay/retry.py#L3")
    assert found == [Location("src/pay/retry.py", 3, 3, "0a1b2c3d", "b")]
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
    "piece",
    [
        *("a/", "a.", "x", "at a.", "https://a/b/", "/", "a:1", "~.a", 'File "', "a.py:1-"),
        *(
            "a.py ",
            "(a)",
            "[a]",
            "a\\",
            "`a b",
            "line 1 of ",
            "a.py 第1",
            "\\n",
            "[1m",
            "a@",
            "?a=",
        ),
        *("https://a/blob/b/", "https://a.b/c@", "at a/a/", "MAKE ", "a:1 "),
    ],
)
def test_hostile_text_takes_time_in_proportion_to_its_length(piece: str) -> None:
    began = time.thread_time()
    assert len(find_locations(piece * (200_000 // len(piece)))) <= 20
    assert time.thread_time() - began < 2.0
