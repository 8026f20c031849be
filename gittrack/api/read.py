"""Reading runs: one by its address, or all of them. What comes out is frozen."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from gittrack.api.project import Project
from gittrack.core.address import Address, parse_address
from gittrack.core.assembly import assemble, resumed_commit
from gittrack.core.events import Folded, fold, run_body
from gittrack.core.ids import ObjectId, RunId
from gittrack.core.message import ListedRun, headline
from gittrack.core.names import display
from gittrack.core.records import Event, RunRecord, RunStatus, Series
from gittrack.core.sparkline import format_number
from gittrack.errors import AmbiguousError, CorruptRecordError, GittrackError, NotFoundError, RunNotFoundError
from gittrack.store.catalog import Catalog, Problem, current_commits, read_catalog
from gittrack.store.live import LiveRun, list_live
from gittrack.store.ownership import Liveness
from gittrack.store.run_reader import read_artifact, read_body, read_listed, read_record, read_series

if TYPE_CHECKING:
    import pandas

__all__ = [
    "Listing",
    "Problem",
    "SavedRun",
    "events_by_subject",
    "find_run",
    "find_run_id",
    "get_run",
    "list_runs",
    "runs",
]


@dataclass(frozen=True, slots=True)
class SavedRun:
    """A run as it is now: what its commit says, with its events folded in. Readers get nothing that can write.

    Attributes:
        record: the facts; name, note, tags and the experiment's name are the present ones. In a list of runs it holds
            what a list needs: no command, seeds, inputs, artifacts; ``get_run(run.id)`` has them.
        commit: the run commit; None while the run is live.
        state: the folded events.
        trends: metric -> at most 16 of its values, for a sparkline.
        conflicts: other commits of the same run id that neither replaces.
        problem: why a live run cannot be finished; empty otherwise.
    """

    record: RunRecord
    commit: ObjectId | None
    state: Folded = field(default_factory=Folded, repr=False)
    trends: dict[str, Sequence[float]] = field(default_factory=dict, repr=False)
    conflicts: tuple[ObjectId, ...] = ()
    problem: str = ""
    _project: Project | None = field(default=None, repr=False, compare=False)
    _live: dict[str, Series] = field(default_factory=dict, repr=False, compare=False)
    _partial: bool = field(default=False, repr=False, compare=False)

    @property
    def id(self) -> RunId:
        """32 hex digits."""
        return self.record.id

    @property
    def name(self) -> str:
        """The present name."""
        return self.record.name

    @property
    def status(self) -> RunStatus:
        """How it stands."""
        return self.record.status

    @property
    def params(self) -> dict[str, Any]:
        """Params by dotted name."""
        exact = not self._partial or all(map(_is_exact, self.record.params.values()))
        return dict(self.record.params if exact else self._whole().params)

    def _whole(self) -> RunRecord:
        """The record with what a list leaves out."""
        if not self._partial or self.commit is None or self._project is None:
            return self.record
        return read_record(self._project.repo, self.commit)

    @property
    def experiment(self) -> str:
        """The present name of its experiment."""
        return self.record.experiment.name

    @property
    def parent(self) -> RunId | None:
        """The run it is a child of."""
        return self.record.parent

    @property
    def artifacts(self) -> tuple[str, ...]:
        """The paths of its artifacts, sorted."""
        return tuple(sorted(entry.path for entry in self._whole().artifacts))

    @property
    def metrics(self) -> dict[str, float]:
        """The last value of each metric."""
        return {name: summary.last for name, summary in self.record.metrics.items()}

    @property
    def tags(self) -> dict[str, str]:
        """The present tags."""
        return dict(self.record.tags)

    @property
    def note(self) -> str:
        """The present note."""
        return self.record.note

    @property
    def deleted(self) -> bool:
        """Whether it is deleted and not restored."""
        return self.state.deleted

    @property
    def code(self) -> ObjectId | None:
        """The commit of the code that ran."""
        return self.record.code.commit

    def history(self, metric: str) -> Series:
        """A metric's points in logged order.

        Raises:
            NotFoundError: the run has no such metric.
        """
        if metric not in self.record.metrics:
            raise NotFoundError(f"run '{self.name}' has no metric '{metric}'", hint=f"gittrack show {self.id[:8]}")
        if self.commit is None or self._project is None:
            return self._live[metric]
        return read_series(self._project.repo, self.commit, self.record, metric)

    def frame(self, metric: str) -> pandas.DataFrame:
        """A metric's points as a pandas DataFrame with columns step, timestamp, value."""
        import pandas

        series = self.history(metric)
        return pandas.DataFrame({"step": series.steps, "timestamp": series.timestamps, "value": series.values})

    def artifact(self, path: str) -> bytes:
        """The bytes of one of its artifacts.

        Raises:
            ArtifactNotFoundError: it has none of that path.
        """
        if self.commit is None or self._project is None:
            raise NotFoundError(f"run '{self.name}' has not ended: its artifacts are not readable yet")
        record = self._whole()
        entry = next((entry for entry in record.artifacts if entry.path == path), None)
        if entry is not None and entry.storage == "pointer":
            from gittrack.artifacts.bytes_store import read_stored

            return read_stored(self._project.layout.bytes_store, entry.digest, path)
        return read_artifact(self._project.repo, self.commit, record, path)

    def file(self, path: str) -> bytes | None:
        """The bytes of a file of the run's tree (``run.toml``, ``logs/output.txt``, …), or None."""
        if self.commit is None or self._project is None:
            return None
        return self._project.repo.objects.read_file(self.commit, path)

    def __repr__(self) -> str:
        return f"SavedRun(id={self.id!r}, name={display(self.name)!r}, status={self.status.value!r})"

    def _repr_html_(self) -> str:
        from html import escape

        cells = [(name, format_number(self.metrics[name])) for name in headline(self.metrics, 20)]
        cells += [(name, str(value)) for name, value in sorted(self.params.items())]
        rows = "".join(f"<tr><th>{escape(display(a))}</th><td>{escape(display(b))}</td></tr>" for a, b in cells)
        title = f"<b>{escape(display(self.name))}</b> <code>{self.id[:8]}</code> {self.status.value}"
        return f"{title} ({escape(display(self.record.experiment.name))})<table>{rows}</table>"


