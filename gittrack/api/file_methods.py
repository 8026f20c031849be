"""The part of a run that takes files, and the data that a run reads."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from sys import maxsize
from time import time
from typing import TYPE_CHECKING, Any

from gittrack.api.guarded import Guarded
from gittrack.core.records import RunStatus
from gittrack.errors import InvalidNameError

if TYPE_CHECKING:
    from gittrack.api.closing import Closing
    from gittrack.api.logged_files import LoggedFiles
    from gittrack.api.output_ends import OutputEnds
    from gittrack.core.redact_stream import OutputRedactor
    from gittrack.store.journal_file import JournalWriter

_PATIENCE_SECONDS = 1.0


class TakesFiles(Guarded):
    """The methods of a run that keep files.

    Args:
        writer: the journal; None for a silent run.
        files: what takes them; None for a silent run.
        strict: raise failures instead of keeping them in ``errors.log``.
    """

    _closing: Closing | None

    def __init__(self, writer: JournalWriter | None, files: LoggedFiles | None, *, strict: bool) -> None:
        super().__init__(writer, strict=strict)
        self._files = files
        self._output: OutputRedactor | None = None
        self._ends: OutputEnds | None = None
        self._output_lock = threading.RLock()  # re-entered by a signal handler that ends the run

    def forked(self) -> None:
        """Told in a forked child: it does not write the unfinished line and the end of output that its parent will."""
        self._output, self._ends, self._output_lock = None, None, threading.RLock()
        super().forked()

    def log_artifact(self, path: str | os.PathLike[str], artifact_path: str | None = None) -> None:
        """Keep a file.

        Args:
            path: the file; a directory is kept with everything in it.
            artifact_path: folder within the run to put it in; its top when None.
        """
        self._file("log_artifact", lambda files: files.add_path(path, artifact_path))

    def log_artifacts(self, directory: str | os.PathLike[str], artifact_path: str | None = None) -> None:
        """Keep every file of a directory, under the names they have in it.

        A link to a file is kept as the content of that file, wherever it lies; a link to a directory is not followed. A
        link that leads nowhere, or round in a circle, is left out with a warning.
        """
        self._file("log_artifacts", lambda files: files.add_folder(directory, artifact_path))

    def log_text(self, text: str, artifact_file: str) -> None:
        """Keep a text as a file of the run."""
        self._file("log_text", lambda files: files.add_text(text, artifact_file))

    def log_dict(self, data: object, artifact_file: str) -> None:
        """Keep a dict (or list) as JSON, YAML or TOML, by the file's suffix; JSON for any other."""
        self._file("log_dict", lambda files: files.add_document(data, artifact_file))

    def log_figure(self, figure: object, artifact_file: str) -> None:
        """Keep a matplotlib or plotly figure, in the format of the file's suffix."""
        self._file("log_figure", lambda files: files.add_figure(figure, artifact_file))

    def log_image(self, image: object, artifact_file: str | None = None, *, key: str = "", step: int = 0) -> None:
        """Keep an image: PIL, or an array of shape (height, width) or (height, width, 1 to 4), uint8 or 0..1.

        A shape of (channels, height, width), as PyTorch has it, is understood where it cannot be the other.

        Args:
            image: the image.
            artifact_file: its file; ``images/<key>/<step>.png`` when None.
            key, step: what it shows, and when.
        """
        self._file("log_image", lambda files: files.add_image(image, artifact_file or _image_name(key, step)))

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
        """Append to the captured output of the run's program (``logs/output.txt``), secrets masked.

        Of more than ``output_limit`` bytes in all the beginning and the end are kept, the end when the run ends. (Of a
        forked process, which ends no run, the beginning.)

        Args:
            data: whole lines, or pieces of them; an unfinished line is kept when its end comes, or the run's.
        """
        self._guarded("log_output", self._log_output, data)

    def _log_output(self, data: bytes) -> None:
        from gittrack.api.output_ends import PIECE

        given = bytes(data)
        with self._output_lock:
            for start in range(0, len(given), PIECE):
                if self._status is not RunStatus.RUNNING:
                    raise self._has_ended()
                # On a copy, which then takes its place: a signal handler that ends the run in the middle of this finds
                # the output as it was before.
                redactor, ends = self._output_state()
                kept = redactor.feed(given[start : start + PIECE])
                self._output = redactor
                ends.keep(kept)

    def _output_state(self) -> tuple[OutputRedactor, OutputEnds]:
        if self._output is not None and self._ends is not None:
            from copy import deepcopy

            return deepcopy(self._output), self._ends
        from gittrack.api.output_ends import OutputEnds
        from gittrack.core.redact_stream import OutputRedactor

        limit = maxsize if self._closing is None else self._closing.project.config.output_limit
        self._ends = OutputEnds(limit, self._write_output)
        return OutputRedactor(), self._ends

    def _write_output(self, data: bytes) -> None:
        if self._writer is not None:
            self._writer.operation(_output_operation(), data)

    def _append_output(self, data: bytes) -> None:
        """Append output whose secrets are masked already."""
        self._guarded("log_output", self._operation, _output_operation(), data)

    def _finish_output(self) -> None:
        """Write the unfinished line and the end of the output: the run ends."""
        with taken_patiently(self._output_lock):
            if self._output is not None and self._ends is not None:
                self._ends.keep(self._output.finish())
                self._ends.finish()
                self._output = None


@contextmanager
def taken_patiently(lock: threading.RLock) -> Iterator[None]:
    """Take a lock to end a run; after a while go on without.

    Where a signal handler ends the run, this thread may hold the journal, and a thread that waits for the journal never
    gives its locks back. It changes nothing either while it waits.
    """
    is_ours = lock.acquire(timeout=_PATIENCE_SECONDS)
    try:
        yield
    finally:
        if is_ours:
            lock.release()


def _output_operation() -> dict[str, Any]:
    return {"op": "log", "name": "output.txt", "t": int(time() * 1000)}


def _image_name(key: str, step: int) -> str:
    if not isinstance(key, str):
        raise InvalidNameError(f"the key of an image must be a string, not {type(key).__name__}")
    return f"images/{key or 'image'}/{int(step)}.png"
