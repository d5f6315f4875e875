"""The kind of a file by its path: how its tokens count, and whether it can be text."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

Kind = Literal["code", "prose", "data", "markup"]
"""Kinds differ in how many tokens a byte makes."""

KINDS: tuple[Kind, ...] = ("code", "prose", "data", "markup")


def _word_set(text: str) -> frozenset[str]:
    return frozenset(text.split())


_PROSE = _word_set(
    "md mdx markdown rst txt adoc asc asciidoc org tex textile pod po pot rdoc "
    # Names without an extension.
    "readme changelog changes news history install license licence copying authors contributors "
    "contributing maintainers notice patents copyright thanks credits todo faq"
)
_DATA = _word_set(
    "json jsonl json5 jsonc yaml yml toml ini cfg conf csv tsv xml xsd properties env ipynb "
    "geojson graphql lock sum har avsc editorconfig pbxproj xcscheme storyboard xib resx csproj "
    "fsproj vbproj vcxproj sln props targets nuspec meta map unity prefab asset webmanifest plist "
    "arb strings xcstrings stringsdict xlf xliff"
)
_MARKUP = _word_set("html htm css scss sass less svg vue svelte hbs ejs jinja j2 xhtml")
_BINARY = _word_set(
    "png jpg jpeg gif bmp ico webp avif tif tiff psd heic mp3 mp4 m4a m4v avi mkv webm wav ogg "
    "flac woff woff2 ttf otf eot pdf docx xlsx pptx odt ods odp zip tar gz tgz bz2 xz 7z rar zst "
    "jar pyc pyo dylib dll exe wasm sqlite sqlite3 parquet npz safetensors gguf tflite onnx deb "
    "rpm apk ipa dmg iso"
)
"""Endings that no text has. Other formats (`.mo`, `.pt`, `.dat`, `.o`) are told by their bytes."""


@lru_cache(maxsize=4096)
def _traits(extension: str) -> tuple[Kind, bool]:
    kind: Kind = "code"
    if extension in _PROSE:
        kind = "prose"
    elif extension in _DATA:
        kind = "data"
    elif extension in _MARKUP:
        kind = "markup"
    return kind, extension in _BINARY


def extension_of(path: str) -> str:
    """Return what follows the last dot of the name, in lower case; the name if there is no dot."""
    name = path.rpartition("/")[2].lower()
    return name.rpartition(".")[2]


def kind_of(path: str) -> Kind:
    return _traits(extension_of(path))[0]


def is_binary_name(path: str) -> bool:
    """Tell if no text has this ending. A name without a dot (`bin/sqlite3`) has no ending."""
    return "." in path.rpartition("/")[2] and _traits(extension_of(path))[1]
