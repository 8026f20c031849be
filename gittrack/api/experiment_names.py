"""What the names of experiments mean now.

``experiments.json`` beside git keeps which names renames have moved, so that starting a run reads one small file; it is
derived, and made anew when it is missing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from gittrack.api.project import Project
from gittrack.core.ids import ExperimentId, experiment_id
from gittrack.core.records import Event, ExperimentRef
from gittrack.errors import StorageError
from gittrack.git.failures import disk_hint
from gittrack.store.locks import exclusive

if TYPE_CHECKING:
    from gittrack.store.catalog import Catalog


def resolve_experiment(project: Project, name: str) -> ExperimentRef:
    """The experiment that a name means now; a new one when nobody has that name.

    Args:
        project: where.
        name: a checked name.
    """
    moved = _moved_names(project)
    if name in moved.now:
        return ExperimentRef(moved.now[name], name)
    plain = experiment_id(name)
    if plain not in moved.renamed:
        return ExperimentRef(plain, name)
    # The name was given up by a rename: using it again means another experiment (and maybe that one was renamed too).
    identity = plain
    while identity in moved.renamed:
        identity = experiment_id(name, identity)
    return ExperimentRef(identity, name)


class _Moved(NamedTuple):
    """Present name -> experiment, for those that were ever renamed; and these experiments."""

    now: Mapping[str, ExperimentId]
    renamed: frozenset[ExperimentId]


def _moved_names(project: Project) -> _Moved:
    try:
        data = json.loads(project.layout.experiment_names.read_bytes())
        now = {str(name): ExperimentId(id) for name, id in data["now"].items()}
    except (OSError, ValueError, KeyError, AttributeError):  # never made, deleted, damaged or unreadable
        now = remember_names(project)
    return _Moved(now, frozenset(now.values()))


def remember_names(project: Project) -> dict[str, ExperimentId]:
    """Derive the names that renames have moved, and keep them for the next run's start.

    One process at a time reads the events and writes the file: of two who rename at once, the second to write has read
    the events of both.

    Raises:
        StorageError: the git directory cannot be written.
    """
    path = project.layout.experiment_names
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with exclusive(path.with_suffix(".lock")):
            names = _derived_names(project)
            temporary = path.with_suffix(f".{os.urandom(8).hex()}")
            temporary.write_text(json.dumps({"now": names}, sort_keys=True))
            os.replace(temporary, path)
    except OSError as error:
        raise StorageError(f"cannot write '{path}': {error.strerror}", hint=disk_hint(error, path.parent)) from error
    return names


def _derived_names(project: Project) -> dict[str, ExperimentId]:
    from gittrack.core.events import fold
    from gittrack.store.catalog import read_catalog

    names: dict[str, ExperimentId] = {}
    for id, events in experiment_events(read_catalog(project.repo)).items():
        name = fold({}, events).value("name")
        if name is not None:
            names[name] = min(names.get(name, id), id)
    return names


def experiment_events(catalog: Catalog) -> dict[ExperimentId, list[Event]]:
    """The events of each experiment."""
    result: dict[ExperimentId, list[Event]] = {}
    for event in catalog.events.values():
        if event.subject.kind == "experiment":
            result.setdefault(ExperimentId(event.subject.key), []).append(event)
    return result
