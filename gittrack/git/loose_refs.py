"""Creating one ref without libgit2 and without a lock that a kill would leave behind.

The ref is looked for in ``packed-refs``; the id is written beside it, synced, and hard-linked to the ref's name, which
fails when the ref exists. Git ignores names that end in ``.lock``, so nobody takes the file beside it for a ref, and
``doctor`` clears it away. (A stale ``<ref>.lock`` would keep the next command from finishing a killed run.)
"""

from __future__ import annotations

import contextlib
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
        OSError: it could not be written.
    """
    path = f"{common_dir}/{name}"
    beside = f"{path}.{os.urandom(8).hex()}.lock"
    file = _open_new(beside)
    try:
        if _in_packed_refs(common_dir, name):
            return False
        os.write(file, f"{new}\n".encode())
        os.fsync(file)
        os.link(beside, path)
    except FileExistsError:
        return False
    finally:
        os.close(file)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(beside)
    return True


def _open_new(path: str) -> int:
    try:
        return os.open(path, _NEW, 0o644)
    except FileNotFoundError:  # the first ref of its folder, or pack-refs has just removed the empty folder
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return os.open(path, _NEW, 0o644)


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
