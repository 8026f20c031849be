"""The live handle: the one thing that writes to a run.

Logging appends to a memory-mapped journal: no git, no lock on a file, no network. A failure of logging never reaches
the training: it is said once on stderr, kept in the run's ``errors.log``, and the training goes on. With ``strict`` it
is raised instead.
"""

from __future__ import annotations

import os
import struct
import threading
from collections.abc import Callable, Collection, Mapping
from time import time, time_ns
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from gittrack.api.file_methods import TakesFiles, taken_patiently
from gittrack.api.kept import SUMMARY_BYTES, Room, checked_text, masked_name, param_size, text_size, without_secret
from gittrack.api.points import integer, keep_nothing, shown, timestamp_ms
from gittrack.core.ids import RunId
from gittrack.core.names import check_metric_name, check_param_name, check_run_name, check_tag_key, display
from gittrack.core.records import ParamValue, RunStatus
from gittrack.core.values import coerce_scalar, flatten_params, metric_value, same_value
from gittrack.errors import (
    GittrackError,
    InvalidNameError,
    InvalidValueError,
    ParamConflictError,
    UsageError,
    kind_of,
)

if TYPE_CHECKING:
    from gittrack.api.closing import Closing
    from gittrack.api.logged_files import LoggedFiles
    from gittrack.store.journal_file import JournalWriter

V = TypeVar("V")

