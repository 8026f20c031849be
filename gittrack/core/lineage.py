"""Which data made which run, which run made what, and who used it: a graph, walked from where somebody asks.

Nodes are of a kind: ``data`` (content known by its hash, or an address), ``run``, ``artifact``; later versions may have
more. An edge leads from what was there before to what came of it. Data and an artifact with the same bytes are one
thing: the artifact made the data, unless its run had read those bytes itself, or began after whoever read them.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from functools import cached_property

from gittrack.core.dvc_pointers import PROJECT_ROLE
from gittrack.core.ids import RunId
from gittrack.core.records import ArtifactEntry, Input
from gittrack.frozen import dataclass

DATA, RUN, ARTIFACT = "data", "run", "artifact"
_USED = re.compile(r"run:([0-9a-f]{32})/(.+)", re.DOTALL)
_NOTHING = frozenset(
    {
        "md5:d41d8cd98f00b204e9800998ecf8427e",
        "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "md5:d751713988987e9331980363e24189ce.dir",
    }
)
"""Digests of the empty file and the empty folder: that two of them are alike says nothing."""
_NO_CONTENT = ("version:", "etag:")
_FOREVER = 1 << 62


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What the graph needs to know of a run.

    Attributes:
        id, name, status: of the run.
        start_time: ms since the epoch.
        inputs, artifacts: what it read and made.
        deleted: whether it is deleted and not restored.
    """

    id: RunId
    name: str
    status: str
    start_time: int
    inputs: Sequence[Input] = ()
    artifacts: Sequence[ArtifactEntry] = ()
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class Node:
    """One thing in the graph.

    Attributes:
        id: unique: ``run:<id>``, ``artifact:<run id>/<path>``, ``data:<digest or address>``.
        kind: ``data``, ``run``, ``artifact``, or one of a later version.
        label: what people call it; it may hold anything.
        digest: of its content, or ``""``.
        run: id of the run, of an artifact the one that made it.
        status: of a run; ``""`` of one that is not in this clone.
        time: when a run began, ms since the epoch, or None.
        deleted: whether the run is deleted.
    """

    id: str
    kind: str
    label: str
    digest: str = ""
    run: str = ""
    status: str = ""
    time: int | None = None
    deleted: bool = False


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Edge:
    """``source`` was there before, ``target`` came of it.

    Attributes:
        source, target: ids of nodes.
        role: how a run read it (``train``, ``project``, …), ``""`` when that is not said.
        state: ``verified``, ``unverified``, …; ``""`` when nobody asked.
    """

    source: str
    target: str
    role: str = ""
    state: str = ""


@dataclass(frozen=True, slots=True)
class Lineage:
    """A part of the graph.

    Attributes:
        roots: ids of the nodes that were asked for.
        nodes: id -> node.
        edges: sorted; both ends are among the nodes.
    """

    roots: tuple[str, ...]
    nodes: Mapping[str, Node]
    edges: tuple[Edge, ...]

    def before(self, id: str) -> list[Edge]:
        """The edges that lead to a node."""
        return [edge for edge in self.edges if edge.target == id]

    def after(self, id: str) -> list[Edge]:
        """The edges that begin at a node."""
        return [edge for edge in self.edges if edge.source == id]


def run_node(id: str) -> str:
    """The id of a run's node."""
    return f"{RUN}:{id}"


def artifact_node(run: str, path: str) -> str:
    """The id of an artifact's node."""
    return f"{ARTIFACT}:{run}/{path}"


def data_node(digest: str, uri: str = "") -> str:
    """The id of the node of data: by its content; by its address where a digest says nothing of the content."""
    if is_content(digest):
        return f"{DATA}:{digest}"
    return f"{DATA}:{uri}@{digest}" if digest else f"{DATA}:{uri}"


def is_content(digest: str) -> bool:
    """Whether a digest tells bytes from others."""
    return bool(digest) and digest not in _NOTHING and not digest.startswith(_NO_CONTENT)


