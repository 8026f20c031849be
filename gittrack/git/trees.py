"""Git trees and commits as bytes: parsed strictly, since fetched ones are hostile until checked, and written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from gittrack.core.ids import ObjectId
from gittrack.core.records import Person
from gittrack.core.written_paths import is_gits_own
from gittrack.errors import CorruptRecordError, InvalidNameError, InvalidValueError

MODE_FILE = 0o100644
MODE_EXECUTABLE = 0o100755
MODE_TREE = 0o040000
MODE_SYMLINK = 0o120000
MODE_GITLINK = 0o160000

EMPTY_TREE = ObjectId("4b825dc642cb6eb9a060e54bf8d69288fbee4904")

_HASH_BYTES = 20
_MODE = re.compile(rb"[1-7][0-7]{4,5}")
_SIGNATURE = re.compile(rb"([^<>\n\0]*)<([^<>\n\0]*)> (-?[0-9]{1,18}) [+-][0-9]{4}")
_HEX = re.compile(rb"[0-9a-f]{40}")
_UNFIT_FOR_PERSON = re.compile(r"[<>\x00-\x1f\x7f]")

NestedFiles = dict[str, "bytes | ObjectId | NestedFiles"]


class Commit(NamedTuple):
    """A commit; times in seconds since the epoch. The message is decoded as UTF-8, what is not UTF-8 replaced.

    ``is_signed`` says that there is a signature, not what it is worth.
    """

    id: ObjectId
    tree: ObjectId
    parents: tuple[ObjectId, ...]
    message: str
    author: Person
    author_time: int
    commit_time: int
    is_signed: bool = False


def is_unsafe_part(part: str) -> bool:
    """Whether a file of that name could leave its directory or meddle with ``.git`` when checked out."""
    if not part or part in {".", ".."} or "/" in part or "\0" in part:
        return True
    return is_gits_own(part)


def parse_tree(id: ObjectId, data: bytes) -> list[tuple[int, str, ObjectId]]:
    """The entries (mode, name, id) of a tree in stored order.

    Raises:
        CorruptRecordError: cut short, a bad mode, a name that is not UTF-8, unsafe or there twice.
    """
    entries: list[tuple[int, str, ObjectId]] = []
    names: set[str] = set()
    for mode, raw, entry in split_tree(id, data):
        name = _safe_name(id, raw)
        if name in names:
            raise CorruptRecordError(f"tree '{id}' has two entries '{name}'")
        names.add(name)
        entries.append((mode, name, entry))
    return entries


def split_tree(id: ObjectId, data: bytes) -> list[tuple[int, bytes, ObjectId]]:
    """The same with names as they are, for trees of which nothing is written; CorruptRecordError when it is no tree."""
    entries: list[tuple[int, bytes, ObjectId]] = []
    position = 0
    while position < len(data):
        space, end = data.find(b" ", position, position + 8), data.find(b"\0", position)
        stop = end + 1 + _HASH_BYTES
        if space < 0 or end < space or stop > len(data) or not _MODE.fullmatch(data, position, space):
            raise CorruptRecordError(f"tree '{id}' is damaged", hint="git fsck")
        entries.append((int(data[position:space], 8), data[space + 1 : end], ObjectId(data[end + 1 : stop].hex())))
        position = stop
    return entries


def _safe_name(id: ObjectId, raw: bytes) -> str:
    try:
        name = raw.decode()
    except UnicodeDecodeError as error:
        raise CorruptRecordError(f"tree '{id}' has an entry {raw[:80]!r} that is not UTF-8") from error
    if is_unsafe_part(name):
        raise CorruptRecordError(f"tree '{id}' has an unsafe entry {name[:80]!r}")
    return name


def format_tree(entries: Iterable[tuple[int, str, ObjectId]]) -> bytes:
    """The bytes of a tree, in git's order: by name, a directory counting as if its name ended in ``/``."""
    keyed = sorted(
        (name.encode() + (b"/" if mode == MODE_TREE else b""), mode, name.encode(), id) for mode, name, id in entries
    )
    return b"".join(b"%o %b\0%b" % (mode, name, bytes.fromhex(id)) for _, mode, name, id in keyed)


