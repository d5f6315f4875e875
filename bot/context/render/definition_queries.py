"""Tree-sitter queries that find the definitions of a source file, one per grammar.

Each pattern captures the whole definition under the name of its kind and the name under `@name`.
The kinds are `type`, `function`, `module`, `macro`, `constant`, `variable` and `field`. A suffix
changes how the definition is read:

- `.declared`: a declaration without a body, such as a prototype. A definition outranks it.
- `.attribute`: a field that a method sets on its own object. It belongs to the enclosing type.
  `@self` is the object, which must be called `self` or `cls`.
- `.leaf`: a definition that gives its name to nothing that it encloses.
- `.call`: a definition by a call of the function `@call`, which must be one of `CALLS`.

Other captures: `@declarator` is a C declarator that holds the name; `@parent` is the type that a
definition belongs to and that does not enclose it; `@decorator` is a decorator, which must be
called `overload`; `@scope` gives its name to what it encloses and declares it, as an extension in
Swift and `impl` in Rust do; `@opaque` is a function without a name; `@wrap` is a statement that
belongs to the one definition in it, such as a decorator's. Of two patterns that match one name the
first counts.

No pattern has a predicate: the binding reads the text for one, and crashes if the text was handed
to the parser in pieces (tree-sitter 0.26.1). The node names are those of each grammar's
`node-types.json`.
"""

from __future__ import annotations

from typing import Final

_EVERY = (
    "attr_reader",
    "attr_writer",
    "attr_accessor",
    "mattr_accessor",
    "cattr_accessor",
    "thread_mattr_accessor",
    "class_attribute",
)
_FIRST = (
    "alias_method",
    "belongs_to",
    "define",
    "define_method",
    "define_singleton_method",
    "enum",
    "has_and_belongs_to_many",
    "has_many",
    "has_one",
    "scope",
    "task",
)
CALLS: Final = dict.fromkeys(_EVERY, "every") | dict.fromkeys(_FIRST, "first")
"""Functions that define what their arguments name: every argument, or only the first."""

CALLS_WITH_PAIRS: Final = frozenset({"enum", "task"})
"""Functions that may define the key of their first argument, as in `enum status: {...}`."""

PYTHON: Final = """
(decorated_definition
  (decorator [(identifier) @decorator (attribute attribute: (identifier) @decorator)])
  definition: (function_definition name: (identifier) @name)) @function.declared
(class_definition name: (identifier) @name) @type
(function_definition name: (identifier) @name) @function
(type_alias_statement left: (type (identifier) @name)) @type
(type_alias_statement left: (type (generic_type . (identifier) @name))) @type
(lambda) @opaque
(decorated_definition) @wrap
(expression_statement (assignment left: (identifier) @name)) @variable
(expression_statement (assignment left: (pattern_list (identifier) @name))) @variable
(expression_statement (assignment left: (tuple_pattern (identifier) @name))) @variable
(expression_statement (assignment left: (list_pattern (identifier) @name))) @variable
(expression_statement (assignment right: (assignment left: (identifier) @name))) @variable
(expression_statement (assignment
  left: (attribute object: (identifier) @self attribute: (identifier) @name))) @field.attribute
(expression_statement (assignment left: (pattern_list
  (attribute object: (identifier) @self attribute: (identifier) @name)))) @field.attribute
"""

