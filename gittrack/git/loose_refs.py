"""Creating one ref without libgit2, by the protocol of git's files backend.

``<ref>.lock`` is made exclusively, the ref is looked for loose and in ``packed-refs``, the id is written and synced,
and the lock renamed to the ref: the same steps as git's own, so that the two exclude each other.
"""

from __future__ import annotations

import os

from gittrack.core.ids import ObjectId, RefName

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)


def create_loose(common_dir: str, name: RefName, new: ObjectId) -> bool:
    """Make a ref that must not exist.

    Args:
        common_dir: the git directory that all worktrees share.
        name: a full, valid name.
        new: what it points at; stored already.

    Returns:
        False when a ref of that name exists.

    Raises:
        OSError: it is locked (FileExistsError), or could not be written.
    """
    path = f"{common_dir}/{name}"
    lock = f"{path}.lock"
    file = _open_lock(lock)
    try:
        try:
            if os.path.lexists(path) or _in_packed_refs(common_dir, name):
                os.unlink(lock)
                return False
            os.write(file, f"{new}\n".encode())
            os.fsync(file)
        finally:
            os.close(file)
        os.rename(lock, path)
    except BaseException:
        if os.path.exists(lock):
            os.unlink(lock)
        raise
    return True


def _open_lock(lock: str) -> int:
    try:
        return os.open(lock, _NEW, 0o644)
    except FileNotFoundError:  # the first ref of its folder, or pack-refs has just removed the empty folder
        os.makedirs(os.path.dirname(lock), exist_ok=True)
        return os.open(lock, _NEW, 0o644)


def _in_packed_refs(common_dir: str, name: RefName) -> bool:
    try:
        with open(f"{common_dir}/packed-refs", "rb") as file:
            packed = file.read()
    except FileNotFoundError:
        return False
    folders = name.split("/")
    above = ["/".join(folders[:count]) for count in range(3, len(folders))]
    # A ref above or below is in the way as much as the same one.
    taken = [f" {name}\n", f" {name}/", *(f" {folder}\n" for folder in above)]
    return any(text.encode() in packed for text in taken)


def read_loose_ref(common_dir: str, name: RefName) -> ObjectId | None:
    """What a ref points at when that can be told without libgit2; None when it cannot, or when there is no such ref."""
    try:
        with open(f"{common_dir}/{name}", "rb") as file:
            text = file.read(64).rstrip(b"\n")
    except OSError:
        return None
    is_id = len(text) == 40 and all(digit in b"0123456789abcdef" for digit in text)
    return ObjectId(text.decode()) if is_id else None
