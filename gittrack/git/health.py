"""What power loss, crashes and failing disks leave behind: found, not removed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from gittrack.core.ids import ObjectId
from gittrack.errors import CorruptRecordError, GittrackError, StorageError
from gittrack.git.objects import ObjectStore
from gittrack.git.ref_locks import OUR_NAMESPACES

if TYPE_CHECKING:
    from gittrack.git.repository import Repository

_LONGEST_REF_FILE = 4096
_TRAILER = 20
_SECURED = 1 << 40
"""Bytes: no limit on what ``fsck`` reads, the objects are in the repository already."""


def zero_length_refs(repo: Repository) -> list[Path]:
    """Files of our refs that a power loss left empty or full of NULs.

    Git's own gc, fetch and ``log --all`` die of them, and libgit2 neither lists nor overwrites them. Git moves refs
    into place complete, so such a file is never one being written.
    """
    return [path for path in _ref_files(repo) if path.suffix != ".lock" and _is_blank(path)]


def empty_loose_objects(repo: Repository) -> list[Path]:
    """Loose objects of zero length, which git takes for the object and so never writes again."""
    objects = repo.common_dir / "objects"
    return sorted(
        path
        for folder in objects.glob("[0-9a-f][0-9a-f]")
        for path in folder.iterdir()
        if path.is_file() and not path.name.startswith("tmp_") and path.stat().st_size == 0
    )


def damaged_packs(repo: Repository) -> dict[Path, str]:
    """Packs whose index does not match its own checksum or its pack, each with what is wrong.

    Checked before libgit2 reads from them: a flipped bit in an index can make it read without end.
    """
    found = {}
    for index in sorted((repo.common_dir / "objects" / "pack").glob("*.idx")):
        reason = _pack_damage(index)
        if reason:
            found[index.with_suffix(".pack")] = reason
    return found


def _pack_damage(index: Path) -> str:
    try:
        digest = hashlib.sha1(usedforsecurity=False)
        with open(index, "rb") as file:
            body = file.read()
        with open(index.with_suffix(".pack"), "rb") as file:
            file.seek(-_TRAILER, os.SEEK_END)
            pack_trailer = file.read()
    except FileNotFoundError:
        return ""  # repacked meanwhile, or an index whose pack is gone: git ignores that
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    digest.update(body[:-_TRAILER])
    if digest.digest() != body[-_TRAILER:]:
        return "its index is damaged"
    if body[-2 * _TRAILER : -_TRAILER] != pack_trailer:
        return "it is cut short or not the pack of its index"
    return ""


def fsck_objects(repo: Repository, ids: Iterable[ObjectId]) -> dict[ObjectId, str]:
    """Read every object of the given commits' trees and check each against its id; parents must be stored.

    Args:
        repo: where.
        ids: commits.

    Returns:
        For each commit that is not sound, what is wrong. One bad commit hides no other.
    """
    objects = _careful_store(repo)
    cut_off = repo.cut_off()
    sound: set[ObjectId] = set()
    damaged: dict[ObjectId, str] = {}
    for id in ids:
        try:
            _check_commit(objects, id, cut_off, sound)
        except GittrackError as error:
            damaged[id] = error.message
    return damaged


def _careful_store(repo: Repository) -> ObjectStore:
    """The objects of ``repo`` with nothing cached; only the loose ones when a pack is damaged."""
    packs = damaged_packs(repo)
    if not packs:
        return repo.reopened().objects

    def refuse() -> NoReturn:
        said = "; ".join(f"pack '{pack.name}': {reason}" for pack, reason in packs.items())
        raise CorruptRecordError(f"packed objects cannot be read safely: {said}", hint="git index-pack")

    return ObjectStore(repo.common_dir, refuse)


def _check_commit(objects: ObjectStore, id: ObjectId, cut_off: frozenset[ObjectId], sound: set[ObjectId]) -> None:
    commit = objects.read_commit(id)
    for entry in objects.list_tree(id, limit=1_000_000):
        if entry.id not in sound:
            _check_blob(entry.id, entry.path, objects.read_blob(entry.id, _SECURED))
            sound.add(entry.id)
    for parent in commit.parents[:1]:
        if id not in cut_off and not objects.has(parent):
            raise CorruptRecordError(f"its first parent '{parent}' is not in the repository")


def _check_blob(id: ObjectId, path: str, data: bytes) -> None:
    digest = hashlib.sha1(b"blob %d\0" % len(data), usedforsecurity=False)
    digest.update(data)
    if digest.hexdigest() != id:
        raise CorruptRecordError(f"file '{path}' is damaged: its bytes have another id")


def _ref_files(repo: Repository) -> list[Path]:
    found: list[Path] = []
    for namespace in OUR_NAMESPACES:
        for folder, _, names in os.walk(repo.common_dir / namespace):  # links to directories are not followed
            found += [Path(folder, name) for name in names if not Path(folder, name).is_symlink()]
    return sorted(found)


def _is_blank(path: Path) -> bool:
    try:
        with open(path, "rb") as file:
            return not file.read(_LONGEST_REF_FILE).strip(b"\0 \t\r\n")
    except FileNotFoundError:  # deleted or packed meanwhile
        return False
    except OSError as error:
        raise StorageError(f"ref file '{path}' cannot be read: {error.strerror}") from error