def _is_exact(value: Any) -> bool:
    """Whether a list tells a param as it is: JSON has no NaN, no infinities and no dates, they are texts there."""
    if isinstance(value, str):
        return value not in ("nan", "inf", "-inf") and not value[:1].isdigit()
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return all(map(_is_exact, inner))


@dataclass(frozen=True, slots=True)
class Listing:
    """All runs, newest first, and what could not be read."""

    runs: tuple[SavedRun, ...]
    problems: tuple[Problem, ...]


def list_runs(project: Project, *, experiment: str | None = None, deleted: bool = False) -> Listing:
    """List runs, live ones included.

    Args:
        project: where.
        experiment: only of this experiment (present name or id).
        deleted: list the deleted ones instead of the others.
    """
    catalog = read_catalog(project.repo)
    found, problems = _all_runs(project, catalog)
    runs = [run for run in found.values() if run.deleted == deleted]
    if experiment is not None:
        wanted = _experiment_ids(project, catalog, experiment)
        runs = [run for run in runs if run.record.experiment.id in wanted]
    return Listing(tuple(_newest_first(runs)), tuple(problems))


def _newest_first(runs: Iterable[SavedRun]) -> list[SavedRun]:
    return sorted(runs, key=lambda run: (run.record.start_time, run.id), reverse=True)


def _all_runs(project: Project, catalog: Catalog) -> tuple[dict[RunId, SavedRun], list[Problem]]:
    """Every run, deleted or not, and what could not be read."""
    problems = list(catalog.problems)
    events = events_by_subject(catalog)
    found: dict[RunId, SavedRun] = {}
    for id in catalog.runs:
        try:
            found[id] = _listed(project, catalog, events, id)
        except GittrackError as error:
            problems.append(Problem(f"run {id}", error.message))
    for live in list_live(project.layout):
        if live.problem:
            problems.append(Problem(f"live run {live.id}", live.problem))
        else:
            try:
                found[live.id] = _live_run(project, live, events)
            except GittrackError as error:
                problems.append(Problem(f"live run {live.id}", error.message))
    return found, problems


def _experiment_ids(project: Project, catalog: Catalog, experiment: str) -> set[str]:
    from gittrack.api.experiments import find_experiment

    return {find_experiment(project, experiment, catalog).id}


def events_by_subject(catalog: Catalog) -> dict[str, list[Event]]:
    """All events, by the text of their subject."""
    result: dict[str, list[Event]] = {}
    for event in catalog.events.values():
        result.setdefault(str(event.subject), []).append(event)
    return result


def _listed(project: Project, catalog: Catalog, events: dict[str, list[Event]], id: RunId) -> SavedRun:
    commit, *others = _current(project, catalog, id)
    listed = read_listed(project.repo, commit, project.repo.objects.read_commit(commit).message)
    if listed.record.id != id:
        raise CorruptRecordError(f"commit {commit} is of run {listed.record.id}")
    listed = replace(listed, record=_in_present_experiment(listed.record, events))
    run = _folded(project, listed, commit, tuple(others), events.get(f"run:{id}", ()))
    return replace(run, _partial=True)


def _in_present_experiment(record: RunRecord, events: dict[str, list[Event]]) -> RunRecord:
    """The record with its experiment's present name: a rename is an event of the experiment."""
    renames = events.get(f"experiment:{record.experiment.id}")
    name = fold({}, renames).value("name") if renames else None
    return record if name is None else replace(record, experiment=replace(record.experiment, name=name))


