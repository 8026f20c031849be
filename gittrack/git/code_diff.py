"""The code of two runs compared by the user's ``git diff``, which executes nothing and writes nothing here.

Diff drivers (``diff.*.command``, ``textconv``, ``GIT_EXTERNAL_DIFF``), ``core.fsmonitor``, hooks, replace refs, the
insides of submodules and the fetching of what a partial clone lacks are off. Where files of the work tree are read,
clean filters run as in ``git status`` and when a run is kept: without them LFS files and line endings would differ.
"""

from __future__ import annotations

import os
import stat
import subprocess
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from gittrack.core.ids import ObjectId
from gittrack.core.records import LeftOut
from gittrack.errors import GitProgramError, NotFoundError
from gittrack.git.limits import SnapshotLimits
from gittrack.git.program import last_complaint, run_git, start_git
from gittrack.git.scratch_index import ScratchIndex
from gittrack.git.status import STATUS, parse_status
from gittrack.git.trees import MODE_EXECUTABLE, MODE_FILE, MODE_SYMLINK, is_unsafe_part

if TYPE_CHECKING:
    from gittrack.git.repository import Repository

Style = Literal["patch", "stat", "names", "stat and patch"]
"""How ``git diff`` shows it: ``-p``, ``--stat``, ``--name-only``, ``--patch-with-stat``."""
FileStatus = Literal["added", "deleted", "modified", "renamed", "copied", "type changed", "unmerged"]

_SETTINGS = (
    *("-c", "core.fsmonitor=false"),
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "core.splitIndex=false"),
    *("-c", "core.safecrlf=false"),
    *("-c", "core.quotePath=false"),
)
_OPTIONS = (
    *("--no-ext-diff", "--no-textconv", "--submodule=short", "--ignore-submodules=dirty", "--no-relative"),
    *("--src-prefix=a/", "--dst-prefix=b/", "--find-renames"),
)
_ENVIRONMENT = {"GIT_NO_REPLACE_OBJECTS": "1", "GIT_NO_LAZY_FETCH": "1", "GIT_ALLOW_PROTOCOL": "none"}
_STATUSES: dict[str, FileStatus] = {
    "A": "added",
    "D": "deleted",
    "M": "modified",
    "R": "renamed",
    "C": "copied",
    "T": "type changed",
    "U": "unmerged",
}
_CHUNK = 1 << 16
_KEPT_MESSAGES = 50
_EMPTY_BLOB = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"


class FileChange(NamedTuple):
    """A file at which two codes differ.

    Attributes:
        status: ``added``, ``deleted``, ``modified``, ``renamed``, ``copied``, ``type changed`` or ``unmerged``.
        path: from the top of the work tree; bytes that are no UTF-8 are surrogates (``os.fsencode`` gives them back).
        before: its path before, where it was renamed or copied; else ``""``.
    """

    status: FileStatus
    path: str
    before: str = ""


class LineCounts(NamedTuple):
    """How many lines a file gained and lost; None for a binary file."""

    added: int | None
    removed: int | None


