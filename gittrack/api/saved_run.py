"""A run as readers get it: frozen, what its commit says with its events folded in."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from gittrack.api.project import Project
from gittrack.core.events import Folded
from gittrack.core.ids import ObjectId, RunId
from gittrack.core.message import headline
from gittrack.core.names import display
from gittrack.core.records import ArtifactEntry, Input, LoggedModel, RunRecord, RunStatus, Series
from gittrack.core.sparkline import format_number
from gittrack.errors import NotFoundError
from gittrack.frozen import dataclass

if TYPE_CHECKING:
    import pandas

    from gittrack.api.saved_artifacts import SavedArtifacts
    from gittrack.core.curves import By


@dataclass(frozen=True, slots=True)
class SavedRun:
    """A run as it is now: what its commit says, with its events folded in. Readers get nothing that can write.

    Attributes:
        record: the facts; name, note, tags and the experiment's name are the present ones. In a list of runs it holds
            what a list needs: no command, seeds, inputs, artifacts; ``get_run(run.id)`` has them.
        commit: the run commit; None while the run is live.
        state: the folded events.
        trends: metric -> at most 16 of its values, for a sparkline.
        conflicts: other commits of the same run id that neither replaces.
        problem: why a live run cannot be finished; empty otherwise.
        seen: of a run that goes on elsewhere, when the checkpoint was made that tells of it, ms since the epoch by the
            clock there; None for all others.
        checkpoint: that commit; None for all others.
    """

    record: RunRecord
    commit: ObjectId | None
    state: Folded = field(default_factory=Folded, repr=False)
    trends: dict[str, Sequence[float]] = field(default_factory=dict, repr=False)
    conflicts: tuple[ObjectId, ...] = ()
    problem: str = ""
    seen: int | None = None
    checkpoint: ObjectId | None = None
    _project: Project | None = field(default=None, repr=False, compare=False)
    _live: dict[str, Series] = field(default_factory=dict, repr=False, compare=False)
    _partial: bool = field(default=False, repr=False, compare=False)

    @property
    def id(self) -> RunId:
        """32 hex digits."""
        return self.record.id

    @property
    def name(self) -> str:
        """The present name."""
        return self.record.name

    @property
    def status(self) -> RunStatus:
        """How it stands."""
        return self.record.status

    @property
    def params(self) -> dict[str, Any]:
        """Params by dotted name."""
        exact = not self._partial or all(map(_is_exact, self.record.params.values()))
        return dict(self.record.params if exact else self._whole().params)

    def _whole(self) -> RunRecord:
        """The record with what a list leaves out."""
        if not self._partial or self.commit is None or self._project is None:
            return self.record
        from gittrack.store.run_reader import read_record

        return read_record(self._project.repo, self.commit)

    @property
    def experiment(self) -> str:
        """The present name of its experiment."""
        return self.record.experiment.name

    @property
    def start_time(self) -> int:
        """When it began, in milliseconds since the epoch."""
        return self.record.start_time

    @property
    def end_time(self) -> int | None:
        """When it ended, in milliseconds since the epoch; None while it goes on."""
        return self.record.end_time

    @property
    def duration(self) -> int | None:
        """How long it lasted, in milliseconds; of a run that goes on, until now."""
        end = self.record.end_time
        if end is None:
            if self._project is None:
                return None
            end = self._project.now()
        return max(end - self.record.start_time, 0)

    @property
    def author(self) -> str:
        """The name of whoever ran it, as git knows them."""
        return self.record.author.name

    @property
    def parent(self) -> RunId | None:
        """The run it is a child of."""
        return self.record.parent

    def artifacts(self) -> tuple[ArtifactEntry, ...]:
        """Its artifacts, sorted by path: path, size, digest, how each is stored."""
        return tuple(sorted(self._whole().artifacts, key=lambda entry: entry.path))

    def inputs(self) -> tuple[Input, ...]:
        """The data and models that it read: name, role, URI, digest, size in bytes, state of each."""
        return self._whole().inputs

    def models(self) -> tuple[LoggedModel, ...]:
        """The models it logged, in the order of their time: name, flavour, signature, where each is kept."""
        return tuple(sorted(self._whole().models, key=lambda model: (model.created, model.id)))

    @property
    def metrics(self) -> dict[str, float]:
        """The last value of each metric."""
        return {name: summary.last for name, summary in self.record.metrics.items()}

    @property
    def tags(self) -> dict[str, str]:
        """The present tags."""
        return dict(self.record.tags)

    @property
    def note(self) -> str:
        """The present note."""
        return self.record.note

    @property
    def deleted(self) -> bool:
        """Whether it is deleted and not restored."""
        return self.state.deleted

    @property
    def code(self) -> ObjectId | None:
        """The commit of the code that ran."""
        return self.record.code.commit

    def history(self, metric: str) -> Series:
        """A metric's points in logged order.

        Raises:
            NotFoundError: the run has no such metric.
        """
        if metric not in self.record.metrics:
            raise NotFoundError(f"run '{self.name}' has no metric '{metric}'", hint=f"gittrack show {self.id[:8]}")
        commit = self.commit or self.checkpoint
        if commit is None or self._project is None:
            return self._live[metric]
        from gittrack.store.run_reader import read_series

        return read_series(self._project.repo, commit, self.record, metric)

    def frame(self, metric: str) -> pandas.DataFrame:
        """A metric's points as a pandas DataFrame with columns step, timestamp, value."""
        import pandas

        series = self.history(metric)
        return pandas.DataFrame({"step": series.steps, "timestamp": series.timestamps, "value": series.values})

    def metric(self, name: str, *, by: By = "step", points: int | None = None) -> pandas.Series[float]:
        """A metric's points as a pandas Series, in the order of its index.

        Args:
            name: the metric.
            by: what the index is: ``"step"``, ``"time"`` (UTC) or ``"relative"`` (seconds since the run began).
            points: at most so many points, among them the extremes, a NaN where there is a gap and infinities; all of
                them when None.

        Raises:
            NotFoundError: the run has no such metric.
            InvalidValueError: ``by`` is none of the three, or ``points`` is less than 8.
            MissingDependencyError: pandas is not installed.

        Example:
            >>> gittrack.get_run("@latest").metric("loss").min()  # doctest: +SKIP
            0.25
        """
        from gittrack.api.histories import metric_series

        return metric_series(self, name, by=by, points=points)

    def artifact(self, path: str, *, fetch: bool = True) -> bytes:
        """The bytes of one of its artifacts. Arguments and errors as for :meth:`open`.

        Args:
            path: which.
            fetch: fetch the bytes when they are not here.
        """
        return self._files(fetch).read(path)

    def open(self, path: str, *, fetch: bool = True) -> BinaryIO:
        """One file of its artifacts, open for reading, its hash checked.

        Args:
            path: which.
            fetch: fetch the bytes when they are not here: from the remote, or from where a reference points. Off
                everywhere with the setting ``offline``.

        Raises:
            ArtifactNotFoundError: it has none of that path, or the bytes are not here and cannot be fetched.
            AuthenticationError: where they are wants other credentials.
            CorruptRecordError: the bytes are not those that were logged.
            RemoteError: where they are cannot be reached.

        Example:
            >>> with gittrack.get_run("@latest").open("model/weights.bin") as file:  # doctest: +SKIP
            ...     weights = file.read()
        """
        return self._files(fetch).open(path)

    def download(
        self, path: str = "", dest: str | os.PathLike[str] = ".", *, overwrite: bool = False, fetch: bool = True
    ) -> Path:
        """Copy an artifact, or a file or folder within one; every byte is checked.

        Args:
            path: which; all of them when empty.
            dest: the folder to copy into, made when it is missing; the artifact keeps its base name there.
            overwrite: replace files that are there already.
            fetch: as for :meth:`open`.

        Returns:
            The copy.

        Raises:
            ArtifactNotFoundError: it has none of that path, or the bytes are not here and cannot be fetched.
            AuthenticationError: where they are wants other credentials.
            ConflictError: a file is there already; nothing was copied.
            CorruptRecordError: the bytes are not those that were logged.
            RemoteError: where they are cannot be reached.
            StorageError: ``dest`` cannot be written.
        """
        return self._files(fetch).download(path, Path(dest), overwrite=overwrite)

    def _files(self, fetch: bool = False) -> SavedArtifacts:
        from gittrack.api.saved_artifacts import SavedArtifacts

        if self._project is None:
            raise NotFoundError(f"run '{self.name}' is of no repository", hint="gittrack.get_run(run.id)")
        return SavedArtifacts(self._project, replace(self, record=self._whole()), fetch=fetch)

    def file(self, path: str) -> bytes | None:
        """The bytes of a file of the run's tree (``run.toml``, ``logs/output.txt``, …), or None."""
        commit = self.commit or self.checkpoint
        if commit is None or self._project is None:
            return None
        return self._project.repo.objects.read_file(commit, path)

    def __repr__(self) -> str:
        return f"SavedRun(id={self.id!r}, name={display(self.name)!r}, status={self.status.value!r})"

    def _repr_html_(self) -> str:
        from html import escape

        cells = [(name, format_number(self.metrics[name])) for name in headline(self.metrics, 20)]
        cells += [(name, str(value)) for name, value in sorted(self.params.items())]
        rows = "".join(f"<tr><th>{escape(display(a))}</th><td>{escape(display(b))}</td></tr>" for a, b in cells)
        title = f"<b>{escape(display(self.name))}</b> <code>{self.id[:8]}</code> {self.status.value}"
        return f"{title} ({escape(display(self.record.experiment.name))})<table>{rows}</table>"


def _is_exact(value: Any) -> bool:
    """Whether a list tells a param as it is: JSON has no NaN, no infinities and no dates, they are texts there."""
    if isinstance(value, str):
        return value not in ("nan", "inf", "-inf") and not value[:1].isdigit()
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return all(map(_is_exact, inner))