def _current(project: Project, catalog: Catalog, id: RunId) -> list[ObjectId]:
    return current_commits(project.repo, catalog.runs[id])


def _folded(
    project: Project, listed: ListedRun, commit: ObjectId, others: tuple[ObjectId, ...], events: Iterable[Event]
) -> SavedRun:
    state = fold(run_body(listed.record), events)
    record = replace(listed.record, name=state.value("name") or "", note=state.value("note") or "", tags=state.tags)
    return SavedRun(record, commit, state, dict(listed.trends), others, _project=project)


def _live_run(project: Project, live: LiveRun, events: dict[str, list[Event]]) -> SavedRun:
    from gittrack.core.series import trend

    resumed = resumed_commit(live.contents)
    body = assemble(live.contents, None if resumed is None else read_body(project.repo, resumed))
    status = RunStatus.RUNNING if live.liveness is not Liveness.DEAD else body.record.status
    record = replace(_in_present_experiment(body.record, events), status=status)
    if status is RunStatus.RUNNING:
        record = replace(record, end_time=None, error="")
    trends = {name: trend(series) for name, series in body.series.items()}
    saved = SavedRun(
        record, None, fold(run_body(record), events.get(f"run:{live.id}", ())), dict(trends), _project=project
    )
    return replace(saved, _live=dict(body.series))


def find_run(project: Project, address: str) -> SavedRun:
    """The run at an address: id, unique prefix of one, name, ``@latest``, ``@-2``, or a git revision that is a run.

    Raises:
        RunNotFoundError: none.
        AmbiguousError: several.
    """
    catalog = read_catalog(project.repo)
    parsed = parse_address(address)
    whole = RunId(parsed.prefix or "")
    if whole in catalog.runs and not project.layout.live_run(whole).exists():  # a full id: only that run is read
        run = _listed(project, catalog, events_by_subject(catalog), whole)
    else:
        known, _ = _all_runs(project, catalog)
        run = _match(project, parsed, _newest_first(run for run in known.values() if not run.deleted), known)
    if run.commit is None:
        return run
    record = replace(read_record(project.repo, run.commit), experiment=run.record.experiment)
    return _folded(project, ListedRun(record, run.trends), run.commit, run.conflicts, run.state.events)


def _match(project: Project, address: Address, newest: Sequence[SavedRun], known: dict[RunId, SavedRun]) -> SavedRun:
    if address.back is not None:
        if address.back > len(newest):
            raise RunNotFoundError(f"there are only {len(newest)} runs", hint="gittrack ls")
        return newest[address.back - 1]
    named = [run for run in known.values() if run.name == address.text]
    matches = named or [run for id, run in known.items() if address.prefix and id.startswith(address.prefix)]
    if not matches:
        matches = _by_revision(project, address.text, known)
    if not matches:
        raise RunNotFoundError(f"no run is '{display(address.text, 80)}'", hint="gittrack ls")
    if len(matches) > 1:
        ids = sorted(run.id for run in matches)
        shown = ", ".join(id[:12] for id in ids[:5])
        raise AmbiguousError(
            f"'{display(address.text, 80)}' matches {len(matches)} runs", matches=ids, hint=f"use an id: {shown}"
        )
    return matches[0]


def _by_revision(project: Project, text: str, known: dict[RunId, SavedRun]) -> list[SavedRun]:
    commit = project.repo.resolve(text)
    if commit is None:
        return []
    return [run for run in known.values() if commit == run.commit or commit in run.conflicts]


def find_run_id(project: Project, address: str) -> RunId:
    """The id of the run at an address; a full id is taken as it is, so that a parent may be on another machine."""
    parsed = parse_address(address)
    if parsed.prefix is not None and len(parsed.prefix) == 32:
        return RunId(parsed.prefix)
    return find_run(project, address).id


def get_run(run_id: str, repo: str | os.PathLike[str] | None = None) -> SavedRun:
    """A run, frozen.

    Args:
        run_id: id, unique prefix, name, ``@latest``, ``@-2``, or a git revision that is a run.
        repo: a directory in the repository; the working directory when None.

    Raises:
        RunNotFoundError, AmbiguousError: the address.
        NotARepositoryError: there is no repository.

    Example:
        >>> gittrack.get_run("@latest").metrics  # doctest: +SKIP
        {'loss': 0.25}
    """
    return find_run(_recovered(repo), run_id)


def runs(
    experiment: str | None = None, *, deleted: bool = False, repo: str | os.PathLike[str] | None = None
) -> list[SavedRun]:
    """All runs, newest first, live ones included.

    Args:
        experiment: only of this experiment.
        deleted: the deleted ones instead.
        repo: a directory in the repository; the working directory when None.
    """
    return list(list_runs(_recovered(repo), experiment=experiment, deleted=deleted).runs)


def _recovered(repo: str | os.PathLike[str] | None) -> Project:
    from gittrack.api.maintain import recover

    project = Project.open(repo)
    recover(project)
    return project
