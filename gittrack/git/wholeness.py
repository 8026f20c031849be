"""Whether the code that a run names is stored: every directory and file of it, not only the commit.

``git gc --prune=now`` may take a snapshot's objects between their writing and the ref that holds them. A run that names
such a commit would make git's own gc and fsck fail from then on.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from gittrack.core.ids import ObjectId
from gittrack.errors import CorruptRecordError
from gittrack.git.trees import MODE_GITLINK, MODE_TREE

if TYPE_CHECKING:
    from gittrack.git.objects import ObjectStore
    from gittrack.git.repository import Repository

_TIMES = 3

Below = dict[bytes, "Below"]
"""Names in a directory that are looked at, and those below them."""


def is_snapshot_whole(repo: Repository, snapshot: ObjectId) -> bool:
    """Whether a snapshot is stored, as far as it is not HEAD's, which other refs keep.

    Of one that this process made only what it wrote is looked for: HEAD's directories lie in packs, and to read those
    takes longer than all else that begins a run.
    """
    objects = repo.objects
    made = repo.snapshots.get(snapshot)
    try:
        commit = objects.read_commit(snapshot)
        if made is not None:
            found = _are_stored(objects, commit.tree, _nested(made.paths))
        else:
            base = objects.read_commit(commit.parents[0]).tree if commit.parents else None
            found = _difference_is_stored(objects, commit.tree, base)
    except CorruptRecordError:
        return False
    return found or objects.may_lack_files()


def keep_whole(repo: Repository, snapshot: ObjectId) -> bool:
    """Look for a snapshot that a ref holds by now, and make it again if something has taken a part of it.

    Returns:
        False when it is not whole, and the work tree has changed or another process made it.
    """
    for _ in range(_TIMES):
        if is_snapshot_whole(repo, snapshot):
            return True
        made = repo.snapshots.get(snapshot)
        if made is None or made.again() != snapshot:
            return False
    return is_snapshot_whole(repo, snapshot)


def _nested(paths: Iterable[bytes]) -> Below:
    root: Below = {}
    for path in paths:
        level = root
        for part in path.rstrip(b"/").split(b"/"):
            level = level.setdefault(part, {})
    return root


def _are_stored(objects: ObjectStore, tree: ObjectId, below: Below) -> bool:
    for mode, name, id in objects.read_tree(tree):
        if name not in below or mode == MODE_GITLINK:
            continue
        if not (_are_stored(objects, id, below[name]) if mode == MODE_TREE else objects.has(id)):
            return False
    return True


def _difference_is_stored(objects: ObjectStore, tree: ObjectId, base: ObjectId | None) -> bool:
    known = {} if base is None else {name: (mode, id) for mode, name, id in objects.read_tree(base)}
    for mode, name, id in objects.read_tree(tree):
        if known.get(name) == (mode, id) or mode == MODE_GITLINK:
            continue
        before = known.get(name, (0, None))
        is_there = (
            _difference_is_stored(objects, id, before[1] if before[0] == MODE_TREE else None)
            if mode == MODE_TREE
            else objects.has(id)
        )
        if not is_there:
            return False
    return True


def lacking_code(objects: ObjectStore, commits: Iterable[ObjectId]) -> dict[ObjectId, str]:
    """Look for everything in the trees of commits, whose history is not looked at.

    What several have in common is looked for once: ten thousand snapshots of one repository differ in a few files.

    Returns:
        For each commit that is not whole, what it lacks.
    """
    sound: set[ObjectId] = set()
    lacking = {}
    partial = objects.may_lack_files()  # a partial clone gets them when they are asked for
    for commit in dict.fromkeys(commits):
        try:
            lack = "" if partial else _lack(objects, objects.read_commit(commit).tree, "", sound)
        except CorruptRecordError as error:
            lack = error.message
        if lack:
            lacking[commit] = lack
    return lacking


def _lack(objects: ObjectStore, tree: ObjectId, folder: str, sound: set[ObjectId]) -> str:
    try:
        entries = objects.read_tree(tree)
    except CorruptRecordError as error:
        return f"directory '{folder or '.'}': {error.message}"
    for mode, name, id in entries:
        if id in sound or mode == MODE_GITLINK:
            continue
        path = folder + name.decode("utf-8", "replace")
        if mode == MODE_TREE:
            lack = _lack(objects, id, f"{path}/", sound)
        else:
            lack = "" if objects.exists(id) else f"file '{path}': object '{id}' is not in the repository"
        if lack:
            return lack
        sound.add(id)
    return ""
