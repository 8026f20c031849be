"""Objects of other libraries as bytes of a file: documents, figures, images, tables.

Libraries are recognised by what an object can do, never imported to find out.
"""

from __future__ import annotations

import io
import json
import struct
import sys
import zlib
from typing import Any

from gittrack.core.names import display
from gittrack.core.values import coerce_scalar
from gittrack.errors import InvalidValueError, MissingDependencyError, kind_of


def _suffix(name: str) -> str:
    return name.rpartition(".")[2].lower() if "." in name.rpartition("/")[2] else ""


def document_bytes(data: object, name: str) -> bytes:
    """A dict or list as YAML, TOML or JSON, by the suffix of ``name``.

    Raises:
        MissingDependencyError: YAML without PyYAML.
        InvalidValueError: TOML of something that is no table, or holds None.
    """
    plain = _plain(data, 0)
    suffix = _suffix(name)
    if suffix in ("yaml", "yml"):
        try:
            import yaml
        except ImportError as error:
            raise MissingDependencyError("YAML needs PyYAML", hint="pip install 'gittrack[yaml]'") from error
        text: str = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)
        return text.encode()
    if suffix == "toml":
        if not isinstance(plain, dict):
            raise InvalidValueError(f"'{name}' must hold a table, not {kind_of(data)}")
        import tomli_w

        _refuse_none(plain, name, "")
        return tomli_w.dumps(plain).encode()
    return (json.dumps(plain, indent=2, ensure_ascii=False, default=str) + "\n").encode("utf-8", "backslashreplace")


def _plain(value: Any, depth: int) -> Any:
    if depth > 64:
        raise InvalidValueError("a dict is nested too deeply, or holds itself")
    if isinstance(value, dict):
        return {str(key): _plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item, depth + 1) for item in value]
    return coerce_scalar(value)


def _refuse_none(value: Any, name: str, place: str) -> None:
    """TOML has no null, and a key that is left out without a word is a value that is lost."""
    if value is None:
        text = f"'{name}' cannot hold None, which TOML does not have: '{display(place, 60)}'"
        raise InvalidValueError(text, hint="log it as .json or .yaml")
    if isinstance(value, dict):
        for key, item in value.items():
            _refuse_none(item, name, f"{place}.{key}" if place else key)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            _refuse_none(item, name, f"{place}[{number}]")


def figure_bytes(figure: Any, name: str) -> bytes:
    """A matplotlib or plotly figure in the format of ``name``'s suffix.

    Raises:
        InvalidValueError: another object.
    """
    suffix = _suffix(name)
    if hasattr(figure, "savefig"):
        out = io.BytesIO()
        # The date is left out: the same figure then gives the same bytes.
        metadata = {"Date": None} if suffix == "svg" else {"CreationDate": None} if suffix == "pdf" else None
        figure.savefig(out, format=suffix or "png", metadata=metadata)
        return out.getvalue()
    if hasattr(figure, "to_plotly_json"):
        if suffix == "json":
            return str(figure.to_json()).encode()
        if suffix in ("html", ""):
            return str(figure.to_html(include_plotlyjs="cdn")).encode()
        return bytes(figure.to_image(format=suffix))
    raise InvalidValueError(f"{kind_of(figure)} is no figure of matplotlib or plotly")


def image_bytes(image: Any, name: str) -> bytes:
    """A PIL image in the format of ``name``'s suffix, or an array as PNG.

    Raises:
        InvalidValueError: another object, an array of another shape or with other numbers, an array whose file is to be
            of another format.
    """
    if hasattr(image, "save") and hasattr(image, "mode"):
        out = io.BytesIO()
        suffix = _suffix(name) or "png"
        image.save(out, format={"jpg": "JPEG", "tif": "TIFF"}.get(suffix, suffix.upper()))
        return out.getvalue()
    if hasattr(image, "detach"):  # a torch tensor
        image = image.detach().cpu().numpy()
    if hasattr(image, "savefig"):
        return figure_bytes(image, name)
    if not hasattr(image, "__array__") and not isinstance(image, list):
        raise InvalidValueError(f"{kind_of(image)} is no image")
    if _suffix(name) not in ("png", ""):
        text = f"an array is kept as PNG, and '{display(name, 80)}' is of another format"
        raise InvalidValueError(text, hint="name it .png, or log PIL.Image.fromarray(image)")
    return _png(image)


_CHANNELS = {1: 0, 2: 4, 3: 2, 4: 6}
"""Channels -> PNG colour type (ISO/IEC 15948, table 11.1)."""


