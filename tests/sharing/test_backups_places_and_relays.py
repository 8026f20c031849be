"""Ways in which sharing went wrong: backups, places, bytes left behind, runs handed on, forged statements."""

from __future__ import annotations

import shutil

import pytest

import gittrack
from gittrack.api.ledgers_there import LedgerTip
from gittrack.api.push import plan_push
from gittrack.api.sharing_status import sharing_status
from gittrack.errors import RemoteError

from .test_hostile_and_rewritten import ledger_with, put, run_commit, tree_of
from .test_push_and_fetch import month


def test_a_remote_played_back_from_a_backup_gets_what_it_lacks(people, remote, tmp_path, gittrack_cli):
    ann, bob = people("ann"), people("bob")
    ann.run("one")
    ann.push()
    shutil.copytree(remote, tmp_path / "backup.git")
    ann.run("two")
    ann.push()
    shutil.rmtree(remote)
    (tmp_path / "backup.git").rename(remote)
    said = gittrack_cli("fetch", cwd=ann.folder).stderr
    assert "an earlier state of 1 ledger" in said, said
    status = gittrack_cli("status", cwd=ann.folder).stdout
    assert "an earlier state is there of 1 ledger of yours" in status, status
    assert "everything here is shared" not in status
    assert "news there" not in status
    assert "which lacked it" in gittrack_cli("push", cwd=ann.folder).stderr
    bob.fetch()
    assert bob.names() == ["one", "two"]
    assert "everything here is shared" in gittrack_cli("status", cwd=ann.folder).stdout
    assert plan_push(ann.project).lacking == ()


def test_a_fetch_of_some_months_leaves_what_is_known_of_others(people):
    ann = people("ann")
    first = ann.run("one")
    ann.push()
    head = ann.git("rev-parse", "HEAD")
    old = ledger_with(ann, [("run", first, run_of(ann, first))])
    ann.git("push", "-q", "origin", f"{old}:refs/runs/2020-01/ann")
    ann.fetch()
    root = put(ann, 'format = 1\nmonth = "2020-01"\nname = "X"\nwriter = "ann"\n')
    other = ann.git("commit-tree", tree_of(ann, f"100644 blob {root}\tledger.toml\n"), "-m", "anew")
    ann.git("push", "-q", "--force", "origin", f"{other}:refs/runs/2020-01/ann")
    assert len(ann.fetch().rewritten) == 1
    before = (ann.folder / ".git" / "gittrack" / "doubtful.json").read_text()
    assert ann.fetch(since="2021-01").rewritten == ()
    assert (ann.folder / ".git" / "gittrack" / "doubtful.json").read_text() == before
    assert ann.git("rev-parse", "HEAD") == head


def run_of(person, id):
    with person.here():
        return str(gittrack.get_run(id).commit)


def test_a_place_that_is_away_keeps_nobody_from_sharing_with_the_rest(people, git, tmp_path, gittrack_cli):
    ann, bob = people("ann"), people("bob")
    git("init", "-q", "--bare", str(tmp_path / "second.git"))
    ann.git("remote", "set-url", "--add", "origin", str(tmp_path / "second.git"))
    ann.git("push", "-q", "origin", "HEAD")
    ann.run("one")
    ann.push()
    (tmp_path / "second.git").rename(tmp_path / "away.git")
    ann.run("two")
    with pytest.raises(RemoteError, match="cannot be reached") as caught:
        ann.push()
    assert "has it all" in str(caught.value)
    bob.fetch()
    assert bob.names() == ["one", "two"]
    (tmp_path / "away.git").rename(tmp_path / "second.git")
    ann.push()
    both = [git("rev-parse", f"refs/runs/{month()}/ann", cwd=tmp_path / name) for name in ("remote.git", "second.git")]
    assert both[0] == both[1]


def test_bytes_that_had_nowhere_to_go_go_with_the_next_push(people, tmp_path, gittrack_cli):
    ann, bob = people("ann"), people("bob")
    with ann.here(), gittrack.start_run(name="model", strict=True) as run:
        (ann.folder / "model.bin").write_bytes(b"m" * 100_000)
        run.log_artifact("model.bin")
    (ann.folder / "model.bin").unlink()
    assert "then: gittrack push" in gittrack_cli("push", cwd=ann.folder).stderr
    assert "only here: artifact bytes of 1 shared run" in gittrack_cli("status", cwd=ann.folder).stdout
    assert "the bytes of artifacts stay here" in gittrack_cli("push", cwd=ann.folder).stderr
    (tmp_path / "bytes").mkdir()
    for person in (ann, bob):
        person.git("config", "gittrack.artifactRemote", str(tmp_path / "bytes"))
    assert "brought the bytes of 1 artifact" in gittrack_cli("push", cwd=ann.folder).stderr
    assert "only here" not in gittrack_cli("status", cwd=ann.folder).stdout
    bob.fetch()
    gittrack_cli("pull", "--artifacts", "all", cwd=bob.folder)
    with bob.here():
        assert gittrack.get_run("model").artifact("model.bin") == b"m" * 100_000


