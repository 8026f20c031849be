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


def read_ref(common_dir: str, name: RefName) -> tuple[bool, ObjectId | None]:
    """What a ref points at, as far as that can be told without libgit2.

    Returns:
        Whether it could be told, and the id; None when there is no such ref. A symbolic or damaged ref cannot.
    """
    try:
        with open(f"{common_dir}/{name}", "rb") as file:
            return _parsed(file.read(64))
    except FileNotFoundError:
        return _packed(common_dir, name)
    except OSError:
        return False, None


def _packed(common_dir: str, name: RefName) -> tuple[bool, ObjectId | None]:
    try:
        with open(f"{common_dir}/packed-refs", "rb") as file:
            data = file.read()
    except FileNotFoundError:
        return True, None
    except OSError:
        return False, None
    end = data.find(f" {name}\n".encode())
    return (True, None) if end < 0 else _parsed(data[max(end - 40, 0) : end] + b"\n")


def _parsed(line: bytes) -> tuple[bool, ObjectId | None]:
    text = line.removesuffix(b"\n")
    is_id = len(text) == 40 and all(digit in b"0123456789abcdef" for digit in text)
    return (True, ObjectId(text.decode())) if is_id else (False, None)
