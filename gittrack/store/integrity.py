"""Whether what is stored is whole: every object, every file against its codec, message against tree, summary against
series. One finding per thing; a damaged run never hides the others.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import astuple, replace

from gittrack.core.dvc_pointers import MAX_POINTER_BYTES, parse_pointer
from gittrack.core.ids import ObjectId, RunId
from gittrack.core.message import decode_message, listed_form
from gittrack.core.parsed_refs import parse_ref
from gittrack.core.records import MetricSummary, RunRecord
from gittrack.core.refs import INBOX_PREFIX, REMOTE_PREFIX, RUNS_PREFIX
from gittrack.core.series import summarise
from gittrack.errors import CorruptRecordError, GittrackError
from gittrack.frozen import dataclass
from gittrack.git import health
from gittrack.git.repository import Repository
from gittrack.git.wholeness import lacking_code
from gittrack.store.catalog import read_catalog
from gittrack.store.done import done_runs
from gittrack.store.layout import Layout
from gittrack.store.live import list_live
from gittrack.store.refused import read_refused
from gittrack.store.run_reader import artifact_files, read_each_series, read_record


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        where: the ref, run, event or file.
        reason: what is wrong with it.
        mend: the command that mends it, empty when none does.
    """

    where: str
    reason: str
    mend: str = ""


def check(repo: Repository, layout: Layout) -> list[Finding]:
    """Read everything and report what is wrong; changes nothing."""
    findings = [
        Finding(str(path), "an empty ref file, which makes git itself fail", "gittrack doctor")
        for path in health.zero_length_refs(repo)
    ]
    for ref, _ in [*repo.refs.list(RUNS_PREFIX), *repo.refs.list(REMOTE_PREFIX)]:
        if parse_ref(ref) is None and not ref.startswith((RUNS_PREFIX + "pending/", REMOTE_PREFIX)):
            findings.append(Finding(ref, "a ref that follows no grammar of gittrack"))
    catalog = read_catalog(repo)
    findings += [
        Finding(problem.where, problem.reason, "gittrack doctor" if problem.where.startswith(INBOX_PREFIX) else "")
        for problem in catalog.problems
    ]
    findings += _refused(layout)
    damage = _objects(repo, layout, {commit: id for id, commits in catalog.runs.items() for commit in commits})
    findings += damage.values()
    findings += _code(repo, catalog.runs)
    for id, commits in catalog.runs.items():  # what cannot be read whole is named already
        findings += [finding for commit in commits if commit not in damage for finding in _run(repo, id, commit)]
    findings += _checkpoints(repo)
    for run in list_live(layout):
        if run.problem:
            findings.append(Finding(f"live run {run.id}", run.problem))
        for name, contents in run.journals.items():
            if contents.damaged:
                findings.append(Finding(f"live run {run.id}", f"{contents.damaged} damaged bytes in {name}"))
    return findings


def _checkpoints(repo: Repository) -> Iterable[Finding]:
    """Checkpoints of runs that go on elsewhere: they were sound when they were fetched."""
    from gittrack.store.checkpoints import checkpoint_fault, fetched_checkpoints  # which read what is compared here

    for each in fetched_checkpoints(repo):
        reason = checkpoint_fault(repo, each.id, each.commit)
        if reason:
            yield Finding(f"checkpoint of run {each.id}", reason, f"git update-ref -d {each.ref} && gittrack fetch")


def _refused(layout: Layout) -> Iterable[Finding]:
    """What came from remotes and is no sound run or event."""
    for row, reason in read_refused(layout).items():
        yield Finding(f"{row.kind} {row.id} (commit {row.commit})", f"refused when it was fetched: {reason}")


def _objects(repo: Repository, layout: Layout, commits: dict[ObjectId, RunId]) -> dict[ObjectId, Finding]:
    damaged = health.fsck_objects(repo, list(commits))
    copies = {(id, prefix) for id, prefix, _ in done_runs(layout)} if damaged else set()
    return {
        commit: Finding(
            f"run {commits[commit]}",
            f"commit {commit}: {reason}",
            "gittrack doctor" if (commits[commit], commit[:16]) in copies else "",
        )
        for commit, reason in damaged.items()
    }


def _code(repo: Repository, runs: Mapping[RunId, Iterable[ObjectId]]) -> Iterable[Finding]:
    """Runs whose code is not whole, though its commit is there: git's own gc and fsck fail of that."""
    if health.damaged_packs(repo):
        return  # what lies in them is told for each run, and reading further might never end
    users: dict[ObjectId, list[RunId]] = {}
    objects = repo.reopened().objects
    for id, commits in runs.items():
        for commit in commits:
            # Named among the damaged runs, as is a parent that is missing.
            with contextlib.suppress(CorruptRecordError):
                for parent in objects.read_commit(commit).parents[:1]:
                    if objects.exists(parent):
                        users.setdefault(parent, []).append(id)
    for code, reason in lacking_code(objects, users).items():
        for id in dict.fromkeys(users[code]):
            yield Finding(f"run {id}", f"its code, commit {code}, is not whole: {reason}")


def _run(repo: Repository, id: RunId, commit: ObjectId) -> Iterable[Finding]:
    where = f"run {id}"
    try:
        record = read_record(repo, commit)
        if record.id != id:
            yield Finding(where, f"its run.toml says {record.id}")
        listed = decode_message(repo.objects.read_commit(commit).message)
        if listed is not None and not same_record(listed.record, listed_form(record)):
            yield Finding(where, "its commit message says other things than its tree")
        for name, series in read_each_series(repo, commit, record):
            if series is not None and not _same_summary(summarise(series), record.metrics[name]):
                yield Finding(where, f"the summary of metric '{name}' is not that of its points")
        for path, reason in _wrong_pointers(repo, commit, record):
            yield Finding(where, f"the DVC pointer of artifact '{path}' {reason}")
    except (GittrackError, ValueError) as error:
        yield Finding(where, str(error))


def _wrong_pointers(repo: Repository, commit: ObjectId, record: RunRecord) -> Iterable[tuple[str, str]]:
    """Pointers that name other bytes than the run does, or another file than the one they lie beside."""
    files = artifact_files(record)
    for entry in record.artifacts:
        if entry.storage != "pointer":
            continue
        data = repo.objects.read_file(commit, files[entry.path], limit=MAX_POINTER_BYTES)
        if data is None:
            yield entry.path, "is not there"
            continue
        name = files[entry.path].rpartition("/")[2].removesuffix(".dvc")
        found = [(out.path, out.digest, out.size) for out in parse_pointer(data.decode())]
        if found != [(name, entry.digest, entry.size)]:
            yield entry.path, "names something else"


def same_record(one: RunRecord, other: RunRecord) -> bool:
    """Whether two records say the same, NaN being the same as NaN."""
    if one == other:  # mostly, and much faster than to look for NaN
        return True
    if one.metrics.keys() != other.metrics.keys():
        return False
    if not all(_same_summary(one.metrics[name], other.metrics[name]) for name in one.metrics):
        return False
    return replace(one, metrics={}) == replace(other, metrics={})


def _same_summary(one: MetricSummary, other: MetricSummary) -> bool:
    pairs = zip(astuple(one), astuple(other), strict=True)
    return all(a == b or (math.isnan(a) and math.isnan(b)) for a, b in pairs)
