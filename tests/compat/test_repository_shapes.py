"""A run in a repository of every shape: it is kept, it names the code that ran, and nothing of the user's changes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.concurrency.harness import environment, python, user_state

RUN = """
import gittrack, json
with gittrack.start_run(name="shape", params={"lr": 0.1}) as run:
    for step in range(5):
        run.log_metric("loss", step / 3, step=step)
saved = gittrack.get_run(run.id)
code = saved.record.code
print(json.dumps({
    "id": saved.id, "commit": saved.commit, "status": saved.status.value, "values": list(saved.history("loss").values),
    "params": saved.params, "code": code.commit, "head": code.head, "branch": code.branch, "dirty": code.dirty,
    "directory": code.directory, "submodules": [[s.path, s.commit] for s in code.submodules], "reason": code.reason,
    "listed": [found.id for found in gittrack.runs()],
}))
"""
VALUES = [step / 3 for step in range(5)]


def _tracks(root, cwd=None, *, check_user=True):
    """Run a training in a fresh process and check what must be true in every shape; returns what was kept."""
    import json

    before = user_state(root) if check_user else None
    done = python(RUN, cwd or root, environment())
    assert done.returncode == 0, done.stderr
    assert "not kept" not in done.stderr
    kept = json.loads(done.stdout)
    assert (kept["status"], kept["values"], kept["params"]) == ("finished", VALUES, {"lr": 0.1})
    assert kept["id"] in kept["listed"]
    if check_user:
        assert user_state(root) == before
    return kept


def _parent(git, root, kept):
    return git("rev-parse", f"{kept['commit']}^", cwd=root).strip()


def test_a_clean_repository_has_head_as_the_code(repo, git):
    kept = _tracks(repo)
    head = git("rev-parse", "HEAD", cwd=repo).strip()
    assert (kept["code"], kept["head"], kept["branch"], kept["dirty"]) == (head, head, "main", False)
    assert _parent(git, repo, kept) == head


def test_a_dirty_repository_has_a_snapshot_as_the_code(repo, git):
    (repo / "train.py").write_text("changed\n")
    (repo / "new.py").write_text("new\n")
    (repo / "staged.py").write_text("staged\n")
    git("add", "staged.py", cwd=repo)
    kept = _tracks(repo)
    assert kept["dirty"]
    assert kept["code"] == _parent(git, repo, kept) != kept["head"]
    assert git("show", f"{kept['code']}:train.py", cwd=repo) == "changed\n"
    assert git("ls-tree", "--name-only", kept["code"], cwd=repo).split() == ["new.py", "staged.py", "train.py"]
    assert git("rev-parse", f"{kept['code']}^", cwd=repo).strip() == kept["head"]


def test_a_stash_stays_as_it_is(repo, git):
    (repo / "train.py").write_text("stashed\n")
    git("stash", "--quiet", cwd=repo)
    (repo / "train.py").write_text("changed\n")
    before = git("stash", "list", cwd=repo)
    _tracks(repo)
    assert git("stash", "list", cwd=repo) == before
    git("checkout", "--quiet", "train.py", cwd=repo)
    git("stash", "pop", "--quiet", cwd=repo)
    assert (repo / "train.py").read_text() == "stashed\n"


def test_no_commit_yet(tmp_path, git):
    root = tmp_path / "unborn"
    git("init", "--quiet", str(root))
    (root / "train.py").write_text("first\n")
    kept = _tracks(root)
    assert (kept["head"], kept["branch"], kept["dirty"]) == (None, "main", True)
    assert git("show", f"{_parent(git, root, kept)}:train.py", cwd=root) == "first\n"
    assert git("rev-list", "--count", kept["code"], cwd=root).strip() == "1"


def test_no_commit_and_no_file(tmp_path, git):
    root = tmp_path / "empty"
    git("init", "--quiet", str(root))
    kept = _tracks(root)
    assert kept["code"] is None
    assert kept["reason"]
    assert git("ls-tree", "-r", _parent(git, root, kept), cwd=root) == ""


def test_a_detached_head(repo, git):
    git("checkout", "--quiet", "--detach", cwd=repo)
    kept = _tracks(repo)
    assert kept["branch"] is None
    assert kept["code"] == git("rev-parse", "HEAD", cwd=repo).strip()


def test_a_linked_worktree_keeps_its_runs_in_the_common_repository(repo, git, tmp_path):
    linked = tmp_path / "linked"
    git("worktree", "add", "--quiet", "-b", "side", str(linked), cwd=repo)
    (linked / "train.py").write_text("in the worktree\n")
    main = user_state(repo)
    kept = _tracks(linked)
    assert kept["branch"] == "side"
    assert git("show", f"{kept['code']}:train.py", cwd=repo) == "in the worktree\n"
    assert user_state(repo) == main
    assert _tracks(repo)["listed"][1:] == [kept["id"]]


def test_a_submodule_keeps_its_own_runs_and_its_parent_names_its_commit(repo, git, tmp_path):
    other = tmp_path / "other"
    git("clone", "--quiet", str(repo), str(other))
    git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(other), "lib", cwd=repo)
    git("commit", "--quiet", "-m", "submodule", cwd=repo)
    inside = _tracks(repo / "lib")
    outside = _tracks(repo)
    assert inside["listed"] == [inside["id"]]
    assert outside["listed"] == [outside["id"]]
    assert outside["submodules"] == [["lib", git("rev-parse", "HEAD", cwd=repo / "lib").strip()]]
    assert not outside["dirty"]


def test_a_sparse_checkout_loses_no_file_in_the_snapshot(repo, git):
    for name in ("a", "b"):
        (repo / name).mkdir()
        (repo / name / "file.py").write_text(name)
    git("add", ".", cwd=repo)
    git("commit", "--quiet", "-m", "two", cwd=repo)
    git("sparse-checkout", "set", "a", cwd=repo)
    assert not (repo / "b").exists()
    assert not _tracks(repo)["dirty"]
    (repo / "a" / "file.py").write_text("changed")
    kept = _tracks(repo)
    files = git("ls-tree", "-r", "--name-only", kept["code"], cwd=repo).split()
    assert files == ["a/file.py", "b/file.py", "train.py"]
    assert git("show", f"{kept['code']}:b/file.py", cwd=repo) == "b"


@pytest.fixture
def origin(repo, git):
    """A repository with three commits and a file that changed in each, as a URL."""
    for number in range(2):
        (repo / "train.py").write_text(f"version {number}\n")
        (repo / f"data{number}.txt").write_text("x" * 1000 * (number + 1))
        git("add", ".", cwd=repo)
        git("commit", "--quiet", "-m", f"version {number}", cwd=repo)
    git("config", "uploadpack.allowFilter", "true", cwd=repo)
    return f"file://{repo}"


@pytest.mark.parametrize("dirty", [False, True])
def test_a_shallow_clone(origin, git, tmp_path, dirty):
    clone = tmp_path / "shallow"
    git("clone", "--quiet", "--depth=1", origin, str(clone))
    if dirty:
        (clone / "train.py").write_text("changed\n")
    kept = _tracks(clone)
    assert _parent(git, clone, kept) == kept["code"]
    assert kept["head"] == git("rev-parse", "HEAD", cwd=clone).strip()
    assert kept["dirty"] == dirty
    done = python("from gittrack.api.maintain import *\nfrom gittrack.api.project import Project\n"
                  "print(fsck(Project.open()), roll_up_now(Project.open()).runs)", clone, environment())  # fmt: skip
    assert done.stdout == "[] 1\n", done.stderr


@pytest.mark.parametrize("dirty", [False, True])
def test_a_partial_clone_fetches_nothing(origin, git, tmp_path, dirty):
    clone = tmp_path / "partial"
    git("clone", "--quiet", "--filter=blob:none", "--sparse", origin, str(clone))
    if dirty:
        (clone / "train.py").write_text("changed\n")
    lacks = "rev-list", "--objects", "--missing=print", "HEAD"
    missing = [line for line in git(*lacks, cwd=clone).split("\n") if line.startswith("?")]
    assert missing
    os.rename(origin.removeprefix("file://"), tmp_path / "away")  # nothing can be fetched
    kept = _tracks(clone)
    assert kept["dirty"] == dirty
    assert _parent(git, clone, kept) == kept["code"]
    assert [line for line in git(*lacks, cwd=clone).split("\n") if line.startswith("?")] == missing
    done = python("from gittrack.api.maintain import *\nfrom gittrack.api.project import Project\n"
                  "print(fsck(Project.open()), roll_up_now(Project.open()).runs)", clone, environment())  # fmt: skip
    assert done.stdout == "[] 1\n", done.stderr


def test_a_subdirectory_is_noted_and_the_snapshot_holds_the_whole_repository(repo, git):
    inside = repo / "projects" / "vision"
    inside.mkdir(parents=True)
    (inside / "model.py").write_text("model\n")
    (repo / "train.py").write_text("changed\n")
    kept = _tracks(repo, inside)
    assert kept["directory"] == "projects/vision"
    assert git("show", f"{kept['code']}:train.py", cwd=repo) == "changed\n"
    assert git("show", f"{kept['code']}:projects/vision/model.py", cwd=repo) == "model\n"
    assert _tracks(repo)["directory"] == ""


@pytest.mark.parametrize("name", ["with spaces", "übung—日本", 'quo\'te "and" $HOME;x', "new\nline", "-dash", "a:b"])
def test_paths_of_every_kind(tmp_path, git, name):
    root = tmp_path / name
    root.mkdir()
    git("init", "--quiet", ".", cwd=root)
    (root / f"{name}.py").write_text("first\n")
    git("add", "--all", cwd=root)
    git("commit", "--quiet", "-m", "first", cwd=root)
    assert not _tracks(root)["dirty"]
    (root / f"{name}.py").write_text("changed\n")
    kept = _tracks(root)
    assert kept["dirty"]
    assert git("show", f"{kept['code']}:{name}.py", cwd=root) == "changed\n"


def test_a_separate_git_directory(tmp_path, git):
    root = tmp_path / "work"
    git("init", "--quiet", "--separate-git-dir", str(tmp_path / "elsewhere.git"), str(root))
    (root / "train.py").write_text("code\n")
    git("add", ".", cwd=root)
    git("commit", "--quiet", "-m", "first", cwd=root)
    _tracks(root)
    assert (tmp_path / "elsewhere.git" / "gittrack").is_dir()


def test_a_bare_repository_keeps_runs_without_a_snapshot(repo, git, tmp_path):
    bare = tmp_path / "bare.git"
    git("clone", "--quiet", "--bare", str(repo), str(bare))
    kept = _tracks(bare, check_user=False)
    assert kept["head"] == git("rev-parse", "HEAD", cwd=bare).strip()
    assert "no work tree" in kept["reason"]


@pytest.mark.parametrize("dirty", [False, True])
def test_a_read_only_work_tree(tmp_path, git, dirty):
    """Bound read-only onto itself, since permissions do not hold back root."""
    root = tmp_path / "work"
    git("init", "--quiet", "--separate-git-dir", str(tmp_path / "elsewhere.git"), str(root))
    (root / "train.py").write_text("code\n")
    git("add", ".", cwd=root)
    git("commit", "--quiet", "-m", "first", cwd=root)
    if dirty:
        (root / "train.py").write_text("changed\n")
    with _ReadOnly(root):
        kept = _tracks(root)
        assert kept["dirty"] == dirty
    assert git("show", f"{kept['code']}:train.py", cwd=root) == ("changed\n" if dirty else "code\n")


class _ReadOnly:
    """Makes a directory read-only for as long as its ``with`` block lasts."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)

    def __enter__(self) -> None:
        if os.geteuid():
            for folder, _, names in os.walk(self._path):
                for name in names:
                    os.chmod(Path(folder, name), 0o444)
                os.chmod(folder, 0o555)
            return
        if subprocess.run(["mount", "--bind", self._path, self._path], capture_output=True, check=False).returncode:
            pytest.skip("nothing can be mounted here, and permissions do not hold back root")
        subprocess.run(["mount", "-o", "remount,ro,bind", self._path], check=True)
        with pytest.raises(OSError, match="Read-only"):
            Path(self._path, "probe").touch()

    def __exit__(self, *_: object) -> None:
        if os.geteuid():
            for folder, _, names in os.walk(self._path):
                os.chmod(folder, 0o755)
                for name in names:
                    os.chmod(Path(folder, name), 0o644)
        else:
            subprocess.run(["umount", "--lazy", self._path], check=True)


