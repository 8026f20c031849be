"""Copies of finished runs that are not rolled up yet: what lost objects are made again from.

One file per run commit, ``done/<run id>-<first 16 hex of the commit>``: a line ``gittrack-done 1``, then, deflated, the
journals, each preceded by a line of its name and length. Written beside, synced, renamed; then the live folder goes.
"""

from __future__ import annotations

import contextlib
import os
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from gittrack.core.ids import ObjectId, RunId, parse_run_id
from gittrack.core.journal import JournalContents, decode_journal
from gittrack.errors import CorruptRecordError, GittrackError, StorageError
from gittrack.store.layout import Layout

MARK = b"gittrack-done 1\n"
SUFFIX = ".journal"
GONE = ".gone"
MAX_BYTES = 4 << 30


def retire(layout: Layout, id: RunId, commit: ObjectId, published: Sequence[JournalContents]) -> None:
    """Keep a live run's journals as its ``done/`` copy and remove its live folder.

    Safe to repeat after a kill at any point, and when another process did it first.

    Args:
        layout: the repository's folders.
        id: the run.
        commit: what it became,
        published: out of these journals.

    Raises:
        StorageError: the copy cannot be written; the live folder stays.
    """
    source = os.path.join(layout.live, id)
    target = done_path(layout, id, commit)
    temporary = f"{target}.{os.getpid()}"
    names = [read.name for read in published]
    try:
        journals = _journal_bytes(source)
        if [name for name, _ in journals][: len(names)] != names:
            return  # another process finished the run, and somebody resumed it: the folder is the resumption's
        # What a forked child logged meanwhile is not in the commit; with it the copy would make another one.
        journals = [(name, _as_read(data, read)) for (name, data), read in zip(journals, published, strict=False)]
        os.makedirs(layout.done, exist_ok=True)
        with open(temporary, "wb") as file:
            file.write(MARK)
            file.write(zlib.compress(_joined(journals), 1))
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
        _remove_live(source, names)
    except FileNotFoundError:
        return  # another process finished the same run: its copy came first
    except OSError as error:
        with contextlib.suppress(OSError):  # what cannot be removed now, doctor removes
            os.unlink(temporary)
        raise StorageError(f"cannot write '{target}': {error.strerror}", hint="gittrack recover") from error


def _remove_live(folder: str, names: list[str]) -> None:
    """Remove a live folder if it still holds these journals. Renamed first: nobody may take half a folder for a run."""
    gone = f"{folder}{GONE}-{os.getpid()}-{os.urandom(4).hex()}"
    os.rename(folder, gone)
    if sorted(name for name in os.listdir(gone) if name.endswith(SUFFIX))[: len(names)] != names:
        os.rename(gone, folder)  # a resumption's, begun since we looked; its process has its journal open all the while
        return
    remove_folder(gone)


def remove_folder(folder: str) -> None:
    """Remove a folder of journals as far as that can be done; doctor removes what is left.

    Not by ``shutil`` as long as only files lie in it: loading that takes 1.7 ms, and this is done for every run.
    """
    try:
        for name in os.listdir(folder):
            os.unlink(os.path.join(folder, name))
        os.rmdir(folder)
    except OSError:
        import shutil

        shutil.rmtree(folder, ignore_errors=True)


def drop_ghost(layout: Layout, id: RunId, names: list[str]) -> bool:
    """Remove a live folder that a power loss brought back after its run had been finished.

    Args:
        layout: the repository's folders.
        id: the run.
        names: the journals in the folder.

    Returns:
        Whether it was one: a ``done/`` copy holds these journals.
    """
    for copy_of, _, path in done_runs(layout):
        if copy_of == id and names and [read.name for read in read_done(path)][: len(names)] == names:
            try:
                _remove_live(os.path.join(layout.live, id), names)
            except FileNotFoundError:
                return True  # another process finished the run just now, or was first to see the ghost
            except OSError as error:
                text = f"cannot remove live run {id}: {error.strerror}"
                raise StorageError(text, hint="gittrack recover") from error
            return True
    return False


def _as_read(data: bytes, read: JournalContents) -> bytes:
    return data if read.damaged else data[: read.end]  # damage may lie beyond the last good frame


def _journal_bytes(folder: str) -> list[tuple[str, bytes]]:
    journals = []
    try:
        names = sorted(os.listdir(folder))
    except FileNotFoundError:
        return []
    for name in names:
        if name.endswith(SUFFIX):
            with open(os.path.join(folder, name), "rb") as file:
                journals.append((name, file.read()))
    return journals


def _joined(journals: Iterable[tuple[str, bytes]]) -> bytes:
    return b"".join(b"%s %d\n" % (name.encode(), len(data)) + data for name, data in journals)


def done_path(layout: Layout, id: RunId, commit: ObjectId) -> str:
    """Where the copy of a run commit lies."""
    return os.path.join(layout.done, f"{id}-{commit[:16]}")


def unfinished_copies(layout: Layout) -> list[Path]:
    """Copies whose writing a kill or a full disk cut short."""
    if not layout.done.is_dir():
        return []
    return sorted(path for path in layout.done.iterdir() if "." in path.name)


def done_count(layout: Layout) -> int:
    """How many copies there are: a cheap measure of how full the inbox is."""
    try:
        return len(os.listdir(layout.done))
    except FileNotFoundError:
        return 0


def done_runs(layout: Layout) -> list[tuple[RunId, str, str]]:
    """The copies: run id, the beginning of its commit, path; sorted."""
    found = []
    try:
        names = sorted(os.listdir(layout.done))
    except FileNotFoundError:
        return []
    for name in names:
        id, _, commit = name.partition("-")
        try:
            found.append((parse_run_id(id), commit, os.path.join(layout.done, name)))
        except GittrackError:
            continue
    return [entry for entry in found if "." not in entry[1]]  # with a dot: a copy that was being written


def read_done(path: str) -> list[JournalContents]:
    """The journals of a copy, in the order of their names.

    Raises:
        CorruptRecordError: it is damaged.
    """
    try:
        with open(path, "rb") as file:
            data = file.read()
        if not data.startswith(MARK):
            raise ValueError("no mark")
        inflater = zlib.decompressobj()
        rest = inflater.decompress(data[len(MARK) :], MAX_BYTES)
        if not inflater.eof:
            raise ValueError("cut short")
        journals = []
        while rest:
            line, _, rest = rest.partition(b"\n")
            name, _, length_text = line.rpartition(b" ")
            length = int(length_text)
            journals.append(decode_journal(rest[:length]))
            journals[-1].name = name.decode()
            rest = rest[length:]
    except (OSError, ValueError, zlib.error) as error:
        raise CorruptRecordError(f"the copy '{path}' is damaged: {error}", hint="gittrack fsck") from error
    return journals


def drop_done(layout: Layout, commits: Iterable[tuple[str, ObjectId]]) -> None:
    """Remove the copies of runs that are rolled up: (run id, commit) each."""
    rolled = {(id, commit[:16]) for id, commit in commits}
    for id, commit, path in done_runs(layout):
        if (id, commit) in rolled:
            try:
                os.unlink(path)
            except FileNotFoundError:
                continue