_FUNCTIONS = "(arrow_function) (function_expression) (generator_function)"
_SCRIPT = f"""
(function_declaration name: (_) @name) @function
(generator_function_declaration name: (_) @name) @function
(class_declaration name: (_) @name) @type
(method_definition name: [
  (property_identifier) (private_property_identifier) (string) (number)
  (computed_property_name)] @name) @function
(variable_declarator name: (identifier) @name value: [{_FUNCTIONS}]) @function
(variable_declarator name: (identifier) @name value: (class)) @type
(assignment_expression
  left: (member_expression object: (_) @parent property: (property_identifier) @name)
  right: [{_FUNCTIONS}]) @function
(assignment_expression
  left: (member_expression object: (_) @parent property: (property_identifier) @name)
  right: (class)) @type
(assignment_expression left: (identifier) @name right: [{_FUNCTIONS}]) @function
(pair key: [(property_identifier) (string)] @name value: [{_FUNCTIONS}]) @function
(class name: (_) @name) @type
(function_expression name: (_) @name) @function
(variable_declarator name: (identifier) @name) @variable
(variable_declarator name: (object_pattern (shorthand_property_identifier_pattern) @name)) @variable
(variable_declarator name: (object_pattern (pair_pattern value: (identifier) @name))) @variable
(variable_declarator name: (array_pattern (identifier) @name)) @variable
(program (expression_statement (assignment_expression
  left: (member_expression object: (_) @parent property: (property_identifier) @name)) @variable))
(program (expression_statement (assignment_expression
  right: (assignment_expression left: (member_expression
    object: (_) @parent property: (property_identifier) @name)) @variable)))
(export_statement "default" @name value: (class)) @type
(export_statement "default" @name value: (function_expression)) @function
(export_statement "default" @name [value: (_) declaration: (_)]) @variable.leaf
(variable_declarator name: (identifier) @name value: (object)) @variable
(arrow_function) @opaque
(function_expression) @opaque
(generator_function) @opaque
(class_static_block) @opaque
(export_statement) @wrap
(lexical_declaration . (variable_declarator) .) @wrap
(variable_declaration . (variable_declarator) .) @wrap
(expression_statement) @wrap
"""

JAVASCRIPT: Final = (
    _SCRIPT
    + f"""
(field_definition property: (_) @name value: [{_FUNCTIONS}]) @function
(field_definition property: (_) @name) @field
"""
)

TYPESCRIPT: Final = (
    _SCRIPT
    + f"""
(abstract_class_declaration name: (_) @name) @type
(interface_declaration name: (_) @name) @type
(type_alias_declaration name: (_) @name) @type
(enum_declaration name: (_) @name) @type
(enum_body name: (_) @name @constant)
(enum_assignment name: (_) @name) @constant
(internal_module name: (_) @name) @module
(module name: (_) @name) @module
(function_signature name: (_) @name) @function.declared
(method_signature name: (_) @name) @function.declared
(abstract_method_signature name: (_) @name) @function.declared
(property_signature name: (_) @name) @field
(public_field_definition name: (_) @name value: [{_FUNCTIONS}]) @function
(public_field_definition name: (_) @name) @field
(required_parameter (accessibility_modifier) pattern: (identifier) @name) @field.attribute
(ambient_declaration) @wrap
"""
)

GO: Final = """
(function_declaration name: (identifier) @name) @function
(method_declaration
  receiver: (parameter_list (parameter_declaration type: (_) @parent))
  name: (field_identifier) @name) @function
(type_spec name: (type_identifier) @name) @type
(type_alias name: (type_identifier) @name) @type
(method_elem name: (field_identifier) @name) @function.declared
(const_spec name: (identifier) @name) @constant
(var_spec name: (identifier) @name) @variable
(field_declaration name: (field_identifier) @name) @field
(func_literal) @opaque
(type_declaration . (_) .) @wrap
(const_declaration . (_) .) @wrap
(var_declaration . (_) .) @wrap
"""

RUST: Final = """
(function_item name: (_) @name) @function
(struct_item name: (_) @name) @type
(enum_item name: (_) @name) @type
(union_item name: (_) @name) @type
(trait_item name: (_) @name) @type
(type_item name: (_) @name) @type
(associated_type name: (_) @name) @type
(macro_definition name: (_) @name) @macro
(mod_item name: (_) @name body: (_)) @module
(mod_item name: (_) @name) @module.declared
(function_signature_item name: (_) @name) @function.declared
(const_item name: (_) @name) @constant
(static_item name: (_) @name) @variable
(enum_variant name: (_) @name) @constant
(field_declaration name: (_) @name) @field
(impl_item type: (_) @name) @scope
(closure_expression) @opaque
"""

