"""What ``fsck`` says of the index: nothing while it is sound, and which of its tables lies otherwise."""

from __future__ import annotations

import sqlite3

import pytest

import gittrack
from gittrack.api.annotate import tag_run
from gittrack.api.maintain import fsck, roll_up_now
from gittrack.api.project import Project


@pytest.fixture
def runs(repo):
    (repo / "data.csv").write_text("a\n")
    for number in range(4):
        with gittrack.start_run(name=f"run-{number}", strict=True, params={"n": number, "model": "xgb"}) as run:
            run.log_metrics({"loss": number / 8, "odd": float("nan")})
            run.log_input("data.csv", role="train")
            run.log_text("x", "model/x.txt")
            run.set_tag("team", "a")
        if number == 2:
            tag_run(Project.open(), "run-1", {"team": "b"})
            roll_up_now(Project.open())
    found("has artifact 'model'")


def found(query: str = "") -> list[str]:
    return [run.name for run in gittrack.search_runs(query, output_format="list")]


def alter(statement: str) -> None:
    """Change the index as a bit that rots would, which no time of the file tells."""
    file = Project.open().layout.index_file
    with sqlite3.connect(file) as connection:
        assert connection.execute(statement).rowcount > 0
    connection.close()
    lock = file.with_name("index.sqlite-lock")
    lock.write_text(lock.read_text().splitlines()[0] + "\n")


def test_of_a_sound_index_nothing_is_said(runs):
    assert fsck(Project.open()) == []
    with gittrack.start_run(name="more", strict=True):
        assert fsck(Project.open()) == []
    assert fsck(Project.open()) == []


@pytest.mark.parametrize(
    ("table", "statement"),
    [
        ("param", "UPDATE param SET value = 'ygb' WHERE value = 'xgb' AND run = 2"),
        ("param", "UPDATE param SET value = 1.0 WHERE value = 1"),
        ("metric", "UPDATE metric SET min = 0.25 WHERE run = 1"),
        ("metric", "DELETE FROM metric WHERE run = 3"),
        ("tag", "UPDATE tag SET value = 'c' WHERE run = 2"),
        ("tag", "UPDATE name SET text = 'teem' WHERE text = 'team'"),
        ("run", "UPDATE run SET start_time = start_time + 1 WHERE n = 1"),
        ("run", "UPDATE run SET deleted = 1 WHERE n = 1"),
        ("document", "UPDATE document SET checksum = checksum + 1 WHERE n = 2"),
        ("artifact", "UPDATE artifact SET path = 'other' WHERE run = 1"),
        ("input", "UPDATE input SET digest = 'md5:00' WHERE run = 1"),
        ("event", "DELETE FROM event"),
        ("listing", "UPDATE listing SET commit_id = replace(commit_id, '1', '2')"),
    ],
)
def test_a_table_that_says_something_else_is_named_and_the_command_mends_it(runs, table, statement):
    alter(statement)
    (finding,) = fsck(Project.open())
    assert finding.where == "index"
    assert finding.reason.startswith(f"its table '{table}' differs")
    assert finding.mend.startswith("rm ")
    assert finding.mend.endswith("index.sqlite*")
    file = Project.open().layout.index_file
    for each in file.parent.glob(file.name + "*"):
        each.unlink()
    assert fsck(Project.open()) == []


def test_an_index_of_a_table_that_lacks_an_entry_is_named(runs):
    file = Project.open().layout.index_file
    data = bytearray(file.read_bytes())
    at = data.index(b"xgb")
    data[at : at + 3] = b"ygb"
    file.write_bytes(data)
    lock = file.with_name("index.sqlite-lock")
    lock.write_text("0\n")
    (finding,) = fsck(Project.open())
    assert finding.where == "index"
