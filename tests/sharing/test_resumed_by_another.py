"""Who resumes a run that somebody else shared is told what comes of it; who resumes their own is not."""

from __future__ import annotations

import gittrack
from gittrack.api.maintain import roll_up_now

SAID = "gittrack: run 'first' is in the ledger of ann: once this is pushed, both versions are shown, as conflicting; "


def resume(person, id: str) -> None:
    with person.here(), gittrack.start_run(run_id=id, strict=True) as run:
        run.log_metric("loss", 0.1)


def test_a_run_in_the_ledger_of_another_becomes_a_conflict_and_that_is_said(people, capsys):
    ann, bob = people("ann"), people("bob")
    id = ann.run("first")
    ann.push()
    bob.fetch()
    capsys.readouterr()
    resume(bob, id)
    assert f"{SAID}a run of your own instead: start_run(parent='{id[:8]}')\n" in capsys.readouterr().err
    with bob.here():
        assert gittrack.get_run(id).conflicts == (), "here it replaces the one it continues"
    bob.push()
    ann.fetch()
    with ann.here():
        assert len(gittrack.get_run(id).conflicts) == 1


def test_of_ones_own_runs_wherever_they_lie_nothing_is_said(people, capsys):
    ann, two = people("ann"), people("two", "ann")
    first, second, third = ann.run("first"), ann.run("second"), ann.run("third")
    ann.push(runs=[first])
    with ann.here():
        roll_up_now(ann.project)
    fourth = ann.run("fourth")
    two.fetch()
    for person, id in ((ann, first), (ann, second), (ann, third), (ann, fourth), (two, first)):
        resume(person, id)
    assert "conflicting" not in capsys.readouterr().err


def test_the_command_that_adds_an_artifact_says_it_too(people, gittrack_cli):
    ann, bob = people("ann"), people("bob")
    id = ann.run("first")
    ann.push()
    bob.fetch()
    (bob.folder / "more.txt").write_text("more")
    done = gittrack_cli("artifact", "add", id, "more.txt", cwd=bob.folder)
    assert done.returncode == 0
    assert SAID in done.stderr
