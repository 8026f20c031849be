"""The diary: what was run and said, by whom, newest first."""

from __future__ import annotations

import json

import pytest

from gittrack.api.annotate import tag_run
from gittrack.api.comments import comment_run
from gittrack.api.diary import diary
from gittrack.errors import ExperimentNotFoundError


def entries(person, **asked) -> list[tuple[str, str, str | None]]:
    with person.here():
        found = diary(person.project, **asked)
    return [
        (item.who.name, "run" if item.event is None else item.event.kind, item.run and item.run.name) for item in found
    ]


def test_the_diary_of_all_of_a_person_of_an_experiment(people):
    ann, bob = people("ann"), people("bob")
    id = ann.run("first", experiment="churn")
    ann.run("second", experiment="vision")
    ann.push()
    bob.fetch()
    with bob.here():
        tag_run(bob.project, id, {"good": "yes"})
        comment_run(bob.project, id, "well done")
    assert entries(bob) == [
        ("Bob", "comment", "first"),
        ("Bob", "tag", "first"),
        ("Ann", "run", "second"),
        ("Ann", "run", "first"),
    ]
    assert entries(bob, limit=1) == [("Bob", "comment", "first")]
    assert entries(bob, who="ann") == entries(bob, who="ANN@example.com") == entries(bob)[2:]
    assert entries(bob, experiment="churn") == [*entries(bob)[:2], ("Ann", "run", "first")]
    assert entries(bob, query="name = 'second'") == [("Ann", "run", "second")]
    with pytest.raises(ExperimentNotFoundError):
        entries(bob, experiment="nope")


def test_the_command_line_shows_it(people, gittrack_cli):
    ann = people("ann")
    id = ann.run("first")
    shown = gittrack_cli("log", cwd=ann.folder)
    assert f"run {id[:8]} 'first' in Default: finished" in shown.stdout
    (entry,) = json.loads(gittrack_cli("log", "--json", "--by", "ann", cwd=ann.folder).stdout)["entries"]
    assert entry["run"] == {"id": id, "name": "first"}
    assert gittrack_cli("log", "--by", "nobody", cwd=ann.folder).stdout == ""
    assert gittrack_cli("log", "first", "--by", "ann", cwd=ann.folder).returncode == 2
