"""The frozen records of the format: what a run, a series, an event and their parts hold.

Times are integers, milliseconds since the epoch, UTC. Records are what readers get; only
:class:`gittrack.api.run.Run` writes. The bytes each becomes are in ``docs/format.md``.
"""

from __future__ import annotations

import dataclasses
import datetime
import re
from array import array
from collections.abc import Mapping
from dataclasses import field
from enum import Enum
from typing import Any

from gittrack.core.ids import EventId, ExperimentId, ModelId, ObjectId, RunId
from gittrack.frozen import dataclass

FORMAT_VERSION = 1
"""Version of run trees, events and ledgers. A reader refuses a higher one before it reads anything else."""

ARTIFACT_DIGEST = re.compile(r"md5:[0-9a-f]{32}(?:\.dir)?")
"""What an artifact's digest looks like; ``.dir`` is DVC's mark of a folder's list."""

Scalar = str | int | float | bool | datetime.datetime | datetime.date | datetime.time
ParamValue = Scalar | None | list[Any] | dict[str, Any]
"""What a param can be. Lists hold scalars, lists and dicts; a dict only when empty or inside a list."""


_STATUS = re.compile("[a-z]{1,20}")


class RunStatus(str, Enum):
    """Where a run stands. Everything but ``running`` is an end.

    A status of a later version, ``[a-z]{1,20}``, is read as a member that is not listed, equal to another of its text.
    """

    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    KILLED = "killed"
    CRASHED = "crashed"
    PRUNED = "pruned"
    ABANDONED = "abandoned"

    @classmethod
    def _missing_(cls, value: object) -> RunStatus | None:
        if not isinstance(value, str) or not _STATUS.fullmatch(value):
            return None
        status = str.__new__(cls, value)
        status._name_, status._value_ = value.upper(), value
        return status

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True)
class Person:
    """Who did something, as git knows people."""

    name: str
    email: str


GITTRACK = Person("gittrack", "gittrack@localhost")
"""The author of commits that must be the same whoever makes them: snapshots, and the code that nobody knows."""


