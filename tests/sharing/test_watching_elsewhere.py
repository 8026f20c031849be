"""Watching a run that goes on elsewhere: what its remote has of it is fetched meanwhile."""

from __future__ import annotations

import time

from gittrack.api.elsewhere import SILENT
from gittrack.api.followed_elsewhere import Followed
from gittrack.store.notes_file import read_notes, write_notes

from .test_live import begun, checkpoint, ended, seen, until


def test_a_watched_run_is_fetched_while_it_is_watched(people):
    ann, bob = people("ann"), people("bob")
    run = begun(ann, name="long")
    run.log_metric("loss", 1.0, 0)
    checkpoint(ann, run.id)
    bob.fetch()
    followed = Followed(bob.project, seen(bob, run.id), every=0)

    def points():
        followed.look()
        return len(seen(bob, run.id).history("loss"))

    try:
        run.log_metric("loss", 0.5, 1)
        checkpoint(ann, run.id)
        until(lambda: points() == 2)
        where = bob.git("remote", "get-url", "origin")
        bob.git("remote", "set-url", "origin", str(bob.folder / "nowhere.git"))
        until(lambda: points() and "nowhere.git" in bob.git("remote", "get-url", "origin") and followed.failed)
        bob.git("remote", "set-url", "origin", where)
        until(lambda: points() and not followed.failed)
        ended(ann, run)
        ann.push()
        until(lambda: points() and seen(bob, run.id).status == "finished")
    finally:
        followed.close()


def test_the_command_ends_when_the_run_has_ended_there(people, gittrack_cli):
    ann, bob = people("ann"), people("bob")
    run = begun(ann, name="long")
    run.log_metric("loss", 1.0, 0)
    checkpoint(ann, run.id)
    bob.fetch()
    once = gittrack_cli("watch", "--once", "long", cwd=bob.folder)
    assert "seen" in once.stdout and "by a checkpoint at origin" in once.stdout
    assert ", seen " in gittrack_cli("top", "--once", cwd=bob.folder).stdout
    ended(ann, run)
    ann.push()
    shown = gittrack_cli("watch", "-n", "0.2", "long", cwd=bob.folder)
    assert shown.returncode == 0, shown.stderr
    assert "finished" in shown.stdout and "by a checkpoint" not in shown.stdout


def test_a_run_that_was_long_unseen_is_not_waited_for(people, gittrack_cli):
    ann, bob = people("ann"), people("bob")
    run = begun(ann, name="long")
    checkpoint(ann, run.id)
    bob.fetch()
    bob.git("remote", "set-url", "origin", str(bob.folder / "nowhere.git"))
    notes = bob.folder / ".git/gittrack/remotes.json"
    known = read_notes(notes)
    known["origin"]["asked"] = time.time_ns() // 1_000_000 + SILENT + 60_000  # as if it had been silent until then
    write_notes(notes, known)
    shown = gittrack_cli("watch", "-n", "0.2", "long", cwd=bob.folder)
    assert shown.returncode == 1
    assert f"may be dead: gittrack recover {run.id[:8]}" in shown.stderr
    ended(ann, run)
