"""Paths of the index, found by how they end, without reading all of it.

A project has a few ``.dvc`` files among up to a hundred thousand others: the names are searched for in the index's
bytes, and what stands before each is checked to be an entry. Where the index is written in another way (version 4,
split), git itself is asked.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from gittrack.errors import StorageError
from gittrack.git.program import run_git

if TYPE_CHECKING:
    from gittrack.git.repository import Repository

_HEADER = struct.Struct(">4sII")
_ENTRY = 62
"""Bytes of an entry before its path; two more when its flags are extended."""
_EXTENDED = 0x4000
_REGULAR = frozenset({0o100644, 0o100755})
_MAX_BYTES = 1 << 30


def index_paths(repo: Repository, endings: Sequence[str]) -> list[str]:
    """The regular files that git tracks and whose paths end in one of ``endings``, sorted.

    Args:
        repo: whose index; empty without a work tree.
        endings: such as ``.dvc``.

    Raises:
        GitProgramError: git cannot read the index.
        StorageError: the index cannot be read.
    """
    try:
        data = (repo.git_dir / "index").read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StorageError(f"cannot read the index: {error.strerror}", hint="check the permissions") from error
    signature, version, _ = _HEADER.unpack_from(data.ljust(_HEADER.size, b"\0"))
    wanted = [ending.encode() for ending in endings]
    if signature == b"DIRC" and version in (2, 3) and not _is_split(repo, data) and len(data) < _MAX_BYTES:
        found = _search(data, wanted)
    else:
        found = _asked(repo, wanted)
    return sorted(path.decode("utf-8", "surrogateescape") for path in found)


def _is_split(repo: Repository, data: bytes) -> bool:
    """Whether an extension names the shared index that holds the rest; what only looks like it names no file."""
    return any(
        (repo.git_dir / f"sharedindex.{data[match.end() + 4 : match.end() + 24].hex()}").exists()
        for match in re.finditer(b"link(?=\0)", data)
    )


def _search(data: bytes, endings: Iterable[bytes]) -> set[bytes]:
    found: set[bytes] = set()
    for ending in endings:
        for match in re.finditer(re.escape(ending) + b"\0", data):
            end = match.end() - 1
            if path := _path_ending_at(data, end):
                found.add(path)
    return found


def _path_ending_at(data: bytes, end: int) -> bytes | None:
    """The path of the entry whose path ends at ``end``; None when no entry does."""
    first = data.rfind(b"\0", 0, end) + 1  # no path holds NUL; it may begin a few bytes of its header later
    for start in range(first, min(end, first + 24)):
        length = min(end - start, 0xFFF)
        for size in (_ENTRY, _ENTRY + 2):
            begin = start - size
            # Entries begin at multiples of eight bytes.
            if begin < _HEADER.size or (begin - _HEADER.size) % 8:
                continue
            flags = int.from_bytes(data[begin + 60 : begin + 62], "big")
            mode = int.from_bytes(data[begin + 24 : begin + 28], "big")
            is_extended = bool(flags & _EXTENDED)
            if mode in _REGULAR and flags & 0xFFF == length and is_extended == (size > _ENTRY):
                return data[start:end]
    return None


def _asked(repo: Repository, endings: Sequence[bytes]) -> set[bytes]:
    if repo.work_tree is None:
        return set()
    arguments = ["ls-files", "--stage", "-z"]
    listed = run_git(arguments, cwd=repo.work_tree, git_dir=repo.git_dir, work_tree=repo.work_tree)
    rows = (row.partition(b"\t") for row in listed.split(b"\0"))
    return {path for about, _, path in rows if about.startswith(b"100") and path.endswith(tuple(endings))}
