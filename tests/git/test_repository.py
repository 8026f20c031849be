"""Finding the repository, and what it says of itself, in every shape a repository comes in."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gittrack.errors import GitProgramError, NotARepositoryError, RepositoryError, UnsupportedRepositoryError
from gittrack.git.failures import disk_hint, storage_error
from gittrack.git.program import last_complaint, run_git
from gittrack.git.repository import Head, Repository


def _id(git, revision, cwd=None):
    return git("rev-parse", revision, cwd=cwd).strip()


def test_a_subdirectory_finds_the_repository_around_it(repo, git):
    inside = repo / "a" / "b"
    inside.mkdir(parents=True)
    found = Repository.discover(inside)
    assert (found.git_dir, found.common_dir, found.work_tree) == (repo / ".git", repo / ".git", repo)
    assert found.head() == Head(_id(git, "HEAD"), "main")


def test_a_path_with_spaces_and_other_alphabets_is_found(tmp_path, git):
    root = tmp_path / "größe und 数 \"x' "
    git("init", "-q", str(root))
    (root / "f").write_text("1")
    git("add", "f", cwd=root)
    git("commit", "-qm", "x", cwd=root)
    found = Repository.discover(root)
    assert found.head() == Head(_id(git, "HEAD", root), "main")
    assert found.resolve("HEAD") == _id(git, "HEAD", root)
    assert found.refs.list("refs/heads/") == [("refs/heads/main", _id(git, "HEAD", root))]


def test_a_linked_worktree_has_its_own_git_directory_and_shares_the_common_one(repo, git, tmp_path):
    linked = tmp_path / "linked"
    git("worktree", "add", "-q", "-b", "side", str(linked))
    (linked / "sub").mkdir()
    for start in (linked / "sub", repo / ".git" / "worktrees" / "linked"):
        found = Repository.discover(start)
        assert (found.git_dir, found.common_dir) == (repo / ".git" / "worktrees" / "linked", repo / ".git")
        assert found.work_tree == linked
        assert found.head() == Head(_id(git, "HEAD"), "side")
    Repository.discover(linked).refs.create("refs/runs/inbox/a", _id(git, "HEAD"))
    assert Repository.discover(repo).refs.get("refs/runs/inbox/a") == _id(git, "HEAD")


def test_a_worktree_of_a_bare_repository_has_files(repo, git, tmp_path):
    git("clone", "-q", "--bare", str(repo), str(tmp_path / "bare.git"))
    git("worktree", "add", "-q", str(tmp_path / "tree"), "main", cwd=tmp_path / "bare.git")
    assert Repository.discover(tmp_path / "bare.git").work_tree is None
    assert Repository.discover(tmp_path / "tree").work_tree == tmp_path / "tree"


def test_a_submodule_is_a_repository_of_its_own(repo, git, tmp_path):
    git("clone", "-q", str(repo), str(tmp_path / "library"))
    git("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(tmp_path / "library"), "lib")
    found = Repository.discover(repo / "lib")
    assert (found.git_dir, found.work_tree) == (repo / ".git" / "modules" / "lib", repo / "lib")
    assert Repository.discover(found.git_dir).work_tree == repo / "lib"


def test_a_bare_repository_has_no_work_tree(repo, git, tmp_path):
    git("clone", "-q", "--bare", str(repo), str(tmp_path / "bare.git"))
    found = Repository.discover(tmp_path / "bare.git" / "refs")
    assert found.work_tree is None
    assert found.head().branch == "main"


def test_inside_the_git_directory_the_work_tree_is_known(repo):
    assert Repository.discover(repo / ".git" / "objects").work_tree == repo


def test_a_clone_that_borrows_objects_reads_them(repo, git, tmp_path):
    git("clone", "-q", "--shared", str(repo), str(tmp_path / "shared"))
    found = Repository.discover(tmp_path / "shared")
    commit = _id(git, "HEAD")
    assert not list((tmp_path / "shared" / ".git" / "objects").glob("??"))
    assert found.objects.has(commit)
    assert found.objects.read_commit(commit).message == "first\n"


def test_a_partial_clone_can_be_opened(repo, git, tmp_path):
    git("config", "uploadpack.allowFilter", "true")
    git("clone", "-q", "--filter=blob:none", f"file://{repo}", str(tmp_path / "partial"))
    found = Repository.discover(tmp_path / "partial")
    assert found.objects.read_commit(found.head().commit).message == "first\n"


def test_no_repository_is_said_with_the_command_that_makes_one(tmp_path):
    with pytest.raises(NotARepositoryError, match="no git repository around") as caught:
        Repository.discover(tmp_path)
    assert caught.value.hint == "git init"


def test_sha256_is_refused_with_the_reason(tmp_path, git):
    git("init", "-q", "--object-format=sha256", str(tmp_path / "new"))
    with pytest.raises(UnsupportedRepositoryError, match="SHA-256"):
        Repository.discover(tmp_path / "new")


@pytest.mark.skipif(shutil.which("sh") is None, reason="the hint is for a shell")
def test_the_hint_for_a_sha256_repository_makes_one_that_opens(tmp_path, git):
    root = tmp_path / "it's new"
    git("init", "-q", "--object-format=sha256", str(root))
    git("-C", str(root), "commit", "-q", "--allow-empty", "-m", "first")
    git("-C", str(root), "tag", "-a", "v1", "-m", "tag")
    with pytest.raises(UnsupportedRepositoryError) as caught:
        Repository.discover(root)
    subprocess.run(["sh", "-c", caught.value.hint], check=True, capture_output=True)
    head = Repository.discover(tmp_path / "it's new-sha1").resolve("v1")
    assert head is not None
    assert len(head) == 40


def test_hints_about_the_disk_name_the_cause(tmp_path):
    hints = {code: disk_hint(OSError(code, "no"), tmp_path) for code in (errno.ENOSPC, errno.EACCES, errno.EROFS)}
    assert hints == {
        errno.ENOSPC: f"df -h '{tmp_path}'",
        errno.EACCES: f"ls -ld '{tmp_path}'",
        errno.EROFS: "mount | grep '[(,]ro[,)]'",
    }
    denied = storage_error(OSError(errno.EROFS, "Read-only file system"), "it", tmp_path)
    assert denied.hint == hints[errno.EROFS]


def test_reftable_is_refused_with_the_reason(repo):
    config = repo / ".git" / "config"
    config.write_text(config.read_text() + "[Extensions]\n\trefStorage = reftable ; new\n")
    with pytest.raises(UnsupportedRepositoryError, match="reftable") as caught:
        Repository.discover(repo)
    assert caught.value.hint == "git refs migrate --ref-format=files"


def test_an_extension_that_libgit2_does_not_know_is_named(repo, git):
    git("config", "core.repositoryformatversion", "1")
    git("config", "extensions.fromTheFuture", "yes")
    with pytest.raises(UnsupportedRepositoryError, match="fromthefuture"):
        Repository.discover(repo).head()


def test_a_git_file_that_leads_nowhere_is_reported(tmp_path):
    (tmp_path / ".git").write_text("gitdir: /nowhere/at/all\n")
    with pytest.raises(RepositoryError, match="not a git directory"):
        Repository.discover(tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_another_users_repository_is_refused_until_git_is_told_to_trust_it(repo, git):
    for path in (repo, repo / ".git"):
        os.chown(path, 12345, 12345)
    with pytest.raises(RepositoryError, match="belongs to another user") as caught:
        Repository.discover(repo)
    assert caught.value.hint == f"git config --global --add safe.directory '{repo}'"
    git("config", "--global", "--add", "safe.directory", str(repo), cwd=repo.parent)
    assert Repository.discover(repo).head().branch == "main"


def test_head_is_unborn_detached_or_on_a_branch(tmp_path, repo, git):
    git("init", "-q", str(tmp_path / "empty"))
    assert Repository.discover(tmp_path / "empty").head() == Head(None, "main")
    commit = _id(git, "HEAD")
    git("checkout", "-q", "--detach")
    assert Repository.discover(repo).head() == Head(commit, None)
    git("checkout", "-q", "-b", "feature/x")
    assert Repository.discover(repo).head() == Head(commit, "feature/x")


def test_revisions_are_resolved_in_gits_own_words(repo, git):
    first = _id(git, "HEAD")
    git("commit", "-q", "--allow-empty", "-m", "second (fix)")
    git("tag", "-a", "-m", "annotated", "v1", "HEAD~1")
    found = Repository.discover(repo)
    for words in ("HEAD~1", "v1", first, first[:9], "main^", ":/first", "HEAD^{/first}", "main@{1}"):
        assert found.resolve(words) == first, words
    assert found.resolve("-x") is None
    assert found.resolve("--help") is None
    for words in ("", "nothing", "HEAD:train.py", "f" * 40, "a\0b", "v1^{blob}"):
        assert found.resolve(words) is None, words


def test_configuration_is_what_git_reads_last_value_first(repo, git, tmp_path):
    (tmp_path / "extra").write_text("[gittrack]\n\twriter = from-include\n\tflag\n")
    git("config", "include.path", str(tmp_path / "extra"))
    git("config", "--add", "Remote.Origin.URL", "https://one")
    git("config", "--add", "remote.Origin.url", "https://two\nlines")
    config = Repository.discover(repo).config()
    assert config["gittrack.writer"] == "from-include"
    assert config["gittrack.flag"] == "true"
    assert config["remote.Origin.url"] == "https://two\nlines"
    assert config["user.email"] == "test@example.com"


def test_the_remote_is_the_branchs_else_origin(repo, git):
    found = Repository.discover(repo)
    assert found.remote_url("main") is None
    git("remote", "add", "origin", "https://user:secret@example.com/o.git")
    git("remote", "add", "fork", "https://example.com/fork.git")
    git("config", "branch.main.remote", "fork")
    git("config", "branch.odd.remote", ".")
    found = Repository.discover(repo)
    assert found.remote_url("main") == "https://example.com/fork.git"
    assert found.remote_url("odd") == found.remote_url(None) == "https://user:secret@example.com/o.git"


def test_a_failing_git_is_an_error_with_its_last_word(repo):
    with pytest.raises(GitProgramError, match=r"'git cat-file' failed: Not a valid object name nonsense"):
        run_git(["-c", "a.b=c", "cat-file", "-p", "nonsense"], cwd=repo)
    assert run_git(["cat-file", "-e", "nonsense"], cwd=repo, ok_codes=(128,)) == b""


def test_the_line_that_says_what_failed_is_chosen():
    assert last_complaint("error: one\nfatal: two\nhint: three\n\n") == "two"
    assert last_complaint("just this\n") == "just this"
    assert last_complaint("") == ""


def test_a_missing_git_and_a_missing_directory_are_told_apart(repo, monkeypatch):
    with pytest.raises(GitProgramError, match="does not exist"):
        run_git(["status"], cwd=repo / "gone")
    monkeypatch.setenv("PATH", str(repo))
    with pytest.raises(GitProgramError, match="not installed"):
        run_git(["status"], cwd=repo)


def test_a_hooks_environment_does_not_lead_git_astray(repo, git, tmp_path, monkeypatch):
    git("init", "-q", str(tmp_path / "other"))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other" / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "no-such-index"))
    assert Repository.discover(repo).resolve("HEAD") is not None


def test_finding_and_listing_load_no_pygit2(repo, project_env):
    program = (
        "import sys; from pathlib import Path; from gittrack.git.repository import Repository\n"
        "r = Repository.discover(Path('.')); r.config(); r.refs.list('refs/heads/')\n"
        "r.objects.read_commit(r.resolve('HEAD'))\n"
        "sys.exit('pygit2' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", program], env=project_env, cwd=repo, check=False).returncode == 0


def test_the_repository_of_a_symlinked_directory_is_the_real_one(repo, tmp_path):
    (tmp_path / "link").symlink_to(repo)
    assert Repository.discover(Path(tmp_path / "link")).work_tree == repo