def test_no_repository_is_one_clear_line_and_the_training_goes_on(tmp_path):
    script = "import gittrack\nwith gittrack.start_run() as run: run.log_metric('x', 1)\nprint('trained')"
    done = python(script, tmp_path, environment())
    assert (done.returncode, done.stdout) == (0, "trained\n")
    (line,) = done.stderr.splitlines()
    assert "no git repository" in line
    assert "git init" in line
    strict = python("import gittrack\ngittrack.start_run(strict=True)", tmp_path, environment())
    assert "NotARepositoryError" in strict.stderr


def test_no_repository_is_one_clear_line_for_a_command(tmp_path, gittrack_cli):
    done = gittrack_cli("ls", cwd=tmp_path)
    assert done.returncode == 1
    assert "no git repository" in done.stderr
    assert "git init" in done.stderr
    assert "Traceback" not in done.stderr


def _refused(root, gittrack_cli, reason):
    done = gittrack_cli("ls", cwd=root)
    assert done.returncode == 1
    assert reason in done.stderr
    assert "Traceback" not in done.stderr
    script = "import gittrack\nwith gittrack.start_run() as run: run.log_metric('x', 1)\nprint('trained')"
    trained = python(script, root, environment())
    assert (trained.returncode, trained.stdout) == (0, "trained\n")
    assert reason in trained.stderr


