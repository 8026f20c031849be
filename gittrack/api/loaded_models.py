"""Models that runs logged, given back: found by address, fetched, checked, and read without trusting anybody."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gittrack.api.artifact_paths import MODELS_FOLDER
from gittrack.api.used_artifacts import UsedArtifact, artifact_of, split_address
from gittrack.core.models_toml import READY
from gittrack.core.names import display
from gittrack.core.records import LoggedModel
from gittrack.errors import (
    ArtifactNotFoundError,
    ConflictError,
    CorruptRecordError,
    GittrackError,
    NotFoundError,
    StorageError,
    UsageError,
)
from gittrack.frozen import dataclass

if TYPE_CHECKING:
    from gittrack.api.project import Project
    from gittrack.api.saved_run import SavedRun

_HINT = "gittrack.load_model('RUN:model')"


@dataclass(frozen=True, slots=True)
class FoundModel:
    """A model that is kept.

    Attributes:
        files: the artifact that holds it.
        model: what the run says of it; None for a folder that is a model, logged as an ordinary artifact.
    """

    files: UsedArtifact
    model: LoggedModel | None


def load_model(address: str, *, trust: bool = False) -> Any:
    """A model that a run logged, as the object it was. Its bytes are fetched where they are missing, and checked.

    When a run is active, it is written down that this run used the model.

    Args:
        address: ``RUN:name`` or ``runs:/RUN/name``: a run (id, prefix, name, ``@latest``) and the model's name there.
        trust: read a pickle too, which can run any code: only when you trust whoever logged it.

    Returns:
        The model. Of PyTorch kept without MLflow, the state dict; of a function, MLflow's ``PyFuncModel``.

    Raises:
        UsageError: it is kept as a pickle, and ``trust`` is off.
        NotFoundError: no such run or model, or a registered model is meant, which this version does not know.
        AmbiguousError: several runs.
        CorruptRecordError: its bytes are not those that were logged.
        MissingDependencyError: a package is needed to read it.

    Example:
        >>> model = gittrack.load_model("@latest:churn")  # doctest: +SKIP
    """
    from gittrack.api.fluent import active_run

    found = find_model(address)
    model = read_model(found, trust=trust)
    run = active_run()
    if run is not None:
        run._record_used(found.files, None if found.model is None else found.model.name)
    return model


def find_model(address: str, project: Project | None = None) -> FoundModel:
    """The model at an address.

    Args:
        address: ``runs:/RUN/name`` or ``RUN:name``; in place of the name the model's id, or the path of a folder among
            the run's artifacts. Of several models with one name the last is meant; ``name.2`` is the second.
        project: where; around the working directory when None.

    Raises:
        UsageError: the address has no name.
        NotFoundError: no such run or model, or a registered model is meant.
        AmbiguousError: several runs.
        ConflictError: something else was logged in the model's place.
    """
    from gittrack.api.project import Project
    from gittrack.api.read import find_run

    if not isinstance(address, str):
        raise UsageError(f"a {type(address).__name__} is not the address of a model", hint=_HINT)
    found = split_address(address)
    if found is None:
        raise _no_run(address)
    run = find_run(project or Project.open(), found[0])
    models = [each for each in run.models() if found[1] in (each.name, each.id, each.artifact, _short(each))]
    if not models:
        return FoundModel(_folder(run, found[1]), None)
    return _files_of(run, models[-1])


def _short(model: LoggedModel) -> str:
    """What tells a model from others of its name: ``churn.2``."""
    return model.artifact.removeprefix(MODELS_FOLDER + "/") or model.name


def _no_run(address: str) -> GittrackError:
    shown = display(address, 80)
    if address.startswith("models:/") or "@" in address.lstrip("@"):
        text = f"'{shown}' names a registered model, and there is no registry yet"
        return NotFoundError(text, hint=f"name the run that logged it: {_HINT}")
    return UsageError(f"'{shown}' is not the address of a model", hint=_HINT)


def _folder(run: SavedRun, path: str) -> UsedArtifact:
    try:
        return artifact_of(run, path)
    except ArtifactNotFoundError as error:
        named = ", ".join(f"'{display(_short(model), 40)}'" for model in run.models()) or "it logged none"
        text = f"run '{display(run.name, 60)}' has no model '{display(path, 60)}' (models: {named})"
        raise ArtifactNotFoundError(text, hint=f"gittrack artifact ls {run.id[:8]}") from error


def _files_of(run: SavedRun, model: LoggedModel) -> FoundModel:
    shown = display(model.name, 60)
    if model.status != READY or not model.artifact:
        text = f"model '{shown}' of run '{display(run.name, 60)}' is {model.status}: its files were never complete"
        raise ArtifactNotFoundError(text, hint=f"gittrack show {run.id[:8]}")
    files = artifact_of(run, model.artifact)
    if model.digest and files.digest != model.digest:
        text = f"'{display(model.artifact, 80)}' is no longer model '{shown}': something else was logged in its place"
        raise ConflictError(text, hint=f"gittrack artifact ls {run.id[:8]}")
    return FoundModel(files, model)


def read_model(found: FoundModel, *, trust: bool = False) -> Any:
    """Read a model: its bytes are fetched where they are missing, and checked on their way.

    Args:
        found: which.
        trust: read pickles too; whoever wrote one decides what that runs.

    Raises:
        UsageError: it may run code, and there is no trust.
        CorruptRecordError: its bytes are not those that were logged, or no model.
        ArtifactNotFoundError: its bytes are nowhere to be had.
        MissingDependencyError: a package is needed.
    """
    from gittrack.models.packaging import MLFLOW, load

    try:
        folder = Path(tempfile.mkdtemp(prefix="gittrack-model-"))
    except OSError as error:
        raise StorageError(f"no folder for the model's files: {error.strerror}", hint="free some disk space") from error
    reader = ""
    try:
        files = found.files.download(folder)
        if not files.is_dir():
            raise CorruptRecordError(f"'{display(found.files.path, 80)}' is a file, and no model", hint=_HINT)
        model, reader = load(files, trust=trust)
    except GittrackError as error:
        raise _about(found, error) from error.__cause__
    finally:
        if reader == MLFLOW:  # what MLflow gives back may read further files of its folder later
            atexit.register(shutil.rmtree, folder, ignore_errors=True)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return model


def _about(found: FoundModel, error: GittrackError) -> GittrackError:
    """The error, which names the model."""
    name = found.files.path if found.model is None else found.model.name
    error.message = f"cannot load '{display(name, 60)}' of run '{display(found.files.run_name, 60)}': {error.message}"
    error.args = (error.message,)
    return error
