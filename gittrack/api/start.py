"""Starting a run: capture what is not asked for, make the live folder, hand out the live handle."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from gittrack.api.closing import Closing, Flusher, Goodbye
from gittrack.api.code_of_run import directory, hold, limits, warn_of_entry, with_remote
from gittrack.api.guarded import warn
from gittrack.api.kept import Room, checked_text, without_secret
from gittrack.api.project import Project
from gittrack.api.run import Run
from gittrack.config import leave_run_to_children
from gittrack.core.assembly import code_operation
from gittrack.core.ids import ObjectId, RunId, parse_run_id
from gittrack.core.names import check_experiment_name, check_run_name, make_name
from gittrack.core.records import FORMAT_VERSION
from gittrack.errors import GittrackError, RunActiveError, UsageError
from gittrack.git.snapshot import start_snapshot
from gittrack.store.live import create_live, join_live, read_live
from gittrack.store.ownership import Liveness

if TYPE_CHECKING:
    from gittrack.capture.environment import EnvironmentCapture
    from gittrack.core.records import ArtifactEntry, ParamValue, RunRecord


class Request(NamedTuple):
    """What the caller of ``start_run`` asked for; None is "not said".

    ``command`` is the program that a run is put around, when it is not this process; ``given_params`` the params that a
    person gave for it, which it does not change. ``brief``: it is not the first run of this process.
    ``live``: seconds between two checkpoints that are pushed, 0 for none.
    """

    name: str | None = None
    experiment: str | None = None
    params: object = None
    tags: Mapping[str, object] | None = None
    description: str | None = None
    parent: RunId | None = None
    run_id: str | None = None
    strict: bool | None = None
    system_metrics: bool | None = None
    kind: str = "run"
    command: tuple[str, ...] | None = None
    given_params: tuple[str, ...] = ()
    brief: bool = False
    live: float | None = None


def begin(project: Project, request: Request, environment: EnvironmentCapture, on_end: Callable[[Run], None]) -> Run:
    """Begin a run of its own, or resume a finished one.

    Args:
        project: where.
        request: what was asked for.
        environment: what captures packages and hardware, with its memory of earlier captures.
        on_end: told when the run has ended.

    Raises:
        RunNotFoundError, AmbiguousError: the run to resume.
        RunActiveError: the run to resume is being written.
        InvalidNameError: a name against its grammar.
        StorageError: the git directory cannot be written.
    """
    pending = start_snapshot(project.repo, limits(project), directory=directory(project))
    try:
        earlier = None if request.run_id is None else _earlier(project, request.run_id)
        start = _start_operation(project, request, environment, earlier)
    except BaseException:
        pending.cancel()
        raise
    code = pending.result()
    start["code"] = code_operation(with_remote(project, code))
    warn_of_entry(start["entry"], code)
    id = RunId(start["id"])
    held = partial(hold, project, id, code)
    writer = create_live(project.layout, id, start, project.new_event_id, project.now, held)
    run = Run(
        id,
        start["name"],
        start["experiment"]["name"],
        writer=writer,
        files=_files(project, writer, () if earlier is None else earlier.record.artifacts),
        closing=Closing(project, writer, False, Flusher(writer), on_end, _goodbye(request, start["parent"])),
        strict=project.config.strict if request.strict is None else request.strict,
        known_steps=None if earlier is None else earlier.steps,
        known_params=None if earlier is None else earlier.params,
        room=None if earlier is None else _room(earlier.record),
    )
    _apply(project, run, request, named=earlier is not None, untracked=pending.untracked)
    # By the settings only a run that is no child is live: of a sweep each of hundreds would have its own process.
    every = request.live if request.live is not None else (0.0 if start["parent"] else project.config.live)
    if every:
        _go_live(project, run, every)
    return run


def _go_live(project: Project, run: Run, every: float) -> None:
    from gittrack.api.checkpoint_start import start_checkpoints  # few runs are

    start_checkpoints(project, run, every)


def _goodbye(request: Request, parent: RunId | None) -> Goodbye:
    """A child, and a run that is not the first of its process, is one of many: a line is enough."""
    if request.command is not None:
        return ""  # `gittrack run` says it
    return "line" if request.brief or parent is not None else "lines"


def join(project: Project, request: Request, on_end: Callable[[Run], None]) -> Run:
    """Join the live run that ``gittrack run`` began around this process.

    Raises:
        GittrackError: the run is not live.
    """
    try:
        id = parse_run_id(project.process.run_id)
    except UsageError as error:  # no mistake of the training's, which goes on
        raise GittrackError(f"GITTRACK_RUN_ID: {error.message}", hint="unset GITTRACK_RUN_ID") from error
    live = read_live(str(project.layout.live_run(id)), id)
    if live is None or live.problem:
        raise GittrackError(f"run {id} named by GITTRACK_RUN_ID is not live", hint="unset GITTRACK_RUN_ID")
    from gittrack.core.assembly import assemble, start_operation

    # What the person gave on the command line of `gittrack run` wins over what the program asks for.
    start = start_operation(live.contents)
    given = start.get("given", ())
    name = None if "name" in given else request.name
    experiment = None if "experiment" in given else request.experiment
    request = request._replace(name=name, experiment=experiment)
    record = assemble(live.contents).record
    writer = join_live(project.layout, id, project.new_event_id, project.now)
    leave_run_to_children(id)
    run = Run(
        id,
        record.name,
        record.experiment.name,
        writer=writer,
        files=_files(project, writer, record.artifacts),
        closing=Closing(project, writer, True, Flusher(writer), on_end),
        strict=project.config.strict if request.strict is None else request.strict,
        known_steps={name: summary.last_step for name, summary in record.metrics.items()},
        known_params=_without_guesses(record, start.get("given_params", ())),
        given=start.get("given_params", ()),
        room=_room(record),
    )
    if request.experiment is not None:
        _move(project, run, request.experiment)
    _apply(project, run, request, named=True)
    if request.live:
        _go_live(project, run, request.live)
    return run


def _move(project: Project, run: Run, name: str) -> None:
    """Put a joined run into the experiment that the program names."""
    from gittrack.api.experiment_names import resolve_experiment

    found = resolve_experiment(project, check_experiment_name(name))
    run._operation({"op": "experiment", "value": {"id": found.id, "name": found.name}})
    run.experiment = found.name


def _room(record: RunRecord) -> Room:
    """What a run that goes on has left of its small files."""
    from gittrack.core import run_tree, summary_toml, toml
    from gittrack.core.params import encode_params

    room = Room()
    room.begin(run_tree.PARAMS_FILE, len(encode_params(record.params)[0]))
    room.begin(summary_toml.SUMMARY_FILE, len(summary_toml.encode_summaries(record.metrics)))
    room.begin(run_tree.TAGS_FILE, len(toml.dump(record.tags)))
    room.begin(run_tree.INPUTS_FILE, len(run_tree.encode_inputs(record.inputs)))
    room.begin(run_tree.ARTIFACTS_FILE, len(run_tree.encode_artifacts(record.artifacts)))
    return room


def _without_guesses(record: RunRecord, given: Collection[str]) -> dict[str, ParamValue]:
    """The params known for sure: those guessed from the command line give way to what the program itself says."""
    from gittrack.capture.script_params import params_from_argv
    from gittrack.core.values import flatten_params, same_value

    guesses = flatten_params(params_from_argv(record.command))
    return {
        name: value
        for name, value in record.params.items()
        if name in given or name not in guesses or not same_value(guesses[name], value)
    }


def silent(request: Request) -> Run:
    """A run with the same methods that keeps nothing."""
    from os import urandom

    from gittrack.core.ids import run_id_from

    random = urandom(16)
    return Run(run_id_from(random), request.name or make_name(random), request.experiment or "", writer=None)


class _Earlier(NamedTuple):
    id: RunId
    commit: ObjectId
    name: str
    experiment: dict[str, str]
    parent: RunId | None
    steps: dict[str, int]
    params: Mapping[str, ParamValue]
    record: RunRecord


def _earlier(project: Project, address: str) -> _Earlier:
    from gittrack.api.read import find_run
    from gittrack.store.run_reader import read_body

    saved = find_run(project, address, index=False)
    live = read_live(str(project.layout.live_run(saved.id)), saved.id)
    if live is not None and live.liveness is Liveness.DEAD:  # its process was killed: this is why it is resumed
        from gittrack.api.recovering import recover

        recover(project)
        saved = find_run(project, saved.id, index=False)
        live = read_live(str(project.layout.live_run(saved.id)), saved.id)
    if saved.checkpoint is not None:
        raise RunActiveError(f"run '{saved.name}' goes on elsewhere", hint=f"gittrack recover {saved.id[:8]}")
    if saved.commit is None or live is not None:
        alive = live is not None and live.liveness is not Liveness.DEAD
        raise RunActiveError(
            f"run '{saved.name}' is being written" if alive else f"run '{saved.name}' has not been finished yet",
            hint="wait for its end" if alive else "gittrack recover",
        )
    record = read_body(project.repo, saved.commit).record  # now, not at the end: what cannot be read cannot go on
    from gittrack.api.resumed_by_another import warn_of_another_writer  # only where one is resumed

    warn_of_another_writer(project, saved, f"start_run(parent='{saved.id[:8]}')")
    return _Earlier(
        id=saved.id,
        commit=saved.commit,
        name=record.name,
        experiment={"id": record.experiment.id, "name": record.experiment.name},
        parent=record.parent,
        steps={name: summary.last_step for name, summary in record.metrics.items()},
        params=record.params,
        record=record,
    )


def _kept(kind: str, name: str, check: Callable[[str], str]) -> str:
    kept = check(name)
    if kept != name:
        from gittrack.api.kept import masked_name

        warn(masked_name(kind, kept))
    return kept


def _start_operation(
    project: Project, request: Request, environment: EnvironmentCapture, earlier: _Earlier | None
) -> dict[str, Any]:
    from gittrack.api.experiment_names import resolve_experiment
    from gittrack.capture.command import capture_command

    config, process = project.config, project.process
    main = getattr(sys.modules.get("__main__"), "__file__", None) if request.command is None else None
    words = sys.orig_argv if request.command is None else request.command
    command = capture_command(words, main, process.environ, project.repo.work_tree)
    files = environment.capture(process.environ, project.repo.work_tree, config.environment)
    start: dict[str, Any] = {
        "op": "start",
        "format": FORMAT_VERSION,
        "t": project.now(),
        "id": project.new_run_id(),
        "kind": request.kind,
        "author": {"name": project.person.name, "email": project.person.email},
        "writer": project.writer,
        "host": command.host,
        "command": list(command.command),
        "entry": command.entry,
        "parent": request.parent,
        "note": "" if request.description is None else without_secret("", checked_text("a note", request.description)),
        "environment": {name: data.decode() for name, data in files.items()},
    }
    if earlier is not None:
        return start | {
            "id": earlier.id,
            "name": earlier.name,
            "experiment": earlier.experiment,
            "parent": earlier.parent,
            "resumes": earlier.commit,
        }
    experiment = resolve_experiment(
        project, _kept("an experiment", request.experiment or config.experiment, check_experiment_name)
    )
    name = make_name(project.random(8)) if request.name is None else _kept("a run", request.name, check_run_name)
    if request.command is not None:
        start["given"] = [field for field in ("name", "experiment") if getattr(request, field) is not None]
        start["given_params"] = list(request.given_params)
    return start | {"name": name, "experiment": {"id": experiment.id, "name": experiment.name}}


def _apply(
    project: Project, run: Run, request: Request, *, named: bool, untracked: Sequence[bytes] | None = None
) -> None:
    """Give a run that has just begun what the caller asked for.

    Args:
        project: where.
        run: the run.
        request: what was asked for.
        named: it had a name and a note before.
        untracked: files that git does not know; None for a run that is joined, whose inputs are recorded already.
    """
    try:
        if untracked is not None:
            _record_tracked_data(project, run, untracked)
        _log_request(run, request, named)
        _sample(project, run, request)
    except BaseException as error:  # strict: nobody gets the handle, so nobody else could end it
        run.end("failed", error=error)
        raise


def _log_request(run: Run, request: Request, named: bool) -> None:
    if named and request.name is not None:
        run.rename(request.name)
    if named and request.description is not None:
        run.set_note(request.description)
    if request.params is not None:
        run.log_params(request.params)
    if request.tags:
        run.set_tags(request.tags)


def _record_tracked_data(project: Project, run: Run, untracked: Sequence[bytes]) -> None:
    """Record what DVC tracks here; where there is no DVC, this costs a few calls of ``stat``."""
    top = project.repo.work_tree
    if top is None:
        return
    import os

    place = os.getcwd()
    if not f"{place}/".startswith(f"{top}/"):
        place = str(top)
    while not os.path.isdir(f"{place}/.dvc"):
        if len(place) <= len(str(top)):
            return
        place = os.path.dirname(place)
    run._record_tracked_data(place, [os.fsdecode(path) for path in untracked])


def _sample(project: Project, run: Run, request: Request) -> None:
    wanted = project.config.system_metrics if request.system_metrics is None else request.system_metrics
    if wanted and run._closing is not None:
        from gittrack.capture.system_metrics import SystemSampler

        def log(name: str, value: float, timestamp: int) -> None:
            run.log_metric(name, value, timestamp=timestamp)

        sampler = SystemSampler(log, project.config.system_interval, warn=warn)
        run._closing.sampler = sampler
        sampler.start()


def _files(project: Project, writer: Any, known: Sequence[ArtifactEntry]) -> Any:
    from gittrack.api.logged_files import LoggedFiles

    return LoggedFiles(project, writer, known)
