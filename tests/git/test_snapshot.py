"""The snapshot: what it holds is what the work tree has, and the user's repository is left as it was."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gittrack.core.records import CodeState, LeftOut, SubmoduleState
from gittrack.errors import GitProgramError, StorageError
from gittrack.git.repository import Repository
from gittrack.git.snapshot import SnapshotLimits, start_snapshot

TOKEN = b"key = 'ghp_" + b"0a1B2c3D4e5F6g7H8i9J" * 2 + b"'\n"


def snapshot(root: Path, **limits: int) -> CodeState:
    return start_snapshot(Repository.discover(root), SnapshotLimits(**limits)).result()


def files_of(root: Path, commit: str) -> dict[bytes, bytes]:
    """Path -> content of a commit, as git tells."""
    listing = subprocess.run(["git", "ls-tree", "-rz", commit], cwd=root, capture_output=True, check=True).stdout
    found = {}
    for line in listing.split(b"\0")[:-1]:
        head, _, path = line.partition(b"\t")
        _, kind, id = head.decode().split()
        if kind == "blob":
            shown = subprocess.run(["git", "cat-file", "blob", id], cwd=root, capture_output=True, check=True).stdout
            found[path] = shown
    return found


def reasons(state: CodeState) -> dict[str, str]:
    return {item.path: item.reason for item in state.left_out}


def fingerprint(root: Path) -> dict[str, str]:
    """Every file below ``root`` but the objects, by content, mode and modification time."""
    found = {}
    for folder, folders, names in os.walk(os.fsencode(root)):
        if b"/.git/objects" in folder or b"/.git/gittrack" in folder:
            continue
        folders[:] = [name for name in folders if name != b"gittrack"]
        for name in names:
            path = os.path.join(folder, name)
            status = os.lstat(path)
            if os.path.islink(path):
                data = os.readlink(path)
            elif not os.path.isfile(path) or not os.access(path, os.R_OK):
                data = b"?"
            else:
                data = Path(os.fsdecode(path)).read_bytes()
            # Git itself refreshes the time of a shared index whenever it reads one.
            changed = 0 if name.startswith(b"sharedindex.") else status.st_mtime_ns
            found[os.fsdecode(path)] = f"{hashlib.sha1(data).hexdigest()} {status.st_mode:o} {changed}"
    return found


@pytest.fixture
def here(repo):
    """Take a snapshot of ``repo``; index, refs, HEAD, stash, config and files must be the same bytes after it."""

    def take(**limits: int) -> CodeState:
        before = fingerprint(repo)
        state = snapshot(repo, **limits)
        assert fingerprint(repo) == before
        left = repo / ".git" / "gittrack" / "tmp"
        assert not left.exists() or list(left.iterdir()) == []
        subprocess.run(["git", "fsck", "--strict", "--no-dangling"], cwd=repo, capture_output=True, check=True)
        return state

    return take


def test_a_clean_tree_is_head(repo, git, here):
    head = git("rev-parse", "HEAD").strip()
    assert here() == CodeState(head, head, "main")
    git("checkout", "-q", "--detach")
    assert here() == CodeState(head, head, None)


def test_where_the_process_stands_is_noted(repo):
    assert start_snapshot(Repository.discover(repo), SnapshotLimits(), directory="a/b").result().directory == "a/b"


def test_a_dirty_tree_is_a_commit_on_head_with_the_files_as_they_are(repo, git, here):
    (repo / "keep.txt").write_text("kept\n")
    (repo / "gone.txt").write_text("gone\n")
    (repo / "old name.txt").write_text("renamed\n" * 20)
    git("add", ".")
    git("commit", "-qm", "second")
    head = git("rev-parse", "HEAD").strip()
    (repo / "train.py").write_text("changed\n")
    (repo / "gone.txt").unlink()
    git("mv", "old name.txt", "new name.txt")
    (repo / "sub").mkdir()
    (repo / "sub" / "new.txt").write_text("new\n")
    (repo / ".gitignore").write_text("*.log\n")
    (repo / "noise.log").write_text("ignored\n")
    state = here()
    assert (state.head, state.branch, state.dirty, state.left_out, state.reason) == (head, "main", True, (), "")
    assert files_of(repo, state.commit) == {
        b"train.py": b"changed\n",
        b"keep.txt": b"kept\n",
        b"new name.txt": b"renamed\n" * 20,
        b"sub/new.txt": b"new\n",
        b".gitignore": b"*.log\n",
    }
    assert git("rev-parse", f"{state.commit}^@").split() == [head]


def test_the_same_tree_on_the_same_head_gives_the_same_commit(repo, git, here):
    (repo / "train.py").write_text("changed\n")
    first = here()
    git("add", "-A")
    assert here().commit == first.commit
    assert git("log", "-1", "--format=%an|%ae|%cn|%ad|%s", first.commit) == git(
        "log", "-1", "--format=gittrack|gittrack@localhost|gittrack|%cd|snapshot of the work tree", "HEAD"
    )
    (repo / "train.py").write_text("changed again\n")
    assert here().commit != first.commit


def test_staged_and_unstaged_changes_count_as_the_work_tree_has_them(repo, git, here):
    (repo / "train.py").write_text("staged\n")
    (repo / "staged.txt").write_text("staged\n")
    (repo / "only-staged.txt").write_text("staged\n")
    git("add", ".")
    (repo / "train.py").write_text("work tree\n")
    (repo / "only-staged.txt").unlink()
    assert files_of(repo, here().commit) == {b"train.py": b"work tree\n", b"staged.txt": b"staged\n"}


def test_a_file_removed_from_the_index_alone_is_still_there(repo, git, here):
    git("rm", "-q", "--cached", "train.py")
    state = here()
    assert state.dirty
    assert state.commit == state.head, "the files are those of HEAD"


def test_mode_and_links_are_kept(repo, git, here):
    (repo / "train.py").chmod(0o755)
    (repo / "link").symlink_to("/etc/passwd")
    (repo / "to-nothing").symlink_to("nowhere")
    tree = git("ls-tree", here().commit)
    assert "100755 blob" in tree
    assert tree.count("120000 blob") == 2


def test_a_file_that_became_a_directory_and_the_reverse(repo, git, here):
    (repo / "d").mkdir()
    (repo / "d" / "f").write_text("1")
    git("add", ".")
    git("commit", "-qm", "d")
    (repo / "train.py").unlink()
    (repo / "train.py").mkdir()
    (repo / "train.py" / "inner").write_text("2")
    (repo / "d" / "f").unlink()
    (repo / "d").rmdir()
    (repo / "d").write_text("3")
    assert files_of(repo, here().commit) == {b"train.py/inner": b"2", b"d": b"3"}


def test_a_change_in_the_tick_of_the_index_is_seen(repo, git):
    git("config", "core.trustctime", "false")
    git("config", "core.checkStat", "minimal")
    tick = 1_600_000_000 * 10**9
    (repo / "racy").write_text("aaaa")
    os.utime(repo / "racy", ns=(tick, tick))
    git("add", "racy")
    os.utime(repo / ".git" / "index", ns=(tick, tick))
    (repo / "racy").write_text("bbbb")  # nothing but its age, no younger than the index, makes git read the file
    os.utime(repo / "racy", ns=(tick, tick))
    assert files_of(repo, snapshot(repo).commit)[b"racy"] == b"bbbb"


def test_intent_to_add_and_conflicts_are_taken_as_they_stand(repo, git, here):
    (repo / "planned.txt").write_text("planned\n")
    git("add", "-N", "planned.txt")
    git("checkout", "-qb", "side")
    (repo / "train.py").write_text("side\n")
    git("commit", "-qm", "side", "train.py")
    git("checkout", "-q", "main")
    (repo / "train.py").write_text("main\n")
    git("commit", "-qm", "main", "train.py")
    git("rm", "-q", "--cached", "planned.txt")
    subprocess.run(["git", "merge", "-q", "side"], cwd=repo, capture_output=True, check=False)
    git("add", "-N", "planned.txt")
    state = here()
    taken = files_of(repo, state.commit)
    assert taken[b"train.py"].startswith(b"<<<<<<<")
    assert taken[b"planned.txt"] == b"planned\n"
    refused = here(file_bytes=10)
    assert reasons(refused) == {"train.py": "size"}
    assert files_of(repo, refused.commit) == {b"train.py": b"main\n", b"planned.txt": b"planned\n"}


def test_limits_leave_files_out_and_say_so(repo, git, here):
    (repo / "train.py").write_text("x" * 5000)
    (repo / "small.txt").write_text("y" * 10)
    state = here(file_bytes=1000)
    assert state.left_out == (LeftOut("train.py", "size", 5000),)
    assert files_of(repo, state.commit) == {b"train.py": b'print("training")\n', b"small.txt": b"y" * 10}
    for name in ("a", "b", "c"):
        (repo / name).write_text("z" * 400)
    state = here(file_bytes=1000, total_bytes=900)
    assert reasons(state) == {"train.py": "size", "c": "total"}
    assert set(files_of(repo, state.commit)) == {b"train.py", b"a", b"b", b"small.txt"}
    assert set(reasons(here(files=3)).values()) == {"total"}


def test_tracked_files_are_taken_before_new_ones(repo, here):
    (repo / "a-new").write_text("n" * 400)
    (repo / "train.py").write_text("t" * 400)
    assert reasons(here(total_bytes=500)) == {"a-new": "total"}


def test_a_thousand_files_left_out_are_listed_and_the_rest_counted(repo):
    for number in range(1100):
        (repo / f"big{number:04}").write_text("12345")
    left = snapshot(repo, file_bytes=4).left_out
    assert len(left) == 1001
    assert left[-1] == LeftOut("(100 more)", "many", 500)


def test_secrets_are_left_out_by_name_and_by_content(repo, git, here):
    (repo / ".env").write_text("PASSWORD=hunter2\n")
    (repo / "config.py").write_bytes(TOKEN)
    (repo / "train.py").write_bytes(b"import os\n" + TOKEN)
    state = here()
    assert reasons(state) == {
        ".env": "secret",
        "config.py": "secret: github token",
        "train.py": "secret: github token",
    }
    assert state.commit == state.head, "a tracked file that is left out keeps HEAD's version"
    assert state.dirty
    command = ["git", "cat-file", "--batch-all-objects", "--batch"]
    stored = subprocess.run(command, cwd=repo, capture_output=True, check=True).stdout
    assert b"print(" in stored
    assert b"ghp_" not in stored and b"hunter2" not in stored


def test_a_secret_that_is_staged_but_gone_from_the_files_is_not_taken(repo, git, here):
    (repo / "staged.py").write_bytes(TOKEN)
    (repo / "train.py").write_bytes(TOKEN)
    git("add", ".")
    (repo / "staged.py").unlink()
    state = here()
    assert reasons(state) == {"train.py": "secret: github token"}
    assert files_of(repo, state.commit) == {b"train.py": b'print("training")\n'}
    (repo / "train.py").unlink()
    assert files_of(repo, here().commit) == {}


def test_odd_names_are_taken(repo, here):
    names = [
        b"new\nline",
        b"tab\there",
        b"\xff\xfe",
        b'"quoted"',
        b" lead",
        b"-x",
        b"*",
        "ü".encode(),
        b"a\\b",
        b":(top)x",
    ]
    for name in names:
        with open(os.path.join(os.fsencode(repo), name), "wb") as file:
            file.write(name)
    taken = files_of(repo, here().commit)
    assert {name: taken[name] for name in names} == {name: name for name in names}
    assert reasons(here(file_bytes=1))["\\xff\\xfe"] == "size"


def test_a_nested_repository_is_not_entered(repo, git, here):
    git("init", "-q", str(repo / "nested"))
    (repo / "nested" / "f").write_text("1")
    git("init", "-q", str(repo / "grown"))
    (repo / "grown" / "f").write_text("1")
    git("add", "f", cwd=repo / "grown")
    git("commit", "-qm", "x", cwd=repo / "grown")
    state = here()
    assert reasons(state) == {"nested/": "nested repository", "grown/": "nested repository"}
    assert state.commit == state.head


def test_submodules_are_recorded_and_never_entered(repo, git, here, tmp_path):
    git("clone", "-q", str(repo), str(tmp_path / "library"))
    git("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(tmp_path / "library"), "lib")
    git("commit", "-qm", "submodule")
    pinned = git("rev-parse", "HEAD:lib").strip()
    state = here()
    assert (state.dirty, state.submodules) == (False, (SubmoduleState("lib", pinned, False),))
    (repo / "lib" / "train.py").write_text("changed in the submodule\n")
    state = here()
    assert (state.dirty, state.submodules) == (True, (SubmoduleState("lib", pinned, True),))
    assert state.commit == state.head
    git("checkout", "-q", "train.py", cwd=repo / "lib")
    git("commit", "-q", "--allow-empty", "-m", "moved", cwd=repo / "lib")
    moved = git("rev-parse", "HEAD", cwd=repo / "lib").strip()
    state = here()
    assert state.submodules == (SubmoduleState("lib", moved, False),)
    assert git("rev-parse", f"{state.commit}:lib").strip() == moved


def test_unborn_repositories_have_a_root_snapshot_or_none(tmp_path, git):
    root = tmp_path / "new"
    git("init", "-q", str(root))
    state = snapshot(root)
    assert state == CodeState(None, None, "main", reason="there is no commit and no file yet")
    (root / ".env").write_text("S=1")
    state = snapshot(root)
    assert (state.commit, state.dirty) == (None, True)
    assert "every file was left out" in state.reason
    (root / "a.py").write_text("1")
    state = snapshot(root)
    assert files_of(root, state.commit) == {b"a.py": b"1"}
    assert git("log", "--format=%P|%at", state.commit, cwd=root) == "|0\n"
    git("add", "a.py", cwd=root)
    assert snapshot(root).commit == state.commit


def test_a_bare_repository_has_no_code(repo, git, tmp_path):
    git("clone", "-q", "--bare", str(repo), str(tmp_path / "bare.git"))
    state = snapshot(tmp_path / "bare.git")
    assert (state.commit, state.head, state.branch) == (None, git("rev-parse", "HEAD").strip(), "main")
    assert state.reason == "the repository has no work tree"


def test_clean_filters_and_line_endings_are_gits(repo, git, here):
    git("config", "filter.upper.clean", "tr a-z A-Z")
    git("config", "core.autocrlf", "true")
    (repo / ".gitattributes").write_text("*.up filter=upper\n*.bin binary\n")
    (repo / "shout.up").write_bytes(b"hello\n")
    (repo / "dos.txt").write_bytes(b"a\r\nb\r\n")
    (repo / "raw.bin").write_bytes(b"a\r\nb\r\n")
    taken = files_of(repo, here().commit)
    assert (taken[b"shout.up"], taken[b"dos.txt"], taken[b"raw.bin"]) == (b"HELLO\n", b"a\nb\n", b"a\r\nb\r\n")
    git("add", "-A")
    assert git("write-tree").strip() == git("rev-parse", f"{here().commit}^{{tree}}").strip()


def test_a_filter_that_is_not_installed_leaves_its_files_out(repo, git, here):
    git("config", "filter.lfs.clean", "no-such-program-here")
    git("config", "filter.lfs.required", "true")
    (repo / ".gitattributes").write_text("*.lfs filter=lfs\n")
    for name in ("a.lfs", "b.txt", "c.lfs", "d.txt"):
        (repo / name).write_text("data\n")
    state = here()
    assert set(files_of(repo, state.commit)) == {b".gitattributes", b"b.txt", b"d.txt", b"train.py"}
    assert set(reasons(state)) == {"a.lfs", "c.lfs"}
    assert "lfs" in reasons(state)["a.lfs"]


def test_sparse_checkouts_keep_what_is_not_checked_out(repo, git, here):
    for name in ("a", "b"):
        (repo / name).mkdir()
        (repo / name / "f").write_text(name)
    git("add", ".")
    git("commit", "-qm", "x")
    for options in ((), ("--sparse-index",)):
        git("sparse-checkout", "set", "--cone", *options, "a")
        assert not (repo / "b").exists()
        (repo / "a" / "f").write_text("changed")
        assert files_of(repo, here().commit) == {b"train.py": b'print("training")\n', b"a/f": b"changed", b"b/f": b"b"}
        git("checkout", "-q", "a/f")


def test_a_split_index_stays_the_users(repo, git, here):
    git("config", "core.splitIndex", "true")
    git("config", "splitIndex.maxPercentChange", "0")  # each write would make a new shared file
    git("update-index", "--split-index")
    (repo / "train.py").write_text("changed\n")
    assert files_of(repo, here().commit) == {b"train.py": b"changed\n"}


def test_a_linked_worktree_has_its_own_snapshot(repo, git, tmp_path):
    git("worktree", "add", "-q", "-b", "side", str(tmp_path / "linked"))
    (tmp_path / "linked" / "train.py").write_text("linked\n")
    (repo / "train.py").write_text("main\n")
    before = fingerprint(tmp_path / "linked"), fingerprint(repo)
    state = snapshot(tmp_path / "linked")
    assert files_of(repo, state.commit) == {b"train.py": b"linked\n"}
    assert state.branch == "side"
    assert (fingerprint(tmp_path / "linked"), fingerprint(repo)) == before


def test_a_submodules_own_snapshot_stays_in_it(repo, git, tmp_path):
    git("clone", "-q", str(repo), str(tmp_path / "library"))
    git("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(tmp_path / "library"), "lib")
    (repo / "lib" / "train.py").write_text("inside\n")
    state = snapshot(repo / "lib")
    assert files_of(repo / "lib", state.commit) == {b"train.py": b"inside\n"}
    assert not Repository.discover(repo).objects.has(state.commit)


def test_a_partial_clone_is_not_made_to_fetch(repo, git, tmp_path):
    (repo / "other.txt").write_text("never needed\n")
    git("add", ".")
    git("commit", "-qm", "x")
    git("config", "uploadpack.allowFilter", "true")
    clone = tmp_path / "partial"
    git("clone", "-q", "--filter=blob:none", "--no-checkout", f"file://{repo}", str(clone))
    git("sparse-checkout", "set", "--no-cone", "/train.py", cwd=clone)
    git("checkout", "-q", "main", cwd=clone)
    os.rename(repo, tmp_path / "unreachable")
    (clone / "train.py").write_text("changed\n")
    state = snapshot(clone)
    assert git("ls-tree", "-r", "--name-only", state.commit, cwd=clone).split() == ["other.txt", "train.py"]
    assert git("show", f"{state.commit}:train.py", cwd=clone) == "changed\n"


def test_what_is_no_file_is_left_out(repo, git, here):
    (repo / "train.py").unlink()
    os.mkfifo(repo / "train.py")
    os.mkfifo(repo / "pipe")
    state = here()
    assert files_of(repo, state.commit) == {b"train.py": b'print("training")\n'}
    assert reasons(state) == {"train.py": "not a file"}


AS_NOBODY = """
import os, sys
from pathlib import Path
from gittrack.git.repository import Repository
from gittrack.git.snapshot import SnapshotLimits, start_snapshot
import pygit2, gittrack.core.redact, gittrack.git.objects, gittrack.git.refs, gittrack.git.scratch_index
if os.geteuid() == 0:
    os.setgid(12345)
    os.setuid(12345)
