"""Whose a live run is, and whether that process still lives.

A journal's lock is held for as long as its process lives. Two cases need more: a forked child inherits the lock and may
outlive its parent, and some file systems have no locks. So the first operation of a journal says which process writes
it: pid, start time, boot, pid namespace, host. On another host, nobody can tell: such a run ends only by command.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Mapping
from enum import Enum
from typing import Any

from gittrack.store.locks import WITHOUT_LOCKS


class Liveness(Enum):
    """Whether the process behind a journal lives."""

    ALIVE = "alive"
    DEAD = "dead"
    UNKNOWN = "unknown"


_BOOT = "/proc/sys/kernel/random/boot_id"
_BY_LOCK = {True: Liveness.ALIVE, False: Liveness.DEAD, None: Liveness.UNKNOWN}


def writer_operation(now: int) -> dict[str, Any]:
    """The operation that begins a journal: who writes it.

    Args:
        now: ms since the epoch.
    """
    pid = os.getpid()
    return {
        "op": "writer",
        "t": now,
        "pid": pid,
        "started": process_start(pid),
        "boot": _read(_BOOT),
        "namespace": _namespace(),
        "host": os.uname().nodename,
    }


def process_start(pid: int) -> str:
    """When a process started, in clock ticks since boot; ``""`` where the system does not say."""
    stat = _read(f"/proc/{pid}/stat")
    # The command, in parentheses, may itself hold blanks and parentheses.
    fields = stat.rpartition(")")[2].split()
    return fields[19] if len(fields) > 19 else ""


def _namespace() -> str:
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def _read(path: str) -> str:
    try:
        with open(path) as file:
            return file.read().strip()
    except OSError:
        return ""


def liveness(journal: str, writer: Mapping[str, Any] | None) -> Liveness:
    """Whether the process that writes a journal lives.

    Args:
        journal: path of the file.
        writer: its ``writer`` operation, None when it cannot be read.
    """
    if writer is not None and writer.get("owner", "process") != "process":
        return Liveness.UNKNOWN  # a run that no single process owns ends only by command
    locked = _locked(journal)
    if writer is None:
        return _BY_LOCK[locked]
    same_boot = bool(writer["boot"]) and writer["boot"] == _read(_BOOT)
    if not same_boot and writer["host"] != os.uname().nodename:
        # Locks may not cross hosts; a held one is proof of life, a free one proves nothing. Containers have names of
        # their own on one host: the boot they share tells.
        return Liveness.ALIVE if locked else Liveness.UNKNOWN
    knowable = bool(writer["started"]) and bool(writer["namespace"]) and writer["namespace"] == _namespace()
    if locked is False or not knowable:
        return _BY_LOCK[locked]
    # Held, or not knowable by a lock: a forked child may hold the lock of a parent that is gone.
    return Liveness.ALIVE if same_boot and process_start(writer["pid"]) == writer["started"] else Liveness.DEAD


def _locked(path: str) -> bool | None:
    """Whether somebody holds the file's lock; None when the file system has no locks."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise  # finished by another process meanwhile: its caller starts over
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError as error:
        if error.errno in WITHOUT_LOCKS:
            return None
        raise
    finally:
        os.close(file)
    return False
