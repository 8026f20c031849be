"""Lineage: which data made a run, what it made, and who used that; asked for by a run, a file or a hash."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from gittrack.core.lineage import (
    Edge,
    Graph,
    Lineage,
    RunFacts,
    artifact_node,
    data_node,
    digests_of,
    run_node,
)
from gittrack.core.names import display
from gittrack.core.records import ARTIFACT_DIGEST, ArtifactEntry, Input
from gittrack.errors import AmbiguousError, GittrackError, InvalidNameError, NotFoundError, UsageError
from gittrack.frozen import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable

    from gittrack.api.project import Project
    from gittrack.api.saved_run import SavedRun

T = TypeVar("T", Input, ArtifactEntry)
_DIGEST = re.compile(r"(?:([a-z0-9-]{1,40}):)?([0-9a-f]{6,128}(?:\.dir)?)")


@dataclass(frozen=True, slots=True)
class KnownRuns:
    """What all runs say of what they read and made, and what could not be read."""

    facts: Sequence[RunFacts]
    problems: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody asked for: nodes, the edges that lead to them from what runs name, and what nodes are called."""

    roots: tuple[str, ...]
    links: tuple[Edge, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)


def lineage(
    target: str,
    *,
    up: bool = True,
    down: bool = True,
    depth: int | None = None,
    repo: str | os.PathLike[str] | None = None,
) -> Lineage:
    """Which data made something, and what came of it.

    Args:
        target: a run (id, prefix, name, ``@latest``), an artifact ``RUN:path``, a model
            ``RUN:name``, a file or folder, a URI, or a hash.
        up: what it came of.
        down: what came of it.
        depth: steps to go in each direction; None: as far as it goes.
        repo: a directory in the repository; the working directory when None.

    Returns:
        Nodes and edges; ``roots`` are what was asked for.

    Raises:
        NotFoundError: no run knows of such a thing.
        AmbiguousError: several runs or hashes.
        NotARepositoryError: there is no repository.

    Example:
        >>> [node.label for node in gittrack.lineage("@latest", down=False).nodes.values()]  # doctest: +SKIP
        ['brisk-otter-417', 'data/train.csv']
    """
    from gittrack.api.read import _recovered

    if not isinstance(target, str | os.PathLike):
        raise UsageError(f"a {type(target).__name__} has no lineage", hint="gittrack.lineage('@latest')")
    return find_lineage(_recovered(repo), os.fspath(target), up=up, down=down, depth=depth)[0]


def find_lineage(
    project: Project, target: str, *, up: bool, down: bool, depth: int | None = None
) -> tuple[Lineage, Sequence[tuple[str, str]]]:
    """As :func:`lineage`; with it, the runs that could not be read, and why."""
    if depth is not None and depth < 1:
        raise UsageError(f"a depth of {depth} shows nothing", hint="--depth 1")
    known = read_facts(project)
    asked = _asked(project, known.facts, target)
    graph = Graph(known.facts, asked.links, asked.labels)
    return graph.select(asked.roots, up=up, down=down, depth=depth), known.problems


def read_facts(project: Project) -> KnownRuns:
    """What every run, deleted and live ones included, says of what it read and made."""
    from gittrack.api.read import all_runs

    runs, problems = all_runs(project)
    reader = _Reader(project)
    facts, failed = [], [(problem.where, problem.reason) for problem in problems]
    for run in runs.values():
        try:
            facts.append(reader.facts(run))
        except GittrackError as error:
            failed.append((f"run {run.id}", error.message))
    return KnownRuns(facts, failed)