def test_a_run_from_an_air_gap_is_handed_on_when_it_is_asked_for(people, tmp_path, gittrack_cli):
    air, bob, ann = people("air"), people("bob"), people("ann")
    air.git("remote", "remove", "origin")
    id = air.run("from-air")
    gittrack_cli("tag", id, "k=v", cwd=air.folder)
    gittrack_cli("bundle", "create", str(tmp_path / "air.bundle"), cwd=air.folder)
    gittrack_cli("bundle", "apply", str(tmp_path / "air.bundle"), cwd=bob.folder)
    said = gittrack_cli("push", cwd=bob.folder).stderr
    assert "1 run of others, which origin has not" in said, said
    ann.fetch()
    assert ann.names() == []
    assert "pushed 1 run and 1 event" in gittrack_cli("push", "from-air", cwd=bob.folder).stderr
    ann.fetch()
    assert ann.names() == ["from-air"]
    with ann.here():
        assert gittrack.get_run("from-air").tags == {"k": "v"}
    assert sharing_status(bob.project).runs == ()


def test_the_next_command_names_the_remote_that_was_named(people, git, tmp_path, gittrack_cli):
    ann = people("ann")
    git("init", "-q", "--bare", str(tmp_path / "other.git"))
    ann.git("remote", "add", "other", str(tmp_path / "other.git"))
    ann.git("push", "-q", "other", "HEAD")
    ann.run("one")
    assert "not shared: 1 run: gittrack push other" in gittrack_cli("status", "other", cwd=ann.folder).stdout
    assert "gittrack fetch other" in gittrack_cli("push", "other", "--yes", cwd=ann.folder).stderr
    ann.git("remote", "rename", "origin", "third")
    ann.git("branch", "--unset-upstream")
    assert "none is called origin" in gittrack_cli("status", cwd=ann.folder).stdout


def test_what_is_no_ledger_is_told_once(people):
    ann, eve = people("ann"), people("eve")
    blob = put(eve, "no ledger")
    eve.git("push", "-q", "origin", f"{blob}:refs/runs/{month()}/eve")
    assert [problem.where for problem in ann.fetch().refused] == [f"ledger {month()}/eve"]
    assert ann.fetch().refused == ()
    eve.git("push", "-q", "--force", "origin", f":refs/runs/{month()}/eve")
    eve.run("good")
    eve.push()
    ann.fetch()
    assert ann.names() == ["good"]


def test_a_copy_of_a_run_in_a_strangers_ledger_is_never_shown_before_the_authors(people):
    bob, eve, ann = people("bob"), people("eve"), people("ann")
    id = bob.run("real")
    commit = run_commit(bob, id)
    bob.push()
    eve.fetch()
    for number in range(6):
        message = eve.git("show", "-s", "--format=%B", commit)
        forged = eve.git(
            *("-c", "user.name=Bob", "-c", "user.email=bob@example.com"),
            *("commit-tree", f"{commit}^{{tree}}", "-p", f"{commit}^", "-m", f"{message}\n\nNumber: {number}"),
        )
        tip = ledger_with(eve, [("run", id, forged)])
        eve.git("push", "-q", "--force", "origin", f"{tip}:refs/runs/2020-{number + 1:02}/eve")
    ann.fetch()
    with ann.here():
        assert gittrack.get_run(id).commit == commit


def test_months_that_have_not_begun_come_last_and_the_old_ones_at_once():
    from gittrack.api.fetch import _rounds

    months = ["9999-12", *(f"20{year:02}-{month:02}" for year in range(10, 26) for month in range(1, 13))]
    rounds = _rounds([LedgerTip(f"refs/runs/{name}/ann", name, "ann", "0" * 40) for name in months], "2025-12")
    assert rounds[0][0] == "2025-12"
    assert len(rounds) == 61
    assert "9999-12" in [tip.month for tip in rounds[-1][1]]
    assert sum(len(tips) for _, tips in rounds) == len(months)


def test_what_would_vanish_is_named_and_what_is_ones_own_is_never_dropped(people, gittrack_cli):
    """Whoever can push can write that a run is expunged, in anybody's name."""
    ann, eve, bob = people("ann"), people("eve"), people("bob")
    mine = ann.run("mine")
    ann.push()
    for person in (eve, bob):
        person.fetch()
    forger = people("forger", "ann")
    forger.fetch()
    gittrack_cli("expunge", mine, "--id", mine, cwd=forger.folder)
    said = gittrack_cli("fetch", cwd=ann.folder).stderr
    assert "1 run would vanish" in said, said
    assert f"{mine[:8]} mine, yours, stays here, expunged, it says, by Forger" in said
    said = gittrack_cli("fetch", "--accept-rewrite", cwd=ann.folder).stderr
    assert f"gittrack restore {mine}" in said, said
    assert ann.names() == []
    gittrack_cli("restore", mine, cwd=ann.folder)
    assert ann.names() == ["mine"]
    bob.fetch(accept_rewrites=True)
    assert bob.names() == []
