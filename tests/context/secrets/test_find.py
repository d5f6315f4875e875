"""Secrets: found, masked where they stand, and nowhere else in the text."""

from __future__ import annotations

import base64
import itertools
import string
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.context.secrets.find import find_secrets
from bot.context.secrets.formats import ScanKind
from bot.context.secrets.mask import Span, mask

# Made up here, in pieces, so that no scanner takes this file for a leak.
RANDOM = "".join("aZ3kP9qLx7Rt2Wv8"[i % 16] + "bN5mQ1cJ"[i % 8] for i in range(40))


def shown(text: str, kind: ScanKind = "python") -> str:
    data = text.encode()
    return mask(data, find_secrets(data, kind)).decode()


TOKENS = {
    "AWS": "AKIA" + "QYLPMN5HHHFPZAM2",
    "GitHub": "ghp" + "_" + RANDOM[:36],
    "GitHub fine": "github" + "_pat_" + RANDOM[:60],
    "GitLab": "glpat" + "-" + RANDOM[:20],
    "Slack bot": "xox" + "b-17653672481-19874698323-" + RANDOM[:24],
    "Slack app": "xapp" + "-1-A0123ABCD-1234567890123-" + RANDOM[:40],
    "Anthropic": "sk-" + "ant-api03-" + RANDOM[:60],
    "OpenAI": "sk-" + "proj-" + RANDOM[:48],
    "Stripe": "sk_" + "live_" + RANDOM[:32],
    "Google": "AIza" + RANDOM[:35],
    "npm": "npm_" + RANDOM[:36],
    "SendGrid": "SG." + RANDOM[:22] + "." + RANDOM[:43],
    "PyPI": "pypi-" + "AgEIcHlwaS5vcmc" + RANDOM[:70],
    "JWT": ".".join(
        base64.urlsafe_b64encode(part).decode().rstrip("=")
        for part in (b'{"alg":"HS256"}', b'{"sub":"1234567890"}', b"signature-bytes-here")
    ),
}


@pytest.mark.parametrize("name", TOKENS)
@pytest.mark.parametrize("frame", ["{}", "x = '{}'", "# old: {}, rotated", "curl -H 'A: {}' x"])
def test_no_byte_of_a_known_token_is_shown(name: str, frame: str) -> None:
    """A token that is cut in half may still be a token, or name its owner."""
    token = TOKENS[name]
    text = shown(frame.format(token))
    assert "[masked: " in text
    for size in (8, 12):
        body = token[8:]
        assert not any(body[i : i + size] in text for i in range(len(body) - size + 1))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('password = "hunter2horse"', "python"),
        ("if (password == 'hunter2horse') {}", "javascript"),
        ('{"api_key": "hunter2horse"}', "python"),
        ("DB_PASSWORD=hunter2horse", "config"),
        ("  client_secret: hunter2horse", "config"),
        ('dbPassword := "hunter2horse"', "go"),
        ("url = 'postgres://admin:hunter2horse@db/x'", "python"),
        ('a = "x"; password = "hunter2horse"; secret = "hunter2horse2"', "python"),
    ],
)
def test_values_of_telling_names_are_masked(text: str, kind: ScanKind) -> None:
    """Most leaked passwords have no form of their own: their name gives them away."""
    assert "hunter2horse" not in shown(text, kind)