def test_a_sha256_repository_is_refused_with_the_reason(tmp_path, git, gittrack_cli):
    git("init", "--quiet", "--object-format=sha256", str(tmp_path / "new"))
    _refused(tmp_path / "new", gittrack_cli, "SHA-256")


def test_a_reftable_repository_is_refused_with_the_reason(tmp_path, git, gittrack_cli):
    """Written as newer gits write it: not every git that runs the tests can make one."""
    root = tmp_path / "new"
    git("init", "--quiet", str(root))
    with open(root / ".git" / "config", "a", encoding="utf-8") as file:
        file.write("[core]\n\trepositoryformatversion = 1\n[extensions]\n\trefStorage = reftable\n")
    _refused(root, gittrack_cli, "reftable")


@pytest.mark.skipif(sys.platform != "linux", reason="bytes that are no Unicode need a file system that takes them")
def test_a_file_whose_name_is_no_unicode_is_in_the_snapshot(repo, git):
    with open(os.path.join(os.fsencode(repo), b"\xff.py"), "w") as file:
        file.write("x")
    kept = _tracks(repo)
    assert kept["dirty"]
    listing = subprocess.run(
        ["git", "ls-tree", "-z", "--name-only", kept["code"]], cwd=repo, capture_output=True, check=True
    )
    assert b"\xff.py" in listing.stdout.split(b"\0")
