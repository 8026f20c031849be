"""R3, R4 and R5: an empty run in a fresh process, 200 runs one after another, many processes at once."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
import zlib
from collections.abc import Iterable
from pathlib import Path

from benchmarks.floors import Level, nested, open_synced, write_commit
from benchmarks.measure import Row, disk_bytes, in_turns, program_seconds, wall
from benchmarks.repositories import make_repository

EMPTY_FLOOR = """
import pygit2
from pygit2.enums import Option
pygit2.option(Option.ENABLE_FSYNC_GITDIR, True)
repo = pygit2.Repository(".")
person = pygit2.Signature("Bench", "bench@example.com", 1700000000, 0)
tree = repo.TreeBuilder()
tree.insert("run.toml", repo.create_blob(b"format = 1\\n"), 0o100644)
import os
repo.create_commit(f"refs/floor/{os.urandom(16).hex()}", person, person, "a run", tree.write(), [repo.head.target])
"""
EMPTY_OURS = """
import gittrack
gittrack.start_run().end()
"""
IMPORT = "import gittrack"
RUNS = 200


def rows(repository: Path, work: Path, environ: dict[str, str]) -> list[Row]:
    """Measure all three.

    Args:
        repository: an existing repository.
        work: a folder for further repositories.
        environ: the environment of the processes.
    """
    return [*_fresh_process(repository, environ), *_one_after_another(work, environ), *_at_once(work, environ)]


def _fresh_process(repository: Path, environ: dict[str, str]) -> list[Row]:
    def timed(code: str) -> float:
        return program_seconds([sys.executable, "-c", code], repository, environ) * 1000

    floor, ours = in_turns(lambda: timed(EMPTY_FLOOR), lambda: timed(EMPTY_OURS), rounds=15, warm_ups=3)
    bare, imported = in_turns(lambda: timed("pass"), lambda: timed(IMPORT), rounds=15, warm_ups=3)
    return [
        Row("R3", "an empty run in a fresh process", "ms", floor, ours, 1.3),
        # The target is an absolute one: at most 40 ms on top of a bare interpreter.
        Row("R3", "import gittrack (target: bare interpreter + 40 ms)", "ms", bare, imported, (bare + 40) / bare),
    ]


def do_runs(count: int) -> None:
    """Runs as people make them: 20 params, 5 metrics of 100 steps, 3 tags, an artifact of 10 kB."""
    import gittrack

    artifact = os.urandom(5000).hex()
    for number in range(count):
        params = {f"param_{i}": number * i / 7 for i in range(20)}
        with gittrack.start_run(params=params, tags={"a": number, "b": "x", "c": "y"}) as run:
            for step in range(100):
                for metric in ("loss", "acc", "val/loss", "val/acc", "lr"):
                    run.log_metric(metric, 1 / (step + number + 1), step)
            run.log_text(artifact[:9000] + str(number), "report.txt")


def _files_of_runs(repository: Path) -> list[Level]:
    """The files of every run in the inbox, for the floor to write the same bytes."""
    repo = open_synced(repository)
    levels = []
    for name in repo.listall_references():
        if name.startswith("refs/runs/inbox/"):
            levels.append(nested(dict(_files(repo, repo[repo.references[name].target].tree, ""))))
    return levels


def _files(repo: object, tree: object, prefix: str) -> Iterable[tuple[str, bytes]]:
    for entry in tree:  # type: ignore[attr-defined]
        if entry.type_str == "tree":
            yield from _files(repo, entry, f"{prefix}{entry.name}/")
        else:
            yield f"{prefix}{entry.name}", entry.data


def _write_all(repository: Path, levels: list[Level]) -> None:
    repo = open_synced(repository)
    for level in levels:
        write_commit(repo, level, f"refs/floor/{uuid.uuid4().hex}")


def _one_after_another(work: Path, environ: dict[str, str]) -> list[Row]:
    sample = make_repository(work / "sample", environ)
    os.chdir(sample)
    do_runs(RUNS)
    levels = _files_of_runs(sample)
    made: list[Path] = []

    def fresh() -> Path:
        made.append(make_repository(work / uuid.uuid4().hex, environ))
        return made[-1]

    def floor() -> float:
        repository = fresh()
        return wall(lambda: _write_all(repository, levels))

    def ours() -> float:
        os.chdir(fresh())
        return wall(lambda: do_runs(RUNS))

    seconds_floor, seconds_ours = in_turns(floor, ours, rounds=5, warm_ups=1)
    bytes_floor, bytes_ours = disk_bytes(made[-2] / ".git"), disk_bytes(made[-1] / ".git")
    empty = disk_bytes(make_repository(work / "empty", environ) / ".git")
    loose = Row("R4", f"{RUNS} runs, bytes loose", "kB/run", *_per_run(bytes_floor - empty, bytes_ours - empty), 1.5)
    return [
        Row("R4", f"{RUNS} runs one after another", "s", seconds_floor, seconds_ours, 2),
        loose,
        _packed(made[-1], levels, environ),
    ]


def _per_run(floor: int, ours: int) -> tuple[float, float]:
    return floor / RUNS / 1000, ours / RUNS / 1000


def _packed(repository: Path, levels: list[Level], environ: dict[str, str]) -> Row:
    """Bytes once rolled up and packed, against the zlib size of the same distinct contents."""
    roll_up = "from gittrack.api.maintain import roll_up_now; from gittrack.api.project import Project;"
    code = f"{roll_up} roll_up_now(Project.open())"
    subprocess.run([sys.executable, "-c", code], cwd=repository, env=environ, check=True)
    pack = sum(path.stat().st_size for path in (repository / ".git/objects/pack").glob("*.pack"))
    distinct = {data for level in levels for data in _leaves(level)}
    zipped = sum(len(zlib.compress(data)) for data in distinct)
    return Row("R4", f"{RUNS} runs, bytes packed", "kB/run", *_per_run(zipped, pack), 1.2)


def _leaves(level: Level) -> Iterable[bytes]:
    for content in level.values():
        if isinstance(content, dict):
            yield from _leaves(content)
        else:
            yield content


OURS_WORKER = "from benchmarks.whole_runs import do_runs; do_runs({count})"
FLOOR_WORKER = (
    "import pickle, pathlib; from benchmarks.whole_runs import _write_all;"
    "_write_all(pathlib.Path('.'), pickle.loads(pathlib.Path({levels!r}).read_bytes())[:{count}])"
)


def _at_once(work: Path, environ: dict[str, str]) -> list[Row]:
    import pickle

    sample = work / "sample"
    levels = work / "levels.pickle"
    levels.write_bytes(pickle.dumps(_files_of_runs(sample)))
    here = str(Path(__file__).parent.parent)
    environ = environ | {"PYTHONPATH": os.pathsep.join([here, environ.get("PYTHONPATH", "")])}

    def together(code: str, processes: int, runs: int, prefix: str) -> float:
        repository = make_repository(work / uuid.uuid4().hex, environ)

        def start_and_wait() -> None:
            started = [
                subprocess.Popen([sys.executable, "-c", code], cwd=repository, env=environ) for _ in range(processes)
            ]
            if any(process.wait() for process in started):
                raise SystemExit("a process of the benchmark failed")

        cost = wall(start_and_wait)
        found = subprocess.run(
            ["git", "for-each-ref", prefix], cwd=repository, env=environ, capture_output=True, check=True
        ).stdout.count(b"\n")
        if found != runs:
            raise SystemExit(f"{runs - found} of {runs} runs are lost")
        return cost

    result = []
    for processes, count in ((8, 50), (200, 1)):
        floor_code = FLOOR_WORKER.format(levels=str(levels), count=count)
        ours_code = OURS_WORKER.format(count=count)
        floor, ours = in_turns(
            lambda code=floor_code, n=processes, c=count: together(code, n, n * c, "refs/floor"),  # type: ignore[misc]
            lambda code=ours_code, n=processes, c=count: together(code, n, n * c, "refs/runs/inbox"),  # type: ignore[misc]
            rounds=3,
            warm_ups=0,
        )
        result.append(Row("R5", f"{processes} processes × {count} runs at once, none lost", "s", floor, ours, 2))
    return result
