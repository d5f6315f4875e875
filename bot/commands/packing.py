"""The work of `forewarm pack`: build one context or path, and show it or write it.

The plain case, one repository and no state, streams from git to the file and imports little: it is
timed as a whole process beside other packers. `main` therefore reads its arguments with argparse.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.commands.packed import MODEL, Packed, report, summary
from bot.context.files.blob_cache import FactsCache, Progress
from bot.context.files.select import File, Rules, masked_note, printable
from bot.context.files.tree import survey
from bot.context.git.repository import GitRepository
from bot.context.render.base_block import BasePlan, plan_base
from bot.context.render.budget import base_room
from bot.context.render.token_estimate import Estimator
from bot.errors import ForewarmError, plain_reason

if TYPE_CHECKING:
    from bot.context.config.load import ContextConfig
    from bot.context.pack_builder import Assembly


@dataclass(frozen=True)
class Request:
    """The arguments of the command line."""

    target: str
    at: str | None = None
    budget: int | None = None
    state: Path | None = None
    output: Path | None = None
    as_json: bool = False


def run(request: Request) -> None:
    """Carry the request out and print what came of it.

    Raises:
        ForewarmError: there is no such context or path, or it cannot be read.
    """
    began = time.perf_counter()
    config = find_context(request.target)
    result = _pack_path(request) if config is None else _pack_context(config, request)
    seconds = time.perf_counter() - began
    if request.as_json:
        import json

        print(json.dumps(result.document(seconds), indent=2))  # noqa: T201 - the result itself
    elif request.output is None:
        print("\n".join(report(result, seconds)))  # noqa: T201
    else:
        print(summary(result, seconds, request.output))  # noqa: T201


# --- a path --------------------------------------------------------------------------------------


def _pack_path(request: Request) -> Packed:
    path = Path(request.target)
    if not path.exists():
        raise ForewarmError(
            f"There is neither a context nor a path called {request.target!r}: "
            "name a file of the contexts folder without .toml, or a folder with a git repository."
        )
    repository = GitRepository.discover(path, printable(path.resolve().name).removesuffix(".git"))
    rules = Rules(repository.name)
    cache = FactsCache(cache_file(repository))
    if request.state is not None:
        return _pack_with_state(request, repository, rules, cache)
    commit = repository.resolve(request.at or "HEAD")
    found = survey(repository, commit, rules, cache, show_progress())
    estimator = Estimator.of(MODEL)
    room = None if request.budget is None else base_room(request.budget, estimator.spread, 0.0)
    plan = plan_base(repository, found, estimator, room)
    return _stream(repository, plan, request.output, estimator)


def _stream(
    repository: GitRepository, plan: BasePlan, output: Path | None, estimator: Estimator
) -> Packed:
    """Write the base piece by piece: at no time is it whole in memory."""
    digest = hashlib.sha256()
    size = 0
    with open(output or os.devnull, "wb", buffering=1 << 20) as file:
        for part in plan.parts(repository):
            digest.update(part)
            size += len(part)
            file.write(part)
    block = {"kind": "base", "tokens": plan.tokens, "fingerprint": digest.hexdigest()}
    name = plan.survey.rules.name
    masked = {path: note for path, note in _masked(plan.shown).items() if note}
    return Packed(
        f"{name} at {plan.survey.commit[:12]}",
        [{**block, "repository": name}],
        [(name, file) for file in plan.shown.values()],
        [(name, printable(path), why) for path, why in {**plan.omitted, **masked}.items()],
        size,
        hashlib.sha256(digest.hexdigest().encode()).hexdigest(),
        estimator,
    )


def _masked(files: Mapping[str, File]) -> dict[str, str | None]:
    return {path: masked_note(file) for path, file in files.items() if file.spans}


def cache_file(repository: GitRepository, folder_name: str = "facts", suffix: str = "json") -> Path:
    """Return the folder of a repository's cache: in the bot's home or the user's cache."""
    home = os.environ.get("FOREWARM_HOME")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "forewarm"
    folder = Path(home).expanduser() if home else cache
    mark = hashlib.sha256(os.fsencode(repository.git_dir)).hexdigest()[:12]
    slug = re.sub(r"[^A-Za-z0-9._-]", "-", repository.name)[:60]
    return folder / folder_name / f"{slug}-{mark}.{suffix}"


