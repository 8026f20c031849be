"""What a remote sends is checked before anybody sees it; what it takes back stays until somebody says so."""

from __future__ import annotations

import subprocess

import pytest

import gittrack
from gittrack.errors import RemoteError
from gittrack.store.refused import read_refused

from .test_push_and_fetch import month


def ledger_with(person, commits: list[tuple[str, str, str]], base: str | None = None) -> str:
    """A ledger commit made by hand, as a stranger would: rows of kind, id, commit."""
    rows = "".join(f"{kind}\t{id}\t{commit}\n" for kind, id, commit in sorted(commits))
    blob = put(person, "gittrack-batch\t1\n" + rows)
    tree = tree_of(person, f"100644 blob {blob}\tbatch.tsv\n")
    if base is None:
        root = put(person, 'format = 1\nmonth = "2026-11"\nname = "X"\nwriter = "eve"\n')
        base = person.git("commit-tree", tree_of(person, f"100644 blob {root}\tledger.toml\n"), "-m", "ledger")
    parents = [part for _, _, commit in commits for part in ("-p", commit)]
    return person.git("commit-tree", tree, "-p", base, *parents, "-m", "a batch")


def put(person, text: str) -> str:
    return feed(person, text, "hash-object", "-w", "--stdin")


def tree_of(person, listing: str) -> str:
    return feed(person, listing, "mktree")


