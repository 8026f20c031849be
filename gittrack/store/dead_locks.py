"""Locks of refs whose makers were killed: told from those that somebody holds, and removed.

A lock below our namespaces goes early when nothing is at work that could hold it: no other gittrack moves ledgers
(``sharing.lock`` and ``rollup.lock`` are free) and no git runs in the repository. Where the system does not tell which
processes run, it goes late, as any other.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from pathlib import Path

from gittrack.git.ref_locks import OWN_LOCK_SECONDS, STALE_LOCK_SECONDS, RefLock, gits_at_work, ref_locks
from gittrack.git.repository import Repository
from gittrack.store.layout import Layout
from gittrack.store.locks import exclusive


def dead_locks(repo: Repository, layout: Layout, held: Collection[Path] = ()) -> list[RefLock]:
    """The locks that nobody holds any more.

    Args:
        repo: where.
        layout: its folders.
        held: those of ``sharing.lock`` and ``rollup.lock`` that the caller holds.
    """
    found = ref_locks(repo.common_dir)
    dead = [lock for lock in found if lock.age > STALE_LOCK_SECONDS]
    young = [lock for lock in found if lock.is_own and OWN_LOCK_SECONDS < lock.age <= STALE_LOCK_SECONDS]
    if young and _nothing_is_at_work(repo, layout, held):
        dead += young
    return sorted(dead, key=lambda lock: lock.path)


def clear_dead_locks(repo: Repository, layout: Layout, held: Collection[Path]) -> None:
    """Remove the locks of our refs that nobody holds any more, as whoever moves ledgers does first.

    What cannot be removed stays; it is told by whatever it is in the way of. Arguments as of :func:`dead_locks`.
    """
    for lock in dead_locks(repo, layout, held):
        if lock.is_own:
            with contextlib.suppress(OSError):
                lock.path.unlink()


def _nothing_is_at_work(repo: Repository, layout: Layout, held: Collection[Path]) -> bool:
    layout.root.mkdir(exist_ok=True)
    with contextlib.ExitStack() as stack:
        for path in (layout.sharing_lock, layout.rollup_lock):
            if path not in held and not stack.enter_context(exclusive(path, wait=False)):
                return False
        return gits_at_work(repo.common_dir) == []