class _Reader:
    """Reads inputs and artifacts of runs; what many runs say in the same words is decoded once."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._inputs: dict[bytes, tuple[Input, ...]] = {}
        self._artifacts: dict[bytes, tuple[ArtifactEntry, ...]] = {}

    def facts(self, run: SavedRun) -> RunFacts:
        from gittrack.core.run_tree import ARTIFACTS_FILE, INPUTS_FILE, decode_artifacts, decode_inputs
        from gittrack.store.run_reader import SMALL_FILE

        inputs, artifacts = run.record.inputs, run.record.artifacts
        if run.commit is not None:
            read = partial(self._project.repo.objects.read_file, run.commit, limit=SMALL_FILE)
            inputs = _decoded(read(INPUTS_FILE), decode_inputs, self._inputs)
            artifacts = _decoded(read(ARTIFACTS_FILE), decode_artifacts, self._artifacts)
        record = run.record
        return RunFacts(run.id, run.name, run.status.value, record.start_time, inputs, artifacts, run.deleted)


def _decoded(
    data: bytes | None, decode: Callable[[bytes], tuple[T, ...]], known: dict[bytes, tuple[T, ...]]
) -> tuple[T, ...]:
    if data is None:
        return ()
    if data not in known:
        known[data] = decode(data)
    return known[data]


def _asked(project: Project, facts: Sequence[RunFacts], target: str) -> Asked:
    """The nodes that a text means: a URI, a run, an artifact, a file, a hash, in this order."""
    if not target:
        raise NotFoundError("nothing is named", hint="gittrack lineage @latest")
    found = _by_uri(facts, target) or _by_run(project, target) or _by_artifact(project, facts, target)
    found = found or _by_digest(project, facts, target, whole=True) or _by_path(project, facts, target)
    found = found or _by_digest(project, facts, target, whole=False)
    if found is None:
        text = f"'{display(target, 80)}' is neither a run nor a file nor a hash that a run knows"
        raise NotFoundError(text, hint="gittrack ls")
    return found


def _by_uri(facts: Sequence[RunFacts], target: str) -> Asked | None:
    if "://" not in target:
        return None
    from gittrack.core.redact import redact_url

    uri = redact_url(target)
    nodes = {data_node(item.digest, item.uri) for run in facts for item in run.inputs if item.uri == uri}
    if nodes:
        return Asked(tuple(sorted(nodes)))
    raise NotFoundError(f"no run read '{display(uri, 80)}'", hint="gittrack ls")


def _by_run(project: Project, target: str) -> Asked | None:
    from gittrack.api.read import find_run

    try:
        return Asked((run_node(find_run(project, target).id),))
    except AmbiguousError:
        if not os.path.lexists(target):
            raise
    except (NotFoundError, InvalidNameError):
        pass
    return None


def _by_artifact(project: Project, facts: Sequence[RunFacts], target: str) -> Asked | None:
    from gittrack.api.read import find_run
    from gittrack.api.saved_artifacts import model_folder
    from gittrack.api.used_artifacts import split_address

    parts = split_address(target)
    run = None if parts is None else _by_run(project, parts[0])
    if parts is None or run is None:
        return None
    id = run.roots[0].partition(":")[2]
    path = model_folder(find_run(project, id), parts[1]) or parts[1].strip("/")
    paths = [entry.path for each in facts if each.id == id for entry in each.artifacts]
    if path not in paths and not any(path.startswith(each + "/") or each.startswith(path + "/") for each in paths):
        raise NotFoundError(f"run {id[:8]} has no artifact '{display(path, 80)}'", hint=f"gittrack show {id[:8]}")
    return Asked((artifact_node(id, path),))


def _inside_folders(project: Project, facts: Sequence[RunFacts], digest: str) -> Asked | None:
    """A file that lies in folders that runs made or read, by its whole hash."""
    from gittrack.api.whence import find_origins

    if not ARTIFACT_DIGEST.fullmatch(digest):
        return None
    origins = find_origins(project, [digest], facts)
    node = data_node(digest)
    made = [Edge(artifact_node(each.run, f"{each.path}/{each.member}"), node) for each in origins.made if each.member]
    read = [Edge(node, data_node(each.input.digest), "in") for each in origins.read if each.member]
    return Asked((node,), tuple(dict.fromkeys(made + read))) if made or read else None


def _by_digest(project: Project, facts: Sequence[RunFacts], target: str, *, whole: bool) -> Asked | None:
    match = _DIGEST.fullmatch(target)
    if match is None or (whole and match[1] is None):
        return None
    algorithm, value = match[1], match[2]
    known = digests_of(facts)
    found = {each for each in known if _begins(each, algorithm, value)}
    found = {each for each in found if each.partition(":")[2] == value} or found
    if len(found) > 1:
        shown = sorted(found)
        text = f"'{display(target, 80)}' begins {len(found)} hashes"
        raise AmbiguousError(text, matches=shown, hint=f"gittrack lineage {shown[0]}")
    if found:
        digest = found.pop()
        return Asked((data_node(digest),), tuple(_uses(facts, digest)))
    inside = _inside_folders(project, facts, f"{algorithm or 'md5'}:{value}")
    if inside is not None:
        return inside
    if whole:
        raise NotFoundError(f"no run knows '{display(target, 80)}'", hint="gittrack ls")
    return None


def _uses(facts: Sequence[RunFacts], digest: str) -> Iterator[Edge]:
    """From some bytes to the runs that used them as the artifact of another run."""
    for run in facts:
        for item in run.inputs:
            if item.source == "run" and item.digest == digest:
                yield Edge(data_node(digest), run_node(run.id), item.role)


def _begins(digest: str, algorithm: str | None, value: str) -> bool:
    name, _, rest = digest.partition(":")
    return rest.startswith(value) and algorithm in (None, name)


def _by_path(project: Project, facts: Sequence[RunFacts], target: str) -> Asked | None:
    from gittrack.api.whence import find_origins, path_digests

    digests = path_digests(project, Path(target), facts)
    if not digests:
        return None
    origins = find_origins(project, digests, facts)
    node = data_node(digests[0])
    links = [
        Edge(artifact_node(made.run, f"{made.path}/{made.member}"), node) for made in origins.made if made.member
    ] + [Edge(node, data_node(read.input.digest), "in") for read in origins.read if read.member]
    links += [edge for digest in digests for edge in _uses(facts, digest)]
    nodes = [data_node(digest) for digest in digests if digest in digests_of(facts)]
    if not nodes and not links:
        raise _unknown_content(facts, target, project)
    return Asked(tuple(nodes) or (node,), tuple(dict.fromkeys(links)), {node: target})


def _unknown_content(facts: Sequence[RunFacts], target: str, project: Project) -> NotFoundError:
    place, top = Path(os.path.abspath(target)), project.repo.work_tree
    shown = place.relative_to(top).as_posix() if top is not None and place.is_relative_to(top) else place.as_posix()
    others = [item for run in facts for item in run.inputs if item.uri == shown and item.digest]
    text = f"no run made or read '{display(target, 80)}' as it is now"
    if others:
        return NotFoundError(f"{text}; other content of it was read", hint=f"gittrack lineage {others[-1].digest}")
    return NotFoundError(text, hint=f"gittrack.log_input({target!r})")
