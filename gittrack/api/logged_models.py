"""Models of a run: written into a folder by their library or MLflow, kept as one artifact, then named."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from gittrack.api.artifact_paths import MODELS_FOLDER
from gittrack.api.guarded import warn
from gittrack.api.kept import Room, checked_text, entry_size, without_secret
from gittrack.api.points import integer
from gittrack.core.ids import RunId, model_id_from
from gittrack.core.models_toml import READY, check_model_name, model_from_table
from gittrack.core.names import check_tag_key, display
from gittrack.core.records import LoggedModel
from gittrack.core.values import coerce_scalar
from gittrack.errors import InvalidValueError, StorageError
from gittrack.frozen import dataclass

if TYPE_CHECKING:
    from gittrack.api.logged_files import LoggedFiles
    from gittrack.api.project import Project
    from gittrack.models.packaging import Packaged
    from gittrack.store.journal_file import JournalWriter


@dataclass(frozen=True, slots=True)
class Description:
    """What is said of a model when it is logged; see ``Run.log_model``."""

    name: str
    signature: object = None
    input_example: object = None
    register_as: str | None = None
    step: int | None = None
    params: Mapping[str, object] = field(default_factory=dict)
    tags: Mapping[str, object] = field(default_factory=dict)


class LoggedModels:
    """Takes models into a run.

    Args:
        project: where.
        writer: the run's journal in this process.
        room: what the run's small files still hold.
        files: takes the folders.
    """

    def __init__(self, project: Project, writer: JournalWriter, room: Room, files: LoggedFiles) -> None:
        self._project = project
        self._writer = writer
        self._room = room
        self._files = files
        self._taken: dict[RunId, dict[str, str]] = {}
        self._came_again: set[str] = set()

    def add(self, run: RunId, model: object, about: Description) -> LoggedModel:
        """Keep a model: its folder first, so that a model that is named has its files.

        Args:
            run: the run that logs it.
            model: the model.
            about: what is said of it.

        Raises:
            InvalidNameError, InvalidValueError: its name, or what is said of it.
            UsageError: no kind of model that is known, or its library cannot write it.
            MissingDependencyError: a package is needed.
            StorageError: it cannot be stored.
        """
        from gittrack.models.packaging import save

        said = _checked(about)
        folder = self._files.scratch / f"model-{uuid4().hex}"
        try:
            _make(folder)
            packaged = save(model, folder / "model", about.signature, about.input_example)
            path = self._free_path(run, about.name)
            stored = self._files.add_whole(folder / "model", path)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        now = int(time() * 1000)
        row: dict[str, Any] = {
            "id": model_id_from(uuid4().bytes),
            "flavour": packaged.flavour,
            "packaging": packaged.packaging,
            "status": READY,
            "artifact": path,
            "digest": stored.digest,
            "created": now,
            "signature": dict(packaged.signature),
            **said,
        }
        self._room.take("models.toml", entry_size(row))
        self._writer.operation({"op": "model", "t": now, "model": row})
        _tell(about, packaged)
        self._tell_of_number(about.name, path)
        _tell_of_example(model, about, packaged)
        return model_from_table(row)

    def _tell_of_number(self, name: str, path: str) -> None:
        """Say once of each name that there are several."""
        if path == f"{MODELS_FOLDER}/{name}" or name in self._came_again:
            return
        self._came_again.add(name)
        shown = display(name, 60)
        text = f"the run has '{MODELS_FOLDER}/{shown}' already: this model is kept as '{display(path, 80)}'"
        warn(f"{text}; 'RUN:{shown}' now means it, 'RUN:{display(path[len(MODELS_FOLDER) + 1 :], 60)}' always will")

    def _free_path(self, run: RunId, name: str) -> str:
        """Where the model goes: a name that comes again gets a number, which no name can look like."""
        taken = self._taken.get(run)
        if taken is None:
            taken = self._taken.setdefault(run, dict.fromkeys(_taken_paths(self._project, run), ""))
        path, number, token = f"{MODELS_FOLDER}/{name}", 1, uuid4().hex
        # One step each, and no lock that a forked child would find held: two threads never get one path.
        while taken.setdefault(path, token) != token:
            number += 1
            path = f"{MODELS_FOLDER}/{name}.{number}"
        return path


def _taken_paths(project: Project, run: RunId) -> set[str]:
    """The paths that all processes of the run, and the run that it continues, have used so far."""
    from gittrack.core.assembly import assemble, resumed_commit
    from gittrack.store.live import read_live
    from gittrack.store.run_reader import read_record

    live = read_live(str(project.layout.live_run(run)), run)
    if live is None or live.problem:
        return set()
    records = [assemble(live.contents).record]
    earlier = resumed_commit(live.contents)
    if earlier is not None:
        records.append(read_record(project.repo, earlier))
    paths = {model.artifact for record in records for model in record.models}
    return paths | {entry.path for record in records for entry in record.artifacts}


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise StorageError(f"cannot make '{folder}': {error.strerror}", hint="gittrack doctor") from error


def _checked(about: Description) -> dict[str, Any]:
    """What is said of the model, as it is kept."""
    said: dict[str, Any] = {"name": check_model_name(about.name)}
    if about.register_as is not None:
        said["register_as"] = checked_text("the name of a registered model", _text(about.register_as))
    if about.step is not None:
        said["step"] = integer(about.step, "the step of a model")
    for part, given in (("params", about.params), ("tags", about.tags)):
        if not isinstance(given, Mapping):
            raise InvalidValueError(f"the {part} of a model are a {type(given).__name__}, not names and values")
        said[part] = {check_tag_key(key): _kept(key, value) for key, value in given.items()}
    return said


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise InvalidValueError("the name of a registered model must be a text", hint="registered_model_name='churn'")
    return value


def _kept(key: str, value: object) -> str:
    kept: str = without_secret(key, checked_text("a tag", coerce_scalar(value)))
    return kept


def _tell_of_example(model: Any, about: Description, packaged: Packaged) -> None:
    """Say so when the model has no outputs in its signature because it does not take its example."""
    predict = getattr(model, "predict", None)
    if about.input_example is None or about.signature is not None or packaged.signature.get("outputs"):
        return
    if not callable(predict):
        return
    from gittrack.capture.failure import one_line

    try:
        predict(about.input_example)
    except Exception as error:  # of any library
        warn(f"model '{display(about.name, 60)}' does not take its input_example: {display(one_line(error), 300)}")


def _tell(about: Description, packaged: Packaged) -> None:
    shown = display(about.name, 60)
    for note in packaged.notes:
        warn(f"model '{shown}': {note}")
    if packaged.runs_code:
        warn(f"model '{shown}' is kept in a form that can run code when it is read: load_model needs trust=True for it")
    if about.register_as is not None:
        text = f"model '{shown}' is to become a version of '{display(about.register_as, 60)}'"
        warn(f"{text}; there is no registry yet, the wish is kept in the run's models.toml")