def _png(image: Any) -> bytes:
    import numpy

    array = numpy.asarray(image)
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim == 3 and array.shape[2] not in _CHANNELS and array.shape[0] in _CHANNELS:
        array = numpy.moveaxis(array, 0, 2)  # (channels, height, width)
    if array.ndim != 3 or array.shape[2] not in _CHANNELS or 0 in array.shape:
        raise InvalidValueError(f"an array of shape {array.shape} is no image (height, width[, channels])")
    array = _as_bytes(array)
    height, width, channels = array.shape
    rows = b"".join(b"\0" + array[row].tobytes() for row in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, _CHANNELS[channels], 0, 0, 0)
    chunks = (("IHDR", header), ("IDAT", zlib.compress(rows)), ("IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind.encode(), data) for kind, data in chunks)


_ROUNDING = 1e-6
"""How far beyond 0 and 1 a float may be by what rounding makes of a resized or normalised image."""


def _as_bytes(array: Any) -> Any:
    """Pixels as uint8. Numbers out of their range are refused: a clipped picture looks right and is another."""
    import numpy

    kind = array.dtype.kind
    if kind == "b":
        return array * numpy.uint8(255)
    if kind not in "uif":
        raise InvalidValueError(f"an array of {array.dtype} is no image: it holds numbers", hint=_PIXELS)
    least, most = array.min(), array.max()  # NaN when there is one
    highest, slack = (1, _ROUNDING) if kind == "f" else (255, 0)
    if not (least >= -slack and most <= highest + slack):
        numbers = "floats" if kind == "f" else "whole numbers"
        text = f"the {numbers} of the image lie between {least} and {most}, not between 0 and {highest}"
        raise InvalidValueError(text, hint=_PIXELS)
    return (array.clip(0, 1) * 255).round().astype(numpy.uint8) if kind == "f" else array.astype(numpy.uint8)


_PIXELS = "give floats from 0 to 1, or whole numbers from 0 to 255"


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def table_bytes(table: Any, name: str) -> bytes:
    """A DataFrame, or a dict of equally long columns, as CSV, JSON records or Parquet.

    Raises:
        InvalidValueError: another object, columns of different lengths, a suffix of another format.
        MissingDependencyError: Parquet of a dict without pandas, Parquet without pyarrow.
    """
    suffix = _suffix(name)
    if suffix not in ("csv", "txt", "json", "parquet", ""):
        text = f"a table is kept as CSV, JSON or Parquet, and '{display(name, 80)}' is of another format"
        raise InvalidValueError(text, hint="name it .csv, .json or .parquet")
    if isinstance(table, str | bytes) or table is None:
        raise InvalidValueError(f"{kind_of(table)} is no table: give a dict of columns or a DataFrame")
    if not hasattr(table, "to_csv"):
        if suffix == "parquet" or "pandas" in sys.modules:
            table = _frame(table)
        else:
            return _columns_bytes(table, suffix)
    if suffix == "parquet":
        return _parquet(table)
    if suffix == "json":
        return str(table.to_json(orient="records", indent=2)).encode()
    return str(table.to_csv(index=False, lineterminator="\n")).encode()


def _parquet(table: Any) -> bytes:
    out = io.BytesIO()
    try:
        table.to_parquet(out)
    except ImportError as error:  # what pandas says names every engine it tried, over ten lines
        raise MissingDependencyError("Parquet needs pyarrow", hint="pip install pyarrow") from error
    return out.getvalue()


def _frame(table: Any) -> Any:
    try:
        import pandas
    except ImportError as error:
        raise MissingDependencyError("this table needs pandas", hint="pip install 'gittrack[pandas]'") from error
    try:
        return pandas.DataFrame(table)
    except (ValueError, TypeError) as error:
        raise InvalidValueError(f"{kind_of(table)} is no table: {error}") from error


def _columns_bytes(table: Any, suffix: str) -> bytes:
    import csv

    if not isinstance(table, dict) or not all(isinstance(column, list | tuple) for column in table.values()):
        raise InvalidValueError(f"{kind_of(table)} is no table: give a dict of columns or a DataFrame")
    try:
        rows = list(zip(*table.values(), strict=True))
    except ValueError as error:
        raise InvalidValueError("the columns of the table differ in length") from error
    if suffix == "json":
        records = [dict(zip(table, map(coerce_scalar, row), strict=True)) for row in rows]
        return (json.dumps(records, indent=2, ensure_ascii=False, default=str) + "\n").encode()
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(table)
    writer.writerows([coerce_scalar(cell) for cell in row] for row in rows)
    return out.getvalue().encode()
