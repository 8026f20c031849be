"""Params read from a file: TOML, YAML or JSON."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

from gittrack.core import toml
from gittrack.errors import FormatError, InvalidValueError, MissingDependencyError, kind_of

_SIZE_LIMIT = 8 << 20
_DEPTH_LIMIT = 64
_VALUES_LIMIT = 100_000
_KINDS = "use a .toml, .yaml, .yml or .json file"


def read_params_file(path: Path) -> dict[str, object]:
    """Read params; of a ``pyproject.toml`` the table ``[tool.gittrack.params]``.

    Args:
        path: a ``.toml``, ``.yaml``, ``.yml`` or ``.json`` file of at most 8 MiB, a table at its top.

    Returns:
        the table as it is nested in the file.

    Raises:
        InvalidValueError: missing, unreadable, too big or too deep, or not in its format; names the file, and the
            line where there is one.
        MissingDependencyError: a YAML file, and PyYAML is not installed.
    """
    suffix = path.suffix.lower()
    if suffix not in (".toml", ".yaml", ".yml", ".json"):
        raise InvalidValueError(f"'{path.name}' is not a kind of params file that can be read", hint=_KINDS)
    data = _read(path)
    if suffix == ".toml":
        table = _parse_toml(data, path)
    elif suffix == ".json":
        table = _parse_json(_text(data, path), path)
    else:
        table = _parse_yaml(_text(data, path), path)
    if not isinstance(table, dict):
        raise InvalidValueError(f"'{path.name}' holds no table of params at its top, but {kind_of(table)}")
    _check_extent(table, path)
    return {str(name): value for name, value in table.items()}


def _read(path: Path) -> bytes:
    try:
        # Not blocking: a named pipe in the place of the file must not hang the run.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with open(descriptor, "rb") as file:
            state = os.fstat(file.fileno())
            if not stat.S_ISREG(state.st_mode):
                raise InvalidValueError(f"'{path.name}' is not a file")
            data = file.read(_SIZE_LIMIT + 1)
    except OSError as error:
        raise InvalidValueError(f"'{path}' cannot be read: {(error.strerror or str(error)).lower()}") from error
    if len(data) > _SIZE_LIMIT:
        raise InvalidValueError(f"'{path.name}' is too big for params: more than {_SIZE_LIMIT >> 20} MiB")
    return data


def _text(data: bytes, path: Path) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InvalidValueError(f"'{path.name}' is not valid UTF-8 in line {line}") from error


def _parse_toml(data: bytes, path: Path) -> Any:
    try:
        table: Any = toml.parse(data, limit=_SIZE_LIMIT, depth=_DEPTH_LIMIT, what=path.name)
    except FormatError as error:
        raise InvalidValueError(error.message, hint=error.hint) from error
    if path.name != "pyproject.toml":
        return table
    for key in ("tool", "gittrack", "params"):
        table = table.get(key, {}) if isinstance(table, dict) else {}
    if not table:
        raise InvalidValueError("'pyproject.toml' has no table [tool.gittrack.params]", hint=_KINDS)
    return table


def _parse_json(text: str, path: Path) -> Any:
    import json

    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise InvalidValueError(f"'{path.name}' is not valid JSON in line {error.lineno}: {error.msg}") from error
    except RecursionError as error:
        raise InvalidValueError(f"'{path.name}' is nested too deeply") from error
    except ValueError as error:  # a number of thousands of digits
        raise InvalidValueError(f"'{path.name}' is not valid JSON: {error}") from error


def _parse_yaml(text: str, path: Path) -> Any:
    try:
        import yaml
    except ImportError as error:
        raise MissingDependencyError(
            f"'{path.name}' needs PyYAML, which is not installed", hint="pip install 'gittrack[yaml]'"
        ) from error
    try:
        loaded = yaml.load(text, Loader=_yaml_loader(yaml))  # noqa: S506 - a subclass of the safe loader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or "not readable"
        raise InvalidValueError(f"'{path.name}' is not valid YAML{where}: {problem}") from error
    except RecursionError as error:
        raise InvalidValueError(f"'{path.name}' is nested too deeply") from error
    except (ValueError, TypeError) as error:  # a date in the thirteenth month, a list for a key
        raise InvalidValueError(f"'{path.name}' is not valid YAML: {error}") from error
    return {} if loaded is None else loaded


def _yaml_loader(yaml: Any) -> Any:
    """The safe loader in pure Python (libyaml's recursion has no bound), with YAML 1.2's floats.

    YAML 1.1 takes ``1e-3`` for a text, a learning rate that no one means.
    """
    import re

    loader: Any = type("ParamsLoader", (yaml.SafeLoader,), {})
    exponent = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)[eE][-+]?[0-9]+")
    loader.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(rf"^{exponent.pattern}$"), list("-+.0123456789"))
    return loader


def _check_extent(table: dict[Any, Any], path: Path) -> None:
    """Refuse what is nested too deeply, and YAML aliases that unfold to millions of values."""
    pending: list[tuple[Any, int]] = [(table, 1)]
    count = 0
    while pending:
        value, depth = pending.pop()
        count += 1
        if depth > _DEPTH_LIMIT:
            raise InvalidValueError(f"'{path.name}' is nested too deeply, more than {_DEPTH_LIMIT} levels")
        if count > _VALUES_LIMIT:
            raise InvalidValueError(f"'{path.name}' holds too many values, more than {_VALUES_LIMIT}")
        if isinstance(value, dict | list | tuple | set):
            inner = value.values() if isinstance(value, dict) else value
            pending.extend((item, depth + 1) for item in inner)
