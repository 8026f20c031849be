"""Many runs that are not shared: the user's own fetch need not read each of them."""

from __future__ import annotations

import pytest

from gittrack.store.rollup import roll_up


def rolled(person, count=3):
    for number in range(count):
        person.run(f"run-{number}")
    project = person.project
    roll_up(project.repo, project.layout, project.author, project.now())


def graph_files(person):
    return sorted((person.folder / ".git" / "objects" / "info").glob("commit-graphs/*.graph"))


def test_a_roll_up_leaves_its_runs_in_the_commit_graph(people):
    ann = people("ann")
    rolled(ann)
    assert graph_files(ann)
    ann.git("commit-graph", "verify")
    ann.git("fsck", "--strict")
    tip = ann.git("for-each-ref", "--format=%(objectname)", "refs/runs/local")
    assert bytes.fromhex(tip) in b"".join(path.read_bytes() for path in graph_files(ann))
    rolled(ann)
    ann.git("commit-graph", "verify")
    assert len(ann.names()) == 6


@pytest.mark.parametrize("switch", ["core.commitGraph", "gc.writeCommitGraph"])
def test_who_switched_the_commit_graph_off_gets_none(people, switch):
    ann = people("ann")
    ann.git("config", switch, "false")
    rolled(ann)
    assert graph_files(ann) == []
    assert len(ann.names()) == 3


def test_a_commit_graph_that_cannot_be_written_stops_no_roll_up(people):
    ann = people("ann")
    info = ann.folder / ".git" / "objects" / "info"
    info.mkdir(exist_ok=True)
    (info / "commit-graphs").mkdir()
    (info / "commit-graphs" / "commit-graph-chain.lock").write_text("")
    rolled(ann)
    assert [name.split("/")[2] for name in ann.refs()] == ["local"]
    assert len(ann.names()) == 3


def test_in_a_shallow_clone_none_is_written(people, remote):
    ann = people("ann")
    ann.git("commit", "-q", "--allow-empty", "-m", "second")
    ann.git("push", "-q", "origin", "main")
    ci = people("ci", None, "--depth=1", "--no-local")
    rolled(ci)
    assert graph_files(ci) == []
    assert len(ci.names()) == 3
