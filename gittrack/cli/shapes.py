"""What ``--json`` prints: one document, stable names, times in ms since the epoch, no NaN or Infinity but as texts.

Names are only added; ``schema`` is raised when one changes its meaning or goes.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from gittrack.cli.terminal import print_data
from gittrack.core.value_text import plain

if TYPE_CHECKING:
    from gittrack.api.artifact_listing import ListedArtifact
    from gittrack.api.artifact_transfer import Transfer
    from gittrack.api.disk_usage import DiskUsage
    from gittrack.api.experiments import Experiment
    from gittrack.api.gc import Collected, GcPlan
    from gittrack.api.maintain import Finding, HeldLock, Recovery, Repair
    from gittrack.api.read import SavedRun
    from gittrack.api.settings import Setting
    from gittrack.api.whence import Whence
    from gittrack.core.lineage import Lineage
    from gittrack.core.problem import Problem
    from gittrack.core.records import Event, MetricSummary

SCHEMA = 1


def print_json(**parts: Any) -> None:
    """Print one document: ``schema``, then the parts. Only ASCII: what would mislead a terminal is an escape."""
    document = {"schema": SCHEMA, **{name: plain(value) for name, value in parts.items()}}
    print_data(json.dumps(document, indent=2, allow_nan=False))


def listed_run(run: SavedRun) -> dict[str, Any]:
    """A run as ``ls`` prints it."""
    record = run.record
    end = record.end_time
    return {
        "id": run.id,
        "name": run.name,
        "experiment": {"id": record.experiment.id, "name": record.experiment.name},
        "status": record.status.value,
        "kind": record.kind,
        "start_time": record.start_time,
        "end_time": end,
        "duration_ms": None if end is None else end - record.start_time,
        "parent": record.parent,
        "author": {"name": record.author.name, "email": record.author.email},
        "host": record.host,
        "entry": record.entry,
        "exit_code": record.exit_code,
        "error": record.error,
        "params": dict(sorted(record.params.items())),
        "metrics": {name: _summary(summary) for name, summary in sorted(record.metrics.items())},
        "tags": dict(sorted(record.tags.items())),
        "note": record.note,
        "code": {
            "commit": record.code.commit,
            "head": record.code.head,
            "branch": record.code.branch,
            "dirty": record.code.dirty,
        },
        "commit": run.commit,
        "deleted": run.deleted,
        "conflicts": list(run.conflicts),
        "seen": run.seen,
    }


def _summary(metric: MetricSummary) -> dict[str, Any]:
    # Written out: asdict() takes five times as long, and a list has millions of these.
    return {
        "last": metric.last,
        "min": metric.min,
        "max": metric.max,
        "mean": metric.mean,
        "count": metric.count,
        "first_step": metric.first_step,
        "last_step": metric.last_step,
    }


def whole_run(run: SavedRun) -> dict[str, Any]:
    """A run as ``show`` prints it: as ``ls`` does, and what only the run's tree tells."""
    record = run.record
    shape = listed_run(run)
    shape["code"] |= {
        "remote": record.code.remote,
        "directory": record.code.directory,
        "left_out": [asdict(file) for file in record.code.left_out],
        "submodules": [asdict(submodule) for submodule in record.code.submodules],
        "reason": record.code.reason,
    }
    return shape | {
        "command": list(record.command),
        "seeds": dict(sorted(record.seeds.items())),
        "inputs": [asdict(data) for data in record.inputs],
        "models": [asdict(model) for model in run.models()],
        "artifacts": [asdict(artifact) for artifact in record.artifacts],
        "conflicting": [{"kind": kind, "key": key} for kind, key in run.state.conflicts],
        "problem": run.problem,
    }


def event(item: Event) -> dict[str, Any]:
    """An event as ``log`` prints it."""
    return {
        "id": item.id,
        "kind": item.kind,
        "key": item.key,
        "value": item.value,
        "time": item.time,
        "author": {"name": item.author.name, "email": item.author.email},
        "writer": item.writer,
        "replaces": list(item.replaces),
    }


