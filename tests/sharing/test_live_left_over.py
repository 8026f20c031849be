"""What is at a remote of live runs that are over, expunged or bad, and clones that lack what is before a checkpoint."""

from __future__ import annotations

import json
import subprocess

import gittrack
from gittrack.api.fetched_checkpoints import MOST_CONNECTIONS
from gittrack.api.sharing_status import sharing_status
from gittrack.errors import StorageError
from gittrack.store.pushed_checkpoints import read_pushed
from sharing.test_live import begun, checkpoint, ended, live_refs, seen


def elsewhere(person, **more):
    with person.here():
        return sharing_status(person.project, **more).elsewhere


def test_in_a_shallow_clone_a_checkpoint_whose_code_is_cut_off_is_not_finished(people, remote, gittrack_cli):
    ann = people("ann")
    for number in range(2):
        ann.git("commit", "-q", "--allow-empty", "-m", str(number))
    ann.git("push", "-q", "origin", "main")
    cid = people("cid", None, "--depth=1", "--no-local")
    ann.git("commit", "-q", "--allow-empty", "-m", "new")
    run = begun(ann, name="long")
    run.log_metric("loss", 0.5)
    checkpoint(ann, run.id)
    cid.fetch()
    before = (cid.git("for-each-ref"), cid.git("count-objects", "-v"))
    done = gittrack_cli("recover", "--yes", run.id[:8], cwd=cid.folder)
    assert (done.returncode, "hint: git fetch --unshallow" in done.stderr) == (StorageError.exit_code, True)
    assert (cid.git("for-each-ref"), cid.git("count-objects", "-v")) == before
    assert read_pushed(cid.project.layout, run.id) is None
    assert cid.git("fsck", "--connectivity-only") == ""
    ann.git("push", "-q", "origin", "main")
    cid.git("fetch", "-q", "--unshallow")
    assert gittrack_cli("recover", "--yes", run.id[:8], cwd=cid.folder).returncode == 0
    assert cid.git("fsck", "--connectivity-only") == ""
    cid.git("rev-list", "--all")
    cid.push()
    assert live_refs(remote) == []
    ended(ann, run)


def test_a_checkpoint_whose_run_is_over_is_no_run_that_goes_on(people, remote, gittrack_cli):
    """Some hosts let nobody remove such a ref."""
    ann, bob, cid = people("ann"), people("bob"), people("cid")
    run = begun(ann, name="long")
    tip = checkpoint(ann, run.id)
    bob.fetch()
    with bob.here():
        gittrack.runs()  # bob has an index, cid none
    assert elsewhere(bob) == (run.id,)
    ended(ann, run)
    ann.push()
    subprocess.run(["git", "update-ref", f"refs/runs/live/{run.id}", tip], cwd=remote, check=True)
    for person in (ann, bob, cid):
        found = gittrack_cli("fetch", "--json", cwd=person.folder)
        assert json.loads(found.stdout)["running"] == [], person.name
        assert elsewhere(person) == elsewhere(person, offline=True) == (), person.name
        assert seen(person, run.id).status == "finished"


def test_the_checkpoint_of_a_resumption_goes_on_although_the_run_was_over_once(people):
    ann, bob = people("ann"), people("bob")
    id = ann.run("long")
    ann.push()
    bob.fetch()
    run = begun(ann, run_id=id)
    checkpoint(ann, id)
    assert elsewhere(bob) == (id,)
    assert bob.fetch().running == (id,)
    assert elsewhere(bob) == elsewhere(bob, offline=True) == (id,)
    ended(ann, run)


def test_an_expunged_run_is_not_shown_again_by_a_checkpoint(people, remote, gittrack_cli):
    ann, bob = people("ann"), people("bob")
    run = begun(ann, name="long", params={"word": "hunter2"})
    tip = checkpoint(ann, run.id)
    subprocess.run(["git", "update-ref", "refs/others/kept", tip], cwd=remote, check=True)
    ended(ann, run)
    ann.push()
    done = gittrack_cli("expunge", run.id, "--id", run.id, cwd=ann.folder)
    assert done.returncode == 0, done.stderr
    ann.push()
    subprocess.run(["git", "update-ref", f"refs/runs/live/{run.id}", tip], cwd=remote, check=True)
    found = bob.fetch()
    assert found.running == ()
    assert not any("/live/" in name for name in bob.refs()), "what is expunged is not fetched again"
    bob.git("fetch", "-q", "origin", "refs/others/kept")
    bob.git("update-ref", f"refs/runs-remote/origin/live/{run.id}", tip)  # as one that came before the event
    with bob.here():
        assert [each.id for each in gittrack.runs()] == []
    listed = gittrack_cli("ls", cwd=bob.folder)
    assert "hunter2" not in gittrack_cli("show", run.id, cwd=bob.folder).stdout
    assert ("long" in listed.stdout, "was expunged" in listed.stderr) == (False, True)
    bob.fetch()
    assert not any("/live/" in name for name in bob.refs())


BAD = """tree {tree}
author Ann <a> 1 +0000
committer Ann <a> 00 +0000

{number}
"""


def test_what_git_refuses_is_told_once_and_few_connections_are_made_for_it(people, remote, tmp_path, monkeypatch):
    ann, bob = people("ann"), people("bob")
    run = begun(ann, name="long")
    checkpoint(ann, run.id)
    tree = ann.git("rev-parse", "HEAD^{tree}")
    lines = ""
    for number in range(12):
        text = BAD.format(tree=tree, number=number)
        command = ["git", "hash-object", "-t", "commit", "-w", "--stdin", "--literally"]
        bad = subprocess.check_output(command, cwd=remote, input=text, text=True).strip()
        lines += f"create refs/runs/live/{number:032x} {bad}\n"
    subprocess.run(["git", "update-ref", "--stdin"], cwd=remote, input=lines, text=True, check=True)
    trace = tmp_path / "trace"

    def fetched():
        trace.write_text("")
        monkeypatch.setenv("GIT_TRACE", str(trace))
        found = bob.fetch()
        monkeypatch.delenv("GIT_TRACE")
        count = sum("built-in: git fetch " in line for line in trace.read_text().splitlines())
        assert count <= MOST_CONNECTIONS
        return count, found

    refused = set()
    while (said := fetched())[1].refused != ():
        _, found = said
        new = {problem.where for problem in found.refused} - {"checkpoints"}
        assert new
        assert not new & refused, "what was refused once is not asked for again"
        refused |= new
    assert len(refused) == 12
    assert said[1].running == (run.id,)
    assert fetched()[0] == 0
    assert bob.names() == ["long"]
    ended(ann, run)


def test_a_finished_run_that_somebody_calls_live_is_not_refused_where_a_ledger_lists_it(people, remote):
    ann, bob = people("ann"), people("bob")
    done = ann.run("done")
    ann.git("push", "-q", "origin", f"refs/runs/inbox/{done}:refs/runs/live/{done}")
    assert len(bob.fetch().refused) == 1
    assert bob.fetch().refused == ()
    ann.push()
    found = bob.fetch()
    assert (found.runs, found.refused) == (1, ())
    assert bob.names() == ["done"]
