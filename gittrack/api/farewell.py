"""What is said of a run in a few words: its metrics, its code, its end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gittrack.core.message import ListedRun, headline
from gittrack.core.names import display
from gittrack.core.records import CodeState, RunRecord, RunStatus
from gittrack.core.sparkline import format_duration, format_number, sparkline

if TYPE_CHECKING:
    from gittrack.api.project import Project
    from gittrack.api.saved_run import SavedRun
    from gittrack.core.ids import ObjectId
    from gittrack.core.journal import JournalContents

SPARKLINE_WIDTH = 8
HEADLINES = 3
ENDED_LINES = 8
_ID_LENGTH = 8
_NAME_WIDTH = 32
_LINE_WIDTH = 80
_TITLE_WIDTH = 13

_VERBS = {
    RunStatus.RUNNING: "has been running for",
    RunStatus.FINISHED: "finished after",
    RunStatus.FAILED: "failed after",
    RunStatus.KILLED: "was killed after",
    RunStatus.CRASHED: "crashed after",
    RunStatus.PRUNED: "was pruned after",
    RunStatus.ABANDONED: "was abandoned after",
}


def how_it_ended(name: str, status: RunStatus, milliseconds: int) -> str:
    """``run 'brave-otter-417' finished after 12.3s``."""
    verb = _VERBS.get(status, f"is {status} after")
    return f"run '{display(name, _NAME_WIDTH)}' {verb} {format_duration(milliseconds)}"


def chosen_metrics(run: SavedRun | ListedRun, first: Sequence[str], count: int = HEADLINES) -> list[str]:
    """The metrics to show: those that the settings name, then the run's own headline."""
    metrics = run.record.metrics
    named = [name for name in first if name in metrics]
    return [*named, *(name for name in headline(metrics, len(named) + count) if name not in named)][:count]


def metric_text(run: SavedRun | ListedRun, name: str, width: int | None = None) -> str:
    """``acc 0.97 ▂▄▆█``; the name is cut to ``width`` columns."""
    value = format_number(run.record.metrics[name].last)
    trend = run.trends.get(name, ())
    curve = f" {sparkline(trend, SPARKLINE_WIDTH)}" if len(trend) > 1 else ""
    return f"{display(name, width)} {value}{curve}".rstrip()


def duration_of(record: RunRecord, now: int) -> int:
    """How long a run took, or has taken until ``now``; ms."""
    return (now if record.end_time is None else record.end_time) - record.start_time


def code_text(code: CodeState, *, short: bool = False) -> str:
    """The code that ran, in a line: commit, branch, and whether it was committed."""
    if code.commit is None:
        return f"unknown: {display(code.reason)}" if code.reason else "unknown"
    branch = "" if code.branch is None else f" on {display(code.branch, 60)}"
    if not code.dirty:
        return f"{code.commit[:_ID_LENGTH]}{branch}, clean"
    base = "" if code.head is None else f" on top of {code.head[:_ID_LENGTH]}"
    what = "uncommitted changes" if short else "a snapshot of uncommitted changes"
    return f"{code.commit[:_ID_LENGTH]}, {what}{base}{branch}"


def ended_lines(
    run: SavedRun | ListedRun, first: Sequence[str] = (), errors: int = 0, changed: Sequence[str] = ()
) -> list[str]:
    """What is said at the end of a run: at most eight lines, the last one what to type next.

    Args:
        run: the run, ended.
        first: metrics that the settings want to be shown first.
        errors: how many lines its ``errors.log`` has: each was said once only while it ran.
        changed: data that was not what DVC tracks.
    """
    record = run.record
    short = record.id[:_ID_LENGTH]
    exit_code = f", exit code {record.exit_code}" if record.exit_code else ""
    facts = [("id", short), ("experiment", record.experiment.name), ("code", code_text(record.code, short=True))]
    left_out = len(record.code.left_out)
    if left_out:
        facts.append(("left out", f"{left_out} file{'s' if left_out > 1 else ''} of the work tree"))
    if record.error:
        facts.append(("error", record.error))
    if errors:
        facts.append(("not kept", f"{errors} thing{'s' if errors > 1 else ''} that could not be logged as given"))
    if changed:
        more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        facts.append(("data", f"{display(changed[0], 36)}{more} not as DVC tracks it: dvc status"))
    room = min(ENDED_LINES - 2 - len(facts), HEADLINES)
    facts += [("metric", metric_text(run, name, _NAME_WIDTH)) for name in chosen_metrics(run, first, room)]
    facts.append(("next", f"gittrack show {short}"))
    ended = how_it_ended(record.name, record.status, duration_of(record, record.start_time))
    width = _LINE_WIDTH - _TITLE_WIDTH
    return [ended + exit_code, *(f"  {title:<10} {display(text, width)}" for title, text in facts)]


def errors_of(journals: Sequence[JournalContents]) -> int:
    """How many lines the ``errors.log`` of a run has that these journals make."""
    operations = (operation for journal in journals for operation in journal.operations if operation["op"] == "log")
    return sum(operation["content"].count(b"\n") for operation in operations if operation["name"] == "errors.log")


def changed_inputs(journals: Sequence[JournalContents]) -> list[str]:
    """The data of a run that was not what DVC tracks when the run looked, as these journals say it; by address."""
    states: dict[tuple[str, str, str], tuple[str, str]] = {}
    for journal in journals:
        for operation in journal.operations:
            if operation["op"] == "input":
                item = operation["input"]
                key = (item["name"], item.get("role", ""), item.get("digest", ""))
                states[key] = item.get("state", ""), item.get("uri", "")
    return sorted({uri for state, uri in states.values() if state == "modified"})


def ended_line(run: SavedRun | ListedRun, first: Sequence[str] = ()) -> str:
    """The same in one line, for a child, and for one run of many."""
    record = run.record
    short = record.id[:_ID_LENGTH]
    parts = [f"run {display(record.name, _NAME_WIDTH)} ({short}) {record.status}"]
    named = [name for name in first if name in record.metrics] or headline(record.metrics)
    parts += [f"{display(name, _NAME_WIDTH)} {format_number(record.metrics[name].last)}" for name in named]
    return " · ".join([*parts, f"gittrack show {short}"])


def just_ended(project: Project, commit: ObjectId, journals: Sequence[JournalContents]) -> ListedRun:
    """A run that this process has just published, from its commit's message: one object, and no git process."""
    from dataclasses import replace

    from gittrack.core.assembly import start_operation
    from gittrack.core.message import decode_message
    from gittrack.core.records import LeftOut

    listed = decode_message(project.repo.objects.read_commit(commit).message)
    if listed is None:  # more metrics or params than a message holds
        from gittrack.store.run_reader import read_record

        return ListedRun(read_record(project.repo, commit))
    left_out = tuple(LeftOut(*row[:3]) for row in start_operation(journals)["code"]["left_out"])
    record = listed.record
    return replace(listed, record=replace(record, code=replace(record.code, left_out=left_out)))