@dataclass(frozen=True, slots=True)
class Writer:
    """Who appends to ledgers: a stable slug, and the person."""

    slug: str
    person: Person


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file of the work tree that the code snapshot does not hold, and why (``size``, ``total``, ``secret``, …)."""

    path: str
    reason: str
    size: int = 0


@dataclass(frozen=True, slots=True)
class SubmoduleState:
    """A submodule as the run saw it: never entered, only its commit and whether it had changes."""

    path: str
    commit: str
    dirty: bool


@dataclass(frozen=True, slots=True)
class CodeState:
    """The code a run ran.

    Attributes:
        commit: the run commit's first parent: HEAD, a snapshot on top of it, a root snapshot, or None when unknown.
        head: HEAD when the run started; None when unborn.
        branch: short branch name; None when detached.
        dirty: whether the work tree differed from HEAD.
        remote: URL of the branch's remote, without user info and query.
        directory: where in the work tree the process stood, ``""`` for its root.
        left_out: files the snapshot does not hold.
        submodules: their commits and dirty flags.
        reason: why the code is unknown; empty otherwise.
    """

    commit: ObjectId | None
    head: ObjectId | None = None
    branch: str | None = None
    dirty: bool = False
    remote: str | None = None
    directory: str = ""
    left_out: tuple[LeftOut, ...] = ()
    submodules: tuple[SubmoduleState, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ExperimentRef:
    """The experiment a run belongs to: its id, and the name the run knew."""

    id: ExperimentId
    name: str


@dataclass(frozen=True, slots=True)
class MetricSummary:
    """One metric in seven numbers.

    ``last`` is the value at the highest (step, timestamp, value), NaN below every number; ``min``, ``max`` and
    ``mean`` leave NaN out and are NaN when nothing else was logged.
    """

    last: float
    min: float
    max: float
    mean: float
    count: int
    first_step: int
    last_step: int


@dataclasses.dataclass(slots=True)
class Series:
    """One metric's points in logged order, as columns of equal length.

    Attributes:
        steps: int64 (``array('q')``).
        timestamps: ms since the epoch (``array('q')``).
        values: float64 (``array('d')``).
        models, data: for each point the logged model and the data set it is about, or empty when no point has one.
    """

    steps: array[int] = field(default_factory=lambda: array("q"))
    timestamps: array[int] = field(default_factory=lambda: array("q"))
    values: array[float] = field(default_factory=lambda: array("d"))
    models: list[str] = field(default_factory=list)
    data: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.steps)


@dataclass(frozen=True, slots=True)
class Input:
    """Data or a model that a run read. The triple (name, role, digest) is unique within a run.

    Attributes:
        name: how the run calls it.
        role: ``train``, ``validation``, ``test``, ``model`` or anything else.
        uri: path in the repository or URI, without credentials.
        digest: ``<algorithm>:<hex>``, or ``""`` when unknown.
        source: where the digest came from: ``computed``, ``.dvc``, ``dvc.lock``, ``given``, ``run``, ``none``.
        size: bytes, or None when unknown.
        schema: column name -> type name, possibly empty.
        state: whether the file was what the digest says when the run began: ``verified``, ``modified``, ``missing``,
            ``unverified``; ``""`` when nobody asked.
    """

    name: str
    role: str
    uri: str
    digest: str = ""
    source: str = "none"
    size: int | None = None
    schema: Mapping[str, str] = field(default_factory=dict)
    state: str = ""


@dataclass(frozen=True, slots=True)
class ArtifactEntry:
    """One line of ``artifacts.toml``.

    Attributes:
        path: the name the user gave, ``/`` between parts.
        size: bytes, of a folder those of all its files; None when unknown (references only).
        digest: ``md5:<32 hex>``, what DVC stores bytes under; ``md5:<32 hex>.dir`` of a folder. Of a reference any
            ``<algorithm>:<value>`` (``etag:…`` too), or ``""``.
        media_type: guessed from the name.
        storage: ``inline`` (a blob in the run's tree), ``pointer`` (a ``.dvc`` file) or ``reference`` (elsewhere).
        files: how many files a folder has, None for a file.
        uri: where a reference points, without credentials.
    """

    path: str
    size: int | None
    digest: str
    media_type: str
    storage: str = "inline"
    files: int | None = None
    uri: str = ""

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder, kept whole."""
        return self.digest.endswith(".dir")


@dataclass(frozen=True, slots=True)
class LoggedModel:
    """A model that a run logged.

    Attributes:
        id: ``m-`` and 32 hex digits.
        name: how the run calls it; several may have one name, the last of them is meant.
        flavour: what kind it is, by MLflow's names: ``sklearn``, ``pytorch``, ``python_function``, …
        packaging: who wrote its files: ``mlflow`` or ``gittrack``; ``""`` when there are none yet.
        status: ``ready``, ``pending`` (its files are not there yet) or ``failed``.
        artifact: the path of its folder among the run's artifacts, or ``""``.
        digest: what that folder's digest was when the model was logged, or ``""``.
        created: ms since the epoch.
        step: of the training, or None.
        signature: ``inputs``, ``outputs`` and ``params``, each a list of tables as in MLflow's schemas; possibly empty.
        register_as: the registered model that it is to become a version of, or ``""``.
        params, tags: what was said of this model alone.
    """

    id: ModelId
    name: str
    flavour: str
    packaging: str = ""
    status: str = "ready"
    artifact: str = ""
    digest: str = ""
    created: int = 0
    step: int | None = None
    signature: Mapping[str, Any] = field(default_factory=dict)
    register_as: str = ""
    params: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run as its tree states it, events not folded in.

    ``metrics`` maps names to summaries; the series themselves are read when asked for. ``environment`` maps file
    names under ``environment/`` to their bytes; ``extra`` keeps what a newer writer put into ``run.toml``.
    """

    id: RunId
    name: str
    experiment: ExperimentRef
    status: RunStatus
    start_time: int
    end_time: int | None
    author: Person
    code: CodeState
    host: str = ""
    command: tuple[str, ...] = ()
    entry: str = ""
    exit_code: int | None = None
    error: str = ""
    parent: RunId | None = None
    kind: str = "run"
    note: str = ""
    seeds: Mapping[str, int] = field(default_factory=dict)
    params: Mapping[str, ParamValue] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, MetricSummary] = field(default_factory=dict)
    inputs: tuple[Input, ...] = ()
    artifacts: tuple[ArtifactEntry, ...] = ()
    models: tuple[LoggedModel, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Subject:
    """What an event is about: ``run:<id>``, ``experiment:<id>``, ``model:<name>``, ``version:<id>``, ``logged:m-…``."""

    kind: str
    key: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.key}"


@dataclass(frozen=True, slots=True)
class Event:
    """One append-only fact about a subject.

    Attributes:
        kind: ``tag``, ``name``, ``note``, ``lifecycle``, ``comment``, ``approval``, or one this version does not know.
        key: the tag's key; ``""`` for kinds that are one scalar per subject.
        value: the new value; None removes it.
        replaces: ids of the events (or ``body``) whose value for this key the writer saw.
    """

    id: EventId
    kind: str
    subject: Subject
    time: int
    author: Person
    writer: str
    key: str = ""
    value: str | None = None
    replaces: tuple[str, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)
