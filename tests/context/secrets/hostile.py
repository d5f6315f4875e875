"""Texts that are made to be slow to scan."""

from __future__ import annotations

from collections.abc import Callable

HOSTILE: dict[str, Callable[[int], str]] = {
    "JSON web tokens without an end": lambda n: "eyJeyJhbGciOi." * (n // 14),
    "addresses in a row": lambda n: "a://" * (n // 4),
    "addresses with at signs": lambda n: "a://b:" + "@" * (n - 6),
    "addresses, many at signs each": lambda n: ("a://b:" + "@" * 94) * (n // 100),
    "words of names in a row": lambda n: "password" * (n // 8),
    "names with signs": lambda n: "password=" * (n // 9),
    "names with open quotes": lambda n: "password='" * (n // 10),
    "names with escaped quotes": lambda n: 'password=\\"' * (n // 11),
    "names with all quotes": lambda n: "password='password=\"password=`" * (n // 30),
    "names with brackets": lambda n: "password = a(" * (n // 13),
    "blanks": lambda n: "password" + " " * (n - 8),
    "names and blanks": lambda n: ("password" + " " * 56) * (n // 64),
    "typed names": lambda n: "password: a b c d e f g h " * (n // 26),
    "templates without an end": lambda n: "password: " + "${" * (n // 2),
    "one literal": lambda n: 'password = "' + "a1" * (n // 2),
    "literals with templates": lambda n: 'password = "' + "{{" * (n // 2) + '"',
    "long run": lambda n: "a1" * (n // 2),
    "runs of digits": lambda n: ("1" * 150 + "_! ") * (n // 153),
    "runs of digits and letters": lambda n: ("1a" * 70 + "_! ") * (n // 143),
    "runs of words": lambda n: ("ab_" * 60 + "1! ") * (n // 183),
    "literals near names": lambda n: 'token = f("' * (n // 11),
    "logins": lambda n: 'login("a", ' * (n // 11),
    "runs and prefixes": lambda n: ("a_" * 10 + "b1" * 12 + "=") * (n // 45),
    "key headers": lambda n: ("-----BEGIN PRIVATE" + " KEY-----\n") * (n // 28),
    "key headers on one line": lambda n: ("-----BEGIN PRIVATE" + " KEY-----") * (n // 27),
    "key without an end": lambda n: (
        "-----BEGIN PRIVATE" + " KEY-----\n" + ("A" * 64 + "\n") * (n // 65)
    ),
    "base64 of key headers": lambda n: "LS0tLS1CRUdJTi" * (n // 14),
    "Kubernetes kinds": lambda n: "kind: Secret\n" * (n // 13),
    "Kubernetes documents": lambda n: "kind: Secret\ndata:\n---\n" * (n // 23),
    "Kubernetes data": lambda n: "kind: Secret\ndata:\n" + "  a: b\n" * (n // 7),
    "Kubernetes sections": lambda n: "kind: Secret\n" + "data:\n" * (n // 6),
    "Kubernetes JSON": lambda n: '"kind": "Secret", ' + '"data": {' * (n // 9),
    "commands": lambda n: "curl " * (n // 5),
    "commands with options": lambda n: "mysql -p" * (n // 8),
    "tables": lambda n: "| password |\n|---|\n" * (n // 18),
    "a table": lambda n: "| password |\n|---|\n" + "| a |\n" * (n // 6),
    "authorization": lambda n: "Authorization: Basic " * (n // 21),
    "auth": lambda n: "auth" * (n // 4),
    "values before names": lambda n: "value: a1b2c3\nname: password\n" * (n // 29),
    "hashes": lambda n: "$2a$" * (n // 4),
    "prefixes of tokens": lambda n: "sk-" * (n // 3),
    "anchors of tokens": lambda n: "T3BlbkFJ" * (n // 8),
    "deep brackets": lambda n: "password = " + "(" * (n - 11),
    "no line ends": lambda n: "x = 1; password = y; " * (n // 21),
    "null of UTF-8": lambda n: "é" * (n // 2),
}
"""Each maker returns a text of about `n` bytes."""
