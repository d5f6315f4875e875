"""Benchmark: the figures of packing, measured here."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer

from benchmarks.measure_process import measured
from bot.errors import ForewarmError

Repositories = Annotated[list[Path], typer.Argument(help="Local repositories, bare or not.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@dataclass
class Timing:
    """One tool on one repository: wall and processor seconds of each whole process, and the peak
    memory (MB). On a machine with other work, processor time is the steadier figure.
    """

    tool: str
    seconds: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    megabytes: float = 0.0
    bytes: int = 0
    failed: str = ""

    @property
    def median(self) -> float:
        return median(self.seconds) if self.seconds else float("nan")

    @property
    def processor_median(self) -> float:
        return median(self.processor) if self.processor else float("nan")


def pack(
    repositories: Repositories,
    runs: Annotated[int, typer.Option(help="Runs of each tool, taken in turns.")] = 5,
    patience: Annotated[
        float, typer.Option(help="Seconds after which a tool's run is given up.")
    ] = 120.0,
    as_json: AsJson = False,
) -> None:
    """Time our packing beside the packers that are installed, whole processes, in turns.

    Ours starts from a bare clone with the secret cache filled; the first look through everything
    is reported apart. The others get a work tree. Medians, and ratios to ours.
    """
    documents = [_bench_one(path, runs, patience) for path in repositories]
    if as_json:
        import json

        typer.echo(json.dumps(documents, indent=2))
        return
    for document in documents:
        _show_pack(document)


def _bench_one(path: Path, runs: int, patience: float) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="forewarm-bench-") as temporary:
        folder = Path(temporary)
        name = path.resolve().name.removesuffix(".git") or "repository"
        bare, tree = folder / f"{name}.git", folder / name
        _git("clone", "--quiet", "--bare", "--no-hardlinks", str(path.resolve()), str(bare))
        _git("clone", "--quiet", "--no-hardlinks", str(bare), str(tree))
        home = folder / "home"
        first = _first_scan(bare, home)
        commands = _commands(bare, tree, folder)
        timings = {tool: Timing(tool) for tool in commands}
        for _ in _shown(range(runs), f"{name}: {', '.join(commands)}"):
            for tool, command in commands.items():
                if not timings[tool].failed:
                    _run(command, timings[tool], folder, home, patience)
        pushes = _one_file_pushes(bare, home)
        return _document(name, bare, first, timings, pushes)


def _git(*arguments: str) -> None:
    from bot.context.git.safety import SAFE_OPTIONS, hardened_environment, last_line

    options = [*SAFE_OPTIONS, "-c", "protocol.file.allow=always"]
    environment = {**hardened_environment(), "GIT_ALLOW_PROTOCOL": "file"}
    done = subprocess.run(
        ["git", *options, *arguments], env=environment, capture_output=True, check=False
    )
    if done.returncode:
        raise ForewarmError(f"git could not prepare the benchmark: {last_line(done.stderr)}.")


def _commands(bare: Path, tree: Path, folder: Path) -> dict[str, list[str]]:
    """Return the command of each packer that is installed; ours first."""
    out = str(folder / "out")
    ours = [sys.executable, "-m", "bot", "pack", str(bare), "-o", out]
    others = {
        "repomix": ["--quiet", "--style", "xml", "-o", out, str(tree)],
        "gitingest": [str(tree), "-o", out],
        "files-to-prompt": [str(tree), "--cxml", "-o", out],
        "code2prompt": ["generate", "--path", str(tree), "--output", out],
    }
    found = {tool: shutil.which(tool) for tool in others}
    installed = {tool: [path, *others[tool]] for tool, path in found.items() if path}
    return {"forewarm": ours, **installed}


def _run(command: Sequence[str], timing: Timing, folder: Path, home: Path, patience: float) -> None:
    """Run one process to its end and note its time and peak memory."""
    out = folder / "out"
    out.unlink(missing_ok=True)
    environment = {**os.environ, "FOREWARM_HOME": str(home)}
    run = measured(command, environment, patience)
    if run.code is None:
        timing.failed = f"gave up after {patience:.0f} s"
        timing.seconds.append(run.seconds)
        timing.processor.append(run.processor)
    elif run.code or not out.exists():
        timing.failed = f"ended with {run.code}"
    else:
        timing.seconds.append(run.seconds)
        timing.processor.append(run.processor)
        timing.megabytes = max(timing.megabytes, run.megabytes)
        timing.bytes = out.stat().st_size


def _first_scan(bare: Path, home: Path) -> dict[str, float]:
    """Look through everything for the first time, as the first start of a bot does."""
    timing = Timing("first scan")
    _run(
        [sys.executable, "-m", "bot", "pack", str(bare), "-o", str(home.parent / "out")],
        timing,
        home.parent,
        home,
        3_600.0,
    )
    if timing.failed:
        raise ForewarmError(f"Packing {bare.name} failed: {timing.failed}.")
    return {"seconds": timing.median, "processor": timing.processor_median}


PUSHES = 12


def _one_file_pushes(bare: Path, home: Path) -> list[float]:
    """Push one changed line at a time and take it into a prefix in memory; seconds of each.

    The line is added to a source file in the middle of the repository; fetching is no part of it.
    """
    import asyncio

    from bot.context.files.blob_cache import FactsCache
    from bot.context.files.select import Rules
    from bot.context.git.repository import GitRepository
    from bot.context.pack_builder import Source
    from bot.context.pack_store import MemoryState
    from bot.context.packer import Packer
    from bot.context.render.token_estimate import Estimator

    repository = GitRepository(bare, "pushed")
    cache = FactsCache(next((home / "facts").glob("*.json")))
    source = Source(Rules("pushed"), repository, cache)
    model = "claude-sonnet-5-5"
    estimator = Estimator.of(model)
    packer = Packer("bench", "bench", [source], None, model, MemoryState(), estimator=estimator)

    async def pushes() -> list[float]:
        head = repository.resolve("HEAD")
        assembly = await packer.update_to([head])
        files = [f for f in assembly.members[0].standing.survey.ordered() if f.kind == "code"]
        path = files[len(files) // 2].path
        seconds: list[float] = []
        for number in range(PUSHES):
            head = _with_a_line_more(bare, head, path, number)
            began = time.perf_counter()
            await packer.update_to([head])
            seconds.append(time.perf_counter() - began)
        return seconds

    return asyncio.run(pushes())


def _with_a_line_more(bare: Path, head: str, path: str, number: int) -> str:
    """Commit one more line at the end of a file and return the commit."""
    from bot.context.git.repository import GitRepository, encode_path

    repository = GitRepository(bare, "pushed")
    old = repository.run("reading", "cat-file", "blob", f"{head}:{path}")
    content = old.rstrip(b"\n") + b"\n# line %d\n" % number
    stream = b"commit refs/heads/forewarm-bench\n"
    stream += b"committer Bench <bench@example.org> %d +0000\ndata 5\nbench\n" % (2e9 + number)
    stream += b"from %b\n" % head.encode()
    stream += b"M 100644 inline %b\ndata %d\n" % (encode_path(path), len(content))
    subprocess.run(
        repository.command("fast-import", "--quiet", "--force"),
        input=stream + content + b"\n",
        check=True,
    )
    return repository.resolve("refs/heads/forewarm-bench")


def _document(
    name: str,
    bare: Path,
    first: dict[str, float],
    timings: dict[str, Timing],
    pushes: Sequence[float],
) -> dict[str, Any]:
    from bot.context.git.repository import GitRepository

    ours = timings["forewarm"]
    text_megabytes = ours.bytes / 1e6
    scanning = max(1e-9, first["seconds"] - ours.median)
    return {
        "repository": name,
        "commit": GitRepository(bare, name).resolve("HEAD"),
        "megabytes_packed": round(text_megabytes, 2),
        "first_scan": {
            "seconds": round(scanning, 2),
            "megabytes_per_second": round(text_megabytes / scanning, 2),
            "megabytes_per_processor_second": round(
                text_megabytes / max(1e-9, first["processor"] - ours.processor_median), 2
            ),
        },
        "one_file_push_milliseconds": {
            "median": round(median(pushes) * 1e3, 1),
            "least": round(min(pushes) * 1e3, 1),
        },
        "tools": [
            {
                "tool": timing.tool,
                "seconds": round(timing.median, 3),
                "runs": len(timing.seconds),
                "bytes": timing.bytes,
                "peak_megabytes": round(timing.megabytes, 1),
                "times_ours": round(timing.median / ours.median, 2),
                "processor_seconds": round(timing.processor_median, 3),
                "processor_times_ours": round(timing.processor_median / ours.processor_median, 2),
                **({"failed": timing.failed} if timing.failed else {}),
            }
            for timing in timings.values()
        ],
    }


def _show_pack(document: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    first = document["first_scan"]
    table = Table(
        title=f"{document['repository']}, {document['megabytes_packed']} MB packed; first scan "
        f"{first['seconds']} s, {first['megabytes_per_second']} MB/s "
        f"({first['megabytes_per_processor_second']} MB a processor's second)"
    )
    for column in ("tool", "seconds", "times ours", "processor s", "bytes", "peak MB"):
        table.add_column(column, justify="left" if column == "tool" else "right")
    for tool in document["tools"]:
        table.add_row(
            tool["tool"],
            tool.get("failed") or f"{tool['seconds']:.3f}",
            f"{tool['times_ours']:.1f}",
            f"{tool['processor_seconds']:.2f}",
            f"{tool['bytes']:,}",
            f"{tool['peak_megabytes']:.0f}",
        )
    push = document["one_file_push_milliseconds"]
    console = Console()
    console.print(table)
    console.print(f"a push of one file, in process: {push['median']} ms, at least {push['least']}")


def _shown(steps: Sequence[int], what: str) -> Any:
    """Show progress on stderr, so that `--json` stays clean."""
    from rich.console import Console
    from rich.progress import track

    return track(steps, description=what, console=Console(stderr=True), transient=True)


def push(
    repository: Annotated[Path, typer.Argument(help="A local repository, bare or not.")],
    commits: Annotated[int, typer.Option(help="How many first-parent commits to replay.")] = 400,
    model: Annotated[str, typer.Option(help="Whose tokens are estimated.")] = "claude-sonnet-5-5",
    as_json: AsJson = False,
) -> None:
    """Replay pushes and show what each writes: re-packed, in the best peer's order, and ours.

    Re-packing writes the whole at every push that changes it. An order of files keeps what stands
    before the first change. The plain diff is given the rebuild bound that is best in hindsight
    among those with no more growth than ours.
    """
    import asyncio

    from rich.console import Console
    from rich.progress import Progress

    from benchmarks.push_replay import first_parents, replay
    from benchmarks.selection_quality import choice
    from bot.context.files.blob_cache import FactsCache
    from bot.context.git.repository import GitRepository
    from bot.context.render.token_estimate import Estimator

    opened = GitRepository.discover(repository)
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"{opened.name}: replaying pushes", total=commits)
        cache = FactsCache(None)
        progress = partial(_advance, bar, task)
        result = asyncio.run(replay(opened, cache, commits, model, progress))
        walk = first_parents(opened, commits)
        chosen = choice(opened, walk, cache, Estimator.of(model))
    document = result.document()
    document["choice_at_a_quarter"] = None if chosen is None else chosen.document()
    if as_json:
        import json

        typer.echo(json.dumps(document, indent=2))
        return
    _show_push(document)


def _advance(bar: Any, task: Any, done: int, _: int) -> None:
    bar.update(task, completed=done)


def _show_push(document: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    sizes, tokens = document["bytes_per_push"], document["tokens_per_push"]
    table = Table(title=f"{document['repository']}, {document['pushes']} pushes")
    for column in ("", "tokens a push", "bytes a push", "times ours"):
        table.add_column(column, justify="left" if not column else "right")
    rows = (
        ("packed anew", "repack"),
        (f"best order ({document['best_order']})", "best_order"),
        (f"plain diffs, rebuilt at {document['plain_diff_bound']:.1%}", "plain_diff"),
        ("ours", "ours"),
    )
    for label, key in rows:
        shown = f"{tokens[key]:,}" if key in tokens else ""
        table.add_row(label, shown, f"{sizes[key]:,}", f"{sizes[key] / max(1, sizes['ours']):.1f}")
    console = Console()
    console.print(table)
    console.print(
        f"growth against a fresh pack: mean {document['mean_growth']:.1%}, largest "
        f"{document['largest_growth']:.1%}; {document['rebuilds']} rebuilds, "
        f"{document['folds']} folds"
    )
    chosen = document["choice_at_a_quarter"]
    if chosen is not None:
        console.print(
            f"a quarter of the budget holds {chosen['by_file_ours']:.0%} of what the next 100 "
            f"commits touch, by files' tokens ({chosen['by_file_times']}x the order of paths); "
            f"{chosen['by_line_ours']:.0%} by changed lines ({chosen['by_line_times']}x)"
        )
    each = document["milliseconds_per_one_file_push"] or document["milliseconds_per_push"]
    console.print(f"a push takes {each['median']} ms (p95 {each['p95']} ms), fetching apart")
