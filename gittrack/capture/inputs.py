"""Data in memory or elsewhere that a run reads: a table or an array by content and schema, a URI by its words."""

from __future__ import annotations

import re
from typing import Any

from gittrack.capture.redaction import safe_text
from gittrack.core.names import display
from gittrack.core.records import Input
from gittrack.core.redact import redact_url
from gittrack.errors import InvalidValueError

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_PLAIN_DIGEST = re.compile(r"[a-z0-9-]{1,40}:[0-9a-f]{1,128}(?:\.dir)?")
VERSION = "version:"
"""What the digest of a table begins with of which a version or snapshot id is known, not its bytes."""


def given_digest(text: str) -> str:
    """A digest or version as somebody gave it: hex digits as they are, of anything else no more than is no secret."""
    return text if _PLAIN_DIGEST.fullmatch(text) else safe_text(text)


def is_uri(data: object) -> bool:
    """Whether something is the address of data elsewhere (``s3://…``, ``delta://…``)."""
    return isinstance(data, str) and _URI.match(data) is not None


def describe_uri(uri: str, name: str | None, role: str) -> Input:
    """Data elsewhere: its address without user info and query; nothing is asked over the network."""
    shown = redact_url(uri)
    title = safe_text(name) if name else shown.rstrip("/").rpartition("/")[2] or shown
    return Input(name=title, role=safe_text(role), uri=shown)


def describe_object(data: Any, name: str | None, role: str, *, compute: bool) -> Input:
    """A table or an array in memory.

    Args:
        data: a DataFrame or Series of pandas, a table of another library with ``columns`` and ``dtypes``, an array of
            NumPy, a tensor.
        name: what the run calls it; the kind of object when None.
        role: ``train``, ``validation``, …
        compute: whether to compute its digest.

    Raises:
        InvalidValueError: another kind of object.
    """
    kind = type(data).__name__
    title, role = safe_text(name) if name else kind.lower(), safe_text(role)
    if hasattr(data, "detach") and hasattr(data, "cpu"):  # a tensor of PyTorch
        data = data.detach().cpu().numpy()
    if hasattr(data, "to_frame") and hasattr(data, "dtype"):  # a Series
        data = data.to_frame()
    if hasattr(data, "columns") and hasattr(data, "dtypes"):
        schema = {str(column): str(dtype) for column, dtype in zip(data.columns, data.dtypes, strict=True)}
        digest, size = _of_table(data) if compute else ("", None)
    elif hasattr(data, "dtype") and hasattr(data, "shape") and hasattr(data, "tobytes"):
        schema = {"x".join(map(str, data.shape)): str(data.dtype)}
        digest, size = _of_array(data) if compute else ("", None)
    else:
        raise InvalidValueError(
            f"a {display(kind, 60)} cannot be an input: give a path, a URI, a DataFrame or an array"
        )
    return Input(title, role, f"memory:{kind}", digest, "computed" if digest else "none", size, schema)


def _of_table(table: Any) -> tuple[str, int | None]:
    """Its digest and the bytes of its values; unknown when it holds what has no encoding."""
    from gittrack.capture.data_digest import NoDigestError, table_digest

    try:
        if hasattr(table, "iloc"):
            columns = [(name, table.iloc[:, place].array) for place, name in enumerate(table.columns)]
            return table_digest(columns, _index_of(table.index), len(table))
        return table_digest([(name, _values(table, name)) for name in table.columns], [], len(table))
    except NoDigestError:
        return "", None


def _values(table: Any, name: Any) -> list[Any]:
    """A column of another library as a list."""
    column = table[name]
    for method in ("to_list", "to_pylist", "tolist"):
        if hasattr(column, method):
            values: list[Any] = getattr(column, method)()
            return values
    return list(column)


def _index_of(index: Any) -> list[tuple[Any, Any]]:
    """The columns that label the rows of a DataFrame; none when they are only numbered from 0."""
    if type(index).__name__ == "RangeIndex" and (index.start, index.step) == (0, 1):
        return []
    levels = getattr(index, "nlevels", 1)
    each = [index] if levels == 1 else [index.get_level_values(level) for level in range(levels)]
    return [(level.name, level.array) for level in each]


def _of_array(array: Any) -> tuple[str, int | None]:
    from gittrack.capture.data_digest import NoDigestError, array_digest

    try:
        return array_digest(array)
    except NoDigestError:
        return "", None