def feed(person, text: str, *args: str) -> str:
    done = subprocess.run(["git", *args], cwd=person.folder, input=text, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def run_commit(person, id: str) -> str:
    return person.git("rev-parse", f"refs/runs/inbox/{id}")


def test_one_hostile_run_is_one_refused_line_and_hides_no_other(people):
    eve, bob = people("eve"), people("bob")
    good, forged = eve.run("good"), eve.run("forged")
    commit = run_commit(eve, forged)
    message = eve.git("show", "-s", "--format=%B", commit).replace('"last":0.5', '"last":0.001')
    liar = feed(eve, message, "commit-tree", f"{commit}^{{tree}}", "-p", f"{commit}^", "-F", "-")
    link = tree_of(eve, f"120000 blob {put(eve, '/etc/passwd')}\trun.toml\n")
    linked = eve.git("commit-tree", link, "-m", "a link")
    rows = [("run", good, run_commit(eve, good)), ("run", forged, liar), ("run", "d" * 32, linked)]
    tip = ledger_with(eve, rows)
    eve.git("push", "-q", "origin", f"{tip}:refs/runs/{month()}/eve")
    found = bob.fetch()
    assert [row.id for row in found.rows] == [good]
    assert {problem.where: problem.reason for problem in found.refused} == {
        f"run {forged}": "its commit message says other things than its tree",
        f"run {'d' * 32}": f"'run.toml' in commit '{linked}' is not a file (mode 120000)",
    }
    assert bob.names() == ["good"]
    assert {row.commit for row in read_refused(bob.project.layout)} == {liar, linked}
    assert bob.fetch().refused == ()


def test_a_batch_that_names_what_it_does_not_carry_is_refused(people):
    eve, bob = people("eve"), people("bob")
    eve.run("good")
    eve.push()
    base = eve.git("rev-parse", f"refs/runs-remote/origin/{month()}/eve")
    blob = put(eve, f"gittrack-batch\t1\nrun\t{'e' * 32}\t{eve.git('rev-parse', 'HEAD')}\n")
    tree = tree_of(eve, f"100644 blob {blob}\tbatch.tsv\n")
    tip = eve.git("commit-tree", tree, "-p", base, "-m", "a batch")
    eve.git("push", "-q", "origin", f"{tip}:refs/runs/{month()}/eve")
    found = bob.fetch()
    assert len(found.refused) == 1
    assert "no parent" in found.refused[0].reason
    assert bob.names() == ["good"]


def test_a_tree_that_git_refuses_costs_its_own_ledger_only(people):
    eve, ann, bob = people("eve"), people("ann"), people("bob")
    ann.run("good")
    ann.push()
    inner = tree_of(eve, f"100644 blob {put(eve, 'x')}\tconfig\n")
    listing = f"040000 tree {inner}\t.git\n"
    bad = eve.git("commit-tree", tree_of(eve, listing), "-m", "bad")
    tip = ledger_with(eve, [("run", "d" * 32, bad)])
    eve.git("push", "-q", "origin", f"{tip}:refs/runs/{month()}/eve")
    found = bob.fetch()
    assert [problem.where for problem in found.refused] == [f"ledger {month()}/eve"]
    assert "hasDotgit" in found.refused[0].reason
    assert bob.names() == ["good"]
    assert not [name for name in bob.refs() if "fetched" in name]


@pytest.mark.parametrize("way", ["rewritten", "deleted"])
def test_a_ledger_that_was_rewritten_is_told_and_stays_as_it_was_until_it_is_accepted(people, way):
    ann, bob = people("ann"), people("bob")
    ann.run("first")
    ann.push()
    bob.fetch()
    bob.run("mine")
    bob.push()
    ref = f"refs/runs/{month()}/ann"
    if way == "deleted":
        ann.git("push", "-q", "origin", f":{ref}")
    else:
        ann.git("update-ref", "-d", f"refs/runs-remote/origin/{month()}/ann")
        id = ann.run("other")
        tip = ledger_with(ann, [("run", id, run_commit(ann, id))])
        ann.git("push", "-q", "--force", "origin", f"{tip}:{ref}")
    found = bob.fetch()
    assert [(ledger.writer, len(ledger.lost)) for ledger in found.rewritten] == [("ann", 1)]
    assert bob.names() == ["first", "mine"]
    assert bob.fetch().rewritten != ()
    accepted = bob.fetch(accept_rewrites=True)
    assert len(accepted.accepted) == 1
    assert bob.names() == (["mine"] if way == "deleted" else ["mine", "other"])
    assert bob.fetch().rewritten == ()


def test_what_is_ones_own_in_a_ledger_that_was_rewritten_stays_here(people):
    ann = people("ann")
    ann.run("first")
    ann.push()
    ann.git("push", "-q", "origin", f":refs/runs/{month()}/ann")
    ann.fetch(accept_rewrites=True)
    assert ann.names() == ["first"]
    assert len(ann.push().shared.rows) == 1


def test_a_push_to_a_ledger_that_was_rewritten_is_refused_with_the_way_out(people):
    ann, two = people("ann"), people("two", "ann")
    ann.run("first")
    ann.push()
    id = two.run("other")
    tip = ledger_with(two, [("run", id, run_commit(two, id))])
    two.git("push", "-q", "--force", "origin", f"{tip}:refs/runs/{month()}/ann")
    ann.run("second")
    with pytest.raises(RemoteError, match="was rewritten there") as caught:
        ann.push()
    assert caught.value.hint == "gittrack fetch origin --accept-rewrite"
    ann.fetch(accept_rewrites=True)
    ann.push()
    assert ann.names() == ["first", "other", "second"]


def test_a_bad_ledger_alone_in_its_month_holds_back_no_other_month(people):
    eve, ann, bob = people("eve"), people("ann"), people("bob")
    ann.run("good")
    ann.push()
    inner = tree_of(eve, f"100644 blob {put(eve, 'x')}\tconfig\n")
    bad = eve.git("commit-tree", tree_of(eve, f"040000 tree {inner}\t.git\n"), "-m", "bad")
    tip = ledger_with(eve, [("run", "d" * 32, bad)])
    eve.git("push", "-q", "origin", f"{tip}:refs/runs/2999-12/eve")
    found = bob.fetch()
    assert [problem.where for problem in found.refused] == ["ledger 2999-12/eve"]
    assert bob.names() == ["good"]


def test_what_an_accepted_rewriting_brings_is_checked_too(people):
    eve, bob = people("eve"), people("bob")
    eve.run("good")
    eve.push()
    bob.fetch()
    forged = eve.run("forged")
    commit = run_commit(eve, forged)
    message = eve.git("show", "-s", "--format=%B", commit).replace('"last":0.5', '"last":0.001')
    liar = feed(eve, message, "commit-tree", f"{commit}^{{tree}}", "-p", f"{commit}^", "-F", "-")
    tip = ledger_with(eve, [("run", forged, liar)])
    eve.git("push", "-q", "--force", "origin", f"{tip}:refs/runs/{month()}/eve")
    assert len(bob.fetch().rewritten) == 1
    accepted = bob.fetch(accept_rewrites=True)
    assert [problem.where for problem in accepted.refused] == [f"run {forged}"]
    assert bob.names() == []
    assert {row.commit for row in read_refused(bob.project.layout)} == {liar}


def test_a_row_that_gives_a_good_run_another_id_costs_only_itself(people):
    """Else anybody who can push could make anybody's run vanish for all who fetch."""
    ann, eve, bob = people("ann"), people("eve"), people("bob")
    good = ann.run("good")
    commit = run_commit(ann, good)
    ann.push()
    eve.fetch()
    tip = ledger_with(eve, [("run", "e" * 32, commit)])
    eve.git("push", "-q", "origin", f"{tip}:refs/runs/{month()}/eve")
    found = bob.fetch()
    assert [problem.where for problem in found.refused] == [f"run {'e' * 32}"]
    with bob.here():
        assert [run.id for run in gittrack.runs()] == [good]
    assert bob.fetch().refused == ()
