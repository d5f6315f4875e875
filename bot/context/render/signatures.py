"""The signatures of a source file, found with tree-sitter."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from tree_sitter import Node

from bot.context.files.kinds import extension_of
from bot.context.grammars import load_language, parse
from bot.context.render.components import COMPONENTS, read_script

_LARGEST = 400_000
_LONGEST = 110
_MOST = 400
_MOST_STEPS = 8_000
_DEEPEST = 10


class Signature(NamedTuple):
    """`line` counts from 1; `depth` is 0 at the top of the file."""

    line: int
    depth: int
    text: str


class _Grammar(NamedTuple):
    module: str
    function: str
    definitions: frozenset[str]
    containers: frozenset[str]


def _grammar(
    module: str, definitions: str, containers: str, function: str = "language"
) -> _Grammar:
    return _Grammar(
        module,
        function,
        frozenset(definitions.split()),
        frozenset(containers.split()),
    )


_SCRIPT_DEFINITIONS = (
    "function_declaration generator_function_declaration class_declaration method_definition "
    "abstract_class_declaration interface_declaration type_alias_declaration enum_declaration "
    "internal_module abstract_method_signature function_signature"
)
_SCRIPT_CONTAINERS = (
    "program export_statement class_body internal_module module ambient_declaration "
    "statement_block class_declaration abstract_class_declaration expression_statement "
    "lexical_declaration variable_declaration variable_declarator assignment_expression object "
    "class pair"
)
_C_DEFINITIONS = "function_definition struct_specifier enum_specifier type_definition"
_GRAMMARS: dict[str, _Grammar] = {
    "py": _grammar(
        "python",
        "class_definition function_definition",
        "module block decorated_definition class_definition if_statement elif_clause else_clause "
        "try_statement except_clause except_group_clause finally_clause with_statement",
    ),
    "js": _grammar("javascript", _SCRIPT_DEFINITIONS, _SCRIPT_CONTAINERS),
    "ts": _grammar("typescript", _SCRIPT_DEFINITIONS, _SCRIPT_CONTAINERS, "language_typescript"),
    "tsx": _grammar("typescript", _SCRIPT_DEFINITIONS, _SCRIPT_CONTAINERS, "language_tsx"),
    "go": _grammar(
        "go", "function_declaration method_declaration type_spec", "source_file type_declaration"
    ),
    "rs": _grammar(
        "rust",
        "function_item struct_item enum_item trait_item impl_item type_item macro_definition "
        "function_signature_item mod_item",
        "source_file declaration_list impl_item trait_item mod_item",
    ),
    "java": _grammar(
        "java",
        "class_declaration interface_declaration enum_declaration record_declaration "
        "method_declaration constructor_declaration annotation_type_declaration",
        "program class_body interface_body enum_body class_declaration interface_declaration "
        "enum_declaration record_declaration enum_body_declarations",
    ),
    "c": _grammar(
        "c",
        _C_DEFINITIONS,
        "translation_unit preproc_ifdef preproc_if preproc_else preproc_elif preproc_elifdef "
        "linkage_specification declaration_list",
    ),
    "cpp": _grammar(
        "cpp",
        f"{_C_DEFINITIONS} class_specifier namespace_definition template_declaration",
        "translation_unit preproc_ifdef preproc_if preproc_else preproc_elif preproc_elifdef "
        "linkage_specification declaration_list namespace_definition "
        "field_declaration_list class_specifier struct_specifier",
    ),
    "cs": _grammar(
        "c_sharp",
        "class_declaration interface_declaration struct_declaration enum_declaration "
        "record_declaration method_declaration constructor_declaration",
        "compilation_unit namespace_declaration file_scoped_namespace_declaration declaration_list "
        "class_declaration interface_declaration struct_declaration record_declaration",
    ),
    "rb": _grammar(
        "ruby",
        "class module method singleton_method singleton_class",
        "program body_statement class module singleton_class call argument_list",
    ),
    "php": _grammar(
        "php",
        "class_declaration interface_declaration trait_declaration enum_declaration "
        "method_declaration function_definition",
        "program declaration_list class_declaration interface_declaration trait_declaration "
        "namespace_definition compound_statement",
        "language_php",
    ),
    "kt": _grammar(
        "kotlin",
        "class_declaration object_declaration function_declaration companion_object",
        "source_file class_body enum_class_body class_declaration object_declaration "
        "companion_object",
    ),
    "swift": _grammar(
        "swift",
        "class_declaration protocol_declaration function_declaration init_declaration",
        "source_file class_body class_declaration protocol_body protocol_declaration",
    ),
    "scala": _grammar(
        "scala",
        "class_definition object_definition trait_definition function_definition",
        "compilation_unit template_body class_definition object_definition trait_definition",
    ),
    "sh": _grammar("bash", "function_definition", "program"),
}
_ALIASES = {
    "pyi": "py",
    "jsx": "js",
    "mjs": "js",
    "cjs": "js",
    "mts": "ts",
    "cts": "ts",
    "h": "cpp",
    "cc": "cpp",
    "cxx": "cpp",
    "hpp": "cpp",
    "hh": "cpp",
    "kts": "kt",
    "bash": "sh",
}
_HEADING = re.compile(rb"(#{1,3})[ \t]+(.+)")
_FENCE = re.compile(rb"[ ]{0,3}(```|~~~)")


def signatures(path: str, text: bytes) -> list[Signature]:
    """Return the definitions of a source file, or the headings of a Markdown one, in order.

    Empty if the language is not known or the file is very large. Never raises for bad syntax.
    """
    if _is_markdown(path, text):
        return list(_headings(text))[:_MOST]
    return [
        Signature(node.start_point[0] + 1, depth, _signature_text(node, text))
        for node, depth in islice(_nodes(path, text), _MOST)
    ]


def _is_markdown(path: str, text: bytes) -> bool:
    return len(text) <= _LARGEST and extension_of(path) in {"md", "mdx", "markdown"}


def _nodes(path: str, text: bytes) -> Iterator[tuple[Node, int]]:
    """Yield the node of each definition of a source file with its depth, in order.

    There are none if the language is not known, the file is very large, or parsing takes too long.
    """
    extension = extension_of(path)
    name = _ALIASES.get(extension, extension)
    if extension in COMPONENTS and len(text) <= _LARGEST:
        name, text = read_script(extension, text)
    root = _root(name, text) if name in _GRAMMARS and len(text) <= _LARGEST else None
    if root is not None:
        yield from _walk(root, _GRAMMARS[name], 0, 0)


def _root(name: str, text: bytes) -> Node | None:
    """Parse a text; None if its grammar takes too many steps over it.

    Steps are counted, not seconds: two machines have to agree. Real files of 400 kB take about
    4,000 steps, a file that was made to be slow ten times as many.
    """
    steps = 0

    def is_over() -> bool:
        nonlocal steps
        steps += 1
        return steps > _MOST_STEPS

    grammar = _GRAMMARS[name]
    tree = parse(load_language(grammar.module, grammar.function), text, is_over)
    return None if tree is None else tree.root_node


def _walk(node: Node, grammar: _Grammar, depth: int, level: int) -> Iterator[tuple[Node, int]]:
    """Yield each definition with its depth."""
    for child in node.named_children:
        kind = child.type
        defines = kind in grammar.definitions or _is_assigned_definition(child)
        if defines:
            yield child, depth
        if level < _DEEPEST and kind in grammar.containers:
            yield from _walk(child, grammar, depth + defines, level + 1)


_VALUE_FIELDS = {
    "variable_declarator": "value",
    "assignment_expression": "right",
    "pair": "value",
    "field_definition": "value",
    "public_field_definition": "value",
}
_FUNCTION_VALUES = frozenset(
    ["arrow_function", "function_expression", "function", "generator_function", "class"]
)


def _assigned(node: Node) -> Node | None:
    """Return the function or class that a script assigns to a name, a property or a field."""
    field = _VALUE_FIELDS.get(node.type)
    value = None if field is None else node.child_by_field_name(field)
    return value if value is not None and value.type in _FUNCTION_VALUES else None


def _is_assigned_definition(node: Node) -> bool:
    """Tell `const f = (a) => …`, `app.use = function …` and a class that is a default export."""
    if node.type == "class":
        return node.parent is not None and node.parent.type == "export_statement"
    return _assigned(node) is not None


def _signature_text(node: Node, text: bytes) -> str:
    """Return what stands before the body, on one line, without comments."""
    end = min(_body_start(node, text), node.start_byte + 600)
    piece = text[node.start_byte : end].decode("utf-8", "replace")
    flat = " ".join(piece.split()).removesuffix("=>").rstrip(" {:=")
    return flat if len(flat) <= _LONGEST else flat[: _LONGEST - 1] + "…"


def _body_start(node: Node, text: bytes) -> int:
    if (value := _assigned(node)) is not None:
        return _body_start(value, text)
    for child in node.children:
        if "comment" in child.type or child.type.endswith(("body", "block", "declaration_list")):
            return child.start_byte
    body = node.child_by_field_name("body")
    if body is not None:
        return body.start_byte
    # A type whose fields stand in braces: its name is the signature.
    brace = text.find(b"{", node.start_byte, node.end_byte)
    return node.end_byte if brace < 0 else brace


def _headings(text: bytes) -> Iterator[Signature]:
    fence = b""
    for number, line in enumerate(text.split(b"\n"), 1):
        if opened := _FENCE.match(line):
            fence = b"" if line.lstrip().startswith(fence or b"\0") else fence or opened.group(1)
        elif not fence and (found := _HEADING.match(line)):
            title = found.group(2).decode("utf-8", "replace").strip()
            yield Signature(number, len(found.group(1)) - 1, title[:_LONGEST])