def experiment(item: Experiment) -> dict[str, Any]:
    """An experiment as ``experiments ls`` prints it."""
    return {"id": item.id, "name": item.name, "runs": item.runs, "latest": item.latest}


def problem(item: Problem) -> dict[str, Any]:
    """Something that could not be read."""
    return {"where": item.where, "reason": item.reason}


def finding(item: Finding) -> dict[str, Any]:
    """A finding of ``fsck``."""
    return {"where": item.where, "reason": item.reason, "mend": item.mend}


def held_lock(item: HeldLock) -> dict[str, Any]:
    """A lock on refs that is there for longer than any git needs one; its age in seconds."""
    return {"path": item.path, "age": item.age, "advice": item.advice}


def repair(item: Repair) -> dict[str, Any]:
    """What ``doctor`` did or would do."""
    return {"what": item.what, "where": item.where, "done": item.done}


def recovery(item: Recovery) -> dict[str, Any]:
    """What became of a live run."""
    return {"id": item.id, "outcome": item.outcome, "reason": item.reason, "commit": item.commit}


def setting(item: Setting) -> dict[str, Any]:
    """A setting."""
    return {"name": item.name, "value": item.value, "source": item.source, "default": item.default}


def unread(where: str, reason: str) -> dict[str, Any]:
    """A run that could not be read."""
    return {"where": where, "reason": reason}


def lineage(found: Lineage) -> dict[str, Any]:
    """A part of the graph as ``lineage`` prints it."""
    return {
        "roots": list(found.roots),
        "nodes": [asdict(node) for node in found.nodes.values()],
        "edges": [asdict(edge) for edge in found.edges],
    }


def whence(found: Whence) -> dict[str, Any]:
    """What runs know of a file as ``whence`` prints it."""
    return asdict(found)


def disk_usage(usage: DiskUsage, by: str) -> dict[str, Any]:
    """Where the bytes are, as ``du`` prints it."""
    return {
        "by": by,
        "rows": [asdict(row) for row in usage.rows],
        "here": usage.here,
        "referred": usage.referred,
        "unused": usage.unused,
        "young": usage.young,
        "otherwise": usage.otherwise,
        "scratch": usage.scratch,
        "removable": usage.removable,
        "inline": usage.inline,
        "missing": usage.missing,
        "problems": [problem(item) for item in usage.problems],
    }


def collection(plan: GcPlan, collected: Collected | None) -> dict[str, Any]:
    """What ``gc`` would remove, or has removed."""
    return {
        "garbage": [{"digest": found.digest, "size": found.size, "linked": found.linked} for found in plan.garbage],
        "bytes": plan.bytes,
        "given_up": [
            {
                "run": item.run.id,
                "name": item.run.name,
                "experiment": item.run.record.experiment.name,
                "paths": list(item.paths),
                "size": size,
                "why": item.why,
            }
            for item, size in plan.given_up
        ],
        "notes": list(plan.notes),
        "scratch": {"files": len(plan.scratch), "bytes": sum(file.size for file in plan.scratch)},
        "young": {"files": len(plan.young), "bytes": sum(found.size for found in plan.young)},
        "kept": {"files": plan.kept, "bytes": plan.kept_bytes},
        "missing_folders": list(plan.missing),
        "removed": None if collected is None else asdict(collected),
    }


def artifact(item: ListedArtifact) -> dict[str, Any]:
    """An artifact as ``artifact ls`` prints it."""
    return asdict(item)


def transfer(done: Transfer) -> dict[str, Any]:
    """What ``artifact push`` or ``pull`` did."""
    return {
        "moved": done.moved,
        "size": done.size,
        "present": done.present,
        "untried": done.untried,
        "given_up": done.given_up,
        "remotes": list(done.remotes),
        "failures": [
            {"digest": each.digest, "what": each.what, "reason": each.error.message, "mend": each.error.hint}
            for each in done.failures
        ],
    }
