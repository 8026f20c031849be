"""The installed packages, read from the names of their metadata folders: 1 ms, `importlib.metadata` takes 130."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from gittrack.core.redact import redact_url

_METADATA = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*?)(?:-(?P<version>[0-9][A-Za-z0-9.!+_]*))?(?:-py[0-9.]+(?:-.+)?)?"
    r"\.(?:dist-info|egg-info|egg)"
)
_ENTRIES_LIMIT = 20_000
_READ_LIMIT = 64 * 1024


class _Folder(NamedTuple):
    """What a folder of the import path holds: paths of the metadata in it, and whether it was read to its end."""

    metadata: tuple[str, ...]
    is_whole: bool = True


class InstalledPackages:
    """Lists the packages that can be imported; asked again, it only reads folders that changed."""

    def __init__(self) -> None:
        self._folders: dict[str, tuple[tuple[int, int, int], _Folder]] = {}
        self._listed: tuple[object, bytes] | None = None

    def list(self, import_path: Sequence[str], work_tree: Path | None) -> bytes:
        """``packages.txt``: one package a line as ``name==version``, sorted by name.

        Names are normalised (``typing-extensions``). A package that lies twice on the import path counts where Python
        finds it first. Editable installs, and those from version control or an address, say so after a ``#``.

        Args:
            import_path: ``sys.path``.
            work_tree: editable installs inside it are shown relative to it.
        """
        folders = tuple(self._folder(path or ".") for path in import_path)
        if self._listed is None or self._listed[0] != (folders, work_tree):
            self._listed = ((folders, work_tree), _lines_of(folders, work_tree))
        return self._listed[1]

    def _folder(self, path: str) -> _Folder:
        try:
            state = os.stat(path)
        except OSError:
            return _Folder(())  # not every folder of the import path exists
        identity = (state.st_mtime_ns, state.st_ino, state.st_dev)
        known = self._folders.get(path)
        if known is not None and known[0] == identity:
            return known[1]
        folder = _read_folder(path)
        if is_settled(state.st_mtime_ns):
            self._folders[path] = (identity, folder)
        return folder


def is_settled(modified: int) -> bool:
    """Whether a time of change (ns) is so long ago that any further change has another time.

    The coarsest step of a file system's times is two seconds: what changed less long ago may change again unseen.
    """
    return time.time_ns() - modified > 2_000_000_000


def list_conda_packages(prefix: str) -> bytes:
    """``conda.txt``: the packages of a conda environment as ``name=version=build``; empty when it is none."""
    try:
        names = os.listdir(os.path.join(prefix, "conda-meta"))
    except OSError:
        return b""  # no conda environment
    parts = (name.removesuffix(".json").rsplit("-", 2) for name in names if name.endswith(".json"))
    lines = sorted("=".join(part) for part in parts if len(part) == 3 and "".join(part).isprintable())
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")


def _lines_of(folders: Sequence[_Folder], work_tree: Path | None) -> bytes:
    packages: dict[str, str] = {}
    for metadata in (path for folder in folders for path in folder.metadata):
        found = _METADATA.fullmatch(os.path.basename(metadata))
        if not found:
            continue
        name = re.sub(r"[-_.]+", "-", found["name"]).lower()
        if name not in packages:
            version = found["version"] or _version_inside(metadata)
            packages[name] = (f"{name}=={version}" if version else name) + _origin(metadata, work_tree)
    lines = [packages[name] for name in sorted(packages)]
    if not all(folder.is_whole for folder in folders):
        lines.insert(0, f"# incomplete: a folder of the import path has more than {_ENTRIES_LIMIT} entries")
    return "".join(f"{line}\n" for line in lines).encode()


def _read_folder(path: str) -> _Folder:
    if path.endswith(".egg"):
        return _Folder((path,))
    found: list[str] = []
    try:
        with os.scandir(path) as entries:
            for count, entry in enumerate(entries):
                if count >= _ENTRIES_LIMIT:
                    return _Folder(tuple(sorted(found)), is_whole=False)
                if entry.name.endswith(("-info", ".egg")):
                    found.append(entry.path)
    except OSError:
        return _Folder(())  # a zip file, or a folder that may not be listed
    return _Folder(tuple(sorted(found)))


def _version_inside(metadata: str) -> str:
    """The version a development egg-info states in its file, where its name does not."""
    for line in _lines(os.path.join(metadata, "PKG-INFO")):
        if line.startswith("Version:"):
            version = line.partition(":")[2].strip()
            return version if re.fullmatch(r"[A-Za-z0-9.!+_-]{1,100}", version) else ""
    return ""


def _lines(path: str) -> Iterator[str]:
    try:
        with open(path, "rb") as file:
            yield from file.read(_READ_LIMIT).decode("utf-8", "replace").splitlines()
    except OSError:
        return  # absent: most packages have none


def _origin(metadata: str, work_tree: Path | None) -> str:
    """A comment that says where a package came from, if not from an index (``direct_url.json``, PEP 610)."""
    path = os.path.join(metadata, "direct_url.json")
    # Nearly no package has one; of two hundred packages, asking first saves a millisecond of failures to open it.
    text = "".join(_lines(path)) if os.path.exists(path) else ""
    if not text:
        return ""
    import json

    try:
        stated = json.loads(text)
        url, folder, version_control = stated["url"], stated.get("dir_info", {}), stated.get("vcs_info", {})
        is_editable = bool(folder.get("editable"))
        commit, system = str(version_control.get("commit_id", "")), str(version_control.get("vcs", ""))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return " # from an unreadable address"
    address = f"{system}+" * bool(system) + _shown(str(url), work_tree) + f"@{commit}" * bool(commit)
    clean = re.sub(r"\s+", " ", ("editable " if is_editable else "") + address).encode("utf-8", "replace").decode()
    return f" # {clean[:500]}"


def _shown(url: str, work_tree: Path | None) -> str:
    """The address without credentials; a folder inside the work tree relative to it."""
    if not url.startswith("file://") or work_tree is None:
        return redact_url(url)
    from urllib.parse import unquote

    path, root = os.path.realpath(unquote(url[7:])), os.path.realpath(work_tree)
    is_inside = path == root or path.startswith(root.rstrip(os.sep) + os.sep)
    return os.path.relpath(path, root).replace(os.sep, "/") if is_inside else redact_url(url)
