"""The fluent functions: the same as the methods of ``Run``, on the run that is active here.

The one module with state: which runs are active, and what is worth keeping between two runs of one process.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from gittrack.api.active_runs import ActiveRuns
from gittrack.api.guarded import warn
from gittrack.api.project import Project
from gittrack.api.run import Run
from gittrack.config import Process, boolean, live_seconds, read_process, variable
from gittrack.core.ids import RunId, parse_run_id
from gittrack.core.names import check_experiment_name, check_run_name, display
from gittrack.errors import AmbiguousError, ConflictError, GittrackError, InvalidValueError, NotFoundError, UsageError

if TYPE_CHECKING:
    from gittrack.api.read import SavedRun
    from gittrack.capture.environment import EnvironmentCapture


V = TypeVar("V")


class _State:
    """What this process remembers between two calls."""

    def __init__(self) -> None:
        self.experiment: str | None = None
        self.environment: EnvironmentCapture | None = None
        self.repo: tuple[str, Any] | None = None
        self.told: set[str] = set()


_state = _State()
_active = ActiveRuns()


def active_run() -> Run | None:
    """The run that the fluent functions write to, or None."""
    return _active.current()


def has_active_runs() -> bool:
    """Whether any run of this process is active, in whichever thread or task."""
    return _active.any_active()


def set_experiment(name: str) -> str:
    """Choose the experiment of the runs to come.

    Args:
        name: its name, ``<project>/<task>`` by habit.

    Returns:
        The name.

    Raises:
        InvalidNameError: the name follows no grammar.
    """
    _state.experiment = check_experiment_name(name)
    return _state.experiment


def start_run(
    name: str | None = None,
    experiment: str | None = None,
    params: object = None,
    tags: Mapping[str, object] | None = None,
    description: str | None = None,
    *,
    parent: Run | SavedRun | str | None = None,
    nested: bool = False,
    run_id: str | None = None,
    strict: bool | None = None,
    system_metrics: bool | None = None,
    live: bool | float | str | None = None,
) -> Run:
    """Begin a run, or resume one.

    Works with and without ``with``; without, it ends by :func:`end_run` or with the program.

    Args:
        name: its label; made up when None.
        experiment: its experiment; when None that of the run around it, of ``set_experiment`` or of the settings.
        params: what ``log_params`` takes.
        tags: what ``set_tags`` takes.
        description: its note.
        parent: the run it is a child of.
        nested: make it a child of the active run.
        run_id: resume this finished run (id, unique prefix, name, ``@latest``) instead.
        strict: raise failures of logging instead of warning.
        system_metrics: sample CPU, memory, disk, network and GPU.
        live: push checkpoints while it runs, for others to see: every so many seconds (1 to 600), or ``"2m"``; True:
            every 30 s. By a process of its own; the run's code goes with it. None: as the settings say, and only a run
            that is nobody's child.

    Returns:
        The live handle. A silent one (which keeps nothing) where ``GITTRACK_DISABLED`` is set, on ranks other than 0
        of a distributed training, and, after a line on stderr, where no repository can be written.

    Raises:
        UsageError: a name or setting that follows no grammar.
        NotFoundError, AmbiguousError: the run to resume, or the parent.
        ConflictError: the run to resume is being written.
        GittrackError: no repository, or not writable, when strict.

    Example:
        >>> with gittrack.start_run(name="first", params={"lr": 0.1}) as run:  # doctest: +SKIP
        ...     run.log_metric("loss", 0.5)
    """
    from gittrack.api.start import Request, silent

    process = read_process()
    request = Request(
        name=name,
        experiment=experiment or _experiment_around(parent, nested) or _chosen_experiment(process),
        params=params,
        tags=tags,
        description=description,
        run_id=run_id,
        strict=strict,
        system_metrics=system_metrics,
        live=None if live is None else live_seconds("live", live),
    )
    if process.disabled or not _is_primary(process):
        return _active.add(silent(request))
    try:
        return _active.add(_begin(process, request, parent, nested))
    except (UsageError, NotFoundError, AmbiguousError, ConflictError):
        raise
    except Exception as error:
        if strict or (strict is None and _strict(process)):
            raise
        return _not_kept(error, request)


def _not_kept(error: Exception, request: Any) -> Run:
    """A silent run in place of one that could not begin, after a line that says so."""
    from gittrack.api.start import silent

    text = error.message if isinstance(error, GittrackError) else f"{type(error).__name__}: {error}"
    hint = f"; {error.hint}" if isinstance(error, GittrackError) and error.hint else ""
    warn(f"{display(text)}: this run is not kept{hint}")
    return _active.add(silent(request))


def _experiment_around(parent: Run | SavedRun | str | None, nested: bool) -> str | None:
    """The experiment of the run that the run to come is a child of."""
    if parent is not None:
        given = getattr(parent, "experiment", None)
        return given if isinstance(given, str) and given else None
    current = _active.current()
    is_child = current is not None and (nested or current is not _active.forgotten())
    return current.experiment if current is not None and is_child else None


def _chosen_experiment(process: Process) -> str | None:
    named = process.environ.get("GITTRACK_EXPERIMENT")
    try:
        return check_experiment_name(named) if named else _state.experiment
    except UsageError:  # told with the other settings that do not count
        return _state.experiment


def _is_primary(process: Process) -> bool:
    from gittrack.capture.distributed import is_primary

    return is_primary(process.environ)


def _strict(process: Process) -> bool:
    """Whether the settings want failures raised, as far as they can be read when a run could not begin."""
    try:
        return _project(process).config.strict
    except (GittrackError, OSError):  # no repository, or damaged settings: the environment alone can say
        name = variable("strict")
    try:
        return boolean(name, process.environ.get(name, ""))
    except UsageError:  # whoever could not say strict gets a warning of the failure itself
        return False


def _begin(process: Process, request: Any, parent: Run | SavedRun | str | None, nested: bool) -> Run:
    from gittrack.api.start import begin, join
    from gittrack.capture.environment import EnvironmentCapture

    project = _project(process)
    if process.run_id and request.run_id is None and _active.current() is None:
        return join(project, request, _active.forget)
    request = _checked(project, request)
    request = request._replace(parent=_parent(project, parent, nested), brief=_state.environment is not None)
    if _state.environment is None:
        _state.environment = EnvironmentCapture()
    return begin(project, request, _state.environment, _active.forget)


def _checked(project: Project, request: Any) -> Any:
    """The request with the id of the run to resume; what cannot begin is refused before another run is ended for it."""
    if request.name is not None:
        check_run_name(request.name)
    if request.experiment is not None:
        check_experiment_name(request.experiment)
    return request if request.run_id is None else request._replace(run_id=_find(project, request.run_id))


def _project(process: Process) -> Project:
    start = process.repo or os.getcwd()
    if _state.repo is not None and _state.repo[0] == start:
        project = Project.of(_state.repo[1], process)
    else:
        project = Project.open(start)
        _state.repo = (start, project.repo)
    for fault in project.faults:
        _warn_once(f"{display(fault)}; it does not count: gittrack config")
    return project


def _warn_once(text: str) -> None:
    if text not in _state.told:
        _state.told.add(text)
        warn(text)


def _parent(project: Project, parent: Run | SavedRun | str | None, nested: bool) -> RunId | None:
    given = None if parent is None else _given_parent(project, parent)
    forgotten = None if nested else _active.forgotten()
    if forgotten is not None and forgotten.id != given:
        warn(f"run '{display(forgotten.name)}' was still active and is ended; pass nested=True for a child run")
        forgotten.end()
    if given is not None:
        return given
    current = _active.current()
    if current is not None and not current.silent:
        return current.id
    try:
        return _find(project, project.process.parent) if project.process.parent else None
    except GittrackError as error:
        if project.config.strict:
            raise
        _warn_once(f"{display(f'GITTRACK_PARENT: {error.message}')}; the run has no parent")
        return None


def _given_parent(project: Project, parent: Run | SavedRun | str) -> RunId:
    if isinstance(parent, str):
        return _find(project, parent)
    try:
        return parse_run_id(parent.id)
    except AttributeError as error:
        raise InvalidValueError(f"a {type(parent).__name__} cannot be a run's parent", hint="parent=run.id") from error


def _find(project: Project, address: str) -> RunId:
    from gittrack.api.read import find_run_id

    return find_run_id(project, address)


def end_run(status: str = "finished") -> None:
    """End the active run; does nothing when there is none.

    Args:
        status: ``finished``, ``failed``, ``killed``, ``pruned`` or ``abandoned``.
    """
    run = _active.current()
    if run is not None:
        run.end(status)


def run_to_log_to() -> Run:
    """The active run; one is begun when there is none, as in MLflow.

    Nobody asked for that one, and training is under way: its start never raises, unless strict.
    """
    current = _active.current()
    if current is not None:
        return current
    try:
        return start_run()
    except GittrackError as error:
        from gittrack.api.start import Request

        if _strict(read_process()):
            raise
        return _not_kept(error, Request())


def log_param(key: str, value: V) -> V:
    """Set a param of the active run and return its value; see :meth:`Run.log_param`."""
    return run_to_log_to().log_param(key, value)


def log_params(params: object) -> None:
    """Set several params of the active run; see :meth:`Run.log_params`."""
    run_to_log_to().log_params(params)


def log_metric(key: str, value: object, step: int | None = None, timestamp: int | None = None) -> None:
    """Add a point to a metric of the active run; see :meth:`Run.log_metric`."""
    # The shortest ways to the active run first: this is called once per point.
    (_active.sole or _active.current() or run_to_log_to()).log_metric(key, value, step, timestamp)


def log_metrics(metrics: Mapping[str, object], step: int | None = None, timestamp: int | None = None) -> None:
    """Add a point to several metrics of the active run; see :meth:`Run.log_metrics`."""
    run_to_log_to().log_metrics(metrics, step, timestamp)


def set_tag(key: str, value: object) -> None:
    """Set a tag of the active run."""
    run_to_log_to().set_tag(key, value)


def set_tags(tags: Mapping[str, object]) -> None:
    """Set several tags of the active run."""
    run_to_log_to().set_tags(tags)


def delete_tag(key: str) -> None:
    """Remove a tag of the active run."""
    run_to_log_to().delete_tag(key)


def set_note(text: str) -> None:
    """Set the note of the active run."""
    run_to_log_to().set_note(text)


def seed(value: int) -> None:
    """Seed the random generators and record it; see :meth:`Run.seed`."""
    run_to_log_to().seed(value)


def should_stop() -> bool:
    """Whether training should end early; False when no run is active."""
    run = _active.current()
    return run is not None and run.should_stop()
