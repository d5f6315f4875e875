"""Copies of other projects: by names with one meaning, and by proof where a name has two."""

from __future__ import annotations

import pytest

from bot.context.files.content_signs import has_library_banner
from bot.context.files.vendored import (
    VendoredFolders,
    may_change_folders,
    names_copy,
    names_library,
)

COPIES = {
    "node_modules/x/index.js": [],
    "web/bower_components/a/b.css": [],
    "Pods/Alamofire/A.swift": [],
    "ios/Carthage/Build/x.plist": [],
    "pip/_vendor/six.py": [],
    ".yarn/releases/yarn-3.cjs": [],
    "lib/python3/site-packages/x.py": [],
    "gradlew": [],
    "sub/mvnw.cmd": [],
    "gradle/wrapper/gradle-wrapper.properties": [],
    "static/jquery-3.6.0.js": [],
    "assets/js/bootstrap-4.5.2.bundle.css": [],
    "js/d3.v7.js": [],
    "Sparkle.framework/Headers/S.h": [],
    "build-aux/config.guess": [],
    "third_party/zlib/z.c": [],
    "3rdparty/foo/a.cpp": [],
    "deps/hiredis/sds.c": ["deps/README.md"],
    "external/catch/catch.hpp": [],
    "extern/pybind/p.h": [],
    "vendor/theirs/a.py": [],
    "vendor/github.com/pkg/errors/errors.go": [],
    "services/api/vendor/golang.org/x/net/http.go": [],
    "src/third_party/re2/re2.cc": [],
    "src/vendor/lib/x.php": ["src/vendor/lib/LICENSE"],
    "web/static/vendor/chart.js": [],
    "app/vendor/acme/src/a.rb": ["app/vendor/acme/acme.gemspec"],
    "dependencies/json/json.c": ["dependencies/json/COPYING"],
}
OWN = {
    "app/models/vendor/order.rb": ["app/models/order.rb"],
    "src/Vendor/index.tsx": ["src/Vendor/styles.css"],
    "src/vendor.py": [],
    "pods/controller.go": [],
    "apps/vendor/pages/home.tsx": ["apps/vendor/package.json"],
    "vendor/models.py": ["vendor/__init__.py", "vendor/views.py", "vendor/migrations/0001.py"],
    "third_party/Deepgram/audio.ipynb": ["third_party/README.md", "third_party/Pinecone/a.ipynb"],
    "external/stripe_client.py": ["external/__init__.py"],
    "internal/deps/graph.go": [],
    "src/integrations/third-party/slack/client.ts": [],
    "app/models/vendor/license.rb": ["app/models/vendor/vendor.rb"],
    "lib/dependencies/resolver.ex": [],
    "test/e2e/deps/dep-simple/index.js": ["test/e2e/deps/dep-simple/package.json"],
    "src/external/api/client.java": [],
    "packages/vendor-portal/index.ts": [],
    "src/distribution/dist.py": [],
    "testdata/a.json": [],
    ".github/workflows/ci.yml": [],
    "Jenkinsfile": [],
    "types/global.d.ts": [],
    "src/jquery.ts": [],
    "src/chart.js": [],
    "configure.py": [],
}


@pytest.mark.parametrize(("path", "beside"), COPIES.items())
def test_a_copy_is_known(path: str, beside: list[str]) -> None:
    """A library's source answers no question about the team's code."""
    assert names_copy(path) or VendoredFolders.of([path, *beside]).hold(path)


@pytest.mark.parametrize(("path", "beside"), OWN.items())
def test_code_about_vendors_is_the_teams_own(path: str, beside: list[str]) -> None:
    """A shop has vendors, a builder has dependencies: such folders hold what people ask about."""
    assert not names_copy(path)
    assert not VendoredFolders.of([path, *beside]).hold(path)


@pytest.mark.parametrize(
    ("path", "text", "copied"),
    [
        (
            "js/jquery.js",
            b"/*!\n * jQuery JavaScript Library v3.6.0\n * https://jquery.com/\n */",
            True,
        ),
        ("js/bootstrap.css", b"/*!\n * Bootstrap v4.5.2 (https://getbootstrap.com/)\n */", True),
        ("js/angular.js", b"/**\n * @license AngularJS v1.8.2\n * License: MIT\n */", True),
        ("js/chart.js", b"// Draws the team's charts.\nexport function draw() {}\n", False),
        ("js/react.js", b"import React from 'react';\n", False),
        ("js/prototype.js", b"/* Our prototypes, see docs. */\n", False),
        ("js/main.js", b"/*! main v1.0.0 (c) us */", False),
    ],
)
def test_a_library_is_known_by_its_banner(path: str, text: bytes, copied: bool) -> None:
    """A file called like a library may be the team's own."""
    assert (names_library(path) and has_library_banner(text)) is copied


def test_a_licence_that_comes_later_is_noticed() -> None:
    """A push that adds the proof changes the verdict on the files beside it."""
    assert may_change_folders("src/vendor/lib/LICENSE")
    assert not may_change_folders("src/LICENSE")
