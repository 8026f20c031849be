"""The lock files in the root of the work tree: which, how big, what digest."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

from gittrack.capture.packages import is_settled
from gittrack.capture.redaction import storable

_NAMES = frozenset(
    {
        *(".python-version", ".tool-versions", "Cargo.lock", "Manifest.toml", "Pipfile", "Pipfile.lock", "Dockerfile"),
        *("conda-lock.yaml", "conda-lock.yml", "constraints.txt", "dvc.lock", "environment.yaml", "environment.yml"),
        *("flake.lock", "package-lock.json", "pdm.lock", "pixi.lock", "pnpm-lock.yaml", "poetry.lock", "pylock.toml"),
        *("pyproject.toml", "renv.lock", "setup.cfg", "setup.py", "uv.lock", "yarn.lock"),
    }
)
_CHUNK = 1 << 20
_DIGEST_LIMIT = 64 << 20


class LockFiles:
    """Finds the lock files of one work tree; asked again, it only reads what changed.

    Args:
        work_tree: the folder to look in; its subfolders are not searched.
    """

    def __init__(self, work_tree: Path) -> None:
        self._root = str(work_tree)
        self._listed: tuple[int, list[str]] | None = None
        self._digests: dict[str, tuple[tuple[int, ...], dict[str, Any]]] = {}

    def read(self) -> list[dict[str, Any]]:
        """Per lock file ``path``, ``size`` (bytes) and ``sha256`` (left out above 64 MiB), sorted by path."""
        found = (self._describe(name) for name in self._names())
        return [entry for entry in found if entry is not None]

    def _names(self) -> list[str]:
        try:
            modified = os.stat(self._root).st_mtime_ns
            if self._listed is not None and self._listed[0] == modified:
                return self._listed[1]
            names = sorted(name for name in os.listdir(self._root) if _is_lock_file(name))
        except OSError:
            return []  # the work tree went away
        self._listed = (modified, names) if is_settled(modified) else None
        return names

    def _describe(self, name: str) -> dict[str, Any] | None:
        path = os.path.join(self._root, name)
        try:
            state = os.stat(path)
            if not stat.S_ISREG(state.st_mode):
                return None
            identity = (state.st_mtime_ns, state.st_ctime_ns, state.st_size, state.st_ino)
            known = self._digests.get(name)
            if known is not None and known[0] == identity:
                return known[1]
            entry: dict[str, Any] = {"path": storable(name), "size": state.st_size}
            if state.st_size <= _DIGEST_LIMIT:
                entry["sha256"] = _sha256(path)
        except OSError:
            return None  # gone, or not ours to read
        if is_settled(state.st_mtime_ns):
            self._digests[name] = (identity, entry)
        return entry


def _is_lock_file(name: str) -> bool:
    return (
        name in _NAMES
        or (name.startswith("requirements") and name.endswith((".txt", ".in")))
        or (name.startswith("pylock.") and name.endswith(".toml"))
    )


def _sha256(path: str) -> str:
    import hashlib

    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
