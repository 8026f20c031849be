"""Runs in a file: both ways over an air gap."""

from __future__ import annotations

import pytest

from gittrack.api.annotate import tag_run
from gittrack.api.bundle import apply_bundle, create_bundle
from gittrack.errors import ConflictError, CorruptRecordError, NotFoundError, UsageError


def create(person, file, **more):
    with person.here():
        return create_bundle(person.project, file, **more)


def apply(person, file) -> int:
    with person.here():
        return sum(found.runs + found.events for found in apply_bundle(person.project, file))


def test_runs_go_both_ways_in_files(people, tmp_path):
    ann, bob = people("ann"), people("bob")
    file = tmp_path / "runs.bundle"
    id = ann.run("first")
    assert create(ann, file).ledgers == 1
    assert apply(bob, file) == 1
    assert apply(bob, file) == 0
    with bob.here():
        tag_run(bob.project, id, {"good": "yes"})
    bob.run("second")
    ann.run("third")
    create(bob, tmp_path / "back.bundle")
    assert apply(ann, tmp_path / "back.bundle") == 2
    with pytest.raises(ConflictError, match="is there already"):
        create(ann, file)
    assert create(ann, file, replace=True).runs == 3
    apply(bob, file)
    assert ann.names() == bob.names() == ["first", "second", "third"]
    ann.push()
    assert bob.fetch().rewritten == ()
    assert bob.names() == ["first", "second", "third"]


def test_what_was_fetched_is_in_the_file_too(people, tmp_path):
    ann, bob, far = people("ann"), people("bob"), people("far")
    ann.run("first")
    ann.push()
    bob.fetch()
    bob.run("second")
    create(bob, tmp_path / "runs.bundle", without=["origin/main"])
    apply(far, tmp_path / "runs.bundle")
    assert far.names() == ["first", "second"]


def test_what_is_no_bundle_is_refused_and_nothing_is_written_without_runs(people, tmp_path):
    ann = people("ann")
    with pytest.raises(NotFoundError, match="no runs yet"):
        create(ann, tmp_path / "runs.bundle")
    (tmp_path / "text.bundle").write_text("hello")
    with pytest.raises(CorruptRecordError, match="is no bundle"):
        apply(ann, tmp_path / "text.bundle")
    (tmp_path / "gitdir.bundle").write_text(f"gitdir: {people('eve').folder}/.git\n")
    with pytest.raises(CorruptRecordError, match="is no bundle"):
        apply(ann, tmp_path / "gitdir.bundle")
    with pytest.raises(NotFoundError, match="there is no file"):
        apply(ann, tmp_path / "nothing.bundle")
    ann.run("first")
    with pytest.raises(UsageError, match="revision"):
        create(ann, tmp_path / "runs.bundle", without=["nowhere"])
    create(ann, tmp_path / "runs.bundle")
    whole = (tmp_path / "runs.bundle").read_bytes()
    (tmp_path / "cut.bundle").write_bytes(whole[:-200])
    bob = people("bob")
    with pytest.raises(CorruptRecordError):
        apply(bob, tmp_path / "cut.bundle")
    assert bob.names() == []


def test_a_bundle_that_waits_for_a_fetch_says_so(people, gittrack_cli, tmp_path):
    import threading
    import time

    from gittrack.store.locks import exclusive

    ann = people("ann")
    ann.run("first")
    assert gittrack_cli("bundle", "create", str(tmp_path / "one"), cwd=ann.folder).returncode == 0
    said = []
    with exclusive(ann.project.layout.sharing_lock):
        threads = [
            threading.Thread(target=lambda words=words: said.append(gittrack_cli("bundle", *words, cwd=ann.folder)))
            for words in (["create", str(tmp_path / "two")], ["apply", str(tmp_path / "one")])
        ]
        for thread in threads:
            thread.start()
        time.sleep(4)
    for thread in threads:
        thread.join(60)
    for done in said:
        assert "gittrack: waiting for another push or fetch of this clone\n" in done.stderr
        assert done.returncode == 0


def test_a_bundle_that_builds_on_code_that_is_not_here_says_what_to_fetch(people, tmp_path, gittrack_cli):
    ann, bob = people("ann"), people("bob")
    (ann.folder / "new.py").write_text("1\n")
    ann.git("add", ".")
    ann.git("commit", "-qm", "new")
    ann.run("first")
    file = str(tmp_path / "since.bundle")
    written = gittrack_cli("bundle", "create", file, "--without", "HEAD", cwd=ann.folder)
    assert "wrote 1 run, " in written.stderr
    refused = gittrack_cli("bundle", "apply", file, cwd=bob.folder)
    assert refused.returncode == 3
    assert f"builds on commits of code that are not here: {ann.git('rev-parse', 'HEAD')}" in refused.stderr
    assert "hint: git fetch, and repeat it" in refused.stderr
    again = gittrack_cli("bundle", "create", file, cwd=ann.folder)
    assert (again.returncode, "hint: --force replaces it" in again.stderr) == (5, True)
    ann.git("push", "-q", "origin", "HEAD")
    bob.git("fetch", "-q")
    assert gittrack_cli("bundle", "apply", file, cwd=bob.folder).returncode == 0
    assert bob.names() == ["first"]
    assert gittrack_cli("bundle", "create", file, "--force", cwd=ann.folder).returncode == 0
