"""The code a run runs, as a commit: HEAD when the work tree is clean, else a snapshot on top of it.

One ``git status`` answers for a clean tree. The user's index, HEAD, branches, stash and files are only read. The
same files on the same HEAD give the same commit id.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from gittrack.core.ids import ObjectId
from gittrack.core.records import GITTRACK, CodeState, LeftOut, SubmoduleState
from gittrack.git.limits import SnapshotLimits
from gittrack.git.program import finish_git, run_git, start_git
from gittrack.git.status import STATUS, Change, WorkTreeStatus, parse_status
from gittrack.git.trees import EMPTY_TREE

if TYPE_CHECKING:
    from gittrack.git.repository import Repository
    from gittrack.git.scratch_index import ScratchIndex
    from gittrack.git.selection import Selection

__all__ = ["MadeSnapshot", "PendingSnapshot", "SnapshotLimits", "start_snapshot"]

_MESSAGE = "snapshot of the work tree\n"


class MadeSnapshot(NamedTuple):
    """A snapshot that this process made: of what, and the paths at which it differs from HEAD."""

    repo: Repository
    limits: SnapshotLimits
    paths: tuple[bytes, ...]

    def again(self) -> ObjectId | None:
        """Make it again; another commit when the work tree has changed meanwhile."""
        return start_snapshot(self.repo, self.limits).result().commit


def start_snapshot(repo: Repository, limits: SnapshotLimits, directory: str = "") -> PendingSnapshot:
    """Start looking at the work tree and return at once; do other work, then ask for the result.

    Args:
        repo: whose work tree.
        limits: what the snapshot takes at most.
        directory: where in the work tree the process stands, ``""`` for its root; only noted.

    Raises:
        GitProgramError: git cannot be started.

    Example:
        ``code = start_snapshot(repo, SnapshotLimits()).result()``
    """
    if repo.work_tree is None:
        return PendingSnapshot(repo, limits, directory, None)
    process = start_git(STATUS, cwd=repo.work_tree, git_dir=repo.git_dir, work_tree=repo.work_tree)
    return PendingSnapshot(repo, limits, directory, process)


class PendingSnapshot:
    """A snapshot under way; made by :func:`start_snapshot`."""

    def __init__(
        self, repo: Repository, limits: SnapshotLimits, directory: str, process: subprocess.Popen[bytes] | None
    ) -> None:
        self._repo = repo
        self._limits = limits
        self._directory = directory
        self._process = process
        self._state: CodeState | None = None
        self.untracked: tuple[bytes, ...] = ()
        """Once there is a result: files that git neither tracks nor ignores, from the top of the work tree."""

    def result(self) -> CodeState:
        """Wait for git, store the snapshot if the tree is dirty, and say what the code is; ``remote`` is left None.

        Objects are durable when this returns, but nothing refers to a snapshot yet: point a ref at it soon, and then
        look whether it is whole (:func:`gittrack.git.wholeness.keep_whole`).

        Raises:
            GitProgramError: git cannot read the work tree or the index.
            StorageError: the snapshot cannot be stored.
        """
        if self._state is None:
            if self._process is None:
                head = self._repo.head()
                self._state = CodeState(
                    None, head.commit, head.branch, directory=self._directory, reason="the repository has no work tree"
                )
            else:
                self._state = self._code_state(parse_status(finish_git(self._process)))
        return self._state

    def cancel(self) -> None:
        """Stop git; for callers that give up before the result."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            self._process.communicate()

    def _code_state(self, status: WorkTreeStatus) -> CodeState:
        self.untracked = tuple(change.path for change in status.changes if change.untracked)
        if not status.changes:
            reason = "" if status.head else "there is no commit and no file yet"
            return self._state_of(status, status.head, (), self._clean_submodules(), reason)
        assert self._repo.work_tree is not None
        # Only a dirty tree needs these: a run on a clean one starts sooner without them.
        from gittrack.git.scratch_index import ScratchIndex
        from gittrack.git.selection import select

        selection = select(self._repo.work_tree, status.changes, self._limits)
        with ScratchIndex(self._repo) as index:
            tree = _build_tree(self._repo, index, selection)
            commit = self._commit(status, tree)
            dirty = {change.path for change in status.changes if change.submodule_dirty}
            linked = index.submodules() if self._has_submodules(status.changes) else []
        if commit is not None and commit != status.head:
            made = MadeSnapshot(self._repo, self._limits, tuple(change.path for change in status.changes))
            self._repo.snapshots[commit] = made
        reason = "" if commit else "there is no commit, and every file was left out"
        return self._state_of(status, commit, selection.listed(), _submodules(linked, dirty), reason)

    def _state_of(
        self,
        status: WorkTreeStatus,
        commit: ObjectId | None,
        left_out: tuple[LeftOut, ...],
        submodules: tuple[SubmoduleState, ...],
        reason: str,
    ) -> CodeState:
        return CodeState(
            commit=commit,
            head=status.head,
            branch=status.branch,
            dirty=bool(status.changes),
            directory=self._directory,
            left_out=left_out,
            submodules=submodules,
            reason=reason,
        )

    def _commit(self, status: WorkTreeStatus, tree: ObjectId) -> ObjectId | None:
        objects = self._repo.objects
        if status.head is None:
            if tree == EMPTY_TREE:
                return None
            return objects.write_commit(tree, [], _MESSAGE, GITTRACK, 0)
        head = objects.read_commit(status.head)
        if head.tree == tree:  # only left-out files or the insides of submodules differ
            return status.head
        return objects.write_commit(tree, [head.id], _MESSAGE, GITTRACK, head.commit_time)

    def _has_submodules(self, changes: Sequence[Change]) -> bool:
        assert self._repo.work_tree is not None
        return any(change.submodule for change in changes) or (self._repo.work_tree / ".gitmodules").exists()

    def _clean_submodules(self) -> tuple[SubmoduleState, ...]:
        if not self._has_submodules(()):
            return ()
        assert self._repo.work_tree is not None
        from gittrack.git.scratch_index import gitlinks

        listing = run_git(
            ["ls-files", "--stage", "-z"],
            cwd=self._repo.work_tree,
            git_dir=self._repo.git_dir,
            work_tree=self._repo.work_tree,
        )
        return _submodules(gitlinks(listing), set())


def _build_tree(repo: Repository, index: ScratchIndex, selection: Selection) -> ObjectId:
    assert repo.work_tree is not None
    from gittrack.git.selection import changed_meanwhile

    for change, said in index.take(selection.taken):
        selection.refuse(change, said)
    for change in changed_meanwhile(repo.work_tree, selection):
        if change not in selection.refused:
            selection.refuse(change, "changing", selection.stamps[change.path][0])
    in_index = [c for c in selection.refused if not c.untracked or c.path in selection.stamps]
    index.restore(in_index)
    return index.write_tree()


def _submodules(linked: list[tuple[bytes, ObjectId]], dirty: set[bytes]) -> tuple[SubmoduleState, ...]:
    from gittrack.git.selection import shown_path

    return tuple(SubmoduleState(shown_path(path), commit, path in dirty) for path, commit in linked)