WRITTEN: list[tuple[str, ScanKind, str]] = [
    ('password = "{}"', "go", "Pebble.lamp467"),
    ('"pass": "{}",', "python", "violetTundra20"),
    ("spring.mail.password={}", "config", "Cobalt.rope270"),
    ("<password>{}</password>", "xml", "Pebble_Hikw200"),
    ('"PASSWORD": "{}",', "python", "raven-mango-river-39"),
    ("password: {}", "yaml", "Wombat77"),
    ('pyotp.TOTP("{}")', "python", "FZRRRADRVINB4U7L3N5OMTH2QNALWOPC"),
    ("$ENV{{API_TOKEN}} = q{{{}}};", "code", RANDOM[:32]),
    ('Credentials.new("AKIAQ3EGRMT5N7KXW2VD", "{}")', "ruby", RANDOM[:40]),
    ("Default login: **admin** / **{}**", "prose", "S4ddl3riv3r!8"),
    ('defaults.set("{}", forKey: "authToken")', "swift", RANDOM[:40]),
    ('password={{{{ "{}" | password_hash }}}}', "yaml", "M34d0wvi0l3t!8"),
    ('DB_PASSWORD = {{ value = "{}" }}', "config", "S4ddl3m34d0w?5"),
    ("$mail->Password = '{}';", "php", "Orchidtundr4&2"),
    ('http.basic_auth "u", "{}"', "ruby", "icf446jigxzje5"),
    ('new Sequelize("db", "user", "{}", {{ host: "h" }})', "javascript", "C0b4ltthund3r?7"),
    ('FTP("h", "user", "{}")', "python", "b5ukc3vknbf8jd"),
    ('conn.simple_bind_s("cn=admin", "{}")', "python", "M4pl3thund3r!0"),
    ('Buffer.from("admin:{}").toString("base64")', "javascript", "Vi0l3tw4lnut!6"),
    ('base64.b64encode(b"admin:{}")', "python", "Vi0l3tw4lnut!6"),
    ("password = [[{}]]", "code", "W4lnutr4v3n!6"),
    ("sqlcmd -S h -U sa -P {}", "shell", "Tundr4m34d0w!0"),
    ("net user bob {} /add", "shell", "Tundr4p3bbl3!4"),
    ('x := "host=h user=u password={} sslmode=disable"', "go", "bqdfymvpzwuhc8"),
]


@pytest.mark.parametrize(("frame", "kind", "value"), WRITTEN)
def test_passwords_of_words_and_of_letters_are_masked(
    frame: str, kind: ScanKind, value: str
) -> None:
    """People make passwords of words and digits, which resemble names."""
    assert value not in shown(frame.format(value), kind)


@pytest.mark.parametrize(
    "text",
    [
        "password = get_password()",
        "token = os.environ['TOKEN']",
        'password = "${DB_PASSWORD}"',
        'secret = "<your-secret>"',
        'client_secret="secret"',
        'revision = "36e9220ab794"',
        'integrity="sha512-D9gUyxqja7hBtkWpPWGt9wfbfaMGVt9gnyCvYa+jojwwPHLCzUm5i8rpk7vD7wNee9bA=="',
        'id = "5e1b3e4a-6b7a-4c6e-9d3b-2f1c0a9b8c7d"',
        "def reset_password(self, user: User) -> None:",
        'x = "abcdefghijklmnopqrstuvwxyz0123456789"',
        'password = "x"  # nothing',
    ],
)
def test_code_that_only_talks_of_secrets_is_left_alone(text: str) -> None:
    """Masked code cannot be explained: a scanner that masks everything is no use."""
    assert shown(text) == text


def test_a_private_key_loses_its_body_line_by_line() -> None:
    """The header is no secret; what follows it is, and each of its lines stays a line."""
    rows = [RANDOM[:64] for _ in range(5)]
    text = "before\n-----BEGIN RSA " + "PRIVATE KEY-----\n" + "\n".join(rows)
    text += "\n-----END RSA " + "PRIVATE KEY-----\nafter(call)\n"
    masked = shown(text)
    assert masked.count("\n") == text.count("\n")
    assert RANDOM[:64] not in masked
    assert masked.startswith("before\n")
    assert masked.endswith("after(call)\n")


def test_a_private_key_in_a_string_is_masked_too() -> None:
    """Keys are pasted into JSON and source as one long line with escapes."""
    text = (
        '{"key": "-----BEGIN ' + "PRIVATE KEY-----\\n" + RANDOM[:64] + "\\n" + RANDOM[10:70] + '"}'
    )
    masked = shown(text)
    assert RANDOM[:16] not in masked
    assert RANDOM[10:26] not in masked


