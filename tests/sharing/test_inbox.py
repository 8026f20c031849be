"""What is new from others since one last looked."""

from __future__ import annotations

from gittrack.api.annotate import tag_run
from gittrack.api.comments import comment_run
from gittrack.api.news import mark_as_seen, news


def look(person, *, keep: bool = False) -> tuple[list[str], list[str]]:
    with person.here():
        found = news(person.project)
        if not keep:
            mark_as_seen(person.project, found)
    return [run.record.name for run in found.runs], [event.kind for event in found.events]


def test_what_others_shared_is_new_once(people):
    ann, bob = people("ann"), people("bob")
    id = ann.run("first")
    ann.push()
    assert look(ann) == ([], []), "one's own runs are no news"
    bob.fetch()
    assert look(bob, keep=True) == (["first"], [])
    assert look(bob) == (["first"], [])
    assert look(bob) == ([], [])
    bob.run("second")
    with bob.here():
        tag_run(bob.project, id, {"good": "yes"})
        comment_run(bob.project, id, "well done")
    bob.push()
    ann.fetch()
    assert look(ann) == (["second"], ["comment", "tag"])
    ann.run("third")
    ann.push()
    bob.fetch()
    assert look(bob) == (["third"], [])


def test_the_command_line_shows_and_remembers(people, gittrack_cli):
    ann, bob = people("ann"), people("bob")
    ann.run("first")
    ann.push()
    bob.fetch()
    shown = gittrack_cli("inbox", cwd=bob.folder)
    assert "Ann" in shown.stdout
    assert "'first' in Default, finished" in shown.stdout
    again = gittrack_cli("inbox", cwd=bob.folder)
    assert (again.stdout, again.returncode) == ("", 0)
    assert "nothing new from others" in again.stderr
