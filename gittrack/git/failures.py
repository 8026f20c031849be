"""What pygit2 and the operating system raise, as errors of gittrack."""

from __future__ import annotations

from pathlib import Path

from gittrack.errors import RepositoryError, StorageError, UnsupportedRepositoryError

_FULL = ("No space left on device", "Disk quota exceeded")
_DENIED = ("Permission denied", "Read-only file system", "Operation not permitted")


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
        return StorageError(f"cannot store {what}: '{where}' is not writable", hint=f"ls -ld '{where}'")
    return StorageError(f"cannot store {what}: {said}")


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


_UNSUPPORTED_SIGNS = (
    ("object format", "SHA-256 object ids"),
    ("refstorage", "the reftable format"),
    ("unsupported extension", ""),
    ("unsupported repository version", ""),
)


def unsupported(git_dir: Path, feature: str) -> UnsupportedRepositoryError:
    """The repository uses ``feature``, which libgit2 cannot read."""
    return UnsupportedRepositoryError(
        f"repository '{git_dir}' uses {feature}, which libgit2 cannot read yet",
        hint="git init --object-format=sha1 --ref-format=files",
    )


def foreign_owner(git_dir: Path) -> RepositoryError:
    """Git does not trust the repository because another user owns it."""
    directory = git_dir.parent if git_dir.name == ".git" else git_dir
    return RepositoryError(
        f"repository '{directory}' belongs to another user",
        hint=f"git config --global --add safe.directory '{directory}'",
    )
