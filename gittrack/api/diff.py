"""What differs between two runs, or between a run's code and the work tree."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import field, replace
from typing import Any, Literal

from gittrack.api.directions import directions_of
from gittrack.api.project import Project
from gittrack.api.read import find_listed, find_run
from gittrack.api.saved_run import SavedRun
from gittrack.core.ids import ObjectId
from gittrack.core.names import display
from gittrack.core.records import RunRecord
from gittrack.core.run_diff import (
    ENVIRONMENT_FILES,
    MOST_BYTES,
    ArtifactDifference,
    Difference,
    InputDifference,
    MetricDifference,
    artifact_differences,
    command_facts,
    environment_facts,
    input_differences,
    metric_differences,
    package_versions,
    value_differences,
)
from gittrack.core.run_tree import ARTIFACTS_FILE, INPUTS_FILE, PARAMS_FILE, RUN_FILE, decode_tree
from gittrack.core.summary_toml import SUMMARY_FILE
from gittrack.errors import CorruptRecordError, FormatError, GitProgramError, UsageError
from gittrack.frozen import dataclass
from gittrack.git.code_diff import CodeDiff, Style
from gittrack.git.limits import SnapshotLimits

__all__ = ["PARTS", "CodeDiff", "Part", "RunDiff", "Style", "diff", "diff_runs", "pager_of", "with_code_read"]

Part = Literal["command", "params", "metrics", "inputs", "env", "tags", "artifacts", "code"]
PARTS: tuple[Part, ...] = ("command", "params", "metrics", "inputs", "env", "tags", "artifacts", "code")
"""What is compared, in the order of the page."""


@dataclass(frozen=True, slots=True)
class RunDiff:
    """What differs between two runs. What is the same in both is not in it.

    Attributes:
        before: the first run.
        after: the second run; None: the work tree, of which only the code is known.
        command: the command, the directory it ran in, seeds.
        params: by dotted name; a param of another type differs (``difference.types``).
        metrics: last values; the system's metrics (``system/…``) are left out.
        inputs: by name and role: digest, state, address.
        environment: interpreter, platform, variables, processor, GPUs, lock files.
        packages: added, removed, of another version.
        tags: the present ones.
        artifacts: by path: those whose bytes differ.
        code: the files that differ, and the patch.
        unknown: part -> why it cannot be compared: a file of one run is missing or damaged, say. Such a part is empty.
    """

    before: SavedRun
    after: SavedRun | None
    code: CodeDiff
    command: tuple[Difference, ...] = ()
    params: tuple[Difference, ...] = ()
    metrics: tuple[MetricDifference, ...] = ()
    inputs: tuple[InputDifference, ...] = ()
    environment: tuple[Difference, ...] = ()
    packages: tuple[Difference, ...] = ()
    tags: tuple[Difference, ...] = ()
    artifacts: tuple[ArtifactDifference, ...] = ()
    unknown: Mapping[str, str] = field(default_factory=dict)

    def differs(self, *parts: Part) -> bool:
        """Whether anything differs, or may: what cannot be compared is not known to be the same.

        Args:
            parts: only these of ``command``, ``params``, ``metrics``, ``inputs``, ``env``, ``tags``, ``artifacts``,
                ``code``; all when none is given.

        Raises:
            UsageError: there is no such part.
        """
        for part in parts:
            if part not in PARTS:
                raise UsageError(f"'{display(str(part), 60)}' is no part of a diff", hint=f"one of {', '.join(PARTS)}")
        return any(map(self._part_differs, parts or PARTS))

    def _part_differs(self, part: Part) -> bool:
        if part in self.unknown:
            return True
        if part == "code":
            return self.code.differs
        return bool(self.environment or self.packages) if part == "env" else bool(getattr(self, part))


def diff(
    before: str | SavedRun, after: str | SavedRun | None = None, *, repo: str | os.PathLike[str] | None = None
) -> RunDiff:
    """What differs between two runs: command, params, metrics, inputs, environment, tags, artifacts, code.

    Args:
        before: a run, or the address of one as for :func:`gittrack.get_run`.
        after: the other; when None the code of the work tree as it is now, and nothing else is compared.
        repo: a directory in the repository; the working directory when None.

    Raises:
        RunNotFoundError, AmbiguousError: an address.
        NotARepositoryError: there is no repository.
        CorruptRecordError: a run's ``run.toml`` is damaged. Of other files only their part is ``unknown``.

    Example:
        >>> found = gittrack.diff("@-2", "@latest")  # doctest: +SKIP
        >>> [(item.name, item.before, item.after) for item in found.params]  # doctest: +SKIP
        [('lr', 0.1, 0.2)]
        >>> print(found.code.patch("train.py"))  # doctest: +SKIP
    """
    from gittrack.api.recovering import recover

    project = Project.open(repo)
    recover(project)
    return diff_runs(project, _address(before), None if after is None else _address(after))


def _address(run: str | SavedRun) -> str:
    return run.id if isinstance(run, SavedRun) else run


def diff_runs(project: Project, before: str, after: str | None) -> RunDiff:
    """The same for runs of a project, by their addresses; arguments and errors as of :func:`diff`."""
    one, missing = _run_at(project, before)
    if after is None:
        code = _against_work_tree(project, one)
        return RunDiff(one, None, code, unknown={"code": code.reason} if code.reason else {})
    other, missing_there = _run_at(project, after)
    environment, packages, why = _environment(one, other)
    code = _between(project, one, other)
    unknown = missing_there | missing
    unknown |= {part: reason for part, reason in (("env", why), ("code", code.reason)) if reason}
    found = RunDiff(
        before=one,
        after=other,
        code=code,
        command=value_differences(command_facts(one.record), command_facts(other.record)),
        params=value_differences(one.params, other.params),
        metrics=metric_differences(one.record.metrics, other.record.metrics, directions_of(project)),
        inputs=input_differences(one.record.inputs, other.record.inputs),
        environment=environment,
        packages=packages,
        tags=value_differences(one.tags, other.tags),
        artifacts=artifact_differences(one.artifacts(), other.artifacts()),
        unknown=unknown,
    )
    nothing: dict[str, Any] = dict.fromkeys(missing | missing_there, ())
    return replace(found, **nothing)


_FILES: dict[str, str] = {
    "params": PARAMS_FILE,
    "metrics": SUMMARY_FILE,
    "inputs": INPUTS_FILE,
    "artifacts": ARTIFACTS_FILE,
}
"""Parts of a record that lie in files of their own; one may be damaged and the others not."""


def _run_at(project: Project, address: str) -> tuple[SavedRun, dict[str, str]]:
    """A run, and what of it cannot be read: part -> why."""
    try:
        return find_run(project, address), {}
    except FormatError:
        (listed,) = find_listed(project, [address])
        if listed.commit is None:
            raise
        return _as_far_as_it_can_be_read(project, listed, listed.commit)


def _as_far_as_it_can_be_read(project: Project, listed: SavedRun, commit: ObjectId) -> tuple[SavedRun, dict[str, str]]:
    from gittrack.store.run_reader import SMALL_FILE

    def read(*paths: str) -> RunRecord:
        return decode_tree(
            lambda path: project.repo.objects.read_file(commit, path, limit=SMALL_FILE) if path in paths else None
        )

    name, known = display(listed.name, 80), listed.record
    try:
        record = read(RUN_FILE)
    except FormatError as error:
        raise type(error)(f"run '{name}' cannot be read: {error.message}", hint=error.hint) from error
    record = replace(record, name=known.name, note=known.note, tags=known.tags, experiment=known.experiment)
    unknown = {}
    for part, path in _FILES.items():
        try:
            record = replace(record, **{part: getattr(read(RUN_FILE, path), part)})
        except FormatError as error:
            unknown[part] = f"'{path}' of run '{name}' cannot be read: {error.message}"
    return replace(listed, record=record, _partial=False), unknown


def with_code_read(found: RunDiff) -> RunDiff:
    """The same once git has listed the files that differ; where it cannot, the code is unknown, and says why."""
    try:
        if not found.code.reason:
            found.code.files  # noqa: B018  read once, and kept
        return found
    except GitProgramError as error:
        code = replace(found.code, reason=error.message, hint=error.hint or "git fsck")
        return replace(found, code=code, unknown={**found.unknown, "code": error.message})


# -- the environment -------------------------------------------------------------------------------------------------


def _environment(one: SavedRun, other: SavedRun) -> tuple[tuple[Difference, ...], tuple[Difference, ...], str]:
    """The facts that differ, the packages that differ, and why neither is known."""
    sides = []
    for run in (one, other):
        try:
            files = _environment_files(run)
            sides.append((environment_facts(files), package_versions(files)))
        except FormatError as error:
            return (), (), f"the environment of run '{display(run.name, 80)}' cannot be read: {error.message}"
        if not files:
            why = "is in progress" if run.commit is None else "has none"
            return (), (), f"the environment of run '{display(run.name, 80)}' is not known: it {why}"
    (facts, packages), (other_facts, other_packages) = sides
    return value_differences(facts, other_facts), value_differences(packages, other_packages), ""


def _environment_files(run: SavedRun) -> dict[str, bytes]:
    contents = {name: run.file(f"environment/{name}") for name in ENVIRONMENT_FILES}
    found = {name: data for name, data in contents.items() if data is not None}
    for name, data in found.items():
        if len(data) > MOST_BYTES:
            raise CorruptRecordError(f"environment/{name} has more than {MOST_BYTES} bytes")
    return found


# -- the code --------------------------------------------------------------------------------------------------------


def _between(project: Project, one: SavedRun, other: SavedRun) -> CodeDiff:
    if one.code == other.code and one.code is not None:
        return CodeDiff(one.code, other.code, _repo=project.repo)
    if one.code is None and other.code is None:
        return CodeDiff(None, None, reason="neither run kept code", hint=f"gittrack show {one.id[:8]}")
    reason, hint = _without_code(project, one) or _without_code(project, other) or ("", "")
    return CodeDiff(one.code, other.code, False, reason, hint, project.repo)


def _against_work_tree(project: Project, run: SavedRun) -> CodeDiff:
    if project.repo.work_tree is None:
        text = "a bare repository has no work tree to compare a run with"
        raise UsageError(text, hint=f"gittrack diff {run.id[:8]} @latest")
    reason, hint = _without_code(project, run) or ("", "")
    limits = SnapshotLimits(project.config.snapshot_file_limit, project.config.snapshot_limit)
    return CodeDiff(run.code, None, True, reason, hint, project.repo, limits)


def _without_code(project: Project, run: SavedRun) -> tuple[str, str] | None:
    """Why the code of a run cannot be read here, and what mends it."""
    name = display(run.name, 80)
    commit: ObjectId | None = run.code
    if commit is None:
        why = run.record.code.reason
        return f"run '{name}' kept no code{f': {display(why, 200)}' if why else ''}", f"gittrack show {run.id[:8]}"
    if not project.repo.objects.has(commit):
        return f"the code of run '{name}' is not here: commit {commit}", f"git fetch origin {commit}"
    return None


def pager_of(project: Project) -> str:
    """The command that shows a patch on a terminal, as the user's git would choose it; empty for none."""
    from gittrack.git.pager import pager_for_diff

    return pager_for_diff(project.repo, project.process.environ)