# Without slots: what git said is kept.
@dataclass(frozen=True)
class CodeDiff:
    """What differs between the code of two runs, or of a run and the work tree.

    Attributes:
        before: the commit of the first run's code; None when it is unknown.
        after: that of the second run; None when it is unknown, and for the work tree.
        of_work_tree: whether the second side is the work tree as it is now.
        reason: why the two cannot be compared; empty otherwise.
        hint: the command that mends that.
    """

    before: ObjectId | None
    after: ObjectId | None
    of_work_tree: bool = False
    reason: str = ""
    hint: str = ""
    _repo: Repository | None = field(default=None, repr=False, compare=False)
    _limits: SnapshotLimits = field(default=SnapshotLimits(), repr=False, compare=False)

    @property
    def differs(self) -> bool:
        """Whether any file differs, or may: what cannot be compared is not known to be the same."""
        return bool(self.reason or self.files)

    @cached_property
    def files(self) -> tuple[FileChange, ...]:
        """The files that differ, by path, as they are when this is first asked.

        Raises:
            NotFoundError: the two cannot be compared; says why.
            GitProgramError: git failed.
        """
        return self.files_in(())

    def files_in(self, paths: Sequence[str], directory: Path | None = None) -> tuple[FileChange, ...]:
        """The same of some paths; arguments as of :meth:`stream`."""
        parts = iter(self._fields("--raw", paths, directory))
        found = []
        for head in parts:
            letter = head.rpartition(b" ")[2][:1].decode("ascii", "replace")
            first = os.fsdecode(next(parts, b""))
            moved = letter in "RC"
            path = os.fsdecode(next(parts, b"")) if moved else first
            found.append(FileChange(_STATUSES.get(letter, "modified"), path, first if moved else ""))
        return tuple(found)

    def line_counts(self, paths: Sequence[str] = (), directory: Path | None = None) -> dict[str, LineCounts]:
        """Path -> lines added and removed; arguments as of :meth:`stream`, errors as of :attr:`files`."""
        parts = iter(self._fields("--numstat", paths, directory))
        counts = {}
        for part in parts:
            added, removed, path = part.split(b"\t", 2)
            if not path:  # renamed: both paths follow
                next(parts, b"")
                path = next(parts, b"")
            is_text = added != b"-"
            counts[os.fsdecode(path)] = LineCounts(int(added), int(removed)) if is_text else LineCounts(None, None)
        return counts

    def patch(self, *paths: str) -> str:
        """The differences as a patch that ``git apply`` takes, binary files included.

        Args:
            paths: only of these files and folders, from the top of the work tree; all when none is given.

        Returns:
            Text; ``.encode("utf-8", "surrogateescape")`` gives the very bytes.

        Raises:
            NotFoundError, GitProgramError: as for :attr:`files`.
        """
        chunks = self._run(["--patch", "--binary", "--full-index", "--no-color"], paths, None)
        return b"".join(chunks).decode("utf-8", "surrogateescape")

    def stream(
        self,
        style: Style,
        *,
        colour: bool = False,
        width: int | None = None,
        paths: Sequence[str] = (),
        directory: Path | None = None,
        binary: bool = False,
    ) -> Iterator[bytes]:
        """What ``git diff`` prints, piece by piece: it is never in memory as a whole.

        Args:
            style: how.
            colour: whether in git's colours.
            width: columns of the terminal, for ``stat``; None where there is none.
            paths: pathspecs of git, relative to ``directory``; everything when empty.
            directory: where in the work tree; its top when None, and when it is outside.
            binary: whether a patch holds binary files too, for ``git apply``; otherwise it says that they differ.

        Raises:
            NotFoundError, GitProgramError: as for :attr:`files`.
        """
        stat_option = "--stat" if width is None else f"--stat={max(width, 20)}"
        options = {
            "patch": ["--patch", *(["--binary"] if binary else [])],
            "stat": [stat_option],
            "names": ["--name-only"],
            "stat and patch": [stat_option, "--patch"],
        }[style]
        return self._run([*options, f"--color={'always' if colour else 'never'}"], paths, directory)

    @cached_property
    def left_out(self) -> tuple[LeftOut, ...]:
        """New files of the work tree that are not compared, as a run would leave them out; empty between two runs."""
        return self._new_files[1]

    @cached_property
    def _new_files(self) -> tuple[tuple[bytes, ...], tuple[LeftOut, ...]]:
        if not self.of_work_tree or self._repo is None or self._repo.work_tree is None:
            return (), ()
        from gittrack.git.selection import select

        top = self._repo.work_tree
        said = run_git(["-c", "core.fsmonitor=false", *STATUS], cwd=top, git_dir=self._repo.git_dir, work_tree=top)
        new = [change for change in parse_status(said).changes if change.untracked]
        selection = select(top, new, self._limits)
        return tuple(change.path for change in selection.taken), selection.listed()

    def _fields(self, option: str, paths: Sequence[str], directory: Path | None) -> list[bytes]:
        return b"".join(self._run([option, "-z", "--no-abbrev"], paths, directory)).split(b"\0")[:-1]

    def _run(self, options: Sequence[str], paths: Sequence[str], directory: Path | None) -> Iterator[bytes]:
        if self.reason or self._repo is None:
            raise NotFoundError(self.reason or "the code is of no repository", hint=self.hint or None)
        assert self.before is not None
        if self.before == self.after:
            return iter(())
        return self._git_diff(self._repo, options, paths, directory)

    def _git_diff(
        self, repo: Repository, options: Sequence[str], paths: Sequence[str], directory: Path | None
    ) -> Iterator[bytes]:
        assert self.before is not None
        sides = [str(side) for side in (self.before, self.after) if side is not None]
        command = [*_SETTINGS, "diff", *_OPTIONS, *options, "--end-of-options", *sides, "--", *paths]
        with ExitStack() as stack:
            environment = dict(_ENVIRONMENT)
            if self.of_work_tree:
                index = stack.enter_context(_PresentIndex(repo))
                index.add(self.before, self._new_files[0])
                environment["GIT_INDEX_FILE"] = index.path
            cwd = _place(repo, directory)
            process = start_git(command, cwd=cwd, git_dir=repo.git_dir, work_tree=repo.work_tree, env=environment)
            yield from _output(process, f"git diff {' '.join(sides)}")