def test_code_after_the_words_private_key_is_left_alone() -> None:
    """A parser of keys mentions their header; its code is no key."""
    text = 'HEADER = "BEGIN RSA ' + 'PRIVATE KEY"\n\ndef parse_everything_that_follows(x): ...\n'
    assert shown(text) == text


def test_a_line_of_a_megabyte_is_looked_at_in_bounded_time() -> None:
    """The detectors' patterns are quadratic on long lines; only a hit's surroundings reach them."""
    token = TOKENS["AWS"]
    text = ('"password": {}, ' * 60_000) + token + (" x" * 10_000)
    assert token not in shown(text)


def test_masking_keeps_every_line() -> None:
    """A citation is a line number: masking must not move one."""
    data = b"one\ntwo secret\nstill secret\nfour"
    at = data.index(b"secret")
    masked = mask(data, [Span(at, data.index(b"\nfour"), "x")])
    assert masked.count(b"\n") == data.count(b"\n")
    assert masked.endswith(b"\nfour")


@settings(max_examples=80, deadline=None)
@given(
    before=st.text(alphabet=string.printable + "é🙂", max_size=60),
    after=st.text(alphabet=string.printable + "é🙂", max_size=60),
)
def test_a_token_is_found_in_any_surroundings(before: str, after: str) -> None:
    """No prefix and no suffix may hide a token; positions are bytes for any text before."""
    token = TOKENS["GitHub"]
    assert token[4:] not in shown(f"{before} {token} {after}")


@settings(max_examples=60, deadline=None)
@given(data=st.binary(max_size=400))
def test_any_bytes_are_survived(data: bytes) -> None:
    """Binary data must not crash the scanner; spans are in order and inside."""
    spans = find_secrets(data, "config")
    assert all(0 <= a.start < a.end <= len(data) for a in spans)
    assert all(a.end <= b.start for a, b in itertools.pairwise(spans))


@settings(max_examples=120, deadline=None)
@given(
    before=st.text(alphabet=string.ascii_letters + " ={}()[];,.:#\n", max_size=80),
    after=st.text(alphabet=string.ascii_letters + " ={}()[];,.:#\n", max_size=80),
    value=st.sampled_from(["Falcon-x7Qa212", "r1v3rBank77x", "Mango.7Hz8pq", "36e9220ab794c1"]),
    frame=st.sampled_from(
        [
            ("config", "db.password = {}"),
            ("yaml", "  password: {}"),
            ("yaml", '  password: "{}"'),
            ("shell", "export DB_PASSWORD={}"),
            ("json", '{{"password": "{}"}},'),
            ("prose", "postgres://app:{}@db/x"),
        ]
    ),
)
def test_only_the_value_of_a_line_is_hidden(
    before: str, after: str, value: str, frame: tuple[ScanKind, str]
) -> None:
    """Lines around a secret, and the rest of its own line, are shown as they are."""
    kind, line = frame
    text = f"{before}\n{line.format(value)}\n{after}"
    start = len(before) + 1 + line.format(value).index(value)
    spans = find_secrets(text.encode(), kind)
    assert [(span.start, span.end) for span in spans] == [(start, start + len(value))]


@pytest.mark.parametrize(
    "value",
    [
        "tundra3-Quiet-Lamp-4417",
        "walnut-Paper-River-082",
        "Marble@stone-Fish@3310",
        "OldHarbor!sails!Late!771",
    ],
)
def test_words_and_a_group_of_digits_are_a_password(value: str) -> None:
    """Words that are joined by dashes were taken for a name, so they reached the model."""
    for kind, line in (("python", f'SECRET_2 = "{value}"\n'), ("config", f"PASSWORD={value}\n")):
        data = line.encode()
        (span,) = find_secrets(data, cast(ScanKind, kind))
        assert data[span.start : span.end].decode() == value