state = start_snapshot(Repository.discover(Path(".")), SnapshotLimits()).result()
print(state.commit)
for item in state.left_out:
    print(item.path, item.reason)
"""


def _as_nobody(repo, project_env) -> subprocess.CompletedProcess[str]:
    for folder, _, names in os.walk(repo):
        for path in (folder, *(os.path.join(folder, name) for name in names)):
            if os.geteuid() == 0:
                os.chown(path, 12345, 12345)
    for folder in [repo, *repo.parents][:-2]:
        folder.chmod(folder.stat().st_mode | 0o555)
    env = {**project_env, "HOME": str(repo), "GIT_CONFIG_GLOBAL": "/dev/null"}
    return subprocess.run(
        [sys.executable, "-c", AS_NOBODY], env=env, cwd=repo, capture_output=True, text=True, check=False
    )


def test_an_unreadable_file_is_left_out(repo, git, project_env):
    (repo / "train.py").write_text("changed\n")
    (repo / "private.txt").write_text("private\n")
    (repo / "b.txt").write_text("b\n")
    for name in ("train.py", "private.txt"):
        (repo / name).chmod(0)
    done = _as_nobody(repo, project_env)
    assert done.returncode == 0, done.stderr
    commit, *left = done.stdout.splitlines()
    assert left == ["train.py unreadable", "private.txt unreadable"]
    for name in ("train.py", "private.txt"):
        (repo / name).chmod(0o644)
    git("config", "--global", "--add", "safe.directory", "*", cwd=repo.parent)
    assert files_of(repo, commit) == {b"train.py": b'print("training")\n', b"b.txt": b"b\n"}


def test_a_work_tree_that_cannot_be_written_is_no_obstacle(repo, project_env):
    (repo / "train.py").write_text("changed\n")
    repo.chmod(0o555)
    done = _as_nobody(repo, project_env)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.split()) == 1


def test_a_git_directory_that_cannot_be_written_is_a_storage_error(repo, project_env):
    (repo / "train.py").write_text("changed\n")
    (repo / ".git").chmod(0o555)
    done = _as_nobody(repo, project_env)
    (repo / ".git").chmod(0o755)
    assert StorageError.__name__ in done.stderr
    assert "is not writable" in done.stderr


def test_a_file_that_changes_while_it_is_stored_is_left_out(repo, monkeypatch):
    from gittrack.git import scratch_index

    original = scratch_index.ScratchIndex.take

    def take(self, changes):
        (repo / "train.py").write_bytes(TOKEN)  # after it was looked into, before git reads it
        (repo / "log.txt").write_text("one\ntwo\n")
        return original(self, changes)

    (repo / "train.py").write_text("harmless\n")
    (repo / "log.txt").write_text("one\n")
    (repo / "a.txt").write_text("a\n")
    monkeypatch.setattr(scratch_index.ScratchIndex, "take", take)
    state = snapshot(repo)
    assert reasons(state) == {"train.py": "changing", "log.txt": "changing"}
    assert files_of(repo, state.commit) == {b"train.py": b'print("training")\n', b"a.txt": b"a\n"}


def test_hooks_and_settings_of_the_user_do_not_disturb(repo, git, here):
    hook = repo / ".git" / "hooks" / "post-index-change"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\ntouch hook-ran\n")
    hook.chmod(0o755)
    for setting in (
        *("status.renames=copies", "status.showUntrackedFiles=no", "status.short=true", "status.branch=false"),
        *("status.showStash=true", "status.relativePaths=true", "color.status=always", "core.quotePath=true"),
        *("core.safecrlf=true", "core.autocrlf=input", "diff.ignoreSubmodules=all"),
    ):
        git("config", *setting.split("=", 1))
    (repo / "train.py").write_bytes(b"a\r\n")
    (repo / "new.txt").write_text("n\n")
    assert files_of(repo, here().commit) == {b"train.py": b"a\n", b"new.txt": b"n\n"}
    assert not (repo / "hook-ran").exists()


def test_a_stash_and_a_bisection_are_left_alone(repo, git, here):
    (repo / "train.py").write_text("stashed\n")
    git("stash", "-q")
    git("bisect", "start")
    (repo / "train.py").write_text("changed\n")
    stash = git("stash", "list")
    assert files_of(repo, here().commit) == {b"train.py": b"changed\n"}
    assert git("stash", "list") == stash


def test_a_damaged_index_is_an_error_of_git(repo):
    (repo / ".git" / "index").write_bytes(b"DIRC nonsense" * 10)
    with pytest.raises(GitProgramError, match="'git status' failed"):
        snapshot(repo)


def test_a_snapshot_given_up_leaves_no_process(repo):
    pending = start_snapshot(Repository.discover(repo), SnapshotLimits())
    pending.cancel()
    assert pending._process.returncode is not None
    finished = start_snapshot(Repository.discover(repo), SnapshotLimits())
    assert finished.result() is finished.result()
    finished.cancel()


def test_a_snapshot_outlives_gc_once_a_ref_holds_it(repo, git):
    (repo / "train.py").write_text("changed\n")
    state = snapshot(repo)
    Repository.discover(repo).refs.create("refs/runs/hold/x", state.commit)
    git("gc", "-q", "--prune=now")
    assert files_of(repo, state.commit) == {b"train.py": b"changed\n"}
    git("fsck", "--strict")