def _place(repo: Repository, directory: Path | None) -> Path:
    """Where git runs: paths are relative to that."""
    top = repo.work_tree
    if top is None:
        return repo.git_dir
    if directory is None:
        return top
    real = Path(os.path.realpath(directory))
    return real if real == top or (top in real.parents and repo.git_dir not in (real, *real.parents)) else top


def _output(process: subprocess.Popen[bytes], by_hand: str) -> Iterator[bytes]:
    assert process.stdout is not None and process.stderr is not None
    messages: deque[bytes] = deque(maxlen=_KEPT_MESSAGES)
    # Read all the while: thousands of warnings would fill the pipe, and git would wait for us for ever.
    listener = threading.Thread(target=messages.extend, args=(process.stderr,), daemon=True)
    listener.start()
    try:
        while chunk := process.stdout.read1(_CHUNK):  # type: ignore[attr-defined]
            yield chunk
        process.wait()
    finally:
        if process.poll() is None:  # nobody reads on, or an interrupt
            process.kill()
            process.wait()
        listener.join()
        process.stdout.close()
        process.stderr.close()
    if process.returncode:
        said = last_complaint(b"".join(messages).decode("utf-8", "replace"))
        raise GitProgramError(f"'git diff' failed: {said or f'it ended with {process.returncode}'}", hint=by_hand)


class _Folders:
    """Which folders of the work tree are its own: neither a link elsewhere nor another repository."""

    def __init__(self, top: bytes) -> None:
        self._top = top
        self._known = {b"": True}

    def holds(self, path: bytes) -> bool:
        """Whether the file at ``path`` lies in one of them. (Git would put it in the place of the link.)"""
        folder = path.rpartition(b"/")[0]
        if folder not in self._known:
            real = os.path.join(self._top, folder)
            own = os.path.isdir(real) and not os.path.islink(real) and not os.path.lexists(os.path.join(real, b".git"))
            self._known[folder] = own and self.holds(folder)
        return self._known[folder]


class _PresentIndex(ScratchIndex):
    """A copy of the index that also names the new files, so that ``git diff`` looks at them; no object is written."""

    @property
    def path(self) -> str:
        """Where it lies."""
        return str(self._path)

    def add(self, before: ObjectId, new: Sequence[bytes]) -> None:
        """Name new files, and what ``before`` has and the index has not: new files then, perhaps ignored by now."""
        only_before = self._git("diff", *_OPTIONS[:5], "--cached", "--name-only", "--no-renames", "--diff-filter=D",
                                "-z", str(before), "--")  # fmt: skip
        folders = _Folders(os.fsencode(self._work_tree))
        paths = dict.fromkeys([*new, *only_before.split(b"\0")[:-1]])
        self._add([entry for path in paths if folders.holds(path) and (entry := self._entry(path))])

    def _entry(self, path: bytes) -> bytes:
        """The path as ``update-index --index-info`` takes it; empty when there is no file. Git reads it itself."""
        if any(map(is_unsafe_part, os.fsdecode(path).split("/"))):
            return b""
        try:
            found = os.lstat(os.path.join(os.fsencode(self._work_tree), path))
        except (OSError, ValueError):
            return b""
        if stat.S_ISLNK(found.st_mode):
            mode = MODE_SYMLINK
        elif stat.S_ISREG(found.st_mode):
            mode = MODE_EXECUTABLE if found.st_mode & stat.S_IXUSR else MODE_FILE
        else:
            return b""
        return f"{mode:o} {_EMPTY_BLOB}\t".encode() + path

    def _add(self, entries: list[bytes]) -> None:
        try:
            if entries:
                self._update("--index-info", records=entries)
        except GitProgramError:
            half = len(entries) // 2
            if half:  # git takes all or nothing, so a path that it refuses (it comes from a run) is found by halving
                self._add(entries[:half])
                self._add(entries[half:])