# --- with state ----------------------------------------------------------------------------------


def _pack_with_state(
    request: Request, repository: GitRepository, rules: Rules, cache: FactsCache
) -> Packed:
    import asyncio

    from bot.context.pack_builder import Source
    from bot.context.pack_store import DirectoryState
    from bot.context.packer import Packer

    assert request.state is not None
    estimator = Estimator.of(MODEL)
    settings = hashlib.sha256(f"{request.budget} {rules!r}".encode()).hexdigest()
    packer = Packer(
        rules.name,
        settings,
        [Source(rules, repository, cache)],
        request.budget,
        MODEL,
        DirectoryState(request.state),
        estimator=estimator,
        progress=show_progress(),
    )
    commit = repository.resolve(request.at or "HEAD")
    assembly = asyncio.run(packer.update_to([commit]))
    title = f"{rules.name} at {commit[:12]}"
    return _assembled(title, assembly, request.output, packer.estimator, _act(packer.decision))


def _act(decision: object) -> str:
    act = getattr(decision, "act", None)
    return "built anew" if act is None else f"{act}: {getattr(decision, 'reason', '')}"


def _assembled(
    title: str, assembly: Assembly, output: Path | None, estimator: Estimator, note: str
) -> Packed:
    from bot.context.pack import fingerprint
    from bot.context.pack_builder import omissions

    blocks = [
        {
            "kind": block.kind,
            "tokens": block.tokens,
            "fingerprint": block.fingerprint,
            "repository": block.repository,
        }
        for block in assembly.blocks
    ]
    size = 0
    with open(output or os.devnull, "wb") as file:
        for block in assembly.blocks:
            size += file.write(block.text.encode("utf-8"))
    result = Packed(title, blocks, bytes=size, estimator=estimator, note=note)
    for member in assembly.members:
        name, shown = member.base.repository, member.standing.shown
        result.files += [(name, file) for file in shown.values()]
        masked = {path: why for path, why in _masked(shown).items() if why}
        left_out = {**omissions(member), **masked}
        result.omitted += [(name, printable(path), why) for path, why in left_out.items()]
    result.fingerprint = fingerprint("\n".join(block.fingerprint for block in assembly.blocks))
    return result


# --- a context -----------------------------------------------------------------------------------


def find_context(target: str) -> ContextConfig | None:
    """Return the context that the target names, if it names one."""
    folder = Path(os.environ.get("FOREWARM_CONTEXTS") or "contexts").expanduser()
    file = Path(target) if target.endswith(".toml") else folder / f"{target}.toml"
    if "/" in target.rstrip("/") and not target.endswith(".toml"):
        return None
    if not file.is_file():
        return None
    from bot.context.config.load import load_context

    return load_context(file)


def _pack_context(config: ContextConfig, request: Request) -> Packed:
    import asyncio

    return asyncio.run(_pack_context_async(config, request))


