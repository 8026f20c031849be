"""The part of a run that takes files, and the data that a run reads."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
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
    from gittrack.api.used_artifacts import UsedArtifact
    from gittrack.core.ids import RunId
    from gittrack.core.records import ArtifactEntry, LoggedModel
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

    id: RunId
    _closing: Closing | None

    def __init__(self, writer: JournalWriter | None, files: LoggedFiles | None, *, strict: bool) -> None:
        super().__init__(writer, strict=strict)
        self._files = files
        if files is not None:
            files.told = partial(self._note_error, "log_artifacts")
        self._output: OutputRedactor | None = None
        self._ends: OutputEnds | None = None
        self._output_lock = threading.RLock()  # re-entered by a signal handler that ends the run

    def forked(self) -> None:
        """Told in a forked child: it does not write the unfinished line and the end of output that its parent will."""
        self._output, self._ends, self._output_lock = None, None, threading.RLock()
        super().forked()
        if self._files is not None:
            self._files.forked()

    def log_artifact(self, path: str | os.PathLike[str], artifact_path: str | None = None) -> None:
        """Keep a file.

        Args:
            path: the file; a directory is kept with everything in it.
            artifact_path: folder within the run to put it in; its top when None.
        """
        self._file("log_artifact", lambda files: files.add_path(path, artifact_path))

    def log_artifacts(self, directory: str | os.PathLike[str], artifact_path: str | None = None) -> None:
        """Keep every file of a directory, under the names they have in it.

        A link to a file is kept as the content of that file, wherever it lies. Links to directories, pipes, sockets and
        devices are left out, which one line says; so is a link that leads nowhere, or round in a circle.
        """
        self._file("log_artifacts", lambda files: files.add_folder(directory, artifact_path))

    def artifacts(self) -> tuple[ArtifactEntry, ...]:
        """What the run has kept so far, whichever of its processes logged it, as :meth:`SavedRun.artifacts`.

        Nothing for a silent run.

        Raises:
            CorruptRecordError, StorageError: what the run wrote cannot be read.
        """
        if self._closing is None or self._writer is None:
            return ()
        from gittrack.api.read import find_run

        return find_run(self._closing.project, self.id, index=False).artifacts()

    def log_artifact_uri(
        self, uri: str, artifact_path: str | None = None, *, size: int | None = None, digest: str | None = None
    ) -> None:
        """Refer to a file that stays where it is: its address is kept, and what it is, never its bytes.

        Whoever downloads or opens it gets it from there; it is checked against the size and the digest.

        Args:
            uri: ``s3://…``, ``https://…``, ``gs://…``, or a path of this machine. User info is left out; an address
                that works only with its query (a presigned link) is refused.
            artifact_path: folder within the run to put it in; its top when None.
            size: bytes, when known; of a local file it is looked up.
            digest: ``md5:<hex>``, ``sha256:<hex>``, … or ``etag:<value>``, when known; of a local file it is computed.

        Example:
            >>> run.log_artifact_uri("s3://bucket/weights.bin", "models", digest='etag:"9b2c…"')  # doctest: +SKIP
        """
        self._file("log_artifact_uri", lambda files: files.add_reference(uri, artifact_path, size, digest))

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

    def log_input(
        self,
        data: object,
        name: str | None = None,
        role: str = "",
        *,
        digest: str | None = None,
        version: str | None = None,
    ) -> None:
        """Record data that the run reads: a path, a URI, a DataFrame or an array.

        Args:
            data: what is read; a path inside the repository is kept relative to it, of a URI the query is cut off.
            name: how the run calls it; made from the path when None.
            role: ``train``, ``validation``, ``test``, ``model``, …
            digest: ``<algorithm>:<hex>`` when known; else taken from DVC where it tracks the path, or computed.
            version: version or snapshot id of a table (Delta, Iceberg, lakeFS, a feature view) in place of a digest.

        Example:
            >>> run.log_input("data/train.csv", role="train")  # doctest: +SKIP
            >>> run.log_input("delta://lake/sales", role="train", version="12")  # doctest: +SKIP
        """
        self._file("log_input", lambda files: files.add_input(data, name, role, digest, version))

    def use_artifact(self, address: str, name: str | None = None, role: str = "") -> UsedArtifact:
        """Use what another run made, and record that this run did.

        Args:
            address: ``RUN:path``: a run (id, prefix, name, ``@latest``), and the path of a file or folder it logged.
            name: how this run calls it; its path when None.
            role: ``model``, ``train``, …

        Returns:
            What opens it or copies it; every byte is checked.

        Raises:
            UsageError: the address has no path.
            NotFoundError: no such run or artifact, or the address is one of a registered model.
            AmbiguousError: several runs.

        Example:
            >>> weights = run.use_artifact("base:model.bin", role="model").download("work")  # doctest: +SKIP
        """
        from gittrack.api.used_artifacts import find_artifact

        used = find_artifact(address)
        self._file("use_artifact", lambda files: files.inputs.add_used(used, name, role))
        return used

    def log_model(
        self,
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
        """Keep a trained model, so that :func:`gittrack.load_model` gives it back.

        scikit-learn, XGBoost, LightGBM, PyTorch, Keras, statsmodels, ONNX and plain Python functions are known by what
        they are. MLflow writes the files where it is installed; without it scikit-learn's are kept by skops, XGBoost's
        and LightGBM's in their own formats, and the tensors of PyTorch's.

        Args:
            model: the model.
            name: how the run calls it; without ``/ : . % " '``.
            signature: what it takes and gives: MLflow's ``ModelSignature``, or a mapping with ``inputs`` and
                ``outputs``. Inferred when None and there is an example.
            input_example: some rows that it takes; kept with it.
            registered_model_name: the registered model that it is to become a version of. This is only written down:
                there is no registry yet.
            step: of the training.
            params, tags: what is to be said of this model alone.

        Returns:
            What was kept; None for a silent run, and where it failed (which a line on stderr says).

        Example:
            >>> run.log_model(classifier, "churn", input_example=X.head())  # doctest: +SKIP
        """
        from gittrack.api.logged_models import Description

        about = Description(name, signature, input_example, registered_model_name, step, params or {}, tags or {})
        logged: list[LoggedModel] = []
        self._file("log_model", lambda files: logged.append(files.models.add(self.id, model, about)))
        return logged[0] if logged else None

    def _record_used(self, used: UsedArtifact, name: str | None) -> None:
        self._file("load_model", lambda files: files.inputs.add_used(used, name, "model"))

    def _record_tracked_data(self, root: str, untracked: Sequence[str]) -> None:
        def record(files: LoggedFiles) -> None:
            for problem in files.inputs.record_tracked(root, untracked):
                self._note_error("inputs", problem)

        self._file("inputs", record)

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
