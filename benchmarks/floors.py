"""Floors: bytes as blobs, tree, commit and ref by pygit2, synced to the disk, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pygit2
from pygit2.enums import FileMode, Option

Level = dict[str, Any]


def open_synced(path: Path) -> pygit2.Repository:
    """A repository whose objects and refs are synced when written, as ours are."""
    pygit2.option(Option.ENABLE_FSYNC_GITDIR, True)
    return pygit2.Repository(str(path))


def nested(files: Mapping[str, bytes]) -> Level:
    """Files by path as nested dicts."""
    top: Level = {}
    for path, data in files.items():
        level = top
        *folders, name = path.split("/")
        for folder in folders:
            level = level.setdefault(folder, {})
        level[name] = data
    return top


def write_commit(repo: pygit2.Repository, files: Level, ref: str) -> None:
    """Write files as a commit on top of HEAD, and a ref to it."""
    tree = _write_tree(repo, files)
    person = pygit2.Signature("Bench", "bench@example.com", 1_700_000_000, 0)
    repo.create_commit(ref, person, person, "a run\n", tree, [repo.head.target] if not repo.head_is_unborn else [])


def _write_tree(repo: pygit2.Repository, level: Level) -> pygit2.Oid:
    builder = repo.TreeBuilder()
    for name, content in level.items():
        if isinstance(content, dict):
            builder.insert(name, _write_tree(repo, content), FileMode.TREE)
        else:
            builder.insert(name, repo.create_blob(content), FileMode.BLOB)
    return builder.write()
