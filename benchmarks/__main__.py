"""``python -m benchmarks``: measure everything, print the table, write ``benchmarks/RESULTS.md``.

``--full`` measures searches over 100,000 runs too, which take minutes to make.
"""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks import artifact_bytes, data_inputs, logging_points, plain_git, searching, sharing, whole_runs
from benchmarks.measure import Row
from benchmarks.repositories import environment, make_repository

RESULTS = Path(__file__).parent / "RESULTS.md"


def main() -> int:
    """Run all groups; the exit code is 0 whether targets are met or not: figures are for reading."""
    counts = (1_000, 10_000, 100_000) if "--full" in sys.argv else (1_000, 10_000)
    with tempfile.TemporaryDirectory(prefix="gittrack-bench-") as folder:
        work = Path(folder)
        environ = environment(work / "home")
        os.environ.clear()
        os.environ.update(environ)
        repository = make_repository(work / "repository", environ)
        rows = logging_points.rows(repository) + whole_runs.rows(repository, work, environ)
        rows += data_inputs.rows(work, environ)
        rows += artifact_bytes.rows(work, environ)
        rows += searching.rows(work, environ, counts)
        rows += sharing.rows(work, environ, counts[1:])
        rows += plain_git.rows(work, environ)
        os.chdir("/")
    table = render(rows)
    print(table)
    RESULTS.write_text(f"# Results\n\n{_machine()}\n\n{table}\n")
    return 0


def measure_alone(
    group: Callable[[Path, Mapping[str, str], tuple[int, ...]], list[Row]], counts: tuple[int, ...]
) -> None:
    """Measure one group in a world of its own and print its table.

    Args:
        group: gives its rows, for a folder, an environment and numbers of runs.
        counts: of runs.
    """
    with tempfile.TemporaryDirectory(prefix="gittrack-bench-") as folder:
        environ = environment(Path(folder) / "home")
        os.environ.clear()
        os.environ.update(environ)
        os.chdir(folder)
        print(render(group(Path(folder), environ, counts)))
        os.chdir("/")


def render(rows: list[Row]) -> str:
    """The table as Markdown."""
    lines = ["| row | work | floor | ours | ratio | target | met |", "|---|---|--:|--:|--:|--:|---|"]
    lines += [
        f"| {row.name} | {row.work} | {row.floor:.3g} {row.unit} | {row.ours:.3g} {row.unit} "
        f"| {row.ratio:.2f} | {_target(row)} |"
        for row in rows
    ]
    return "\n".join(lines)


def _target(row: Row) -> str:
    if row.target == float("inf"):
        return "– | stated"
    return f"{row.target:.2f} | {'yes' if row.met else '**no**'}"


def _machine() -> str:
    import pygit2

    git = subprocess.run(["git", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    return (
        f"Measured {datetime.datetime.now(datetime.UTC):%Y-%m-%d}, {platform.system()} {platform.machine()}, "
        f"{os.cpu_count()} cores, Python {platform.python_version()}, {git}, pygit2 {pygit2.__version__}. "
        "Floor and ours in turns within one run; medians."
    )


if __name__ == "__main__":
    sys.exit(main())
