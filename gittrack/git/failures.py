"""What pygit2 and the operating system raise, as errors of gittrack."""

from __future__ import annotations

import errno
from pathlib import Path

from gittrack.errors import RepositoryError, StorageError, UnsupportedRepositoryError

_FULL = ("No space left on device", "Disk quota exceeded")
_READ_ONLY = "Read-only file system"
_DENIED = ("Permission denied", _READ_ONLY, "Operation not permitted")
_MOUNTS = "mount | grep '[(,]ro[,)]'"
"""Which file systems are mounted read-only."""


def pygit2_errors() -> tuple[type[Exception], ...]:
    """Every class of exception that a call of pygit2 raises for a reason outside the caller."""
    import pygit2

    return (pygit2.GitError, OSError, ValueError, KeyError)


def storage_error(error: Exception, what: str, where: Path) -> StorageError:
    """``what`` could not be stored below the directory ``where``, because of ``error``; raise it ``from`` that."""
    said = str(error)
    if any(sign in said for sign in _FULL):
        return StorageError(f"cannot store {what}: the disk of '{where}' is full", hint=f"df -h '{where}'")
    if any(sign in said for sign in _DENIED):
        hint = _MOUNTS if _READ_ONLY in said else f"ls -ld '{where}'"
        return StorageError(f"cannot store {what}: '{where}' is not writable", hint=hint)
    return StorageError(f"cannot store {what}: {said}")


def disk_hint(error: OSError, where: Path | str) -> str:
    """The command that shows why ``where`` could not be read or written: who may, what is mounted, how full it is."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"df -h '{where}'"
    return _MOUNTS if error.errno == errno.EROFS else f"ls -ld '{where}'"


def not_kept(what: str, where: Path) -> StorageError:
    """Git said that it stored ``what``, and it is not there."""
    return StorageError(f"{what} is not in '{where}' after writing it; is the disk full?", hint=f"df -h '{where}'")


def opening_error(error: Exception, git_dir: Path) -> RepositoryError:
    """The repository at ``git_dir`` could not be opened, because of ``error``."""
    said = str(error)
    if "not owned by" in said:
        return foreign_owner(git_dir)
    for sign, feature in _UNSUPPORTED_SIGNS:
        if sign in said:
            return unsupported(git_dir, feature or said.rpartition(": ")[2])
    return RepositoryError(f"repository '{git_dir}' cannot be opened: {said}", hint="git fsck")


SHA256, REFTABLE = "SHA-256 object ids", "the reftable format"
_UNSUPPORTED_SIGNS = (
    ("object format", SHA256),
    ("refstorage", REFTABLE),
    ("unsupported extension", ""),
    ("unsupported repository version", ""),
)


def unsupported(git_dir: Path, feature: str) -> UnsupportedRepositoryError:
    """The repository uses ``feature``, which libgit2 cannot read."""
    import shlex

    directory = _directory_of(git_dir)
    copy = shlex.quote(f"{directory}-sha1")
    hints = {
        # Object ids are part of every object, so nothing converts in place: the history is written anew beside it.
        SHA256: f"git init --object-format=sha1 {copy} && git -C {shlex.quote(str(directory))} fast-export --all "
        f"--signed-tags=strip | git -C {copy} fast-import",
        REFTABLE: "git refs migrate --ref-format=files",
    }
    return UnsupportedRepositoryError(
        f"repository '{git_dir}' uses {feature}, which libgit2 cannot read yet", hint=hints.get(feature)
    )


def foreign_owner(git_dir: Path) -> RepositoryError:
    """Git does not trust the repository because another user owns it."""
    directory = _directory_of(git_dir)
    return RepositoryError(
        f"repository '{directory}' belongs to another user",
        hint=f"git config --global --add safe.directory '{directory}'",
    )


def _directory_of(git_dir: Path) -> Path:
    return git_dir.parent if git_dir.name == ".git" else git_dir
