"""What cannot be read is told, and alone tried again: it makes no command read everything, and is found once mended."""

from __future__ import annotations

import subprocess

import pytest

import gittrack
from gittrack.api import index_details, index_refresh
from gittrack.api.annotate import tag_run
from gittrack.api.maintain import roll_up_now
from gittrack.api.project import Project
from gittrack.api.run_index import ask
from gittrack.api.search import Search, count_runs, search
from gittrack.core.ledger import BATCH_FILE
from gittrack.core.query.parser import parse_query


def found(query: str = ""):
    project = Project.open()
    return search(project, Search(parse_query(query, now=project.now())))


def names(query: str = "") -> list[str]:
    return [run.name for run in found(query).runs]


def loosen(repo) -> None:
    """Make every object a file of its own."""
    aside = repo.with_name("packs")
    aside.mkdir()
    for file in (repo / ".git" / "objects" / "pack").glob("*"):
        file.rename(aside / file.name)
    for pack in aside.glob("*.pack"):
        with pack.open("rb") as file:
            subprocess.run(["git", "unpack-objects", "-q"], stdin=file, cwd=repo, check=True)


@pytest.fixture
def ledger(repo, git) -> str:
    """The ledger of ten runs with a tag each, in three batches, its objects loose."""
    for number in range(10):
        with gittrack.start_run(name=f"run-{number}", strict=True):
            pass
        tag_run(Project.open(), f"run-{number}", {"n": str(number)})
        if number in (3, 6):
            roll_up_now(Project.open())
    roll_up_now(Project.open())
    loosen(repo)
    forget_index()
    return git("for-each-ref", "--format=%(refname)", "refs/runs/local", cwd=repo).strip()


class Reads:
    """What is read of ledgers."""

    def __init__(self, monkeypatch) -> None:
        self.events: list[str] = []
        self.batches: list[str] = []
        event, batches = index_refresh.read_event, index_refresh.walk_batches

        def read_event(repo, commit):
            self.events.append(commit)
            return event(repo, commit)

        def walk_batches(repo, tip, stop=None, *, told=None):
            self.batches.append(tip)
            for each in batches(repo, tip, stop, told=told):
                self.batches.append(tip)
                yield each

        monkeypatch.setattr(index_refresh, "read_event", read_event)
        monkeypatch.setattr(index_refresh, "walk_batches", walk_batches)

    def taken(self) -> tuple[int, int]:
        counts = len(self.events), len(self.batches)
        self.events.clear()
        self.batches.clear()
        return counts


def object_file(repo, id):
    return repo / ".git" / "objects" / id[:2] / id[2:]


def test_of_a_ledger_only_the_event_that_cannot_be_read_is_read_again(repo, ledger, monkeypatch):
    rows = ask(
        Project.open(), lambda index: index.connection.execute("SELECT subject, commit_id FROM event").fetchall()
    )
    (commit,) = (commit for subject, commit in rows if subject == f"run:{gittrack.get_run('run-4').id}")
    forget_index()
    file = object_file(repo, commit)
    data = file.read_bytes()
    file.unlink()
    reads = Reads(monkeypatch)
    assert names("tags.n >= 0") == [f"run-{n}" for n in (9, 8, 7, 6, 5, 3, 2, 1, 0)]
    assert reads.taken()[0] == 10
    for _ in range(2):
        (problem,) = found().problems
        assert "event" in problem.where
        assert reads.taken() == (1, 0)
    file.write_bytes(data)
    assert names("tags.n = 4") == ["run-4"]
    assert found().problems == ()
    reads.taken()
    assert len(names()) == 10
    assert reads.taken() == (0, 0)


@pytest.mark.parametrize("back", [0, 1, 2])
def test_of_a_ledger_only_the_batch_that_cannot_be_read_is_read_again(repo, git, ledger, monkeypatch, back):
    lost = git("rev-parse", f"{ledger}~{back}", cwd=repo).strip()
    file = object_file(repo, lost)
    data = file.read_bytes()
    file.unlink()
    reads = Reads(monkeypatch)
    left = len(names())
    assert left < 10
    reads.taken()
    for _ in range(2):
        assert (len(names()), len(found().problems)) == (left, 1)
        assert reads.taken() == (0, 2)  # twice asked, each time one look at one commit
    file.write_bytes(data)
    assert (len(names()), found().problems) == (10, ())
    assert names("tags.n = 0") == ["run-0"]


def test_a_damaged_batch_below_the_tip_is_tried_again_alone(repo, git, ledger, monkeypatch):
    tip = git("rev-parse", ledger, cwd=repo).strip()
    blob = git("rev-parse", f"{tip}~1:{BATCH_FILE}", cwd=repo).strip()
    file = object_file(repo, blob)
    data = file.read_bytes()
    file.unlink()
    reads = Reads(monkeypatch)
    assert len(names()) == 7
    reads.taken()
    (problem,) = found().problems
    assert problem.where.startswith(f"{ledger} commit ")
    assert reads.taken() == (0, 1)
    file.write_bytes(data)
    assert (len(names()), found().problems) == (10, ())


def forget_index() -> None:
    file = Project.open().layout.index_file
    for each in file.parent.glob(file.name + "*"):
        each.unlink()


# -- trees -----------------------------------------------------------------------------------------------------------


def test_a_run_of_a_damaged_tree_is_told_and_neither_has_nor_lacks_what_is_asked_for(repo, git, monkeypatch):
    ids = []
    for name in ("good", "bad", "plain"):
        with gittrack.start_run(name=name, strict=True, params={"a": 1}) as run:
            if name != "plain":
                run.log_text(name, "model/x.txt")
        ids.append(run.id)
    commit = gittrack.get_run("bad").commit
    blob = git("rev-parse", f"{commit}:artifacts.toml", cwd=repo).strip()
    file = object_file(repo, blob)
    data = file.read_bytes()
    file.unlink()
    for _ in range(2):
        assert names("has artifact 'model'") == ["good"]
        assert names("not has artifact 'model'") == ["plain"]
        assert count_runs(Project.open(), Search(parse_query("artifacts.path is null", now=0))) == 1
        (problem,) = found("has artifact 'model'").problems
        assert problem.where == f"run {ids[1]}"
    assert (names(), found().problems) == (["plain", "bad", "good"], ())

    def no(*_):
        raise AssertionError("read again")

    with monkeypatch.context() as patched:
        patched.setattr("gittrack.store.run_reader.read_record", no)
        assert names("has artifact 'model'") == ["good"]
    file.write_bytes(data)
    monkeypatch.setattr(index_details, "_AGAIN_MS", -1)  # a minute later
    assert names("has artifact 'model'") == ["bad", "good"]
    assert found("has artifact 'model'").problems == ()
