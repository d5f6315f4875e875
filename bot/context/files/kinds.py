"""What a path says about a file: how it counts, how it writes values, whether it is text at all."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

from bot.context.secrets.mask import ScanKind

Kind = Literal["code", "prose", "data", "markup"]
"""Kinds differ in how many tokens a byte makes."""

KINDS: tuple[Kind, ...] = ("code", "prose", "data", "markup")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_PROSE = _words(
    "md mdx markdown rst txt adoc asc asciidoc org tex textile pod po pot rdoc rd "
    # Names without an extension.
    "readme changelog changes news history install license licence copying authors contributors "
    "contributing maintainers notice patents copyright thanks credits todo faq"
)
_DATA = _words(
    "json jsonl json5 jsonc yaml yml toml ini cfg conf csv tsv xml xsd plist properties env ipynb "
    "geojson graphql lock sum har avsc editorconfig"
)
_MARKUP = _words("html htm css scss sass less svg vue svelte hbs ejs jinja j2 xhtml")
_CONFIG = _words(
    "yaml yml eyaml ini cfg conf cnf cf toml properties env sh bash zsh fish ps1 bat cmd tfvars "
    "dockerfile mk netrc pypirc npmrc"
)
_CONFIG_NAMES = ("dockerfile", "makefile", ".env", "procfile", ".npmrc", ".netrc", ".pypirc")
_C = frozenset(["c", "h", "m", "cs"])
_CPP = frozenset(["cpp", "cc", "cxx", "hpp", "hh"])
_BINARY = _words(
    "png jpg jpeg gif bmp ico webp avif tif tiff psd ai eps heic mp3 mp4 m4a m4v mov avi mkv webm "
    "wav ogg flac woff woff2 ttf otf eot pdf doc docx xls xlsx ppt pptx odt ods odp zip tar gz tgz "
    "bz2 xz 7z rar zst jar war ear class pyc pyo so dylib dll exe o a lib bin dat db sqlite "
    "sqlite3 wasm pack idx parquet arrow avro orc pkl pickle npy npz h5 hdf5 onnx pt pth "
    "safetensors gguf tflite mo keystore jks iso dmg deb rpm apk ipa aar node pdb swf blend fbx glb"
)


@lru_cache(maxsize=4096)
def _traits(extension: str) -> tuple[Kind, ScanKind, bool]:
    kind: Kind = "code"
    if extension in _PROSE:
        kind = "prose"
    elif extension in _DATA:
        kind = "data"
    elif extension in _MARKUP:
        kind = "markup"
    scan: ScanKind = "quoted"
    if extension in _CONFIG:
        scan = "config"
    elif extension == "go":
        scan = "go"
    elif extension in _C:
        scan = "c"
    elif extension in _CPP:
        scan = "cpp"
    return kind, scan, extension in _BINARY


def extension_of(path: str) -> str:
    """Return what follows the last dot of the name, in lower case; the name if there is no dot."""
    name = path.rpartition("/")[2].lower()
    return name.rpartition(".")[2]


def kind_of(path: str) -> Kind:
    return _traits(extension_of(path))[0]


def scan_kind_of(path: str) -> ScanKind:
    """Tell how the file writes values. `.env.local` and `Dockerfile.dev` are configuration too."""
    name = path.rpartition("/")[2].lower()
    if name.startswith(_CONFIG_NAMES):
        return "config"
    return _traits(extension_of(path))[1]


def is_binary_name(path: str) -> bool:
    return _traits(extension_of(path))[2]
