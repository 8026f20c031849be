"""Q1 to Q5: search, the index, histories and comparison, at 1,000 runs and more."""

from __future__ import annotations

import json
import os
import sqlite3
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pygit2

import gittrack
from benchmarks.histories import MadeRun, make_history
from benchmarks.measure import Row, in_turns, program_seconds, wall
from benchmarks.repositories import make_repository
from gittrack.api.project import Project
from gittrack.api.run_index import ask
from gittrack.api.search import Search, search
from gittrack.core.query.parser import parse_query
from gittrack.core.query.sort_keys import parse_sort_key
from gittrack.index.searching import Question, find

QUERY = "metrics.acc > 0.9 and params.model = 'rf'"
SQL = "SELECT id, name, acc FROM run WHERE acc > 0.9 AND model = 'rf' ORDER BY acc DESC LIMIT 10"
FLOOR = f"""
import click, sqlite3, sys
for row in sqlite3.connect(sys.argv[1]).execute({SQL!r}):
    click.echo("  ".join(map(str, row)))
"""


def rows(work: Path, environ: Mapping[str, str], counts: tuple[int, ...] = (1_000, 10_000, 100_000)) -> list[Row]:
    """Every row of the group; the largest repository takes some minutes to make."""
    found = []
    for count in counts:
        repository = make_repository(work / f"history-{count}", environ)
        runs = make_history(repository, environ, count)
        found += _of_repository(repository, runs, work / f"table-{count}.sqlite", environ)
    return found + _frame(work, environ) + _compare(work / f"history-{counts[0]}")


def _of_repository(repository: Path, runs: list[MadeRun], table: Path, environ: Mapping[str, str]) -> list[Row]:
    many = f"{len(runs):,} runs"
    _hand_made(table, runs)
    project = Project.open(repository)
    (repository / ".git" / "gittrack").mkdir(exist_ok=True)
    rounds = 5 if len(runs) < 50_000 else 1
    rebuilt = in_turns(lambda: _read_all(repository, runs, table), lambda: _rebuild(project), rounds, warm_ups=0)
    time.sleep(2.5)  # refs that were written just now are not believed to stand still
    ask(project, lambda _: None)
    cold = in_turns(
        lambda: program_seconds([sys.executable, "-c", FLOOR, str(table)], repository, environ),
        lambda: program_seconds(
            [sys.executable, "-m", "gittrack", "ls", QUERY, "--sort", "-metrics.acc", "-n", "10"], repository, environ
        ),
        9,
    )
    asked = Search(parse_query(QUERY, now=0), [parse_sort_key("-metrics.acc")], 10)
    warm = in_turns(_statement(project), lambda: wall(lambda: search(project, asked)), 50, warm_ups=5)
    refreshed = _refresh(repository, project)
    return [
        Row("Q1", f"ls with a filter, an order and a limit, cold, {many}", "s", *cold, 1.5),
        Row("Q2", f"the same warm, in Python, {many}", "s", *warm, 3.0),
        Row("Q3", f"rebuild of the index, {many}", "s", *rebuilt, 2.0),
        Row("Q4", f"refresh after one new run among {many}", "s", *refreshed, 1.5),
    ]


def _hand_made(table: Path, runs: list[MadeRun]) -> None:
    with sqlite3.connect(table) as sql:
        sql.execute("CREATE TABLE run (id TEXT, name TEXT, acc REAL, model TEXT)")
        sql.executemany(
            "INSERT INTO run VALUES (?, ?, ?, ?)",
            [(run.id, run.record.name, run.record.metrics["acc"].last, run.record.params["model"]) for run in runs],
        )
        sql.execute("CREATE INDEX run_acc ON run (acc)")
    sql.close()