JAVA: Final = """
(class_declaration name: (_) @name) @type
(interface_declaration name: (_) @name) @type
(enum_declaration name: (_) @name) @type
(record_declaration name: (_) @name) @type
(annotation_type_declaration name: (_) @name) @type
(method_declaration name: (_) @name body: (_)) @function
(method_declaration name: (_) @name) @function.declared
(constructor_declaration name: (_) @name) @function
(compact_constructor_declaration name: (_) @name) @function
(annotation_type_element_declaration name: (_) @name) @function.declared
(enum_constant name: (_) @name) @constant
(constant_declaration declarator: (variable_declarator name: (_) @name)) @constant
(field_declaration declarator: (variable_declarator name: (_) @name)) @field
(record_declaration parameters: (formal_parameters (formal_parameter name: (_) @name) @field))
(module_declaration name: (_) @name) @module
(lambda_expression) @opaque
"""

_C = """
(function_definition declarator: (_) @declarator) @function
(struct_specifier name: (_) @name body: (_)) @type
(union_specifier name: (_) @name body: (_)) @type
(enum_specifier name: (_) @name body: (_)) @type
(type_definition type: [
  (struct_specifier !body) (union_specifier !body) (enum_specifier !body)]
  declarator: (_) @declarator) @type.declared
(type_definition declarator: (_) @declarator) @type.leaf
(enumerator name: (_) @name) @constant
(field_declaration declarator: (_) @declarator) @field
(preproc_def name: (_) @name) @macro
(preproc_function_def name: (_) @name) @macro
(declaration declarator: (_) @declarator) @variable
"""

_C_SCOPES = """[
  (translation_unit {0}) (preproc_ifdef {0}) (preproc_if {0}) (preproc_else {0})
  (linkage_specification (declaration_list {0}))]"""
# A struct without a body declares the struct only if it is a statement; elsewhere it is a use.
_C_DECLARED = "[(struct_specifier !body name: (_) @name) (union_specifier !body name: (_) @name)]"

C: Final = _C + _C_SCOPES.format(f"{_C_DECLARED} @type.declared")

CPP: Final = (
    _C
    + """
(class_specifier name: (_) @name body: (_)) @type
(namespace_definition name: (_) @name) @module
(alias_declaration name: (_) @name) @type
(concept_definition name: (_) @name) @type
(lambda_expression) @opaque
(template_declaration) @wrap
"""
    + _C_SCOPES.format(f"{_C_DECLARED} @type.declared")
    + """
(translation_unit (class_specifier !body name: (_) @name) @type.declared)
(declaration_list (class_specifier !body name: (_) @name) @type.declared)
(preproc_ifdef (class_specifier !body name: (_) @name) @type.declared)
"""
)

C_SHARP: Final = """
(class_declaration name: (_) @name) @type
(interface_declaration name: (_) @name) @type
(struct_declaration name: (_) @name) @type
(enum_declaration name: (_) @name) @type
(record_declaration name: (_) @name) @type
(delegate_declaration name: (_) @name) @type
(method_declaration name: (_) @name body: (_)) @function
(method_declaration name: (_) @name) @function.declared
(constructor_declaration name: (_) @name) @function
(local_function_statement name: (_) @name) @function
(property_declaration name: (_) @name) @field
(event_declaration name: (_) @name) @field
(event_field_declaration (variable_declaration (variable_declarator name: (_) @name))) @field
(field_declaration (variable_declaration (variable_declarator name: (_) @name))) @field
(enum_member_declaration name: (_) @name) @constant
(indexer_declaration "this" @name) @function
(operator_declaration operator: _ @name) @function
(namespace_declaration name: (_) @name) @module
(lambda_expression) @opaque
(anonymous_method_expression) @opaque
"""

