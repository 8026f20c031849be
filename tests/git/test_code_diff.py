"""``git diff`` between two snapshots, and of a snapshot and the work tree: right, streamed, and nothing is executed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gittrack.core.ids import ObjectId
from gittrack.errors import GitProgramError, NotFoundError
from gittrack.git.code_diff import CodeDiff, FileChange
from gittrack.git.limits import SnapshotLimits
from gittrack.git.pager import pager_for_diff
from gittrack.git.repository import Repository
from gittrack.git.snapshot import start_snapshot

TRIPWIRE = f"{sys.executable} -c \"import pathlib; pathlib.Path('{{mark}}').touch()\" #"


def snapshot(repo: Path) -> ObjectId:
    commit = start_snapshot(Repository.discover(repo), SnapshotLimits()).result().commit
    assert commit is not None
    return commit


def between(repo: Path, before: ObjectId, after: ObjectId | None = None) -> CodeDiff:
    return CodeDiff(before, after, after is None, _repo=Repository.discover(repo))


def stored(repo: Path) -> set[str]:
    """Every file below the git directory, with its size."""
    return {f"{path}:{path.stat().st_size}" for path in (repo / ".git").rglob("*") if path.is_file()}


@pytest.fixture
def changed(repo, git):
    """Two snapshots with each kind of change between them."""
    (repo / "moved.py").write_text("".join(f"line {number}\n" for number in range(20)))
    (repo / "gone.py").write_text("gone\n")
    (repo / "bin").write_bytes(b"\0\1")
    before = snapshot(repo)
    (repo / "moved.py").rename(repo / "größe.py")
    (repo / "gone.py").unlink()
    (repo / "bin").write_bytes(b"\0\2")
    (repo / "train.py").write_text("print('other')\n")
    (repo / "new\twith\ttabs.py").write_text("new\n")
    return before, snapshot(repo)


CHANGES = (
    FileChange("modified", "bin"),
    FileChange("deleted", "gone.py"),
    FileChange("renamed", "größe.py", "moved.py"),
    FileChange("added", "new\twith\ttabs.py"),
    FileChange("modified", "train.py"),
)


def by_path(changes):
    return tuple(sorted(changes, key=lambda change: change.path))


def test_every_kind_of_change_is_told(repo, changed):
    found = between(repo, *changed)
    assert by_path(found.files) == by_path(CHANGES)
    assert found.differs
    counts = found.line_counts()
    assert counts["train.py"] == (1, 1) and counts["bin"] == (None, None) and counts["größe.py"] == (0, 0)


def test_a_patch_made_here_turns_one_code_into_the_other(repo, changed, git, tmp_path):
    before, after = changed
    place = tmp_path / "place"
    git("worktree", "add", "--quiet", "--detach", str(place), before, cwd=repo)
    git("apply", "--index", cwd=place, stdin=between(repo, before, after).patch())
    assert git("write-tree", cwd=place).strip() == git("rev-parse", f"{after}^{{tree}}", cwd=repo).strip()


def test_a_patch_keeps_bytes_that_are_no_text(repo):
    before = snapshot(repo)
    (repo / "latin.txt").write_bytes(b"caf\xe9\r\n")
    patch = between(repo, before, snapshot(repo)).patch("latin.txt")
    assert b"+caf\xe9\r\n" in patch.encode("utf-8", "surrogateescape")


def test_a_name_that_is_no_utf8_is_given_back_as_it_is(repo):
    before = snapshot(repo)
    name = os.fsdecode(b"caf\xe9.py")
    (repo / name).write_text("x\n")
    found = between(repo, before, snapshot(repo))
    assert found.files == (FileChange("added", name),)
    assert found.patch(name).count("+x\n") == 1


def test_the_same_commit_differs_in_nothing_and_git_is_not_asked(repo):
    commit = ObjectId("a" * 40)
    found = CodeDiff(commit, commit, _repo=Repository.discover(repo))
    assert found.files == () and not found.differs and found.patch() == ""


def test_paths_are_relative_to_the_directory(repo):
    (repo / "sub").mkdir()
    (repo / "sub" / "a.py").write_text("a\n")
    (repo / "a.py").write_text("a\n")
    before = snapshot(repo)
    (repo / "sub" / "a.py").write_text("b\n")
    (repo / "a.py").write_text("b\n")
    found = between(repo, before, snapshot(repo))
    assert found.files_in(["a.py"], repo / "sub") == (FileChange("modified", "sub/a.py"),)
    assert found.files_in(["a.py"]) == (FileChange("modified", "a.py"),)
    assert found.files_in([":/a.py"], repo / "sub") == (FileChange("modified", "a.py"),)
    assert found.files_in(["sub"], repo.parent) == (FileChange("modified", "sub/a.py"),)


def test_a_path_that_looks_like_an_option_is_a_path(repo):
    before = snapshot(repo)
    (repo / "--output=x").write_text("x\n")
    found = between(repo, before, snapshot(repo))
    assert [change.path for change in found.files_in(["--output=x"])] == ["--output=x"]
    assert not (repo / "x").exists()


# -- the work tree ---------------------------------------------------------------------------------------------------


def test_the_work_tree_as_it_was_does_not_differ(repo, git):
    (repo / "untracked.py").write_text("new\n")
    (repo / "train.py").write_text("changed\n")
    (repo / "staged.py").write_text("staged\n")
    git("add", "staged.py", cwd=repo)
    assert between(repo, snapshot(repo)).files == ()


def test_a_new_file_of_the_snapshot_that_is_ignored_or_tracked_now_does_not_differ(repo, git):
    for name in ("ignored.py", "tracked.py"):
        (repo / name).write_text("new\n")
    commit = snapshot(repo)
    (repo / ".git" / "info").mkdir(exist_ok=True)
    (repo / ".git" / "info" / "exclude").write_text("ignored.py\n")
    git("add", "tracked.py", cwd=repo)
    assert between(repo, commit).files == ()


def test_what_changed_in_the_work_tree_is_told_new_and_deleted_files_too(repo):
    (repo / "gone.py").write_text("gone\n")
    commit = snapshot(repo)
    (repo / "gone.py").unlink()
    (repo / "new.py").write_text("new\n")
    (repo / "train.py").write_text("other\n")
    (repo / "link").symlink_to("train.py")
    found = between(repo, commit)
    assert [(change.status, change.path) for change in found.files] == [
        ("deleted", "gone.py"),
        ("added", "link"),
        ("added", "new.py"),
        ("modified", "train.py"),
    ]
    assert "+new\n" in found.patch()


def test_comparing_with_the_work_tree_writes_nothing(repo, git):
    (repo / "untracked.py").write_text("new\n")
    commit = snapshot(repo)
    (repo / "other.py").write_text("other\n")
    os.utime(repo / "train.py", (1, 1))  # the index would be refreshed
    before, index = stored(repo), (repo / ".git" / "index").read_bytes()
    assert between(repo, commit).files == (FileChange("added", "other.py"),)
    assert (stored(repo), (repo / ".git" / "index").read_bytes()) == (before, index)


def test_new_files_that_a_run_would_leave_out_are_told_and_not_shown(repo):
    commit = snapshot(repo)
    (repo / ".env").write_text("TOKEN=x\n")
    (repo / "big.bin").write_bytes(b"\0" * (2 << 20))
    found = between(repo, commit)
    assert found.files == ()
    assert {(file.path, file.reason) for file in found.left_out} == {(".env", "secret"), ("big.bin", "size")}


@pytest.mark.parametrize("path", [b".git/config", b"link/passwd", b"train.py/x"])
def test_a_hostile_path_in_a_snapshot_is_harmless(repo, git, path):
    (repo / "link").symlink_to("/etc")
    blob = git("hash-object", "-w", "--stdin", cwd=repo, stdin="x").strip()
    tree = blob
    for number, part in enumerate(reversed(path.split(b"/"))):
        entry = (b"40000 " if number else b"100644 ") + part + b"\0" + bytes.fromhex(tree)
        done = subprocess.run(["git", "hash-object", "-w", "--literally", "-t", "tree", "--stdin"], cwd=repo,
                              input=entry, capture_output=True, check=True)  # fmt: skip
        tree = done.stdout.decode().strip()
    commit = ObjectId(git("commit-tree", "-m", "hostile", tree, cwd=repo).strip())
    found = between(repo, commit)
    statuses = {change.path: change.status for change in found.files}
    assert statuses["link"] == "added"
    assert statuses.get(path.decode(), "deleted") == "deleted"
    assert "root:" not in found.patch()


# -- nothing is executed ---------------------------------------------------------------------------------------------


def test_nothing_that_the_repository_configures_is_executed(repo, git, tmp_path, monkeypatch):
    mark = tmp_path / "executed"
    trip = TRIPWIRE.format(mark=mark)
    (repo / ".gitattributes").write_text("*.py diff=evil\n")
    before = snapshot(repo)
    (repo / "train.py").write_text("other\n")
    after = snapshot(repo)
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for hook in ("post-index-change", "fsmonitor-watchman"):
        (hooks / hook).write_text(f"#!/bin/sh\n{trip}\n")
        (hooks / hook).chmod(0o755)
    for key, value in {
        "diff.evil.command": trip,
        "diff.evil.textconv": trip,
        "diff.external": trip,
        "core.fsmonitor": trip,
        "core.pager": trip,
        "pager.diff": trip,
        "core.hooksPath": str(hooks),
        "core.sshCommand": trip,
        "diff.noprefix": "true",
        "diff.relative": "true",
        "diff.submodule": "diff",
    }.items():
        git("config", key, value, cwd=repo)
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", trip)
    for found in (between(repo, before, after), between(repo, before)):
        assert found.files == (FileChange("modified", "train.py"),)
        text = b"".join(found.stream("stat and patch", colour=True)).decode()
        assert "other" in text and "a/train.py" in text
        assert found.line_counts() and found.left_out == ()
    monkeypatch.delenv("GIT_PAGER")
    assert pager_for_diff(Repository.discover(repo), {}) == "less"
    assert not mark.exists()
    subprocess.run(["git", "diff", before, after], cwd=repo, check=False, capture_output=True)
    assert mark.exists(), "the trap works: plain git falls into it"


def test_replaced_objects_do_not_count(repo, git):
    before = snapshot(repo)
    (repo / "train.py").write_text("other\n")
    after = snapshot(repo)
    git("replace", after, before, cwd=repo)
    assert between(repo, before, after).files == (FileChange("modified", "train.py"),)


def test_a_submodule_is_told_by_its_commits_and_never_entered(repo, git, tmp_path):
    inner = tmp_path / "inner"
    git("init", "--quiet", str(inner))
    for text in ("one", "two"):
        (inner / "a").write_text(text)
        git("add", "a", cwd=inner)
        git("commit", "--quiet", "-m", text, cwd=inner)
    git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(inner), "lib", cwd=repo)
    git("commit", "--quiet", "-m", "lib", cwd=repo)
    before = snapshot(repo)
    git("checkout", "--quiet", "HEAD~1", cwd=repo / "lib")
    after = snapshot(repo)
    for found in (between(repo, before, after), between(repo, before)):
        assert found.files == (FileChange("modified", "lib"),)
        assert "-Subproject commit" in found.patch()


# -- streams and failures --------------------------------------------------------------------------------------------


def test_a_huge_diff_comes_in_pieces_and_git_ends_when_nobody_reads_on(repo):
    before = snapshot(repo)
    for number in range(12):
        (repo / f"big{number}.txt").write_text("a line of text\n" * 60_000)
    pieces = between(repo, before, snapshot(repo)).stream("patch")
    first = next(pieces)
    assert 0 < len(first) <= 1 << 16
    pieces.close()
    assert list(pieces) == []


def test_warnings_without_end_do_not_stop_it(repo, git):
    """Git warns of each file whose line endings would change; more than a pipe holds."""
    for number in range(900):
        (repo / f"{'x' * 100}{number}.txt").write_bytes(b"text\r\n")
    git("add", ".", cwd=repo)
    before = snapshot(repo)
    git("config", "core.autocrlf", "input", cwd=repo)
    git("config", "core.safecrlf", "warn", cwd=repo)
    for number in range(900):
        (repo / f"{'x' * 100}{number}.txt").write_bytes(b"other\r\n")
    assert len(between(repo, before).files) == 900


def test_a_blob_that_is_missing_is_an_error_that_says_so(repo, git):
    before = snapshot(repo)
    (repo / "train.py").write_text("other\n")
    after = snapshot(repo)
    blob = git("rev-parse", f"{after}:train.py", cwd=repo).strip()
    (repo / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    found = between(repo, before, after)
    with pytest.raises(GitProgramError, match=blob) as failure:
        found.patch()
    assert failure.value.hint == f"git diff {before} {after}"


def test_what_cannot_be_compared_says_why(repo):
    found = CodeDiff(None, ObjectId("a" * 40), reason="run 'x' kept no code", hint="gittrack show x")
    assert found.differs
    with pytest.raises(NotFoundError, match="kept no code"):
        found.patch()
    with pytest.raises(NotFoundError, match="kept no code"):
        found.files  # noqa: B018


def test_a_bare_repository_compares_too(repo, git, tmp_path, changed):
    before, after = changed
    git("branch", "one", before, cwd=repo)
    git("branch", "two", after, cwd=repo)
    bare = tmp_path / "bare.git"
    git("clone", "--quiet", "--bare", str(repo), str(bare))
    assert by_path(between(bare, before, after).files) == by_path(CHANGES)


# -- the pager -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environ", "settings", "pager"),
    [
        ({}, {}, "less"),
        ({"PAGER": "more"}, {}, "more"),
        ({"PAGER": "more"}, {"core.pager": "delta"}, "delta"),
        ({"GIT_PAGER": "most", "PAGER": "more"}, {"core.pager": "delta"}, "most"),
        ({}, {"core.pager": "delta", "pager.diff": "bat"}, "bat"),
        ({}, {"core.pager": "delta", "pager.diff": "true"}, "delta"),
        ({"GIT_PAGER": "most"}, {"pager.diff": "false"}, ""),
        ({"GIT_PAGER": ""}, {"core.pager": "delta"}, ""),
        ({"GIT_PAGER": "cat"}, {}, ""),
        ({"PAGER": "less", "TERM": "dumb"}, {}, ""),
    ],
)
def test_the_pager_is_the_one_that_git_takes(repo, git, environ, settings, pager):
    for key, value in settings.items():
        git("config", "--global", key, value)
    assert pager_for_diff(Repository.discover(repo), environ) == pager


# -- odd work trees --------------------------------------------------------------------------------------------------


def test_files_that_a_clean_filter_changes_do_not_differ_from_their_snapshot(repo, git):
    git("config", "filter.shout.clean", "tr a-z A-Z", cwd=repo)
    git("config", "filter.shout.smudge", "tr A-Z a-z", cwd=repo)
    (repo / ".gitattributes").write_text("*.txt filter=shout\n*.dos text eol=crlf\n")
    (repo / "a.txt").write_text("small\n")
    (repo / "b.dos").write_bytes(b"one\r\ntwo\r\n")
    commit = snapshot(repo)
    assert git("show", f"{commit}:a.txt", cwd=repo) == "SMALL\n"
    assert between(repo, commit).files == ()
    (repo / "a.txt").write_text("other\n")
    assert "-SMALL\n+OTHER\n" in between(repo, commit).patch()


def test_a_repository_without_a_commit_is_compared(tmp_path, git):
    git("init", "--quiet", str(tmp_path / "unborn"))
    repo = tmp_path / "unborn"
    (repo / "a.py").write_text("a\n")
    commit = snapshot(repo)
    assert between(repo, commit).files == ()
    (repo / "a.py").write_text("b\n")
    assert between(repo, commit).files == (FileChange("modified", "a.py"),)


def test_a_conflict_in_the_index_does_not_hide_what_differs(repo, git):
    commit = snapshot(repo)
    git("checkout", "--quiet", "-b", "other", cwd=repo)
    (repo / "train.py").write_text("theirs\n")
    git("commit", "--quiet", "-am", "theirs", cwd=repo)
    git("checkout", "--quiet", "main", cwd=repo)
    (repo / "train.py").write_text("ours\n")
    git("commit", "--quiet", "-am", "ours", cwd=repo)
    subprocess.run(["git", "merge", "other"], cwd=repo, capture_output=True, check=False)
    assert git("ls-files", "--unmerged", cwd=repo)
    found = between(repo, commit)
    assert {change.path for change in found.files} == {"train.py"}
    assert b"train.py" in b"".join(found.stream("patch"))


def test_a_linked_worktree_is_compared_with_its_own_index(repo, git, tmp_path):
    commit = snapshot(repo)
    other = tmp_path / "other"
    git("worktree", "add", "--quiet", "--detach", str(other), cwd=repo)
    assert between(other, commit).files == ()
    (other / "new.py").write_text("new\n")
    git("add", "new.py", cwd=other)
    assert between(other, commit).files == (FileChange("added", "new.py"),)
    assert between(repo, commit).files == ()


def test_files_left_out_by_a_sparse_checkout_are_not_deleted(repo, git):
    for name in ("in", "out"):
        (repo / name).mkdir()
        (repo / name / "a.py").write_text("a\n")
    git("add", ".", cwd=repo)
    git("commit", "--quiet", "-m", "both", cwd=repo)
    commit = snapshot(repo)
    git("sparse-checkout", "set", "--sparse-index", "in", cwd=repo)
    assert not (repo / "out").exists()
    assert between(repo, commit).files == ()


def test_another_repository_in_a_folder_that_was_a_folder_of_the_snapshot_is_not_entered(repo, git):
    (repo / "lib").mkdir()
    (repo / "lib" / "a.py").write_text("a\n")
    commit = snapshot(repo)
    git("init", "--quiet", str(repo / "lib"))
    assert between(repo, commit).files == (FileChange("deleted", "lib/a.py"),)
