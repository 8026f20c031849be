"""How busy the machine is at one moment: counters read by psutil, or on Linux from ``/proc``."""

from __future__ import annotations

import os
import re
from typing import Any, Protocol

from gittrack.frozen import dataclass

_READ_LIMIT = 1 << 20
_SECTOR = 512
_WHOLE_DISK = re.compile(r"(?:[shv]d[a-z]+|xvd[a-z]+|nvme\d+n\d+|mmcblk\d+)")


@dataclass(frozen=True, slots=True)
class Reading:
    """Counters since the machine started, and levels of this moment. None: this machine does not tell.

    Attributes:
        cpu_busy, cpu_total: time of all processors together, in one unit, whichever.
        memory_percent: of the machine's memory that is in use.
        process_memory: resident memory of this process, bytes.
        disk_read, disk_write, network_in, network_out: bytes, over all disks and all interfaces but the loopback.
    """

    cpu_busy: float | None = None
    cpu_total: float | None = None
    memory_percent: float | None = None
    process_memory: int | None = None
    disk_read: int | None = None
    disk_write: int | None = None
    network_in: int | None = None
    network_out: int | None = None


class Probe(Protocol):
    """Reads the counters once."""

    def read(self) -> Reading:
        """The counters now; raises OSError when the machine refuses."""


def open_probe() -> Probe | None:
    """A probe by psutil where it is installed, else that of Linux, else None."""
    try:
        import psutil
    except ImportError:
        return ProcProbe() if os.path.exists("/proc/stat") else None
    return PsutilProbe(psutil)


class PsutilProbe:
    """Counters by psutil, on any system."""

    def __init__(self, psutil: Any) -> None:
        self._psutil = psutil
        self._process = psutil.Process()

    def read(self) -> Reading:
        """The counters now."""
        times = self._psutil.cpu_times()
        # On Linux the guest times are also part of user and nice.
        total = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
        disks = self._psutil.disk_io_counters()
        links = [link for name, link in self._psutil.net_io_counters(pernic=True).items() if not _is_loopback(name)]
        return Reading(
            cpu_busy=total - times.idle - getattr(times, "iowait", 0.0),
            cpu_total=total,
            memory_percent=self._psutil.virtual_memory().percent,
            process_memory=self._process.memory_info().rss,
            disk_read=None if disks is None else disks.read_bytes,
            disk_write=None if disks is None else disks.write_bytes,
            network_in=sum(link.bytes_recv for link in links) if links else None,
            network_out=sum(link.bytes_sent for link in links) if links else None,
        )


class ProcProbe:
    """Counters from Linux's ``/proc``.

    Args:
        root: where ``/proc`` is; another folder holds a recorded sample.
    """

    def __init__(self, root: str = "/proc") -> None:
        self._root = root

    def read(self) -> Reading:
        """The counters now; a file that is missing or says something else leaves its numbers None."""
        busy, total = self._cpu()
        disk_read, disk_write = self._disks()
        network_in, network_out = self._network()
        return Reading(
            cpu_busy=busy,
            cpu_total=total,
            memory_percent=self._memory_percent(),
            process_memory=self._process_memory(),
            disk_read=disk_read,
            disk_write=disk_write,
            network_in=network_in,
            network_out=network_out,
        )

    def _cpu(self) -> tuple[float | None, float | None]:
        words = self._text("stat").partition("\n")[0].split()
        times = [int(word) for word in words[1:9] if word.isdigit()]  # user nice system idle iowait irq softirq steal
        if len(times) < 5:
            return None, None
        return float(sum(times) - times[3] - times[4]), float(sum(times))

    def _memory_percent(self) -> float | None:
        lines = (line.split() for line in self._text("meminfo").splitlines()[:10])
        kilobytes = {words[0]: int(words[1]) for words in lines if len(words) > 1 and words[1].isdigit()}
        total, available = kilobytes.get("MemTotal:"), kilobytes.get("MemAvailable:")
        return 100 * (1 - available / total) if total and available is not None else None

    def _process_memory(self) -> int | None:
        words = self._text("self/statm").split()
        return int(words[1]) * os.sysconf("SC_PAGE_SIZE") if len(words) > 1 and words[1].isdigit() else None

    def _disks(self) -> tuple[int | None, int | None]:
        rows = [line.split() for line in self._text("diskstats").splitlines()]
        disks = [row for row in rows if len(row) > 9 and _WHOLE_DISK.fullmatch(row[2])]
        if not disks:
            return None, None
        return sum(int(row[5]) for row in disks) * _SECTOR, sum(int(row[9]) for row in disks) * _SECTOR

    def _network(self) -> tuple[int | None, int | None]:
        rows = (line.partition(":") for line in self._text("net/dev").splitlines()[2:])
        links = [counts.split() for name, _, counts in rows if not _is_loopback(name.strip())]
        links = [link for link in links if len(link) > 8]
        if not links:
            return None, None
        return sum(int(link[0]) for link in links), sum(int(link[8]) for link in links)

    def _text(self, path: str) -> str:
        try:
            with open(os.path.join(self._root, path), "rb") as file:
                return file.read(_READ_LIMIT).decode("ascii", "replace")
        except FileNotFoundError:
            return ""  # this kernel does not have it


def _is_loopback(name: str) -> bool:
    return name in ("lo", "lo0") or name.startswith("Loopback")