def nested(files: Mapping[str, bytes | ObjectId]) -> NestedFiles:
    """Files by path as files by name, directory in directory.

    Raises:
        InvalidNameError: an unsafe path, or one path lies below another.
    """
    root: NestedFiles = {}
    for path, content in files.items():
        *folders, name = path.split("/")
        if any(map(is_unsafe_part, folders)) or is_unsafe_part(name) or not _is_utf8(path):
            raise InvalidNameError(f"path {path[:200]!r} cannot be stored in git")
        level = root
        for folder in folders:
            below = level.setdefault(folder, {})
            if not isinstance(below, dict):
                raise InvalidNameError(f"path {path[:200]!r} lies below a file")
            level = below
        if name in level:
            raise InvalidNameError(f"path {path[:200]!r} is a directory too")
        level[name] = content
    return root


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def format_commit(tree: ObjectId, parents: Iterable[ObjectId], message: str, author: Person, time: int) -> bytes:
    """The bytes of a commit whose author is its committer.

    Args:
        tree: what it holds.
        parents: in order.
        message: as it is; git ends messages with a line feed.
        author: characters that git cannot hold in a name are dropped.
        time: seconds since the epoch, UTC; earlier times become 0.

    Raises:
        InvalidValueError: the message holds NUL or is not Unicode text.
    """
    who = f"{_clean(author.name) or 'unknown'} <{_clean(author.email)}> {max(time, 0)} +0000"
    lines = [f"tree {tree}", *(f"parent {parent}" for parent in parents), f"author {who}", f"committer {who}"]
    try:
        data = "\n".join([*lines, "", message]).encode()
    except UnicodeEncodeError as error:
        raise InvalidValueError("a commit message must be Unicode text without lone surrogates") from error
    if b"\0" in data:
        raise InvalidValueError("a commit message cannot hold a NUL character")
    return data


def reformat_commit(data: bytes, tree: ObjectId, parents: Iterable[ObjectId], message: str | None = None) -> bytes:
    """The bytes of a commit with another tree and other parents; its people and dates stay, a signature goes.

    Args:
        data: the commit.
        tree: what it holds.
        parents: in order.
        message: instead of its own.
    """
    head, _, own = data.partition(b"\n\n")
    kept = [line for line in head.split(b"\n") if line.startswith((b"author ", b"committer ", b"encoding "))]
    lines = [f"tree {tree}".encode(), *(f"parent {parent}".encode() for parent in parents), *kept]
    return b"\n".join([*lines, b"", own if message is None else message.encode("utf-8", "replace")])


def _clean(text: str) -> str:
    printable = text.encode("utf-8", "replace").decode()
    return _UNFIT_FOR_PERSON.sub("", printable).strip(" .,:;\"'\\")


def parse_commit(id: ObjectId, data: bytes) -> Commit:
    """The commit in ``data``; raises CorruptRecordError when it is not one."""
    head, _, message = data.partition(b"\n\n")
    lines = [line for line in head.split(b"\n") if not line.startswith(b" ")]  # lines of signatures go on with a space
    fields = [line.partition(b" ")[::2] for line in lines]
    trees = [value for key, value in fields if key == b"tree"]
    parents = [value for key, value in fields if key == b"parent"]
    people = {key: _SIGNATURE.fullmatch(value) for key, value in fields if key in {b"author", b"committer"}}
    author, committer = people.get(b"author"), people.get(b"committer")
    sound = len(trees) == 1 and all(_HEX.fullmatch(value) for value in (*trees, *parents))
    if not sound or author is None or committer is None:
        raise CorruptRecordError(f"commit '{id}' is damaged", hint="git fsck")
    return Commit(
        id=id,
        tree=ObjectId(trees[0].decode()),
        parents=tuple(ObjectId(parent.decode()) for parent in parents),
        message=message.decode("utf-8", "replace"),
        author=Person(author[1].decode("utf-8", "replace").strip(), author[2].decode("utf-8", "replace").strip()),
        author_time=int(author[3]),
        commit_time=int(committer[3]),
        is_signed=any(is_signature_header(key) for key, _ in fields),
    )


def is_signature_header(key: bytes) -> bool:
    """Whether a line in the head of a commit begins a signature of it."""
    return key in {b"gpgsig", b"gpgsig-sha256"}
