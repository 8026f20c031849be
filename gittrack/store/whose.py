"""In whose ledgers a run lies: read from the batches of ledgers alone."""

from __future__ import annotations

from gittrack.core.ids import ObjectId, RunId
from gittrack.core.parsed_refs import LocalLedgerRef, RemoteLedgerRef, parse_ref
from gittrack.core.refs import LOCAL_PREFIX, REMOTE_PREFIX, inbox_ref
from gittrack.git.repository import Repository
from gittrack.store.catalog import walk_ledger


def other_writer(repo: Repository, id: RunId, commit: ObjectId, writer: str) -> str | None:
    """Whose ledger lists a run commit, when it lies neither here nor in a ledger of ``writer``.

    Args:
        repo: where.
        id: the run.
        commit: its commit.
        writer: the slug of the person who works here.

    Returns:
        The writer's slug; None when the run is one's own, or nobody lists it.
    """
    remembered = [(parse_ref(name), tip) for name, tip in repo.refs.list(REMOTE_PREFIX)]
    if not remembered or repo.refs.get(inbox_ref(id)) == commit:
        return None
    local = [(parse_ref(name), tip) for name, tip in repo.refs.list(LOCAL_PREFIX)]
    own = [tip for ref, tip in local if isinstance(ref, LocalLedgerRef)]
    own += [tip for ref, tip in remembered if isinstance(ref, RemoteLedgerRef) and ref.writer == writer]
    if any(_lists(repo, tip, commit) for tip in own):
        return None
    others = [(ref.writer, tip) for ref, tip in remembered if isinstance(ref, RemoteLedgerRef) and ref.writer != writer]
    return next((other for other, tip in others if _lists(repo, tip, commit)), None)


def _lists(repo: Repository, tip: ObjectId, commit: ObjectId) -> bool:
    return any(row.commit == commit for row in walk_ledger(repo, tip, told=lambda *_: None))
