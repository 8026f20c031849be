"""The machine: processor, memory, GPUs. Reads files of the kernel, starts nothing."""

from __future__ import annotations

import os
import sys
from typing import Any

from gittrack.capture.gpus import list_gpus
from gittrack.capture.redaction import storable

_READ_LIMIT = 16 * 1024
_UNLIMITED = 1 << 60  # cgroup version 1 writes a number near 2^63 for "no limit"


def hardware(root: str = "/") -> dict[str, Any]:
    """What the machine is, as far as it can be known.

    Args:
        root: where the file system begins; another folder holds a recorded sample.

    Returns:
        ``cpu``: ``model``, ``physical_cores``, ``logical_cores``, ``usable_cores`` (by affinity), ``limit_cores``
        (by the container, a float); ``memory``: ``bytes``, ``limit_bytes`` (by the container); ``gpus``: a list, empty
        without any, of ``name`` and, as far as known, ``memory_bytes`` and ``driver``.
    """
    cpu = {
        "model": _cpu_model(root),
        "physical_cores": _physical_cores(root),
        "logical_cores": os.cpu_count(),
        "usable_cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
        "limit_cores": _cpu_limit(root),
    }
    memory = {"bytes": _memory_bytes(), "limit_bytes": _memory_limit(root)}
    return {"cpu": _known(cpu), "memory": _known(memory), "gpus": list_gpus(root)}


def _known(facts: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if value}


def _cpu_model(root: str) -> str:
    if sys.platform == "darwin":
        return _sysctl_text("machdep.cpu.brand_string")
    if sys.platform == "win32":
        import platform

        return platform.processor()
    # Only the first processors: with hundreds of them the whole file takes milliseconds.
    cpuinfo = _read(root, "proc/cpuinfo")
    fields = dict(reversed([_field(line) for line in cpuinfo.splitlines() if ":" in line]))  # the first of each name
    return fields.get("model name") or fields.get("Hardware") or _read(root, "proc/device-tree/model").strip("\0\n ")


def _field(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.strip(), " ".join(value.split())


def _physical_cores(root: str) -> int:
    """The number of distinct sets of hardware threads that share a core; 0 when unknown."""
    if sys.platform == "darwin":
        return _sysctl_number("hw.physicalcpu")
    folder = os.path.join(root, "sys/devices/system/cpu")
    try:
        names = [name for name in os.listdir(folder) if name.startswith("cpu") and name[3:].isdigit()]
    except OSError:
        return 0
    threads = {
        _read(folder, f"{name}/topology/core_cpus_list") or _read(folder, f"{name}/topology/thread_siblings_list")
        for name in names
    }
    return len(threads - {""})


def _cpu_limit(root: str) -> float:
    words = _read(root, "sys/fs/cgroup/cpu.max").split()
    if not words:
        words = [_read(root, f"sys/fs/cgroup/cpu/cpu.cfs_{name}_us").strip() for name in ("quota", "period")]
    quota, period = [_number(word) for word in [*words, "", ""][:2]]
    return round(quota / period, 3) if quota > 0 and period > 0 else 0.0


def _memory_limit(root: str) -> int:
    paths = ("sys/fs/cgroup/memory.max", "sys/fs/cgroup/memory/memory.limit_in_bytes")
    limit = next((_number(text) for path in paths if (text := _read(root, path).strip())), 0)
    return limit if 0 < limit < _UNLIMITED else 0


def _memory_bytes() -> int:
    if sys.platform == "win32":
        return _windows_memory()
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError):
        return 0  # a system that does not know the name


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0


def _read(root: str, path: str) -> str:
    try:
        descriptor = os.open(os.path.join(root, path), os.O_RDONLY)
    except OSError:
        return ""  # another kind of system, or a kernel without it
    try:
        return os.read(descriptor, _READ_LIMIT).decode("utf-8", "replace")
    except OSError:
        return ""  # some files of /sys can be opened and not read
    finally:
        os.close(descriptor)


def _sysctl(name: str) -> bytes:
    import ctypes

    size = ctypes.c_size_t(256)
    buffer = ctypes.create_string_buffer(size.value)
    library = ctypes.CDLL(None)
    failed = library.sysctlbyname(name.encode(), buffer, ctypes.byref(size), None, ctypes.c_size_t(0))
    return b"" if failed else buffer.raw[: size.value]


def _sysctl_text(name: str) -> str:
    return storable(_sysctl(name).rstrip(b"\0").decode("utf-8", "replace"))


def _sysctl_number(name: str) -> int:
    return int.from_bytes(_sysctl(name), sys.byteorder)


def _windows_memory() -> int:
    import ctypes

    # MEMORYSTATUSEX: two 32-bit and seven 64-bit numbers; the first of these is the memory that is installed.
    status = (ctypes.c_uint64 * 8)()
    status[0] = ctypes.sizeof(status)
    kernel = getattr(ctypes, "windll").kernel32  # noqa: B009 - the attribute exists on Windows alone
    return int(status[1]) if kernel.GlobalMemoryStatusEx(ctypes.byref(status)) else 0
