"""The live handle: the one thing that writes to a run.

Logging appends to a memory-mapped journal: no git, no lock on a file, no network. A failure of logging never reaches
the training: it is said once on stderr, kept in the run's ``errors.log``, and the training goes on. With ``strict`` it
is raised instead.
"""

from __future__ import annotations

import os
import struct
import threading
from collections.abc import Callable, Mapping
from time import time, time_ns
from types import TracebackType
from typing import TYPE_CHECKING, Self

from gittrack.api.guarded import Guarded
from gittrack.core.ids import RunId
from gittrack.core.names import check_metric_name, check_param_name, check_run_name, check_tag_key, display
from gittrack.core.records import ParamValue, RunStatus
from gittrack.core.values import coerce_scalar, flatten_params, metric_value, same_value
from gittrack.errors import InvalidValueError, ParamConflictError

if TYPE_CHECKING:
    from gittrack.api.closing import Closing
    from gittrack.api.logged_files import LoggedFiles
    from gittrack.store.journal_file import JournalWriter

_INT64 = range(-(1 << 63), 1 << 63)
_MILLISECONDS = range(-(1 << 63) // 1_000_000 + 1, (1 << 63) // 1_000_000)
"""Times that a journal can keep in nanoseconds: the years 1678 to 2262."""


class Run(Guarded):
    """A run that is being written. Made by :func:`gittrack.start_run`.

    Every method may be called from any thread, and from forked processes. A silent run (``GITTRACK_DISABLED``, ranks
    other than 0, no repository) has the same methods and keeps nothing.

    Attributes:
        id: 32 hex digits.
        name: the label people see.
        experiment: name of its experiment.
        strict: whether failures of logging are raised.
    """

    def __init__(
        self,
        id: RunId,
        name: str,
        experiment: str,
        *,
        writer: JournalWriter | None,
        files: LoggedFiles | None = None,
        closing: Closing | None = None,
        strict: bool = False,
        known_steps: Mapping[str, int] | None = None,
        known_params: Mapping[str, ParamValue] | None = None,
    ) -> None:
        self.id = id
        self.name = name
        self.experiment = experiment
        super().__init__(writer, strict=strict)
        self._files = files
        self._closing = closing
        self._steps: dict[str, int] = dict(known_steps or {})
        self._params: dict[str, ParamValue] = dict(known_params or {})
        self._tags: dict[str, str] = {}
        self._lock = threading.RLock()
        self._pid = os.getpid()
        self._stop_requested = False
        self._entered = False
        self._point: Callable[[str, int, int, float], None] = _keep_nothing if writer is None else writer.point

    # -- what it is -----------------------------------------------------------------------------------------------

    @property
    def status(self) -> RunStatus:
        """``running`` until the run ended."""
        return self._status

    @property
    def active(self) -> bool:
        """Whether it still takes what is logged."""
        return self._status is RunStatus.RUNNING

    @property
    def silent(self) -> bool:
        """Whether nothing is kept."""
        return self._writer is None

    @property
    def params(self) -> dict[str, ParamValue]:
        """The params set so far."""
        return dict(self._params)

    @property
    def tags(self) -> dict[str, str]:
        """The tags set so far by this handle."""
        return dict(self._tags)

    def __repr__(self) -> str:
        return f"Run(id={self.id!r}, name={display(self.name)!r}, status={self._status.value!r})"

    def _repr_html_(self) -> str:
        from html import escape

        cells = ((escape(display(key)), escape(display(str(value)))) for key, value in self._params.items())
        rows = "".join(f"<tr><td>{key}</td><td>{value}</td></tr>" for key, value in cells)
        return (
            f"<b>{escape(display(self.name))}</b> <code>{self.id[:8]}</code> {self._status.value} "
            f"({escape(display(self.experiment))})<table>{rows}</table>"
        )

    # -- params ---------------------------------------------------------------------------------------------------

    def log_param(self, key: str, value: object) -> None:
        """Set a param.

        Args:
            key: its name; dots make a hierarchy.
            value: any value; nested dicts, dataclasses and namespaces become dotted names. A later different value
                is kept with a warning; with ``strict`` it is an error.

        Example:
            >>> run.log_param("lr", 3e-4)  # doctest: +SKIP
        """
        self.log_params({key: value})

    def log_params(self, params: object) -> None:
        """Set several params: a (nested) dict, an ``argparse.Namespace``, a dataclass, a pydantic model."""
        if self._writer is None:
            return
        try:
            for name, value in flatten_params(params).items():
                self._guarded("log_params", self._set_param, name, value)
        except Exception as error:
            self._failed("log_params", error)

    def _set_param(self, name: str, value: ParamValue) -> None:
        check_param_name(name)
        with self._lock:
            if name in self._params:
                if same_value(self._params[name], value):
                    return
                before, after = display(repr(self._params[name]), 60), display(repr(value), 60)
                change = f"param '{display(name, 60)}' was {before}, is now {after}"
                if self.strict:
                    raise ParamConflictError(change, hint="log it under another name")
                self._note_error("log_param", change)
            self._operation({"op": "param", "name": name, "value": value})
            self._params[name] = value

    # -- metrics --------------------------------------------------------------------------------------------------

    def log_metric(self, key: str, value: object, step: int | None = None, timestamp: int | None = None) -> None:
        """Add a point to a metric.

        Args:
            key: the metric's name, any UTF-8; ``/`` groups (``train/loss``).
            value: a number; NaN and infinities are kept.
            step: int64, may repeat or go back; one more than the last of this metric when None, from 0.
            timestamp: ms since the epoch; now when None.

        Example:
            >>> run.log_metric("loss", 0.25, step=3)  # doctest: +SKIP
        """
        try:
            number = value if type(value) is float else metric_value(value)
            last = self._steps.get(key)
            if last is None:
                check_metric_name(key)
            if step is None:
                step = 0 if last is None else last + 1
            if timestamp is None and type(step) is int:
                self._point(key, step, time_ns(), number)
            else:
                step = _integer(step, "step")
                self._point_at(key, step, timestamp, number)
            self._steps[key] = step
        except struct.error:
            self._failed("log_metric", InvalidValueError(f"step {str(step)[:30]} does not fit into 64 bits"))
        except Exception as error:
            self._failed("log_metric", error)

    def _point_at(self, key: str, step: int, timestamp: object, value: float) -> None:
        """A point at a time of the caller's, which need not fit into nanoseconds."""
        moment = int(time() * 1000) if timestamp is None else _timestamp(timestamp)
        if moment in _MILLISECONDS:
            self._point(key, step, moment * 1_000_000, value)
        else:
            point = {"op": "point", "name": key, "step": step, "time": moment, "value": value, "model": "", "data": ""}
            self._operation(point)

    def _refuse_point(self, name: str, step: int, time: int, value: float) -> None:
        raise self._has_ended()

    def log_metrics(self, metrics: Mapping[str, object], step: int | None = None, timestamp: int | None = None) -> None:
        """Add a point to each of several metrics, at one step and one time."""
        if self._writer is None:
            return
        try:
            moment = int(time() * 1000) if timestamp is None else timestamp
            items = list(metrics.items())
        except Exception as error:
            self._failed("log_metrics", error)
            return
        for key, value in items:
            self.log_metric(key, value, step, moment)

    # -- tags, note, name -----------------------------------------------------------------------------------------

    def set_tag(self, key: str, value: object) -> None:
        """Set a tag; its value becomes a string."""
        self._guarded("set_tag", self._set_tag, key, value)

    def set_tags(self, tags: Mapping[str, object]) -> None:
        """Set several tags."""
        for key, value in tags.items():
            self._guarded("set_tags", self._set_tag, key, value)

    def delete_tag(self, key: str) -> None:
        """Remove a tag."""
        self._guarded("delete_tag", self._set_tag, key, None)

    def _set_tag(self, key: str, value: object) -> None:
        check_tag_key(key)
        text = None if value is None else str(coerce_scalar(value))
        self._operation({"op": "tag", "key": key, "value": text})
        if text is None:
            self._tags.pop(key, None)
        else:
            self._tags[key] = text

    def set_note(self, text: str) -> None:
        """Set the run's note, replacing an earlier one."""
        self._guarded("set_note", self._operation, {"op": "note", "value": str(text)})

    def rename(self, name: str) -> None:
        """Give the run another name."""

        def change() -> None:
            checked = check_run_name(name)
            self._operation({"op": "name", "value": checked})
            self.name = checked

        self._guarded("rename", change)

    def seed(self, value: int) -> None:
        """Seed Python, NumPy, PyTorch and TensorFlow, as far as they are loaded, and record it.

        A silent run seeds too: all ranks of a distributed training do.

        Args:
            value: the seed, 0 to 2**32 - 1.
        """
        from gittrack.capture.seeds import set_seeds

        def change() -> None:
            seeds = set_seeds(value)
            if self._writer is not None:
                self._operation({"op": "seed", "seeds": seeds})

        try:
            change()
        except Exception as error:
            self._failed("seed", error)

    # -- files ----------------------------------------------------------------------------------------------------

    def log_artifact(self, path: str | os.PathLike[str], artifact_path: str | None = None) -> None:
        """Keep a file.

        Args:
            path: the file; a directory is kept with everything in it.
            artifact_path: folder within the run to put it in; its top when None.
        """
        self._file("log_artifact", lambda files: files.add_path(path, artifact_path))

    def log_artifacts(self, directory: str | os.PathLike[str], artifact_path: str | None = None) -> None:
        """Keep every file of a directory, under the names they have in it."""
        self._file("log_artifacts", lambda files: files.add_folder(directory, artifact_path))

    def log_text(self, text: str, artifact_file: str) -> None:
        """Keep a text as a file of the run."""
        self._file("log_text", lambda files: files.add_bytes(str(text).encode(), artifact_file))

    def log_dict(self, data: object, artifact_file: str) -> None:
        """Keep a dict (or list) as JSON, YAML or TOML, by the file's suffix; JSON for any other."""
        self._file("log_dict", lambda files: files.add_document(data, artifact_file))

    def log_figure(self, figure: object, artifact_file: str) -> None:
        """Keep a matplotlib or plotly figure, in the format of the file's suffix."""
        self._file("log_figure", lambda files: files.add_figure(figure, artifact_file))

    def log_image(self, image: object, artifact_file: str | None = None, *, key: str = "", step: int = 0) -> None:
        """Keep an image: PIL, or an array of shape (height, width) or (height, width, 1, 3 or 4), uint8 or 0..1.

        Args:
            image: the image.
            artifact_file: its file; ``images/<key>/<step>.png`` when None.
            key, step: what it shows, and when.
        """
        name = artifact_file or f"images/{key or 'image'}/{step}.png"
        self._file("log_image", lambda files: files.add_image(image, name))

    def log_table(self, table: object, artifact_file: str) -> None:
        """Keep a table (pandas, or a dict of equally long columns) as CSV, JSON or Parquet, by the file's suffix."""
        self._file("log_table", lambda files: files.add_table(table, artifact_file))

    def log_input(self, data: object, name: str | None = None, role: str = "", *, digest: str | None = None) -> None:
        """Record data that the run reads: a path, a URI, a DataFrame or an array.

        Args:
            data: what is read; a path inside the repository is kept relative to it.
            name: how the run calls it; made from the path when None.
            role: ``train``, ``validation``, ``test``, ``model``, …
            digest: ``<algorithm>:<hex>`` when known; else taken from a ``.dvc`` file or computed.
        """
        self._file("log_input", lambda files: files.add_input(data, name, role, digest))

    def _file(self, what: str, action: Callable[[LoggedFiles], None]) -> None:
        if self._files is not None:
            self._guarded(what, action, self._files)

    def log_output(self, data: bytes) -> None:
        """Append to the captured output of the run's program (``logs/output.txt``)."""
        self._guarded("log_output", self._operation, {"op": "log", "name": "output.txt"}, data)

    # -- the end --------------------------------------------------------------------------------------------------

    def should_stop(self) -> bool:
        """Whether training should end early: a pruner or ``request_stop`` asked for it."""
        return self._stop_requested

    def request_stop(self) -> None:
        """Make ``should_stop`` answer True; for callbacks, pruners and signal handlers."""
        self._stop_requested = True

    def end(
        self, status: str = "finished", *, error: BaseException | None = None, exit_code: int | None = None
    ) -> None:
        """End the run: commit it and publish it. A second call does nothing.

        Args:
            status: ``finished``, ``failed``, ``killed``, ``pruned`` or ``abandoned``.
            error: what ended it; its traceback is kept.
            exit_code: of the program, if it is known.
        """
        with self._lock:
            if self._status is not RunStatus.RUNNING or os.getpid() != self._pid:
                return
            try:
                ended = RunStatus(status)
                if ended is RunStatus.RUNNING:
                    raise ValueError
            except ValueError:
                self._failed("end_run", InvalidValueError(f"'{status}' is not the status of an ended run"))
                ended = RunStatus.FINISHED
            self._status = ended
            self._point = _keep_nothing if self.silent else self._refuse_point
            if self._closing is not None:
                try:
                    self._closing.close(self, error=error, exit_code=exit_code)
                except Exception as failure:
                    self._failed("end_run", failure)

    def __enter__(self) -> Self:
        self._entered = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        from gittrack.api.closing import status_of

        status, code = status_of(error)
        self.end(status, error=error, exit_code=code)


def _keep_nothing(name: str, step: int, time: int, value: float) -> None:
    """What a silent run does with a point."""


def _integer(value: object, what: str) -> int:
    from operator import index

    try:
        number = int(value) if isinstance(value, float) and value.is_integer() else index(value)  # type: ignore[arg-type]
    except TypeError as error:
        raise InvalidValueError(f"{what} is a {type(value).__name__}, not an integer") from error
    if number not in _INT64:
        raise InvalidValueError(f"{what} {str(number)[:30]} does not fit into 64 bits")
    return number


def _timestamp(value: object) -> int:
    from gittrack.core.run_toml import milliseconds

    return milliseconds(value) if hasattr(value, "tzinfo") else _integer(value, "timestamp")  # type: ignore[arg-type]
