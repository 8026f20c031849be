"""What works on the module as on the ``Run``, of files: artifacts, models, and the data that a run reads."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from gittrack.api.fluent import run_to_log_to

if TYPE_CHECKING:
    from gittrack.api.used_artifacts import UsedArtifact
    from gittrack.core.records import LoggedModel


def log_artifact(path: str | os.PathLike[str], artifact_path: str | None = None) -> None:
    """Keep a file with the active run; see :meth:`Run.log_artifact`."""
    run_to_log_to().log_artifact(path, artifact_path)


def log_artifact_uri(
    uri: str, artifact_path: str | None = None, *, size: int | None = None, digest: str | None = None
) -> None:
    """Refer to a file that stays where it is; see :meth:`Run.log_artifact_uri`."""
    run_to_log_to().log_artifact_uri(uri, artifact_path, size=size, digest=digest)


def log_artifacts(directory: str | os.PathLike[str], artifact_path: str | None = None) -> None:
    """Keep a directory with the active run; see :meth:`Run.log_artifacts`."""
    run_to_log_to().log_artifacts(directory, artifact_path)


def log_text(text: str, artifact_file: str) -> None:
    """Keep a text as a file of the active run."""
    run_to_log_to().log_text(text, artifact_file)


def log_dict(data: object, artifact_file: str) -> None:
    """Keep a dict as a file of the active run; see :meth:`Run.log_dict`."""
    run_to_log_to().log_dict(data, artifact_file)


def log_figure(figure: object, artifact_file: str) -> None:
    """Keep a figure with the active run; see :meth:`Run.log_figure`."""
    run_to_log_to().log_figure(figure, artifact_file)


def log_image(image: object, artifact_file: str | None = None, *, key: str = "", step: int = 0) -> None:
    """Keep an image with the active run; see :meth:`Run.log_image`."""
    run_to_log_to().log_image(image, artifact_file, key=key, step=step)


def log_table(table: object, artifact_file: str) -> None:
    """Keep a table with the active run; see :meth:`Run.log_table`."""
    run_to_log_to().log_table(table, artifact_file)


def log_input(
    data: object, name: str | None = None, role: str = "", *, digest: str | None = None, version: str | None = None
) -> None:
    """Record data that the active run reads; see :meth:`Run.log_input`."""
    run_to_log_to().log_input(data, name, role, digest=digest, version=version)


def use_artifact(address: str, name: str | None = None, role: str = "") -> UsedArtifact:
    """Use what another run made, and record that the active run did; see :meth:`Run.use_artifact`."""
    return run_to_log_to().use_artifact(address, name, role)


def log_model(
    model: object,
    name: str = "model",
    signature: object = None,
    input_example: object = None,
    registered_model_name: str | None = None,
    *,
    step: int | None = None,
    params: Mapping[str, object] | None = None,
    tags: Mapping[str, object] | None = None,
) -> LoggedModel | None:
    """Keep a trained model with the active run; see :meth:`Run.log_model`."""
    return run_to_log_to().log_model(
        model, name, signature, input_example, registered_model_name, step=step, params=params, tags=tags
    )