async def _pack_context_async(config: ContextConfig, request: Request) -> Packed:
    from bot.app.contexts.clones import git_credentials, size_policy
    from bot.claude.models import listed
    from bot.clock import system_now
    from bot.context.codebase import Codebase
    from bot.context.git.clone import Sources
    from bot.context.pack_store import DirectoryState
    from bot.settings import read_settings

    if request.budget is not None:
        config = config.model_copy(update={"budget_tokens": request.budget})
    if request.at is not None:
        if len(config.repositories) > 1:
            raise ForewarmError(
                f"{config.name} has several repositories, so --at cannot tell which one it means: "
                "pack one of them by its path."
            )
        only = config.repositories[0].model_copy(update={"ref": request.at})
        config = config.model_copy(update={"repositories": (only,)})
    settings = read_settings()
    codebase = Codebase(
        config,
        settings.home,
        now=system_now,
        state=None if request.state is None else DirectoryState(request.state),
        credentials=git_credentials(settings, system_now),
        # A user who can run this command can read those folders anyway.
        sources=Sources(local=(Path("/"),)),
        progress=show_progress(),
        policy=size_policy(config, config.full_model, listed(config.full_model)),
    )
    await codebase.sync()
    pack = await codebase.pack()
    assembly = codebase.assembly
    commits = ", ".join(f"{m.base.repository} at {m.commit[:12]}" for m in assembly.members)
    return _assembled(
        f"{config.name}: {commits}",
        assembly,
        request.output,
        codebase.estimator,
        "; ".join(filter(None, (_act(codebase.decision), pack.size))),
    )


def show_progress(doing: str = "Looking for secrets") -> Progress | None:
    """Return what shows how far a long first look has come; None if there is no terminal."""
    if not sys.stderr.isatty():
        return None
    bars: list[Any] = []

    def show(done: int, total: int) -> None:
        if total < 5_000_000:
            return
        if not bars:
            from rich.progress import Progress as Bar

            bar = Bar(transient=True)
            bar.start()
            bars.extend([bar, bar.add_task(doing, total=total)])
        bars[0].update(bars[1], completed=done)
        if done >= total:
            bars[0].stop()

    return show


# --- the command ---------------------------------------------------------------------------------


def main(arguments: Sequence[str]) -> None:
    """Run `forewarm pack` with its own arguments, without loading the whole command line."""
    import argparse

    parser = argparse.ArgumentParser(
        prog="forewarm pack", description="Build a context or a path and show or write it."
    )
    parser.add_argument("target", help="A context's name, its file, or a path of a repository.")
    parser.add_argument("--at", metavar="REF", help="A branch, tag or commit; HEAD by default.")
    parser.add_argument("--budget", type=int, metavar="N", help="The most tokens.")
    parser.add_argument("--state", type=Path, metavar="DIR", help="Keep base and overlays there.")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="Write all blocks there.")
    parser.add_argument("--json", action="store_true", dest="as_json", help="Print JSON.")
    given = parser.parse_args(list(arguments))
    run(Request(**vars(given)))


MOST_MEMORY = 4_000_000_000
MOST_SECONDS = 1_800


def limit() -> None:
    """Limit this process and its gits: the repository may be a stranger's.

    A caller that sets lower limits itself (`ulimit`) keeps them.
    """
    import signal

    from bot.context.limits import limit_process

    def stop(*_: object) -> None:
        raise ForewarmError(
            f"Packing took more than {MOST_SECONDS:,} s of processor time and was stopped: "
            "pack a part of the repository, through a context with `include`."
        )

    signal.signal(signal.SIGXCPU, stop)
    limit_process(MOST_MEMORY, MOST_SECONDS)


def entry(arguments: Sequence[str]) -> int:
    """Run the command as a process does: an error is one line on stderr and a status of 1."""
    try:
        main(arguments)
    except ForewarmError as error:
        print(f"forewarm: {error.user_message}", file=sys.stderr)  # noqa: T201
        return 1
    except OSError as error:
        if error.filename is None or isinstance(error, BrokenPipeError):
            raise
        why = plain_reason(error).lower()
        print(  # noqa: T201
            f"forewarm: {error.filename} cannot be used ({why}): name another file or folder, or"
            " correct its rights.",
            file=sys.stderr,
        )
        return 1
    except MemoryError:
        print(  # noqa: T201
            f"forewarm: Packing needs more than {MOST_MEMORY // 10**9} GB of memory and was "
            "stopped: pack a part of the repository, through a context with `include`.",
            file=sys.stderr,
        )
        return 1
    return 0