def was_read(item: Input) -> bool:
    """Whether a run can have read what an input names: not when other bytes, or none, lay in its place."""
    return item.state != "modified" and not (item.state == "missing" and item.role == PROJECT_ROLE)


def used_artifact(item: Input) -> tuple[RunId, str] | None:
    """The run and path of an input that is another run's artifact."""
    match = _USED.fullmatch(item.uri) if item.source == "run" else None
    return (RunId(match[1]), match[2]) if match else None


@dataclasses.dataclass(frozen=True)
class Graph:
    """All that runs say of what they read and made.

    Args:
        facts: every run.
        links: further edges between nodes, such as from a file to a folder that holds it.
        labels: what nodes are called that no run names, by id.
    """

    facts: Sequence[RunFacts]
    links: Sequence[Edge] = ()
    labels: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def runs(self) -> dict[str, RunFacts]:
        """Runs by id."""
        return {run.id: run for run in self.facts}

    @cached_property
    def _reads(self) -> dict[str, list[tuple[RunFacts, Input]]]:
        """Node -> the runs that read it."""
        found: dict[str, list[tuple[RunFacts, Input]]] = {}
        for run in self.facts:
            for item in run.inputs:
                if was_read(item):
                    found.setdefault(_node_of(run, item), []).append((run, item))
        return found

    @cached_property
    def _makers(self) -> dict[str, list[tuple[RunFacts, ArtifactEntry]]]:
        """Digest -> the artifacts with that content, of runs that had not read it themselves."""
        found: dict[str, list[tuple[RunFacts, ArtifactEntry]]] = {}
        for run in self.facts:
            own = {item.digest for item in run.inputs if item.source != "run"}
            for entry in run.artifacts:
                if is_content(entry.digest) and entry.digest not in own:
                    found.setdefault(entry.digest, []).append((run, entry))
        return found

    @cached_property
    def _used_paths(self) -> dict[str, set[str]]:
        """Run -> paths among its artifacts that other runs used."""
        found: dict[str, set[str]] = {}
        for node in self._reads:
            kind, _, rest = node.partition(":")
            if kind == ARTIFACT:
                run, _, path = rest.partition("/")
                found.setdefault(run, set()).add(path)
        return found

    def select(self, roots: Sequence[str], *, up: bool, down: bool, depth: int | None = None) -> Lineage:
        """The part of the graph around some nodes.

        Args:
            roots: ids of nodes; one that no run names is there by itself.
            up: what they came of.
            down: what came of them.
            depth: edges to go at most in each direction; None: as far as it goes.
        """
        edges: set[Edge] = set()
        for wanted, is_up in ((up, True), (down, False)):
            if wanted:
                self._walk(roots, is_up, depth, edges)
        named = {(edge.source, edge.target) for edge in edges if edge.role != PROJECT_ROLE}
        kept = sorted(edge for edge in edges if edge.role != PROJECT_ROLE or (edge.source, edge.target) not in named)
        ids = dict.fromkeys([*roots, *(end for edge in kept for end in (edge.source, edge.target))])
        return Lineage(tuple(roots), {id: self.node(id) for id in ids}, tuple(kept))

    def _walk(self, roots: Sequence[str], is_up: bool, depth: int | None, edges: set[Edge]) -> None:
        """Breadth first. Each node knows the latest (upwards) or earliest time at which it may have been read."""
        bounds = dict.fromkeys(roots, _FOREVER if is_up else -_FOREVER)
        level = list(roots)
        steps = 0
        while level and (depth is None or steps < depth):
            following: dict[str, None] = {}
            for id in level:
                for edge, time in self._before(id) if is_up else self._after(id):
                    bound = bounds[id]
                    if time is not None and (time > bound if is_up else time < bound):
                        continue  # made after it was read
                    edges.add(edge)
                    end = edge.source if is_up else edge.target
                    limit = bound if time is None else min(time, bound) if is_up else max(time, bound)
                    if end not in bounds or (limit > bounds[end] if is_up else limit < bounds[end]):
                        bounds[end] = limit
                        following[end] = None
            level = list(following)
            steps += 1

    def _before(self, id: str) -> Iterator[tuple[Edge, int | None]]:
        """The edges to a node, and when what it came of began."""
        yield from ((edge, None) for edge in self.links if edge.target == id)
        kind, _, rest = id.partition(":")
        if kind == RUN and rest in self.runs:
            run = self.runs[rest]
            for item in run.inputs:
                if was_read(item):
                    yield Edge(_node_of(run, item), id, item.role, item.state), run.start_time
        elif kind == ARTIFACT:
            maker = rest.partition("/")[0]
            yield Edge(run_node(maker), id), self.runs[maker].start_time if maker in self.runs else None
        elif kind == DATA:
            for run, entry in self._makers.get(rest, ()):
                yield Edge(artifact_node(run.id, entry.path), id), run.start_time

    def _after(self, id: str) -> Iterator[tuple[Edge, int | None]]:
        """The edges from a node, and when what came of it began."""
        yield from ((edge, None) for edge in self.links if edge.source == id)
        kind, _, rest = id.partition(":")
        for run, item in self._reads.get(id, ()):
            yield Edge(id, run_node(run.id), item.role, item.state), run.start_time
        if kind == RUN:
            entries = [entry.path for entry in self.runs[rest].artifacts] if rest in self.runs else []
            began = self.runs[rest].start_time if rest in self.runs else None
            for path in sorted({*entries, *self._used_paths.get(rest, ())}):
                yield Edge(id, artifact_node(rest, path)), began
        elif kind == ARTIFACT:
            yield from self._same_bytes(id, rest)

    def _same_bytes(self, id: str, rest: str) -> Iterator[tuple[Edge, int | None]]:
        maker, _, path = rest.partition("/")
        if maker not in self.runs:
            return
        for entry in self.runs[maker].artifacts:
            node = data_node(entry.digest)
            if entry.path == path and node in self._reads:
                makers = self._makers.get(entry.digest, ())
                if any(run.id == maker for run, _ in makers):
                    yield Edge(id, node), None

    def node(self, id: str) -> Node:
        """The node of an id."""
        kind, _, rest = id.partition(":")
        if kind == RUN:
            run = self.runs.get(rest)
            if run is None:
                return Node(id, RUN, rest[:8], run=rest)
            return Node(id, RUN, run.name, "", run.id, run.status, run.start_time, run.deleted)
        if kind == ARTIFACT:
            maker, _, path = rest.partition("/")
            digest = self._artifact_digest(id, maker, path)
            return Node(id, ARTIFACT, path, digest, maker)
        reads = self._reads.get(id)
        if reads:
            item = min(reads, key=lambda each: each[0].start_time)[1]
            return Node(id, DATA, item.name if item.uri.startswith("memory:") else item.uri, item.digest)
        return Node(id, DATA, self.labels.get(id, rest), rest)

    def _artifact_digest(self, id: str, maker: str, path: str) -> str:
        if maker in self.runs:
            for entry in self.runs[maker].artifacts:
                if entry.path == path:
                    return entry.digest
        return next((item.digest for _, item in self._reads.get(id, ())), "")


def _node_of(run: RunFacts, item: Input) -> str:
    """The node of something that a run read."""
    used = used_artifact(item)
    if used is not None:
        return artifact_node(*used)
    if not item.digest and (item.uri.startswith("memory:") or not item.uri):
        return data_node("", f"{run.id}/{item.name}")  # nothing tells it from that of another run
    return data_node(item.digest, item.uri)


def digests_of(facts: Sequence[RunFacts]) -> set[str]:
    """Every digest that a run names."""
    found = {item.digest for run in facts for item in run.inputs}
    for run in facts:
        found.update(entry.digest for entry in run.artifacts)
    return found - {""}
