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
    except (FileNotFoundError, ValueError, KeyError, AttributeError):  # never made, deleted or damaged
        from gittrack.store.catalog import read_catalog

        now = remember_names(project, read_catalog(project.repo))
    return _Moved(now, frozenset(now.values()))


def remember_names(project: Project, catalog: Catalog) -> dict[str, ExperimentId]:
    """Derive the names that renames have moved, and keep them for the next run's start.

    Raises:
        StorageError: the git directory cannot be written.
    """
    from gittrack.core.events import fold

    names: dict[str, ExperimentId] = {}
    for id, events in experiment_events(catalog).items():
        name = fold({}, events).value("name")
        if name is not None:
            names[name] = min(names.get(name, id), id)
    path = project.layout.experiment_names
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps({"now": names}, sort_keys=True))
        os.replace(temporary, path)
    except OSError as error:
        raise StorageError(f"cannot write '{path}': {error.strerror}", hint="gittrack doctor") from error
    return names


def experiment_events(catalog: Catalog) -> dict[ExperimentId, list[Event]]:
    """The events of each experiment."""
    result: dict[ExperimentId, list[Event]] = {}
    for event in catalog.events.values():
        if event.subject.kind == "experiment":
            result.setdefault(ExperimentId(event.subject.key), []).append(event)
    return result
