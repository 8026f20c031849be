"""What crashes and power loss leave behind, beside damaged runs: found, and removed where nothing is lost by it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from gittrack.errors import StorageError
from gittrack.frozen import dataclass
from gittrack.git import health
from gittrack.git.ref_locks import STALE_LOCK_SECONDS
from gittrack.git.repository import Repository
from gittrack.store.dead_locks import dead_locks
from gittrack.store.done import unfinished_copies
from gittrack.store.layout import Layout
from gittrack.store.recovery import unfinished_folders

STALE_SCRATCH_SECONDS = 86_400
OLD_CHECKPOINT_SECONDS = 30 * 86_400
_KEEP_MARK = b"gittrack\n"


@dataclass(frozen=True, slots=True)
class Leftover:
    """A file or folder that nobody needs: ``what`` it is, for people, and its ``path``."""

    what: str
    path: Path


def find_leftovers(repo: Repository, layout: Layout) -> list[Leftover]:
    """Everything that may go; what a running process may still need is too young to be among it."""
    return [
        *(Leftover("an empty ref file", path) for path in health.zero_length_refs(repo)),
        *(Leftover("a stale lock", lock.path) for lock in dead_locks(repo, layout)),
        *(Leftover("an empty object", path) for path in health.empty_loose_objects(repo)),
        *(Leftover("a run that never began", Path(folder)) for folder in unfinished_folders(layout)),
        *(Leftover("a copy that was not finished", path) for path in _older(unfinished_copies(layout))),
        *(Leftover("temporary files", path) for path in _scratch(layout)),
        *(Leftover("what is known of checkpoints pushed long ago", path) for path in _checkpoints(layout)),
        *(Leftover("a mark that keeps a pack", path) for path in _keeps(repo)),
    ]


def remove_leftovers(found: Sequence[Leftover]) -> None:
    """Remove what :func:`find_leftovers` found.

    Raises:
        StorageError: one cannot be removed.
    """
    for leftover in found:
        try:
            if leftover.path.is_dir() and not leftover.path.is_symlink():
                shutil.rmtree(leftover.path)
            else:
                leftover.path.unlink()
        except FileNotFoundError:
            continue  # its owner, or another doctor, was faster
        except OSError as error:
            text = f"'{error.filename or leftover.path}' cannot be removed: {error.strerror}"
            raise StorageError(text, hint=f"ls -ld '{leftover.path}'") from error


def _older(paths: Sequence[Path], seconds: float = STALE_LOCK_SECONDS) -> Iterator[Path]:
    newest = time.time() - seconds
    for path in paths:
        try:
            if path.lstat().st_mtime < newest:
                yield path
        except FileNotFoundError:
            continue


def _scratch(layout: Layout) -> Iterator[Path]:
    folder = layout.root / "tmp"
    if folder.is_dir():
        yield from _older(sorted(folder.iterdir()), STALE_SCRATCH_SECONDS)


def _checkpoints(layout: Layout) -> Iterator[Path]:
    """Of runs that are not live here any more, and whose checkpoints no push has removed for a month."""
    if layout.checkpoints.is_dir():
        for path in _older(sorted(layout.checkpoints.iterdir()), OLD_CHECKPOINT_SECONDS):
            if not (layout.live / path.name.partition(".")[0]).exists():
                yield path


def _keeps(repo: Repository) -> Iterator[Path]:
    """``.keep`` files of roll-ups that were killed: git would never repack their packs."""
    for path in _older(sorted((repo.common_dir / "objects" / "pack").glob("*.keep"))):
        if path.read_bytes() == _KEEP_MARK:
            yield path
