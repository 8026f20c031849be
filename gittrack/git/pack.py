"""One pack for a batch of runs, held against ``git gc`` while refs move."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gittrack.core.ids import ObjectId
from gittrack.errors import GitProgramError, InvalidValueError, StorageError
from gittrack.git.failures import storage_error
from gittrack.git.program import run_git

if TYPE_CHECKING:
    from gittrack.git.repository import Repository

_ATTRIBUTES = "*.csv -delta\n"
"""Git spends most of a gc looking for deltas between metric files, and finds nearly none."""
_SETTINGS = (
    *("-c", "pack.packSizeLimit=0"),  # one pack, whatever the user prefers
    *("-c", "core.fsync=pack,pack-metadata"),
    *("-c", "core.fsyncMethod=fsync"),
)
_NO_FETCH = {"GIT_NO_LAZY_FETCH": "1", "GIT_ALLOW_PROTOCOL": "none"}


@contextlib.contextmanager
def pack_batch(repo: Repository, include: Sequence[ObjectId], exclude: Sequence[ObjectId]) -> Iterator[Path]:
    """Write one pack and keep it from ``git gc`` until the ``with`` block ends; move the refs inside the block.

    Args:
        repo: where.
        include: the pack holds everything reachable from these,
        exclude: but not what is reachable from these.

    Yields:
        The path of the ``.pack`` file.

    Raises:
        InvalidValueError: there is nothing to pack.
        GitProgramError: git could not pack, for instance for a missing object.
        StorageError: the pack could not be stored.
    """
    scratch = scratch_directory(repo)
    keep: Path | None = None
    try:
        stem = _build(repo, scratch, include, exclude)
        pack, keep = _install(repo, stem)
        yield pack
    finally:
        shutil.rmtree(scratch, ignore_errors=True)  # what is left there is litter in our own folder
        if keep is not None:
            keep.unlink(missing_ok=True)


def scratch_directory(repo: Repository) -> Path:
    """A new empty directory of our own in the git directory; the caller removes it. Raises StorageError."""
    parent = repo.common_dir / "gittrack" / "tmp"
    try:
        parent.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(dir=parent))
    except OSError as error:
        raise storage_error(error, "temporary files", parent) from error


def _build(repo: Repository, scratch: Path, include: Sequence[ObjectId], exclude: Sequence[ObjectId]) -> Path:
    attributes = scratch / "attributes"
    attributes.write_text(_ATTRIBUTES, encoding="ascii")
    name = run_git(
        [
            *_SETTINGS,
            *("-c", f"core.attributesFile={attributes}"),
            *("pack-objects", "--quiet", "--revs", "--non-empty", "--delta-base-offset"),
            *("--missing=allow-promisor", str(scratch / "pack")),
        ],
        cwd=repo.git_dir,
        git_dir=repo.git_dir,
        env=_NO_FETCH,
        input="".join([*(f"{id}\n" for id in include), *(f"^{id}\n" for id in exclude)]).encode(),
    )
    if not name.strip():
        raise InvalidValueError("there is nothing to pack: all of it is reachable from what is excluded")
    return scratch / f"pack-{name.decode().strip()}"


def _install(repo: Repository, stem: Path) -> tuple[Path, Path | None]:
    """Move the pack into the object database, the ``.keep`` first and the index, which makes it visible, last."""
    target = repo.common_dir / "objects" / "pack"
    pack = target / f"{stem.name}.pack"
    keep: Path | None = target / f"{stem.name}.keep"
    try:
        target.mkdir(exist_ok=True)
        try:
            _write_new(target / f"{stem.name}.keep", b"gittrack\n")
        except FileExistsError:
            keep = None  # somebody holds the same pack: theirs to let go
        for ending in (".pack", ".rev", ".idx"):
            source = stem.with_name(stem.name + ending)
            if source.exists():
                os.replace(source, target / source.name)
        _sync_directory(target)
    except OSError as error:
        if keep is not None:
            keep.unlink(missing_ok=True)
        raise storage_error(error, f"pack '{stem.name}'", target) from error
    return pack, keep


def _write_new(path: Path, data: bytes) -> None:
    with open(path, "xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def verify(repo: Repository, pack: Path, expected: Iterable[ObjectId]) -> None:
    """Read a whole pack, and check that it holds the objects expected.

    Raises:
        StorageError: it is damaged, or lacks one of them.
    """
    index = pack.with_suffix(".idx")
    try:
        run_git(["verify-pack", str(index)], cwd=repo.git_dir, git_dir=repo.git_dir)
        listed = run_git(["show-index"], cwd=repo.git_dir, git_dir=repo.git_dir, input=index.read_bytes())
    except (GitProgramError, OSError) as error:
        raise StorageError(f"pack '{pack.name}' is damaged: {error}", hint="git fsck") from error
    present = {line.split()[1].decode() for line in listed.splitlines()}
    lost = [id for id in expected if id not in present]
    if lost:
        raise StorageError(f"pack '{pack.name}' lacks {len(lost)} objects, '{lost[0]}' first", hint="git fsck")
