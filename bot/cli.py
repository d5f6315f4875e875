"""The command line: a table of commands, each imported only when it is called."""

from __future__ import annotations

import errno
import importlib
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

if TYPE_CHECKING:
    from collections.abc import Callable

# name -> (module, function, one line for `--help`); a name with a space lies in a group.
COMMANDS: dict[str, tuple[str, str, str]] = {
    "serve": ("bot.commands.serve", "serve", "Run the bot against Slack."),
    "demo": ("bot.commands.local.demo", "demo", "Run the whole product on this machine."),
    "check": ("bot.commands.check", "check", "Validate the installation and say what to fix."),
    "check-model": ("bot.commands.model_check", "model_check", "Does warmth work on a model?"),
    "manifest": ("bot.commands.manifest", "manifest", "Print the Slack app manifest."),
    "schema": ("bot.commands.schema", "schema", "Print the JSON schema of context files."),
    "pack": ("bot.commands.pack", "pack", "Build a context or a path and show or write it."),
    "eval": ("bot.commands.eval", "evaluate", "Does the prompt hold what questions need?"),
    "cite": ("bot.commands.cite", "cite", "Check the citations of a Markdown text."),
    "report": ("bot.commands.report", "report", "Money, waits and hit rates by context and day."),
    "forget": ("bot.commands.forget", "forget", "Erase what is kept of a person or a channel."),
    "why": ("bot.commands.why", "why", "Why is a channel warm or cold?"),
    "feedback": ("bot.commands.feedback", "feedback", "People's opinions on answers."),
    "audit": ("bot.commands.audit", "audit", "Who changed or was refused what."),
    "simulate": ("bot.commands.simulate", "simulate", "Replay traces through the governor."),
    "local-slack": ("bot.commands.local.local_slack", "local_slack", "Run a local Slack."),
    "local-claude": (
        "bot.commands.local.local_claude",
        "local_claude",
        "Run a local Claude.",
    ),
    "db copy": ("bot.commands.db_copy", "copy", "Copy a database into an empty one."),
    "bench ttft": ("bot.commands.bench_ttft", "ttft", "Perceived wait, cold and warm."),
}
GROUPS = {
    "bench": "Measure this installation against the notebook of Anthropic.",
    "db": "Move the data of this installation.",
}


class LazyGroup(TyperGroup):
    """A group that knows its commands by name and imports the one that is called."""

    table = COMMANDS
    groups: Mapping[str, str] = GROUPS
    prefix = ""
    _listing = False

    def list_commands(self, ctx: Any) -> list[str]:
        rest = [n.removeprefix(self.prefix) for n in self.table if n.startswith(self.prefix)]
        return [n for n in rest if " " not in n] + (list(self.groups) if not self.prefix else [])

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if not self.prefix and cmd_name in self.groups:
            return typer.main.get_group(_group(cmd_name))
        entry = self.table.get(self.prefix + cmd_name)
        if entry is None:
            return None
        module, function, summary = entry
        if self._listing:
            return _command(cmd_name, _do_nothing, summary)
        return _command(cmd_name, getattr(importlib.import_module(module), function), summary)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command that is called. An unknown one is told with the nearest name."""
        names = self.list_commands(ctx)
        if self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            from bot.nearest import nearest

            close = nearest(args[0], names)
            ctx.fail(
                f"No such command {args[0]!r}." + (f" Did you mean {close!r}?" if close else "")
            )
        return super().resolve_command(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the list of commands from their names and summaries; it must not import them."""
        self._listing = True
        try:
            super().format_help(ctx, formatter)
        finally:
            self._listing = False


def _command(name: str, function: Callable[..., Any], summary: str) -> Any:
    single = typer.Typer(
        add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None
    )
    single.command(name, short_help=summary)(function)
    return typer.main.get_command(single)


def _do_nothing() -> None:
    """Stand for a command whose name and summary alone are shown."""


def _group(name: str) -> typer.Typer:
    class Group(LazyGroup):
        prefix = f"{name} "

    group = typer.Typer(
        cls=Group, name=name, help=GROUPS[name], no_args_is_help=True, rich_markup_mode=None
    )
    group.callback()(_do_nothing)
    return group


def build() -> typer.Typer:
    """Return the command line."""
    cli = typer.Typer(
        cls=LazyGroup,
        name="forewarm",
        help="A Slack bot that answers questions about your code, with a cache that is warm before"
        " they are asked.",
        no_args_is_help=True,
        # `--install-completion` and `--show-completion` for the user's shell.
        add_completion=True,
        pretty_exceptions_enable=False,
        # Plain help: rich's takes a quarter of a second to import before it draws its first box.
        rich_markup_mode=None,
    )
    cli.callback()(_options)
    return cli


def _print_version(wanted: bool) -> None:
    if wanted:
        from bot.version import version as installed

        typer.echo(f"forewarm {installed()}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool,
        # A callback of the option, not of the group: the group's runs only before a command.
        typer.Option(
            "--version",
            help="Print the version and exit.",
            callback=_print_version,
            is_eager=True,
        ),
    ] = False,
) -> None:
    """Take the options that stand before a command."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; an error that a user can act on is one line on stderr, exit 1."""
    run_or_explain(build(), arguments, "forewarm")


def run_or_explain(cli: typer.Typer, arguments: Sequence[str] | None, program: str) -> None:
    """Run a command line; print an error of ours as one sentence on stderr and exit with 1."""
    from bot.errors import ForewarmError

    try:
        cli(list(arguments) if arguments is not None else None)
    except Exception as error:
        message = error.user_message if isinstance(error, ForewarmError) else _foreign(error)
        if message is None:
            raise
        typer.secho(f"{program}: {message}", fg=typer.colors.RED, err=True)
        raise SystemExit(1) from None


def _foreign(error: Exception) -> str | None:
    """Return a sentence for an error that is not of this package, None if it is a bug."""
    from bot.errors import plain_reason

    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return "No space is left on the disk that is written to: free some, or write elsewhere."
    if isinstance(error, OSError) and error.errno in _UNUSABLE and error.filename:
        return (
            f"{error.filename} cannot be used ({plain_reason(error).lower()}): name another file or"
            " folder, or correct its rights."
        )
    return _playground(error)


_UNUSABLE = frozenset(
    {errno.ENOENT, errno.EACCES, errno.EPERM, errno.EROFS, errno.EISDIR, errno.ENOTDIR}
)
"""Errors of the file system that tell of a path, not of a bug."""


def _playground(error: Exception) -> str | None:
    # The playground is a distribution of its own with its own root of errors. Only a command that
    # has imported it can raise them.
    errors = sys.modules.get("forewarm_playground.errors")
    if errors is not None and isinstance(error, errors.PlaygroundError):
        return str(error)
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    if missing is not None and missing.partition(".")[0] == "forewarm_playground":
        return (
            "This command needs the playground, which is not installed: run"
            ' `pip install "forewarm-bot[demo]"`, or `make demo` in a clone.'
        )
    return None


def run_table(
    program: str, summary: str, table: Mapping[str, tuple[str, str, str]], argv: Sequence[str]
) -> None:
    """Run another program's table of commands as this one is run."""

    class Table(LazyGroup):
        groups: Mapping[str, str] = {}

    Table.table = dict(table)
    cli = typer.Typer(
        cls=Table,
        name=program,
        help=summary,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    cli.callback()(_do_nothing)
    run_or_explain(cli, argv[1:], program)
