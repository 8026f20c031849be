"""What is left of a run in this repository goes: copies first, of which it could be made again, then refs, ledgers.

Killed anywhere, the rest of it is found again by the run's id.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterable
from pathlib import Path

from gittrack.core.ids import ObjectId, RefName, RunId
from gittrack.core.parsed_refs import LocalLedgerRef, parse_ref
from gittrack.core.refs import FETCHED_PREFIX
from gittrack.errors import RefMovedError, StorageError
from gittrack.git.refs import RefUpdate
from gittrack.git.repository import Repository
from gittrack.store.belongings import Belongings, find_belongings
from gittrack.store.layout import Layout
from gittrack.store.locks import exclusive
from gittrack.store.rebuilt_ledgers import Statement, is_empty, with_statement, without_commits
from gittrack.store.refused import forget_refused

_ATTEMPTS = 5


def clear_here(
    repo: Repository,
    layout: Layout,
    id: RunId,
    said: Statement,
    remembered: Collection[RefName],
    known: Collection[ObjectId],
) -> Belongings:
    """Remove a run from the inbox, from local ledgers and from some remembered ones, with its copies and notes.

    To be called by whoever holds the lock of sharing.

    Args:
        repo: where.
        layout: its folders.
        id: the run.
        said: the event that says so; on top of every remembered ledger that is rebuilt.
        remembered: of the remembered ledgers these.
        known: commits of the run.

    Returns:
        What there was.

    Raises:
        StorageError, ConflictError: something cannot be removed; the same again does the rest.
        CorruptRecordError: a ledger cannot be rebuilt.
    """
    with exclusive(layout.rollup_lock):
        for attempt in range(1, _ATTEMPTS + 1):
            there = find_belongings(repo, layout, id, known=known)
            _remove(there.copies)
            forget_refused(layout, there.gone)
            try:
                repo.refs.transaction(_updates(repo, there, said, remembered))
                return there
            except RefMovedError:
                if attempt == _ATTEMPTS:
                    raise
    raise AssertionError("unreachable")


def _updates(repo: Repository, there: Belongings, said: Statement, remembered: Collection[RefName]) -> list[RefUpdate]:
    scratch = repo.refs.list(FETCHED_PREFIX)  # of fetches that were killed: nobody else fetches now
    updates = {name: RefUpdate(name, None, tip) for name, tip in [*there.refs, *scratch] if tip != said.commit}
    for name, tip in there.ledgers:
        is_local = isinstance(parse_ref(name), LocalLedgerRef)
        if not is_local and name not in remembered:
            continue
        new = without_commits(repo, tip, there.gone)
        if is_local:
            updates[name] = RefUpdate(name, None if is_empty(repo, new) else new, tip)
        else:
            updates[name] = RefUpdate(name, with_statement(repo, tip, new, said), tip)
    return list(updates.values())


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        try:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
        except FileNotFoundError:
            continue  # whoever was writing it has moved it: it is looked for again
        except OSError as error:
            text = f"cannot remove '{path}': {error.strerror}"
            raise StorageError(text, hint=f"ls -ld '{path}'") from error
