"""Lock files of refs: which there are, how old, whether a git is at work that may hold them, and what to say of one.

Git and libgit2 hold one for milliseconds and leave it behind only when they are killed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from gittrack.core.names import display
from gittrack.errors import StorageError
from gittrack.frozen import dataclass

OUR_NAMESPACES = ("refs/runs", "refs/runs-remote", "refs/runs-fetched")
"""Below these all refs are ours."""
OWN_LOCK_SECONDS = 15
"""A lock below our namespaces this old is nobody's, when nothing is at work in the repository."""
STALE_LOCK_SECONDS = 600
"""Any lock this old is nobody's."""
PACKED = "packed-refs.lock"
_DAEMONS = (b"fsmonitor--daemon", b"credential-cache--daemon")


@dataclass(frozen=True, slots=True)
class RefLock:
    """A lock file.

    Attributes:
        path: of the file.
        age: seconds since it was made, at least 0.
        is_own: it is below our namespaces.
    """

    path: Path
    age: float
    is_own: bool


def ref_locks(common_dir: Path) -> list[RefLock]:
    """The locks of our refs and that of ``packed-refs``, sorted by path; those of the user's refs are git's matter."""
    now = time.time()
    found = [_lock(path, now, is_own=True) for name in OUR_NAMESPACES for path in _lock_files(common_dir / name)]
    found.append(_lock(common_dir / PACKED, now, is_own=False))
    return sorted((lock for lock in found if lock is not None), key=lambda lock: lock.path)


def _lock_files(folder: Path) -> Iterator[Path]:
    for inner, _, names in os.walk(folder):  # links to directories are not followed
        yield from (Path(inner, name) for name in names if name.endswith(".lock"))


def _lock(path: Path, now: float, *, is_own: bool) -> RefLock | None:
    try:
        return RefLock(path, max(now - path.lstat().st_mtime, 0.0), is_own)
    except (FileNotFoundError, NotADirectoryError):  # its owner has just finished
        return None


def gits_at_work(common_dir: Path) -> list[int] | None:
    """The processes of git that run in a repository, but for those that started this one.

    Returns:
        Their ids; None when this system does not tell.
    """
    above = _ancestors()
    try:
        pids = [int(name) for name in os.listdir("/proc") if name.isdecimal()]
    except OSError:
        return None
    if not above or not pids:
        return None
    roots = _work_trees(common_dir)
    return [pid for pid in pids if pid not in above and _is_git_in(pid, roots)]


def _work_trees(common_dir: Path) -> list[str]:
    found = [common_dir.resolve()]
    if common_dir.name == ".git":
        found.append(common_dir.resolve().parent)
    for file in common_dir.glob("worktrees/*/gitdir"):
        try:
            found.append(Path(file.read_text("utf-8", "surrogateescape").strip()).parent)
        except OSError:
            continue  # a worktree that is just removed
    return [str(path) for path in found]


def _is_git_in(pid: int, roots: list[str]) -> bool:
    """Whether a process is git, in one of some directories or told of one. Of another user's only its name is known."""
    try:
        name = Path(f"/proc/{pid}/comm").read_text("utf-8", "replace").strip()
        if name != "git" and not name.startswith("git-"):
            return False
        told = Path(f"/proc/{pid}/cmdline").read_bytes()
        if any(daemon in told for daemon in _DAEMONS):
            return False
        told += Path(f"/proc/{pid}/environ").read_bytes()
        place = os.readlink(f"/proc/{pid}/cwd")
    except (FileNotFoundError, ProcessLookupError):  # it has ended
        return False
    except OSError:
        return True
    return any(place == root or place.startswith(f"{root}/") or os.fsencode(root) in told for root in roots)


def _ancestors() -> set[int]:
    """This process and those above it: ``git track …`` and the git that runs a hook wait for us."""
    found: set[int] = set()
    pid = os.getpid()
    while pid > 0 and pid not in found:
        found.add(pid)
        try:
            stat = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
        except OSError:
            return found if len(found) > 1 else set()
        pid = int(stat.rpartition(")")[2].split()[1])
    return found


def locked(common_dir: Path, path: Path, what: str) -> StorageError | None:
    """The error for ``what`` that a lock file is in the way of; None when it has just gone."""
    is_own = any(path.is_relative_to(common_dir / name) for name in OUR_NAMESPACES)
    lock = _lock(path, time.time(), is_own=is_own)
    if lock is None:
        return None
    text = f"{what}: a lock is in the way, '{display(str(path))}', {format_seconds(lock.age)} old"
    return StorageError(text, hint=lock_hint(lock, gits_at_work(common_dir)))


def lock_hint(lock: RefLock, gits: list[int] | None) -> str:
    """What helps against a lock.

    Args:
        lock: which.
        gits: of :func:`gits_at_work`.
    """
    if gits:
        pids = ",".join(map(str, gits[:5]))
        return f"git is at work here, wait for it: ps -fp {pids}; when it is stuck, end it, then: gittrack doctor"
    seconds = OWN_LOCK_SECONDS if lock.is_own and gits is not None else STALE_LOCK_SECONDS
    who = "no git is at work here any more" if gits is not None else "whether a git is at work here still: ps ax"
    left = seconds - lock.age
    if left <= 0:
        return "gittrack doctor"
    return f"{who}; in {format_seconds(left)} this removes the lock: gittrack doctor; at once: rm '{lock.path}'"


def format_seconds(seconds: float) -> str:
    """``8 s``, ``10 min``: rounded up, so that who waits so long has waited long enough."""
    whole = -int(-seconds // 1)
    return f"{whole} s" if whole < 120 else f"{-(-whole // 60)} min"
