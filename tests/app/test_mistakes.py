"""`forewarm check` on usual mistakes: the exact text of each, and never a traceback."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from bot.app.home_folder import (
    DatabaseInUse,
    FolderOfAnother,
    HomeUnusable,
    held_by_this_process,
    prepare_home,
)
from bot.app.installation_check import Finding
from bot.app.web import CannotListen, PortTaken, listen_problem
from bot.claude.prices import (
    is_priced,
    price_list_of,
    price_of,
    unknown_priced_models,
    use_prices,
)
from bot.context.config.load import load_contexts
from bot.errors import ForewarmError
from bot.settings import Settings
from tests.app.test_installation_check import GOOD, Begin, checked

__all__ = ["checked"]

CONTEXTS: list[tuple[str, str, str]] = [
    (
        "exchanged letters",
        'modle = "x"\n' + GOOD,
        "pay.toml, line 1: unknown key 'modle'; did you mean 'model'?",
    ),
    (
        "a text for a list",
        GOOD.replace('["C0PAY"]', '"C0PAY"'),
        "pay.toml, line 1: the key 'channels' is wrong: it must be a list in brackets, such as"
        ' ["a", "b"] (it is \'C0PAY\')',
    ),
    (
        "a channel's name",
        GOOD.replace("C0PAY", "#general"),
        "pay.toml, line 1: the key 'channels' is wrong: '#general' is not a channel id; copy the id"
        " (it starts with C) from the foot of the channel's details in Slack",
    ),
    (
        "an open bracket in a glob",
        GOOD + 'include = ["src/[a"]\n',
        "pay.toml, line 5: the key 'repositories.include' is wrong: The pattern 'src/[a' cannot be"
        " read: a '[' is never closed; close it with ']', or write '[[]' for the character itself",
    ),
    (
        "a number in quotes",
        GOOD + '[limits]\nuser_per_hour = "many"\n',
        "pay.toml, line 6: the key 'limits.user_per_hour' is wrong: it must be a whole number"
        " without quotes (it is 'many')",
    ),
    (
        "a negative amount",
        GOOD + "[warm]\ndaily_limit_usd = -1\n",
        "pay.toml, line 6: the key 'warm.daily_limit_usd' is wrong: it must be 0 or more (it is"
        " -1)",
    ),
    (
        "a table in one pair of brackets",
        GOOD.replace("[[repositories]]", "[repositories]"),
        "pay.toml, line 3: the key 'repositories' is wrong: each repository is a table: write"
        " [[repositories]], with two brackets",
    ),
    (
        "a word that is none of the choices",
        'effort = "huge"\n' + GOOD,
        "pay.toml, line 1: the key 'effort' is wrong: it must be one of 'low', 'medium', 'high',"
        " 'xhigh' or 'max' (it is 'huge')",
    ),
    (
        "a text for true",
        GOOD + '[access]\nguests = "perhaps"\n',
        "pay.toml, line 6: the key 'access.guests' is wrong: it must be true or false, without"
        " quotes (it is 'perhaps')",
    ),
    (
        "a value for a table",
        "limits = 5\n" + GOOD,
        "pay.toml: the key 'limits' is wrong: it must be a table: write [limits] on a line of its"
        " own and the keys below it (it is 5)",
    ),
]


@pytest.mark.parametrize(("text", "said"), [c[1:] for c in CONTEXTS], ids=[c[0] for c in CONTEXTS])
def test_a_mistake_in_a_context_file_is_told_in_plain_words(
    tmp_path: Path, text: str, said: str
) -> None:
    (tmp_path / "pay.toml").write_text(text.format(code="/code"))
    [problem] = load_contexts(tmp_path).problems
    assert problem.user_message == said


CHECKED: list[tuple[str, dict[str, Any], str, str]] = [
    (
        "swapped tokens",
        {
            "slack_bot_token": SecretStr("xapp-1-made-up"),
            "slack_app_token": SecretStr("xoxb-made-up"),
            "context": None,
        },
        "settings",
        "SLACK_BOT_TOKEN holds an app-level token (xapp-) and SLACK_APP_TOKEN a bot token (xoxb-),"
        " so they look swapped: exchange the two values.",
    ),
    (
        "channels",
        {"context": GOOD.replace('"C0PAY"', '"C0NONE", "C0AWAY"')},
        "channels",
        "The channel C0NONE does not exist in this workspace, or it is private and the bot was not"
        " invited, so no question is heard there: invite the bot, or correct `channels` in"
        " pay.toml. The bot is not in the channel C0AWAY, so no question is heard there: invite it"
        " in Slack with `/invite`.",
    ),
    (
        "a glob that matches nothing",
        {"context": GOOD + 'include = ["sorce/**"]\n'},
        "context pay",
        "The pattern 'sorce/**' in `include` matches no file of the repository code, so it has"
        " no effect: correct it in pay.toml (paths begin at the top of the repository), or remove"
        " it.",
    ),
    (
        "a model with a slip",
        {"context": GOOD.replace("sonnet-5-5", "sonet-5-5")},
        "context pay",
        "The model server does not know the model `claude-sonet-5-5` (did you mean"
        " `claude-sonnet-5-5`?), so nothing can be answered with it; correct `model` in the"
        " context's file.",
    ),
    (
        "no server at all",
        {"anthropic_base_url": "http://127.0.0.1:9", "context": None},
        "Claude",
        "Nothing answers at http://127.0.0.1:9, so no question can be answered: check the network,"
        " the proxy (HTTPS_PROXY) and ANTHROPIC_BASE_URL.",
    ),
    (
        "a signing secret of another form",
        {
            "slack_app_token": None,
            "slack_signing_secret": SecretStr("xoxb-made-up"),
            "context": None,
        },
        "settings",
        "SLACK_SIGNING_SECRET is no signing secret, since it is not 32 characters of 0-9 and a-f,"
        " so every request of Slack would be refused: copy it from Basic Information of your app.",
    ),
    (
        "the home is a device's file",
        {"home": Path("/dev/null"), "context": None},
        "home",
        "The folder /dev/null cannot be used (it is a file), so nothing can be stored: set"
        " FOREWARM_HOME to a folder that this process may write to.",
    ),
    (
        "a database that is down",
        {"database_url": "postgresql://nobody:secret@127.0.0.1:9/none", "context": None},
        "database",
        "No database answers at 127.0.0.1:9, so nothing can be stored right now: start the"
        " PostgreSQL server, or correct the host and the port in DATABASE_URL.",
    ),
    (
        "missing scopes",
        {"app": {"scopes": ("chat:write", "files:read", "users:read")}, "context": None},
        "scopes",
        "The scopes app_mentions:read, assistant:write, channels:read, groups:read, im:history,"
        " im:read, im:write, commands, channels:history, groups:history, links:read, reactions:read"
        " are missing (to be asked by a mention; to live in the agent pane and show what it is"
        " doing; and more, see `forewarm manifest --why`): paste the output of `forewarm manifest`"
        " into your app's manifest at https://api.slack.com/apps and install it again.",
    ),
    (
        "no price list there",
        {"prices": Path("/nonexistent/prices.toml"), "context": None},
        "prices",
        "The price list /nonexistent/prices.toml of FOREWARM_PRICES cannot be used (no such file or"
        " directory): name a file that is written as docs/operations.md shows, or remove the"
        " setting to use the built-in prices.",
    ),
    (
        "an address of another machine",
        {"host": "192.0.2.1", "context": None},
        "port",
        "192.0.2.1:0 cannot be listened on (cannot assign requested address): set FOREWARM_HOST to"
        " an address of this machine, such as 0.0.0.0, and PORT to a port above 1023.",
    ),
]


@pytest.mark.parametrize(
    ("given", "part", "said"), [c[1:] for c in CHECKED], ids=[c[0] for c in CHECKED]
)
async def test_check_tells_a_mistake_in_these_words(
    checked: Begin, given: dict[str, Any], part: str, said: str
) -> None:
    found: list[Finding] = await checked(**given)
    assert " ".join(f.text for f in found if f.part == part and f.verdict == "bad") == said
    assert "made-up" not in " ".join(f.text for f in found)


async def test_a_prefix_that_does_not_fit_is_told_with_both_numbers(checked: Begin) -> None:
    models = {"claude-sonnet-5-5": {"context": 3_000}}
    found = await checked(models=models)
    [bad] = [f for f in found if f.verdict == "bad"]
    assert "claude-sonnet-5-5 reads at most 3,000" in bad.text
    assert "lower `budget_tokens` in pay.toml" in bad.text


async def test_a_port_that_is_taken_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        problem = await listen_problem("127.0.0.1", port)
    assert isinstance(problem, PortTaken)
    assert problem.user_message == (
        f"Port {port} is in use by another program: stop that one, or set PORT to a free port."
    )
    assert await listen_problem("127.0.0.1", 0) is None
    assert isinstance(await listen_problem("192.0.2.1", 0), CannotListen)


def test_a_home_that_cannot_be_used_is_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    for home, why in ((file, "it is a file"), (file / "below", "a part of its path is a file")):
        with pytest.raises(HomeUnusable, match=why):
            prepare_home(home)
    with pytest.raises(HomeUnusable, match="so nothing can be stored"):
        prepare_home(Path("/proc/forewarm"))
    prepare_home(tmp_path / "new" / "folder")
    assert list((tmp_path / "new" / "folder").iterdir()) == []


def test_a_database_file_serves_one_process(tmp_path: Path) -> None:
    settings = Settings(forewarm_home=tmp_path)  # type: ignore[call-arg]
    with held_by_this_process(settings):
        with (
            pytest.raises(DatabaseInUse, match="stop that bot"),
            held_by_this_process(settings, patience=0),
        ):
            pass
        shared = settings.model_copy(update={"database_url": "postgresql://u@h/d"})
        with held_by_this_process(shared, patience=0):
            pass
    with held_by_this_process(settings, patience=0):
        pass


PRICES = """
as_of = 2026-12-01
[models.claude-sonnet-9]
input = 1.0
write_5m = 1.25
write_1h = 2.0
read = 0.1
output = 5.0
"""


def test_an_operators_prices_go_before_the_built_in_ones(tmp_path: Path) -> None:
    file = tmp_path / "prices.toml"
    file.write_text(PRICES)
    try:
        assert not is_priced("claude-sonnet-9")
        use_prices(file)
        assert is_priced("claude-sonnet-9")
        assert price_of("claude-sonnet-9").output == 5.0
        assert is_priced("claude-sonnet-5-5")
        assert price_list_of().isoformat() == "2026-12-01"
        for text, why in (
            ("models = 3", "PRICES"),
            ("[models.x]\ninput = 1", "'write_5m' is missing"),
            (PRICES.replace("5.0", '"dear"'), "output must be a number of USD"),
            (PRICES.replace("2026-12-01", "3"), "`as_of` must be a day"),
            ("[models", "cannot be used"),
            (PRICES.replace("5.0", "inf"), "output must be a number of USD"),
            (PRICES.replace("5.0", "true"), "output must be a number of USD"),
            (PRICES.replace("2026-12-01", "2026-12-01T10:00:00Z"), "`as_of` must be a day"),
            (PRICES + "outptu = 5.0\n", "unknown key 'outptu'"),
        ):
            file.write_text(text)
            with pytest.raises(ForewarmError, match=why):
                use_prices(file)
        assert price_of("claude-sonnet-9").output == 5.0
    finally:
        use_prices(None)
    assert not is_priced("claude-sonnet-9")


def test_a_folder_of_another_user_in_the_home_folder_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command that was run once as root leaves it, and the next fetch failed in it."""
    clones = tmp_path / "repositories" / "clones"
    clones.mkdir(parents=True)
    # A volume has such a folder, and nothing is written there.
    lost = tmp_path / "lost+found"
    lost.mkdir()
    monkeypatch.setattr("os.access", lambda path, mode: path != lost)
    prepare_home(tmp_path)
    monkeypatch.setattr("os.access", lambda path, mode: path != clones)
    with pytest.raises(FolderOfAnother, match=f"may not write to the folder {clones}"):
        prepare_home(tmp_path)


def test_a_price_under_a_misspelled_name_is_found(tmp_path: Path) -> None:
    """It counts for no request, so a cap goes by another price."""
    file = tmp_path / "prices.toml"
    row = "input = 1\nwrite_5m = 1\nwrite_1h = 1\nread = 1\noutput = 1\n"
    names = ("claude-sonet-5-5", "claude-sonnet-5.5", "aws:claude-sonnet-5-5", "our-model")
    file.write_text("".join(f'[models."{name}"]\n{row}' for name in names))
    try:
        use_prices(file)
        assert unknown_priced_models(["claude-sonnet-5-5"]) == {
            "claude-sonet-5-5": "claude-sonnet-5-5",
            "claude-sonnet-5.5": "claude-sonnet-5-5",
        }
    finally:
        use_prices(None)