_MILLISECONDS = range(-(1 << 63) // 1_000_000 + 1, (1 << 63) // 1_000_000)
"""Times that a journal can keep in nanoseconds: the years 1678 to 2262."""


class Run(TakesFiles):
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
        room: Room | None = None,
        given: Collection[str] = (),
    ) -> None:
        self.id = id
        self.name = name
        self.experiment = experiment
        super().__init__(writer, files, strict=strict)
        self._closing = closing
        self._steps: dict[str, int] = dict(known_steps or {})
        self._params: dict[str, ParamValue] = dict(known_params or {})
        self._tags: dict[str, str] = {}
        self._given = frozenset(given)
        self._room = Room() if room is None else room
        self._lock = threading.RLock()
        self._counting = threading.RLock()  # re-entered by a signal handler that ends the run
        self._pid = os.getpid()
        self._stop_requested = False
        self._entered = False
        self._point: Callable[[str, int, int, float], None] = keep_nothing if writer is None else writer.point

    def forked(self) -> None:
        """Told in a forked child: what it logs goes into a journal of its own."""
        self._lock, self._counting = threading.RLock(), threading.RLock()  # a thread that is gone may have held them
        super().forked()

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

    def log_param(self, key: str, value: V) -> V:
        """Set a param and return its value as it was given.

        Args:
            key: its name; dots make a hierarchy.
            value: any value; nested dicts, dataclasses and namespaces become dotted names. A later different value
                is kept with a warning; with ``strict`` it is an error. A password or key is kept as ``***``.

        Example:
            >>> run.log_param("lr", 3e-4)  # doctest: +SKIP
        """
        self._guarded("log_param", self._set_one, key, value)
        return value

    def log_params(self, params: object) -> None:
        """Set several params: a (nested) dict, an ``argparse.Namespace``, a dataclass, a pydantic model."""
        self._guarded("log_params", self._set_params, params)

    def _set_params(self, params: object) -> None:
        try:
            flat = flatten_params(params)
        except UsageError:
            if not isinstance(params, Mapping) or len(params) < 2 or self.strict:
                raise
            for key in params:  # one of them cannot be stored: the others can
                self._guarded("log_params", self._set_one, key, params[key])
            return
        for name, value in flat.items():
            self._guarded("log_params", self._set_param, name, value)

    def _set_one(self, key: object, value: object) -> None:
        if not isinstance(key, str):
            raise InvalidNameError(f"the name of a param must be a string, not {kind_of(key)}")
        self._set_params({key: value})

    def _set_param(self, name: str, value: ParamValue) -> None:
        name = self._kept_name("log_param", "a param", name, check_param_name(name))
        given, value = value, without_secret(name, value)
        if not same_value(given, value):
            self._note_error("log_param", f"param '{display(name, 60)}' holds a secret and is kept without it")
        with self._lock:
            if name in self._params:
                if same_value(self._params[name], value):
                    return
                before, after = display(repr(self._params[name]), 60), display(repr(value), 60)
                change = f"param '{display(name, 60)}' was {before}, is now {after}"
                if self.strict:
                    raise ParamConflictError(change, hint="log it under another name")
                if name in self._given:
                    stays = f"param '{display(name, 60)}' stays {before}, given on the command line"
                    self._note_error("log_param", stays)
                    return
                self._note_error("log_param", change)
            self._room.take("params.toml", param_size(name, value))
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
            if type(step) is int and type(value) is float and timestamp is None and key in self._steps:
                self._point(key, step, time_ns(), value)  # the ordinary case, by the shortest way
                self._steps[key] = step
            else:
                self._log_point(key, value, step, timestamp)
        except struct.error:
            self._failed("log_metric", InvalidValueError(f"step {shown(step)} does not fit into 64 bits"))
        except Exception as error:
            self._failed("log_metric", error)

    def _log_point(self, key: str, value: object, step: int | None, timestamp: int | None) -> None:
        number = metric_value(value)
        if key not in self._steps:
            key = self._kept_name("log_metric", "a metric", key, check_metric_name(key))
        if key not in self._steps:
            self._room.take("summary.toml", text_size(key) + SUMMARY_BYTES)
            self._steps[key] = -1
        if step is None:
            with self._counting:  # two threads that count one metric never take the same step
                self._steps[key] = at = self._steps[key] + 1
        else:
            at = step if type(step) is int else integer(step, "step")
        if timestamp is None:
            self._point(key, at, time_ns(), number)
        else:
            self._point_at(key, at, timestamp, number)
        if step is not None:
            self._steps[key] = at

    def _point_at(self, key: str, step: int, timestamp: object, value: float) -> None:
        """A point at a time of the caller's, which need not fit into nanoseconds."""
        moment = timestamp_ms(timestamp)
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
        moment = int(time() * 1000) if timestamp is None else timestamp
        for key, value in self._items("log_metrics", metrics):
            self.log_metric(key, value, step, moment)

    def _items(self, what: str, values: Mapping[str, object]) -> list[tuple[str, object]]:
        try:
            if not hasattr(values, "items"):
                raise InvalidValueError(f"{kind_of(values)} has no names and values")
            return [(key, value) for key, value in values.items()]
        except Exception as error:
            self._failed(what, error)
            return []

    # -- tags, note, name -----------------------------------------------------------------------------------------

    def set_tag(self, key: str, value: object) -> None:
        """Set a tag; its value becomes a string."""
        self._guarded("set_tag", self._set_tag, key, value)

    def set_tags(self, tags: Mapping[str, object]) -> None:
        """Set several tags."""
        if self._writer is not None:
            for key, value in self._items("set_tags", tags):
                self._guarded("set_tags", self._set_tag, key, value)

    def delete_tag(self, key: str) -> None:
        """Remove a tag; nothing happens when there is none of that key."""
        self._guarded("delete_tag", self._delete_tag, key)

    def _set_tag(self, key: str, value: object) -> None:
        key = self._kept_name("set_tag", "a tag", key, check_tag_key(key))
        text = checked_text("a tag", coerce_scalar(value))
        kept = without_secret(key, text)
        if kept != text:
            self._note_error("set_tag", f"tag '{display(key, 60)}' holds a secret and is kept without it")
        self._room.take("tags.toml", text_size(key) + text_size(kept))
        self._operation({"op": "tag", "key": key, "value": kept})
        self._tags[key] = kept

    def _delete_tag(self, key: str) -> None:
        self._operation({"op": "tag", "key": check_tag_key(key), "value": None})
        self._tags.pop(key, None)

    def set_note(self, text: str) -> None:
        """Set the run's note, replacing an earlier one."""
        self._guarded("set_note", self._set_note, text)

    def _set_note(self, text: object) -> None:
        given = checked_text("a note", text)
        kept = without_secret("", given)
        if kept != given:
            self._note_error("set_note", "the note holds a secret and is kept without it")
        self._operation({"op": "note", "value": kept})

    def rename(self, name: str) -> None:
        """Give the run another name."""

        def change() -> None:
            checked = self._kept_name("rename", "a run", name, check_run_name(name))
            self._operation({"op": "name", "value": checked})
            self.name = checked

        self._guarded("rename", change)

    def _kept_name(self, what: str, kind: str, given: str, kept: str) -> str:
        if kept != given:
            self._note_error(what, masked_name(kind, kept))
        return kept

    def seed(self, value: int) -> None:
        """Seed Python, NumPy, PyTorch and TensorFlow, as far as they are loaded, and record it.

        A silent run seeds too: all ranks of a distributed training do.

        Args:
            value: the seed, 0 to 2**32 - 1.
        """
        from gittrack.capture.seeds import set_seeds

        try:
            seeds = set_seeds(value)
            self._operation({"op": "seed", "seeds": seeds})
        except Exception as error:
            self._failed("seed", error)

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
        with taken_patiently(self._lock):
            if self._status is not RunStatus.RUNNING or os.getpid() != self._pid:
                return
            ended = self._end_status(status)
            if self._closing is not None:
                self._closing.stop_sampling()
            if self._files is not None:
                self._files.finish()
            self._status = ended
            self._point = keep_nothing if self.silent else self._refuse_point
            if self._closing is not None:
                try:
                    self._closing.close(self, error=error, exit_code=exit_code)
                except Exception as failure:
                    self._failed("end_run", failure)

    def _end_status(self, status: str) -> RunStatus:
        text = status.lower() if issubclass(type(status), str) else ""  # MLflow writes FINISHED
        ended = next((each for each in RunStatus if each.value == text), None)
        if ended not in (None, RunStatus.RUNNING, RunStatus.CRASHED):  # who can say so has not crashed
            return ended
        shown = display(str(coerce_scalar(status)), 60)
        self._failed("end_run", InvalidValueError(f"'{shown}' is not the status of an ended run"))
        return RunStatus.FAILED  # whatever was meant, success has a name that is known

    def __enter__(self) -> Self:
        self._entered = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        from gittrack.api.closing import status_of

        status, code = status_of(error)
        try:
            self.end(status, error=error, exit_code=code)
        except GittrackError as failure:  # strict
            if error is None:
                raise
            error.add_note(f"gittrack: the run could not be ended: {failure.message}")