RUBY: Final = """
(class name: (_) @name) @type
(module name: (_) @name) @type
(method name: (_) @name) @function
(singleton_method name: (_) @name) @function
(alias name: (_) @name) @function
(assignment left: (constant) @name) @constant
(assignment left: (left_assignment_list (constant) @name)) @constant
(call method: (identifier) @call arguments: (argument_list (simple_symbol) @name)) @field.call
(call method: (identifier) @call
  arguments: (argument_list . (pair key: [(hash_key_symbol) (simple_symbol)] @name))) @field.call
(lambda) @opaque
"""

PHP: Final = """
(class_declaration name: (_) @name) @type
(interface_declaration name: (_) @name) @type
(trait_declaration name: (_) @name) @type
(enum_declaration name: (_) @name) @type
(method_declaration name: (_) @name body: (_)) @function
(method_declaration name: (_) @name) @function.declared
(function_definition name: (_) @name) @function
(const_element (name) @name) @constant
(enum_case name: (_) @name) @constant
(property_element name: (variable_name (name) @name)) @field
(property_promotion_parameter name: (variable_name (name) @name)) @field.attribute
(function_call_expression function: (name) @call
  arguments: (arguments . (argument [
    (string (string_content) @name) (encapsed_string (string_content) @name)]))) @constant.call
(program (expression_statement
  (assignment_expression left: (variable_name (name) @name)) @variable))
(anonymous_function) @opaque
(arrow_function) @opaque
"""

KOTLIN: Final = """
(class_declaration name: (_) @name) @type
(object_declaration name: (_) @name) @type
(type_alias type: (_) @name) @type
(function_declaration (user_type) @parent . name: (_) @name) @function
(function_declaration name: (_) @name) @function
(secondary_constructor "constructor" @name) @function
(property_declaration (variable_declaration (identifier) @name)) @variable
(property_declaration
  (multi_variable_declaration (variable_declaration (identifier) @name))) @variable
(class_parameter ["val" "var"] (identifier) @name) @field
(enum_entry . (identifier) @name) @constant
(lambda_literal) @opaque
(anonymous_function) @opaque
(anonymous_initializer) @opaque
"""

SWIFT: Final = """
(class_declaration name: (type_identifier) @name) @type
(class_declaration name: (user_type) @name) @scope
(protocol_declaration name: (_) @name) @type
(typealias_declaration "typealias" . name: (type_identifier) @name) @type
(associatedtype_declaration name: (type_identifier) @name) @type
(function_declaration "func" . name: _ @name) @function
(protocol_function_declaration "func" . name: _ @name) @function.declared
(init_declaration "init" @name) @function
(deinit_declaration "deinit" @name) @function
(subscript_declaration "subscript" @name) @function
(property_declaration name: (pattern bound_identifier: (_) @name)) @variable
(protocol_property_declaration name: (pattern bound_identifier: (_) @name)) @field
(enum_entry name: (simple_identifier) @name @constant)
(lambda_literal) @opaque
(computed_property) @opaque
"""

SCALA: Final = """
(class_definition name: (_) @name) @type
(object_definition name: (_) @name) @type
(trait_definition name: (_) @name) @type
(enum_definition name: (_) @name) @type
(package_object name: (_) @name) @module
(type_definition name: (_) @name) @type
(function_definition name: (_) @name) @function
(function_declaration name: (_) @name) @function.declared
(given_definition name: (_) @name) @variable
(val_definition pattern: (identifier) @name) @variable
(val_definition pattern: (identifiers (identifier) @name)) @variable
(var_definition pattern: (identifier) @name) @variable
(val_declaration name: (_) @name) @variable
(var_declaration name: (_) @name) @variable
(simple_enum_case name: (_) @name) @constant
(full_enum_case name: (_) @name) @constant
(class_parameter name: (_) @name) @field
(lambda_expression) @opaque
"""

BASH: Final = """
(function_definition name: (_) @name) @function
(variable_assignment name: (variable_name) @name) @variable
(subshell) @opaque
(command_substitution) @opaque
"""
