"""What a run reads: a path, a URI, a table or an array, described by name, size, digest and schema.

A digest that somebody computed already is believed and its source said: a ``.dvc`` file beside the path. Otherwise a
file is read once; a folder, which may be huge, is described by the sorted list of its files' digests up to a limit.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import Any

from gittrack.capture.redaction import safe_text
from gittrack.core.records import Input
from gittrack.core.redact import redact_url
from gittrack.errors import InvalidValueError, NotFoundError, StorageError

FOLDER_FILES = 100_000
_BLOCK = 1 << 20
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_DVC_MD5 = re.compile(r"^-? *md5: *([0-9a-f]{32}(?:\.dir)?) *$", re.MULTILINE)


def describe_input(data: object, *, name: str | None, role: str, digest: str | None, work_tree: Path | None) -> Input:
    """Describe something that a run reads.

    Args:
        data: a path, a URI, a DataFrame (or anything with ``columns`` and ``dtypes``), an array.
        name: what the run calls it; the file's name, or the kind of object, when None.
        role: ``train``, ``validation``, ``test``, ``model``, …
        digest: ``<algorithm>:<hex>`` when the caller knows it.
        work_tree: paths inside it are kept relative to it.

    Raises:
        NotFoundError: a path that does not exist.
        StorageError: a path that cannot be read.
        InvalidValueError: another kind of object.
    """
    name, role = name and safe_text(name), safe_text(role or "")
    if isinstance(data, str) and _URI.match(data):
        uri = redact_url(data)
        found = Input(name=name or uri.rstrip("/").rpartition("/")[2] or uri, role=role, uri=uri)
    elif isinstance(data, str | os.PathLike):
        found = _path_input(Path(data), name, role, work_tree, digest is None)
    else:
        found = _object_input(data, name, role, digest is None)
    if digest is None:
        return found
    return Input(found.name, found.role, found.uri, digest, "given", found.size, found.schema)


def _path_input(path: Path, name: str | None, role: str, work_tree: Path | None, compute: bool) -> Input:
    shown = _shown(path, work_tree)
    title = name or path.name or shown
    pointer = path.with_name(path.name + ".dvc")
    try:
        known = _DVC_MD5.search(pointer.read_text()) if pointer.is_file() else None
        if known:
            return Input(title, role, shown, "md5:" + known[1], ".dvc", _size(path))
        if not path.exists():
            raise NotFoundError(f"there is no input '{path}'")
        if not compute:
            return Input(title, role, shown, size=_size(path))
        found, size = _folder_digest(path) if path.is_dir() else _file_digest(path)
    except OSError as error:
        raise StorageError(f"cannot read input '{path}': {error.strerror or error}") from error
    return Input(title, role, shown, found, "computed" if found else "none", size)


def _shown(path: Path, work_tree: Path | None) -> str:
    absolute = Path(os.path.abspath(path))
    if work_tree is not None and absolute.is_relative_to(work_tree):
        return absolute.relative_to(work_tree).as_posix()
    return absolute.as_posix()


def _size(path: Path) -> int | None:
    return path.stat().st_size if path.is_file() else None


def _file_digest(path: Path) -> tuple[str, int]:
    hasher = hashlib.sha256()
    size = 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            hasher.update(block)
            size += len(block)
    return "sha256:" + hasher.hexdigest(), size


def _folder_digest(root: Path) -> tuple[str, int | None]:
    """The SHA-256 of the sorted lines ``<sha256> <relative path>``; unknown for a folder of very many files."""
    files = sorted(Path(place, name) for place, _, names in os.walk(root) for name in names)
    if len(files) > FOLDER_FILES:
        return "", None
    hasher = hashlib.sha256()
    total = 0
    for file in files:
        if file.is_file():
            digest, size = _file_digest(file)
            hasher.update(f"{digest} {file.relative_to(root).as_posix()}\n".encode("utf-8", "surrogateescape"))
            total += size
    return "sha256:" + hasher.hexdigest(), total


def _object_input(data: Any, name: str | None, role: str, compute: bool) -> Input:
    kind = type(data).__name__
    title = name or kind.lower()
    if hasattr(data, "columns") and hasattr(data, "dtypes"):
        schema = {str(column): str(dtype) for column, dtype in zip(data.columns, data.dtypes, strict=True)}
        digest, size = _table_digest(data) if compute else ("", None)
        return Input(title, role, f"memory:{kind}", digest, "computed" if digest else "none", size, schema)
    if hasattr(data, "dtype") and hasattr(data, "shape") and hasattr(data, "tobytes"):
        shape = "x".join(map(str, data.shape))
        digest, size = "", None
        if compute:
            raw = data.tobytes()
            digest, size = "sha256:" + hashlib.sha256(f"{data.dtype} {shape}\n".encode() + raw).hexdigest(), len(raw)
        return Input(
            title, role, f"memory:{kind}", digest, "computed" if digest else "none", size, {shape: str(data.dtype)}
        )
    raise InvalidValueError(f"a {kind} cannot be an input: give a path, a URI, a DataFrame or an array")


def _table_digest(table: Any) -> tuple[str, int | None]:
    """SHA-256 over pandas' own row hashes, which are the same in every process; unknown for other libraries' tables."""
    import sys

    pandas = sys.modules.get("pandas")
    if pandas is None or not isinstance(table, pandas.DataFrame):
        return "", None
    try:
        rows = pandas.util.hash_pandas_object(table, index=True).to_numpy()
    except TypeError:  # a column of lists or dicts has no hash
        return "", None
    names = "\n".join(f"{column} {dtype}" for column, dtype in zip(table.columns, table.dtypes, strict=True))
    digest = hashlib.sha256(names.encode() + rows.tobytes()).hexdigest()
    return "sha256:" + digest, int(table.memory_usage(index=True, deep=False).sum())
