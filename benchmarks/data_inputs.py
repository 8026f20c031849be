"""A4: a DVC-tracked data set of 10,000 files, and twenty files beside it, captured at a run's start, unchanged."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.measure import Row, in_turns, wall
from benchmarks.repositories import make_repository

FILES = 10_000
SINGLE = 20


def rows(work: Path, environ: dict[str, str]) -> list[Row]:
    """Measure what a run's start waits for, and what the thread beside it does.

    Args:
        work: a folder for a repository.
        environ: the environment of git.
    """
    repository = _project(work / "tracked", environ)
    os.chdir(repository)
    floor, ours = in_turns(lambda: wall(_stat_all), _recorded, rounds=11)
    again_floor, again = in_turns(lambda: wall(_stat_all), _checked(repository), rounds=11)
    return [
        Row("A4", f"hashes of {FILES:,} tracked files at a run's start", "ms", floor * 1000, ours * 1000, 2),
        Row("A4", "the same files found unchanged, in a thread", "ms", again_floor * 1000, again * 1000, 2),
    ]


def _project(path: Path, environ: dict[str, str]) -> Path:
    """As DVC leaves it: the pointers are in git, the data is not."""
    from gittrack.artifacts.known_digests import KnownDigests
    from gittrack.core.pointers import pointer_bytes
    from gittrack.core.records import ArtifactEntry

    make_repository(path, environ)
    (path / ".dvc").mkdir()
    (path / ".dvc/config").touch()
    (path / "images").mkdir()
    (path / ".gitignore").write_text("/images\n" + "".join(f"/table-{number}.csv\n" for number in range(SINGLE)))
    for number in range(FILES):
        (path / f"images/{number:05}.bin").write_bytes(f"{number}".encode() * 400)
    names = ["images"]
    for number in range(SINGLE):
        (path / f"table-{number}.csv").write_text(f"{number}\n" * 1000)
        names.append(f"table-{number}.csv")
    time.sleep(2.1)  # what was written a moment ago is never remembered
    digests = KnownDigests(path / ".git/gittrack/known-data")
    for name in names:
        found = digests.of(path / name)
        entry = ArtifactEntry(name, found.size, found.digest, "", "pointer", found.files)
        (path / f"{name}.dvc").write_bytes(pointer_bytes(entry, name))
    for command in (["add", "."], ["commit", "-q", "-m", "data"]):
        subprocess.run(["git", *command], cwd=path, env=environ, check=True)
    return path


def _stat_all() -> None:
    for place, _, names in os.walk("images"):
        for name in names:
            os.stat(os.path.join(place, name))


def _recorded() -> float:
    """Seconds in which a run's start finds, reads and writes down all hashes."""
    import gittrack
    from gittrack.api.run import Run

    took = []
    inner = Run._record_tracked_data

    def timed(run: Run, root: str, untracked: list[str]) -> None:
        took.append(wall(lambda: inner(run, root, untracked)))

    Run._record_tracked_data = timed  # type: ignore[assignment, method-assign]
    try:
        run = gittrack.start_run(strict=True)
        run.end()
    finally:
        Run._record_tracked_data = inner  # type: ignore[method-assign]
    inputs = gittrack.get_run(run.id).record.inputs
    if len(inputs) != SINGLE + 1 or {item.state for item in inputs} != {"verified"}:
        raise SystemExit(f"not all inputs are verified: {inputs}")
    return took[0]


def _checked(repository: Path) -> Callable[[], float]:
    from gittrack.artifacts.known_digests import KnownDigests

    digests = KnownDigests(repository / ".git/gittrack/known-data")
    return lambda: wall(lambda: digests.of(Path("images")))
