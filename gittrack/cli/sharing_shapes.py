"""What ``--json`` prints of sharing: pushes, fetches, comments, reviews, the diary; as ``shapes`` says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from gittrack.cli.shapes import event, problem, transfer

if TYPE_CHECKING:
    from gittrack.api.comments import Thread
    from gittrack.api.diary import Entry
    from gittrack.api.fetch import Fetched, Rewritten
    from gittrack.api.missing_bytes import MissingBytes
    from gittrack.api.news import NewRun
    from gittrack.api.planned_push import PlannedRun
    from gittrack.api.push import Pushed, PushPlan
    from gittrack.api.remote_check import RemoteCheck
    from gittrack.api.sharing_status import SharingStatus
    from gittrack.core.reviews import Review


def review(item: Review) -> dict[str, Any]:
    """A review as ``review show`` prints it."""
    return {
        "id": item.id,
        "author": {"name": item.author.name, "email": item.author.email},
        "time": item.time,
        "verdict": item.verdict,
        "text": item.text,
        "asked": item.asked or None,
    }


def diary_entry(item: Entry) -> dict[str, Any]:
    """An entry of the diary as ``log`` prints it; ``event`` is None where a run began."""
    said = None if item.event is None else event(item.event) | {"subject": str(item.event.subject)}
    return {
        "time": item.time,
        "who": {"name": item.who.name, "email": item.who.email},
        "run": None if item.run is None else {"id": item.run.id, "name": item.run.name},
        "event": said,
    }


def new_run(item: NewRun) -> dict[str, Any]:
    """A run as ``inbox`` prints it."""
    record = item.record
    return {
        "id": record.id,
        "name": record.name,
        "experiment": record.experiment.name,
        "status": record.status.value,
        "start_time": record.start_time,
        "author": {"name": record.author.name, "email": record.author.email},
        "writer": item.writer,
    }


def thread(item: Thread) -> dict[str, Any]:
    """A thread as ``comment`` prints it."""
    return {
        "resolved": item.resolved,
        "comments": [
            {
                "id": comment.id,
                "author": {"name": comment.author.name, "email": comment.author.email},
                "time": comment.time,
                "text": comment.text,
                "answers": comment.answers,
            }
            for comment in item.comments
        ],
    }


def push(plan: PushPlan, done: Pushed | None, planned: Sequence[PlannedRun] | None = None) -> dict[str, Any]:
    """What ``push`` prints; ``pushed`` is None when nothing was tried, ``planned`` when something was."""
    moved = None if done is None else done.bytes_moved
    return {
        "remote": plan.remote.shown,
        "runs": list(plan.runs),
        "events": plan.events,
        "code_commits": [commit.id for commit in plan.commits],
        "pushed": None if done is None else len(done.shared.rows),
        "ledger": None if done is None else done.shared.ledger or None,
        "artifacts": None if moved is None else transfer(moved),
        "planned": None if planned is None else [run._asdict() for run in planned],
        "checkpoints_left": [] if done is None else [problem(item) for item in done.left],
        "expunged": list(plan.expunged),
        "theirs": list(plan.theirs),
        "away": [problem(item) for item in plan.away],
        "problems": [problem(item) for item in plan.problems],
        "lacking": [{"place": item.shown, "ledger": item.name} for item in plan.lacking],
    }


def fetched(found: Fetched) -> dict[str, Any]:
    """What ``fetch`` prints."""

    def ledgers(items: Sequence[Rewritten]) -> list[dict[str, Any]]:
        return [{"ledger": item.ref, "writer": item.writer, "lost": [row.id for row in item.lost]} for item in items]

    return {
        "remote": found.remote,
        "runs": sorted({row.id for row in found.rows if row.kind == "run"}),
        "events": found.events,
        "ledgers": found.ledgers,
        "refused": [problem(item) for item in found.refused],
        "rewritten": ledgers(found.rewritten),
        "accepted": ledgers(found.accepted),
        "running": list(found.running),
        "expunged": list(found.expunged),
        "behind": list(found.behind),
        "hidden": list(found.hidden),
    }


def sharing_status(status: SharingStatus) -> dict[str, Any]:
    """What ``status`` prints; ``news`` is None when the remote was not asked."""
    return {
        "remote": status.remote or None,
        "unshared": {"runs": list(status.runs), "events": status.events},
        "news": None if status.news is None else list(status.news),
        "running": list(status.running),
        "elsewhere": list(status.elsewhere),
        "checkpoints": [problem(item) for item in status.checkpoints],
        "last_asked": status.seen,
        "artifacts": None if status.bytes is None else missing_bytes(status.bytes),
        "expunged": list(status.expunged),
        "lacking": list(status.lacking),
        "bytes_waiting": status.waiting,
        "problems": [problem(item) for item in status.problems],
    }


def missing_bytes(found: MissingBytes) -> dict[str, Any]:
    """Where artifact bytes are missing; ``not_there`` is None when the place elsewhere was not asked."""
    there = None if found.there is None else found.there._asdict()
    return {"remote": found.remote or None, "not_here": found.here._asdict(), "not_there": there}


def remote_check(found: RemoteCheck) -> dict[str, Any]:
    """What ``remote check`` prints."""
    return {"remote": found.remote, "url": found.url, "works": found.works, "found": [asdict(i) for i in found.found]}