def _read_all(repository: Path, runs: list[MadeRun], table: Path) -> float:
    """The floor of a rebuild: each run's summary by pygit2, its values as rows, an index on them, one transaction."""
    repo = pygit2.Repository(str(repository))
    other = table.with_suffix(".floor")
    other.unlink(missing_ok=True)
    began = time.perf_counter()
    sql = sqlite3.connect(other, isolation_level=None)
    sql.execute("BEGIN")
    for scope in ("metric", "param", "tag"):
        sql.execute(f"CREATE TABLE {scope} (run INTEGER, name TEXT, value, PRIMARY KEY (run, name)) WITHOUT ROWID")
        sql.execute(f"CREATE INDEX {scope}_value ON {scope} (name, value)")
    sql.execute("CREATE TABLE run (n INTEGER PRIMARY KEY, id TEXT UNIQUE, name TEXT, start INTEGER, message TEXT)")
    for n, run in enumerate(runs):
        text = repo[run.commit].message.split("\n\n")[1]
        said: dict[str, Any] = json.loads(text)
        attributes = said["attributes"]
        sql.execute(
            "INSERT INTO run VALUES (?, ?, ?, ?, ?)", (n, run.id, attributes["name"], attributes["start_time"], text)
        )
        sql.executemany("INSERT INTO metric VALUES (?, ?, ?)", [(n, k, v["last"]) for k, v in said["summary"].items()])
        sql.executemany("INSERT INTO param VALUES (?, ?, ?)", [(n, k, v) for k, v in said["params"].items()])
        sql.executemany("INSERT INTO tag VALUES (?, ?, ?)", [(n, k, v) for k, v in said["tags"].items()])
    sql.execute("COMMIT")
    sql.close()
    return time.perf_counter() - began


def _rebuild(project: Project) -> float:
    for part in ("", "-wal", "-shm"):
        project.layout.index_file.with_name(project.layout.index_file.name + part).unlink(missing_ok=True)
    return wall(lambda: ask(project, lambda _: None))


def _statement(project: Project) -> Callable[[], float]:
    """The time of the SQL alone, on the same index, by an open connection."""
    said: list[str] = []

    def listen(index: Any) -> None:
        index.connection.set_trace_callback(said.append)
        find(index.connection, Question(parse_query(QUERY, now=0), [parse_sort_key("-metrics.acc")], 10))

    ask(project, listen)
    statement = next(text for text in said if text.startswith("SELECT r.n"))
    connection = sqlite3.connect(project.layout.index_file)
    return lambda: wall(lambda: connection.execute(statement).fetchall())


def _refresh(repository: Path, project: Project) -> tuple[float, float]:
    repo = pygit2.Repository(str(repository))
    floors, costs = [], []
    os.chdir(repository)
    for number in range(7):
        with gittrack.start_run(name=f"new-{number}"):
            pass
        floors.append(wall(lambda: [repo.references[name].target for name in repo.references]))
        costs.append(wall(lambda: ask(project, lambda _: None)))
    return statistics.median(floors), statistics.median(costs)


def _frame(work: Path, environ: Mapping[str, str]) -> list[Row]:
    import io

    import pandas

    repository = make_repository(work / "points", environ)
    os.chdir(repository)
    with gittrack.start_run(name="points") as run:
        for step in range(10_000):
            run.log_metric("loss", 1 / (step + 1), step)
    saved = gittrack.get_run(run.id)
    repo = pygit2.Repository(str(repository))
    blob = repo.revparse_single(f"{saved.commit}:metrics/loss.csv").id
    floor, ours = in_turns(
        lambda: wall(lambda: pandas.read_csv(io.BytesIO(repo.read(blob)[1]))),
        lambda: wall(lambda: saved.metric("loss")),
        15,
    )
    return [Row("Q5", "10,000 points of a metric as a series (floor: its blob by pandas)", "s", floor, ours, 2.0)]


def _compare(repository: Path) -> list[Row]:
    project = Project.open(repository)
    runs = search(project, Search(limit=500)).runs
    connection = sqlite3.connect(project.layout.index_file)
    (newest,) = connection.execute("SELECT max(n) FROM run").fetchone()
    text = (
        f"SELECT run, name, value FROM param WHERE run > {newest - 500} UNION ALL "
        f"SELECT run, name, last FROM metric WHERE run > {newest - 500} UNION ALL "
        f"SELECT run, name, value FROM tag WHERE run > {newest - 500}"
    )

    def ours() -> None:
        found = search(project, Search(limit=500)).runs
        gittrack.compare(found, sections=("params", "metrics", "tags"), repo=repository)

    assert len(runs) == 500
    floor, cost = in_turns(lambda: wall(lambda: connection.execute(text).fetchall()), lambda: wall(ours), 9)
    return [Row("Q5", "compare 500 runs × 28 columns (floor: the SQL)", "s", floor, cost, 2.0)]


def main() -> None:
    """Measure this group alone: ``python -m benchmarks.searching [COUNT…]``."""
    from benchmarks.__main__ import measure_alone

    measure_alone(rows, tuple(map(int, sys.argv[1:])) or (1_000, 10_000, 100_000))


if __name__ == "__main__":
    main()
